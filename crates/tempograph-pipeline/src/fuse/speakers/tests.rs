//! Speakers decided from windows made by hand.

use proptest::prelude::*;
use tempograph_core::SpeakerWindow;

use super::*;

const STEP: usize = 118;

/// When somebody speaks, in frames from the start, and who.
type Script<'a> = &'a [(usize, usize, usize)];

/// A vector of person `who`, a little different each time.
fn vector(who: usize, shake: usize) -> Vec<f32> {
    let mut v: Vec<f32> = (0..16).map(|i| if i == who % 16 { 1.0 } else { 0.0 }).collect();
    v[(who + 1 + shake % 5) % 16] += 0.5;
    let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt();
    v.iter().map(|x| x / norm).collect()
}

fn time(frame: usize) -> MediaTime {
    MediaTime::from_ticks((frame * HOP + FIRST_CENTRE) as i64, 1, 16_000)
}

/// The windows a perfect segmentation gives: voices are numbered by first speech within each window.
fn windows(script: Script<'_>, frames: usize) -> Vec<Observation> {
    let count = frames.saturating_sub(FRAMES).div_ceil(STEP) + 1;
    (0..count)
        .map(|k| {
            let first = k * STEP;
            let speaks = |who, frame| script.iter().any(|&(a, b, w)| w == who && (a..b).contains(&(first + frame)));
            let mut present: Vec<usize> = Vec::new();
            for frame in 0..FRAMES {
                let new: Vec<usize> =
                    script.iter().map(|s| s.2).filter(|w| speaks(*w, frame) && !present.contains(w)).collect();
                present.extend(new);
                present.dedup();
            }
            present.truncate(LOCAL_SPEAKERS);
            let level = |who: &usize| (0..FRAMES).map(|f| if speaks(*who, f) { 'f' } else { '0' }).collect();
            let side = (FRAMES - STEP) / 2;
            let from = if k == 0 { 0 } else { side };
            let until = if k + 1 == count { FRAMES } else { side + STEP };
            let mut prints = Vec::new();
            for (voice, &who) in present.iter().enumerate() {
                let alone: Vec<usize> = (from..until)
                    .filter(|&f| speaks(who, f) && present.iter().all(|o| *o == who || !speaks(*o, f)))
                    .collect();
                for part in alone.chunks(STEP).filter(|p| p.len() >= 30 && p[p.len() - 1] - p[0] < 2 * STEP) {
                    let span = Span::new(time(first + part[0]), time(first + part[part.len() - 1] + 1));
                    prints.push(VoicePrint { span, voice: voice as u8, vector: vector(who, k) });
                }
            }
            let claim = SpeakerWindow { levels: present.iter().map(level).collect(), prints };
            let at = |sample: usize| MediaTime::from_ticks(sample as i64, 1, 16_000);
            let span = Span::new(at(first * HOP), at(first * HOP + 160_000));
            Observation { span, claim: Claim::Speakers(claim) }
        })
        .collect()
}

/// Turns as speaker, start and end in frames.
fn decided(observations: &[Observation]) -> Vec<(String, i64, i64)> {
    let frame = |t: MediaTime| ((t.as_secs_f64() * 16_000.0 - 360.0) / HOP as f64).round().max(0.0) as i64;
    turns(observations, false, &SpeakerOptions::default())
        .into_iter()
        .map(|t| (t.speaker, frame(t.span.start), frame(t.span.end)))
        .collect()
}

#[test]
fn the_same_voice_is_the_same_speaker_after_a_long_time() {
    let script = [(50, 400, 4), (450, 900, 7), (4000, 4500, 4), (4600, 5000, 9)];
    let found = decided(&windows(&script, 5500));
    let want = [("Speaker 1", 50, 400), ("Speaker 2", 450, 900), ("Speaker 1", 4000, 4500), ("Speaker 3", 4600, 5000)];
    assert_eq!(found, want.map(|(n, a, b)| (n.to_owned(), a, b)));
}

#[test]
fn two_may_speak_at_once() {
    let found = decided(&windows(&[(0, 500, 1), (400, 900, 2)], 1000));
    assert_eq!(found, [("Speaker 1".to_owned(), 0, 500), ("Speaker 2".to_owned(), 400, 900)]);
}

#[test]
fn a_short_pause_is_part_of_the_turn_unless_somebody_else_begins_in_it() {
    let paused = decided(&windows(&[(50, 300, 1), (330, 600, 1)], 700));
    assert_eq!(paused, [("Speaker 1".to_owned(), 50, 600)]);
    let answered = decided(&windows(&[(50, 300, 1), (302, 335, 2), (337, 600, 1), (700, 900, 2)], 1000));
    assert_eq!(answered.iter().filter(|t| t.0 == "Speaker 1").count(), 2, "{answered:?}");
}

#[test]
fn speech_too_short_for_a_print_still_has_a_speaker() {
    assert_eq!(decided(&windows(&[(100, 120, 3)], 600)), [("Speaker 1".to_owned(), 100, 120)]);
    assert!(decided(&windows(&[], 600)).is_empty());
}

