//! Which moments win, where their edges lie, and why.

use proptest::prelude::*;
use serde_json::{Value, json};
use tempograph_core::{BoxXyxy, Claim, Detections};

use super::*;

fn ms(v: i64) -> MediaTime {
    MediaTime::from_millis(v)
}

fn span(from: i64, to: i64) -> Span {
    Span::new(ms(from), ms(to))
}

/// A minute from second 10 on with what `fill` puts in; written as JSON so that a new field of the
/// result changes nothing here.
fn timeline(fill: impl FnOnce(&mut Value)) -> Timeline {
    let video = tempograph_core::timeline::Video {
        width: 640,
        height: 360,
        start_s: ms(10_000),
        duration_s: ms(60_000),
        ..Default::default()
    };
    let mut value = serde_json::to_value(Timeline::empty(video)).expect("a value");
    fill(&mut value);
    serde_json::from_value(value).expect("a timeline")
}

fn scene(id: usize, from: f64, to: f64) -> Value {
    json!({"id": format!("S{id}"), "start_s": from, "end_s": to, "start_frame": 0, "thumbnail": null, "summary": null})
}

/// Scenes of the minute between the seconds of `cuts`.
fn scenes(cuts: &[f64]) -> Value {
    let starts: Vec<f64> = std::iter::once(10.0).chain(cuts.iter().copied()).collect();
    let ends = cuts.iter().copied().chain([70.0]);
    starts.iter().zip(ends).enumerate().map(|(i, (a, b))| scene(i + 1, *a, b)).collect()
}

/// Speech whose words last 0.4 s each with pauses of 0.1 s between them.
fn speech(id: usize, from: f64, text: &str, dbfs: f64) -> Value {
    let words: Vec<Value> = text
        .split(' ')
        .enumerate()
        .map(|(i, w)| {
            let start = from + i as f64 * 0.5;
            json!({"text": w, "start_s": start, "end_s": start + 0.4, "confidence": 1.0})
        })
        .collect();
    let to = from + words.len() as f64 * 0.5 - 0.1;
    json!({
        "id": format!("A{id}"), "type": "speech", "start_s": from, "end_s": to, "text": text, "words": words,
        "speaker": "Speaker 1", "confidence": 1.0,
        "prosody": {"f0_mean_hz": null, "f0_range_hz": null, "energy_dbfs": dbfs, "zero_crossing_rate": 0.1, "rate_wps": 2.0},
    })
}

fn sound(id: usize, from: f64, to: f64, label: &str) -> Value {
    json!({"id": format!("A{id}"), "type": "sound", "start_s": from, "end_s": to, "label": label, "confidence": 0.9})
}

fn options() -> HighlightOptions {
    HighlightOptions { count: 3, ..HighlightOptions::default() }
}

#[test]
fn nothing_measured_gives_no_highlight() {
    assert!(find(&timeline(|_| ()), &[], &options()).is_empty());
    let still = timeline(|t| t["scenes"] = scenes(&[30.0]));
    assert!(find(&still, &[], &options()).is_empty());
    let empty = Timeline::empty(Default::default());
    assert!(find(&empty, &[], &options()).is_empty(), "a video of no length");
}

#[test]
fn laughter_beats_plain_words_and_says_so() {
    let timeline = timeline(|t| {
        t["scenes"] = scenes(&[]);
        t["audio_events"] = json!([
            speech(1, 12.0, "so this is what we did.", -30.0),
            speech(2, 40.0, "and then he fell.", -30.0),
            sound(3, 42.2, 44.0, "Laughter"),
            speech(4, 60.0, "that was all.", -30.0),
        ]);
    });
    let found = find(&timeline, &[], &options());
    let best = &found[0];
    assert_eq!(best.rank, 1);
    assert_eq!(best.reasons[0], "laughter");
    assert!(best.span.contains(ms(42_500)), "{best:?}");
    assert!(found.windows(2).all(|w| w[0].clip_worthy_score >= w[1].clip_worthy_score));
    assert!(in_words(&Timeline { highlights: found, ..timeline }).contains("(laughter"));
}

#[test]
fn loud_speech_is_measured_against_the_speakers_usual() {
    let timeline = timeline(|t| {
        t["audio_events"] = json!([
            speech(1, 12.0, "one two three four.", -30.0),
            speech(2, 25.0, "one two three four.", -31.0),
            speech(3, 45.0, "one two three four.", -24.0),
            speech(4, 60.0, "one two three four.", -29.0),
        ]);
    });
    let found = find(&timeline, &[], &options());
    assert!(found[0].span.contains(ms(45_500)), "{found:?}");
    assert!(found[0].reasons.contains(&"speech 5 dB above the speaker's usual".to_owned()), "{:?}", found[0].reasons);
}

#[test]
fn a_signal_that_was_not_measured_does_not_count() {
    let faces = |t: &mut Value| {
        t["emotions"] = json!([{"entity": null, "track": 1, "start_s": 30.0, "end_s": 36.0, "label": "surprise", "confidence": 1.0}]);
    };
    let alone = find(&timeline(faces), &[], &options());
    assert!(alone[0].clip_worthy_score > 0.95, "all that there is, throughout: {alone:?}");
    assert_eq!(alone[0].reasons, ["a surprised face"]);
    let with_words = find(
        &timeline(|t| {
            faces(t);
            t["audio_events"] = json!([speech(1, 12.0, "one two three four.", -30.0)]);
        }),
        &[],
        &options(),
    );
    assert!(with_words[0].clip_worthy_score < alone[0].clip_worthy_score);
    let weights = Weights { emotion: 0.0, ..options().weights };
    assert!(find(&timeline(faces), &[], &HighlightOptions { weights, ..options() }).is_empty());
}

