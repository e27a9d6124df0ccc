//! RTTM: `SPEAKER recording channel start duration <NA> <NA> name <NA> <NA>`; other types of line
//! are passed over.

use tempograph_core::{Error, ErrorKind, MediaTime, Result, Span};

use super::{Turn, bad_line};

/// Longest time a turn may lie at or last, in seconds: beyond it a number is a mistake.
const MOST_S: f64 = 1e7;

pub(super) fn read(text: &str, recording: &str) -> Result<Vec<Turn>> {
    let mut turns = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields.first() != Some(&"SPEAKER") {
            continue;
        }
        let n = n + 1;
        if fields.len() < 8 {
            return Err(bad_line(n, "expected `SPEAKER recording channel start duration <NA> <NA> name`"));
        }
        let seconds = |i: usize| match fields[i].parse::<f64>() {
            Ok(v) if (0.0..=MOST_S).contains(&v) => Ok(MediaTime::from_secs_f64(v)),
            _ => Err(bad_line(n, &format!("field {} is not a time", i + 1))),
        };
        let (start, length) = (seconds(3)?, seconds(4)?);
        let turn = Turn { span: Span::new(start, start + length), speaker: fields[7].to_owned() };
        turns.push((fields[1], turn));
    }
    if turns.is_empty() {
        return Err(Error::new(ErrorKind::InvalidData, "no `SPEAKER` line"));
    }
    let first = turns[0].0;
    let several = turns.iter().any(|(name, _)| *name != first);
    let wanted = if several { recording } else { first };
    let mut turns: Vec<Turn> = turns.iter().filter(|(name, _)| *name == wanted).map(|(_, t)| t.clone()).collect();
    if turns.is_empty() {
        return Err(Error::new(ErrorKind::InvalidData, format!("turns of several recordings, none of them: {wanted}"))
            .with_hint("name the recording as the video's file, without its ending"));
    }
    turns.sort_by(|a, b| (a.span, &a.speaker).cmp(&(b.span, &b.speaker)));
    Ok(turns)
}
