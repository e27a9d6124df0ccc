//! Texts: what stays readable over consecutive looks, each once.
//!
//! A line continues when one of the next look lies in its place and reads alike, or reads the same wherever it is
//! (titles that roll). It ends when it is missed twice, or once where a cut lies between: a new shot that does not
//! show it has ended it.

use tempograph_core::{BoxXyxy, Claim, MediaTime, Observation, Span, TextLine, timeline::ScreenText};

use super::scenes::scene_at;

/// When a line of text is one with another, and when it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct TextOptions {
    /// IoU of two boxes in one place.
    pub place_iou: f32,
    /// Likeness of two readings in one place, 0 to 1: a misread letter in two is still one text.
    pub alike: f64,
    /// Likeness of two readings in different places.
    pub same: f64,
    /// Characters that a text that moves must have, so that two short words are not one that moves.
    pub moving_chars: usize,
    /// Ratio of the heights of a text that moves.
    pub moving_height_ratio: f32,
    /// Looks in a row that may miss a text within a scene.
    pub missed: usize,
    /// Mean confidence of a text that was read more than once.
    pub confidence: f32,
    /// Confidence of a text that was read only once: nothing else speaks for it.
    pub confidence_once: f32,
    /// Mean confidence of a text of fewer than this many letters and digits, which edges and leaves imitate.
    pub short: (usize, f32),
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            place_iou: 0.3,
            alike: 0.5,
            same: 0.85,
            moving_chars: 4,
            moving_height_ratio: 1.5,
            missed: 1,
            confidence: 0.6,
            confidence_once: 0.8,
            short: (3, 0.9),
        }
    }
}

/// Different readings of one text that are kept; of more, the ones with the least to say for them go.
const MAX_READINGS: usize = 12;
/// Pairs of a text and a line in different places that are compared letter by letter in one look. A page that is turned
/// has more; only equal lines are then found again elsewhere.
const MAX_MOVED: usize = 2500;

/// A line of one look.
struct Seen<'a> {
    line: &'a TextLine,
    /// In lower case and without space: what two readings are compared by.
    plain: String,
}

impl<'a> Seen<'a> {
    fn new(line: &'a TextLine) -> Self {
        let plain = line.text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
        Self { line, plain }
    }
}

/// A text that may still go on.
struct Open {
    start: MediaTime,
    /// Start and number of the last look that read it.
    seen: (MediaTime, usize),
    bbox: BoxXyxy,
    /// What it was last read as.
    plain: String,
    /// Each reading with the confidences it had, summed, and the surest of them with its box.
    readings: Vec<Reading>,
    looks: usize,
    sum: f32,
}

struct Reading {
    text: String,
    plain: String,
    sum: f32,
    best: f32,
    bbox: BoxXyxy,
}

impl Open {
    fn new(start: MediaTime, line: &Seen<'_>, time: MediaTime, look: usize) -> Self {
        let (bbox, plain) = (line.line.bbox, String::new());
        let mut open = Self { start, seen: (time, look), bbox, plain, readings: Vec::new(), looks: 0, sum: 0.0 };
        open.add(line, time, look);
        open
    }

    fn add(&mut self, seen: &Seen<'_>, time: MediaTime, look: usize) {
        let line = seen.line;
        self.seen = (time, look);
        self.bbox = line.bbox;
        self.plain.clone_from(&seen.plain);
        self.looks += 1;
        self.sum += line.confidence;
        match self.readings.iter_mut().find(|r| r.text == line.text) {
            Some(reading) => {
                reading.sum += line.confidence;
                if line.confidence > reading.best {
                    (reading.best, reading.bbox) = (line.confidence, line.bbox);
                }
            }
            None => {
                self.readings.push(Reading {
                    text: line.text.clone(),
                    plain: seen.plain.clone(),
                    sum: line.confidence,
                    best: line.confidence,
                    bbox: line.bbox,
                });
                self.readings.sort_by(|a, b| b.sum.total_cmp(&a.sum).then_with(|| a.text.cmp(&b.text)));
                self.readings.truncate(MAX_READINGS);
            }
        }
    }

