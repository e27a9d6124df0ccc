//! What comes over wires and with weights: the header of a GGUF file, server-sent events, the frames of the child.

use tempograph_runtime_llm::gguf::Header;

/// A header with a text, numbers and lists, as writers put them.
pub(super) const GGUF: &[u8] = b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\
    \x14\0\0\0\0\0\0\0general.architecture\x08\0\0\0\x05\0\0\0\0\0\0\0qwen2\
    \x11\0\0\0\0\0\0\0qwen2.block_count\x04\0\0\0\x02\0\0\0\
    \x0b\0\0\0\0\0\0\0split.count\x02\0\0\0\x03\0\
    \x1d\0\0\0\0\0\0\0qwen2.attention.head_count_kv\x09\0\0\0\x05\0\0\0\x02\0\0\0\0\0\0\0\x04\0\0\0\x02\0\0\0";
/// A list of texts, a truth and a fraction.
pub(super) const GGUF_LISTS: &[u8] = b"GGUF\x02\0\0\0\x07\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\
    \x01\0\0\0\0\0\0\0t\x09\0\0\0\x08\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0a\x02\0\0\0\0\0\0\0bc\
    \x01\0\0\0\0\0\0\0b\x07\0\0\0\x01\x01\0\0\0\0\0\0\0f\x06\0\0\0\0\0\x80\x3f";
pub(super) const EVENTS: &[&[u8]] = &[
    b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n",
    b"\xef\xbb\xbf: ping\r\nevent: x\r\ndata: a\rdata:b\r\r\ndata: d\xc3\xa9",
];
/// Two frames of the parent, then two of the child.
pub(super) const FRAMES: &[&[u8]] = &[
    b"\x15\0\0\0\x02\0\0\0{\"stop\":{\"call\": 17}}xy\x34\0\0\0\x06\0\0\0\
      {\"picture\":{\"width\":1,\"height\":2,\"mergeable\":true }}\0\0\0\0\0\0",
    b"\x0e\0\0\0\0\0\0\0{\"text\":\"abc\"}\x4b\0\0\0\0\0\0\0\
      {\"failed\":{\"code\":\"inference\",\"message\":\"it broke\",\"hint\":\"try again now\"}}",
];

pub(super) fn gguf(bytes: &[u8]) {
    let Ok(header) = Header::parse(bytes, bytes.len() as u64) else { return };
    let architecture = header.text("general.architecture").unwrap_or_default();
    let layers = header.number(&format!("{architecture}.block_count")).unwrap_or_default();
    let heads = header.per_layer(&format!("{architecture}.attention.head_count_kv"), layers);
    assert!(heads.is_none_or(|h| h.len() <= 1 << 12), "no header names an allocation");
    header.length("t");
}

pub(super) fn events(bytes: &[u8]) {
    // Where a stream is cut must not matter; the first byte says where.
    let Some((&at, bytes)) = bytes.split_first() else { return };
    let (head, tail) = bytes.split_at(usize::from(at).min(bytes.len()));
    let whole = tempograph_remote::read_events([bytes]);
    assert_eq!(tempograph_remote::read_events([head, tail]), whole, "cuts do not matter");
}

pub(super) fn frames(bytes: &[u8]) {
    tempograph_runtime_llm::each_frame(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_fuzzer_begins_with_is_understood() {
        for seed in [GGUF, GGUF_LISTS] {
            assert_eq!(Header::parse(seed, 9).map(|_| ()), Ok(()));
        }
        let header = Header::parse(GGUF, 9).unwrap();
        assert_eq!((header.text("general.architecture"), header.number("qwen2.block_count")), (Some("qwen2"), Some(2)));
        assert_eq!((header.bytes, header.per_layer("qwen2.attention.head_count_kv", 2)), (27, Some(vec![4, 2])));
        assert_eq!(tempograph_remote::read_events([EVENTS[0]]).map(|e| e.len()), Some(2));
        assert_eq!(tempograph_remote::read_events([EVENTS[1]]), Some(vec!["a\nb".to_owned(), "dé".to_owned()]));
        assert_eq!(FRAMES.iter().map(|f| tempograph_runtime_llm::each_frame(f)).collect::<Vec<_>>(), [[2, 0], [0, 2]]);
    }
}
