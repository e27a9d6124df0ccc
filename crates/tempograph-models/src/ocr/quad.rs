//! Rotated rectangles: around marked pixels, grown, ordered.

use tempograph_core::BoxXyxy;

type Point = [f64; 2];

/// A rotated rectangle: top left, top right, bottom right and bottom left corner as its text reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quad {
    pub(super) corners: [Point; 4],
}

impl Quad {
    /// The rectangle of least area around `points`; `None` without points.
    ///
    /// One side of it lies along a side of the convex hull (Freeman and Shapira 1975), so every side is tried.
    pub(super) fn around(points: &mut Vec<Point>) -> Option<Self> {
        let hull = hull(points);
        let first = *hull.first()?;
        let mut best: Option<(f64, Self)> = None;
        for (i, &a) in hull.iter().enumerate() {
            let b = hull[(i + 1) % hull.len()];
            let length = (b[0] - a[0]).hypot(b[1] - a[1]);
            let along = if length > 0.0 { [(b[0] - a[0]) / length, (b[1] - a[1]) / length] } else { [1.0, 0.0] };
            let rect = Self::oriented(&hull, along);
            let area = rect.width() * rect.height();
            if best.as_ref().is_none_or(|(least, _)| area < *least) {
                best = Some((area, rect));
            }
        }
        Some(best.map_or(Self { corners: [first; 4] }, |(_, rect)| rect).ordered())
    }

    /// The rectangle around `points` with sides along `u`.
    fn oriented(points: &[Point], u: Point) -> Self {
        let v = [-u[1], u[0]];
        let extent = |axis: Point| {
            let at = points.iter().map(|p| p[0] * axis[0] + p[1] * axis[1]);
            at.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), t| (low.min(t), high.max(t)))
        };
        let ((u0, u1), (v0, v1)) = (extent(u), extent(v));
        let at = |s: f64, t: f64| [u[0] * s + v[0] * t, u[1] * s + v[1] * t];
        Self { corners: [at(u0, v0), at(u1, v0), at(u1, v1), at(u0, v1)] }
    }

    /// The same corners, from the top left one clockwise: of the two left ones the upper is the first.
    fn ordered(self) -> Self {
        let mut c = self.corners;
        c.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let pair = |a: Point, b: Point| if a[1] <= b[1] { (a, b) } else { (b, a) };
        let ((top_left, bottom_left), (top_right, bottom_right)) = (pair(c[0], c[1]), pair(c[2], c[3]));
        Self { corners: [top_left, top_right, bottom_right, bottom_left] }
    }

    pub(super) fn width(&self) -> f64 {
        distance(self.corners[0], self.corners[1])
    }

    pub(super) fn height(&self) -> f64 {
        distance(self.corners[0], self.corners[3])
    }

    /// The rectangle with every side moved out by `by`.
    pub(super) fn grown(&self, by: f64) -> Self {
        let [tl, tr, br, bl] = self.corners;
        // The longer side says where the text runs: a short one may be no more than rounding.
        let unit = |a: Point, b: Point| {
            let length = distance(a, b);
            if length > 0.0 { [(b[0] - a[0]) / length, (b[1] - a[1]) / length] } else { [1.0, 0.0] }
        };
        let u = if self.width() >= self.height() { unit(tl, tr) } else { unit(bl, tl) };
        let u = if self.width() >= self.height() { u } else { [-u[1], u[0]] };
        let v = [-u[1], u[0]];
        let push = |p: Point, s: f64, t: f64| [p[0] + by * (s * u[0] + t * v[0]), p[1] + by * (s * u[1] + t * v[1])];
        Self { corners: [push(tl, -1.0, -1.0), push(tr, 1.0, -1.0), push(br, 1.0, 1.0), push(bl, -1.0, 1.0)] }
    }

    /// The rectangle in a picture scaled by `sx` and `sy`.
    pub(super) fn scaled(&self, sx: f64, sy: f64) -> Self {
        Self { corners: self.corners.map(|[x, y]| [x * sx, y * sy]) }
    }

    /// The upright box around it.
    pub(super) fn bounds(&self) -> BoxXyxy {
        let fold = |axis: usize, pick: fn(f64, f64) -> f64| {
            self.corners.iter().map(|c| c[axis]).reduce(pick).unwrap_or_default() as f32
        };
        BoxXyxy::new(fold(0, f64::min), fold(1, f64::min), fold(0, f64::max), fold(1, f64::max))
    }

    /// Whether the point lies inside or on the edge.
    pub(super) fn contains(&self, p: Point) -> bool {
        (0..4).all(|i| cross(self.corners[i], self.corners[(i + 1) % 4], p) >= -1e-9)
    }

    /// Orders lines from top to bottom, those of one height from left to right.
    pub(super) fn reading_key(&self) -> (i64, f64) {
        let middle = (self.corners[0][1] + self.corners[2][1]) / 2.0;
        // Two boxes of one line of text rarely differ by more in height.
        const SAME_LINE_PX: f64 = 10.0;
        ((middle / SAME_LINE_PX).floor() as i64, self.corners[0][0])
    }
}