    /// Whether `line` says the same in the same place.
    fn stays(&self, seen: &Seen<'_>, options: &TextOptions) -> Option<f64> {
        let iou = self.bbox.iou(seen.line.bbox);
        (iou >= options.place_iou && self.equals(seen)).then_some(1.0 + f64::from(iou))
    }

    fn equals(&self, seen: &Seen<'_>) -> bool {
        self.plain == seen.plain || self.readings.iter().any(|r| r.plain == seen.plain)
    }

    /// How well `line` continues it, above 0; `None` when it does not. `letters` is whether lines elsewhere are compared
    /// letter by letter.
    fn fits(&self, seen: &Seen<'_>, letters: bool, options: &TextOptions) -> Option<f64> {
        let iou = self.bbox.iou(seen.line.bbox);
        let in_place = iou >= options.place_iou;
        let alike = |least: f64| {
            let top = self.readings.first().map_or("", |r| r.plain.as_str());
            likeness(top, &seen.plain, least).max(likeness(&self.plain, &seen.plain, least))
        };
        let alike = if in_place {
            Some(alike(options.alike)).filter(|&a| a >= options.alike)
        } else {
            let (a, b) = (self.bbox.height(), seen.line.bbox.height());
            let long = |plain: &str| plain.chars().nth(options.moving_chars - 1).is_some();
            let may = a.max(b) <= a.min(b) * options.moving_height_ratio && long(&self.plain) && long(&seen.plain);
            match may {
                true if self.equals(seen) => Some(1.0),
                true if letters => Some(alike(options.same)).filter(|&a| a >= options.same),
                _ => None,
            }
        };
        alike.map(|alike| alike + f64::from(iou) + 1e-9)
    }

    /// What is told of it, if it is sure enough.
    fn told(self, end: MediaTime, options: &TextOptions) -> Option<ScreenText> {
        let mean = self.sum / self.looks.max(1) as f32;
        // The reading that had the most to say for itself; a fade's half letters are read once.
        let best = self
            .readings
            .into_iter()
            .max_by(|a, b| a.sum.total_cmp(&b.sum).then(a.best.total_cmp(&b.best)).then(b.text.cmp(&a.text)))?;
        let letters = best.text.chars().filter(|c| c.is_alphanumeric()).count();
        let needed = if self.looks > 1 { options.confidence } else { options.confidence_once };
        let needed = if letters < options.short.0 { needed.max(options.short.1) } else { needed };
        let sure = letters > 0 && mean >= needed;
        let span = Span::new(self.start, end.max(self.start));
        sure.then_some(ScreenText { span, text: best.text, confidence: best.best.clamp(0.0, 1.0), bbox: best.bbox })
    }
}

/// Every text, in order of start, then from top to bottom. `end` is the end of the video.
pub(super) fn texts(
    observations: &[Observation],
    scenes: &[Span],
    end: MediaTime,
    options: &TextOptions,
) -> Vec<ScreenText> {
    let mut looks: Vec<(MediaTime, &[TextLine])> = observations
        .iter()
        .filter_map(|o| match &o.claim {
            Claim::Texts { lines, .. } => Some((o.span.start, lines.as_slice())),
            _ => None,
        })
        .collect();
    looks.sort_by_key(|&(time, _)| time);
    looks.dedup_by_key(|&mut (time, _)| time);
    // The first cut after `time`, if it lies before `until`.
    let cut = |time: MediaTime, until: MediaTime| {
        let next = scenes.get(scene_at(scenes, time) + 1).map(|s| s.start);
        next.filter(|&at| time < at && at <= until)
    };
    // Between two looks a text ends at the cut, else where it was first missed.
    let ended = |open: &Open| {
        let missed = looks.get(open.seen.1 + 1).map_or(end, |&(time, _)| time);
        cut(open.seen.0, missed).unwrap_or(missed)
    };

    let mut open: Vec<Open> = Vec::new();
    let mut told = Vec::new();
    for (n, &(time, lines)) in looks.iter().enumerate() {
        let lines: Vec<Seen<'_>> = lines.iter().map(Seen::new).collect();
        let mut taken = vec![false; lines.len()];
        // Most of a screen stays as it was; only what did not is compared letter by letter.
        join(&mut open, &lines, &mut taken, (time, n), |text, line| text.stays(line, options));
        let free = open.iter().filter(|o| o.seen.1 != n).count() * taken.iter().filter(|t| !**t).count();
        let letters = free <= MAX_MOVED;
        join(&mut open, &lines, &mut taken, (time, n), |text, line| text.fits(line, letters, options));
        // A text of a new shot is there from its first frame.
        let before = n.checked_sub(1).map(|n| looks[n].0);
        let start = match before {
            Some(before) => scenes.get(scene_at(scenes, time)).map(|s| s.start).filter(|&s| s > before).unwrap_or(time),
            None => time,
        };
        for (line, _) in lines.iter().zip(&taken).filter(|(_, taken)| !**taken) {
            open.push(Open::new(start, line, time, n));
        }
        let over = |o: &Open| n - o.seen.1 > options.missed || n > o.seen.1 && cut(o.seen.0, time).is_some();
        for text in open.extract_if(.., |o| over(o)) {
            let end = ended(&text);
            told.extend(text.told(end, options));
        }
    }
    for text in open {
        let end = ended(&text);
        told.extend(text.told(end, options));
    }
    told.sort_by(|a, b| {
        let place = |t: &ScreenText| (t.bbox.y1, t.bbox.x1);
        let by_place = place(a).partial_cmp(&place(b)).unwrap_or(std::cmp::Ordering::Equal);
        a.span
            .start
            .cmp(&b.span.start)
            .then(by_place)
            .then_with(|| a.text.cmp(&b.text))
            .then(a.span.end.cmp(&b.span.end))
    });
    told
}

