//! Media time: integer nanoseconds on the presentation clock.

use std::{
    fmt,
    ops::{Add, Sub},
};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A presentation time or a duration, in integer nanoseconds.
///
/// Zero is the start of the container's own clock, not the first frame: a stream that starts
/// at 3601.4 s keeps that offset. JSON shows seconds as a number (`"start_s": 1.52`); the
/// conversion is exact both ways for every time below about 52 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(i64);

impl MediaTime {
    /// The origin.
    pub const ZERO: Self = Self(0);
    /// Later than any time a file can hold.
    pub const MAX: Self = Self(i64::MAX);

    /// From integer nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From integer milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 1_000_000)
    }

    /// From seconds, rounded to the nearest nanosecond. Not-a-number gives zero.
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs * 1e9).round() as i64)
    }

    /// From a count of `num / den` second ticks, rounded half away from zero.
    ///
    /// Returns zero when `den` is zero.
    pub fn from_ticks(ticks: i64, num: i32, den: i32) -> Self {
        if den == 0 {
            return Self::ZERO;
        }
        let scaled = i128::from(ticks) * i128::from(num) * 1_000_000_000;
        let den = i128::from(den);
        let (scaled, den) = (scaled * den.signum(), den.abs());
        Self(((scaled + scaled.signum() * (den / 2)) / den) as i64)
    }

    /// Integer nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The absolute difference.
    pub fn abs_diff(self, other: Self) -> Self {
        Self((self.0 - other.0).abs())
    }

    /// The sum, held at the limits instead of overflowing.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Add for MediaTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for MediaTime {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// `HH:MM:SS.mmm`.
impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let millis = (self.0.unsigned_abs() + 500_000) / 1_000_000;
        let (secs, millis) = (millis / 1000, millis % 1000);
        write!(f, "{sign}{:02}:{:02}:{:02}.{millis:03}", secs / 3600, secs / 60 % 60, secs % 60)
    }
}

impl Serialize for MediaTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_secs_f64())
    }
}

impl<'de> Deserialize<'de> for MediaTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::from_secs_f64)
    }
}

impl JsonSchema for MediaTime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Seconds".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "number",
            "description": "seconds on the container's presentation clock"
        })
    }
}

/// A half-open interval `[start, end)` of media time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// First instant inside.
    #[serde(rename = "start_s")]
    pub start: MediaTime,
    /// First instant after.
    #[serde(rename = "end_s")]
    pub end: MediaTime,
}

impl Span {
    /// The interval from `start` to `end`; an `end` before `start` is moved to `start`.
    pub fn new(start: MediaTime, end: MediaTime) -> Self {
        Self { start, end: end.max(start) }
    }

    /// The length.
    pub fn duration(self) -> MediaTime {
        self.end - self.start
    }

    /// Whether `time` lies inside.
    pub fn contains(self, time: MediaTime) -> bool {
        self.start <= time && time < self.end
    }

    /// The common part, when it is not empty.
    pub fn intersect(self, other: Self) -> Option<Self> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start < end).then_some(Self { start, end })
    }

    /// The distance between two intervals; zero when they touch or overlap.
    pub fn gap(self, other: Self) -> MediaTime {
        MediaTime((other.start.0 - self.end.0).max(self.start.0 - other.end.0).max(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_round_to_the_nearest_nanosecond() {
        assert_eq!(MediaTime::from_ticks(1, 1, 3).nanos(), 333_333_333);
        assert_eq!(MediaTime::from_ticks(2, 1, 3).nanos(), 666_666_667);
        assert_eq!(MediaTime::from_ticks(-2, 1, 3).nanos(), -666_666_667);
        assert_eq!(MediaTime::from_ticks(90_000, 1, 90_000), MediaTime::from_millis(1000));
    }

    #[test]
    fn display_rounds_to_milliseconds() {
        assert_eq!(MediaTime::from_secs_f64(3661.2345).to_string(), "01:01:01.235");
    }

    proptest! {
        #[test]
        fn seconds_in_json_round_trip(nanos in 0i64..4_000_000_000_000_000) {
            let time = MediaTime::from_nanos(nanos);
            let json = serde_json::to_string(&time).expect("a number");
            prop_assert_eq!(serde_json::from_str::<MediaTime>(&json).expect("the same number"), time);
        }

        #[test]
        fn gap_and_intersection_exclude_each_other(a in 0i64..100, b in 0i64..100, c in 0i64..100, d in 0i64..100) {
            let x = Span::new(MediaTime::from_nanos(a), MediaTime::from_nanos(b));
            let y = Span::new(MediaTime::from_nanos(c), MediaTime::from_nanos(d));
            prop_assert!(x.intersect(y).is_none() || x.gap(y) == MediaTime::ZERO);
            prop_assert_eq!(x.gap(y), y.gap(x));
        }
    }
}
