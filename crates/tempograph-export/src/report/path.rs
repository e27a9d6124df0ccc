//! Where a file lies as seen from a page.

use std::path::{Component, Path, PathBuf};

/// The address of `file` for a page in `folder`: a relative path, `/` between its parts,
/// percent-encoded. `None` when there is no such path (a URL, another drive).
pub fn relative(file: &Path, folder: &Path) -> Option<String> {
    if file.to_str().is_some_and(|f| f.contains("://")) {
        return None;
    }
    let (file, folder) = (settled(file)?, settled(folder)?);
    let file: Vec<Component<'_>> = file.components().collect();
    let folder: Vec<Component<'_>> = folder.components().collect();
    let common = file.iter().zip(&folder).take_while(|(a, b)| a == b).count();
    if common == 0 {
        return None;
    }
    let mut parts = vec!["..".to_owned(); folder.len() - common];
    parts.extend(file[common..].iter().map(|c| encode(c.as_os_str().as_encoded_bytes())));
    Some(parts.join("/"))
}

/// The address of `file` as editing programs want it: `file://` and the path from the root.
pub fn file_address(file: &Path) -> String {
    let Some(file) = settled(file) else { return file.display().to_string() };
    let parts = file.components().filter(|c| matches!(c, Component::Normal(_)));
    let parts: Vec<String> = parts.map(|c| encode(c.as_os_str().as_encoded_bytes())).collect();
    format!("file:///{}", parts.join("/"))
}

/// `path` from the root, without links where it exists: `..` means nothing else to a browser.
fn settled(path: &Path) -> Option<PathBuf> {
    path.canonicalize().or_else(|_| std::path::absolute(path)).ok()
}

fn encode(bytes: &[u8]) -> String {
    let mut encoded = String::new();
    for &b in bytes {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            encoded.push(char::from(b));
        } else {
            encoded.push_str(&format!("%{b:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_climb_and_are_encoded() {
        let f = |file: &str, folder: &str| relative(Path::new(file), Path::new(folder));
        assert_eq!(f("/nowhere/a b#1.mp4", "/nowhere/out/x").as_deref(), Some("../../a%20b%231.mp4"));
        assert_eq!(f("/nowhere/out/é.mp4", "/nowhere/out").as_deref(), Some("%C3%A9.mp4"));
        assert_eq!(file_address(Path::new("/nowhere/a b.mp4")), "file:///nowhere/a%20b.mp4");
        assert_eq!(f("https://example.org/a.mp4", "/nowhere"), None);
    }
}
