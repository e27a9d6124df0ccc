//! Parsers of what comes from outside, each with inputs to begin with.

use tempograph_models::{ct2::Ct2Reader, store::Manifest};

/// A parser under test.
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) corpus: &'static [&'static [u8]],
    /// Parses; what it answers does not matter.
    pub(super) run: fn(&[u8]),
}

/// Every target.
pub(super) const TARGETS: &[Target] = &[
    Target { name: "manifest", corpus: &[include_bytes!("../../../assets/models/models.toml"), MODEL], run: manifest },
    Target { name: "ct2", corpus: &[CT2], run: ct2 },
];

const MODEL: &[u8] = b"[[model]]\nname = \"a\"\ntask = \"t\"\nfamily = \"f\"\nlicence = \"MIT\"\n[[model.file]]\nname = \"x\"\nbytes = 1\nsha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\nsources = [{ pip = [{ package = \"p==1\", member = \"m\" }] }]\n";

/// A model of one variable `w` of two floats.
const CT2: &[u8] = b"\x06\0\0\0\x0c\0WhisperSpec\0\x03\0\0\0\x01\0\0\0\x02\0w\0\x01\x02\0\0\0\0\x08\0\0\0\0\0\x80\x3f\0\0\0\x40\0\0\0\0";

fn manifest(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        Manifest::parse(text).ok();
    }
}

fn ct2(mut bytes: &[u8]) {
    let Ok(mut reader) = Ct2Reader::open(&mut bytes) else { return };
    while let Ok(Some(_)) = reader.next_variable() {}
}
