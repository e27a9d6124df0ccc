//! Times as models write them, held to the window and to the edges that were measured.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tempograph_core::{MediaTime, Span};

/// The longest time anyone means, in seconds: a hundred days.
const MAX_SECONDS: f64 = 8_640_000.0;

/// A time in an answer: seconds as a number or a text, `12.4s`, `MM:SS` or `HH:MM:SS.mmm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct TimeText(f64);

impl TimeText {
    /// The time `seconds`; not-a-number and what is beyond a hundred days is none.
    pub fn from_secs(seconds: f64) -> Option<Self> {
        (seconds.abs() <= MAX_SECONDS).then_some(Self(seconds))
    }

    /// As it was said, on whatever clock the question used.
    pub fn said(self) -> MediaTime {
        MediaTime::from_secs_f64(self.0)
    }
}

impl FromStr for TimeText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{}` is not a time", text.chars().take(40).collect::<String>());
        let plain = text.trim().trim_start_matches(['~', '≈', '@', 't', '=']).trim().to_ascii_lowercase();
        let seconds = if plain.contains(':') { clock(&plain) } else { units(&plain) };
        seconds.and_then(Self::from_secs).ok_or_else(refused)
    }
}

/// `[HH:]MM:SS[.mmm]`, with a comma for the point as in SubRip.
fn clock(text: &str) -> Option<f64> {
    let text = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let parts: Vec<&str> = text.split(':').map(str::trim).collect();
    let (last, before) = parts.split_last()?;
    if before.is_empty() || before.len() > 2 {
        return None;
    }
    let seconds = decimal(last).filter(|s| *s < 60.0)?;
    let mut minutes = 0.0;
    for (i, part) in before.iter().enumerate() {
        if part.is_empty() || part.len() > 6 || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let count: f64 = part.parse().ok()?;
        if i > 0 && count >= 60.0 {
            return None;
        }
        minutes = minutes * 60.0 + count;
    }
    let total = minutes * 60.0 + seconds;
    Some(if negative { -total } else { total })
}

/// `12.4`, `12.4 s`, `1m 2.5s`, `1h2m3s`, `350 ms`.
fn units(text: &str) -> Option<f64> {
    let (negative, mut rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest.trim_start()));
    let mut total = 0.0;
    let mut smallest = f64::INFINITY;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(rest.len());
        let value = decimal(&rest[..digits])?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
            "ms" | "msec" | "millis" | "milliseconds" => 1e-3,
            _ => return None,
        };
        // Units go from large to small, each once.
        if unit >= smallest {
            return None;
        }
        smallest = unit;
        total += value * unit;
        rest = rest[letters..].trim_start_matches([' ', '.']).trim_start();
    }
    (smallest < f64::INFINITY).then_some(if negative { -total } else { total })
}

fn decimal(text: &str) -> Option<f64> {
    let text: Cow<'_, str> = if text.contains(',') { text.replace(',', ".").into() } else { text.into() };
    let plain = !text.is_empty() && text.len() <= 24 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if plain { text.parse().ok() } else { None }
}

impl Serialize for TimeText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for TimeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = TimeText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time: seconds, `MM:SS` or `HH:MM:SS.mmm`")
            }
            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<TimeText, E> {
                TimeText::from_secs(seconds).ok_or_else(|| E::custom("a time beyond a hundred days"))
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<TimeText, E> {
                self.visit_f64(seconds as f64)
            }
            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<TimeText, E> {
                self.visit_f64(seconds as f64)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<TimeText, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for TimeText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        // A number is asked for; texts are accepted.
        if generator.contract().is_serialize() {
            json_schema!({"type": "number", "description": "time in seconds"})
        } else {
            json_schema!({"type": ["number", "string"]})
        }
    }
}

/// What the times of an answer are held to.
#[derive(Clone, Copy, Debug)]
pub struct TimeFrame<'a> {
    /// The part of the video that was asked about.
    pub window: Span,
    /// Where scenes and tracks begin and end, in order.
    pub edges: &'a [MediaTime],
    /// How far from an edge a time may be to be taken for it.
    pub tolerance: MediaTime,
}

/// A time of an answer after it was held to the window and the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The time to go by.
    pub time: MediaTime,
    /// What the model said.
    pub said: MediaTime,
    /// What moved it.
    pub moved: Moved,
}

impl Settled {
    /// How far it was moved; negative is earlier.
    pub fn shift(&self) -> MediaTime {
        self.time - self.said
    }
}

/// What moved a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// It was counted from the start of the window.
    pub relative: bool,
    /// It lay outside of the window.
    pub clamped: bool,
    /// It lay near an edge.
    pub snapped: bool,
}

/// A span of an answer after it was held to the window and the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettledSpan {
    /// The span to go by.
    pub span: Span,
    /// Its first end.
    pub start: Settled,
    /// Its second end.
    pub end: Settled,
    /// Whether the ends were said in the wrong order.
    pub swapped: bool,
}

impl TimeFrame<'_> {
    /// Holds one time to the window, then takes it for an edge within the tolerance.
    pub fn settle(&self, time: TimeText) -> Settled {
        let said = time.said();
        self.snap(self.clamp(said, said, self.is_relative(said)))
    }

    /// Holds both ends. Ends that two edges' tolerance would make one are kept apart.
    pub fn settle_span(&self, start: TimeText, end: TimeText) -> SettledSpan {
        let swapped = end.said() < start.said();
        let (first, second) = if swapped { (end.said(), start.said()) } else { (start.said(), end.said()) };
        // A span is counted from the window's start only if all of it can be.
        let relative = self.is_relative(first) && self.is_relative(second);
        let (first, second) = (self.clamp(first, first, relative), self.clamp(second, second, relative));
        let (mut start, mut end) = (self.snap(first), self.snap(second));
        if start.time >= end.time && first.time < second.time {
            // The end that is nearer to its edge keeps it.
            if start.time.abs_diff(first.time) <= end.time.abs_diff(second.time) {
                end = second;
            } else {
                start = first;
            }
            if start.time >= end.time {
                (start, end) = (first, second);
            }
        }
        SettledSpan { span: Span::new(start.time, end.time), start, end, swapped }
    }

    /// Whether `said` can only have been counted from the start of the window.
    fn is_relative(&self, said: MediaTime) -> bool {
        said >= MediaTime::ZERO && said + self.tolerance < self.window.start && said <= self.window.duration()
    }

    fn clamp(&self, said: MediaTime, mut time: MediaTime, relative: bool) -> Settled {
        if relative {
            time = time + self.window.start;
        }
        let held = time.max(self.window.start).min(self.window.end);
        Settled { time: held, said, moved: Moved { relative, clamped: held != time, snapped: false } }
    }

    fn snap(&self, settled: Settled) -> Settled {
        let at = self.edges.partition_point(|edge| *edge < settled.time);
        let before = at.checked_sub(1).and_then(|i| self.edges.get(i));
        let nearest = before
            .into_iter()
            .chain(self.edges.get(at))
            .filter(|edge| self.window.start <= **edge && **edge <= self.window.end)
            .min_by_key(|edge| edge.abs_diff(settled.time));
        match nearest {
            Some(edge) if *edge != settled.time && edge.abs_diff(settled.time) <= self.tolerance => {
                Settled { time: *edge, moved: Moved { snapped: true, ..settled.moved }, ..settled }
            }
            _ => settled,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Option<MediaTime> {
        text.parse::<TimeText>().ok().map(TimeText::said)
    }

    #[test]
    fn times_are_read_in_every_usual_form() {
        for (text, seconds) in [
            ("12.4", 12.4),
            ("12.4s", 12.4),
            ("12.4 seconds", 12.4),
            ("12,4 s", 12.4),
            ("~12 s", 12.0),
            ("t=3", 3.0),
            ("350 ms", 0.35),
            ("1m 2.5s", 62.5),
            ("1 min 30 sec", 90.0),
            ("1h2m3s", 3723.0),
            ("01:02", 62.0),
            ("75:00", 4500.0),
            ("1:02.5", 62.5),
            ("00:01:02.345", 62.345),
            ("00:01:02,345", 62.345),
            ("1:00:00", 3600.0),
            ("-0:05", -5.0),
        ] {
            assert_eq!(time(text), Some(MediaTime::from_secs_f64(seconds)), "{text}");
        }
        for text in [
            "",
            "soon",
            "1:60",
            "1:60:00",
            "1:2:3:4",
            "00:",
            ":5",
            "1s 2m",
            "1e9999",
            "99999999999",
            "12 apples",
            "1..2",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
        assert!(serde_json::from_str::<TimeText>("62").is_ok_and(|t| t.said() == MediaTime::from_millis(62_000)));
        assert!(serde_json::from_str::<TimeText>("1e300").is_err());
    }

    fn frame(edges: &[MediaTime]) -> TimeFrame<'_> {
        let window = Span::new(MediaTime::from_millis(60_000), MediaTime::from_millis(70_000));
        TimeFrame { window, edges, tolerance: MediaTime::from_millis(500) }
    }

    #[test]
    fn times_are_clamped_and_snapped_and_the_shift_is_known() {
        let edges = [MediaTime::from_millis(62_000), MediaTime::from_millis(66_000)];
        let settle = |text: &str| frame(&edges).settle(text.parse().expect("a time"));
        assert_eq!(settle("1:02.3").time, edges[0]);
        assert_eq!(settle("1:02.3").shift(), MediaTime::from_millis(-300));
        assert_eq!(settle("64").moved, Moved::default());
        let late = settle("80");
        assert_eq!((late.time, late.moved.clamped), (MediaTime::from_millis(70_000), true));
        let relative = settle("2.1");
        assert_eq!((relative.time, relative.moved.relative), (edges[0], true));
    }

    #[test]
    fn a_short_span_near_one_edge_stays_a_span() {
        let edges = [MediaTime::from_millis(62_000)];
        let settled = frame(&edges).settle_span(TimeText(61.8), TimeText(62.3));
        assert_eq!(settled.span, Span::new(edges[0], MediaTime::from_millis(62_300)));
        let swapped = frame(&edges).settle_span(TimeText(65.0), TimeText(63.0));
        assert!(swapped.swapped && swapped.span.duration() == MediaTime::from_millis(2000));
    }

    proptest! {
        #[test]
        fn settled_times_lie_in_the_window(start in -100.0f64..200.0, end in -100.0f64..200.0, edges in prop::collection::vec(0i64..100_000, 0..8)) {
            let mut edges: Vec<_> = edges.into_iter().map(MediaTime::from_millis).collect();
            edges.sort();
            let frame = frame(&edges);
            let settled = frame.settle_span(TimeText(start), TimeText(end));
            prop_assert!(frame.window.start <= settled.span.start && settled.span.end <= frame.window.end);
            for end in [settled.start, settled.end] {
                prop_assert_eq!(end.said + end.shift(), end.time);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
            if let Ok(time) = text.parse::<TimeText>() {
                prop_assert!(time.0.abs() <= MAX_SECONDS);
            }
        }

        #[test]
        fn what_media_time_prints_is_read_back(millis in 0i64..1_000_000_000) {
            let time = MediaTime::from_millis(millis);
            prop_assert_eq!(time.to_string().parse::<TimeText>().map(TimeText::said), Ok(time));
        }
    }
}
