//! The few lines that a person reads after an analysis.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    path::Path,
};

use tempograph_core::{Timeline, timeline::AudioEventKind};

/// A readable summary of `timeline`, whose files are in `out`.
pub(crate) fn text(timeline: &Timeline, out: &Path) -> String {
    let mut s = String::new();
    fill(&mut s, timeline, out).expect("writing into a string does not fail");
    s
}

fn fill(s: &mut String, timeline: &Timeline, out: &Path) -> fmt::Result {
    let v = &timeline.video;
    write!(s, "\n{}\n", v.uri)?;
    write!(s, "  {}", clock(v.duration_s.as_secs_f64()))?;
    if v.video_codec.is_some() {
        write!(s, " · {}x{} · {:.2} fps", v.width, v.height, v.fps)?;
    }
    writeln!(s, " · {}", if v.audio.is_some() { "with sound" } else { "no sound" })?;
    if !timeline.summary.text.is_empty() {
        writeln!(s, "  {}", timeline.summary.text)?;
        match timeline.summary.backend.as_str() {
            "template" => {}
            "text-llm" => {
                writeln!(s, "  (written by a language model from what was seen and heard, not from the pictures)")?
            }
            model => writeln!(s, "  (told by {model})")?,
        }
    }
    writeln!(s, "  scenes    {}", timeline.scenes.len())?;
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for e in &timeline.entities {
        *kinds.entry(&e.kind).or_default() += 1;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|&(kind, n)| (std::cmp::Reverse(n), kind));
    let list: Vec<_> = kinds.iter().take(8).map(|(kind, n)| format!("{n} {kind}")).collect();
    writeln!(s, "  entities  {}", if list.is_empty() { "none".to_owned() } else { list.join(", ") })?;
    writeln!(s, "  events    {} seen, {} heard", timeline.visual_events.len(), timeline.audio_events.len())?;
    if !timeline.texts.is_empty() {
        let read: Vec<_> = timeline.texts.iter().take(6).map(|t| t.text.as_str()).collect();
        let more = timeline.texts.len() - read.len();
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        writeln!(s, "  read      {}{rest}", read.join(" · "))?;
    }
    for e in timeline.audio_events.iter().filter(|e| e.kind == AudioEventKind::Speech).take(4) {
        if let Some(text) = &e.text {
            let mut text = text.clone();
            if text.chars().count() > 90 {
                text = text.chars().take(87).collect::<String>() + "…";
            }
            writeln!(s, "  {} “{text}”", clock(e.span.start.as_secs_f64()))?;
        }
    }
    if let Some(h) = timeline.highlights.first() {
        let (from, to) = (clock(h.span.start.as_secs_f64()), clock(h.span.end.as_secs_f64()));
        let share = (h.clip_worthy_score * 100.0).round();
        writeln!(
            s,
            "  moments   {}, best {from} to {to} ({share}%): {}",
            timeline.highlights.len(),
            h.reasons.join(", ")
        )?;
    }
    let run = &timeline.run;
    if !timeline.windows.is_empty() {
        let sent = run.calls.iter().filter(|c| !c.cache_hit).count();
        writeln!(
            s,
            "  asked     {} windows, {sent} calls, {} tokens in, {} out, ${:.4}; {} windows like others were not asked",
            timeline.windows.len(),
            run.tokens_in,
            run.tokens_out,
            run.cost_usd,
            run.calls_saved
        )?;
    }
    writeln!(
        s,
        "  took      {:.1} s ({:.2} s for each second of video), {} MB at most",
        run.wall_s,
        run.real_time_factor,
        run.peak_rss_bytes >> 20
    )?;
    for issue in &timeline.issues {
        writeln!(s, "  issue[{}] {}: {}", issue.code, issue.stage, issue.message)?;
        if let Some(hint) = &issue.hint {
            writeln!(s, "    hint: {hint}")?;
        }
    }
    write!(s, "\n  report: {}", out.join("report.html").display())?;
    Ok(())
}

fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    format!("{}:{:02}", whole / 60, whole % 60)
}
