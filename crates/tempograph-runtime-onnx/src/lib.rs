//! Runs ONNX graphs with ONNX Runtime, loaded at run time.
