//! A small Whisper with made-up weights against plain numpy (`tests/data/tiny_whisper.py`).

use std::{io::Cursor, path::Path};

use serde_json::Value;
use tempograph_core::{SessionOptions, Tensor};
use tempograph_runtime_onnx::OnnxRuntime;

use super::{
    Files, LogMel, Whisper,
    convert::{Companions, Precision, from_ct2, from_safetensors},
};

const WIDTH: usize = 128;
const FEED: usize = 256;
const TOKENS: usize = 1520;

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny_whisper.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn numbers(name: &str, count: usize) -> Vec<f32> {
    let seed = name.bytes().fold(2_166_136_261u32, |h, b| (h ^ u32::from(b)).wrapping_mul(16_777_619));
    let number = |i: usize| {
        let mut h = (i as u32).wrapping_mul(0x9e37_79b1).wrapping_add(seed);
        h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
        h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
        h ^= h >> 16;
        (h >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(number).collect()
}

fn tensor(name: &str, shape: &[usize]) -> Vec<f32> {
    let mut values = numbers(name, shape.iter().product());
    let (offset, scale) = match name {
        n if n.ends_with("norm.weight") => (1.0, 0.125),
        n if n.contains("embed_") => (0.0, 0.5),
        _ => (0.0, 0.125),
    };
    values.iter_mut().for_each(|v| *v = offset + scale * *v);
    values
}

/// Every tensor by its Hugging Face name.
fn tensors() -> Vec<(String, Vec<usize>)> {
    let mut all: Vec<(String, Vec<usize>)> = vec![
        ("encoder.conv1.weight".into(), vec![WIDTH, 80, 3]),
        ("encoder.conv1.bias".into(), vec![WIDTH]),
        ("encoder.conv2.weight".into(), vec![WIDTH, WIDTH, 3]),
        ("encoder.conv2.bias".into(), vec![WIDTH]),
        ("encoder.embed_positions.weight".into(), vec![24, WIDTH]),
        ("decoder.embed_positions.weight".into(), vec![16, WIDTH]),
        ("decoder.embed_tokens.weight".into(), vec![TOKENS, WIDTH]),
    ];
    let mut both = |name: String, shape: Vec<usize>| {
        all.push((format!("{name}.bias"), vec![shape[0]]));
        all.push((format!("{name}.weight"), shape));
    };
    for side in ["encoder", "decoder"] {
        both(format!("{side}.layer_norm"), vec![WIDTH]);
        for i in 0..2 {
            let layer = format!("{side}.layers.{i}");
            let attentions: &[&str] = if side == "encoder" { &["self_attn"] } else { &["self_attn", "encoder_attn"] };
            for attention in attentions {
                both(format!("{layer}.{attention}_layer_norm"), vec![WIDTH]);
                for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                    both(format!("{layer}.{attention}.{part}"), vec![WIDTH, WIDTH]);
                }
            }
            both(format!("{layer}.final_layer_norm"), vec![WIDTH]);
            both(format!("{layer}.fc1"), vec![FEED, WIDTH]);
            both(format!("{layer}.fc2"), vec![WIDTH, FEED]);
        }
    }
    all.retain(|(name, _)| !name.ends_with("k_proj.bias"));
    all
}

fn safetensors() -> Vec<u8> {
    let (mut head, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape) in tensors() {
        let start = data.len();
        data.extend(tensor(&name, &shape).iter().flat_map(|v| v.to_le_bytes()));
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]});
        head.insert(format!("model.{name}"), entry);
    }
    let head = serde_json::to_vec(&head).unwrap();
    [&(head.len() as u64).to_le_bytes()[..], &head, &data].concat()
}

