//! Sessions and pictures for tests.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tempograph_core::{
    Frame, MediaTime, Picture, Result, Rgb, RgbRequest, Runtime, Session, SessionOptions, Size, Tensor, TensorInfo,
};

/// A session that gives the same outputs whatever it is asked.
pub(super) struct FakeSession {
    inputs: Vec<TensorInfo>,
    declared: Vec<TensorInfo>,
    outputs: Vec<Tensor>,
    metadata: Vec<(String, String)>,
}

impl FakeSession {
    pub(super) fn new(input: &[Option<usize>], outputs: Vec<Tensor>) -> Self {
        let inputs = vec![TensorInfo { name: "image".into(), shape: input.to_vec() }];
        let declare =
            |t: &Tensor| TensorInfo { name: String::new(), shape: t.shape().iter().map(|&d| Some(d)).collect() };
        Self { inputs, declared: outputs.iter().map(declare).collect(), outputs, metadata: Vec::new() }
    }

    /// Names the outputs, adding those that have no tensor.
    pub(super) fn with_outputs(mut self, names: &[&str]) -> Self {
        self.declared.resize(names.len(), TensorInfo { name: String::new(), shape: Vec::new() });
        for (info, name) in self.declared.iter_mut().zip(names) {
            info.name = (*name).to_owned();
        }
        self
    }

    pub(super) fn with_metadata(mut self, key: &str, value: &str) -> Self {
        self.metadata.push((key.into(), value.into()));
        self
    }
}

impl Session for FakeSession {
    fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }
    fn outputs(&self) -> &[TensorInfo] {
        &self.declared
    }
    fn metadata(&self, key: &str) -> Option<String> {
        self.metadata.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone())
    }
    fn run(&mut self, _: &[&Tensor]) -> Result<Vec<Tensor>> {
        Ok(self.outputs.clone())
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
pub(super) fn noise(seed: u32, shape: &[usize], scale: f64, offset: f64) -> Tensor {
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

/// Runs `family` on a frame of 200 x 100 pixels and compares boxes, scores and labels.
pub(super) fn check(family: &str, session: FakeSession, golden: &serde_json::Value) {
    let number = |v: &serde_json::Value| v.as_f64().expect("a number") as f32;
    let options = super::DetectorOptions { confidence: number(&golden["confidence"]), ..Default::default() };
    let mut detector = super::open(family, Box::new(session), &options).expect("it opens");
    let frame = frame(Size::new(200, 100), |_, _| [0; 3]);
    let found = detector.detect(&[&frame]).expect("it runs").remove(0);
    let rows = golden["rows"].as_array().expect("a list");
    assert!(!rows.is_empty() && found.len() == rows.len(), "{} for {}", found.len(), rows.len());
    // Single and double precision order nearly equal scores differently, so rows are found, not counted off.
    for want in rows {
        let near = |got: &tempograph_core::Detection<'_>| {
            let corners = want["box"].as_array().expect("a box").iter().map(number);
            Some(got.label) == want["label"].as_str()
                && (got.score - number(&want["score"])).abs() < 1e-4
                && <[f32; 4]>::from(got.bbox).into_iter().zip(corners).all(|(a, b)| (a - b).abs() < 1e-2)
        };
        assert!(found.iter().any(|got| near(&got)), "{want}");
    }
}
