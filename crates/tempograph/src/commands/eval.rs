//! `tempograph eval`: a result against the truth.

use tempograph_core::Result;
use tempograph_eval::EvalOptions;

use crate::{args, commands};

/// Prints the scores as JSON.
pub(crate) fn run(args: &args::Eval) -> Result<u8> {
    let defaults = EvalOptions::default();
    let mut options = EvalOptions {
        normalize: args.normalize,
        skip_overlap: args.skip_overlap,
        collar: args.collar.unwrap_or(defaults.collar),
        iou: args.iou.unwrap_or(defaults.iou),
        labels: args.labels.clone(),
        tolerance: args.tolerance.unwrap_or(defaults.tolerance),
        fps: args.fps,
        video: args.video.clone(),
        uem: args.uem.clone(),
        ..defaults
    };
    options.set_depth(&args.depth_truth, &args.depth_result, &args.align)?;
    commands::print_json(&tempograph_eval::run(&args.kind, &args.truth, &args.file, &options)?)?;
    Ok(0)
}