/// The same weights as CTranslate2 writes them: fused projections, 32-bit floats.
fn ct2() -> Vec<u8> {
    let value = |name: &str| {
        let shape = tensors().into_iter().find(|t| t.0 == name).map(|t| t.1).unwrap_or(vec![WIDTH]);
        // The fused bias of keys is zero, as the converter of the published weights leaves it.
        if name.ends_with("k_proj.bias") { (shape, vec![0.0; WIDTH]) } else { (shape.clone(), tensor(name, &shape)) }
    };
    let mut variables: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    let mut put = |name: String, parts: &[String]| {
        let mut values = Vec::new();
        let mut shape = Vec::new();
        for part in parts {
            let (s, v) = value(part);
            if shape.is_empty() {
                shape = s
            } else {
                shape[0] += s[0]
            }
            values.extend(v);
        }
        variables.push((name, shape, values));
    };
    let of = |side: &str, leaf: &str| format!("{side}.{leaf}");
    for conv in ["conv1", "conv2"] {
        for leaf in ["weight", "bias"] {
            put(format!("encoder/{conv}/{leaf}"), &[of("encoder", &format!("{conv}.{leaf}"))]);
        }
    }
    put("decoder/embeddings/weight".into(), &[of("decoder", "embed_tokens.weight")]);
    for side in ["encoder", "decoder"] {
        put(format!("{side}/position_encodings/encodings"), &[of(side, "embed_positions.weight")]);
        let mut norm = |path: String, name: String| {
            put(format!("{path}/gamma"), &[format!("{name}.weight")]);
            put(format!("{path}/beta"), &[format!("{name}.bias")]);
        };
        norm(format!("{side}/layer_norm"), format!("{side}.layer_norm"));
        for i in 0..2 {
            let (path, name) = (format!("{side}/layer_{i}"), format!("{side}.layers.{i}"));
            norm(format!("{path}/self_attention/layer_norm"), format!("{name}.self_attn_layer_norm"));
            norm(format!("{path}/ffn/layer_norm"), format!("{name}.final_layer_norm"));
            if side == "decoder" {
                norm(format!("{path}/attention/layer_norm"), format!("{name}.encoder_attn_layer_norm"));
            }
        }
        for i in 0..2 {
            let (path, name) = (format!("{side}/layer_{i}"), format!("{side}.layers.{i}"));
            let mut linear = |part: &str, names: &[&str]| {
                for leaf in ["weight", "bias"] {
                    let names: Vec<String> = names.iter().map(|n| format!("{name}.{n}.{leaf}")).collect();
                    put(format!("{path}/{part}/{leaf}"), &names);
                }
            };
            linear("self_attention/linear_0", &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]);
            linear("self_attention/linear_1", &["self_attn.out_proj"]);
            linear("ffn/linear_0", &["fc1"]);
            linear("ffn/linear_1", &["fc2"]);
            if side == "decoder" {
                linear("attention/linear_0", &["encoder_attn.q_proj"]);
                linear("attention/linear_1", &["encoder_attn.k_proj", "encoder_attn.v_proj"]);
                linear("attention/linear_2", &["encoder_attn.out_proj"]);
            }
        }
    }
    variables.sort_by(|a, b| a.0.cmp(&b.0));
    let text = |s: &str| [&(s.len() as u16 + 1).to_le_bytes()[..], s.as_bytes(), &[0]].concat();
    let mut bytes = [&6u32.to_le_bytes()[..], &text("WhisperSpec"), &3u32.to_le_bytes()].concat();
    bytes.extend((variables.len() as u32).to_le_bytes());
    for (name, shape, values) in variables {
        bytes.extend(text(&name));
        bytes.push(shape.len() as u8);
        bytes.extend(shape.iter().flat_map(|&d| (d as u32).to_le_bytes()));
        bytes.push(0);
        bytes.extend((values.len() as u32 * 4).to_le_bytes());
        bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    }
    bytes
}

fn vocabulary() -> Vec<u8> {
    let marks = ["endoftext", "startoftranscript", "en", "de", "transcribe", "nospeech", "notimestamps"];
    let letters = ('a'..='l').map(|c| c.to_string());
    let lines: Vec<String> = letters.chain(marks.map(|m| format!("<|{m}|>"))).collect();
    lines.join("\n").into_bytes()
}

const GENERATION: &[u8] = br#"{"alignment_heads": [[0, 0], [0, 1], [1, 0], [1, 1]], "suppress_ids": [0]}"#;

fn companions(vocabulary: &[u8]) -> Companions<'_> {
    Companions { vocabulary, generation: Some(GENERATION) }
}

#[test]
fn both_sources_give_the_same_bytes_every_time() {
    let vocabulary = vocabulary();
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let ct2 = ct2();
    for folder in &folders[..2] {
        from_ct2(&mut ct2.as_slice(), &companions(&vocabulary), folder.path(), Precision::Int8).unwrap();
    }
    let mut file = Cursor::new(safetensors());
    from_safetensors(&mut file, &companions(&vocabulary), folders[2].path(), Precision::Int8).unwrap();
    let read = |i: usize, name: &str| std::fs::read(folders[i].path().join(name)).unwrap();
    for name in
        ["encoder.onnx", "encoder.weights", "decoder.onnx", "decoder.weights", "vocabulary.json", "whisper.json"]
    {
        assert!(read(0, name) == read(1, name), "{name}");
    }
    // The order of tensors differs between the sources, their content does not.
    for name in ["vocabulary.json", "whisper.json"] {
        assert!(read(0, name) == read(2, name), "{name}");
    }
    assert_eq!(read(0, "decoder.weights").len(), read(2, "decoder.weights").len());
}

