//! Image embedders: pixels resized, cropped and normalised as each family's reference does, one vector a view.

use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::U8x3,
};
use tempograph_core::{BoxXyxy, Error, ErrorKind, Result, Rgb, RgbRequest, ScaleFilter, Session, Size, Tensor};

use super::{ImageEmbedder, Pooling, View, output_index, pooled, unknown_family, wrong_form};

/// What one family does to pixels, and how its output reads.
#[derive(Clone, Copy, Debug)]
struct Form {
    resize: Resize,
    filter: Filter,
    /// Size of the model's input where the model file does not say.
    size: Size,
    mean: [f32; 3],
    std: [f32; 3],
    pooling: Pooling,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Resize {
    /// Onto the input as it is, whatever its shape.
    Stretch,
    /// Until the shorter side is this many times the input's, then the middle is cut out.
    ShortestThenCrop(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Bilinear,
    Bicubic,
}

/// Channel statistics of CLIP's training set (`OPENAI_CLIP_MEAN`, `OPENAI_CLIP_STD`).
const CLIP: ([f32; 3], [f32; 3]) =
    ([0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_6, 0.275_777_1]);
/// Channel statistics of ImageNet.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

/// Forms by family name, as in the manifest's `family`; each as its published pre-processor has it.
const FAMILIES: &[(&str, Form)] = &[
    // CLIPImageProcessor: shortest edge and centre crop of the input's size.
    (
        "clip",
        Form {
            resize: Resize::ShortestThenCrop(1.0),
            filter: Filter::Bicubic,
            size: Size::new(224, 224),
            mean: CLIP.0,
            std: CLIP.1,
            pooling: Pooling::First,
        },
    ),
    // SiglipImageProcessor: no crop, levels from -1 to 1.
    (
        "siglip",
        Form {
            resize: Resize::Stretch,
            filter: Filter::Bicubic,
            size: Size::new(224, 224),
            mean: [0.5; 3],
            std: [0.5; 3],
            pooling: Pooling::First,
        },
    ),
    // DINOv2's BitImageProcessor: shortest edge 256, centre crop 224, class token.
    (
        "dino",
        Form {
            resize: Resize::ShortestThenCrop(256.0 / 224.0),
            filter: Filter::Bicubic,
            size: Size::new(224, 224),
            mean: IMAGENET.0,
            std: IMAGENET.1,
            pooling: Pooling::First,
        },
    ),
    // Appearance of persons and vehicles: OSNet and the like (torchreid's test transform).
    (
        "reid",
        Form {
            resize: Resize::Stretch,
            filter: Filter::Bilinear,
            size: Size::new(128, 256),
            mean: IMAGENET.0,
            std: IMAGENET.1,
            pooling: Pooling::First,
        },
    ),
];

/// Views a call where the model takes any number, which bounds memory.
const MAX_BATCH: usize = 8;
/// Views a call where the model takes one number only: it is filled up to that.
const MAX_FIXED_BATCH: usize = 64;
/// No model input is larger: a guard against absurd model files.
const MAX_SIDE: usize = 1024;
/// A view is resized to at most this many times its input's length before the middle is cut out.
const MAX_ASPECT: f64 = 16.0;

struct Encoder {
    session: Box<dyn Session>,
    form: Form,
    size: Size,
    max_batch: usize,
    /// Whether every call must have that many.
    fixed: bool,
    /// Value of a pixel by its 8-bit value, per channel.
    values: Box<[[f32; 256]; 3]>,
    output: usize,
    dims: usize,
    resizer: Resizer,
}

/// An image embedder of `family` over a loaded model.
///
/// # Errors
/// [`ErrorKind::ModelInvalid`] when there is no such family or the model is not of its form.
pub fn open(family: &str, session: Box<dyn Session>) -> Result<Box<dyn ImageEmbedder>> {
    let Some((_, form)) = FAMILIES.iter().find(|(name, _)| *name == family) else {
        return Err(unknown_family("image", family, FAMILIES.iter().map(|(name, _)| *name)));
    };
    let [input] = session.inputs() else { return Err(wrong_form("it has not one input")) };
    let [batch, channels, height, width] = input.shape[..] else { return Err(wrong_form("its input is no image")) };
    if channels.is_some_and(|c| c != 3) {
        return Err(wrong_form("its input has not three channels"));
    }
    let side = |declared: Option<usize>, usual: u32| {
        let side = declared.unwrap_or(usual as usize);
        if (1..=MAX_SIDE).contains(&side) { Ok(side as u32) } else { Err(wrong_form(format!("{side} pixels"))) }
    };
    let size = Size::new(side(width, form.size.width)?, side(height, form.size.height)?);
    let (output, dims) = output_index(session.outputs())?;
    let values =
        Box::new(std::array::from_fn(|c| std::array::from_fn(|v| (v as f32 / 255.0 - form.mean[c]) / form.std[c])));
    if batch.is_some_and(|n| !(1..=MAX_FIXED_BATCH).contains(&n)) {
        return Err(wrong_form("it wants too many images a call"));
    }
    let (max_batch, fixed) = (batch.unwrap_or(MAX_BATCH), batch.is_some());
    Ok(Box::new(Encoder {
        session,
        form: *form,
        size,
        max_batch,
        fixed,
        values,
        output,
        dims,
        resizer: Resizer::new(),
    }))
}

impl Encoder {
    /// The view's pixels, in their own size.
    fn pixels(&mut self, view: &View<'_>) -> Result<Rgb> {
        let full = view.frame.picture.size();
        let whole = view.frame.picture.rgb(RgbRequest { size: full, filter: ScaleFilter::Bilinear })?;
        if whole.size != full || whole.data.len() as u64 != 3 * full.area() || full.area() == 0 {
            return Err(Error::new(ErrorKind::Internal, "a picture gave another size than was asked for"));
        }
        let (x, y, size) = window(view.region, full);
        let (stride, from) = (3 * full.width as usize, 3 * x as usize);
        let rows = whole.data.chunks_exact(stride).skip(y as usize).take(size.height as usize);
        let data = rows.flat_map(|row| &row[from..from + 3 * size.width as usize]).copied().collect();
        Ok(Rgb { size, data })
    }

    fn resized(&mut self, rgb: &Rgb) -> Result<Rgb> {
        let to = target(self.form.resize, rgb.size, self.size);
        let failed = |e: &dyn std::fmt::Display| Error::new(ErrorKind::Internal, format!("cannot resize: {e}"));
        // The typed call: the other one is compiled for every kind of pixel there is.
        let from = TypedImageRef::<U8x3>::from_buffer(rgb.size.width, rgb.size.height, &rgb.data);
        let from = from.map_err(|e| failed(&e))?;
        let mut data = vec![0; 3 * to.area() as usize];
        let mut out = TypedImage::<U8x3>::from_buffer(to.width, to.height, &mut data).map_err(|e| failed(&e))?;
        let filter = match self.form.filter {
            Filter::Bilinear => FilterType::Bilinear,
            Filter::Bicubic => FilterType::CatmullRom,
        };
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
        self.resizer.resize_typed(&from, &mut out, &options).map_err(|e| failed(&e))?;
        Ok(Rgb { size: to, data })
    }

    /// Appends the input planes of a view.
    fn place(&mut self, view: &View<'_>, data: &mut Vec<f32>) -> Result<()> {
        let pixels = self.pixels(view)?;
        let rgb = self.resized(&pixels)?;
        let (w, h) = (self.size.width as usize, self.size.height as usize);
        let (x, y) = ((rgb.size.width as usize - w) / 2, (rgb.size.height as usize - h) / 2);
        for channel in 0..3 {
            for row in rgb.data.chunks_exact(3 * rgb.size.width as usize).skip(y).take(h) {
                data.extend(
                    row[3 * x..3 * (x + w)]
                        .as_chunks::<3>()
                        .0
                        .iter()
                        .map(|p| self.values[channel][usize::from(p[channel])]),
                );
            }
        }
        Ok(())
    }
}

/// Left, top and size of a region in whole pixels inside the frame; at least one pixel.
fn window(region: Option<BoxXyxy>, full: Size) -> (u32, u32, Size) {
    let Some(region) = region else { return (0, 0, full) };
    let b = region.clip(full);
    let x = (b.x1.floor() as u32).min(full.width - 1);
    let y = (b.y1.floor() as u32).min(full.height - 1);
    let right = (b.x2.ceil() as u32).clamp(x + 1, full.width);
    let bottom = (b.y2.ceil() as u32).clamp(y + 1, full.height);
    (x, y, Size::new(right - x, bottom - y))
}

/// The size a picture of size `from` is resized to for an input of size `input`: never smaller than that.
fn target(resize: Resize, from: Size, input: Size) -> Size {
    let Resize::ShortestThenCrop(times) = resize else { return input };
    let side = (f64::from(input.width.min(input.height)) * times).round();
    let (w, h) = (f64::from(from.width), f64::from(from.height));
    // The longer side is cut to whole pixels, as the reference pre-processors do.
    let longer = |long: f64, short: f64| (side * (long / short).min(MAX_ASPECT)).floor();
    let (w, h) = if w <= h { (side, longer(h, w)) } else { (longer(w, h), side) };
    Size::new((w as u32).max(input.width), (h as u32).max(input.height))
}

impl ImageEmbedder for Encoder {
    fn dims(&self) -> usize {
        self.dims
    }

    fn embed(&mut self, views: &[View<'_>]) -> Result<Vec<Vec<f32>>> {
        let mut vectors = Vec::with_capacity(views.len());
        for batch in views.chunks(self.max_batch) {
            let count = if self.fixed { self.max_batch } else { batch.len() };
            let image = 3 * self.size.area() as usize;
            let mut data = Vec::with_capacity(count * image);
            for view in batch {
                self.place(view, &mut data)?;
            }
            data.resize(count * image, 0.0);
            let shape = [count, 3, self.size.height as usize, self.size.width as usize];
            let input = Tensor::new(shape, data)?;
            let outputs = self.session.run(&[&input])?;
            let output = outputs.get(self.output).ok_or_else(|| wrong_form("an output is missing"))?;
            let mut found = pooled(output, count, self.dims, self.form.pooling, None);
            if self.fixed {
                // What was filled up may have no direction; only what was asked for counts.
                let asked = output.as_f32()?.len() / count * batch.len();
                let shape = std::iter::once(batch.len()).chain(output.shape().iter().skip(1).copied());
                let part = Tensor::new(shape.collect::<Vec<_>>(), output.as_f32()?[..asked].to_vec())?;
                found = pooled(&part, batch.len(), self.dims, self.form.pooling, None);
            }
            vectors.extend(found?);
        }
        Ok(vectors)
    }
}
