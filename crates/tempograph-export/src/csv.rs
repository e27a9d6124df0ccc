//! `events.csv`: every event of every kind as one table, RFC 4180.
//!
//! Text that a spreadsheet would run as a formula gets an apostrophe in front, because its words
//! come from a video nobody vouches for.

use std::io::Write;

use tempograph_core::{Result, Span, timeline::AudioEventKind};

use crate::{Export, text::one_line, write_failed};

const HEADER: &str = "id,kind,type,start_s,end_s,who,text,confidence,origin\r\n";

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    let timeline = export.timeline;
    let mut table = String::from(HEADER);
    for scene in &timeline.scenes {
        let text = scene.summary.as_deref().unwrap_or_default();
        row(&mut table, [&scene.id, "scene", "scene"], scene.span, ["", text], None, "");
    }
    for event in &timeline.visual_events {
        let names = [event.id.as_str(), "visual", event.kind.as_str()];
        let who = event.entities.join(" ");
        row(&mut table, names, event.span, [&who, &event.description], Some(event.confidence), &event.origin);
    }
    for event in &timeline.audio_events {
        let (kind, text) = match event.kind {
            AudioEventKind::Speech => ("speech", event.text.as_deref()),
            AudioEventKind::Sound => ("sound", event.label.as_deref()),
            AudioEventKind::Silence => ("silence", None),
        };
        let who = [event.speaker.as_deref().unwrap_or_default(), text.unwrap_or_default()];
        row(&mut table, [&event.id, "audio", kind], event.span, who, Some(event.confidence), "");
    }
    for emotion in &timeline.emotions {
        let who = emotion.entity.clone().or(emotion.track.map(|t| format!("track {t}"))).unwrap_or_default();
        row(&mut table, ["", "emotion", &emotion.label], emotion.span, [&who, ""], Some(emotion.confidence), "");
    }
    for text in &timeline.texts {
        row(&mut table, ["", "text", "text"], text.span, ["", &text.text], Some(text.confidence), "");
    }
    for highlight in &timeline.highlights {
        let rank = highlight.rank.to_string();
        let why = highlight.reasons.join("; ");
        row(
            &mut table,
            [&rank, "highlight", "highlight"],
            highlight.span,
            ["", &why],
            Some(highlight.clip_worthy_score),
            "",
        );
    }
    out.write_all(table.as_bytes()).map_err(write_failed)
}

fn row(table: &mut String, names: [&str; 3], span: Span, who: [&str; 2], confidence: Option<f32>, origin: &str) {
    let times = [span.start, span.end].map(|t| format!("{:.3}", t.as_secs_f64()));
    let confidence = confidence.map(|c| format!("{c:.4}")).unwrap_or_default();
    let cells = names.map(cell).into_iter().chain(times).chain(who.map(cell)).chain([confidence, cell(origin)]);
    table.push_str(&cells.collect::<Vec<_>>().join(","));
    table.push_str("\r\n");
}

fn cell(text: &str) -> String {
    let mut text = one_line(text);
    if text.starts_with(['=', '+', '-', '@']) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}
