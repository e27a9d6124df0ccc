//! The Silero VAD network at 16 kHz.
//!
//! Only its recurrent cell looks back, so the graph that takes a sequence of windows does the same work in one call as
//! the graph that takes one window at a time, without the cost of a call per window. Both are taken.

use tempograph_core::{Error, ErrorKind, Result, Session, Tensor};

/// Samples the network judges at once (32 ms at 16 kHz).
pub const WINDOW: usize = 512;
/// Samples of the previous window it sees before them.
const CONTEXT: usize = 64;
/// Width of the recurrent cell.
const CELL: usize = 128;
/// Windows a call takes at most, so memory stays constant (2 s).
const BATCH: usize = 64;

#[derive(Clone, Copy, PartialEq)]
enum Layout {
    /// `input` `[1, 576]`, `state` `[2, 1, 128]`, `sr` → probability, state.
    Step,
    /// `input` `[windows, 576]`, `h` and `c` `[1, 1, 128]` → probabilities, `h`, `c`.
    Sequence,
}

/// Silero VAD with the memory of what it has heard so far.
///
/// Samples are floats in −1..1 at 16 kHz; each full window of [`WINDOW`] samples gives one probability.
pub struct Silero {
    session: Box<dyn Session>,
    layout: Layout,
    context: [f32; CONTEXT],
    hidden: Vec<f32>,
    cell: Vec<f32>,
    pending: Vec<f32>,
}

impl Silero {
    /// The network in `session`: `silero_vad_16k_sequence.onnx` (fastest) or `silero_vad.onnx`, version 5 or later.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when the inputs are not those of either graph.
    pub fn new(session: Box<dyn Session>) -> Result<Self> {
        let names: Vec<&str> = session.inputs().iter().map(|i| i.name.as_str()).collect();
        let layout = match names.as_slice() {
            ["input", "h", "c"] => Layout::Sequence,
            ["input", "state", "sr"] => Layout::Step,
            _ => {
                let message = format!("not a Silero VAD of version 5 or later, its inputs are: {}", names.join(", "));
                return Err(Error::new(ErrorKind::ModelInvalid, message));
            }
        };
        let (hidden, cell) = (vec![0.0; CELL], vec![0.0; CELL]);
        Ok(Self { session, layout, context: [0.0; CONTEXT], hidden, cell, pending: Vec::new() })
    }

    /// Forgets everything heard.
    pub fn reset(&mut self) {
        self.context = [0.0; CONTEXT];
        self.hidden = vec![0.0; CELL];
        self.cell = vec![0.0; CELL];
        self.pending.clear();
    }

    /// Samples heard but not judged yet.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Hears `samples`; appends the probabilities that are ready, one a window. Some windows may wait for a fuller call.
    ///
    /// # Errors
    /// Those of [`Session::run`], and [`ErrorKind::ModelInvalid`] when the network answers with other shapes.
    pub fn push(&mut self, samples: &[f32], probabilities: &mut Vec<f32>) -> Result<()> {
        let mut rest = samples;
        while self.pending.len() + rest.len() >= BATCH * WINDOW {
            let (now, later) = rest.split_at(BATCH * WINDOW - self.pending.len());
            self.pending.extend_from_slice(now);
            rest = later;
            self.settle(probabilities)?;
        }
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    /// Judges every full window that waits.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn settle(&mut self, probabilities: &mut Vec<f32>) -> Result<()> {
        let windows = self.pending.len() / WINDOW;
        if windows == 0 {
            return Ok(());
        }
        let mut frames = Vec::with_capacity(windows * (CONTEXT + WINDOW));
        for window in self.pending.chunks_exact(WINDOW) {
            frames.extend_from_slice(&self.context);
            frames.extend_from_slice(window);
            self.context.copy_from_slice(&window[WINDOW - CONTEXT..]);
        }
        self.pending.drain(..windows * WINDOW);
        match self.layout {
            Layout::Sequence => self.judge_sequence(frames, windows, probabilities),
            Layout::Step => frames.chunks_exact(CONTEXT + WINDOW).try_for_each(|f| self.judge_one(f, probabilities)),
        }
    }

    /// Ends the recording: the last, unfinished window is filled with silence and judged too. Then forgets everything.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(&mut self, probabilities: &mut Vec<f32>) -> Result<()> {
        let full = self.pending.len().next_multiple_of(WINDOW);
        self.pending.resize(full, 0.0);
        let judged = self.settle(probabilities);
        self.reset();
        judged
    }

    /// What was heard so far, for [`Self::restore`].
    pub fn snapshot(&self) -> Vec<f32> {
        [&self.context, self.hidden.as_slice(), &self.cell, &self.pending].concat()
    }

    /// Goes on from a [`Self::snapshot`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] when its length cannot be right.
    pub fn restore(&mut self, snapshot: &[f32]) -> Result<()> {
        let fixed = CONTEXT + 2 * CELL;
        if snapshot.len() < fixed || snapshot.len() > fixed + BATCH * WINDOW {
            let message = format!("a voice state of {} values cannot be right", snapshot.len());
            return Err(Error::new(ErrorKind::InvalidData, message));
        }
        self.context.copy_from_slice(&snapshot[..CONTEXT]);
        self.hidden = snapshot[CONTEXT..CONTEXT + CELL].to_vec();
        self.cell = snapshot[CONTEXT + CELL..fixed].to_vec();
        self.pending = snapshot[fixed..].to_vec();
        Ok(())
    }

    fn judge_sequence(&mut self, frames: Vec<f32>, windows: usize, probabilities: &mut Vec<f32>) -> Result<()> {
        let input = Tensor::new([windows, CONTEXT + WINDOW], frames)?;
        let h = Tensor::new([1, 1, CELL], std::mem::take(&mut self.hidden))?;
        let c = Tensor::new([1, 1, CELL], std::mem::take(&mut self.cell))?;
        let [judged, h, c] = outputs(self.session.run(&[&input, &h, &c])?)?;
        probabilities.extend_from_slice(checked(&judged, windows)?);
        self.hidden = checked(&h, CELL)?.to_vec();
        self.cell = checked(&c, CELL)?.to_vec();
        Ok(())
    }

    fn judge_one(&mut self, frame: &[f32], probabilities: &mut Vec<f32>) -> Result<()> {
        let input = Tensor::new([1, CONTEXT + WINDOW], frame.to_vec())?;
        let state = Tensor::new([2, 1, CELL], [self.hidden.as_slice(), &self.cell].concat())?;
        let rate = Tensor::new([], vec![16_000i64])?;
        let [judged, state] = outputs(self.session.run(&[&input, &state, &rate])?)?;
        probabilities.extend_from_slice(checked(&judged, 1)?);
        let (h, c) = checked(&state, 2 * CELL)?.split_at(CELL);
        self.hidden.copy_from_slice(h);
        self.cell.copy_from_slice(c);
        Ok(())
    }
}

