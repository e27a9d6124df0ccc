//! How near what a picture shows is: the Depth Anything family (Yang et al. 2024), and others of its form.
//!
//! The network sees a picture scaled so that both sides are multiples of its patch and gives *inverse* depth: larger is
//! nearer, up to a scale and a shift that differ from picture to picture. Sizes, filter and statistics are those of
//! `DPTImageProcessor` in Hugging Face's transformers with the settings of `Depth-Anything-V2-Small-hf`.

mod resize;

use tempograph_core::{Error, ErrorKind, Frame, Result, RgbRequest, ScaleFilter, Session, Size, Tensor};

/// Families by name, as in the manifest's `family`.
const FAMILIES: &[&str] = &["depth-anything"];
/// Length that one side of a picture is scaled to.
pub const SIDE: u32 = 518;
/// Sides are multiples of a patch of the network.
const PATCH: u32 = 14;
/// No input is larger: a guard against pictures of extreme shape.
const MAX_SIDE: u32 = 4096;
/// ImageNet's channel statistics, red first.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Inverse depth, row by row: larger is nearer.
#[derive(Clone, Debug, PartialEq)]
pub struct InverseDepth {
    /// Columns and rows.
    pub size: Size,
    /// `size.width * size.height` values, all finite.
    pub values: Vec<f32>,
}

impl InverseDepth {
    /// The map in another size, through cubic interpolation as PyTorch's `interpolate` does it (`mode="bicubic"`,
    /// `align_corners=False`), which is how the family brings its answer back to the picture.
    pub fn resized(&self, size: Size) -> Self {
        Self { size, values: resize::bicubic(&self.values, self.size, size) }
    }

    /// Least and greatest value; both 0 for an empty map.
    pub fn range(&self) -> (f32, f32) {
        let fold = |(low, high): (f32, f32), &v: &f32| (low.min(v), high.max(v));
        let first = self.values.first().copied().unwrap_or_default();
        self.values.iter().fold((first, first), fold)
    }
}

/// Estimates inverse depth.
pub struct DepthEstimator {
    session: Box<dyn Session>,
    /// The only input size the model takes.
    fixed: Option<Size>,
    side: u32,
    values: Box<[[f32; 256]; 3]>,
    buffer: Vec<f32>,
}

impl DepthEstimator {
    /// An estimator of `family` over a loaded model; `side` replaces [`SIDE`].
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when there is no such family or the model is not of its form.
    pub fn new(family: &str, session: Box<dyn Session>, side: Option<u32>) -> Result<Self> {
        if !FAMILIES.contains(&family) {
            let message = format!("there is no depth family of this name: {family}");
            let hint = format!("the families are `{}`", FAMILIES.join("`, `"));
            return Err(Error::new(ErrorKind::ModelInvalid, message).with_hint(hint));
        }
        let shape = session.inputs().first().map(|i| i.shape.clone()).unwrap_or_default();
        let [_, channels, height, width] = shape[..] else {
            return Err(wrong_form(format!("its input is not an image: {shape:?}")));
        };
        if channels.is_some_and(|c| c != 3) {
            return Err(wrong_form(format!("its input has no three channels: {shape:?}")));
        }
        let side_of = |v: usize| u32::try_from(v).ok().filter(|v| (1..=MAX_SIDE).contains(v));
        let fixed = match width.zip(height) {
            Some((w, h)) => match side_of(w).zip(side_of(h)) {
                Some((w, h)) => Some(Size::new(w, h)),
                None => return Err(wrong_form(format!("its input is too large: {shape:?}"))),
            },
            None => None,
        };
        let mut values = Box::new([[0.0; 256]; 3]);
        for (channel, table) in values.iter_mut().enumerate() {
            for (pixel, value) in table.iter_mut().enumerate() {
                *value = (pixel as f32 / 255.0 - MEAN[channel]) / STD[channel];
            }
        }
        let side = side.unwrap_or(SIDE).clamp(PATCH, MAX_SIDE);
        Ok(Self { session, fixed, side, values, buffer: Vec::new() })
    }

