//! Speaker turns that people's own files name: they name speech, or are speech where no other is known.

use std::collections::BTreeMap;

use tempograph_core::{
    Claim, MediaTime, Observation, Span,
    timeline::{AudioEvent, AudioEventKind},
};

use super::audio::blank;

/// `events` with speakers where turns name them, in order of start, ids anew.
///
/// Speech is by whoever speaks longest during it. A turn without any speech becomes speech without
/// words.
pub(super) fn apply(mut events: Vec<AudioEvent>, observations: &[Observation]) -> Vec<AudioEvent> {
    let mut turns: Vec<(Span, &str)> = observations
        .iter()
        .filter_map(|o| match &o.claim {
            Claim::SpeakerTurn { speaker } => Some((o.span, speaker.as_str())),
            _ => None,
        })
        .collect();
    if turns.is_empty() {
        return events;
    }
    turns.sort_unstable();
    let longest = turns.iter().map(|(span, _)| span.duration()).max().unwrap_or(MediaTime::ZERO);
    let mut speech: Vec<Span> = Vec::new();
    for event in events.iter_mut().filter(|e| e.kind == AudioEventKind::Speech) {
        speech.push(event.span);
        let from = turns.partition_point(|(span, _)| span.start < event.span.start - longest);
        let to = turns.partition_point(|(span, _)| span.start < event.span.end);
        let mut spoken: BTreeMap<&str, MediaTime> = BTreeMap::new();
        for (span, speaker) in &turns[from..to.max(from)] {
            if let Some(both) = span.intersect(event.span) {
                let sum = spoken.entry(speaker).or_default();
                *sum = *sum + both.duration();
            }
        }
        // Of equals the first by name, so that the order of turns cannot matter.
        let most = spoken.into_iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(a.0)));
        if event.speaker.is_none() {
            event.speaker = most.map(|(speaker, _)| speaker.to_owned());
        }
    }
    speech.sort_unstable();
    let longest = speech.iter().map(|s| s.duration()).max().unwrap_or(MediaTime::ZERO);
    for (span, speaker) in turns {
        let from = speech.partition_point(|s| s.start < span.start - longest);
        let near = speech[from..].iter().take_while(|s| s.start < span.end);
        if near.into_iter().all(|s| s.intersect(span).is_none()) {
            let speaker = Some(speaker.to_owned());
            events.push(AudioEvent { speaker, confidence: 1.0, ..blank(AudioEventKind::Speech, span) });
        }
    }
    // A silence in which somebody is said to speak is none.
    let said: Vec<Span> =
        events.iter().filter(|e| e.kind == AudioEventKind::Speech && e.text.is_none()).map(|e| e.span).collect();
    events.retain(|e| e.kind != AudioEventKind::Silence || said.iter().all(|s| s.intersect(e.span).is_none()));
    events.sort_by(|a, b| (a.span, a.kind, &a.speaker, &a.text).cmp(&(b.span, b.kind, &b.speaker, &b.text)));
    for (i, event) in events.iter_mut().enumerate() {
        event.id = format!("A{}", i + 1);
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: i64, to: i64) -> Span {
        Span::new(MediaTime::from_millis(from), MediaTime::from_millis(to))
    }

    fn turn(from: i64, to: i64, speaker: &str) -> Observation {
        Observation { span: span(from, to), claim: Claim::SpeakerTurn { speaker: speaker.to_owned() } }
    }

    #[test]
    fn turns_name_speech_and_are_speech_by_themselves() {
        let said = AudioEvent { text: Some("hello".into()), ..blank(AudioEventKind::Speech, span(1000, 3000)) };
        let silent = blank(AudioEventKind::Silence, span(3000, 9000));
        let turns = [turn(5000, 6000, "cy"), turn(0, 1900, "al"), turn(1900, 3100, "bo")];
        let events = apply(vec![said.clone(), silent.clone()], &turns);
        let told: Vec<_> = events.iter().map(|e| (e.id.as_str(), e.speaker.as_deref(), e.span)).collect();
        let want = [("A1", Some("bo"), span(1000, 3000)), ("A2", Some("cy"), span(5000, 6000))];
        assert_eq!(told, want, "who speaks longest; a turn alone is speech, not silence");
        assert_eq!(apply(vec![said, silent.clone()], &[])[1], silent, "without turns nothing changes");
    }
}
