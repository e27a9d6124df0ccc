//! What every family of taggers has to keep: `check` runs it over a session that hears.

use tempograph_core::{ErrorKind, Session, Tensor};

use super::{FAMILIES, Windows, open};
use crate::testing::FakeSession;

/// A session whose first class is scored by what it is given; all others stay silent.
pub(super) fn heard(
    shape: &[Option<usize>],
    classes: usize,
    score: impl Fn(&[f32]) -> f32 + Send + 'static,
) -> FakeSession {
    FakeSession::answering(&[("x", shape)], move |inputs| {
        let input = inputs[0].as_f32()?;
        let n = inputs[0].shape()[0];
        let mut scores = Vec::new();
        for window in input.chunks_exact(input.len() / n) {
            scores.push(score(window));
            scores.extend(std::iter::repeat_n(0.0, classes - 1));
        }
        Ok(vec![Tensor::new([n, classes], scores)?])
    })
}

/// The signal of the golden scripts: a rising tone, noise that falls silent, digital silence, a loud low tone.
pub(super) fn signal() -> Vec<f32> {
    let mut state = 7u64;
    let mut noise = || {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        state as f64 / f64::from(1u32 << 31) * 2.0 - 1.0
    };
    let t = |i: usize| i as f64 / 16_000.0;
    let rise = (0..16_000).map(|i| 0.5 * (std::f64::consts::TAU * (200.0 * t(i) + 900.0 * t(i) * t(i))).sin());
    let fall: Vec<f64> = (0..16_000).map(|i| 0.3 * noise() * (1.0 - t(i))).collect();
    let low = (0..16_000).map(|i| 0.9 * (std::f64::consts::TAU * 90.0 * t(i)).sin());
    rise.chain(fall).chain(std::iter::repeat_n(0.0, 16_000)).chain(low).map(|v| v as f32).collect()
}

/// A session of each family's form: input shape and classes, so that no family is left out.
fn session(family: &str) -> Box<dyn Session> {
    let mean = |x: &[f32]| x.iter().sum::<f32>() / x.len() as f32;
    match family {
        "yamnet" => Box::new(heard(&[None, Some(1), Some(96), Some(64)], 521, mean)),
        "ced" => Box::new(heard(&[None, Some(64), None], 527, move |x| mean(x) / 200.0 + 0.5)),
        other => panic!("a session of the family {other} for the suite"),
    }
}

#[test]
fn every_family_keeps_the_suite() {
    for family in FAMILIES {
        check(family.name);
    }
}

fn check(family: &str) {
    let mut tagger = open(family, session(family)).expect("it opens");
    let windows = tagger.windows();
    let Windows { context, answer, hop } = windows;
    assert!(0 < hop && hop <= answer && answer <= context, "{family}: every moment has an answer: {windows:?}");
    assert_eq!(windows.margin() * 2 + answer, context, "{family}: the answer is about the middle");
    assert_eq!(windows.margin() % 160, 0, "{family}: margins are whole frames, so that times are exact");

    let signal = signal();
    let count = (signal.len() - context) / hop + 1;
    let all = tagger.score(&signal, count, 0.0).expect("scores");
    assert_eq!(all.len(), count);
    assert!(all.iter().any(|w| w[0] != all[0][0]), "{family}: windows sound different");
    for (i, window) in all.iter().enumerate() {
        assert!(window.iter().all(|&(_, s)| (0.0..=1.0).contains(&s)), "{family}: scores are shares");
        assert!(window.windows(2).all(|w| w[0].1 >= w[1].1), "{family}: the best first");
        // What a window scores depends on its own samples alone, so a run may stop and go on anywhere.
        let alone = tagger.score(&signal[i * hop..i * hop + context], 1, 0.0).expect("scores");
        assert_eq!(&alone[0], window, "{family}, window {i}");
        let few = tagger.score(&signal[i * hop..], 1, 0.3).expect("scores");
        let wanted: Vec<_> = window.iter().filter(|s| s.1 >= 0.3).copied().collect();
        assert_eq!(few[0], wanted, "{family}: what does not reach the least is left out");
    }
    assert_eq!(windows.span(count), hop * (count - 1) + context);
    assert_eq!(tagger.score(&[], 0, 0.0).expect("nothing to score"), Vec::<Vec<_>>::new());
    let short = tagger.score(&signal[..context - 1], 1, 0.0).expect_err("too little");
    assert_eq!(short.kind(), ErrorKind::Usage, "{family}");
    for shape in [&[None, Some(3), Some(224), Some(224)][..], &[], &[None, Some(2), None, None, None]] {
        let err = open(family, Box::new(heard(shape, 527, |_| 0.5))).err().expect("not of its form");
        assert_eq!(err.kind(), ErrorKind::ModelInvalid, "{family}: {shape:?}");
    }
}
