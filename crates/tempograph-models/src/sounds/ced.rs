//! CED: 527 classes of AudioSet from 2.88 s of sound, for the 0.96 s in its middle (Dinkel et al., "CED: Consistent
//! ensemble distillation for audio tagging", 2023).
//!
//! Its graphs come in three forms, told apart by their input: the samples themselves (`mispeech/ced-*` on the hub), mel
//! bands by frames (the authors' export), and frames by bands (sherpa-onnx). All give probabilities.

use tempograph_core::{Result, Session, Tensor};

use super::{
    STEPS, Scale, Tagger, Windows,
    audioset::Class,
    kept,
    spectrum::{BINS, Filter, POINTS, Spectrum, hz, mel, mel_inverse, triangles},
    wrong_form,
};

/// Samples between two frames (10 ms).
const STEP: usize = 160;
/// Mel bands.
const BANDS: usize = 64;
/// Frames of one of its patches.
const PATCH: usize = 16;
/// Samples of what one answer is about (0.96 s): as YAMNet's, so that what is made of answers need not know the family.
const ANSWER: usize = 6 * PATCH * STEP;
/// Samples between two answers (0.48 s).
const HOP: usize = ANSWER / 2;
/// Samples one answer rests on (2.88 s), whole patches. It was trained on 10 s, and longer stretches serve it better, but
/// what they name has no time. Of 53 recordings that are not among the test media the right class scored best in 28 with
/// 1.92 s, in 31 with 2.88 s, in 32 with 3.84 s.
const CONTEXT: usize = 3 * ANSWER;
/// Frames of that: one at each step, both ends included, for frames are centred.
const FRAMES: usize = CONTEXT / STEP + 1;
/// Upper end of the highest band, Hz; the lowest begins at 0.
const TOP_HZ: f64 = 8_000.0;
/// Least power before the logarithm (`amin` of torchaudio's `AmplitudeToDB`).
const LEAST_POWER: f32 = 1e-10;
/// Nothing lies further below the loudest band of the window, dB (`top_db`).
const RANGE_DB: f32 = 120.0;
/// How far a probability may lie outside of 0 to 1, for rounding.
const SLACK: f32 = 1e-3;
/// Root mean square of the noise that is added (−60 dBFS). No recording it learned from was digitally silent, and beside
/// such silence it takes a bark for a hoot: with the noise the right class scored best in 33 of those 53 instead of 31,
/// and also where they were ten times as quiet. YAMNet's front end has such a floor of its own.
const NOISE: f32 = 1e-3;
/// It shares its belief among more classes than YAMNet does. In those 53 recordings the right class reaches `on` in 29 and
/// a wrong one in 15 (YAMNet at its own half: 27 and 24), in 30 and 13 where they are ten times as quiet; 20 spoken words
/// never came above 0.16 of any sound, which is why `off` is not lower.
pub(super) const SCALE: Scale = Scale { on: 0.35, off: 0.15, on_over_voice: 0.7 };

/// What a graph takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// `[n, samples]`.
    Samples,
    /// `[n, 64, frames]`.
    BandsByFrames,
    /// `[n, frames, 64]`.
    FramesByBands,
}

/// CED in a session.
pub(super) struct Ced {
    session: Box<dyn Session>,
    takes: Takes,
    decibels: Decibels,
    noise: Vec<f32>,
    heard: Vec<f32>,
    input: Vec<f32>,
}

impl Ced {
    /// The network in `session`: a window → probabilities `[1, 527]`.
    ///
    /// # Errors
    /// [`tempograph_core::ErrorKind::ModelInvalid`] when it takes anything else.
    pub(super) fn new(session: Box<dyn Session>) -> Result<Self> {
        let [input] = session.inputs() else {
            return Err(wrong_form(format!("its inputs are: {:?}", session.inputs())));
        };
        let any = |dim: Option<usize>, wanted: usize| dim.is_none_or(|d| d == wanted);
        let takes = match input.shape[..] {
            [n, samples] if any(n, 1) && any(samples, CONTEXT) => Takes::Samples,
            [n, Some(BANDS), frames] if any(n, 1) && any(frames, FRAMES) => Takes::BandsByFrames,
            [n, frames, Some(BANDS)] if any(n, 1) && any(frames, FRAMES) => Takes::FramesByBands,
            _ => return Err(wrong_form(format!("its input is: {input:?}"))),
        };
        Ok(Self { session, takes, decibels: Decibels::new(), noise: noise(), heard: Vec::new(), input: Vec::new() })
    }

