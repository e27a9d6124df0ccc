//! What reviewers would otherwise have to look for.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Lines a source file may have.
const MAX_LINES: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository")
}

/// Paths of the repository's files: what git knows or would add.
fn files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).expect("names are UTF-8");
    names.split('\0').filter(|n| !n.is_empty()).map(PathBuf::from).filter(|p| root().join(p).is_file()).collect()
}

fn sources() -> impl Iterator<Item = (PathBuf, String)> {
    let rust = files().into_iter().filter(|p| p.extension().is_some_and(|e| e == "rs"));
    rust.map(|p| (p.clone(), read(&p)))
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).expect("the file is text")
}

fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn no_source_file_is_too_long() {
    let long = sources().filter(|(_, text)| text.lines().count() > MAX_LINES).map(|(p, _)| p.display().to_string());
    none("too long", long.collect());
}

#[test]
fn every_module_says_what_it_is() {
    let silent = sources().filter(|(path, text)| {
        let test = path.components().any(|c| c.as_os_str() == "tests") || path.ends_with("tests.rs");
        !test && !text.starts_with("//!") && !text.starts_with("#!")
    });
    none("no header", silent.map(|(p, _)| p.display().to_string()).collect());
}

#[test]
fn nothing_is_left_for_later() {
    // Spelt apart, so that this file does not find itself.
    let words =
        [["to", "do!("].concat(), ["unimpl", "emented!("].concat(), ["FIX", "ME"].concat(), ["dbg", "!("].concat()];
    let found = sources().filter(|(_, text)| words.iter().any(|w| text.contains(w)));
    none("left for later", found.map(|(p, _)| p.display().to_string()).collect());
}

#[test]
fn every_crate_is_on_the_map() {
    let map = read(Path::new("ARCHITECTURE.md"));
    let crates = fs::read_dir(root().join("crates")).expect("there are crates");
    let names = crates.map(|c| c.expect("readable").file_name().into_string().expect("UTF-8"));
    none("not in ARCHITECTURE.md", names.filter(|n| !map.contains(&format!("`{n}`"))).collect());
}

#[test]
fn the_readme_gives_the_two_commands() {
    let readme = read(Path::new("README.md"));
    assert!(readme.contains("make demo") && readme.contains("make test"));
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for path in files().into_iter().filter(|p| p.extension().is_some_and(|e| e == "md")) {
        let text = read(&path);
        for (i, _) in text.match_indices("](") {
            let target = text[i + 2..].split(')').next().unwrap_or_default();
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let folder = root().join(path.parent().expect("a file lies in a folder"));
            if !folder.join(file).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    none("broken links", broken);
}

#[test]
fn shipped_assets_state_their_licence() {
    for (folder, list) in [("assets/models", "README.md"), ("assets/demo", "LICENCES.md")] {
        let stated = read(&Path::new(folder).join(list));
        for path in files().iter().filter(|p| p.starts_with(folder)) {
            let name = path.file_name().and_then(|n| n.to_str()).expect("UTF-8");
            let is_text = name.ends_with(".md") || name.ends_with(".toml");
            assert!(is_text || stated.contains(&format!("`{name}`")), "{} is not in {folder}/{list}", path.display());
        }
    }
}

#[test]
fn nothing_names_this_machine_or_a_registry() {
    // Spelt apart, so that this file does not find itself.
    let words: Vec<String> = [
        ["/wo", "rk/"],
        ["/ho", "me/"],
        ["/ro", "ot/"],
        ["/tm", "p/w"],
        ["/fa", "rm"],
        ["pypi", ".org"],
        ["pythonhosted", ".org"],
        ["npmjs", ".org"],
        ["npmjs", ".com"],
        ["static.crates", ".io"],
        ["index.crates", ".io"],
        ["deb.debian", ".org"],
        ["proxy.golang", ".org"],
    ]
    .map(|parts| parts.concat())
    .into();
    let mut found = Vec::new();
    for path in files() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|w| line.contains(w)) {
                found.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.chars().take(120).collect::<String>()
                ));
            }
        }
    }
    none("names this machine or a registry", found);
}