#[test]
fn what_moves_fast_is_named() {
    let timeline = timeline(|t| {
        t["scenes"] = scenes(&[]);
        t["tracks"] = json!([{"id": 1, "label": "dog", "score": 0.9, "start_s": 10.0, "end_s": 70.0, "frames": 300, "entity": "E1"}]);
    });
    // A dog of 50 pixels stands, and runs from second 40 to 46 at 200 pixels a second.
    let claims: Vec<Observation> = (0..300)
        .map(|i| {
            let t = f64::from(i) * 0.2;
            let x = ((t - 30.0).clamp(0.0, 6.0) * 200.0) as f32;
            let mut d = Detections::default();
            d.push(BoxXyxy::new(x, 0.0, x + 30.0, 40.0), 0.9, "dog");
            let d = d.with_tracks(vec![Some(1)]).expect("an id a row");
            let time = ms(10_000) + MediaTime::from_secs_f64(t);
            Observation { span: Span::new(time, time), claim: Claim::Detections { frame: i as u64, detections: d } }
        })
        .collect();
    let found = find(&timeline, &claims, &HighlightOptions { count: 1, ..options() });
    assert!(span(38_000, 48_000).intersect(found[0].span).is_some_and(|s| s.duration() >= ms(4_500)), "{found:?}");
    assert_eq!(found[0].reasons[0], "fast movement of dog E1");
}

#[test]
fn a_clip_ends_with_the_sentence_and_stays_in_its_scene() {
    let words = "one two three four five six seven eight nine ten. eleven twelve thirteen fourteen.";
    let timeline = timeline(|t| {
        t["scenes"] = scenes(&[29.0, 45.0]);
        t["audio_events"] = json!([speech(1, 30.0, words, -30.0), sound(2, 33.0, 34.0, "Applause")]);
    });
    let found = find(&timeline, &[], &HighlightOptions { count: 1, ..options() });
    let got = found[0].span;
    assert!(got.start >= ms(29_000) && got.end <= ms(45_000), "{got:?}");
    let ends = [ms(34_900), ms(36_900), ms(45_000)];
    assert!(ends.contains(&got.end), "a sentence or a cut: {got:?}");
    assert!([ms(29_000), ms(30_000)].contains(&got.start), "{got:?}");
}

#[test]
fn a_scene_that_is_too_short_takes_its_neighbours_whole() {
    let timeline = timeline(|t| {
        t["scenes"] = scenes(&[30.0, 32.0, 36.0, 38.0]);
        t["audio_events"] = json!([sound(1, 30.5, 31.5, "Cheering")]);
    });
    let found = find(&timeline, &[], &HighlightOptions { count: 1, ..options() });
    assert_eq!(found[0].span, span(30_000, 36_000));
}

/// Any lively timeline: cuts, speech, sounds.
fn lively() -> impl Strategy<Value = (Vec<f64>, Vec<(f64, usize)>, Vec<f64>)> {
    (
        prop::collection::vec(11.0f64..69.0, 0..12),
        prop::collection::vec((10.0f64..66.0, 1usize..20), 0..6),
        prop::collection::vec(10.0f64..68.0, 1..6),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn edges_keep_their_rules((mut cuts, said, sounds) in lively(), count in 1usize..6) {
        cuts.sort_by(f64::total_cmp);
        cuts.dedup_by(|a, b| *a - *b < 0.2);
        let timeline = timeline(|t| {
            t["scenes"] = scenes(&cuts);
            let spoken = said.iter().enumerate().map(|(i, (from, n))| speech(i + 1, *from, &vec!["word"; *n].join(" "), -30.0));
            let heard = sounds.iter().enumerate().map(|(i, from)| sound(100 + i, *from, from + 1.0, "Applause"));
            t["audio_events"] = spoken.chain(heard).collect();
        });
        let options = HighlightOptions { count, ..HighlightOptions::default() };
        let found = find(&timeline, &[], &options);
        prop_assert!(found.len() <= count);
        prop_assert_eq!(&find(&timeline, &[], &options), &found, "deterministic");
        for (i, h) in found.iter().enumerate() {
            prop_assert!(h.span.start >= ms(10_000) && h.span.end <= ms(70_000) && h.span.start < h.span.end);
            prop_assert!(h.span.duration() <= options.max, "{:?}", h.span);
            prop_assert!((0.0..=1.0).contains(&h.clip_worthy_score));
            prop_assert!(!h.reasons.is_empty());
            prop_assert!(found[..i].iter().all(|o| o.span.intersect(h.span).is_none()), "no overlap");
            for word in timeline.audio_events.iter().flat_map(|e| e.words.iter().flatten()) {
                let inside = |t: MediaTime| word.start < t && t < word.end;
                prop_assert!(!inside(h.span.start) && !inside(h.span.end), "never mid-word: {:?} {:?}", h.span, word);
            }
            let crossed: Vec<_> = timeline.scenes.iter().filter(|s| s.span.intersect(h.span).is_some()).collect();
            prop_assert!(
                crossed.len() == 1 || crossed.iter().any(|s| s.span.duration() < options.min),
                "a cut inside only where a scene is shorter than a highlight"
            );
        }
    }
}
