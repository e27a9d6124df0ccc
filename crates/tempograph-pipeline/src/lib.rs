//! From decoded media to a fused timeline: analyzers, stages, stage cache, fusion.
pub mod cache;
pub mod analyze;
pub mod fuse;
