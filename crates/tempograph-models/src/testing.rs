//! Sessions and pictures for tests.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tempograph_core::{
    Frame, MediaTime, Picture, Result, Rgb, RgbRequest, Runtime, Session, SessionOptions, Size, Tensor, TensorInfo,
};

/// Of a network that takes colour pictures of any size.
pub(crate) const PICTURES: [Option<usize>; 4] = [None, Some(3), None, None];

type Answer = Box<dyn FnMut(&[&Tensor]) -> Result<Vec<Tensor>> + Send>;

/// A session without a network.
pub(crate) struct FakeSession {
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
    metadata: Vec<(String, String)>,
    answer: Answer,
}

impl FakeSession {
    /// One with one input that gives the same outputs whatever it is asked.
    pub(crate) fn new(input: &[Option<usize>], outputs: Vec<Tensor>) -> Self {
        let declared: Vec<TensorInfo> =
            outputs.iter().map(|t| info("", &t.shape().iter().map(|&d| Some(d)).collect::<Vec<_>>())).collect();
        Self { outputs: declared, ..Self::answering(&[("image", input)], move |_| Ok(outputs.clone())) }
    }

    /// One with these inputs, by name and shape, that answers as told.
    pub(crate) fn answering(
        inputs: &[(&str, &[Option<usize>])],
        answer: impl FnMut(&[&Tensor]) -> Result<Vec<Tensor>> + Send + 'static,
    ) -> Self {
        let inputs = inputs.iter().map(|(name, shape)| info(name, shape)).collect();
        Self { inputs, outputs: Vec::new(), metadata: Vec::new(), answer: Box::new(answer) }
    }

    /// Declares one more output.
    pub(crate) fn with_output(mut self, name: &str, shape: &[Option<usize>]) -> Self {
        self.outputs.push(info(name, shape));
        self
    }

    /// Names the outputs, adding those that have no tensor.
    pub(crate) fn with_outputs(mut self, names: &[&str]) -> Self {
        self.outputs.resize(names.len(), info("", &[]));
        for (info, name) in self.outputs.iter_mut().zip(names) {
            info.name = (*name).to_owned();
        }
        self
    }

    pub(crate) fn with_metadata(mut self, key: &str, value: &str) -> Self {
        self.metadata.push((key.into(), value.into()));
        self
    }
}

fn info(name: &str, shape: &[Option<usize>]) -> TensorInfo {
    TensorInfo { name: name.to_owned(), shape: shape.to_vec() }
}

impl Session for FakeSession {
    fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }
    fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }
    fn metadata(&self, key: &str) -> Option<String> {
        self.metadata.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone())
    }
    fn run(&mut self, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        (self.answer)(inputs)
    }
}

/// A picture held as RGB, scaled as OpenCV's `INTER_LINEAR` in floating point.
struct Still(Rgb);

impl Picture for Still {
    fn size(&self) -> Size {
        self.0.size
    }

    fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
        let (from, to) = (self.0.size, request.size);
        let taps = |n: u32, max: u32| {
            (0..n)
                .map(|i| {
                    let at = ((i as f32 + 0.5) * max as f32 / n as f32 - 0.5).clamp(0.0, max as f32 - 1.0);
                    (at as usize, (at as usize + 1).min(max as usize - 1), at.fract())
                })
                .collect::<Vec<_>>()
        };
        let (columns, rows) = (taps(to.width, from.width), taps(to.height, from.height));
        let mut data = Vec::with_capacity(3 * to.area() as usize);
        let at = |x: usize, y: usize, c: usize| f32::from(self.0.data[(y * from.width as usize + x) * 3 + c]);
        for &(y0, y1, fy) in &rows {
            for &(x0, x1, fx) in &columns {
                for c in 0..3 {
                    let top = at(x0, y0, c) * (1.0 - fx) + at(x1, y0, c) * fx;
                    let bottom = at(x0, y1, c) * (1.0 - fx) + at(x1, y1, c) * fx;
                    data.push((top * (1.0 - fy) + bottom * fy).round() as u8);
                }
            }
        }
        Ok(Arc::new(Rgb { size: to, data }))
    }
}

/// A frame whose pixels follow a formula of column and row.
pub(crate) fn frame(size: Size, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Frame {
    let mut data = Vec::new();
    for y in 0..size.height {
        for x in 0..size.width {
            data.extend(pixel(x, y));
        }
    }
    of(Rgb { size, data })
}

fn of(rgb: Rgb) -> Frame {
    let time = MediaTime::default();
    Frame { index: 0, time, duration: time, key: true, picture: Arc::new(Still(rgb)) }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of the repository.
pub(crate) fn asset(name: &str) -> PathBuf {
    repository().join(name)
}

/// A picture of the shared media; says so and gives none where they are not present.
pub(crate) fn shared_image(name: &str) -> Option<Frame> {
    let path = repository().join("../shared/media/image").join(name);
    if !path.exists() {
        println!("skipped: shared media not present");
        return None;
    }
    let image = image::open(&path).expect("the picture decodes").to_rgb8();
    Some(of(Rgb { size: Size::new(image.width(), image.height()), data: image.into_raw() }))
}

/// A session of ONNX Runtime; says so and gives none where there is no library.
pub(crate) fn onnx(model: &Path, threads: usize) -> Option<Box<dyn Session>> {
    #[expect(clippy::disallowed_methods, reason = "a test asks the person who runs it")]
    let named = std::env::var_os("TEMPOGRAPH_ONNXRUNTIME").map(PathBuf::from);
    let usual = repository().join("target/onnxruntime/libonnxruntime.so");
    let Some(library) = named.or_else(|| usual.exists().then_some(usual)) else {
        println!("skipped: no ONNX Runtime library; `TEMPOGRAPH_ONNXRUNTIME` can name one");
        return None;
    };
    let runtime = tempograph_runtime_onnx::OnnxRuntime::open(&library).expect("the library opens");
    Some(runtime.load(model, &SessionOptions { threads }).expect("the model loads"))
}

/// Numbers that the Python references make the same way: a linear congruence, from `offset` up to `offset + scale`.
pub(crate) fn noise(seed: u32, shape: &[usize], scale: f64, offset: f64) -> Tensor {
    let mut state = u64::from(seed);
    let mut next = || {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        (state as f64 / f64::from(1u32 << 31) * scale + offset) as f32
    };
    let data: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::new(shape, data).expect("as many as the shape holds")
}

/// A reference of `tests/data`.
pub(crate) fn golden(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    serde_json::from_slice(&std::fs::read(path).expect("the reference is there")).expect("it is JSON")
}
