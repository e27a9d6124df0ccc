//! Model families (what a model means) and the model store (where its weights come from).

pub mod ct2;
pub mod detect;
pub mod onnx_graph;
pub mod safetensors;
pub mod speakers;
pub mod store;
pub mod vad;
pub mod whisper;
