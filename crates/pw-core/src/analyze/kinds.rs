//! What a file is by its name: files that every worker's changes touch, files that programs write,
//! tests.

use crate::path::RepoPath;

/// Files that a package manager writes.
const LOCKS: &[&str] = &[
    "bun.lock",
    "bun.lockb",
    "cargo.lock",
    "composer.lock",
    "deno.lock",
    "flake.lock",
    "gemfile.lock",
    "go.sum",
    "gradle.lockfile",
    "mix.lock",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "packages.lock.json",
    "pdm.lock",
    "pipfile.lock",
    "pixi.lock",
    "pnpm-lock.yaml",
    "podfile.lock",
    "poetry.lock",
    "pubspec.lock",
    "uv.lock",
    "yarn.lock",
];

/// Files that take a line from every change.
const LOGS: &[&str] = &["changelog", "changes", "history", "news", "release_notes"];

/// Folders of changelogs in pieces: every change adds a file of its own to them.
const PIECES: &[&[u8]] = &[
    b".changelog",
    b".changes",
    b".changeset",
    b".chloggen",
    b"changelog.d",
    b"changelog_unreleased",
    b"changelogs",
    b"changes.d",
    b"news.d",
    b"newsfragments",
    b"releasenotes",
];

/// What kind of file a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A lock file of a package manager, by its name.
    Lock,
    /// A changelog, or a piece of one.
    Log,
    /// Written by a program, by its ending.
    Generated,
    /// A test, by a word of its path.
    Test,
    /// Anything else.
    Other,
}

impl Kind {
    /// Tells the kind from the segments of a path.
    pub fn of(path: &[u8]) -> Self {
        let name = name(path);
        let stem = name.split('.').next().unwrap_or_default();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if LOCKS.contains(&name.as_str()) {
            Self::Lock
        } else if LOGS.contains(&stem) && (ends(&[".md", ".rst", ".txt"]) || stem == name)
            || folder_of_pieces(path).is_some()
        {
            Self::Log
        } else if ends(&[".snap", ".min.js", ".min.css", ".pb.go", "_pb2.py", ".g.dart"]) {
            Self::Generated
        } else if is_test(path) {
            Self::Test
        } else {
            Self::Other
        }
    }

    /// Returns whether a plan shares such files: every worker may touch them, since what meets in them
    /// is put together by a program or line by line.
    pub fn is_shared(self) -> bool {
        matches!(self, Self::Lock | Self::Log)
    }
}

/// Returns what a plan shares for the sake of a file that it shares: the folder, where every change adds a
/// file to it, else the file.
pub(super) fn shared_as(path: &RepoPath) -> RepoPath {
    match folder_of_pieces(path.as_bytes()) {
        Some(folder) => RepoPath::new([folder, b"/**"].concat()),
        None => path.clone(),
    }
}

fn folder_of_pieces(path: &[u8]) -> Option<&[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    let mut folders = ends.map(|end| &path[..end]);
    folders.find(|folder| {
        PIECES.contains(&folder.rsplit(|byte| *byte == b'/').next().unwrap_or_default())
    })
}

/// Returns whether a folder or a part of the name says `test` or `spec`.
fn is_test(path: &[u8]) -> bool {
    let words = path.split(|byte| matches!(byte, b'/' | b'_' | b'-' | b'.'));
    let tests: [&[u8]; 4] = [b"test", b"tests", b"spec", b"specs"];
    words.into_iter().any(|word| tests.contains(&word))
}

fn name(path: &[u8]) -> String {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    String::from_utf8_lossy(name).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changelog_in_pieces_is_shared_as_a_folder() {
        let shared_as = |path: &str| {
            let is_shared = Kind::of(path.as_bytes()).is_shared();
            is_shared.then(|| shared_as(&RepoPath::new(path)).to_string())
        };
        assert_eq!(shared_as(".changeset/brave-cats.md").as_deref(), Some(".changeset/**"));
        let piece = "py/newsfragments/12/a.rst";
        assert_eq!(shared_as(piece).as_deref(), Some("py/newsfragments/**"));
        assert_eq!(shared_as("docs/CHANGELOG.md").as_deref(), Some("docs/CHANGELOG.md"));
        assert_eq!(shared_as("src/changeset/mod.rs"), None);
        assert_eq!(shared_as("newsfragments"), None);
    }
}
