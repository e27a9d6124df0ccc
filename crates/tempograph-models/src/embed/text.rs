//! Text embedders: a `tokenizer.json`, an encoder of the BERT kind, one vector a text.
//!
//! `clip` and `siglip` are the text towers of the image embedders of the same names: their vectors and those of pictures
//! lie in one space.

use std::borrow::Cow;

use tempograph_core::{Error, ErrorKind, Result, Session, Tensor};
use tokenizers::{Tokenizer, TruncationParams};

use super::{Pooling, Role, TextEmbedder, output_index, pooled, unknown_family, wrong_form};

/// What one family does besides its network.
#[derive(Clone, Copy, Debug)]
struct Form {
    pooling: Pooling,
    /// What goes before a question.
    query: &'static str,
    /// What goes before what is asked.
    document: &'static str,
    /// Tokens a text at most, marks among them.
    max_tokens: usize,
    /// Length and token that every text is filled up to and with; `None` fills up to the longest of a batch.
    fill: Option<(usize, &'static str)>,
    /// Whether the network is told which tokens only fill up. SigLIP was trained to look at all of them.
    masked: bool,
    /// Whether case, punctuation and superfluous space go first.
    canonical: bool,
}

/// What most families have in common.
const PLAIN: Form = Form {
    pooling: Pooling::First,
    query: "",
    document: "",
    max_tokens: 512,
    fill: None,
    masked: true,
    canonical: false,
};

/// Forms by family name, as in the manifest's `family`; each as its authors publish it.
const FAMILIES: &[(&str, Form)] = &[
    // BGE v1 and v1.5, English: the model cards of BAAI/bge-*-en.
    ("bge", Form { query: "Represent this sentence for searching relevant passages: ", ..PLAIN }),
    // sentence-transformers/all-MiniLM-L6-v2 and its kin.
    ("minilm", Form { pooling: Pooling::Mean, max_tokens: 256, ..PLAIN }),
    // intfloat/e5-* and multilingual-e5-*.
    ("e5", Form { pooling: Pooling::Mean, query: "query: ", document: "passage: ", ..PLAIN }),
    // CLIPTokenizer; the network takes the state at the first `<|endoftext|>` itself.
    ("clip", Form { max_tokens: 77, fill: Some((77, "<|endoftext|>")), ..PLAIN }),
    // SiglipTokenizer, with `padding="max_length"` as in training.
    ("siglip", Form { max_tokens: 64, fill: Some((64, "</s>")), masked: false, canonical: true, ..PLAIN }),
];

/// Texts a call at most, which bounds memory.
const MAX_BATCH: usize = 32;
/// Tokens a call at most, padding among them: 32 sentences of 64 tokens.
const MAX_BATCH_TOKENS: usize = 2048;
/// Bytes of a text that are read for each token it may have. Words of 4 letters are usual; whatever is longer than this
/// on average is no language that a model knows.
const BYTES_PER_TOKEN: usize = 16;
/// No tokenizer file is longer.
const MAX_TOKENIZER_BYTES: usize = 64 << 20;

struct BertText {
    session: Box<dyn Session>,
    tokenizer: Tokenizer,
    form: Form,
    /// Length and id of the token that texts are filled up to and with.
    fill: Option<(usize, i64)>,
    inputs: Vec<Input>,
    output: usize,
    dims: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Ids,
    Mask,
    Types,
}

/// A text embedder of `family` over a loaded model; `tokenizer` holds the bytes of its `tokenizer.json`.
///
/// # Errors
/// [`ErrorKind::ModelInvalid`] when there is no such family, the tokenizer cannot be read, or the model is not of its
/// form.
pub fn open(family: &str, session: Box<dyn Session>, tokenizer: &[u8]) -> Result<Box<dyn TextEmbedder>> {
    let Some((_, form)) = FAMILIES.iter().find(|(name, _)| *name == family) else {
        return Err(unknown_family("text", family, FAMILIES.iter().map(|(name, _)| *name)));
    };
    if tokenizer.len() > MAX_TOKENIZER_BYTES {
        return Err(wrong_form("its tokenizer is too long"));
    }
    let unreadable = |e| Error::new(ErrorKind::ModelInvalid, format!("the tokenizer cannot be read: {e}"));
    let mut tokenizer = Tokenizer::from_bytes(tokenizer).map_err(unreadable)?;
    let truncation = TruncationParams { max_length: form.max_tokens, ..TruncationParams::default() };
    tokenizer.with_padding(None).with_truncation(Some(truncation)).map_err(unreadable)?;
    let filler = |(length, token): (usize, &str)| match tokenizer.token_to_id(token) {
        Some(id) => Ok((length, i64::from(id))),
        None => Err(wrong_form(format!("its tokenizer knows no `{token}`"))),
    };
    let fill = form.fill.map(filler).transpose()?;
    let inputs = session
        .inputs()
        .iter()
        .map(|i| match i.name.as_str() {
            "input_ids" => Ok(Input::Ids),
            "attention_mask" => Ok(Input::Mask),
            "token_type_ids" => Ok(Input::Types),
            other => Err(wrong_form(format!("it wants `{other}`"))),
        })
        .collect::<Result<Vec<_>>>()?;
    if !inputs.contains(&Input::Ids) {
        return Err(wrong_form("it wants no `input_ids`"));
    }
    let (output, dims) = output_index(session.outputs())?;
    Ok(Box::new(BertText { session, tokenizer, form: *form, fill, inputs, output, dims }))
}

impl BertText {
    fn tokens(&self, text: &str, role: Role) -> Result<Vec<i64>> {
        let prefix = match role {
            Role::Document => self.form.document,
            Role::Query => self.form.query,
        };
        let text = beginning(text, self.form.max_tokens * BYTES_PER_TOKEN);
        let text = if self.form.canonical { Cow::Owned(canonical(text)) } else { Cow::Borrowed(text) };
        let text = format!("{prefix}{text}");
        let encoded = self
            .tokenizer
            .encode(text, true)
            .map_err(|e| Error::new(ErrorKind::InvalidData, format!("a text cannot be split into tokens: {e}")))?;
        let ids: Vec<i64> = encoded.get_ids().iter().map(|&id| i64::from(id)).collect();
        if ids.is_empty() {
            return Err(Error::new(ErrorKind::InvalidData, "a text without tokens cannot be embedded"));
        }
        Ok(ids)
    }

