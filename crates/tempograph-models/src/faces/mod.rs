//! Faces: where they are and what they express.
//!
//! Two of MediaPipe's BlazeFace networks work together. The full-range one looks at the whole frame and proposes; the
//! short-range one, made for a face that fills its picture, looks at each proposal enlarged and decides. What only
//! looks like a face from afar does not pass the second look, and the second box is the better one to judge an
//! expression by.

mod anchors;
mod blazeface;
mod emotion;
mod sample;
mod search;
mod suppress;

use tempograph_core::BoxXyxy;

pub use self::{
    blazeface::BlazeFace,
    emotion::Emotions,
    search::{FaceOptions, FaceSearch},
};

/// A face in pixels of the picture it was found in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face {
    /// From the forehead to the chin.
    pub bbox: BoxXyxy,
    /// How surely it is one, 0 to 1.
    pub score: f32,
    /// Centres of the two eyes, the left one in the picture first.
    pub eyes: [(f32, f32); 2],
}

impl Face {
    /// The same face where pixels are `scale` times as large and the origin lies at `offset`.
    fn placed(self, scale: f32, offset: (f32, f32)) -> Self {
        let at = |(x, y): (f32, f32)| (x * scale + offset.0, y * scale + offset.1);
        let ((x1, y1), (x2, y2)) = (at((self.bbox.x1, self.bbox.y1)), at((self.bbox.x2, self.bbox.y2)));
        Self { bbox: BoxXyxy::new(x1, y1, x2, y2), score: self.score, eyes: self.eyes.map(at) }
    }

    /// The angle by which the line between the eyes falls to the right, radians; 0 for an upright face.
    fn roll(&self) -> f32 {
        let [(x1, y1), (x2, y2)] = self.eyes;
        let roll = (y2 - y1).atan2(x2 - x1);
        if roll.is_finite() { roll } else { 0.0 }
    }
}
