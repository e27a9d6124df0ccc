//! Constant-velocity Kalman filters whose coordinates do not interact.
//!
//! With diagonal noise and start covariance, the 8-state filter of DeepSORT and ByteTrack and the
//! 7-state filter of SORT fall apart into one (value, rate) filter for each coordinate. The
//! numbers are the same; no matrix is ever formed.

/// One coordinate and its rate of change per step, with their covariance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    /// Value.
    pub(super) value: f64,
    /// Change a step.
    pub(super) rate: f64,
    var: f64,
    cov: f64,
    rate_var: f64,
}

impl Axis {
    /// A coordinate seen once, at rest, with the given standard deviations.
    pub(super) fn new(value: f64, std: f64, rate_std: f64) -> Self {
        Self { value, rate: 0.0, var: std * std, cov: 0.0, rate_var: rate_std * rate_std }
    }

    /// One step on, with process noise of the given standard deviations.
    pub(super) fn predict(&mut self, std: f64, rate_std: f64) {
        self.value += self.rate;
        self.var += 2.0 * self.cov + self.rate_var + std * std;
        self.cov += self.rate_var;
        self.rate_var += rate_std * rate_std;
    }

    /// Squared distance of a measurement with the given standard deviation, in standard deviations.
    pub(super) fn surprise(&self, measured: f64, std: f64) -> f64 {
        let total = self.var + std * std;
        if total > 0.0 { (measured - self.value).powi(2) / total } else { f64::INFINITY }
    }

    /// Takes in a measurement of the value with the given standard deviation.
    pub(super) fn correct(&mut self, measured: f64, std: f64) {
        let total = self.var + std * std;
        if total <= 0.0 {
            self.value = measured;
            return;
        }
        let (gain, rate_gain) = (self.var / total, self.cov / total);
        let off = measured - self.value;
        self.value += gain * off;
        self.rate += rate_gain * off;
        self.rate_var -= rate_gain * self.cov;
        self.cov -= gain * self.cov;
        self.var -= gain * self.var;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `supervision` 0.26.1's 8-state filter, x coordinate of a box 20 wide and 40 high that moves
    /// by 3 pixels a step: initiate, then three times predict and update.
    #[test]
    fn follows_the_joint_filter() {
        let h = 40.0;
        let (p, v) = (h / 20.0, h / 160.0);
        let mut x = Axis::new(100.0, 2.0 * p, 10.0 * v);
        for step in 1..=3 {
            x.predict(p, v);
            x.correct(100.0 + 3.0 * f64::from(step), p);
        }
        // Printed by the reference for the same steps.
        assert!((x.value - EXPECTED.0).abs() < 1e-9, "{}", x.value);
        assert!((x.rate - EXPECTED.1).abs() < 1e-9, "{}", x.rate);
    }

    const EXPECTED: (f64, f64) = (108.503_440_101_419_73, 2.071_902_052_751_276);
}
