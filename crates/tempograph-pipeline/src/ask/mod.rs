//! Asking models: what is put to them, and what of their answers is believed.

mod listen;
#[cfg(test)]
pub(crate) mod testing;

pub use self::listen::{Answer, listen};
