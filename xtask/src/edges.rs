//! Which crate must not reach which, along dependencies that are shipped.
//!
//! A rule that forbids is only as good as the graph it reads, so each comes with a package that must be reached.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

struct Fence {
    package: &'static str,
    /// Never, however far away.
    never: &'static [&'static str],
    /// Not as a dependency of its own.
    not_directly: &'static [&'static str],
    /// Must be reached, or the rule reads a wrong graph.
    reaches: &'static [&'static str],
}

/// What only those who talk over a network reach.
const SERVERS: &[&str] = &["axum", "hyper", "sqlx", "tokio"];

/// Who may reach [`SERVERS`].
const ASYNC: &[&str] = &["tempograph-remote", "tempograph"];

const FENCES: &[Fence] = &[
    Fence {
        package: "tempograph-core",
        never: &["tempograph-*", "ort", "ffmpeg-the-third", "ureq", "rusqlite"],
        not_directly: &[],
        reaches: &["serde", "schemars"],
    },
    Fence {
        package: "tempograph-media",
        never: &["tempograph-models", "tempograph-store", "tempograph-pipeline", "ort", "ureq", "rusqlite"],
        not_directly: &[],
        reaches: &["tempograph-core", "ffmpeg-the-third"],
    },
    Fence {
        package: "tempograph-models",
        never: &[
            "tempograph-store",
            "tempograph-pipeline",
            "tempograph-runtime-*",
            "tempograph-media",
            "ort",
            "rusqlite",
        ],
        not_directly: &[],
        reaches: &["tempograph-core", "ureq"],
    },
    Fence {
        package: "tempograph-runtime-onnx",
        never: &["tempograph-models", "tempograph-media", "tempograph-store", "tempograph-pipeline", "ureq"],
        not_directly: &[],
        reaches: &["tempograph-core", "ort"],
    },
    Fence {
        package: "tempograph-runtime-llm",
        never: &["tempograph-models", "tempograph-media", "tempograph-store", "tempograph-pipeline", "ort", "ureq"],
        not_directly: &[],
        reaches: &["tempograph-core", "llama-cpp-sys-2"],
    },
    Fence {
        package: "tempograph-remote",
        never: &[
            "tempograph-models",
            "tempograph-media",
            "tempograph-store",
            "tempograph-pipeline",
            "tempograph-runtime-*",
            "ort",
            "rusqlite",
        ],
        not_directly: &["hyper"],
        reaches: &["tempograph-core", "reqwest", "tokio"],
    },
    Fence {
        package: "tempograph-pipeline",
        never: &[
            "tempograph-store",
            "tempograph-runtime-*",
            "tempograph-remote",
            "tempograph-export",
            "ort",
            "rusqlite",
        ],
        not_directly: &["ureq", "ffmpeg-the-third"],
        reaches: &["tempograph-core", "tempograph-media", "tempograph-models"],
    },
    Fence {
        package: "tempograph-store",
        never: &["tempograph-runtime-*", "tempograph-export", "ort"],
        not_directly: &["tempograph-media", "tempograph-models", "ureq"],
        reaches: &["tempograph-core", "rusqlite"],
    },
    Fence {
        package: "tempograph-settings",
        never: &["tempograph-media", "tempograph-models", "tempograph-pipeline", "tempograph-store", "clap", "ureq"],
        not_directly: &[],
        reaches: &["tempograph-core", "toml"],
    },
    Fence {
        package: "tempograph-export",
        never: &[
            "tempograph-store",
            "tempograph-media",
            "tempograph-pipeline",
            "tempograph-models",
            "rusqlite",
            "ureq",
        ],
        not_directly: &[],
        reaches: &["tempograph-core"],
    },
    Fence {
        package: "tempograph-eval",
        never: &[
            "tempograph-store",
            "tempograph-media",
            "tempograph-pipeline",
            "tempograph-models",
            "rusqlite",
            "ureq",
        ],
        not_directly: &[],
        reaches: &["tempograph-core"],
    },
    Fence {
        package: "tempograph",
        never: &[],
        not_directly: &["ort", "ffmpeg-the-third", "rusqlite"],
        reaches: &[
            "tempograph-store",
            "tempograph-runtime-onnx",
            "tempograph-runtime-llm",
            "tempograph-remote",
            "tempograph-pipeline",
            "ffmpeg-the-third",
        ],
    },
];

