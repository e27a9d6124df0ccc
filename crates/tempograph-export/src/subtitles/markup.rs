//! Taking the markup off a line of a cue.

use crate::text::one_line;

/// Tags that SubRip files carry; any other `<` is text.
const SRT_TAGS: [&str; 9] = ["b", "i", "u", "s", "font", "c", "v", "ruby", "rt"];

/// `line` without SubRip tags and `{\…}` overrides.
pub(super) fn strip_srt(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['<', '{']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let override_end = rest.starts_with("{\\").then(|| rest.find('}')).flatten();
        match override_end.or_else(|| tag_end(rest)) {
            Some(end) => rest = &rest[end + 1..],
            None => {
                text.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
    one_line(&unescape(&text))
}

fn tag_end(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('<')?;
    let end = inside.find('>')?;
    let name = inside[..end].trim_start_matches('/');
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    SRT_TAGS.contains(&name.to_ascii_lowercase().as_str()).then_some(end + 1)
}

/// The voice in which WebVTT text goes on from line to line.
#[derive(Default)]
pub(super) struct Voice(Option<String>);

impl Voice {
    /// `line` without WebVTT tags, and who begins to say it.
    pub(super) fn strip(&mut self, line: &str) -> (String, Option<String>) {
        let mut text = String::with_capacity(line.len());
        let mut speaker = self.0.clone();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once('<') {
            text.push_str(before);
            // A tag that is not closed goes on to the end of the cue.
            let (tag, after) = after.split_once('>').unwrap_or((after, ""));
            if let Some(name) = voice(tag) {
                self.0 = Some(name);
            } else if tag == "/v" {
                self.0 = None;
            }
            if text.trim().is_empty() && self.0.is_some() {
                speaker.clone_from(&self.0);
            }
            rest = after;
        }
        text.push_str(rest);
        (one_line(&unescape(&text)), speaker)
    }
}

/// The name in `v Name` or `v.class Name`.
fn voice(tag: &str) -> Option<String> {
    let rest = tag.strip_prefix('v').filter(|r| r.starts_with([' ', '\t', '.']))?;
    let (_, name) = rest.split_once([' ', '\t'])?;
    Some(one_line(&unescape(name))).filter(|n| !n.is_empty())
}

/// The escapes that both forms use.
fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let marks = [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", "\u{a0}"), ("&lrm;", "\u{200e}"), ("&rlm;", "\u{200f}")];
    // The ampersand last: what it makes is not looked at again.
    marks.iter().fold(text.to_owned(), |t, (from, to)| t.replace(from, to)).replace("&amp;", "&")
}