    /// The probabilities of one window.
    fn call(&mut self, samples: &[f32]) -> Result<Vec<f32>> {
        self.heard.clear();
        self.heard.extend(samples.iter().zip(&self.noise).map(|(s, n)| s + n));
        let mut input = std::mem::take(&mut self.input);
        input.clear();
        let input = match self.takes {
            Takes::Samples => {
                input.extend_from_slice(&self.heard);
                Tensor::new([1, CONTEXT], input)?
            }
            Takes::FramesByBands => {
                self.decibels.frames(&self.heard, &mut input);
                Tensor::new([1, FRAMES, BANDS], input)?
            }
            Takes::BandsByFrames => {
                self.decibels.frames(&self.heard, &mut input);
                let across: Vec<f32> = (0..BANDS).flat_map(|b| input.iter().skip(b).step_by(BANDS).copied()).collect();
                Tensor::new([1, BANDS, FRAMES], across)?
            }
        };
        let outputs = self.session.run(&[&input])?;
        self.input = input.into_f32()?;
        let classes = Class::all().len();
        let scores = match outputs.into_iter().next() {
            Some(scores) if scores.shape() == [1, classes] => scores.into_f32()?,
            other => {
                return Err(wrong_form(format!("its output has the shape {:?}", other.map(|o| o.shape().to_vec()))));
            }
        };
        match scores.iter().find(|s| !(-SLACK..=1.0 + SLACK).contains(*s)) {
            Some(score) => Err(wrong_form(format!("it gives what is no probability: {score}"))),
            None => Ok(scores),
        }
    }
}

impl Tagger for Ced {
    fn windows(&self) -> Windows {
        Windows { context: CONTEXT, answer: ANSWER, hop: HOP }
    }

    /// One window a call: graphs whose activations are in 8 bits scale them by all that a call holds, and a window's
    /// scores must not depend on its neighbours.
    fn score(&mut self, samples: &[f32], count: usize, least: f32) -> Result<Vec<Vec<(Class, f32)>>> {
        self.windows().check(samples, count)?;
        let scores = |at: usize| {
            let scores = self.call(&samples[at * HOP..at * HOP + CONTEXT])?;
            Ok(kept(Class::all().zip(scores.into_iter().map(|s| STEPS * s.clamp(0.0, 1.0))), least))
        };
        (0..count).map(scores).collect()
    }
}

/// White noise of the level [`NOISE`], the same for every window so that its scores are its own.
fn noise() -> Vec<f32> {
    let mut state = 11u64;
    let mut next = || {
        // The generator of ANSI C's example `rand`: any would do, this one is easily had in Python too.
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        state as f64 / f64::from(1u32 << 31) * 2.0 - 1.0
    };
    // Uniform values from −1 to 1 have the root mean square 1/√3.
    (0..CONTEXT).map(|_| (next() * 3f64.sqrt()) as f32 * NOISE).collect()
}

/// The picture the network sees: power in mel bands, in decibels.
///
/// As the published feature extractor has it through torchaudio: `MelSpectrogram` with centred frames of 512 samples
/// (what lies beyond an end is mirrored), HTK's mel scale, triangles that are linear in Hz and not normalised, then
/// `AmplitudeToDB`.
struct Decibels {
    spectrum: Spectrum,
    filters: Vec<Filter>,
    power: Vec<f32>,
    mirrored: Vec<f32>,
}

impl Decibels {
    fn new() -> Self {
        let edge = |i: usize| mel_inverse(mel(TOP_HZ) * i as f64 / (BANDS + 1) as f64);
        let filters = triangles(BANDS, 0..BINS, hz, edge);
        Self { spectrum: Spectrum::new(POINTS), filters, power: vec![0.0; BINS], mirrored: Vec::new() }
    }

    /// Appends the frames of `samples`, one every [`STEP`] from the first sample on, [`BANDS`] values each.
    fn frames(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let half = POINTS / 2;
        self.mirrored.clear();
        self.mirrored.extend(samples.iter().skip(1).take(half).rev());
        self.mirrored.extend_from_slice(samples);
        self.mirrored.extend(samples.iter().rev().skip(1).take(half));
        let first = out.len();
        for heard in self.mirrored.windows(POINTS).step_by(STEP) {
            for (p, c) in self.power.iter_mut().zip(self.spectrum.of(heard)) {
                *p = c.norm_sqr();
            }
            out.extend(self.filters.iter().map(|(first, weights)| {
                let band: f32 = weights.iter().zip(&self.power[*first..]).map(|(w, p)| w * p).sum();
                10.0 * band.max(LEAST_POWER).log10()
            }));
        }
        let floor = out[first..].iter().copied().fold(f32::NEG_INFINITY, f32::max) - RANGE_DB;
        out[first..].iter_mut().for_each(|v| *v = v.max(floor));
    }
}