/// Checks every fence; an error names each breach.
pub(crate) fn run() -> anyhow::Result<()> {
    let graph = Graph::read()?;
    let mut breaches = Vec::new();
    for package in graph.members.iter().filter(|p| p.starts_with("tempograph")) {
        if !FENCES.iter().any(|f| f.package == package) {
            breaches.push(format!("`{package}` has no fence in xtask/src/edges.rs"));
        }
    }
    for fence in FENCES {
        ensure!(graph.members.contains(fence.package), "there is no package `{}`", fence.package);
        let reached = graph.reached_from(fence.package);
        let servers = if ASYNC.contains(&fence.package) { &[] } else { SERVERS };
        for target in fence.never.iter().chain(servers) {
            for found in reached.keys().filter(|p| matches(p, target) && **p != fence.package) {
                breaches.push(format!("`{}` reaches `{found}`: {}", fence.package, path(&reached, found)));
            }
        }
        let direct = &graph.edges[fence.package];
        for target in fence.not_directly.iter().filter(|t| direct.contains(**t)) {
            breaches.push(format!("`{}` depends on `{target}` itself", fence.package));
        }
        for target in fence.reaches.iter().filter(|t| !reached.contains_key(**t)) {
            breaches.push(format!("`{}` does not reach `{target}`, which this check relies on", fence.package));
        }
    }
    if !breaches.is_empty() {
        bail!("forbidden edges:\n{}", breaches.join("\n"));
    }
    crate::say(&format!("{} fences hold", FENCES.len()));
    Ok(())
}

fn matches(package: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(package == pattern, |prefix| package.starts_with(prefix))
}

/// How `found` was reached, from where it begins.
fn path(reached: &BTreeMap<String, String>, found: &str) -> String {
    let mut names = vec![found];
    while let Some(before) = reached.get(names[names.len() - 1]).filter(|b| !b.is_empty()) {
        names.push(before);
    }
    names.reverse();
    names.join(" → ")
}

struct Graph {
    members: BTreeSet<String>,
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn read() -> anyhow::Result<Self> {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(crate::root()?)
            .output()
            .context("cannot run cargo")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        Self::from_metadata(&serde_json::from_slice(&output.stdout)?).context("cargo metadata has another form")
    }

    fn from_metadata(metadata: &Value) -> Option<Self> {
        let mut names = BTreeMap::new();
        for package in metadata["packages"].as_array()? {
            names.insert(package["id"].as_str()?, package["name"].as_str()?);
        }
        let name = |id: &Value| Some((*names.get(id.as_str()?)?).to_owned());
        let members = metadata["workspace_members"].as_array()?.iter().map(name).collect::<Option<_>>()?;
        let mut edges = BTreeMap::<String, BTreeSet<String>>::new();
        for node in metadata["resolve"]["nodes"].as_array()? {
            let shipped = |dep: &&Value| {
                dep["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k["kind"] != "dev"))
            };
            let to =
                node["deps"].as_array()?.iter().filter(shipped).map(|d| name(&d["pkg"])).collect::<Option<Vec<_>>>()?;
            edges.entry(name(&node["id"])?).or_default().extend(to);
        }
        Some(Self { members, edges })
    }

    /// Every package reached from `start`, with the one before it.
    fn reached_from(&self, start: &str) -> BTreeMap<String, String> {
        let mut reached = BTreeMap::from([(start.to_owned(), String::new())]);
        let mut open = vec![start.to_owned()];
        while let Some(package) = open.pop() {
            for next in self.edges.get(&package).into_iter().flatten() {
                if !reached.contains_key(next) {
                    reached.insert(next.clone(), package.clone());
                    open.push(next.clone());
                }
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn graph(kind: Value) -> Graph {
        let dep = |to: &str, kind: &Value| json!({"pkg": to, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [{"id": "1", "name": "a"}, {"id": "2", "name": "b"}, {"id": "3", "name": "c"}],
            "workspace_members": ["1"],
            "resolve": {"nodes": [
                {"id": "1", "deps": [dep("2", &Value::Null)]},
                {"id": "2", "deps": [dep("3", &kind)]},
                {"id": "3", "deps": []},
            ]},
        });
        Graph::from_metadata(&metadata).unwrap()
    }

    #[test]
    fn what_is_far_away_is_found_with_its_path() {
        let reached = graph(Value::Null).reached_from("a");
        assert_eq!(path(&reached, "c"), "a → b → c");
        assert!(!graph("dev".into()).reached_from("a").contains_key("c"), "what only tests need is not shipped");
        assert!(graph("build".into()).reached_from("a").contains_key("c"));
    }

    #[test]
    fn patterns_end_in_a_star() {
        assert!(matches("tempograph-runtime-onnx", "tempograph-runtime-*"));
        assert!(!matches("ort-sys", "ort"));
    }
}
