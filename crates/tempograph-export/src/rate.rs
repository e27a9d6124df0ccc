//! Frame rates as editing programs write them, and timecode.

use tempograph_core::MediaTime;

/// Rates that cameras and programs use, as a fraction.
const KNOWN: [(u32, u32); 14] = [
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (48_000, 1001),
    (48, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
    (100, 1),
    (120_000, 1001),
    (120, 1),
    (15, 1),
];
/// Frames a second that a measured mean may be off one of them: less than half of 24 − 23.976.
const OFF: f64 = 0.01;

/// Frames a second, `num / den`, above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) num: u32,
    pub(crate) den: u32,
}

impl Rate {
    /// The rate that a mean of `fps` stands for; 25 where there is no video.
    pub(crate) fn nearest(fps: f64) -> Self {
        let (num, den) = KNOWN
            .into_iter()
            .map(|(num, den)| ((f64::from(num) / f64::from(den) - fps).abs(), (num, den)))
            .filter(|(off, _)| *off < OFF)
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map_or_else(
                || match (fps * 1000.0).round() {
                    // From a frame in five minutes to more than any camera gives.
                    thousandths if (3.0..=1e6).contains(&thousandths) => (thousandths as u32, 1000),
                    _ => (25, 1),
                },
                |(_, known)| known,
            );
        Self { num, den }
    }

    /// Frames a second.
    pub(crate) fn fps(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }

    /// The frame that begins nearest to `time`, counted from time zero.
    pub(crate) fn frame_at(self, time: MediaTime) -> i64 {
        let per = i128::from(self.den) * 1_000_000_000;
        ((i128::from(time.nanos()) * i128::from(self.num) + per / 2).div_euclid(per)) as i64
    }

    /// Whether timecode leaves out numbers to keep up with the clock: 29.97 and 59.94 (SMPTE ST 12-1).
    pub(crate) fn drops(self) -> bool {
        self.den == 1001 && matches!(self.num, 30_000 | 60_000)
    }

    /// `HH:MM:SS:FF`; with `;` before the frames when numbers are left out. Hours wrap at a day.
    pub(crate) fn timecode(self, frame: i64) -> String {
        let whole = i64::from(self.num.div_ceil(self.den).max(1));
        let mut frame = frame.max(0);
        if self.drops() {
            // Each minute but every tenth begins with number 2 (or 4 at 59.94).
            let left_out = whole / 15;
            let (minute, ten) = (whole * 60 - left_out, whole * 600 - 9 * left_out);
            let (tens, rest) = (frame / ten, frame % ten);
            let minutes = if rest < whole * 60 { 0 } else { (rest - whole * 60) / minute + 1 };
            frame += left_out * (9 * tens + minutes);
        }
        let (ff, seconds) = (frame % whole, frame / whole);
        let (hh, mm, ss) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let mark = if self.drops() { ';' } else { ':' };
        format!("{hh:02}:{mm:02}:{ss:02}{mark}{ff:02}")
    }

    /// The time of `frame` as FCPXML writes it: a fraction of a second.
    pub(crate) fn rational(self, frame: i64) -> String {
        if frame == 0 { "0s".to_owned() } else { format!("{}/{}s", frame * i64::from(self.den), self.num) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_rates_become_the_known_ones() {
        for (fps, num, den) in [
            (29.970_03, 30_000, 1001),
            (30.0, 30, 1),
            (23.976, 24_000, 1001),
            (25.002, 25, 1),
            (12.5, 12_500, 1000),
            (0.0, 25, 1),
            (f64::NAN, 25, 1),
        ] {
            assert_eq!(Rate::nearest(fps), Rate { num, den }, "{fps}");
        }
    }

    /// Published pairs of frame counts and drop-frame timecode.
    #[test]
    fn drop_frame_timecode() {
        let ntsc = Rate::nearest(29.97);
        for (frame, code) in [
            (0, "00:00:00;00"),
            (1799, "00:00:59;29"),
            (1800, "00:01:00;02"),
            (3597, "00:01:59;29"),
            (3598, "00:02:00;02"),
            (17_981, "00:09:59;29"),
            (17_982, "00:10:00;00"),
            (107_892, "01:00:00;00"),
        ] {
            assert_eq!(ntsc.timecode(frame), code);
        }
        let double = Rate::nearest(59.94);
        assert_eq!((double.timecode(3599).as_str(), double.timecode(3600).as_str()), ("00:00:59;59", "00:01:00;04"));
        assert_eq!(double.timecode(215_784), "01:00:00;00");
        assert_eq!(Rate::nearest(23.976).timecode(1440), "00:01:00:00");
        assert_eq!(Rate::nearest(25.0).timecode(25 * 3600 * 25), "01:00:00:00");
    }

    #[test]
    fn frames_and_fractions() {
        let ntsc = Rate::nearest(29.97);
        assert_eq!(ntsc.frame_at(MediaTime::from_ticks(100 * 1001, 1, 30_000)), 100);
        assert_eq!((ntsc.rational(100).as_str(), ntsc.rational(0).as_str()), ("100100/30000s", "0s"));
    }
}
