//! How a setting is written: in TOML, in the environment, on the command line.

use std::{fmt, path::PathBuf, str::FromStr};

/// A list written `a,b,c`, or as a TOML array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List(pub Vec<String>);

impl FromStr for List {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Ok(Self(s.split(',').map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned).collect()))
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// A path, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder(pub PathBuf);

impl FromStr for Folder {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        if s.is_empty() { Err("a path is empty".to_owned()) } else { Ok(Self(PathBuf::from(s))) }
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.display())
    }
}

/// A number within a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Between<const MIN: i32, const MAX: i32>(pub f64);

impl<const MIN: i32, const MAX: i32> FromStr for Between<MIN, MAX> {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let value: f64 = s.parse().map_err(|_| format!("`{s}` is not a number"))?;
        // Written so that not-a-number is refused too.
        if f64::from(MIN) <= value && value <= f64::from(MAX) {
            Ok(Self(value))
        } else {
            Err(format!("{s} is not between {MIN} and {MAX}"))
        }
    }
}

impl<const MIN: i32, const MAX: i32> fmt::Display for Between<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A whole number of at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub usize);

impl FromStr for Count {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s.parse() {
            Ok(n) if (1..=1024).contains(&n) => Ok(Self(n)),
            _ => Err(format!("`{s}` is not a whole number between 1 and 1024")),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($variant,)* }

        impl FromStr for $name {
            type Err = String;
            fn from_str(s: &str) -> Result<Self, String> {
                match s {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(format!("`{s}` is none of {}", [$($text,)*].join(", "))),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $text,)* })
            }
        }
    };
}

choice! {
    /// How log lines look.
    LogFormat { Text = "text", Json = "json", }
}
choice! {
    /// Which association method follows objects.
    TrackerName { ByteTrack = "bytetrack", Sort = "sort", }
}
choice! {
    /// On or off.
    Switch { On = "true", Off = "false", }
}

choice! {
    /// Where a model runs.
    BackendName { Off = "none", Local = "local", OpenAi = "openai", Gemini = "gemini", RunPod = "runpod", }
}

/// A key that opens a paid service. It is never part of debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The key itself, for whoever sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Key {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        // No message here may quote it.
        if s.chars().any(char::is_control) {
            Err("a key of one line is expected".to_owned())
        } else {
            Ok(Self(s.to_owned()))
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// US dollars for a million tokens, `IN/OUT`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PriceText {
    /// For tokens sent.
    pub input: f64,
    /// For tokens written.
    pub output: f64,
}

impl FromStr for PriceText {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| (0.0..=1e6).contains(n));
        let parts = s.split_once('/').and_then(|(i, o)| Some((number(i)?, number(o)?)));
        let (input, output) = parts.ok_or_else(|| format!("`{s}` is not two prices as in `0.25/2`"))?;
        Ok(Self { input, output })
    }
}

impl fmt::Display for PriceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.input, self.output)
    }
}

impl Switch {
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

/// The text a TOML value stands for, where it can stand for a setting.
pub(crate) fn toml_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(s) => Some(s.clone()),
        toml::Value::Integer(n) => Some(n.to_string()),
        toml::Value::Float(n) => Some(n.to_string()),
        toml::Value::Boolean(b) => Some(b.to_string()),
        toml::Value::Array(items) => items.iter().map(toml_text).collect::<Option<Vec<_>>>().map(|v| v.join(",")),
        _ => None,
    }
}
