use proptest::prelude::*;

use super::*;

/// Scores of `n` frames at `fps` where every measurement is calm.
fn calm(n: usize, fps: i32) -> Scores {
    Scores {
        frames: (0..n as u64).collect(),
        times: (0..n as i64).map(|i| MediaTime::from_ticks(i, 1, fps)).collect(),
        hue: vec![0.5; n],
        saturation: vec![0.5; n],
        value: vec![0.5; n],
        edges: vec![0.0; n],
        brightness: vec![100.0; n],
        histogram: vec![1.0; n],
        hash: vec![0.0; n],
    }
}

fn jump(scores: &mut Scores, i: usize) {
    for column in [&mut scores.hue, &mut scores.saturation, &mut scores.value] {
        column[i] = 60.0;
    }
    (scores.histogram[i], scores.hash[i]) = (0.1, 0.6);
}

fn frames(detector: &Detector, scores: &Scores) -> Vec<u64> {
    detector.cuts(scores, 0.0).expect("every column is there").iter().map(|c| c.frame).collect()
}

#[test]
fn one_jump_is_one_cut_for_all_but_fades() {
    let mut scores = calm(100, 25);
    jump(&mut scores, 40);
    for detector in Detector::all() {
        let want: &[u64] = if detector.name() == "threshold" { &[] } else { &[40] };
        assert_eq!(frames(&detector, &scores), want, "{}", detector.name());
    }
}

#[test]
fn a_burst_merges_to_its_last_jump() {
    let mut scores = calm(200, 25);
    for i in [50, 57, 64, 71, 78] {
        jump(&mut scores, i);
    }
    let merge = Detector::default();
    let suppress = Detector::Content(Content { filter_mode: FilterMode::Suppress, ..Content::default() });
    assert_eq!(frames(&merge, &scores), [50, 78]);
    assert_eq!(frames(&suppress, &scores), [50, 71]);
}

#[test]
fn a_fade_is_cut_in_its_middle() {
    let mut scores = calm(120, 25);
    scores.brightness[50..61].fill(3.0);
    let at = |fade_bias| Detector::Threshold(Threshold { fade_bias, ..Threshold::default() });
    assert_eq!(frames(&at(-1.0), &scores), [50]);
    assert_eq!(frames(&at(0.0), &scores), [56], "5.5 rounds to even");
    assert_eq!(frames(&at(1.0), &scores), [61]);
}

#[test]
fn fading_out_at_the_end_is_a_cut_on_request() {
    let mut scores = calm(120, 25);
    scores.brightness[100..].fill(3.0);
    let with = |add_final_scene, min_out| {
        let min_out_length = Length::Frames(min_out);
        Detector::Threshold(Threshold { add_final_scene, min_out_length, ..Threshold::default() })
    };
    assert_eq!(frames(&with(false, 0), &scores), [] as [u64; 0]);
    assert_eq!(frames(&with(true, 20), &scores), [100]);
    assert_eq!(frames(&with(true, 21), &scores), [] as [u64; 0]);
}

#[test]
fn fades_through_white_need_the_ceiling() {
    let mut scores = calm(120, 25);
    scores.brightness[50..60].fill(250.0);
    let white = Threshold { method: FadeMethod::Ceiling, threshold: 240.0, ..Threshold::default() };
    assert_eq!(frames(&Detector::Threshold(white), &scores), [55]);
}

#[test]
fn the_adaptive_detector_ignores_steady_motion() {
    let mut scores = calm(100, 25);
    for i in 20..80 {
        jump(&mut scores, i);
    }
    let adaptive = Detector::Adaptive(Adaptive::default());
    assert_eq!(frames(&adaptive, &scores), [] as [u64; 0]);
    assert!(!frames(&Detector::default(), &scores).is_empty());
}

#[test]
fn a_missing_column_is_an_error() {
    let scores = Scores { hash: Vec::new(), ..calm(10, 25) };
    let err = Detector::named("detect-hash").expect("a name").cuts(&scores, 25.0).expect_err("no hash");
    assert!(err.to_string().contains("`hash`"));
    assert!(Detector::named("detect-nothing").is_err());
}

