use proptest::prelude::*;
use tempograph_core::{Claim, MediaTime, Observation, SoundScores, Span, timeline::AudioEvent};

use super::{SoundOptions, events};

/// A window's scores by name.
type Scores<'a> = &'a [(&'a str, f32)];

const HOP_MS: i64 = 480;

fn ms(v: i64) -> MediaTime {
    MediaTime::from_millis(v)
}

/// One claim of windows, the first at `start_ms`.
fn claim(start_ms: i64, windows: &[Scores<'_>]) -> Observation {
    let mut scores = SoundScores { window: ms(960), ..SoundScores::default() };
    for window in windows {
        let row = window.iter().map(|&(name, score)| {
            let at = scores.classes.iter().position(|c| c == name).unwrap_or_else(|| {
                scores.classes.push(name.to_owned());
                scores.classes.len() - 1
            });
            (at as u16, score)
        });
        let row = row.collect();
        scores.windows.push(row);
    }
    let span = Span::new(ms(start_ms), ms(start_ms + HOP_MS * windows.len() as i64));
    Observation { span, claim: Claim::Sounds(scores) }
}

/// Loudness in pieces of 40 ms from 0: −20 dB within `loud`, else −90.
fn levels(len_ms: i64, loud: &[(i64, i64)]) -> Observation {
    let level = |i: i64| if loud.iter().any(|&(a, b)| a <= i * 40 && i * 40 < b) { -20.0 } else { -90.0 };
    let levels = (0..len_ms / 40).map(level).collect();
    Observation { span: Span::new(ms(0), ms(len_ms / 40 * 40)), claim: Claim::AudioLevels { levels } }
}

fn found(observations: &[Observation], voice: &[(i64, i64)]) -> Vec<AudioEvent> {
    let voice: Vec<Span> = voice.iter().map(|&(a, b)| Span::new(ms(a), ms(b))).collect();
    let mut events = events(observations, &voice, true, &SoundOptions::default());
    events.sort_by_key(|e| e.span);
    events
}

fn labels(events: &[AudioEvent]) -> Vec<&str> {
    events.iter().filter_map(|e| e.label.as_deref()).collect()
}

const BARK: Scores<'static> = &[
    ("Animal", 0.9),
    ("Domestic animals, pets", 0.85),
    ("Dog", 0.8),
    ("Bark", 0.4),
    ("Roaring cats (lions, tigers)", 0.3),
];
const ANIMAL: Scores<'static> = &[("Animal", 0.8), ("Wild animals", 0.6)];

#[test]
fn one_bark_is_one_event_named_after_the_dog_with_its_edges_where_it_is_loud() {
    let heard = [claim(-480, &[&[], ANIMAL, BARK, BARK, ANIMAL, &[]]), levels(3000, &[(900, 1600)])];
    let events = found(&heard, &[]);
    assert_eq!(labels(&events), ["Dog"], "{events:#?}");
    assert!(events[0].span.start.abs_diff(ms(900)) <= ms(40) && events[0].span.end.abs_diff(ms(1600)) <= ms(40));
    assert_eq!(events[0].confidence, 0.8);
    let others: Vec<_> = events[0].alternatives.iter().map(|a| a.label.as_str()).collect();
    assert!(others.contains(&"Bark") && !others.contains(&"Animal"), "{others:?}");
}

#[test]
fn a_class_that_holds_it_all_is_named_after_its_part_only_where_the_part_is_as_plain() {
    let bark: Scores<'_> = &[("Dog", 0.8), ("Bark", 0.75)];
    assert_eq!(labels(&found(&[claim(0, &[bark, bark])], &[])), ["Bark"]);
    assert_eq!(labels(&found(&[claim(0, &[ANIMAL, ANIMAL])], &[])), ["Wild animals"]);
}

#[test]
fn hysteresis_needs_one_plain_window_and_keeps_the_weak_ones_beside_it() {
    let at = |score: f32| [("Vacuum cleaner", score)];
    let (weak, plain, faint) = (at(0.3), at(0.6), at(0.1));
    assert!(found(&[claim(0, &[&weak, &weak, &weak])], &[]).is_empty());
    let one = found(&[claim(0, &[&weak, &plain, &faint, &weak, &faint, &faint, &plain])], &[]);
    assert_eq!(one.len(), 2, "one window below is bridged, two are not: {one:#?}");
    assert_eq!(one[0].span, Span::new(ms(0), ms(3 * HOP_MS + 960)));
}

#[test]
fn what_is_much_depends_on_the_family() {
    let bark: Scores<'_> = &[("Male singing", 0.1), ("Dog", 0.4)];
    let heard = [claim(0, &[bark, bark])];
    let by = |family: &str| events(&heard, &[], true, &SoundOptions::of(family)).len();
    assert_eq!((by("yamnet"), by("ced")), (0, 1));
    assert_eq!(SoundOptions::of("yamnet"), SoundOptions::default());
}

#[test]
fn speech_is_not_told_twice_and_what_stands_out_of_it_is() {
    let speech: Scores<'_> = &[("Speech", 0.99), ("Narration, monologue", 0.6), ("Music", 0.6)];
    let applause: Scores<'_> = &[("Speech", 0.5), ("Applause", 0.9)];
    let heard = [claim(0, &[speech, speech, applause, speech])];
    assert_eq!(labels(&found(&heard, &[(0, 3000)])), ["Applause"]);
    // Nobody listened for voice, so nobody else tells of it.
    let events = events(&heard, &[], false, &SoundOptions::default());
    assert!(labels(&events).contains(&"Speech"));
    // Where nobody speaks, music is music.
    assert!(labels(&found(&heard, &[])).contains(&"Music"));
}

#[test]
fn how_it_sounds_yields_to_what_it_is() {
    let alarm: Scores<'_> = &[("Beep, bleep", 0.7), ("Smoke detector, smoke alarm", 0.6), ("Buzzer", 0.3)];
    let events = found(&[claim(0, &[alarm, alarm])], &[]);
    assert_eq!(labels(&events), ["Smoke detector, smoke alarm"]);
    assert_eq!(events[0].alternatives[0].label, "Beep, bleep");
    let tone: Scores<'_> = &[("Beep, bleep", 0.97), ("Sine wave", 0.6)];
    assert_eq!(labels(&found(&[claim(0, &[tone, tone])], &[])), ["Beep, bleep"]);
}

#[test]
fn acts_are_divided_by_a_pause_and_signals_are_not() {
    let alarm: Scores<'_> = &[("Alarm clock", 0.8)];
    for (scores, count) in [(BARK, 2), (alarm, 1)] {
        let heard = [claim(0, &[scores; 6]), levels(4000, &[(300, 900), (1700, 2300)])];
        assert_eq!(found(&heard, &[]).len(), count);
    }
    let close = [claim(0, &[BARK; 6]), levels(4000, &[(300, 900), (1300, 2300)])];
    assert_eq!(found(&close, &[]).len(), 1);
}

#[test]
fn a_short_sound_stands_beside_a_long_one_of_its_realm() {
    let birds: Scores<'_> = &[("Bird", 0.7)];
    let bark: Scores<'_> = &[("Bird", 0.2), ("Dog", 0.9)];
    let mut windows = vec![birds; 20];
    windows[10] = bark;
    windows[11] = bark;
    assert_eq!(labels(&found(&[claim(0, &windows)], &[])), ["Bird", "Dog"]);
    let unsure: Scores<'_> = &[("Bird", 0.6), ("Dog", 0.55)];
    assert_eq!(labels(&found(&[claim(0, &[unsure; 4])], &[])), ["Bird"]);
}

#[test]
fn what_is_not_a_class_is_passed_over() {
    let odd: Scores<'_> = &[("No such class", 0.9), ("Silence", 0.9), ("Dog", f32::NAN)];
    assert!(found(&[claim(0, &[odd, odd]), claim(960, &[])], &[]).is_empty());
}

const NAMES: [&str; 8] = ["Dog", "Bark", "Animal", "Music", "Beep, bleep", "Siren", "Cat", "Speech"];

proptest! {
    #[test]
    fn events_do_not_depend_on_how_the_claims_are_divided_or_ordered(
        rows in prop::collection::vec(prop::collection::vec(0f32..1.0, NAMES.len()), 1..25), cut in 0usize..25,
        voice in prop::collection::vec((0i64..12_000, 1i64..3000), 0..3),
    ) {
        let named: Vec<Vec<(&str, f32)>> = rows.iter().map(|r| NAMES.iter().copied().zip(r.iter().copied()).collect()).collect();
        let windows: Vec<Scores<'_>> = named.iter().map(Vec::as_slice).collect();
        let end = HOP_MS * windows.len() as i64 + 480;
        let mut spoken: Vec<(i64, i64)> = Vec::new();
        let mut from = 0;
        for (gap, len) in voice {
            spoken.push((from + gap, from + gap + len));
            from += gap + len + 1;
        }
        let loud = levels(end, &[(0, end / 2)]);
        let whole = found(&[claim(0, &windows), loud.clone()], &spoken);
        let cut = cut.min(windows.len());
        let parts = [loud, claim(HOP_MS * cut as i64, &windows[cut..]), claim(0, &windows[..cut])];
        prop_assert_eq!(&found(&parts, &spoken), &whole);
        for event in &whole {
            prop_assert!(event.span.start >= ms(0) && event.span.end <= ms(end) && event.span.start < event.span.end);
            prop_assert!(event.confidence > 0.0 && event.confidence <= 1.0);
            prop_assert_ne!(event.label.as_deref(), Some("Speech"));
        }
        for (i, a) in whole.iter().enumerate() {
            let twice = |b: &&AudioEvent| a.label == b.label && a.span.intersect(b.span).is_some();
            prop_assert!(whole[i + 1..].iter().find(twice).is_none());
        }
    }
}
