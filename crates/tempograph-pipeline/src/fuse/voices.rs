//! What is said, by whom: speech events get speakers, and speakers become entities.

use std::collections::BTreeMap;

use tempograph_core::{
    MediaTime, Span, Word,
    timeline::{AudioEvent, Entity, SpeakerTurn, Track, Video},
};

use super::summary::clock;

/// A word this far from any turn has no speaker of its own.
const FAR: MediaTime = MediaTime::from_millis(500);
/// The speaker goes on while he speaks in at least this share of a word: word times are uncertain by as much.
const GOES_ON: f64 = 0.5;
/// Share of a speaker's time in which nobody but one person must be seen for the voice to be that person's.
const SEEN_ALONE: f64 = 0.8;
/// Shortest time a speaker must be heard for that.
const HEARD_ENOUGH: MediaTime = MediaTime::from_millis(3000);

/// Gives each speech event its speaker; one in which several speak is cut at the words where the speaker changes.
pub(super) fn attribute(events: Vec<AudioEvent>, turns: &[SpeakerTurn]) -> Vec<AudioEvent> {
    if turns.is_empty() {
        return events;
    }
    let turns = Turns::new(turns);
    events
        .into_iter()
        .flat_map(|event| match event.words.as_deref() {
            Some(words) if !words.is_empty() => by_words(&event, &turns.speakers_of(words)),
            _ => turns.pieces(event),
        })
        .collect()
}

/// Turns that can be asked what lies in a span.
struct Turns<'a> {
    turns: &'a [SpeakerTurn],
    longest: MediaTime,
}

impl<'a> Turns<'a> {
    fn new(turns: &'a [SpeakerTurn]) -> Self {
        Self { turns, longest: turns.iter().map(|t| t.span.duration()).max().unwrap_or_default() }
    }

    /// The turns at most `away` from `span`.
    fn near(&self, span: Span, away: MediaTime) -> impl Iterator<Item = &'a SpeakerTurn> {
        let first = self.turns.partition_point(|t| t.span.start + self.longest < span.start - away);
        let until = self.turns.partition_point(|t| t.span.start <= span.end + away);
        self.turns[first.min(until)..until].iter().filter(move |t| t.span.gap(span) <= away)
    }

    /// The speaker of each word; `None` where nobody is near.
    fn speakers_of(&self, words: &[Word]) -> Vec<Option<&'a str>> {
        let mut current: Option<&str> = None;
        let mut speakers = Vec::with_capacity(words.len());
        for word in words {
            let span = Span::new(word.start, word.end);
            let mut shares: BTreeMap<&str, i64> = BTreeMap::new();
            for turn in self.near(span, MediaTime::ZERO) {
                let share = turn.span.intersect(span).map_or(0, |s| s.duration().nanos()).max(1);
                *shares.entry(&turn.speaker).or_default() += share;
            }
            let whole = span.duration().nanos().max(1) as f64;
            let most = shares.iter().max_by_key(|(name, share)| (**share, std::cmp::Reverse(**name)));
            let goes_on = current.filter(|c| shares.get(c).is_some_and(|s| *s as f64 >= GOES_ON * whole));
            let nearest =
                || self.near(span, FAR).min_by_key(|t| (t.span.gap(span), t.span)).map(|t| t.speaker.as_str());
            let speaker = goes_on.or(most.map(|(name, _)| *name)).or_else(nearest).or(current);
            current = speaker.or(current);
            speakers.push(speaker);
        }
        // Words before the first turn that is near belong to whoever speaks next.
        if let Some(first) = speakers.iter().position(Option::is_some) {
            let name = speakers[first];
            speakers[..first].fill(name);
        }
        speakers
    }

    /// Speech without words, cut where another speaker begins.
    fn pieces(&self, event: AudioEvent) -> Vec<AudioEvent> {
        let mut pieces: Vec<AudioEvent> = Vec::new();
        for turn in self.near(event.span, MediaTime::ZERO) {
            let Some(common) = turn.span.intersect(event.span) else { continue };
            match pieces.last_mut() {
                Some(last) if last.speaker.as_ref() == Some(&turn.speaker) => {
                    last.span.end = common.end.max(last.span.end)
                }
                Some(last) if common.end <= last.span.end => {}
                last => {
                    let start = if last.is_some() { common.start } else { event.span.start };
                    if let Some(last) = last {
                        last.span.end = common.start;
                    }
                    let span = Span::new(start, common.end);
                    pieces.push(AudioEvent { span, speaker: Some(turn.speaker.clone()), ..event.clone() });
                }
            }
        }
        match pieces.last_mut() {
            Some(last) => last.span.end = event.span.end,
            None => {
                let nearest = self.near(event.span, FAR).min_by_key(|t| (t.span.gap(event.span), t.span));
                pieces.push(AudioEvent { speaker: nearest.map(|t| t.speaker.clone()), ..event });
            }
        }
        pieces.retain(|p| p.span.duration() > MediaTime::ZERO);
        pieces
    }
}

