use tempograph_core::timeline::Video;

use super::*;

#[test]
fn x() {
    let _ = Timeline::empty(Video::default());
}
