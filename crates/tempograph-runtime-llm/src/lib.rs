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

#![cfg_attr(not(feature = "engine"), allow(dead_code, reason = "what is parsed is then used by nobody"))]

#[cfg(feature = "engine")]
mod align;
#[cfg(feature = "engine")]
pub mod budget;
#[cfg(feature = "engine")]
mod child;
#[cfg(feature = "engine")]
mod cpu;
pub mod gguf;
#[cfg(feature = "engine")]
mod local;
mod memory;
#[cfg(feature = "engine")]
mod native;
#[cfg(feature = "engine")]
mod process;
#[cfg(feature = "engine")]
mod stream;
#[cfg(feature = "engine")]
mod threads;
mod wire;

#[doc(hidden)]
pub use self::wire::each_frame;
#[cfg(feature = "engine")]
pub use self::{
    child::serve,
    local::{ChildCommand, LocalOptions, LocalVlm, Precision},
};
pub use memory::Memory;
