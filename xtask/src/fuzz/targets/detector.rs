//! Detectors over a model that answers with anything: any shapes, any numbers.

use std::sync::Arc;

use tempograph_core::{
    Frame, MediaTime, Picture, Result, Rgb, RgbRequest, Session, Size, Tensor, TensorData, TensorInfo,
};
use tempograph_models::detect::{self, DetectorOptions};

/// Of the SSD form: classes, boxes, counts.
pub(super) const SEED: &[u8] = b"\x02\x03\x01\x02\x04\x02\x01\x02\x00\x00\x80\x3f\x00\x00\x00\x3f\x00\x00\xc0\x7f";

const FAMILIES: [&str; 4] = ["nanodet", "yolo", "ssd", "detr"];
const NAMES: [&str; 6] = ["logits", "pred_boxes", "labels", "boxes", "scores", "dets"];
const EXTENTS: [usize; 12] = [0, 1, 2, 4, 6, 44, 80, 84, 91, 300, 1917, 2704];

/// Opens each family over a model made of `bytes` and lets it look at a picture.
pub(super) fn run(bytes: &[u8]) {
    for family in FAMILIES {
        let model = Anything::new(bytes);
        let Ok(mut detector) = detect::open(family, Box::new(model), &DetectorOptions::default()) else { continue };
        let frame = Frame {
            index: 0,
            time: MediaTime::ZERO,
            duration: MediaTime::ZERO,
            key: true,
            picture: Arc::new(Grey(Size::new(65, 33))),
        };
        for detections in detector.detect(&[&frame]).into_iter().flatten() {
            for detection in detections.iter() {
                assert!(detection.score.is_finite(), "scores are numbers");
                assert!(detection.bbox.x2 <= 65.0 && detection.bbox.y2 <= 33.0, "boxes lie in the picture");
            }
        }
    }
}

/// Takes bytes as choices.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }
}

struct Anything {
    inputs: Vec<TensorInfo>,
    declared: Vec<TensorInfo>,
    outputs: Vec<Tensor>,
}

impl Anything {
    fn new(bytes: &[u8]) -> Self {
        let mut choices = Choices(bytes);
        let side = choices.pick(&[Some(64), Some(320), None, Some(1)]);
        let inputs = vec![TensorInfo { name: "image".into(), shape: vec![Some(1), Some(3), side, side] }];
        let count = 1 + usize::from(choices.byte() % 6);
        let (mut declared, mut outputs) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let rank = 1 + usize::from(choices.byte() % 4);
            let mut shape: Vec<_> = (0..rank).map(|_| choices.pick(&EXTENTS)).collect();
            shape[0] = shape[0].min(2);
            if shape.iter().product::<usize>() > 1 << 20 {
                shape.truncate(1);
            }
            let known = choices.byte().is_multiple_of(2);
            let name = choices.pick(&NAMES).to_owned();
            declared.push(TensorInfo { name, shape: shape.iter().map(|d| known.then_some(*d)).collect() });
            outputs.push(tensor(&mut choices, shape));
        }
        Self { inputs, declared, outputs }
    }
}

/// A tensor that repeats what is left of the choices.
fn tensor(choices: &mut Choices<'_>, shape: Vec<usize>) -> Tensor {
    let n = shape.iter().product();
    let floats = !choices.byte().is_multiple_of(8);
    let mut words = choices.0.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]).cycle();
    let mut next = || words.next().unwrap_or_default();
    let data: TensorData = match floats {
        true => (0..n).map(|_| f32::from_le_bytes(next())).collect::<Vec<_>>().into(),
        false => (0..n).map(|_| i64::from(i32::from_le_bytes(next()))).collect::<Vec<_>>().into(),
    };
    Tensor::new(shape, data).expect("as many elements as the shape holds")
}

impl Session for Anything {
    fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorInfo] {
        &self.declared
    }

    fn metadata(&self, _: &str) -> Option<String> {
        None
    }

    fn run(&mut self, _: &[&Tensor]) -> Result<Vec<Tensor>> {
        Ok(self.outputs.clone())
    }
}

/// One grey picture.
struct Grey(Size);

impl Picture for Grey {
    fn size(&self) -> Size {
        self.0
    }

    fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
        let size = request.size;
        let pixels = vec![128; size.width as usize * size.height as usize * 3];
        Ok(Arc::new(Rgb { size, data: pixels }))
    }
}