    fn call(&mut self, batch: &[&[i64]]) -> Result<Vec<Vec<f32>>> {
        let longest = batch.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let (length, filler) = self.fill.unwrap_or((longest, 0));
        let (n, mut ids, mut mask) = (batch.len(), Vec::new(), Vec::new());
        for text in batch {
            let filled = length.saturating_sub(text.len());
            ids.extend(text.iter().copied().chain(std::iter::repeat_n(filler, filled)));
            let mark = i64::from(!self.form.masked);
            mask.extend(std::iter::repeat_n(1, text.len()).chain(std::iter::repeat_n(mark, filled)));
        }
        let types = Tensor::new([n, length], vec![0i64; n * length])?;
        let (ids, masks) = (Tensor::new([n, length], ids)?, Tensor::new([n, length], mask.clone())?);
        let inputs: Vec<&Tensor> = self
            .inputs
            .iter()
            .map(|input| match input {
                Input::Ids => &ids,
                Input::Mask => &masks,
                Input::Types => &types,
            })
            .collect();
        let outputs = self.session.run(&inputs)?;
        let output = outputs.get(self.output).ok_or_else(|| wrong_form("an output is missing"))?;
        pooled(output, n, self.dims, self.form.pooling, Some(&mask))
    }
}

impl TextEmbedder for BertText {
    fn dims(&self) -> usize {
        self.dims
    }

    fn embed(&mut self, texts: &[&str], role: Role) -> Result<Vec<Vec<f32>>> {
        let tokens = texts.iter().map(|t| self.tokens(t, role)).collect::<Result<Vec<_>>>()?;
        // Texts of one length share a call, so that little is spent on padding.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&i| tokens[i].len());
        let mut vectors = vec![Vec::new(); texts.len()];
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            let length = |i: usize| self.fill.map_or(tokens[i].len(), |(length, _)| length);
            let fits = |&n: &usize| n * length(rest[n - 1]) <= MAX_BATCH_TOKENS;
            let n = (1..=rest.len().min(MAX_BATCH)).take_while(fits).last().unwrap_or(1);
            let (batch, later) = rest.split_at(n);
            let ids: Vec<&[i64]> = batch.iter().map(|&i| tokens[i].as_slice()).collect();
            for (&i, vector) in batch.iter().zip(self.call(&ids)?) {
                vectors[i] = vector;
            }
            rest = later;
        }
        Ok(vectors)
    }
}