#[test]
fn parameters_out_of_range_are_refused() {
    for json in [
        r#"{"content": {"threshold": -1}}"#,
        r#"{"content": {"weights": {"delta_hue": 0, "delta_sat": 0, "delta_lum": 0}}}"#,
        r#"{"content": {"min_scene_len": -0.5}}"#,
        r#"{"adaptive": {"window_width": 0}}"#,
        r#"{"threshold": {"fade_bias": 1.5}}"#,
        r#"{"hist": {"bins": 0}}"#,
        r#"{"hash": {"size": 16, "lowpass": 17}}"#,
    ] {
        let detector: Detector = serde_json::from_str(json).expect(json);
        assert_eq!(detector.check().expect_err(json).kind(), ErrorKind::Config);
    }
    for detector in Detector::all() {
        detector.check().expect("defaults are in range");
        let json = serde_json::to_string(&detector).expect("plain data");
        assert_eq!(serde_json::from_str::<Detector>(&json).expect("the same"), detector);
    }
}

fn any_scores() -> impl Strategy<Value = Scores> {
    let frame = (1i64..400, 0.0f64..80.0, 0.0f64..30.0, -1.0f64..1.0, 0.0f64..1.0);
    prop::collection::vec(frame, 0..150).prop_map(|rows| {
        let mut scores = Scores::default();
        let mut time = 0;
        for (i, (step, delta, brightness, histogram, hash)) in rows.into_iter().enumerate() {
            scores.frames.push(i as u64);
            scores.times.push(MediaTime::from_millis(time));
            time += step;
            for column in [&mut scores.hue, &mut scores.saturation, &mut scores.value] {
                column.push(delta);
            }
            scores.edges.push(0.0);
            scores.brightness.push(brightness);
            scores.histogram.push(histogram);
            scores.hash.push(hash);
        }
        scores
    })
}

proptest! {
    #[test]
    fn cuts_are_frames_in_order_and_the_same_every_time(scores in any_scores(), fps in 0.0f64..60.0) {
        for detector in Detector::all() {
            let cuts = detector.cuts(&scores, fps).expect("every column is there");
            prop_assert_eq!(&cuts, &detector.cuts(&scores, fps).expect("every column is there"));
            prop_assert!(cuts.windows(2).all(|w| w[0].time < w[1].time));
            prop_assert!(cuts.iter().all(|c| scores.times[c.frame as usize] == c.time));
        }
    }

    #[test]
    fn scenes_keep_the_minimum_length(scores in any_scores(), min in 0.1f64..5.0) {
        let min_scene_len = Length::Secs(min);
        // Fades keep their distance between fade ins; at bias 1 the cuts lie there, up to a frame
        // of the mean rate away on either side.
        for detector in [
            Detector::Content(Content { min_scene_len, ..Content::default() }),
            Detector::Content(Content { min_scene_len, filter_mode: FilterMode::Suppress, ..Content::default() }),
            Detector::Adaptive(Adaptive { min_scene_len, ..Adaptive::default() }),
            Detector::Hist(Hist { min_scene_len, ..Hist::default() }),
            Detector::Hash(Hash { min_scene_len, ..Hash::default() }),
            Detector::Threshold(Threshold { min_scene_len, fade_bias: 1.0, ..Threshold::default() }),
        ] {
            let cuts = detector.cuts(&scores, 25.0).expect("every column is there");
            let mut last = scores.times.first().copied().unwrap_or_default();
            for cut in cuts {
                let slack = if detector.name() == "threshold" { 0.081 } else { 1e-6 };
                prop_assert!((cut.time - last).as_secs_f64() >= min - slack, "{} {:?}", detector.name(), cut);
                last = cut.time;
            }
        }
    }

    #[test]
    fn a_higher_threshold_finds_no_more_raw_cuts(scores in any_scores(), low in 0.0f64..100.0, more in 0.0f64..100.0) {
        let raw = |threshold| {
            let min_scene_len = Length::Frames(0);
            Detector::Content(Content { threshold, min_scene_len, ..Content::default() })
                .cuts(&scores, 25.0).expect("every column is there")
        };
        let few = raw(low + more);
        let many = raw(low);
        prop_assert!(few.iter().all(|c| many.contains(c)));
    }
}