fn runtime() -> Option<OnnxRuntime> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/onnxruntime/libonnxruntime.so");
    if !library.exists() {
        println!("skipped: no ONNX Runtime library");
        return None;
    }
    Some(OnnxRuntime::open(&library).unwrap())
}

/// The largest difference relative to the largest value.
fn distance(got: &[f32], want: &Value) -> f32 {
    let want: Vec<f32> = want.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
    let size = want.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / size
}

#[test]
fn the_graphs_compute_what_numpy_computes() {
    let (Some(runtime), golden, vocabulary) = (runtime(), golden(), vocabulary()) else { return };
    for (precision, tolerance) in [(Precision::Float32, 1e-4), (Precision::Int8, 0.05)] {
        for source in ["ct2", "safetensors"] {
            let folder = tempfile::tempdir().unwrap();
            let companions = companions(&vocabulary);
            if source == "ct2" {
                from_ct2(&mut ct2().as_slice(), &companions, folder.path(), precision).unwrap();
            } else {
                from_safetensors(&mut Cursor::new(safetensors()), &companions, folder.path(), precision).unwrap();
            }
            let options = SessionOptions { threads: 1 };
            let mut whisper = Whisper::open(&runtime, &Files::of(folder.path()), &options).unwrap();
            let close = |what: &str, got: &[f32], want: &Value| {
                let distance = distance(got, want);
                assert!(distance < tolerance, "{precision:?} {source} {what}: {distance}");
            };
            let audio = whisper.encode(numbers("mel", 80 * 40), 40).unwrap();
            let half = |t: &Tensor| t.as_f32().unwrap()[20 * 64..20 * 64 + 128].to_vec();
            for (i, tensor) in audio.iter().enumerate() {
                assert_eq!(tensor.shape(), [1, 2, 20, 64]);
                close("cross", &half(tensor), &golden["cross"][i]);
            }
            let mut past = whisper.no_past().unwrap();
            let step = whisper.step(&audio, &mut past, &[3, 7, 11], 3, 3).unwrap();
            for row in 0..3 {
                close("logits", &step.logits[row * TOKENS..][..60], &golden["logits"][row]);
            }
            assert_eq!(step.scores.shape(), [1, 4, 3, 20]);
            for layer in 0..2 {
                close("scores", &step.scores.as_f32().unwrap()[layer * 120..][..60], &golden["scores"][layer]);
            }
            past.choose(&[0, 0]);
            let beams = whisper.step(&audio, &mut past, &[20, 31], 1, 0).unwrap();
            past.choose(&[1, 1]);
            let later = whisper.step(&audio, &mut past, &[5, 6], 1, 0).unwrap();
            for row in 0..2 {
                close("beams", &beams.logits[row * TOKENS..][..60], &golden["beams"][row]);
                close("later", &later.logits[row * TOKENS..][..60], &golden["later"][row]);
            }
        }
    }
}

#[test]
fn the_picture_is_that_of_the_formula() {
    let golden = golden();
    let noise = numbers("sound", 4800);
    let mut sound: Vec<f32> =
        (0..4800).map(|i| (0.5 * (f64::from(i).powf(1.5) / 700.0).sin()) as f32 + 0.1 * noise[i as usize]).collect();
    sound[2400..3200].fill(0.0);
    let picture = LogMel::new(80).compute(&sound, 50);
    for (i, column) in [0, 1, 14, 17, 29, 30, 31, 40, 49].into_iter().enumerate() {
        let got: Vec<f32> = (0..80).map(|band| picture[band * 50 + column]).collect();
        let distance = distance(&got, &golden["picture"][i]);
        assert!(distance < 1e-4, "column {column}: {distance}");
    }
}

#[test]
fn weights_that_lack_a_tensor_or_fit_no_vocabulary_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let vocabulary = vocabulary();
    let whole = ct2();
    let convert = |bytes: &[u8], vocabulary: &[u8]| {
        from_ct2(&mut &*bytes, &companions(vocabulary), folder.path(), Precision::Int8).unwrap_err()
    };
    let mut fewer = whole.clone();
    let at = 4 + 2 + 12 + 4;
    fewer[at] -= 20;
    for error in
        [convert(&whole[..whole.len() / 2], &vocabulary), convert(&fewer, &vocabulary), convert(&whole, b"a\nb")]
    {
        assert_eq!(error.kind(), tempograph_core::ErrorKind::ModelInvalid);
    }
}
