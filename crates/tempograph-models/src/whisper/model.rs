//! A loaded Whisper: audio in, keys and values out; tokens in, scores out.

use std::path::{Path, PathBuf};

use tempograph_core::{Error, ErrorKind, Result, Runtime, Session, SessionOptions, Tensor};

use super::{mel::LogMel, settings::WhisperSettings, vocabulary::Vocabulary};

/// The files of a converted Whisper.
#[derive(Clone, Debug)]
pub struct Files {
    /// `encoder.onnx`, its weights beside it.
    pub encoder: PathBuf,
    /// `decoder.onnx`, its weights beside it.
    pub decoder: PathBuf,
    /// `vocabulary.json`.
    pub vocabulary: PathBuf,
    /// `whisper.json`.
    pub settings: PathBuf,
}

impl Files {
    /// Those that [`super::convert`] writes into `folder`.
    pub fn of(folder: &Path) -> Self {
        let file = |name| folder.join(name);
        Self {
            encoder: file("encoder.onnx"),
            decoder: file("decoder.onnx"),
            vocabulary: file("vocabulary.json"),
            settings: file("whisper.json"),
        }
    }
}

/// A loaded Whisper.
pub struct Whisper {
    pub(super) settings: WhisperSettings,
    pub(super) vocabulary: Vocabulary,
    pub(super) mel: LogMel,
    encoder: Box<dyn Session>,
    decoder: Box<dyn Session>,
}

/// No settings or vocabulary file is longer than this.
const MAX_SMALL_FILE: u64 = 64 << 20;

fn read(path: &Path) -> Result<Vec<u8>> {
    let len = path.metadata().map_err(|e| Error::io("read", path, e))?.len();
    if len > MAX_SMALL_FILE {
        return Err(Error::new(ErrorKind::ModelInvalid, format!("the file is too long: {}", path.display())));
    }
    std::fs::read(path).map_err(|e| Error::io("read", path, e))
}

impl Whisper {
    /// Loads `files` with `runtime`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when they do not belong together, and those of [`Runtime::load`].
    pub fn open(runtime: &dyn Runtime, files: &Files, options: &SessionOptions) -> Result<Self> {
        let settings = WhisperSettings::parse(&read(&files.settings)?)?;
        let vocabulary = Vocabulary::parse(&read(&files.vocabulary)?)?;
        let (encoder, decoder) = (runtime.load(&files.encoder, options)?, runtime.load(&files.decoder, options)?);
        let layers = settings.decoder_layers;
        let shapes = [
            (encoder.inputs().len(), 1),
            (encoder.outputs().len(), 2 * layers),
            (decoder.inputs().len(), 5 + 4 * layers),
            (decoder.outputs().len(), 2 + 2 * layers),
        ];
        if shapes.iter().any(|(found, wanted)| found != wanted) || vocabulary.len() > settings.vocabulary {
            let message = "the files of the speech model do not belong together";
            return Err(Error::new(ErrorKind::ModelInvalid, message).with_hint("pull the model again"));
        }
        Ok(Self { mel: LogMel::new(settings.mels), settings, vocabulary, encoder, decoder })
    }

    /// Its sizes and constants.
    pub fn settings(&self) -> &WhisperSettings {
        &self.settings
    }

    /// Whether it knows more than English.
    pub fn is_multilingual(&self) -> bool {
        self.vocabulary.marks().end > 50_256
    }

    /// Hears a picture of `frames` columns: what the decoder's cross attention reads.
    pub(super) fn encode(&mut self, picture: Vec<f32>, frames: usize) -> Result<Vec<Tensor>> {
        let mel = Tensor::new([1, self.settings.mels, frames], picture)?;
        self.encoder.run(&[&mel])
    }

    /// Goes on by `new` tokens for each beam. `tokens` is `[beams, new]`; the beams are those of `past`.
    pub(super) fn step(
        &mut self,
        audio: &[Tensor],
        past: &mut Past,
        tokens: &[u32],
        new: usize,
        aligned: usize,
    ) -> Result<Step> {
        let beams = past.ancestry.len();
        let old = past.len;
        let ids: Vec<i64> = tokens.iter().map(|&t| i64::from(t)).collect();
        let tokens = Tensor::new([beams, new], ids)?;
        let positions = Tensor::new([new], (old as i64..(old + new) as i64).collect::<Vec<_>>())?;
        let masked = (0..new).flat_map(|row| (0..old + new).map(move |at| if at <= old + row { 0.0 } else { -1e9f32 }));
        let mask = Tensor::new([1, 1, new, old + new], masked.collect::<Vec<_>>())?;
        let ancestry = Tensor::new([beams, old], past.ancestry.concat())?;
        let aligned = Tensor::new([1], vec![aligned as i64])?;
        let mut inputs = vec![&tokens, &positions, &mask, &ancestry, &aligned];
        inputs.extend(&past.rows);
        inputs.extend(audio);
        let mut outputs = self.decoder.run(&inputs)?.into_iter();
        let (Some(logits), Some(scores)) = (outputs.next(), outputs.next()) else {
            return Err(Error::new(ErrorKind::ModelInvalid, "the decoder gave no scores"));
        };
        past.extend(outputs, new)?;
        let logits = logits.into_f32()?;
        if logits.len() != beams * new * self.settings.vocabulary {
            let message = format!("the decoder gave {} scores for {beams} beams", logits.len());
            return Err(Error::new(ErrorKind::ModelInvalid, message));
        }
        Ok(Step { logits, scores })
    }

    /// An empty past for one beam.
    pub(super) fn no_past(&self) -> Result<Past> {
        let empty = || Tensor::new([0, self.settings.width], Vec::<f32>::new());
        let rows = (0..2 * self.settings.decoder_layers).map(|_| empty()).collect::<Result<_>>()?;
        Ok(Past { rows, ancestry: vec![Vec::new()], len: 0 })
    }
}

/// What one step gave.
pub(super) struct Step {
    /// `[beams, new, vocabulary]`.
    pub(super) logits: Vec<f32>,
    /// `[1, alignment heads, aligned rows, positions]`.
    pub(super) scores: Tensor,
}

/// The decoder's memory: rows of keys and values, and which of them are whose.
pub(super) struct Past {
    rows: Vec<Tensor>,
    ancestry: Vec<Vec<i64>>,
    len: usize,
}

impl Past {
    /// Goes on with these beams; each number is a beam of before.
    pub(super) fn choose(&mut self, beams: &[usize]) {
        self.ancestry = beams.iter().filter_map(|&b| self.ancestry.get(b).cloned()).collect();
    }

    fn extend(&mut self, new_rows: impl Iterator<Item = Tensor>, new: usize) -> Result<()> {
        let first = self.rows.first().map_or(0, |r| r.shape()[0]) as i64;
        for (past, rows) in self.rows.iter_mut().zip(new_rows) {
            let empty = Tensor::new([0], Vec::<f32>::new())?;
            let width = past.shape()[1];
            let mut values = std::mem::replace(past, empty).into_f32()?;
            values.extend_from_slice(rows.as_f32()?);
            *past = Tensor::new([values.len() / width.max(1), width], values)?;
        }
        for (beam, ancestry) in self.ancestry.iter_mut().enumerate() {
            ancestry.extend((0..new as i64).map(|t| first + beam as i64 * new as i64 + t));
        }
        self.len += new;
        Ok(())
    }
}
