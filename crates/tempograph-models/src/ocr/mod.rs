//! Text in pictures with the PP-OCR family: where lines of text are, then what each says.
//!
//! A [`Reader`] is two models. The [`detect`] one marks pixels that belong to text (DB: Liao et al. 2020), which
//! [`quad`] turns into rotated rectangles; the [`recognize`] one reads the strip inside each (CTC: Graves et al. 2006).

mod crop;
mod detect;
mod quad;
mod recognize;
#[cfg(test)]
mod tests;

use tempograph_core::{BoxXyxy, Error, ErrorKind, Frame, Result, RgbRequest, ScaleFilter, Session, Size, TextLine};

use self::{detect::TextDetector, quad::Quad, recognize::Recognizer};

/// Longest side of the pixels that strips are cut from; larger frames are scaled down to it. Text too small to read
/// there is too small to be found as well, since detection looks at fewer pixels still.
const MAX_SIDE: u32 = 1920;
/// Lines a frame at most; the ones the detector is surest of stay. A page of a book has about fifty.
const MAX_LINES: usize = 200;

/// What sets the generations of the family apart: PaddleOCR's inference settings of each.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Generation {
    /// Name in the manifest's `family`.
    name: &'static str,
    /// Mean of each channel, blue first, of 0 to 1.
    mean: [f32; 3],
    /// Deviation of each.
    std: [f32; 3],
    /// Probability from which on a pixel belongs to text.
    pixel: f32,
    /// Mean probability that a rectangle needs.
    score: f32,
    /// How far a shrunk text region is grown back: area times this over perimeter.
    unclip: f64,
    /// Whether marked pixels grow by one before they are joined.
    dilate: bool,
}

const GENERATIONS: &[Generation] = &[
    Generation { name: "ppocr-v4", mean: [0.5; 3], std: [0.5; 3], pixel: 0.3, score: 0.5, unclip: 1.6, dilate: true },
    Generation {
        name: "ppocr-v6",
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
        pixel: 0.2,
        score: 0.4,
        unclip: 1.6,
        dilate: false,
    },
];

/// Reads the text in frames.
pub struct Reader {
    detector: TextDetector,
    recognizer: Recognizer,
}

impl Reader {
    /// A reader of the generation `family`, e.g. `ppocr-v6`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when there is no such family or a model is not of its form.
    pub fn new(family: &str, detector: Box<dyn Session>, recognizer: Box<dyn Session>) -> Result<Self> {
        let Some(generation) = GENERATIONS.iter().find(|g| g.name == family) else {
            let known = GENERATIONS.iter().map(|g| format!("`{}`", g.name)).collect::<Vec<_>>().join(", ");
            let message = format!("there is no text reading family of this name: {family}");
            return Err(Error::new(ErrorKind::ModelInvalid, message).with_hint(format!("the families are {known}")));
        };
        let detector = TextDetector::new(detector, *generation)?;
        Ok(Self { detector, recognizer: Recognizer::new(recognizer)? })
    }

    /// The lines of text in `frame` from top to bottom, boxes in displayed pixels. Lines that read as nothing are left
    /// out; how sure a line must be is the caller's choice.
    ///
    /// # Errors
    /// When pixels cannot be converted, a model fails, or its outputs are not of the family's form.
    pub fn read(&mut self, frame: &Frame) -> Result<Vec<TextLine>> {
        let mut found = self.detector.find(frame)?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(MAX_LINES);
        found.sort_by(|a, b| {
            a.quad.reading_key().partial_cmp(&b.quad.reading_key()).unwrap_or(std::cmp::Ordering::Equal)
        });

        let full = frame.picture.size();
        let size = within(full, MAX_SIDE);
        let (sx, sy) = (f64::from(size.width) / f64::from(full.width), f64::from(size.height) / f64::from(full.height));
        let pixels = frame.picture.rgb(RgbRequest { size, filter: ScaleFilter::Area })?;
        let quads: Vec<Quad> = found.iter().map(|f| f.quad.scaled(sx, sy)).collect();
        let read = self.recognizer.read(&pixels, &quads)?;
        let lines = found.iter().zip(read).filter_map(|(found, (text, confidence))| {
            let text = text.trim();
            let bbox: BoxXyxy = found.quad.bounds().clip(full);
            (!text.is_empty()).then(|| TextLine { text: text.to_owned(), confidence, bbox })
        });
        Ok(lines.collect())
    }
}

/// `size` scaled down so that no side is longer than `side`.
fn within(size: Size, side: u32) -> Size {
    let longest = size.width.max(size.height);
    if longest <= side {
        return size;
    }
    let scale = |v: u32| ((u64::from(v) * u64::from(side)).div_ceil(u64::from(longest)) as u32).max(1);
    Size::new(scale(size.width), scale(size.height))
}

fn wrong_form(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ModelInvalid, format!("the text model is not of its family's form: {what}"))
}
