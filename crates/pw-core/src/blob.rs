//! An entry of a tree: the object, and what git makes of it in a worktree.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::Oid;

/// What an entry of a tree is, by the number git keeps for it: `100644`, `100755` for a program,
/// `120000` for a symbolic link, `160000` for a submodule. Numbers of old histories, `100664` for
/// one, are kept as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileMode(u32);

/// Not an octal number of six digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadMode;

impl FileMode {
    /// A file.
    pub const FILE: Self = Self(0o100_644);
    /// A file that is a program.
    pub const PROGRAM: Self = Self(0o100_755);
    /// A symbolic link.
    pub const LINK: Self = Self(0o120_000);
    /// A commit of another repository.
    pub const SUBMODULE: Self = Self(0o160_000);

    /// Returns whether it is a file, a program or not: only of these git merges contents.
    pub fn is_file(self) -> bool {
        self.0 >> 12 == 0o10
    }

    /// Returns whether it is a file that may be run.
    pub fn is_program(self) -> bool {
        self.is_file() && self.0 & 0o100 != 0
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06o}", self.0)
    }
}

impl fmt::Display for BadMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the mode of an entry of a tree")
    }
}

impl std::error::Error for BadMode {}

impl FromStr for FileMode {
    type Err = BadMode;

    fn from_str(text: &str) -> Result<Self, BadMode> {
        let is_mode = text.len() == 6 && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        let mode = u32::from_str_radix(text, 8).map_err(|_| BadMode)?;
        if is_mode { Ok(Self(mode)) } else { Err(BadMode) }
    }
}

impl TryFrom<String> for FileMode {
    type Error = BadMode;

    fn try_from(text: String) -> Result<Self, BadMode> {
        text.parse()
    }
}

impl From<FileMode> for String {
    fn from(mode: FileMode) -> Self {
        mode.to_string()
    }
}

/// A file's content and mode.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Blob {
    /// The object id of the content.
    pub oid: Oid,
    /// As git writes it: `100644`, `100755`, `120000` for a link, `160000` for a submodule.
    #[schemars(with = "String")]
    pub mode: FileMode,
}

impl Blob {
    /// Returns the mode that a merge of files gives: that of the side which changed it. `base` is
    /// `None` where both sides added the file.
    pub fn merged_mode(base: Option<&Self>, ours: &Self, theirs: &Self) -> FileMode {
        let was = base.map_or(ours.mode, |base| base.mode);
        if theirs.mode == was { ours.mode } else { theirs.mode }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_kept_as_git_writes_them() {
        for text in ["100644", "100755", "100664", "120000", "160000", "040000"] {
            let mode: FileMode = text.parse().unwrap();
            assert_eq!(mode.to_string(), text);
            assert_eq!(mode.is_file(), text.starts_with("100"), "{text}");
        }
        for bad in ["", "644", "+00644", "100648", "0100644"] {
            assert_eq!(bad.parse::<FileMode>(), Err(BadMode), "{bad}");
        }
        assert!(FileMode::PROGRAM.is_program() && !FileMode::FILE.is_program());
    }

    #[test]
    fn the_side_that_changed_the_mode_is_right() {
        let blob = |mode| Blob { oid: "a".repeat(40).parse().unwrap(), mode };
        let (file, program) = (blob(FileMode::FILE), blob(FileMode::PROGRAM));
        let merged = |base, ours, theirs| Blob::merged_mode(base, ours, theirs);
        assert_eq!(merged(Some(&file), &program, &file), FileMode::PROGRAM);
        assert_eq!(merged(Some(&program), &file, &program), FileMode::FILE);
        assert_eq!(merged(Some(&file), &file, &program), FileMode::PROGRAM);
        assert_eq!(merged(None, &file, &program), FileMode::PROGRAM);
    }
}