#[cfg(test)]
mod tests {
    use tempograph_core::ErrorKind;

    use super::{super::suite::heard, *};
    use crate::testing;

    #[test]
    fn decibels_are_those_of_the_reference() {
        let golden = testing::golden("ced.json");
        let samples = super::super::suite::signal();
        let mut decibels = Decibels::new();
        let rows = golden["decibels"].as_array().expect("a list");
        assert_eq!(
            (golden["context"].as_u64(), golden["frames"].as_u64()),
            (Some(CONTEXT as u64), Some(FRAMES as u64))
        );
        assert!(rows.len() > 100);
        for row in rows {
            let at = |i: usize| row[i].as_u64().expect("a place") as usize;
            let mut frames = Vec::new();
            decibels.frames(&samples[at(0) * HOP..at(0) * HOP + CONTEXT], &mut frames);
            assert_eq!(frames.len(), FRAMES * BANDS);
            let (got, want) = (frames[at(2) * BANDS + at(1)], row[3].as_f64().expect("decibels") as f32);
            // What lies 115 dB below the loudest band of the window is near the rounding of 32-bit floats.
            let within = if want > -45.0 { 1e-3 } else { 0.1 };
            assert!((got - want).abs() < within, "{row}: {got}");
        }
    }

    #[test]
    fn each_form_of_graph_gets_what_it_takes() {
        // Loud enough that the noise the family adds is not seen here.
        let samples: Vec<f32> = noise().iter().map(|v| v * 300.0).collect();
        let mut frames = Vec::new();
        Decibels::new().frames(&samples, &mut frames);
        let band = |b: usize| frames[3 * BANDS + b];
        let forms: [(&[Option<usize>], usize, f32); 4] = [
            (&[None, None], 7, samples[7]),
            (&[Some(1), Some(CONTEXT)], 9, samples[9]),
            (&[None, Some(BANDS), None], 5 * FRAMES + 3, band(5)),
            (&[None, None, Some(BANDS)], 3 * BANDS + 5, band(5)),
        ];
        for (shape, at, value) in forms {
            // The first class is scored by the value at `at`, of what lies between −100 and 100.
            let heard = heard(shape, 527, move |input| (input[at] + 100.0) / 200.0);
            let scores = Ced::new(Box::new(heard)).expect("a form it knows").score(&samples, 1, 0.01).expect("scores");
            let want = (value + 100.0) / 200.0;
            assert!(
                scores[0][0].0.index() == 0 && (scores[0][0].1 - want).abs() < 1e-3,
                "{shape:?}: {scores:?} {want}"
            );
        }
        for shape in [
            &[None][..],
            &[None, Some(80), None],
            &[Some(2), None],
            &[None, Some(BANDS), Some(1012)],
            &[None, Some(16_000)],
        ] {
            let err = Ced::new(Box::new(heard(shape, 527, |_| 0.0))).err().expect("no form it knows");
            assert_eq!(err.kind(), ErrorKind::ModelInvalid, "{shape:?}");
        }
    }

    #[test]
    fn the_noise_has_its_level_and_no_tone() {
        let noise = noise();
        let power = noise.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / noise.len() as f64;
        assert!((power.sqrt() / f64::from(NOISE) - 1.0).abs() < 0.01, "{power}");
        let mut frames = Vec::new();
        Decibels::new().frames(&noise, &mut frames);
        let mean = |b: usize| frames.iter().skip(b).step_by(BANDS).sum::<f32>() / FRAMES as f32;
        // Bands of the same width in Hz are as loud; the highest is some 20 times as wide as the lowest.
        assert!(
            (mean(3) - mean(8)).abs() < 3.0 && (8.0..16.0).contains(&(mean(63) - mean(3))),
            "{} {}",
            mean(3),
            mean(63)
        );
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        let samples = vec![0.1; CONTEXT];
        for wrong in [f32::NAN, 7.5, -1.0] {
            let heard = heard(&[None, None], 527, move |_| wrong);
            let err = Ced::new(Box::new(heard)).expect("it opens").score(&samples, 1, 0.0).expect_err("no scores");
            assert_eq!(err.kind(), ErrorKind::ModelInvalid, "{wrong}");
        }
        let few = heard(&[None, None], 521, |_| 0.5);
        assert!(Ced::new(Box::new(few)).expect("it opens").score(&samples, 1, 0.0).is_err());
    }
}
