//! `tempograph config show`.

use std::path::Path;

use serde_json::json;
use tempograph_core::Result;

use crate::{
    args::ConfigCommand,
    commands,
    settings::{Combined, SETTINGS},
};

/// Prints settings.
pub(crate) fn run(command: &ConfigCommand, combined: &Combined, file: Option<&Path>) -> Result<u8> {
    let json = match command {
        ConfigCommand::Show { json } => *json,
        ConfigCommand::Reference => {
            commands::print(&reference())?;
            return Ok(0);
        }
    };
    if json {
        let map: serde_json::Map<_, _> = combined
            .show()
            .map(|(key, value, origin)| (key.to_owned(), json!({"value": value, "origin": origin.to_string()})))
            .collect();
        commands::print_json(&map.into())?;
        return Ok(0);
    }
    let mut text = match file {
        Some(path) => format!("# file: {}\n", path.display()),
        None => "# no configuration file\n".to_owned(),
    };
    let width = combined.show().map(|(key, value, _)| key.len() + value.len()).max().unwrap_or(0) + 5;
    for (key, value, origin) in combined.show() {
        let setting = format!("{key} = {value:?}");
        text.push_str(&format!("{setting:width$}  # {origin}\n"));
    }
    commands::print(&text)?;
    Ok(0)
}

/// `docs/configuration.md`.
fn reference() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         <!-- Made by `tempograph config reference`; a test keeps it current. -->\n\n\
         Later sources win: defaults < file < environment < flags. The file is `config.toml` in the platform's\n\
         configuration folder (`~/.config/tempograph` on Linux), or the one named by `--config` or the environment\n\
         variable `TEMPOGRAPH_CONFIG`. A key `analyze.fps` stands in the file as `fps` under `[analyze]`. Unknown keys\n\
         are errors. `tempograph config show` prints each value with its origin.\n\n\
         | key | environment | default | meaning |\n| --- | --- | --- | --- |\n",
    );
    for s in SETTINGS {
        let default = if s.default.is_empty() { "unset".to_owned() } else { format!("`{}`", s.default) };
        text.push_str(&format!("| `{}` | `{}` | {default} | {} |\n", s.key, s.variable(), s.doc.trim()));
    }
    text
}
