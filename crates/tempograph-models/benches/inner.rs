//! Inner loops around a detector's network, which answers at once here.

use std::sync::Arc;

use divan::Bencher;
use tempograph_core::{Frame, MediaTime, Picture, Result, Rgb, RgbRequest, Session, Size, Tensor, TensorInfo};
use tempograph_models::{
    detect::{self, DetectorOptions},
    whisper::LogMel,
};

fn main() {
    divan::main();
}

/// A picture that has every size ready.
struct Ready;

impl Picture for Ready {
    fn size(&self) -> Size {
        Size::new(640, 360)
    }

    fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
        let bytes = 3 * request.size.width as usize * request.size.height as usize;
        Ok(Arc::new(Rgb { size: request.size, data: (0..bytes).map(|i| i as u8).collect() }))
    }
}

/// NanoDet's outputs for 416x256, `objects` of every thousand places being sure of something.
struct Answer {
    inputs: Vec<TensorInfo>,
    outputs: Vec<Tensor>,
}

impl Answer {
    fn new(objects: usize) -> Result<Self> {
        let mut outputs = Vec::new();
        for places in [52 * 32, 26 * 16, 13 * 8] {
            let mut scores = vec![0.01f32; places * 80];
            for place in (0..places).filter(|p| p * 7919 % 1000 < objects) {
                scores[place * 80 + place % 3] = 0.5 + (place % 50) as f32 / 100.0;
            }
            outputs.push(Tensor::new([1, places, 80], scores)?);
            let sides: Vec<f32> = (0..places * 44).map(|i| (i % 11) as f32 / 4.0).collect();
            outputs.push(Tensor::new([1, places, 44], sides)?);
        }
        let shape = vec![None, Some(3), None, None];
        Ok(Self { inputs: vec![TensorInfo { name: "image".to_owned(), shape }], outputs })
    }
}

impl Session for Answer {
    fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorInfo] {
        &[]
    }

    fn metadata(&self, _: &str) -> Option<String> {
        None
    }

    fn run(&mut self, _: &[&Tensor]) -> Result<Vec<Tensor>> {
        Ok(self.outputs.clone())
    }
}

#[divan::bench(args = [0, 20, 500])]
fn nanodet_around_its_network(bencher: Bencher<'_, '_>, objects_per_thousand: usize) {
    let session = Answer::new(objects_per_thousand).expect("the shapes fit");
    let mut detector =
        detect::open("nanodet", Box::new(session), &DetectorOptions::default()).expect("it is of NanoDet's form");
    let frame =
        Frame { index: 0, time: MediaTime::ZERO, duration: MediaTime::ZERO, key: true, picture: Arc::new(Ready) };
    bencher.bench_local(|| detector.detect(&[&frame]).expect("the outputs are of its form"));
}

/// Thirty seconds of sound, as Whisper takes it.
#[divan::bench]
fn log_mel(bencher: Bencher<'_, '_>) {
    let samples: Vec<f32> = (0..480_000).map(|i| (i as f32 * 0.05).sin() * 0.3).collect();
    let mel = LogMel::new(80);
    bencher.bench_local(|| mel.compute(&samples, 3000));
}