/// `event` cut between words of different speakers.
fn by_words(event: &AudioEvent, speakers: &[Option<&str>]) -> Vec<AudioEvent> {
    let words = event.words.as_deref().unwrap_or_default();
    let named = |speaker: Option<&str>| AudioEvent { speaker: speaker.map(str::to_owned), ..event.clone() };
    let runs: Vec<&[Option<&str>]> = speakers.chunk_by(|a, b| a == b).collect();
    if runs.len() < 2 {
        return vec![named(speakers.first().copied().flatten())];
    }
    let mut pieces = Vec::with_capacity(runs.len());
    let mut rest = event.text.as_deref().unwrap_or_default();
    let mut from = 0;
    for (i, run) in runs.iter().enumerate() {
        let own = &words[from..from + run.len()];
        from += run.len();
        let cut = if i + 1 == runs.len() { Some(rest.len()) } else { after(rest, own) };
        let text = match cut {
            Some(cut) => {
                let (now, later) = rest.split_at(cut);
                rest = later;
                now.trim().to_owned()
            }
            None => own.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" "),
        };
        let start = if i == 0 { event.span.start } else { own[0].start };
        let end = if i + 1 == runs.len() { event.span.end } else { own[own.len() - 1].end };
        pieces.push(AudioEvent {
            span: Span::new(start, end),
            text: Some(text),
            words: Some(own.to_vec()),
            confidence: own.iter().map(|w| w.confidence).sum::<f32>() / own.len() as f32,
            ..named(run[0])
        });
    }
    pieces
}

/// Where `text` goes on after `words`, when they are found in it one after the other.
fn after(text: &str, words: &[Word]) -> Option<usize> {
    words.iter().try_fold(0, |at, word| Some(at + text[at..].find(&word.text)? + word.text.len()))
}

/// Ties speakers to the person seen while they speak where that is clear, and makes entities of the others.
///
/// Clear is: the speaker is heard long enough, the same person is the only one on the screen nearly all of that time,
/// and no other speaker can say the same of that person.
pub(super) fn entities(entities: &mut Vec<Entity>, tracks: &[Track], turns: &[SpeakerTurn], video: &Video) {
    let mut spoken: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for turn in turns {
        let spans = spoken.entry(&turn.speaker).or_default();
        if spans.is_empty() {
            order.push(&turn.speaker);
        }
        spans.push(turn.span);
    }
    let people: Vec<(&str, Span)> =
        tracks.iter().filter(|t| t.label == "person").filter_map(|t| Some((t.entity.as_deref()?, t.span))).collect();
    let faces: Vec<Option<String>> = order.iter().map(|s| alone(&spoken[s], &people).map(str::to_owned)).collect();
    for (name, face) in order.iter().zip(&faces) {
        let claimed = faces.iter().filter(|f| f.is_some() && *f == face).count();
        let seen = face.as_ref().filter(|_| claimed == 1).and_then(|id| entities.iter_mut().find(|e| e.id == *id));
        if let Some(entity) = seen {
            entity.speakers.push((*name).to_owned());
            continue;
        }
        let spans = &spoken[name];
        let first = spans.iter().map(|s| s.start).min().unwrap_or_default();
        let last = spans.iter().map(|s| s.end).max().unwrap_or_default();
        let total: f64 = spans.iter().map(|s| s.duration().as_secs_f64()).sum();
        entities.push(Entity {
            id: format!("E{}", entities.len() + 1),
            kind: "person".to_owned(),
            description: format!(
                "{name}, heard for {total:.0} s between {} and {}",
                clock(first, video),
                clock(last, video)
            ),
            first_seen_s: first,
            last_seen_s: last,
            tracks: Vec::new(),
            speakers: vec![(*name).to_owned()],
            origin: "speech".to_owned(),
            told: Vec::new(),
        });
    }
}