#[test]
fn a_gap_in_the_audio_is_nobodys_turn() {
    let mut all = windows(&[(50, 300, 1)], 600);
    let later = MediaTime::from_millis(60_000);
    for mut window in windows(&[(50, 300, 1)], 600) {
        window.span = Span::new(window.span.start + later, window.span.end + later);
        if let Claim::Speakers(claim) = &mut window.claim {
            for print in &mut claim.prints {
                print.span = Span::new(print.span.start + later, print.span.end + later);
            }
        }
        all.push(window);
    }
    let found = turns(&all, false, &SpeakerOptions::default());
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|t| t.speaker == "Speaker 1" && t.span.duration() < MediaTime::from_millis(5000)));
}

#[test]
fn the_order_of_claims_does_not_matter() {
    let mut all = windows(&[(50, 400, 4), (420, 900, 7), (1000, 1500, 4)], 1700);
    let want = turns(&all, false, &SpeakerOptions::default());
    all.reverse();
    assert_eq!(turns(&all, false, &SpeakerOptions::default()), want);
}

/// More prints than are clustered at once, as after two hours of talk.
#[test]
fn hours_of_speech_have_no_more_speakers_than_minutes() {
    let item = |i: usize| Item::new(i, &vector([2, 5, 11][i / 7 % 3], i), 2.0);
    let items = cluster::cluster((0..4000).map(item).collect(), &Relations::new(), 0.51);
    assert_eq!(items.len(), 3);
    assert!(
        items
            .iter()
            .flat_map(|i| &i.members)
            .all(|m| m / 7 % 3 == items.iter().position(|i| i.members.contains(m)).unwrap())
    );
}

#[test]
fn odd_sounds_do_not_grow_without_bound() {
    // Vectors that nothing joins: each of its own direction.
    let odd = |i: usize| (0..64).map(|d| ((i * 131 + d * 977) % 251) as f32 / 125.0 - 1.0).collect::<Vec<f32>>();
    let unit = |v: Vec<f32>| {
        let norm = cluster::dot(&v, &v).sqrt();
        v.into_iter().map(|x| x / norm).collect::<Vec<f32>>()
    };
    let items = (0..1500).map(|i| Item::new(i, &unit(odd(i)), 1.0)).collect();
    assert!(cluster::cluster(items, &Relations::new(), 0.99).len() <= 512);
}

proptest! {
    #[test]
    fn clusters_part_the_prints_and_lie_apart(
        whos in prop::collection::vec((0usize..5, 0usize..9, 0.5f32..2.0), 1..40),
        threshold in 0.3f32..0.9,
    ) {
        let items: Vec<Item> =
            whos.iter().enumerate().map(|(i, &(who, shake, weight))| Item::new(i, &vector(who, shake), weight)).collect();
        let found = cluster::cluster(items, &Relations::new(), threshold);
        let mut members: Vec<usize> = found.iter().flat_map(|i| i.members.clone()).collect();
        members.sort_unstable();
        prop_assert_eq!(members, (0..whos.len()).collect::<Vec<_>>());
        for (i, a) in found.iter().enumerate() {
            for b in &found[i + 1..] {
                let pairs = a.members.iter().flat_map(|x| b.members.iter().map(move |y| (*x, *y)));
                let (mut sum, mut weight) = (0f32, 0f32);
                for (x, y) in pairs {
                    let w = whos[x].2 * whos[y].2;
                    sum += w * cluster::dot(&vector(whos[x].0, whos[x].1), &vector(whos[y].0, whos[y].1));
                    weight += w;
                }
                prop_assert!(sum / weight < threshold + 1e-4, "{} joined too late", sum / weight);
            }
        }
    }

    #[test]
    fn turns_are_in_order_named_by_first_speech_and_apart(
        script in prop::collection::vec((0usize..1500, 20usize..300, 0usize..4), 0..8),
    ) {
        let script: Vec<_> = script.into_iter().map(|(a, len, who)| (a, a + len, who * 3)).collect();
        let found = turns(&windows(&script, 1800), false, &SpeakerOptions::default());
        prop_assert!(found.windows(2).all(|p| p[0].span.start <= p[1].span.start));
        let mut known = 0;
        for turn in &found {
            let number: usize = turn.speaker.trim_start_matches("Speaker ").parse().expect("a number");
            prop_assert!(number <= known + 1);
            known = known.max(number);
        }
        for speaker in 1..=known {
            let name = format!("Speaker {speaker}");
            let own: Vec<_> = found.iter().filter(|t| t.speaker == name).collect();
            prop_assert!(own.windows(2).all(|p| p[0].span.end < p[1].span.start));
        }
    }
}

#[test]
fn what_voice_activity_takes_for_music_is_nobody() {
    let all = windows(&[(50, 300, 1), (600, 900, 2)], 1000);
    let mut with_voice = all.clone();
    let at = |frame: usize| MediaTime::from_ticks((frame * HOP) as i64, 1, 16_000);
    let voice = Observation { span: Span::new(at(100), at(280)), claim: Claim::Voice { confidence: 0.9 } };
    with_voice.push(voice);
    let names = |found: Vec<SpeakerTurn>| found.into_iter().map(|t| t.speaker).collect::<Vec<_>>();
    assert_eq!(names(turns(&with_voice, true, &SpeakerOptions::default())), ["Speaker 1"]);
    assert_eq!(names(turns(&all, false, &SpeakerOptions::default())), ["Speaker 1", "Speaker 2"]);
    assert!(turns(&all, true, &SpeakerOptions::default()).is_empty());
}