    /// The map of `frame`, in the size that the network gives; [`InverseDepth::resized`] brings it to the frame's.
    ///
    /// # Errors
    /// When pixels cannot be converted, the model fails, or its output is no map.
    pub fn estimate(&mut self, frame: &Frame) -> Result<InverseDepth> {
        let image = self.input(frame)?;
        let outputs = self.session.run(&[&image])?;
        self.buffer = image.into_f32()?;
        let Some(map) = outputs.into_iter().next() else { return Err(wrong_form("it gives nothing")) };
        let (width, height) = match *map.shape() {
            [1, h, w] | [1, 1, h, w] => (w, h),
            _ => return Err(wrong_form(format!("{:?} is no map", map.shape()))),
        };
        let size = u32::try_from(width).ok().zip(u32::try_from(height).ok()).map(|(w, h)| Size::new(w, h));
        let Some(size) = size.filter(|s| s.area() > 0) else {
            return Err(wrong_form(format!("{width}x{height} is no map")));
        };
        let mut values = map.into_f32()?;
        // A model in half precision can overflow; what is not a number is as far as can be.
        values.iter_mut().filter(|v| !v.is_finite()).for_each(|v| *v = 0.0);
        Ok(InverseDepth { size, values })
    }

    /// What the network sees of `frame`: `[1, 3, height, width]`, red first.
    ///
    /// # Errors
    /// When pixels cannot be converted.
    pub fn input(&mut self, frame: &Frame) -> Result<Tensor> {
        let size = self.fixed.unwrap_or_else(|| input_size(frame.picture.size(), self.side));
        let pixels = frame.picture.rgb(RgbRequest { size, filter: ScaleFilter::Bicubic })?;
        let (width, height) = (size.width as usize, size.height as usize);
        let mut data = std::mem::take(&mut self.buffer);
        data.resize(3 * width * height, 0.0);
        let (red, rest) = data.split_at_mut(width * height);
        let (green, blue) = rest.split_at_mut(width * height);
        for (((r, g), b), pixel) in red.iter_mut().zip(green).zip(blue).zip(pixels.data.as_chunks::<3>().0) {
            *r = self.values[0][usize::from(pixel[0])];
            *g = self.values[1][usize::from(pixel[1])];
            *b = self.values[2][usize::from(pixel[2])];
        }
        Tensor::new([1, 3, height, width], data)
    }
}

/// The input size for a picture: scaled by whichever of the two factors that bring a side to `side` changes it least,
/// then each side rounded to a multiple of the patch, halves to even (`get_resize_output_image_size`).
fn input_size(picture: Size, side: u32) -> Size {
    let (w, h) = (f64::from(picture.width.max(1)), f64::from(picture.height.max(1)));
    let (by_width, by_height) = (f64::from(side) / w, f64::from(side) / h);
    let scale = if (1.0 - by_width).abs() < (1.0 - by_height).abs() { by_width } else { by_height };
    let patches = |v: f64| (v * scale / f64::from(PATCH)).round_ties_even().max(1.0);
    let fit = |v: f64| (patches(v).min(f64::from(MAX_SIDE / PATCH)) as u32) * PATCH;
    Size::new(fit(w), fit(h))
}

fn wrong_form(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ModelInvalid, format!("the depth model is not of its family's form: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, FakeSession, PICTURES};

    fn estimator(output: Tensor) -> Result<DepthEstimator> {
        DepthEstimator::new("depth-anything", Box::new(FakeSession::new(&PICTURES, vec![output])), None)
    }

    #[test]
    fn sizes_are_those_of_the_reference() {
        let golden = testing::golden("depth_tiny.json");
        let size = |v: &serde_json::Value| {
            let side = |i: usize| v[i].as_u64().expect("a side") as u32;
            Size::new(side(0), side(1))
        };
        let cases = golden["sizes"].as_array().expect("a list");
        assert!(!cases.is_empty());
        for case in cases {
            assert_eq!(input_size(size(&case["picture"]), SIDE), size(&case["input"]), "{case}");
        }
        assert_eq!(input_size(Size::new(1, 100_000), SIDE).width, PATCH);
    }

    #[test]
    fn outputs_of_another_form_are_refused() {
        let frame = testing::frame(Size::new(28, 28), |_, _| [9; 3]);
        let tensor = |shape: &[usize]| Tensor::new(shape, vec![1.0f32; shape.iter().product()]).expect("it fits");
        for shape in [&[1, 2][..], &[2, 3, 3], &[1, 2, 3, 3], &[1, 0, 3]] {
            let err = estimator(tensor(shape)).expect("it opens").estimate(&frame).expect_err("no map");
            assert_eq!(err.kind(), ErrorKind::ModelInvalid, "{shape:?}");
        }
        let mut map = tensor(&[1, 2, 3]).into_f32().expect("floats");
        map[4] = f32::NAN;
        let depth = estimator(Tensor::new([1, 2, 3], map).expect("it fits")).expect("it opens").estimate(&frame);
        assert_eq!(depth.expect("a map").values, [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]);
        let err =
            DepthEstimator::new("sonar", Box::new(FakeSession::new(&PICTURES, Vec::new())), None).err().expect("none");
        assert!(err.hint().is_some_and(|h| h.contains("`depth-anything`")));
    }
}
