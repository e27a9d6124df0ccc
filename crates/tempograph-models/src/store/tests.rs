use std::{fs, sync::Mutex};

use super::{http::tests::Server, *};

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn manifest() -> Manifest {
    let row = |name: &str, rank: u32, sources: &str| {
        format!(
            "[[model]]\nname = \"{name}\"\ntask = \"detect\"\nfamily = \"nanodet\"\nlicence = \"MIT\"\nrank = {rank}\n\
             default = {}\n[[model.file]]\nname = \"m.onnx\"\nbytes = 3\nsha256 = \"{ABC}\"\nsources = [{sources}]\n",
            rank == 1
        )
    };
    let hub = r#"{ hf = { repo = "o/r", revision = "main", path = "m.onnx" } }"#;
    let second = r#"{ hf = { repo = "o/second", revision = "main", path = "m.onnx" } }"#;
    Manifest::parse(&[row("small", 1, hub), row("large", 2, &format!("{hub}, {second}"))].concat()).unwrap()
}

struct Bench {
    dir: tempfile::TempDir,
    server: Server,
    events: Mutex<Vec<String>>,
}

impl Bench {
    fn new(server: Server) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), server, events: Mutex::default() }
    }

    fn store(&self) -> ModelStore {
        let options = StoreOptions {
            hub: self.server.address.clone(),
            allow_loopback_http: true,
            patience: Duration::from_secs(5),
            pause: Duration::from_millis(1),
            ..StoreOptions::default()
        };
        ModelStore::new(self.dir.path().join("models"), manifest(), options)
    }

    fn pull(&self, name: &str) -> Result<LocatedModel> {
        self.store().pull(name, &Cancel::new(), &mut |e| self.events.lock().unwrap().push(format!("{e:?}")))
    }
}

#[test]
fn a_model_is_pulled_once_and_then_found() {
    let bench = Bench::new(Server::giving(b"abc", 1));
    let store = bench.store();
    let error = store.locate("small").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelMissing);
    assert_eq!(error.hint(), Some("run `tempograph models pull small`"));
    let pulled = bench.pull("small").unwrap();
    assert_eq!(pulled.sha256, ABC);
    assert_eq!(fs::read(pulled.main()).unwrap(), b"abc");
    assert_eq!(store.locate("small").unwrap(), pulled);
    assert_eq!(bench.pull("small").unwrap(), pulled, "no request is made");
    assert_eq!(bench.server.requests(), 1);
    let left: Vec<_> = fs::read_dir(store.root().join(".incoming")).unwrap().collect();
    assert!(left.is_empty(), "nothing unfinished stays");
}

#[test]
fn the_next_source_is_tried_after_one_that_fails() {
    let bench = Bench::new(Server::giving(b"abd", 1));
    let error = bench.pull("small").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelInvalid, "{error}");
    assert!(error.to_string().contains("`o/r`") && error.to_string().contains("SHA-256 differs"), "{error}");
    let bench = Bench::new(Server::in_turn(&[b"abd", b"abc"]));
    assert_eq!(fs::read(bench.pull("large").unwrap().main()).unwrap(), b"abc");
    assert!(bench.events.lock().unwrap().iter().any(|e| e.starts_with("Refused")));
}

#[test]
fn when_every_source_fails_every_reason_is_given() {
    let bench = Bench::new(Server::broken(6));
    let error = bench.pull("large").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FetchFailed);
    let text = error.to_string();
    assert!(text.contains("`o/r`: ") && text.contains("`o/second`: ") && text.contains("500"), "{text}");
    assert!(error.hint().is_some_and(|h| h.contains("HTTPS_PROXY")));
    assert_eq!(bench.store().list()[1].status, Status::Absent);
}

#[test]
fn offline_nothing_is_asked() {
    let bench = Bench::new(Server::giving(b"abc", 1));
    let options = StoreOptions { offline: true, hub: bench.server.address.clone(), ..StoreOptions::default() };
    let store = ModelStore::new(bench.dir.path(), manifest(), options);
    let error = store.pull("small", &Cancel::new(), &mut |_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FetchFailed);
    assert!(error.hint().is_some_and(|h| h.contains("--offline")));
    assert_eq!(bench.server.requests(), 0);
}

