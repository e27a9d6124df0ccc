//! The reader on broken models and on the shared media.

use std::path::{Path, PathBuf};

use tempograph_core::{ErrorKind, Tensor};

use super::*;
use crate::testing::{self, FakeSession, PICTURES};

#[test]
fn an_unknown_family_and_a_map_of_another_size_are_refused() {
    let fake =
        || Box::new(FakeSession::new(&PICTURES, vec![Tensor::new([1, 1, 2, 2], vec![0.0f32; 4]).expect("it fits")]));
    let dictionary = || Box::new(FakeSession::new(&PICTURES, Vec::new()).with_metadata("character", "a"));
    let err = Reader::new("quill", fake(), dictionary()).err().expect("no such family");
    assert!(err.hint().is_some_and(|h| h.contains("`ppocr-v6`")));
    let mut reader = Reader::new("ppocr-v6", fake(), dictionary()).expect("it opens");
    let frame = testing::frame(Size::new(64, 64), |_, _| [0; 3]);
    assert_eq!(reader.read(&frame).expect_err("too small").kind(), ErrorKind::ModelInvalid);
}

fn weights(name: &str) -> Option<[PathBuf; 2]> {
    #[expect(clippy::disallowed_methods, reason = "a test asks the person who runs it")]
    let named = std::env::var_os("TEMPOGRAPH_TEST_MODELS").map(PathBuf::from);
    let root = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models"));
    let files = ["det.onnx", "rec.onnx"].map(|f| root.join(name).join(f));
    if !files.iter().all(|f| f.is_file()) {
        println!("skipped: `tempograph models pull {name}` gives the weights");
        return None;
    }
    Some(files)
}

fn reader(model: &str, family: &str) -> Option<Reader> {
    let [det, rec] = weights(model)?;
    let (det, rec) = (testing::onnx(&det, 2)?, testing::onnx(&rec, 2)?);
    Some(Reader::new(family, det, rec).expect("it opens"))
}

/// What the scanned page says, typed from looking at it. Its last line is cut off at the edge.
const PAGE: &str = "Region-based segmentation Let us first determine markers of the coins and the background. These \
                    markers are pixels that we can label unambiguously as either object or background. Here, the \
                    markers are found at the two extreme parts of the histogram of grey values: >>> markers = \
                    np.zeros_like(coins)";

/// Share of the words of `truth` that `found` has in the same order.
fn word_accuracy(truth: &str, found: &str) -> f64 {
    let (truth, found): (Vec<_>, Vec<_>) = (truth.split_whitespace().collect(), found.split_whitespace().collect());
    let mut best = vec![0usize; found.len() + 1];
    for t in &truth {
        let mut diagonal = 0;
        for (j, f) in found.iter().enumerate() {
            let above = best[j + 1];
            best[j + 1] = if t == f { diagonal + 1 } else { above.max(best[j]) };
            diagonal = above;
        }
    }
    best[found.len()] as f64 / truth.len() as f64
}

#[test]
fn the_scanned_page_is_read() {
    let Some(mut reader) = reader("ppocr-v6-tiny", "ppocr-v6") else { return };
    let Some(frame) = testing::shared_image("page.png") else { return };
    let lines = reader.read(&frame).expect("it reads");
    let text = lines.iter().map(|l| l.text.as_str()).collect::<Vec<_>>().join(" ");
    for line in &lines {
        println!("{:.2} {:?} {}", line.confidence, line.bbox, line.text);
    }
    let accuracy = word_accuracy(PAGE, &text);
    println!("words right: {accuracy:.3}");
    assert!(accuracy >= 0.9, "{accuracy}");
}
