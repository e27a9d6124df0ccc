//! Two-tap linear taps and the area mean, as OpenCV's `INTER_LINEAR` and `INTER_AREA` for 8 bits.

/// Weights are in 2048ths, as OpenCV's `INTER_RESIZE_COEF_SCALE`.
const UNIT: f32 = 2048.0;

/// For each output position, two input positions with their weights in 2048ths.
#[derive(Clone, Debug, Default)]
pub(super) struct Taps {
    pub(super) first: Vec<u32>,
    pub(super) second: Vec<u32>,
    pub(super) weights: [Vec<i16>; 2],
}

impl Taps {
    /// From `from` to `to` positions, pixel centres aligned; both above 0.
    pub(super) fn linear(from: u32, to: u32) -> Self {
        let scale = f64::from(from) / f64::from(to);
        Self::build(from, to, |i| {
            let x = ((f64::from(i) + 0.5) * scale - 0.5) as f32;
            (x.floor() as i64, x - x.floor())
        })
    }

    /// The same for `INTER_AREA` where it enlarges.
    pub(super) fn area_enlarging(from: u32, to: u32) -> Self {
        let scale = f64::from(from) / f64::from(to);
        Self::build(from, to, |i| {
            let x = (f64::from(i) * scale).floor();
            let f = ((f64::from(i) + 1.0) - (x + 1.0) / scale) as f32;
            (x as i64, if f <= 0.0 { 0.0 } else { f - f.floor() })
        })
    }

    fn build(from: u32, to: u32, place: impl Fn(u32) -> (i64, f32)) -> Self {
        let last = i64::from(from) - 1;
        let mut taps = Self::default();
        for i in 0..to {
            let (x, f) = place(i);
            let (x, f) = if x < 0 || x >= last { (x.clamp(0, last), 0.0) } else { (x, f) };
            taps.first.push(x as u32);
            taps.second.push((x + 1).min(last) as u32);
            taps.weights[0].push(((1.0 - f) * UNIT).round_ties_even() as i16);
            taps.weights[1].push((f * UNIT).round_ties_even() as i16);
        }
        taps
    }

    /// Whether the second position never counts.
    pub(super) fn single(&self) -> bool {
        self.weights[1].iter().all(|&w| w == 0)
    }
}

/// The weighted sum of two, in 128ths: what [`blend`] takes.
pub(super) fn across(a: u8, b: u8, [wa, wb]: [i16; 2]) -> i16 {
    let (a, b) = (i32::from(i16::from(a)), i32::from(i16::from(b)));
    (a.wrapping_mul(i32::from(wa)).wrapping_add(b.wrapping_mul(i32::from(wb))) >> 4) as i16
}

/// The weighted sum of two results of [`across`], rounded to 8 bits.
pub(super) fn blend(a: i16, b: i16, [wa, wb]: [i16; 2]) -> u8 {
    let part = |v: i16, w: i16| ((i32::from(v).wrapping_mul(i32::from(w))) >> 16) as i16;
    (part(a, wa).wrapping_add(part(b, wb)).wrapping_add(2) >> 2).clamp(0, 255) as u8
}

/// Brings one channel to a square of `side` pixels by the mean of what each covers.
#[derive(Clone, Debug, Default)]
pub(super) struct SquareArea {
    from: (u32, u32),
    side: u32,
    columns: Spans,
    rows: Spans,
    sums: Vec<f32>,
}

/// Which inputs an output covers, with the share of each.
type Spans = Vec<Vec<(usize, f32)>>;

