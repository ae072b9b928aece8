//! Paths as git knows them: bytes, relative to the repository, separated by `/`.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path relative to the repository, any bytes but NUL.
///
/// As text it is the path itself when that is UTF-8 and does not begin with `"`; otherwise it is
/// git's own quoted form, `"caf\351.txt"`, so that no byte is lost and nothing is ambiguous.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(Vec<u8>);

impl RepoPath {
    /// Takes bytes as git prints them: relative to the top of the repository, separated by `/`.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes, which need not be UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the path for use with files.
    pub fn to_path(&self) -> std::path::PathBuf {
        use std::os::unix::ffi::OsStrExt as _;
        std::ffi::OsStr::from_bytes(&self.0).into()
    }

    /// Returns git's quoted form, in which no byte means anything to a reader of lines.
    pub fn quoted(&self) -> String {
        quoted(&self.0)
    }

    /// Returns the segments between slashes.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/')
    }

    /// Returns whether `other` lies in the folder that has this path.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.len() > self.0.len()
            && other.0.starts_with(&self.0)
            && other.0[self.0.len()] == b'/'
    }

    /// Returns the name both sides of a merge know, if this is one that git made up for one side:
    /// it adds `~` and the side's commit where a file and a folder want one name.
    pub fn without_side(&self) -> Option<Self> {
        let at = self.0.iter().rposition(|byte| *byte == b'~')?;
        let side = &self.0[at + 1..];
        let is_commit = side.len() >= 40 && side.iter().all(u8::is_ascii_hexdigit);
        (is_commit || side == b"HEAD").then(|| Self::new(&self.0[..at]))
    }

    /// Returns whether it is a file from which git reads how to treat others.
    pub fn is_attributes(&self) -> bool {
        self.segments().last() == Some(b".gitattributes")
    }

    /// Returns the path without the slash that git puts after a folder.
    pub fn without_slash(&self) -> Self {
        Self::new(self.0.strip_suffix(b"/").unwrap_or(&self.0))
    }

    /// Returns the folders above this path, the nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self.0.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
        ends.map(|(end, _)| &self.0[..end])
    }
}

impl From<&str> for RepoPath {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) if !text.starts_with('"') => f.write_str(text),
            _ => f.write_str(&quoted(&self.0)),
        }
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns git's C-style quoting of `bytes` (`core.quotePath`).
fn quoted(bytes: &[u8]) -> String {
    let mut out = String::from('"');
    for byte in bytes {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            0x20..=0x7e => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out + "\""
}

/// Returns the bytes that [`quoted`] was given, or `None` when `text` is not in that form.
fn unquoted(text: &str) -> Option<Vec<u8>> {
    let mut rest = text.strip_prefix('"')?.strip_suffix('"')?.bytes();
    let mut out = Vec::new();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'\\' => match rest.next()? {
                b'n' => b'\n',
                b't' => b'\t',
                digit @ b'0'..=b'3' => {
                    (digit - b'0') * 64 + (rest.next()? - b'0') * 8 + (rest.next()? - b'0')
                }
                other => other,
            },
            other => other,
        });
    }
    Some(out)
}

impl Serialize for RepoPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RepoPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(unquoted(&text).unwrap_or_else(|| text.into_bytes())))
    }
}

impl JsonSchema for RepoPath {
    fn schema_name() -> Cow<'static, str> {
        "RepoPath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Repository-relative path; git's quoted form when it is not UTF-8",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_survive_json() {
        for bytes in
            [&b"src/a.rs"[..], b"caf\xe9 \xff\n\t\".txt", b"\"quoted\"", "grüße/ß".as_bytes()]
        {
            let json = serde_json::to_string(&RepoPath::new(bytes)).unwrap();
            let back: RepoPath = serde_json::from_str(&json).unwrap();
            assert_eq!(back.as_bytes(), bytes, "{json}");
        }
    }

    #[test]
    fn non_utf8_is_shown_as_git_shows_it() {
        assert_eq!(RepoPath::new(b"caf\xe9.txt".to_vec()).to_string(), r#""caf\351.txt""#);
        assert_eq!(RepoPath::from("café.txt").to_string(), "café.txt");
    }
}
