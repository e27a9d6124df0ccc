use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempograph_core::MediaTime;

use super::*;
use crate::cues::Line;

/// The truth files, when this repository stands beside them.
fn shared(name: &str) -> Option<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder: Option<PathBuf> = root.ancestors().map(|a| a.join("shared/media")).find(|f| f.is_dir());
    let Some(folder) = folder else {
        println!("skipped: shared media not present");
        return None;
    };
    Some(std::fs::read(folder.join("truth/subtitles").join(name)).unwrap())
}

/// How many cues a file holds and the lines that were left out; `Err` with the message.
type Outcome = Result<(usize, Vec<usize>), String>;

fn outcome(bytes: &[u8], name: &str) -> Outcome {
    let format = SubtitleFormat::from_file_name(name).unwrap();
    let read = read(bytes, format).map_err(|e| e.to_string())?;
    Ok((read.cues.len(), read.skipped.iter().map(|s| s.line).collect()))
}

#[test]
fn every_truth_file_gives_what_its_name_tells() {
    let refused = |line: usize, why: &str| Err(format!("no subtitle could be read: line {line}: {why}"));
    let no_times = "no line with a start and an end";
    let cases: Vec<(&str, Outcome)> = vec![
        ("sample.srt", Ok((5, vec![]))),
        ("one_caption.srt", Ok((1, vec![]))),
        ("invalid.srt", refused(1, no_times)),
        ("invalid_format1.srt", refused(1, no_times)),
        ("invalid_format2.srt", refused(1, no_times)),
        ("invalid_format3.srt", refused(1, no_times)),
        ("invalid_format4.srt", refused(2, "no text")),
        ("invalid_timeframe.srt", Ok((4, vec![5]))),
        ("missing_timeframe.srt", Ok((4, vec![5]))),
        ("missing_caption_text.srt", Ok((4, vec![6]))),
        ("sample.vtt", Ok((16, vec![]))),
        ("captions_with_bom.vtt", Ok((4, vec![]))),
        ("no_captions.vtt", Ok((0, vec![]))),
        ("one_caption.vtt", Ok((1, vec![]))),
        ("invalid.vtt", refused(1, "not `WEBVTT`")),
        ("empty.vtt", refused(1, "not `WEBVTT`")),
        ("invalid_timeframe.vtt", Ok((6, vec![6]))),
        ("invalid_timeframe_in_cue_text.vtt", Ok((3, vec![6]))),
        ("missing_timeframe.vtt", Ok((6, vec![6]))),
        ("missing_caption_text.vtt", Ok((4, vec![6]))),
        ("comments.vtt", Ok((3, vec![]))),
        ("regions.vtt", Ok((2, vec![]))),
        ("styles.vtt", Ok((1, vec![]))),
        ("styles_with_comments.vtt", Ok((1, vec![]))),
        ("metadata_headers.vtt", Ok((2, vec![]))),
        ("metadata_headers_multiline.vtt", Ok((2, vec![]))),
        ("using_identifiers.vtt", Ok((6, vec![]))),
        ("non_padded_timestamps.vtt", Ok((3, vec![]))),
        ("cue_tags.vtt", Ok((3, vec![]))),
        ("netflix_chicas_del_cable.vtt", Ok((865, vec![]))),
        ("styles_colours.vtt", Ok((6, vec![]))),
        ("youtube_dl.vtt", Ok((4, vec![]))),
        ("utf-8.srt", Ok((1332, vec![]))),
        ("styles_colours.srt", Ok((6, vec![]))),
        ("empty.srt", Ok((5, vec![13, 17]))),
        ("sample.sbv", Ok((5, vec![]))),
        ("two_captions.sbv", Ok((2, vec![]))),
        ("invalid_format.sbv", refused(1, no_times)),
        ("invalid_timeframe.sbv", Ok((4, vec![7]))),
        ("missing_timeframe.sbv", Ok((4, vec![4]))),
        ("missing_caption_text.sbv", Ok((4, vec![4]))),
    ];
    for (name, expected) in cases {
        let Some(bytes) = shared(name) else { return };
        assert_eq!(outcome(&bytes, name), expected, "{name}");
    }
}

