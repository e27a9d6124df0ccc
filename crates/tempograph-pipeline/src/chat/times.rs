//! Times as people say them: `at 0:45`, `between 7 and 10 seconds`, `in the first minute`, `near the end`.

use tempograph_core::{MediaTime, Span, timeline::Video};

/// The stretch that a question is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// When, on the container's clock.
    pub(super) span: Span,
    /// Whether a moment was named rather than a stretch.
    pub(super) point: bool,
}

/// How far around a moment that is named to the second.
const AROUND: MediaTime = MediaTime::from_millis(500);
/// Share of the video that is its beginning or its end.
const EDGE: f64 = 0.2;

/// Takes the first time out of `question`; what is left of it comes back beside.
pub(super) fn window(question: &str, video: &Video) -> (Option<Window>, String) {
    let raw: Vec<&str> = question.split_whitespace().collect();
    let tokens: Vec<String> =
        raw.iter().map(|t| t.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    for i in 0..tokens.len() {
        if let Some((window, used)) = at(&tokens[i..], video) {
            let rest: Vec<&str> =
                raw.iter().enumerate().filter(|(n, _)| !(i..i + used).contains(n)).map(|(_, t)| *t).collect();
            return (Some(window), rest.join(" "));
        }
    }
    (None, question.to_owned())
}

/// The window that `tokens` begin with, and how many of them it takes.
fn at(tokens: &[&str], video: &Video) -> Option<(Window, usize)> {
    let whole = Span::new(video.start_s, video.start_s + video.duration_s);
    let stretch =
        |from: MediaTime, to: MediaTime, used| Some((Window { span: Span::new(from, to), point: false }, used));
    let share = |s: f64| MediaTime::from_secs_f64(video.duration_s.as_secs_f64() * s);
    let first = *tokens.first()?;
    match first {
        "between" | "from" => {
            let (a, used) = loose(&tokens[1..])?;
            let joint = *tokens.get(1 + used)?;
            if !matches!(joint, "and" | "to" | "until" | "till" | "through") {
                return None;
            }
            let (b, more) = time(&tokens[2 + used..])?;
            // `between 7 and 10 minutes`: the unit belongs to both.
            let a = if a.1 { a.0 } else { a.0 * b.1 };
            return stretch(clock(a, video), clock(b.0, video), 2 + used + more);
        }
        "at" | "around" | "about" | "near" | "by" | "on" | "@" => {
            let skip = 1 + usize::from(tokens.get(1) == Some(&"the")) + usize::from(tokens.get(1) == Some(&"around"));
            if let Some((t, used)) = time(tokens.get(skip..)?) {
                let mark = usize::from(matches!(tokens.get(skip + used), Some(&"mark")));
                let t = clock(t.0, video);
                let slack = if first == "at" { AROUND } else { AROUND + AROUND + AROUND + AROUND };
                return Some((Window { span: Span::new(t - slack, t + slack), point: true }, skip + used + mark));
            }
        }
        "before" | "until" | "till" | "after" | "since" => {
            if let Some((t, used)) = time(&tokens[1..]) {
                let t = clock(t.0, video);
                return if matches!(first, "after" | "since") {
                    stretch(t, whole.end, 1 + used)
                } else {
                    stretch(whole.start, t, 1 + used)
                };
            }
        }
        _ => {}
    }
    // `in the first minute`, `the last 10 seconds`.
    let lead = tokens
        .iter()
        .take_while(|t| {
            matches!(**t, "in" | "at" | "during" | "within" | "over" | "near" | "towards" | "toward" | "the" | "very")
        })
        .count();
    let edge = *tokens.get(lead)?;
    let after = &tokens[lead + 1..];
    let length = || match unit(after.first()?) {
        Some(seconds) => Some((seconds, 1)),
        None => time(after).map(|((seconds, _), used)| (seconds, used)),
    };
    let tail = usize::from(lead > 0 && after.first() == Some(&"of") && after.get(1) == Some(&"the"))
        * (2 + usize::from(
            after.get(2).is_some_and(|w| matches!(*w, "video" | "clip" | "film" | "movie" | "recording")),
        ));
    match edge {
        "first" | "opening" => {
            if after.first() == Some(&"half") {
                return stretch(whole.start, whole.start + share(0.5), lead + 2);
            }
            let (seconds, used) = length()?;
            stretch(whole.start, whole.start + secs(seconds), lead + 1 + used)
        }
        "last" | "final" | "closing" => {
            if after.first() == Some(&"half") {
                return stretch(whole.start + share(0.5), whole.end, lead + 2);
            }
            let (seconds, used) = length()?;
            stretch((whole.end - secs(seconds)).max(whole.start), whole.end, lead + 1 + used)
        }
        "second" if after.first() == Some(&"half") => stretch(whole.start + share(0.5), whole.end, lead + 2),
        "beginning" | "start" | "outset" if lead > 0 => {
            stretch(whole.start, whole.start + share(EDGE), lead + 1 + tail)
        }
        "end" | "ending" if lead > 0 => stretch(whole.end - share(EDGE), whole.end, lead + 1 + tail),
        "middle" if lead > 0 => {
            stretch(whole.start + share(EDGE * 2.0), whole.end - share(EDGE * 2.0), lead + 1 + tail)
        }
        _ => None,
    }
}

/// A number of seconds on the clock of the video: people count from its start, whatever the container does.
fn clock(seconds: f64, video: &Video) -> MediaTime {
    let t = secs(seconds);
    if t >= video.start_s && t <= video.start_s + video.duration_s { t } else { video.start_s + t }
}

fn secs(seconds: f64) -> MediaTime {
    MediaTime::from_secs_f64(seconds)
}

/// Seconds in one of this unit.
fn unit(token: &str) -> Option<f64> {
    match token {
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1.0),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60.0),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(3600.0),
        _ => None,
    }
}