impl SquareArea {
    /// Writes `side²` means of the `width × height` channel into `out`.
    pub(super) fn apply(&mut self, channel: &[u8], (width, height): (u32, u32), side: u32, out: &mut Vec<u8>) {
        out.clear();
        if width < side || height < side {
            return enlarge(channel, (width, height), side, out);
        }
        if (self.from, self.side) != ((width, height), side) {
            *self = Self {
                from: (width, height),
                side,
                columns: spans(width, side),
                rows: spans(height, side),
                sums: Vec::new(),
            };
        }
        let rows = channel.chunks_exact(width as usize).collect::<Vec<_>>();
        if width.is_multiple_of(side) && height.is_multiple_of(side) {
            let scale = 1.0 / ((width / side) * (height / side)) as f32;
            for covered in &self.rows {
                for span in &self.columns {
                    let (x0, x1) = (span[0].0, span[span.len() - 1].0);
                    let sum: u32 = covered.iter().flat_map(|&(y, _)| &rows[y][x0..=x1]).map(|&v| u32::from(v)).sum();
                    out.push(to_u8(sum as f32 * scale));
                }
            }
            return;
        }
        for covered in &self.rows {
            self.sums.clear();
            self.sums.resize(side as usize, 0.0);
            for &(y, beta) in covered {
                for (sum, span) in self.sums.iter_mut().zip(&self.columns) {
                    let mean = span.iter().fold(0.0, |acc, &(x, alpha)| acc + f32::from(rows[y][x]) * alpha);
                    *sum += beta * mean;
                }
            }
            out.extend(self.sums.iter().map(|&v| to_u8(v)));
        }
    }
}

fn to_u8(v: f32) -> u8 {
    v.round_ties_even().clamp(0.0, 255.0) as u8
}

/// The shares of `from` inputs in each of `to` outputs; slivers below a thousandth are left out.
fn spans(from: u32, to: u32) -> Spans {
    let scale = f64::from(from) / f64::from(to);
    (0..to)
        .map(|i| {
            let start = f64::from(i) * scale;
            let end = start + scale;
            let cell = scale.min(f64::from(from) - start);
            let (mut a, mut b) = (start.ceil() as i64, end.floor() as i64);
            b = b.min(i64::from(from) - 1);
            a = a.min(b);
            let mut span = Vec::new();
            if a as f64 - start > 1e-3 {
                span.push(((a - 1) as usize, ((a as f64 - start) / cell) as f32));
            }
            span.extend((a..b).map(|x| (x as usize, (1.0 / cell) as f32)));
            if end - b as f64 > 1e-3 {
                span.push((b as usize, ((end - b as f64).min(1.0).min(cell) / cell) as f32));
            }
            span
        })
        .collect()
}

fn enlarge(channel: &[u8], (width, height): (u32, u32), side: u32, out: &mut Vec<u8>) {
    let (columns, rows) = (Taps::area_enlarging(width, side), Taps::area_enlarging(height, side));
    let at = |x: u32, y: u32| channel[y as usize * width as usize + x as usize];
    for y in 0..side as usize {
        let line = |row: u32, x: usize| {
            let [wa, wb] = &columns.weights;
            across(at(columns.first[x], row), at(columns.second[x], row), [wa[x], wb[x]])
        };
        for x in 0..side as usize {
            let weights = [rows.weights[0][y], rows.weights[1][y]];
            out.push(blend(line(rows.first[y], x), line(rows.second[y], x), weights));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_flat_picture_stays_flat(w in 1u32..300, h in 1u32..300, side in 1u32..40, v: u8) {
            let mut out = Vec::new();
            SquareArea::default().apply(&vec![v; (w * h) as usize], (w, h), side, &mut out);
            prop_assert_eq!(out.len(), (side * side) as usize);
            prop_assert!(out.iter().all(|&o| o.abs_diff(v) <= 1));
        }

        #[test]
        fn taps_stay_inside(from in 1u32..5000, to in 1u32..300) {
            for taps in [Taps::linear(from, to), Taps::area_enlarging(from, to)] {
                prop_assert_eq!(taps.first.len(), to as usize);
                prop_assert!(taps.second.iter().chain(&taps.first).all(|&x| x < from));
                let [a, b] = &taps.weights;
                prop_assert!(a.iter().zip(b).all(|(a, b)| (a + b - 2048).abs() <= 1 && *a >= 0 && *b >= 0));
            }
        }
    }
}
