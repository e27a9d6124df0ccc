//! What is drawn on a frame: boxes, captions, the transcript line and the timeline bar.

use std::{collections::HashMap, rc::Rc};

use tempograph_core::{
    MediaTime, Size, Span, Timeline,
    timeline::{AudioEvent, AudioEventKind, VisualEvent},
};

use super::{AnnotateOptions, paths::Shown};
use crate::draw::{Canvas, Colour, Font, Rect, TextMask, track_colour};

/// Set texts kept for the frames that follow.
const CACHED_TEXTS: usize = 512;
/// Captions shown at once.
const MAX_CAPTIONS: usize = 3;
const SHADE: Colour = Colour::BLACK.with_alpha(150);
const SPEECH: Colour = Colour::rgb(90, 200, 250);
const ACCENT: Colour = Colour::rgb(255, 196, 0);
const GREY: Colour = Colour::rgb(210, 210, 210);

/// Sizes that follow from the frame's.
struct Layout {
    size: Size,
    /// Thickness of boxes.
    line: i32,
    label_px: f32,
    text_px: f32,
    pad: i32,
    bar: i32,
    edge: usize,
}

impl Layout {
    fn new(size: Size) -> Self {
        let least = size.width.min(size.height) as f32;
        let px = |share: f32, min: f32, max: f32| (least * share).clamp(min, max);
        Self {
            size,
            line: px(0.0045, 1.0, 10.0).round() as i32,
            label_px: px(0.032, 10.0, 48.0),
            text_px: px(0.045, 12.0, 72.0),
            pad: px(0.010, 2.0, 20.0).round() as i32,
            bar: px(0.016, 4.0, 28.0).round() as i32,
            edge: px(0.004, 1.0, 5.0).round() as usize,
        }
    }
}

/// Draws the timeline onto frames whose times only go forward.
pub(super) struct Overlay<'t> {
    timeline: &'t Timeline,
    options: AnnotateOptions,
    whole: Span,
    font: Font,
    texts: HashMap<(String, u32, usize), Rc<TextMask>>,
    /// Id and colour of each track's entity: what events are told of, and what stays the same
    /// when a track is interrupted.
    entities: HashMap<u32, (&'t str, Colour)>,
    layout: Option<Layout>,
}

impl<'t> Overlay<'t> {
    pub(super) fn new(timeline: &'t Timeline, options: &AnnotateOptions) -> Self {
        let video = &timeline.video;
        let numbers: HashMap<&str, u32> = timeline.entities.iter().map(|e| e.id.as_str()).zip(1..).collect();
        let entity = |id: &'t String| (id.as_str(), track_colour(numbers.get(id.as_str()).copied().unwrap_or(0)));
        let entities = timeline.tracks.iter().filter_map(|t| Some((t.id, entity(t.entity.as_ref()?)))).collect();
        let whole = Span::new(video.start_s, video.start_s + video.duration_s);
        Self {
            timeline,
            options: options.clone(),
            whole,
            font: Font::bundled(),
            texts: HashMap::new(),
            entities,
            layout: None,
        }
    }

    /// Draws everything that belongs to `time`: `boxes` of tracks and of faces, the latter by their number in the timeline.
    pub(super) fn draw(&mut self, canvas: &mut Canvas<'_>, time: MediaTime, boxes: &[Shown<'_>], faces: &[Shown<'_>]) {
        let layout = self.layout.take().filter(|l| l.size == canvas.size());
        let layout = layout.unwrap_or_else(|| Layout::new(canvas.size()));
        if self.options.boxes {
            self.boxes(canvas, &layout, boxes);
        }
        if self.options.faces {
            self.faces(canvas, &layout, time, faces);
        }
        let mut bottom = layout.size.height as i32;
        if self.options.bar {
            bottom -= self.bar(canvas, &layout, time);
        }
        if self.options.transcript {
            self.transcript(canvas, &layout, time, bottom);
        }
        if self.options.captions {
            self.captions(canvas, &layout, time);
        }
        self.layout = Some(layout);
    }

    fn text(&mut self, text: &str, px: f32, edge: usize) -> Rc<TextMask> {
        if self.texts.len() >= CACHED_TEXTS {
            self.texts.clear();
        }
        let key = (text.to_owned(), px.to_bits(), edge);
        Rc::clone(self.texts.entry(key).or_insert_with(|| Rc::new(self.font.mask(text, px, edge))))
    }

