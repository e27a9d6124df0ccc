//! A place to run the binary in.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// A folder of its own: data, output, configuration.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
}

/// What a finished command left.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The binary, away from the user's own settings and network.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tempograph"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TEMPOGRAPH_")) {
            command.env_remove(name);
        }
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("TEMPOGRAPH_DATA", self.path("data"))
            .env("TEMPOGRAPH_OFFLINE", "true")
            .env("XDG_CONFIG_HOME", self.path("config"))
            .stdin(Stdio::null());
        if let Some(models) = models() {
            command.env("TEMPOGRAPH_MODELS", models);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        finished(self.command(args).output().unwrap())
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        read_json(&self.path(name))
    }
}

pub(crate) fn finished(output: Output) -> Done {
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn read_json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The timeline without what differs from run to run.
pub(crate) fn without_run(mut analysis: Value) -> Value {
    analysis.as_object_mut().unwrap().remove("run");
    analysis
}

/// The folder of pulled models, when `make test` (or a user) has filled one.
pub(crate) fn models() -> Option<PathBuf> {
    let named = std::env::var_os("TEMPOGRAPH_TEST_MODELS").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".cache"));
    let default = cache.or(home).map(|c| c.join("tempograph-ci/models"));
    named.or(default).filter(|p| p.is_dir())
}

/// The tiny checkpoint `file` of the models' tests where the store `models` keeps the real one of the model `name`: the same
/// architecture, random weights.
pub(crate) fn install_tiny(models: &Path, name: &str, file: &str) {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tempograph-models/tests/data").join(file);
    let folder = models.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let bytes = std::fs::copy(tiny, folder.join("model.onnx")).unwrap();
    let manifest = include_str!("../../../../assets/models/models.toml");
    let row = manifest.split("[[model]]").find(|row| row.contains(&format!("name = \"{name}\""))).unwrap();
    let sha256 = row.split("sha256 = \"").nth(1).unwrap().split('"').next().unwrap();
    let record = serde_json::json!({
        "pulled": [{"name": "model.onnx", "sha256": sha256, "source": "a test"}],
        "files": [{"name": "model.onnx", "bytes": bytes, "sha256": sha256}],
    });
    std::fs::write(folder.join("installed.json"), record.to_string()).unwrap();
}

/// Media with truth beside the checkout.
pub(crate) fn shared_media() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|a| a.join("shared/media")).find(|p| p.is_dir());
    if found.is_none() {
        println!("skipped: shared media not present");
    }
    found
}

/// Writes `path` with FFmpeg's own command; false, and said, where there is none.
pub(crate) fn ffmpeg(arguments: &[&str], path: &Path) -> bool {
    let made = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-y"])
        .args(arguments)
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"])
        .arg(path)
        .stdin(Stdio::null())
        .status();
    match made {
        Ok(status) => {
            assert!(status.success(), "ffmpeg {arguments:?}");
            true
        }
        Err(_) => {
            println!("skipped: no ffmpeg command to make a clip with");
            false
        }
    }
}

/// A clip with a hard cut at 2 s and a tone.
pub(crate) fn clip(path: &Path, seconds: u32) -> bool {
    let graph = format!(
        "testsrc2=s=320x180:r=25:d=2[a];mandelbrot=s=320x180:r=25,trim=duration={}[b];[a][b]concat=n=2:v=1[v]",
        seconds - 2
    );
    let tone = format!("sine=f=440:d={seconds}");
    ffmpeg(&["-f", "lavfi", "-i", &tone, "-filter_complex", &graph, "-map", "[v]", "-map", "0:a", "-c:a", "aac"], path)
}