#[test]
fn the_best_model_that_is_here_is_preferred() {
    let bench = Bench::new(Server::giving(b"abc", 2));
    let store = bench.store();
    let error = store.preferred("detect").unwrap_err();
    assert_eq!(error.hint(), Some("run `tempograph models pull small`"), "the default one is named");
    bench.pull("small").unwrap();
    assert_eq!(store.preferred("detect").unwrap().name, "small");
    bench.pull("large").unwrap();
    assert_eq!(store.preferred("detect").unwrap().name, "large");
    assert!(store.preferred("fly").is_err());
}

#[test]
fn verify_finds_what_changed_and_pull_mends_it() {
    let bench = Bench::new(Server::giving(b"abc", 2));
    let store = bench.store();
    let model = bench.pull("small").unwrap();
    let verify = || store.verify("small", &Cancel::new()).unwrap().remove(0).problem;
    assert_eq!(verify(), None);
    fs::write(model.main(), b"abd").unwrap();
    assert_eq!(verify().as_deref(), Some("its SHA-256 differs"));
    fs::write(model.main(), b"ab").unwrap();
    assert_eq!(verify().as_deref(), Some("it has 2 bytes instead of 3"));
    assert_eq!(store.list()[0].status, Status::Damaged);
    assert_eq!(store.locate("small").unwrap_err().kind(), ErrorKind::ModelMissing);
    bench.pull("small").unwrap();
    assert_eq!(verify(), None);
    assert_eq!(store.verify("large", &Cancel::new()).unwrap_err().kind(), ErrorKind::ModelMissing);
}

#[test]
fn a_hostile_or_torn_record_is_a_model_to_pull_again() {
    let bench = Bench::new(Server::giving(b"abc", 2));
    let store = bench.store();
    let model = bench.pull("small").unwrap();
    fs::write(model.dir.join(RECORD), b"{").unwrap();
    assert_eq!(store.list()[0].status, Status::Absent);
    bench.pull("small").unwrap();
    assert_eq!(store.list()[0].status, Status::Present);
}

#[test]
fn removing_frees_the_space() {
    let bench = Bench::new(Server::giving(b"abc", 1));
    let store = bench.store();
    assert_eq!(store.remove("small", &Cancel::new()).unwrap(), 0);
    bench.pull("small").unwrap();
    assert!(store.remove("small", &Cancel::new()).unwrap() >= 3);
    assert_eq!(store.list()[0].status, Status::Absent);
    assert_eq!(store.remove("thing", &Cancel::new()).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn two_at_once_pull_once() {
    let bench = Bench::new(Server::giving(b"abc", 8));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| bench.pull("small").unwrap());
        }
    });
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn a_bundled_model_needs_no_network_and_no_pull() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { offline: true, ..StoreOptions::default() };
    let store = ModelStore::new(dir.path(), Manifest::builtin().unwrap(), options);
    let detector = store.preferred("detect").unwrap();
    assert_eq!(detector.name, "nanodet-g");
    assert_eq!(digest::file(&detector.main(), &Cancel::new()).unwrap().1, detector.sha256);
    assert_eq!(store.locate("nanodet-g").unwrap(), detector);
}

#[test]
fn the_runtime_is_searched_where_it_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let store = ModelStore::new(dir.path(), Manifest::builtin().unwrap(), StoreOptions::default());
    let missing = store.onnxruntime(Some(&dir.path().join("x.so")), None).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::RuntimeMissing);
    let library = dir.path().join(LIBRARY_NAMES[0]);
    fs::write(&library, b"elf").unwrap();
    assert_eq!(store.onnxruntime(None, Some(dir.path())).unwrap(), library);
    assert_eq!(store.onnxruntime(Some(&library), None).unwrap(), library);
}
