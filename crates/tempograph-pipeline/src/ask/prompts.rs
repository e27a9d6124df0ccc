//! Prompts: the texts that put a task to a model. They are files of the repository that users can replace.

use tempograph_core::{Error, ErrorKind, Result};

/// Characters of a prompt at most: a file that is longer is not one.
const MAX_CHARS: usize = 20_000;

/// The texts that put tasks to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts {
    system: String,
    window: String,
    scene: String,
    summary: String,
}

impl Default for Prompts {
    fn default() -> Self {
        Self {
            system: include_str!("../../../../prompts/system.md").to_owned(),
            window: include_str!("../../../../prompts/window.md").to_owned(),
            scene: include_str!("../../../../prompts/scene.md").to_owned(),
            summary: include_str!("../../../../prompts/summary.md").to_owned(),
        }
    }
}

impl Prompts {
    /// Names of the prompts; the file of each is `NAME.md`.
    pub const NAMES: [&'static str; 4] = ["system", "window", "scene", "summary"];

    /// Takes `text` for the prompt called `name`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a name that is none of [`Self::NAMES`], and for a text that is empty or too long.
    pub fn set(&mut self, name: &str, text: &str) -> Result<()> {
        if text.trim().is_empty() || text.chars().count() > MAX_CHARS {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the prompt `{name}` must have between 1 and {MAX_CHARS} characters"),
            ));
        }
        let prompt = match name {
            "system" => &mut self.system,
            "window" => &mut self.window,
            "scene" => &mut self.scene,
            "summary" => &mut self.summary,
            _ => {
                return Err(Error::new(ErrorKind::Config, format!("there is no prompt `{name}`"))
                    .with_hint(format!("the prompts are {}", Self::NAMES.join(", "))));
            }
        };
        text.clone_into(prompt);
        Ok(())
    }

    pub(crate) fn system(&self) -> &str {
        &self.system
    }

    pub(crate) fn window(&self) -> &str {
        &self.window
    }

    pub(crate) fn scene(&self) -> &str {
        &self.scene
    }

    pub(crate) fn summary(&self) -> &str {
        &self.summary
    }

    /// Digest of what windows are asked with.
    pub(crate) fn window_digest(&self) -> String {
        digest(&[&self.system, &self.window])
    }

    /// Digest of what summaries are asked with.
    pub(crate) fn summary_digest(&self) -> String {
        digest(&[&self.system, &self.scene, &self.summary])
    }
}

/// Twelve hexadecimal digits that stand for `texts`.
pub(crate) fn digest<T: AsRef<str>>(texts: &[T]) -> String {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.as_ref().len() as u64).to_le_bytes());
        hasher.update(text.as_ref().as_bytes());
    }
    hasher.finalize().to_hex()[..12].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempograph_core::timeline::VisualEventKind as Kind;

    #[test]
    fn the_window_prompt_names_every_kind_of_event() {
        let prompts = Prompts::default();
        for kind in [
            Kind::Approach,
            Kind::Depart,
            Kind::Interact,
            Kind::Follow,
            Kind::Idle,
            Kind::Group,
            Kind::Avoid,
            Kind::Chase,
            Kind::Observe,
        ] {
            assert!(prompts.window().contains(&format!("`{}`", kind.as_str())), "{kind:?}");
        }
    }

    #[test]
    fn a_prompt_changes_the_digest_of_what_it_is_used_for() {
        let (own, mut other) = (Prompts::default(), Prompts::default());
        other.set("summary", "Say it in one word.").unwrap();
        assert_eq!(own.window_digest(), other.window_digest());
        assert_ne!(own.summary_digest(), other.summary_digest());
        other.set("system", "Be brief.").unwrap();
        assert_ne!(own.window_digest(), other.window_digest());
        assert_eq!(other.set("nothing", "x").unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(other.set("window", " \n").unwrap_err().kind(), ErrorKind::Config);
    }
}
