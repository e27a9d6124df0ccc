//! Sizes and boxes, in displayed pixels unless a name says otherwise.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// A size of `width` columns and `height` rows.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Pixels in all.
    pub fn area(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// An axis-aligned box, corners in pixels: `x1 ≤ x2`, `y1 ≤ y2`, origin at the top left.
///
/// JSON form: `[x1, y1, x2, y2]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "[f32; 4]", into = "[f32; 4]")]
#[schemars(with = "[f32; 4]")]
pub struct BoxXyxy {
    /// Left edge.
    pub x1: f32,
    /// Top edge.
    pub y1: f32,
    /// Right edge.
    pub x2: f32,
    /// Bottom edge.
    pub y2: f32,
}

impl From<[f32; 4]> for BoxXyxy {
    fn from([x1, y1, x2, y2]: [f32; 4]) -> Self {
        Self { x1, y1, x2, y2 }
    }
}

impl From<BoxXyxy> for [f32; 4] {
    fn from(b: BoxXyxy) -> Self {
        [b.x1, b.y1, b.x2, b.y2]
    }
}

impl BoxXyxy {
    /// A box from its corners.
    pub const fn new(x1: f32, y1: f32, x2: f32, y2: f32) -> Self {
        Self { x1, y1, x2, y2 }
    }

    /// A box from its top-left corner and its extent.
    pub fn from_xywh(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self::new(x, y, x + w, y + h)
    }

    /// Horizontal extent, never negative.
    pub fn width(self) -> f32 {
        (self.x2 - self.x1).max(0.0)
    }

    /// Vertical extent, never negative.
    pub fn height(self) -> f32 {
        (self.y2 - self.y1).max(0.0)
    }

    /// Area in square pixels.
    pub fn area(self) -> f32 {
        self.width() * self.height()
    }

    /// Centre `(x, y)`.
    pub fn center(self) -> (f32, f32) {
        ((self.x1 + self.x2) / 2.0, (self.y1 + self.y2) / 2.0)
    }

    /// Area of the common part.
    pub fn intersection_area(self, other: Self) -> f32 {
        let w = self.x2.min(other.x2) - self.x1.max(other.x1);
        let h = self.y2.min(other.y2) - self.y1.max(other.y1);
        w.max(0.0) * h.max(0.0)
    }

    /// Intersection over union, 0 to 1; 0 when either box is empty.
    pub fn iou(self, other: Self) -> f32 {
        let inter = self.intersection_area(other);
        let union = self.area() + other.area() - inter;
        if union > 0.0 { inter / union } else { 0.0 }
    }

    /// The box that is `share` (0 to 1) of a straight way from this one to `other`.
    pub fn toward(self, other: Self, share: f32) -> Self {
        let (a, b) = (<[f32; 4]>::from(self), <[f32; 4]>::from(other));
        Self::from([0, 1, 2, 3].map(|i| a[i] + (b[i] - a[i]) * share))
    }

    /// The part inside an image of `size`.
    pub fn clip(self, size: Size) -> Self {
        let (w, h) = (size.width as f32, size.height as f32);
        Self::new(self.x1.clamp(0.0, w), self.y1.clamp(0.0, h), self.x2.clamp(0.0, w), self.y2.clamp(0.0, h))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_way_to_a_box_is_straight() {
        let (a, b) = (BoxXyxy::new(0.0, 10.0, 20.0, 30.0), BoxXyxy::new(8.0, 10.0, 36.0, 50.0));
        assert_eq!(a.toward(b, 0.25), BoxXyxy::new(2.0, 10.0, 24.0, 35.0));
        assert_eq!((a.toward(b, 0.0), a.toward(b, 1.0)), (a, b));
    }

    proptest! {
        #[test]
        fn iou_is_symmetric_and_bounded(v in prop::array::uniform8(-100f32..100.0)) {
            let a = BoxXyxy::from_xywh(v[0], v[1], v[2].abs(), v[3].abs());
            let b = BoxXyxy::from_xywh(v[4], v[5], v[6].abs(), v[7].abs());
            prop_assert_eq!(a.iou(b), b.iou(a));
            prop_assert!((0.0..=1.0001).contains(&a.iou(b)));
        }
    }

    #[test]
    fn iou_of_a_quarter_overlap() {
        let a = BoxXyxy::new(0.0, 0.0, 2.0, 2.0);
        let b = BoxXyxy::new(1.0, 1.0, 3.0, 3.0);
        assert!((a.iou(b) - 1.0 / 7.0).abs() < 1e-6);
    }
}
