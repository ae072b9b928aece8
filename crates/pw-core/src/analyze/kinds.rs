//! What a file is by its name: files that every worker's changes touch, files that programs write,
//! tests.

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

/// What kind of file a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A lock file of a package manager, by its name.
    Lock,
    /// A changelog.
    Log,
    /// Written by a program, by its ending.
    Generated,
    /// A test, by a word of its path.
    Test,
    /// Anything else.
    Other,
}

impl Kind {
    /// Tells the kind from the last segment of a path.
    pub fn of(path: &[u8]) -> Self {
        let name = name(path);
        let stem = name.split('.').next().unwrap_or_default();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if LOCKS.contains(&name.as_str()) {
            Self::Lock
        } else if LOGS.contains(&stem) && (ends(&[".md", ".rst", ".txt"]) || stem == name) {
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