    /// Name and colour of what a box shows.
    fn identity(&self, shown: &Shown<'_>) -> (String, Colour) {
        match self.entities.get(&shown.id) {
            Some((id, colour)) => (format!("{} {id}", shown.label), *colour),
            None => (format!("{} {}", shown.label, shown.id), track_colour(shown.id)),
        }
    }

    fn boxes(&mut self, canvas: &mut Canvas<'_>, l: &Layout, boxes: &[Shown<'_>]) {
        for shown in boxes {
            canvas.outline(Rect::from_box(shown.bbox), l.line, self.identity(shown).1);
        }
        // Labels after all boxes, so that no box runs through one.
        for shown in boxes {
            let (name, colour) = self.identity(shown);
            let rect = Rect::from_box(shown.bbox);
            // Above the box, or inside where there is no room above.
            let above = |h: i32| if rect.y >= h { rect.y - h } else { rect.y.max(0) };
            self.label(canvas, l, &name, rect.x, above, [colour, colour.ink(), colour]);
        }
    }

    /// A text on its ground, within the picture: its left edge at `x`, its upper one where `y` puts what is so high.
    /// Colours of the ground, the letters and their edge.
    fn label(
        &mut self,
        canvas: &mut Canvas<'_>,
        l: &Layout,
        text: &str,
        x: i32,
        y: impl Fn(i32) -> i32,
        [ground, ink, edge]: [Colour; 3],
    ) {
        let mask = self.text(text, l.label_px, 0);
        let (w, h) = (mask.size().0 as i32 + 2 * l.pad, mask.size().1 as i32);
        let (x, y) = (x.min(l.size.width as i32 - w).max(0), y(h));
        canvas.fill(Rect::new(x, y, w, h), ground);
        canvas.text(&mask, x + l.pad, y, ink, edge);
    }

    /// Faces in finer lines than whole bodies, in the colour of whose they are, with what they express below.
    fn faces(&mut self, canvas: &mut Canvas<'_>, l: &Layout, time: MediaTime, faces: &[Shown<'_>]) {
        let timeline = self.timeline;
        for shown in faces {
            let Some(face) = timeline.faces.get(shown.id as usize) else { continue };
            let known = face.track.and_then(|track| self.entities.get(&track));
            let colour = known.map_or(GREY, |(_, colour)| *colour);
            let rect = Rect::from_box(shown.bbox);
            canvas.outline(rect, (l.line / 2).max(1), colour);
            let now = timeline.emotions.iter().find(|e| e.face.as_ref() == Some(&face.id) && e.span.contains(time));
            let Some(emotion) = now else { continue };
            let below = |h: i32| (rect.y + rect.h).min(l.size.height as i32 - h).max(0);
            self.label(canvas, l, &emotion.label, rect.x, below, [SHADE, Colour::WHITE, Colour::BLACK]);
        }
    }

    /// The bar along the lower edge; its height.
    fn bar(&mut self, canvas: &mut Canvas<'_>, l: &Layout, time: MediaTime) -> i32 {
        let (width, top) = (l.size.width as i32, l.size.height as i32 - l.bar);
        let length = self.whole.duration().as_secs_f64().max(1e-9);
        let x = |t: MediaTime| {
            let share = ((t - self.whole.start).as_secs_f64() / length).clamp(0.0, 1.0);
            (share * f64::from(width)).round() as i32
        };
        let strip = |span: Span| (x(span.start), (x(span.end) - x(span.start)).max(1));
        canvas.fill(Rect::new(0, top, width, l.bar), Colour::BLACK.with_alpha(170));
        let half = l.bar / 2;
        for event in &self.timeline.visual_events {
            let (from, w) = strip(event.span);
            canvas.fill(Rect::new(from, top, w, half), ACCENT.with_alpha(120));
        }
        for event in self.timeline.audio_events.iter().filter(|e| e.kind == AudioEventKind::Speech) {
            let (from, w) = strip(event.span);
            canvas.fill(Rect::new(from, top + half, w, l.bar - half), SPEECH.with_alpha(170));
        }
        for scene in self.timeline.scenes.iter().skip(1) {
            canvas.fill(Rect::new(x(scene.span.start), top, l.line.max(1), l.bar), GREY);
        }
        let head = x(time);
        canvas.fill(Rect::new(0, top - l.line.max(1), head, l.line.max(1)), Colour::WHITE);
        canvas.fill(Rect::new(head - l.line, top - l.bar / 2, 2 * l.line.max(1), l.bar + l.bar / 2), Colour::WHITE);
        l.bar + l.bar / 2
    }

    fn transcript(&mut self, canvas: &mut Canvas<'_>, l: &Layout, time: MediaTime, bottom: i32) {
        let Some(event) = said_at(&self.timeline.audio_events, time) else { return };
        let width = l.size.width as f32 * 0.9;
        let Some(line) = self.line_at(event, time, l.text_px, width) else { return };
        let mask = self.text(&line, l.text_px, l.edge);
        let (w, h) = (mask.size().0 as i32, mask.size().1 as i32);
        let (x, y) = ((l.size.width as i32 - w) / 2, bottom - h - l.pad);
        canvas.fill(Rect::new(x - l.pad, y, w + 2 * l.pad, h), SHADE);
        canvas.text(&mask, x, y, Colour::WHITE, Colour::BLACK);
    }

    /// The line of `event`'s text that is spoken at `time`.
    fn line_at(&self, event: &AudioEvent, time: MediaTime, px: f32, width: f32) -> Option<String> {
        let lines = self.font.wrap(event.text.as_deref()?, px, width, 64);
        // Where the words have times, the line that holds the latest word; else by share of time.
        let share = match event.words.as_deref() {
            Some(words) if !words.is_empty() => {
                let spoken = words.iter().filter(|w| w.start <= time).count().max(1);
                let total: usize = words.iter().map(|w| w.text.chars().count() + 1).sum();
                let until: usize = words[..spoken].iter().map(|w| w.text.chars().count() + 1).sum();
                (until as f64 - 1.0) / total.max(1) as f64
            }
            _ => (time - event.span.start).as_secs_f64() / event.span.duration().as_secs_f64().max(1e-9),
        };
        let total: usize = lines.iter().map(|l| l.chars().count() + 1).sum();
        let mut until = 0.0;
        for line in &lines {
            until += (line.chars().count() + 1) as f64 / total.max(1) as f64;
            if share < until {
                return Some(line.clone());
            }
        }
        lines.last().cloned()
    }

    fn captions(&mut self, canvas: &mut Canvas<'_>, l: &Layout, time: MediaTime) {
        let timeline = self.timeline;
        let mut y = l.pad;
        for event in happening(&timeline.visual_events, time, MAX_CAPTIONS) {
            let text = self.font.wrap(&event.description, l.label_px, l.size.width as f32 * 0.7, 1);
            let Some(line) = text.first() else { continue };
            let mask = self.text(line, l.label_px, 0);
            let (w, h) = (mask.size().0 as i32, mask.size().1 as i32);
            let stripe = 2 * l.line.max(1);
            canvas.fill(Rect::new(l.pad, y, w + 2 * l.pad + stripe, h), SHADE);
            canvas.fill(Rect::new(l.pad, y, stripe, h), ACCENT);
            canvas.text(&mask, 2 * l.pad + stripe, y, Colour::WHITE, Colour::BLACK);
            y += h + l.line.max(1);
        }
    }
}

/// The speech with text that is heard at `time`.
fn said_at(events: &[AudioEvent], time: MediaTime) -> Option<&AudioEvent> {
    events.iter().rfind(|e| e.kind == AudioEventKind::Speech && e.text.is_some() && e.span.contains(time))
}

/// The surest events at `time`, in order of start. What lasts longest says least, so at equal
/// confidence the shorter event comes first.
fn happening(events: &[VisualEvent], time: MediaTime, most: usize) -> Vec<&VisualEvent> {
    let mut now: Vec<&VisualEvent> = events.iter().filter(|e| e.span.contains(time)).collect();
    now.sort_by(|a, b| {
        b.confidence.total_cmp(&a.confidence).then(a.span.duration().cmp(&b.span.duration())).then(a.id.cmp(&b.id))
    });
    now.truncate(most);
    now.sort_by(|a, b| (a.span, &a.id).cmp(&(b.span, &b.id)));
    now
}