fn outputs<const N: usize>(tensors: Vec<Tensor>) -> Result<[Tensor; N]> {
    <[Tensor; N]>::try_from(tensors).map_err(|t| {
        Error::new(ErrorKind::ModelInvalid, format!("the voice model gave {} outputs instead of {N}", t.len()))
    })
}

fn checked(tensor: &Tensor, len: usize) -> Result<&[f32]> {
    let values = tensor.as_f32()?;
    if values.len() == len && values.iter().all(|v| v.is_finite()) {
        return Ok(values);
    }
    Err(Error::new(ErrorKind::ModelInvalid, format!("the voice model gave {} odd values", values.len())))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;
    use crate::testing::FakeSession;

    /// Stands for the network: a window's probability is its first sample, the cell counts windows. Counts its calls.
    fn echo(names: &[&str]) -> (Box<dyn Session>, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let inputs: Vec<(&str, &[Option<usize>])> = names.iter().map(|n| (*n, &[][..])).collect();
        let (asked, with_cell) = (Arc::clone(&calls), names.get(2) == Some(&"c"));
        let session = FakeSession::answering(&inputs, move |inputs| {
            asked.fetch_add(1, Ordering::Relaxed);
            let frames = inputs[0].as_f32()?;
            let seen: Vec<f32> = frames.chunks_exact(CONTEXT + WINDOW).map(|f| f[CONTEXT] + f[CONTEXT - 1]).collect();
            let state = |t: &Tensor| {
                let v = t.as_f32()?.iter().map(|x| x + seen.len() as f32).collect::<Vec<_>>();
                Tensor::new(t.shape(), v)
            };
            let mut outs = vec![Tensor::new([seen.len()], seen.clone())?, state(inputs[1])?];
            if with_cell {
                outs.push(state(inputs[2])?);
            }
            Ok(outs)
        });
        (Box::new(session), calls)
    }

    fn ramp(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i % 997) as f32 / 997.0).collect()
    }

    #[test]
    fn both_graphs_see_the_same_windows_however_the_audio_arrives() {
        let audio = ramp(150 * WINDOW + 100);
        let mut results = Vec::new();
        for names in [["input", "h", "c"], ["input", "state", "sr"]] {
            for piece in [97, 4000, audio.len()] {
                let (session, _) = echo(&names);
                let mut silero = Silero::new(session).unwrap();
                let mut out = Vec::new();
                for part in audio.chunks(piece) {
                    silero.push(part, &mut out).unwrap();
                }
                silero.finish(&mut out).unwrap();
                results.push(out);
            }
        }
        assert_eq!(results[0].len(), 151);
        assert!(results.iter().all(|r| *r == results[0]));
        assert_eq!(results[0][0], 0.0);
        assert_eq!(results[0][1], audio[512] + audio[511]);
    }

    #[test]
    fn a_sequence_costs_one_call_for_many_windows() {
        let (session, calls) = echo(&["input", "h", "c"]);
        let mut silero = Silero::new(session).unwrap();
        silero.push(&ramp(BATCH * WINDOW * 3), &mut Vec::new()).unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_restored_network_goes_on_where_the_other_stopped() {
        let audio = ramp(100 * WINDOW);
        let (first, second) = audio.split_at(33 * WINDOW + 17);
        let mut silero = Silero::new(echo(&["input", "h", "c"]).0).unwrap();
        let mut out = Vec::new();
        silero.push(first, &mut out).unwrap();
        silero.settle(&mut out).unwrap();
        let mut resumed = Silero::new(echo(&["input", "h", "c"]).0).unwrap();
        resumed.restore(&silero.snapshot()).unwrap();
        let (mut a, mut b) = (Vec::new(), Vec::new());
        silero.push(second, &mut a).unwrap();
        resumed.push(second, &mut b).unwrap();
        silero.settle(&mut a).unwrap();
        resumed.settle(&mut b).unwrap();
        assert_eq!(a, b);
        assert!(!a.is_empty());
        assert_eq!(silero.snapshot(), resumed.snapshot());
        assert_eq!(resumed.restore(&[0.0; 3]).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn another_model_is_refused() {
        let err = Silero::new(echo(&["images"]).0).err().unwrap();
        assert_eq!(err.kind(), ErrorKind::ModelInvalid);
    }
}
