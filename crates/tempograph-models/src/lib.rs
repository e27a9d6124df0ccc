//! Model families (what a model means) and the model store (where its weights come from).

pub mod detect;
pub mod vad;
