//! GGUF language and vision models through llama.cpp, in a child process whose exit returns all memory.
//!
//! ```text
//! LocalVlm ─ frames resized, budget checked ─► child: Engine ─► llama.cpp
//!    ▲ chunks                                    │
//!    └───────────── frames over a pipe ◄─────────┘
//! ```
//!
//! The parent never calls the library: it reads the headers of the weights, and starts the command it is given, which
//! is to call [`serve`]. What reaches the child is the paths of weights, text and pixels: no file of a user.

mod align;
pub mod budget;
mod child;
mod cpu;
pub mod gguf;
mod local;
mod memory;
mod native;
mod process;
mod stream;
mod threads;
mod wire;

pub use self::{
    child::serve,
    local::{ChildCommand, LocalOptions, LocalVlm, Precision},
    memory::Memory,
};