/// The person who alone is seen nearly all the time of `spans`.
fn alone<'a>(spans: &[Span], people: &[(&'a str, Span)]) -> Option<&'a str> {
    let total: i64 = spans.iter().map(|s| s.duration().nanos()).sum();
    if total < HEARD_ENOUGH.nanos() {
        return None;
    }
    let mut times: BTreeMap<&str, i64> = BTreeMap::new();
    for span in spans {
        let seen: Vec<(&str, Span)> = people.iter().filter_map(|(id, s)| Some((*id, s.intersect(*span)?))).collect();
        let mut bounds: Vec<MediaTime> = seen.iter().flat_map(|(_, s)| [s.start, s.end]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        for pair in bounds.windows(2) {
            let mut there = seen.iter().filter(|(_, s)| s.start <= pair[0] && pair[1] <= s.end).map(|(id, _)| *id);
            if let Some(id) = there.next()
                && there.all(|other| other == id)
            {
                *times.entry(id).or_default() += (pair[1] - pair[0]).nanos();
            }
        }
    }
    let (id, time) = times.into_iter().max_by_key(|(id, time)| (*time, std::cmp::Reverse(*id)))?;
    (time as f64 >= SEEN_ALONE * total as f64).then_some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempograph_core::timeline::AudioEventKind;

    use super::*;

    fn span(from: i64, to: i64) -> Span {
        Span::new(MediaTime::from_millis(from), MediaTime::from_millis(to))
    }

    fn turn(speaker: &str, from: i64, to: i64) -> SpeakerTurn {
        SpeakerTurn { speaker: speaker.to_owned(), span: span(from, to) }
    }

    /// A word every 500 ms.
    fn event(text: &str) -> AudioEvent {
        let words: Vec<Word> = text
            .split(' ')
            .enumerate()
            .map(|(i, w)| {
                let own = span(i as i64 * 500, i as i64 * 500 + 450);
                Word { text: w.to_owned(), start: own.start, end: own.end, confidence: 0.5 }
            })
            .collect();
        AudioEvent {
            id: String::new(),
            kind: AudioEventKind::Speech,
            span: span(0, words.len() as i64 * 500),
            text: Some(text.to_owned()),
            speaker: None,
            language: None,
            words: Some(words),
            label: None,
            alternatives: Vec::new(),
            confidence: 0.5,
            prosody: None,
            emotion: None,
            emotion_basis: None,
        }
    }

    fn said(events: &[AudioEvent]) -> Vec<(&str, &str)> {
        events.iter().map(|e| (e.speaker.as_deref().unwrap_or("?"), e.text.as_deref().unwrap_or("?"))).collect()
    }

    #[test]
    fn speech_is_cut_where_the_speaker_changes() {
        let turns = [turn("A", 0, 1480), turn("B", 1510, 4000)];
        let events = attribute(vec![event("how are you? fine,  thanks")], &turns);
        assert_eq!(said(&events), [("A", "how are you?"), ("B", "fine,  thanks")]);
        assert_eq!((events[0].span, events[1].span), (span(0, 1450), span(1500, 3000)));
        assert_eq!(events[1].words.as_ref().map(Vec::len), Some(3));
    }

    #[test]
    fn a_speaker_goes_on_through_an_interjection_and_uncertain_edges() {
        let over = [turn("A", 0, 4000), turn("B", 1000, 1450)];
        assert_eq!(said(&attribute(vec![event("a b c d e")], &over)), [("A", "a b c d e")]);
        // The turn ends in the middle of a word.
        let late = [turn("A", 0, 1100), turn("B", 1150, 4000)];
        assert_eq!(said(&attribute(vec![event("a b c d e")], &late)), [("A", "a b"), ("B", "c d e")]);
    }

    #[test]
    fn words_outside_every_turn_belong_to_a_neighbour() {
        assert_eq!(said(&attribute(vec![event("a b c d")], &[turn("A", 1000, 1400)])), [("A", "a b c d")]);
        assert_eq!(said(&attribute(vec![event("a b")], &[turn("A", 9000, 9900)])), [("?", "a b")]);
        assert_eq!(said(&attribute(vec![event("a b")], &[])), [("?", "a b")]);
    }

    #[test]
    fn voice_without_words_is_cut_too() {
        let voice = AudioEvent { text: None, words: None, ..event("a b c d e f g h") };
        let events = attribute(vec![voice], &[turn("A", 100, 1500), turn("B", 1400, 3800), turn("A", 3850, 3990)]);
        let spans: Vec<_> = events.iter().map(|e| (e.speaker.as_deref(), e.span)).collect();
        assert_eq!(spans, [(Some("A"), span(0, 1400)), (Some("B"), span(1400, 3850)), (Some("A"), span(3850, 4000))]);
    }

    #[test]
    fn a_voice_is_somebodys_only_when_he_alone_is_seen() {
        let person = |id: u32, from, to| Track {
            id,
            label: "person".to_owned(),
            score: 0.9,
            span: span(from, to),
            frames: 10,
            entity: Some(format!("E{id}")),
        };
        let entity = |id: u32| Entity {
            id: format!("E{id}"),
            kind: "person".to_owned(),
            description: String::new(),
            first_seen_s: MediaTime::ZERO,
            last_seen_s: MediaTime::ZERO,
            tracks: vec![id],
            speakers: Vec::new(),
            origin: "tracks".to_owned(),
            told: Vec::new(),
        };
        let tie = |tracks: &[Track], turns: &[SpeakerTurn]| {
            let mut all = vec![entity(1), entity(2)];
            entities(&mut all, tracks, turns, &Video::default());
            all.into_iter().map(|e| (e.origin, e.speakers.join("+"))).collect::<Vec<_>>()
        };
        let one = [turn("A", 0, 5000)];
        let clear = tie(&[person(1, 0, 6000)], &one);
        assert_eq!(clear[0], ("tracks".to_owned(), "A".to_owned()));
        assert_eq!(clear.len(), 2);
        let crowd = tie(&[person(1, 0, 6000), person(2, 1000, 6000)], &one);
        assert_eq!(crowd[2], ("speech".to_owned(), "A".to_owned()));
        let both = tie(&[person(1, 0, 20_000)], &[turn("A", 0, 5000), turn("B", 6000, 12_000)]);
        assert_eq!(both.len(), 4, "two voices and one face: whose is whose is not known");
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_no_event_has_two_speakers(
            count in 1usize..20,
            turns in prop::collection::vec((0i64..10_000, 1i64..3000, 0u8..3), 0..8),
        ) {
            let text: Vec<String> = (0..count).map(|i| format!("w{i}")).collect();
            let mut turns: Vec<_> = turns.iter().map(|&(s, d, w)| turn(&w.to_string(), s, s + d)).collect();
            turns.sort_by_key(|t| t.span);
            let events = attribute(vec![event(&text.join(" "))], &turns);
            let back: Vec<_> = events.iter().filter_map(|e| e.text.clone()).collect();
            prop_assert_eq!(back.join(" "), text.join(" "));
            let words: usize = events.iter().filter_map(|e| e.words.as_ref()).map(Vec::len).sum();
            prop_assert_eq!(words, count);
            prop_assert!(events.windows(2).all(|p| p[0].speaker != p[1].speaker && p[0].span.start <= p[1].span.start));
        }
    }
}
