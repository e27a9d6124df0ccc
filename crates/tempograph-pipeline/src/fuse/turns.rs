//! Speaker turns that people's own files name: they name speech, or are speech where no other is known.

use tempograph_core::{
    Claim, MediaTime, Observation, Span,
    timeline::{AudioEvent, AudioEventKind, SpeakerTurn},
};

use super::audio::blank;

/// The turns that were brought, in order of start.
pub(super) fn given(observations: &[Observation]) -> Vec<SpeakerTurn> {
    let mut turns: Vec<SpeakerTurn> = observations
        .iter()
        .filter_map(|o| match &o.claim {
            Claim::SpeakerTurn { speaker } => Some(SpeakerTurn { speaker: speaker.clone(), span: o.span }),
            _ => None,
        })
        .collect();
    turns.sort_unstable_by(|a, b| (a.span, &a.speaker).cmp(&(b.span, &b.speaker)));
    turns.dedup();
    turns
}

/// Makes each turn that was brought and in which no speech is known an event without words, and `busy` with it.
pub(super) fn add_unheard(observations: &[Observation], events: &mut Vec<AudioEvent>, busy: &mut Vec<Span>) {
    let turns = given(observations);
    if turns.is_empty() {
        return;
    }
    let mut speech: Vec<Span> = events.iter().filter(|e| e.kind == AudioEventKind::Speech).map(|e| e.span).collect();
    speech.sort_unstable();
    let longest = speech.iter().map(|s| s.duration()).max().unwrap_or(MediaTime::ZERO);
    for SpeakerTurn { speaker, span } in turns {
        let from = speech.partition_point(|s| s.start < span.start - longest);
        let mut near = speech[from..].iter().take_while(|s| s.start < span.end);
        if near.all(|s| s.intersect(span).is_none()) {
            busy.push(span);
            events.push(AudioEvent { speaker: Some(speaker), confidence: 1.0, ..blank(AudioEventKind::Speech, span) });
        }
    }
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
    fn a_turn_in_which_nothing_was_heard_is_speech_by_itself() {
        let said = AudioEvent { text: Some("hello".into()), ..blank(AudioEventKind::Speech, span(1000, 3000)) };
        let turns = [turn(5000, 6000, "cy"), turn(0, 1900, "al"), turn(1900, 3100, "bo")];
        let order: Vec<_> = given(&turns).into_iter().map(|t| t.speaker).collect();
        assert_eq!(order, ["al", "bo", "cy"]);
        let (mut events, mut busy) = (vec![said.clone()], Vec::new());
        add_unheard(&turns, &mut events, &mut busy);
        assert_eq!(busy, [span(5000, 6000)]);
        assert_eq!((events.len(), events[1].speaker.as_deref()), (2, Some("cy")));
        add_unheard(&[], &mut events, &mut busy);
        assert_eq!(events.len(), 2, "without turns nothing changes");
    }
}
