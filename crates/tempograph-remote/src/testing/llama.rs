//! A real llama.cpp server, started from `scripts/llm_server.py`.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::openai::{OpenAiOptions, Preset};

/// A llama.cpp server with the small text model, or another. It ends when this is dropped, or with this process.
pub struct LlamaServer {
    child: Child,
    address: String,
}

impl LlamaServer {
    /// Starts the script at `script` with `models`: a GGUF file and, for a model that sees, its projector; none for
    /// the small text model.
    ///
    /// # Errors
    /// Words why it did not start.
    pub fn start(script: &Path, models: &[&Path]) -> Result<Self, String> {
        let mut command = Command::new("python3");
        command.arg(script).args(models);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|e| e.to_string())?;
        let lines = child.stdout.take().map(BufReader::new).into_iter().flat_map(BufReader::lines);
        let ready = lines.map_while(Result::ok).find_map(|l| l.strip_prefix("READY ").map(str::to_owned));
        match ready {
            Some(address) => Ok(Self { child, address }),
            None => Err(format!("the server ended: {:?}", child.wait().map_err(|e| e.to_string())?)),
        }
    }

    /// Its address, before `/v1`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How to reach it.
    pub fn options(&self) -> OpenAiOptions {
        let preset = Preset::named("llama-server").expect("there is such a preset");
        let mut options = OpenAiOptions::new(preset, "smollm2-135m");
        options.base_url = format!("{}/v1", self.address);
        options.limits.context_tokens = 4096;
        options.limits.images = 0;
        options
    }
}

impl Drop for LlamaServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
