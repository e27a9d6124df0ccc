//! Audio events: recognised speech, voice nobody turned into words, sounds, and stretches without any.

use tempograph_core::{
    Claim, MediaTime, Span, SpeechSegment,
    timeline::{AudioEvent, AudioEventKind, SpeakerTurn},
};

use super::{
    FuseInput,
    sounds::{self, Levels, SoundOptions},
    turns, voices,
};

/// What counts as an audio event.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioOptions {
    /// Shortest stretch without voice that is an event of its own.
    pub min_silence: MediaTime,
    /// Confidence of such a stretch where only voice was listened for, or where something unnamed can be heard.
    pub silence_confidence: f32,
    /// Confidence of such a stretch that is quiet.
    pub quiet_confidence: f32,
    /// What is not louder is quiet, dBFS: well below the noise of a silent room as recorders set their level.
    pub quiet: f32,
    /// When a class's scores are a sound.
    pub sounds: SoundOptions,
}

impl Default for AudioOptions {
    fn default() -> Self {
        Self {
            min_silence: MediaTime::from_millis(2000),
            silence_confidence: 0.5,
            quiet_confidence: 0.95,
            quiet: -60.0,
            sounds: SoundOptions::default(),
        }
    }
}

/// The label of a silence that only means that nobody speaks.
const NO_SPEECH: &str = "no speech";
/// The label of a silence in which nothing can be heard.
const SILENCE: &str = "silence";

/// The audio events in order of start, ids `A1`, `A2`, …
///
/// Voice activity becomes speech without text only when recognition did not run: where it ran and
/// found no words, none are claimed.
///
/// With `speakers`, speech is cut where the speaker changes.
pub(super) fn events(input: &FuseInput<'_>, speakers: &[SpeakerTurn], options: &AudioOptions) -> Vec<AudioEvent> {
    let mut events = Vec::new();
    let mut busy = Vec::new();
    for observation in input.observations {
        match &observation.claim {
            Claim::Speech(segment) if !segment.text.trim().is_empty() => {
                busy.push(observation.span);
                events.push(speech(observation.span, segment));
            }
            Claim::Voice { confidence } => {
                busy.push(observation.span);
                if !input.heard.words {
                    let mut event = blank(AudioEventKind::Speech, observation.span);
                    event.confidence = confidence.clamp(0.0, 1.0);
                    events.push(event);
                }
            }
            _ => {}
        }
    }
    events = voices::attribute(events, speakers);
    turns::add_unheard(input.observations, &mut events, &mut busy);
    let mut voice = busy.clone();
    join(&mut voice);
    let sounds = sounds::events(input.observations, &voice, input.heard.voice, &options.sounds);
    busy.extend(sounds.iter().map(|e| e.span));
    events.extend(sounds);
    if input.heard.voice && input.video.audio.is_some() {
        let levels = Levels::new(input.observations, &voice);
        let whole = Span::new(input.video.start_s, input.video.start_s + input.video.duration_s);
        events.extend(gaps(whole, busy).into_iter().filter(|g| g.duration() >= options.min_silence).map(|gap| {
            let quiet = levels.loudest(gap).is_some_and(|l| l <= options.quiet);
            let (label, confidence) =
                if quiet { (SILENCE, options.quiet_confidence) } else { (NO_SPEECH, options.silence_confidence) };
            AudioEvent { label: Some(label.to_owned()), confidence, ..blank(AudioEventKind::Silence, gap) }
        }));
    }
    events.sort_by(|a, b| {
        let key = |e: &AudioEvent| (e.span, e.kind, e.confidence.to_bits());
        key(a)
            .cmp(&key(b))
            .then_with(|| a.text.cmp(&b.text))
            .then_with(|| a.language.cmp(&b.language))
            .then_with(|| a.label.cmp(&b.label))
    });
    events.dedup();
    for (i, event) in events.iter_mut().enumerate() {
        event.id = format!("A{}", i + 1);
    }
    events
}

pub(super) fn blank(kind: AudioEventKind, span: Span) -> AudioEvent {
    AudioEvent {
        id: String::new(),
        kind,
        span,
        text: None,
        speaker: None,
        language: None,
        words: None,
        label: None,
        alternatives: Vec::new(),
        confidence: 0.0,
        prosody: None,
        emotion: None,
        emotion_basis: None,
    }
}

fn speech(span: Span, segment: &SpeechSegment) -> AudioEvent {
    AudioEvent {
        text: Some(segment.text.trim().to_owned()),
        language: Some(segment.language.clone()).filter(|l| !l.is_empty()),
        words: Some(segment.words.clone()).filter(|w| !w.is_empty()),
        confidence: segment.confidence.clamp(0.0, 1.0),
        ..blank(AudioEventKind::Speech, span)
    }
}

/// Brings `spans` into order and joins those that touch.
pub(super) fn join(spans: &mut Vec<Span>) {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for &span in spans.iter() {
        match joined.last_mut() {
            Some(last) if span.start <= last.end => *last = Span::new(last.start, last.end.max(span.end)),
            _ => joined.push(span),
        }
    }
    *spans = joined;
}

/// What `busy` leaves of `whole`.
fn gaps(whole: Span, mut busy: Vec<Span>) -> Vec<Span> {
    busy.sort_unstable();
    let mut gaps = Vec::new();
    let mut free_from = whole.start;
    for span in busy {
        if span.start > free_from {
            gaps.push(Span::new(free_from, span.start.min(whole.end)));
        }
        free_from = free_from.max(span.end);
    }
    if free_from < whole.end {
        gaps.push(Span::new(free_from, whole.end));
    }
    gaps
}
