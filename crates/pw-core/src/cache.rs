//! What programs keep for themselves, to be quick the next time: the next run makes it again.

use crate::path::RepoPath;

/// Folders and files of that kind, by name. What a user may have put something into, such as
/// `.cache` or `build`, is not among them.
const NAMES: &[&str] = &[
    "__pycache__",
    ".DS_Store",
    ".eslintcache",
    ".hypothesis",
    ".mypy_cache",
    ".nox",
    ".parcel-cache",
    ".phpunit.result.cache",
    ".pytest_cache",
    ".ruff_cache",
    ".sass-cache",
    ".stylelintcache",
    ".tox",
    ".turbo",
    ".zig-cache",
    "zig-cache",
];

/// Folders that a package manager fills; no worker owns them on purpose. A plan's `setup` fills them
/// again, so that with one they are as disposable as a cache.
pub const INSTALLED: &[&str] = &["node_modules", ".venv", "venv"];

/// Returns whether a path is, or lies in, such a folder.
pub fn is_installed(path: &RepoPath) -> bool {
    path.segments().any(|name| INSTALLED.iter().any(|known| known.as_bytes() == name))
}

/// Returns whether a path is, or lies in, what a program is known to keep for itself.
pub fn is_cache(path: &RepoPath) -> bool {
    let is_known =
        |name: &[u8]| NAMES.iter().any(|known| known.as_bytes() == name) || name.ends_with(b".pyc");
    path.segments().any(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_known_by_name_in_every_folder() {
        for (path, expected) in [
            ("__pycache__/a.pyc", true),
            ("api/.pytest_cache/v/x", true),
            ("x.pyc", true),
            (".eslintcache", true),
            (".env", false),
            ("build/x", false),
            ("__pycache__x", false),
        ] {
            assert_eq!(is_cache(&path.into()), expected, "{path}");
        }
    }
}