/// The first `bytes` of a text, never ending within a character.
fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// As big_vision's `canonicalize_text`, which SigLIP was evaluated with: lower case, no ASCII punctuation, single spaces.
fn canonical(text: &str) -> String {
    let text: String = text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tempograph_core::TensorData;

    use super::*;
    use crate::testing::FakeSession;

    type Calls = Arc<Mutex<Vec<Vec<Vec<i64>>>>>;

    /// Gives each token's id and 1 as its state, and keeps what it was asked.
    fn echo(names: &[&str]) -> (Box<dyn Session>, Calls) {
        let calls = Calls::default();
        let inputs: Vec<(&str, &[Option<usize>])> = names.iter().map(|n| (*n, &[None, None][..])).collect();
        let asked = Arc::clone(&calls);
        let session = FakeSession::answering(&inputs, move |inputs| {
            let ints = |t: &Tensor| match t.data() {
                TensorData::I64(v) => v.clone(),
                other => panic!("{other:?}"),
            };
            asked.lock().expect("one thread").push(inputs.iter().map(|t| ints(t)).collect());
            let states = ints(inputs[0]).into_iter().flat_map(|id| [id as f32, 1.0]).collect::<Vec<_>>();
            let shape = inputs[0].shape();
            Ok(vec![Tensor::new([shape[0], shape[1], 2], states)?])
        });
        (Box::new(session.with_output("last_hidden_state", &[None, None, Some(2)])), calls)
    }

    const TOKENIZER: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
        "normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
        "model":{"type":"WordLevel","vocab":{"[UNK]":1,"query":2,":":3,"passage":4,"dog":5,"cat":6},"unk_token":"[UNK]"}}"#;

    #[test]
    fn questions_and_documents_differ_and_batches_are_padded_by_length() {
        let (session, calls) = echo(&["input_ids", "attention_mask", "token_type_ids"]);
        let mut embedder = open("e5", session, TOKENIZER.as_bytes()).expect("it opens");
        assert_eq!(embedder.dims(), 2);
        let vectors = embedder.embed(&["dog cat", "dog"], Role::Document).expect("it embeds");
        let calls = calls.lock().expect("one thread");
        assert_eq!(calls[0][0], [4, 3, 5, 0, 4, 3, 5, 6], "the shorter one first, filled up");
        assert_eq!(calls[0][1], [1, 1, 1, 0, 1, 1, 1, 1]);
        let mean = 18.0f32 / 4.0;
        assert!((vectors[0][0] / vectors[0][1] - mean).abs() < 1e-5, "in the order of the texts: {vectors:?}");
    }

    #[test]
    fn a_text_of_megabytes_is_cut_and_no_batch_is_large() {
        let (session, calls) = echo(&["input_ids"]);
        let mut embedder = open("bge", session, TOKENIZER.as_bytes()).expect("it opens");
        let long = "dog ".repeat(1 << 20);
        let texts = vec![long.as_str(); 9];
        assert_eq!(embedder.embed(&texts, Role::Document).expect("it embeds").len(), 9);
        let calls = calls.lock().expect("one thread");
        assert_eq!(calls.iter().map(|c| c[0].len()).collect::<Vec<_>>(), [2048, 2048, 512]);
    }

    #[test]
    fn towers_fill_up_with_their_own_token_and_siglip_shows_it() {
        let tokenizer = TOKENIZER.replace(r#""cat":6"#, r#""cat":6,"</s>":7,"<|endoftext|>":8"#);
        let (session, calls) = echo(&["input_ids", "attention_mask"]);
        let mut embedder = open("siglip", session, tokenizer.as_bytes()).expect("it opens");
        embedder.embed(&["  DOG,\n cat!"], Role::Query).expect("it embeds");
        let (session, others) = echo(&["input_ids", "attention_mask"]);
        let mut embedder = open("clip", session, tokenizer.as_bytes()).expect("it opens");
        embedder.embed(&["dog cat"], Role::Query).expect("it embeds");
        let (calls, others) = (calls.lock().expect("one thread"), others.lock().expect("one thread"));
        assert_eq!((&calls[0][0][..4], calls[0][0].len()), (&[5, 6, 7, 7][..], 64));
        assert!(calls[0][1].iter().all(|&m| m == 1));
        assert_eq!((&others[0][0][..4], others[0][0].len()), (&[5, 6, 8, 8][..], 77));
        assert_eq!(others[0][1].iter().sum::<i64>(), 2);
    }

    #[test]
    fn what_is_no_text_embedder_is_refused() {
        let kind = |family: &str, inputs: &[&str], tokenizer: &str| {
            open(family, echo(inputs).0, tokenizer.as_bytes()).err().expect("it is refused").kind()
        };
        assert_eq!(kind("oracle", &["input_ids"], TOKENIZER), ErrorKind::ModelInvalid);
        assert_eq!(kind("bge", &["pixels"], TOKENIZER), ErrorKind::ModelInvalid);
        assert_eq!(kind("bge", &["attention_mask"], TOKENIZER), ErrorKind::ModelInvalid);
        assert_eq!(kind("bge", &["input_ids"], "{}"), ErrorKind::ModelInvalid);
        assert_eq!(kind("clip", &["input_ids"], TOKENIZER), ErrorKind::ModelInvalid, "it cannot be filled up");
    }
}