/// A time that `tokens` begin with: (seconds, seconds of its unit) and how many tokens it takes.
fn time(tokens: &[&str]) -> Option<((f64, f64), usize)> {
    let first = *tokens.first()?;
    if first.contains(':') {
        return Some(((colons(first)?, 1.0), 1));
    }
    let second = tokens.get(1).copied().unwrap_or_default();
    if let Some(seconds) = unit(first).filter(|_| first.len() > 1) {
        return Some(((number(second)? * seconds, seconds), 2));
    }
    if let Some((value, seconds)) = number(first).zip(unit(second)) {
        return Some(((value * seconds, seconds), 2));
    }
    // `45s`, `2min`.
    let split = first.find(|c: char| c.is_alphabetic())?;
    let (value, name) = first.split_at(split);
    let (value, seconds) = number(value).zip(unit(name))?;
    Some(((value * seconds, seconds), 1))
}

/// As [`time`], but a bare number will do; it comes with whether its unit is known.
fn loose(tokens: &[&str]) -> Option<((f64, bool), usize)> {
    if let Some(((seconds, _), used)) = time(tokens) {
        return Some(((seconds, true), used));
    }
    Some(((number(tokens.first()?)?, false), 1))
}

/// `1:30`, `0:01:30.5`.
fn colons(text: &str) -> Option<f64> {
    let parts: Vec<&str> = text.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    parts.iter().try_fold(0.0, |sum, part| Some(sum * 60.0 + number(part)?))
}

fn number(text: &str) -> Option<f64> {
    const NAMES: [&str; 13] =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    if let Some(n) = NAMES.iter().position(|n| *n == text) {
        return Some(n as f64);
    }
    let plain = !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.parse::<f64>().ok().filter(|v| plain && v.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn video(start: f64, duration: f64) -> Video {
        Video {
            start_s: MediaTime::from_secs_f64(start),
            duration_s: MediaTime::from_secs_f64(duration),
            ..Video::default()
        }
    }

    fn asked(question: &str) -> Option<(f64, f64, String)> {
        let (window, rest) = window(question, &video(0.0, 200.0));
        window.map(|w| (w.span.start.as_secs_f64(), w.span.end.as_secs_f64(), rest))
    }

    #[test]
    fn times_are_read_as_people_say_them() {
        for (question, from, to, rest) in [
            ("What can be seen at 0:45?", 44.5, 45.5, "What can be seen"),
            ("what is said around 1:02:03", 3721.0, 3725.0, "what is said"),
            ("What happens between 7 and 10 seconds?", 7.0, 10.0, "What happens"),
            ("between 1 and 2 minutes, who speaks", 60.0, 120.0, "who speaks"),
            ("from 0:10 to 0:20 is there a dog", 10.0, 20.0, "is there a dog"),
            ("who speaks in the first minute?", 0.0, 60.0, "who speaks"),
            ("the last 10 seconds", 190.0, 200.0, ""),
            ("what is shown at the end of the video?", 160.0, 200.0, "what is shown"),
            ("and at the very beginning?", 0.0, 40.0, "and"),
            ("what happens after 30s", 30.0, 200.0, "what happens"),
            ("dogs before minute 2", 0.0, 120.0, "dogs"),
            ("the second half", 100.0, 200.0, ""),
            ("at the 45 second mark", 43.0 + 1.5, 45.5, ""),
        ] {
            assert_eq!(asked(question), Some((from, to, rest.to_owned())), "{question}");
        }
        for none in
            ["who is at gate 42", "the first face", "what time is it", "at last", "from dusk to dawn", "1:2:3:4"]
        {
            assert_eq!(asked(none), None, "{none}");
        }
    }

    #[test]
    fn people_count_from_the_start_of_the_video() {
        let late = video(3600.0, 60.0);
        let at = |q: &str| window(q, &late).0.map(|w| w.span.end.as_secs_f64());
        assert_eq!(at("at 0:10"), Some(3610.5));
        assert_eq!(at("at 1:00:10"), Some(3610.5));
    }

    proptest! {
        #[test]
        fn nothing_typed_breaks_it(text in "(at |first |between |and |[0-9:]{0,12}|minutes |\\PC){0,12}") {
            let (window, rest) = window(&text, &video(0.0, 10.0));
            prop_assert!(rest.len() <= text.len());
            prop_assert!(window.is_none_or(|w| w.span.start <= w.span.end));
        }
    }
}
