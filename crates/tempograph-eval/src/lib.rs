//! Scores results against truth: MOT, scenes, WER, DER, AP, depth.