#[test]
fn encodings_agree() {
    let Some(utf_8) = shared("bom-utf-8.srt") else { return };
    let expected = read(&utf_8, SubtitleFormat::Srt).unwrap();
    assert!(expected.skipped.is_empty());
    for name in ["bom-utf-16-be.srt", "bom-utf-16-le.srt", "bom-utf-32-be.srt", "bom-utf-32-le.srt", "no-indexes.srt"] {
        assert_eq!(read(&shared(name).unwrap(), SubtitleFormat::Srt).unwrap(), expected, "{name}");
    }
    let expected = read(&shared("utf-8.srt").unwrap(), SubtitleFormat::Srt).unwrap();
    assert_eq!(expected.cues[1].lines[0].text, "CE FILM RELATE DES ÉVÉNEMENTS");
    assert_eq!(read(&shared("windows-1252.srt").unwrap(), SubtitleFormat::Srt).unwrap(), expected);
}

#[test]
fn markup_is_taken_off_and_voices_become_speakers() {
    let text = |bytes: &[u8], format| read(bytes, format).unwrap().cues[0].lines[0].clone();
    let srt = b"00:00:01,000 --> 00:00:02,000 X1:1 X2:2\n{\\an8}<font color=\"red\"><i>2 &lt; 3</i></font> <3 {x}";
    assert_eq!(text(srt, SubtitleFormat::Srt), Line { speaker: None, text: "2 < 3 <3 {x}".into() });
    let vtt = b"WEBVTT\n\n00:01.000 --> 00:02.000 line:0\n<v.loud Mary &amp; Co>This<00:01.500><c.x> is</c> &amp;lt;";
    let line = Line { speaker: Some("Mary & Co".into()), text: "This is &lt;".into() };
    assert_eq!(text(vtt, SubtitleFormat::Vtt), line);
}

fn cue() -> impl Strategy<Value = Cue> {
    let line = ("[ -~é日&<>]{0,30}[a-z]", prop::option::of("[A-Z][a-z &<>]{0,8}[a-z]"));
    (0i64..100_000_000, 1i64..9000, prop::collection::vec(line, 1..3)).prop_map(|(start, length, lines)| Cue {
        start: MediaTime::from_millis(start),
        end: MediaTime::from_millis(start + length),
        lines: lines
            .into_iter()
            .map(|(text, speaker)| Line {
                speaker: speaker.map(|s| crate::text::one_line(&s)),
                text: crate::text::one_line(&text.replace("-->", "→")),
            })
            .collect(),
    })
}

proptest! {
    #[test]
    fn webvtt_reads_back_as_written(mut cues in prop::collection::vec(cue(), 0..6)) {
        for cue in &mut cues {
            // A dialogue in which one has no name is told apart by dashes, which stay text.
            if cue.lines.iter().any(|l| l.speaker.is_none()) {
                cue.lines.iter_mut().for_each(|l| l.speaker = None);
            }
        }
        let read = read(crate::vtt::from_cues(&cues).as_bytes(), SubtitleFormat::Vtt).unwrap();
        prop_assert_eq!(read.cues, cues);
        prop_assert_eq!(read.skipped, vec![]);
    }

    #[test]
    fn subrip_reads_back_as_written(mut cues in prop::collection::vec(cue(), 1..6)) {
        for line in cues.iter_mut().flat_map(|c| &mut c.lines) {
            line.speaker = None;
            // The form has no escapes: what looks like markup is markup.
            line.text.retain(|c| !"<>&{}".contains(c));
            line.text = crate::text::one_line(&line.text);
        }
        let read = read(crate::srt::from_cues(&cues).as_bytes(), SubtitleFormat::Srt).unwrap();
        prop_assert_eq!(read.cues, cues);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for format in [SubtitleFormat::Srt, SubtitleFormat::Vtt, SubtitleFormat::Sbv] {
            let _outcome = read(&bytes, format);
        }
    }

    #[test]
    fn any_fragments_are_read_without_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "WEBVTT", "\n", "\n\n", "\r", "00:00:01,000", "1:2.3", " --> ", ",", "<v ", ">", "<", "</v>", "{\\", "}",
            "&amp;", "&", "NOTE", "STYLE", "é", "日", "1", "[br]", "\u{feff}", "\0", "999999:59:59.999999999", "-->",
        ]), 0..60)
    ) {
        let text = format!("WEBVTT\n\n{}", parts.concat());
        for format in [SubtitleFormat::Srt, SubtitleFormat::Vtt, SubtitleFormat::Sbv] {
            if let Ok(read) = read(text.as_bytes(), format) {
                for cue in read.cues {
                    prop_assert!(cue.start <= cue.end && !cue.lines.is_empty());
                }
            }
        }
    }
}
