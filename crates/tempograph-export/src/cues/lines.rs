//! Breaking one cue's words into lines.

use super::{CUE_LINES, LINE_COLUMNS, split::Piece};

/// Text of `pieces` with the space each asks for.
pub(super) fn join(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for (i, piece) in pieces.iter().enumerate() {
        if i > 0 && piece.space_before {
            text.push(' ');
        }
        text.push_str(&piece.text);
    }
    text
}

/// Columns of `pieces` on one line.
pub(super) fn width(pieces: &[Piece]) -> usize {
    pieces.iter().enumerate().map(|(i, p)| p.columns + usize::from(i > 0 && p.space_before)).sum()
}

/// Where to break `pieces`: `0` when one line holds them, else the first piece of the second line;
/// `None` when two lines do not hold them.
///
/// A break after punctuation is best; otherwise the lines should be of like length with the
/// longer one below.
pub(super) fn break_at(pieces: &[Piece]) -> Option<usize> {
    const { assert!(CUE_LINES == 2, "breaking looks for one place only") };
    let whole = width(pieces);
    if whole <= LINE_COLUMNS {
        return Some(0);
    }
    let mut best: Option<(f64, usize)> = None;
    let mut top = pieces.first()?.columns;
    for at in 1..pieces.len() {
        let space = usize::from(pieces[at].space_before);
        let bottom = whole - top - space;
        if top > LINE_COLUMNS {
            break;
        }
        if bottom <= LINE_COLUMNS {
            let uneven = top.abs_diff(bottom) as f64 + if top > bottom { 3.0 } else { 0.0 };
            let cost = uneven - 14.0 * pieces[at - 1].pause_likeness;
            if best.is_none_or(|(c, _)| cost < c) {
                best = Some((cost, at));
            }
        }
        top += space + pieces[at].columns;
    }
    best.map(|(_, at)| at)
}

/// The text of `pieces` on one line or two; `None` when two do not hold them.
pub(super) fn break_lines(pieces: &[Piece]) -> Option<Vec<String>> {
    let at = break_at(pieces)?;
    Some(if at == 0 { vec![join(pieces)] } else { vec![join(&pieces[..at]), join(&pieces[at..])] })
}
