//! From decoded media to a fused timeline: analyzers, stages, stage cache, fusion.

pub mod analyze;
pub mod ask;
pub mod cache;
pub mod chat;
pub mod fuse;
pub mod run;
mod threads;
