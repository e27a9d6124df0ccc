//! Asking models: what is put to them, and what of their answers is believed.

mod listen;
pub mod structured;
#[cfg(test)]
pub(crate) mod testing;

pub use self::{
    listen::{Answer, listen},
    structured::{Answered, Structured, TimeFrame, TimeText, Unanswered, ask_structured},
};
