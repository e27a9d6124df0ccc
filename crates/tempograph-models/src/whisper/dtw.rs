//! The cheapest way through a matrix of costs, by dynamic time warping.

/// The path from the first to the last cell of `costs` `[rows, columns]` with the lowest sum, as pairs of row and
/// column. Steps go down, right, or both; of equal ways the diagonal is taken, then down.
pub(super) fn path(costs: &[f32], rows: usize, columns: usize) -> Vec<(usize, usize)> {
    if rows == 0 || columns == 0 || costs.len() < rows * columns {
        return Vec::new();
    }
    let width = columns + 1;
    let mut previous = vec![f32::INFINITY; width];
    previous[0] = 0.0;
    let mut current = vec![f32::INFINITY; width];
    let mut steps = vec![0u8; rows * columns];
    for row in 0..rows {
        current[0] = f32::INFINITY;
        for column in 0..columns {
            let (diagonal, down, right) = (previous[column], previous[column + 1], current[column]);
            let (least, step) = if diagonal <= down && diagonal <= right {
                (diagonal, 0)
            } else if down <= right {
                (down, 1)
            } else {
                (right, 2)
            };
            current[column + 1] = costs[row * columns + column] + least;
            steps[row * columns + column] = step;
        }
        std::mem::swap(&mut previous, &mut current);
    }
    let (mut row, mut column) = (rows - 1, columns - 1);
    let mut path = vec![(row, column)];
    while row > 0 || column > 0 {
        match steps[row * columns + column] {
            _ if row == 0 => column -= 1,
            _ if column == 0 => row -= 1,
            0 => (row, column) = (row - 1, column - 1),
            1 => row -= 1,
            _ => column -= 1,
        }
        path.push((row, column));
    }
    path.reverse();
    path
}

/// The median of every `width` neighbours in a row; the ends are mirrored.
pub(super) fn median(row: &[f32], width: usize) -> Vec<f32> {
    let half = width / 2;
    if row.len() <= half {
        return row.to_vec();
    }
    let last = row.len() as i64 - 1;
    let at = |i: i64| {
        let i = if i < 0 {
            -i
        } else if i > last {
            2 * last - i
        } else {
            i
        };
        row[usize::try_from(i).unwrap_or(0)]
    };
    let mut window = vec![0.0; 2 * half + 1];
    (0..row.len() as i64)
        .map(|i| {
            for (k, slot) in window.iter_mut().enumerate() {
                *slot = at(i + k as i64 - half as i64);
            }
            window.sort_by(f32::total_cmp);
            window[half]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_path_follows_the_cheap_cells() {
        let costs = [0., 0., 9., 9., 9., 9., 0., 9., 9., 9., 9., 0.];
        assert_eq!(path(&costs, 3, 4), [(0, 0), (0, 1), (1, 2), (2, 3)]);
        assert_eq!(path(&[], 0, 4), []);
    }

    #[test]
    fn the_median_drops_a_spike() {
        assert_eq!(median(&[1., 1., 9., 1., 1., 1., 1.], 7), [1.; 7]);
        assert_eq!(median(&[1., 2.], 7), [1., 2.]);
    }

    fn cheapest(costs: &[f32], columns: usize, row: usize, column: usize) -> f32 {
        let here = costs[row * columns + column];
        let mut ways = Vec::new();
        if row > 0 {
            ways.push(cheapest(costs, columns, row - 1, column));
        }
        if column > 0 {
            ways.push(cheapest(costs, columns, row, column - 1));
        }
        if row > 0 && column > 0 {
            ways.push(cheapest(costs, columns, row - 1, column - 1));
        }
        here + ways.into_iter().reduce(f32::min).unwrap_or(0.0)
    }

    proptest! {
        #[test]
        fn no_way_is_cheaper(rows in 1usize..5, columns in 1usize..5, seed in proptest::collection::vec(-4i8..5, 25)) {
            let costs: Vec<f32> = seed[..rows * columns].iter().map(|&c| f32::from(c)).collect();
            let found: f32 = path(&costs, rows, columns).iter().map(|&(r, c)| costs[r * columns + c]).sum();
            prop_assert_eq!(found, cheapest(&costs, columns, rows - 1, columns - 1));
        }
    }
}