/// Gives each text that this look has not continued yet at most one free line, the best first.
fn join(
    open: &mut [Open],
    lines: &[Seen<'_>],
    taken: &mut [bool],
    (time, look): (MediaTime, usize),
    fits: impl Fn(&Open, &Seen<'_>) -> Option<f64>,
) {
    let mut candidates: Vec<(f64, usize, usize)> = Vec::new();
    for (i, text) in open.iter().enumerate().filter(|(_, o)| o.seen.1 != look) {
        let free = lines.iter().enumerate().filter(|(j, _)| !taken[*j]);
        candidates.extend(free.filter_map(|(j, line)| Some((fits(text, line)?, i, j))));
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    for (_, i, j) in candidates {
        if !taken[j] && open[i].seen.1 != look {
            taken[j] = true;
            open[i].add(&lines[j], time, look);
        }
    }
}

/// 1 for equal texts, 0 for those without anything in common, and for those that cannot reach `least`.
fn likeness(a: &str, b: &str, least: f64) -> f64 {
    let (m, n) = (a.chars().count(), b.chars().count());
    let longest = m.max(n).max(1) as f64;
    if (m.min(n) as f64) < least * longest {
        return 0.0;
    }
    1.0 - strsim::levenshtein(a, b) as f64 / longest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(v: i64) -> MediaTime {
        MediaTime::from_millis(v)
    }

    fn line(text: &str, confidence: f32, y: f32) -> TextLine {
        let width = 10.0 * text.len() as f32;
        TextLine { text: text.to_owned(), confidence, bbox: BoxXyxy::from_xywh(100.0, y, width, 20.0) }
    }

    /// One look a second; no line where the text is empty.
    fn looks(lines: &[&[(&str, f32)]]) -> Vec<Observation> {
        let look = |(i, lines): (usize, &&[(&str, f32)])| {
            let lines = lines.iter().map(|(text, y)| line(text, 0.95, *y)).collect();
            let time = ms(1000 * i as i64);
            Observation { span: Span::new(time, time), claim: Claim::Texts { frame: i as u64, lines } }
        };
        lines.iter().enumerate().map(look).collect()
    }

    fn told(observations: &[Observation], scenes: &[Span]) -> Vec<(String, i64, i64)> {
        let end = MediaTime::from_secs_f64(observations.len() as f64);
        let found = texts(observations, scenes, end, &TextOptions::default());
        found.into_iter().map(|t| (t.text, t.span.start.nanos() / 1_000_000, t.span.end.nanos() / 1_000_000)).collect()
    }

    fn whole() -> Vec<Span> {
        vec![Span::new(ms(0), ms(60_000))]
    }

    #[test]
    fn one_text_over_many_looks_is_told_once_with_its_best_reading() {
        let seen = looks(&[&[("GATE 4Z", 50.0)], &[("GATE 42", 50.0)], &[], &[("GATE 42", 51.0)], &[], &[]]);
        assert_eq!(told(&seen, &whole()), [("GATE 42".to_owned(), 0, 4000)]);
    }

    #[test]
    fn another_text_in_the_same_place_is_another_text() {
        let seen = looks(&[&[("first line", 50.0)], &[("some other words", 50.0)], &[("some other words", 50.0)]]);
        let want = [("first line".to_owned(), 0, 1000), ("some other words".to_owned(), 1000, 3000)];
        assert_eq!(told(&seen, &whole()), want);
    }

    #[test]
    fn a_cut_ends_a_text_unless_it_stays_and_begins_a_new_one() {
        let scenes = [Span::new(ms(0), ms(1400)), Span::new(ms(1400), ms(4000))];
        let seen = looks(&[
            &[("logo", 10.0), ("TAXI", 80.0)],
            &[("logo", 10.0), ("TAXI", 80.0)],
            &[("logo", 10.0), ("hello", 200.0)],
            &[("logo", 10.0), ("TAXI", 80.0), ("hello", 200.0)],
        ]);
        let want = [("logo", 0, 4000), ("TAXI", 0, 1400), ("hello", 1400, 4000), ("TAXI", 3000, 4000)];
        assert_eq!(told(&seen, &scenes), want.map(|(t, a, b)| (t.to_owned(), a, b)));
    }

    #[test]
    fn titles_that_roll_stay_one() {
        let seen =
            looks(&[&[("Directed by Ann", 300.0)], &[("Directed by Ann", 200.0)], &[("Directed by Ann", 100.0)]]);
        assert_eq!(told(&seen, &whole()), [("Directed by Ann".to_owned(), 0, 3000)]);
    }

    #[test]
    fn what_is_unsure_or_no_letter_is_not_told() {
        let mut seen = looks(&[&[("---", 50.0), ("I", 90.0)], &[]]);
        assert_eq!(told(&seen, &whole()), [("I".to_owned(), 0, 1000)]);
        if let Claim::Texts { lines, .. } = &mut seen[0].claim {
            lines[1].confidence = 0.7;
        }
        assert_eq!(told(&seen, &whole()), []);
    }

    #[test]
    fn a_turned_page_of_many_lines_is_cheap_and_right() {
        let page = |n: usize| -> Vec<TextLine> {
            (0..200).map(|i| line(&format!("line {i} of page {n} with words enough"), 0.9, 22.0 * i as f32)).collect()
        };
        let look = |i: i64| {
            let claim = Claim::Texts { frame: i as u64, lines: page(i as usize / 2) };
            Observation { span: Span::new(ms(1000 * i), ms(1000 * i)), claim }
        };
        let seen: Vec<_> = (0..20).map(look).collect();
        let started = std::time::Instant::now();
        let found = told(&seen, &whole());
        assert!(started.elapsed().as_secs_f64() < 5.0, "{:?}", started.elapsed());
        // A page's number is one letter of the line: one text that changed in place.
        assert_eq!(found.len(), 200);
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_spans_lie_in_the_video(
            picks in prop::collection::vec(prop::collection::vec((0usize..4, 0u8..4), 0..4), 1..12),
            seed in any::<u64>(),
        ) {
            let words = ["north", "north gate", "42", "x"];
            let shown: Vec<Vec<(&str, f32)>> =
                picks.iter().map(|l| l.iter().map(|&(w, y)| (words[w], f32::from(y) * 40.0)).collect()).collect();
            let shown: Vec<&[(&str, f32)]> = shown.iter().map(Vec::as_slice).collect();
            let seen = looks(&shown);
            let mut shuffled = seen.clone();
            shuffled.rotate_left(seed as usize % seen.len());
            let scenes = [Span::new(ms(0), ms(2500)), Span::new(ms(2500), ms(60_000))];
            let a = told(&seen, &scenes);
            prop_assert_eq!(&a, &told(&shuffled, &scenes));
            prop_assert!(a.iter().all(|(_, from, to)| from <= to && *to <= 1000 * seen.len() as i64));
        }
    }
}
