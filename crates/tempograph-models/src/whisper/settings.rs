//! What a converted Whisper says of itself (`whisper.json`).

use serde::{Deserialize, Serialize};
use tempograph_core::{Error, ErrorKind, Result};

use super::vocabulary::Vocabulary;

/// Sizes and constants of one Whisper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhisperSettings {
    /// Version of the graphs, their inputs and this file.
    pub format: u32,
    /// Width of the layers.
    pub width: usize,
    /// Heads of each attention; their width is 64 in every published Whisper.
    pub heads: usize,
    /// Layers of the encoder.
    pub encoder_layers: usize,
    /// Layers of the decoder.
    pub decoder_layers: usize,
    /// Mel bands of the picture: 80 or 128.
    pub mels: usize,
    /// Tokens the decoder knows.
    pub vocabulary: usize,
    /// Longest audio in encoder positions of 20 ms.
    pub audio_positions: usize,
    /// Longest text in tokens, prompt included.
    pub text_positions: usize,
    /// Layer and head of those that look where the word is spoken.
    pub alignment_heads: Vec<[usize; 2]>,
    /// Tokens never to say.
    pub suppress: Vec<u32>,
    /// Tokens not to begin with.
    pub suppress_begin: Vec<u32>,
}

/// The format this code writes and reads.
pub(super) const FORMAT: u32 = 1;

impl WhisperSettings {
    /// Reads `whisper.json`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when it is of another format or its sizes cannot be right.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let settings: Self = serde_json::from_slice(bytes).map_err(|e| invalid(&e.to_string()))?;
        if settings.format != FORMAT {
            return Err(invalid(&format!("format {FORMAT} was expected, not: {}", settings.format))
                .with_hint("pull the model again"));
        }
        settings.check()?;
        Ok(settings)
    }

    pub(super) fn check(&self) -> Result<()> {
        let sizes = [self.width, self.heads, self.encoder_layers, self.decoder_layers, self.audio_positions];
        let fits = sizes.iter().all(|&s| (1..=100_000).contains(&s))
            && self.width.is_multiple_of(self.heads)
            && (1..=1024).contains(&self.mels)
            && (8..=100_000).contains(&self.text_positions)
            && (1..=1_000_000).contains(&self.vocabulary)
            && self.alignment_heads.iter().all(|&[l, h]| l < self.decoder_layers && h < self.heads);
        if fits { Ok(()) } else { Err(invalid("its sizes cannot be right")) }
    }
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::ModelInvalid, format!("the settings of the speech model are not usable: {what}"))
}

/// The heads that look where the word is spoken, for each published Whisper, by number of decoder layers, width and
/// whether it is for English only (OpenAI's `_ALIGNMENT_HEADS`, as listed in the models' generation settings). Of
/// another Whisper all heads of the upper half of the layers, as there.
pub(super) fn alignment_heads(
    layers: usize,
    width: usize,
    heads: usize,
    english: bool,
    large_v3: bool,
) -> Vec<[usize; 2]> {
    let known: &[[usize; 2]] = match (layers, width, english) {
        (4, 384, true) => &[[1, 0], [2, 0], [2, 5], [3, 0], [3, 1], [3, 2], [3, 3], [3, 4]],
        (4, 384, false) => &[[2, 2], [3, 0], [3, 2], [3, 3], [3, 4], [3, 5]],
        (6, 512, true) => &[[3, 3], [4, 7], [5, 1], [5, 5], [5, 7]],
        (6, 512, false) => &[[3, 1], [4, 2], [4, 3], [4, 7], [5, 1], [5, 2], [5, 4], [5, 6]],
        (12, 768, true) => &[
            [6, 6],
            [7, 0],
            [7, 3],
            [7, 8],
            [8, 2],
            [8, 5],
            [8, 7],
            [9, 0],
            [9, 4],
            [9, 8],
            [9, 10],
            [10, 0],
            [10, 1],
            [10, 2],
            [10, 3],
            [10, 6],
            [10, 11],
            [11, 2],
            [11, 4],
        ],
        (12, 768, false) => &[[5, 3], [5, 9], [8, 0], [8, 4], [8, 7], [8, 8], [9, 0], [9, 7], [9, 9], [10, 5]],
        (24, 1024, true) => &[
            [11, 4],
            [14, 1],
            [14, 12],
            [14, 14],
            [15, 4],
            [16, 0],
            [16, 4],
            [16, 9],
            [17, 12],
            [17, 14],
            [18, 7],
            [18, 10],
            [18, 15],
            [20, 0],
            [20, 3],
            [20, 9],
            [20, 14],
            [21, 12],
        ],
        (24, 1024, false) => &[[13, 15], [15, 4], [15, 15], [16, 1], [20, 0], [23, 4]],
        (32, 1280, _) if large_v3 => {
            &[[7, 0], [10, 17], [12, 18], [13, 12], [16, 1], [17, 14], [19, 11], [21, 4], [24, 1], [25, 6]]
        }
        (32, 1280, _) => &[
            [10, 12],
            [13, 17],
            [16, 11],
            [16, 12],
            [16, 13],
            [17, 15],
            [17, 16],
            [18, 4],
            [18, 11],
            [18, 19],
            [19, 11],
            [21, 2],
            [21, 3],
            [22, 3],
            [22, 9],
            [22, 12],
            [23, 5],
            [23, 7],
            [23, 13],
            [25, 5],
            [26, 1],
            [26, 12],
            [27, 15],
        ],
        (4, 1280, _) => &[[2, 4], [2, 11], [3, 3], [3, 6], [3, 11], [3, 14]],
        _ => return (layers / 2..layers).flat_map(|l| (0..heads).map(move |h| [l, h])).collect(),
    };
    known.to_vec()
}

/// Marks that are not speech: brackets, notes and the like (OpenAI's `non_speech_tokens`), with the marks that no
/// transcript holds.
pub(super) fn not_speech(vocabulary: &Vocabulary) -> Vec<u32> {
    const SIGNS: &str = "\" # ( ) * + / : ; < = > @ [ \\ ] ^ _ ` { | } ~ 「 」 『 』 << >> <<< >>> -- --- -( -[ (' (\" (( )) \
                         ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪ ♩ ♪ ♫ ♬ ♭ ♮ ♯";
    let marks = vocabulary.marks();
    let spoken = |id: u32| vocabulary.text(&[id]);
    let mut ids: Vec<u32> = (0..marks.end)
        .filter(|&id| {
            let text = spoken(id);
            SIGNS.split_whitespace().any(|s| text == s || text.strip_prefix(' ') == Some(s))
                || [" -", " '"].contains(&&*text)
        })
        .collect();
    let others = ["<|startofprev|>", "<|startoflm|>", "<|translate|>"];
    ids.extend(others.iter().filter_map(|m| vocabulary.id(m)));
    ids.extend([marks.start, marks.transcribe, marks.no_speech]);
    ids.sort_unstable();
    ids
}
