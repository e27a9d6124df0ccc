//! Model families (what a model means) and the model store (where its weights come from).

pub mod ct2;
pub mod depth;
pub mod detect;
pub mod embed;
pub mod faces;
pub mod fft;
pub mod ocr;
pub mod onnx_graph;
pub mod safetensors;
pub mod sounds;
pub mod speakers;
pub mod store;
#[cfg(test)]
mod testing;
pub mod vad;
pub mod whisper;
