//! Weights inside the binary, so that it works anywhere on its own. Their provenance is in `assets/models/README.md`.

/// The bytes of the bundled file `name`.
pub(super) fn bytes(name: &str) -> Option<&'static [u8]> {
    match name {
        "nanodet-g-416.onnx" => Some(include_bytes!("../../../../assets/models/nanodet-g-416.onnx")),
        "nanodet-g-416-int8.onnx" => Some(include_bytes!("../../../../assets/models/nanodet-g-416-int8.onnx")),
        "blazeface-full-range.onnx" => Some(include_bytes!("../../../../assets/models/blazeface-full-range.onnx")),
        "blazeface-short-range.onnx" => Some(include_bytes!("../../../../assets/models/blazeface-short-range.onnx")),
        "emotion-fer2013.onnx" => Some(include_bytes!("../../../../assets/models/emotion-fer2013.onnx")),
        "yamnet.onnx" => Some(include_bytes!("../../../../assets/models/yamnet.onnx")),
        "pyannote-segmentation-3.0.onnx" => {
            Some(include_bytes!("../../../../assets/models/pyannote-segmentation-3.0.onnx"))
        }
        "campplus-zh-en-192.onnx" => Some(include_bytes!("../../../../assets/models/campplus-zh-en-192.onnx")),
        _ => None,
    }
}