fn distance(a: Point, b: Point) -> f64 {
    (b[0] - a[0]).hypot(b[1] - a[1])
}

/// Above 0 when `c` lies to the right of the way from `a` to `b` as seen on the screen (y grows downwards).
fn cross(a: Point, b: Point, c: Point) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// The corners of the convex hull (Andrew's monotone chain, 1979); sorts `points`.
fn hull(points: &mut Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    points.dedup();
    if points.len() < 3 {
        return points.clone();
    }
    let mut hull: Vec<Point> = Vec::new();
    let mut chain = |points: &mut dyn Iterator<Item = &Point>| {
        let base = hull.len();
        for &p in points {
            while hull.len() >= base + 2 && cross(hull[hull.len() - 2], hull[hull.len() - 1], p) <= 0.0 {
                hull.pop();
            }
            hull.push(p);
        }
        hull.pop();
    };
    chain(&mut points.iter());
    chain(&mut points.iter().rev());
    hull
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tilted_strip_is_found_with_its_corners_in_order() {
        // A 10 by 2 strip turned by the angle of a 3-4-5 triangle.
        let (u, v) = ([0.8, 0.6], [-0.6, 0.8]);
        let at = |s: f64, t: f64| [5.0 + u[0] * s + v[0] * t, 5.0 + u[1] * s + v[1] * t];
        let mut points: Vec<Point> =
            (0..=10).flat_map(|s| (0..=2).map(move |t| at(f64::from(s), f64::from(t)))).collect();
        let quad = Quad::around(&mut points).expect("points");
        assert!((quad.width() - 10.0).abs() < 1e-9 && (quad.height() - 2.0).abs() < 1e-9, "{quad:?}");
        assert!(distance(quad.corners[0], at(0.0, 0.0)) < 1e-9);
        let grown = quad.grown(1.5);
        assert!((grown.width() - 13.0).abs() < 1e-9 && (grown.height() - 5.0).abs() < 1e-9);
        assert!(grown.contains(at(-1.0, -1.0)) && !quad.contains(at(-1.0, -1.0)));
    }

    #[test]
    fn one_point_is_a_rectangle_without_extent() {
        let quad = Quad::around(&mut vec![[3.0, 4.0]]).expect("a point");
        assert_eq!((quad.width(), quad.height()), (0.0, 0.0));
        assert_eq!(quad.grown(2.0).bounds(), BoxXyxy::new(1.0, 2.0, 5.0, 6.0));
        assert_eq!(Quad::around(&mut Vec::new()), None);
    }

    proptest! {
        #[test]
        fn every_point_lies_inside_and_no_upright_box_is_smaller(points in prop::collection::vec((0i32..200, 0i32..200), 1..60)) {
            let mut points: Vec<Point> = points.iter().map(|&(x, y)| [f64::from(x), f64::from(y)]).collect();
            let upright = Quad::oriented(&points, [1.0, 0.0]);
            let quad = Quad::around(&mut points).expect("points");
            prop_assert!(quad.width() * quad.height() <= upright.width() * upright.height() + 1e-6);
            let slack = quad.grown(1e-6);
            prop_assert!(points.iter().all(|&p| slack.contains(p)));
        }
    }
}
