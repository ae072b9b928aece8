//! From what a document names to files: paths, folders, globs, names of files, identifiers.

use std::collections::{BTreeMap, BTreeSet};

use super::{ItemFile, words};
use crate::path::RepoPath;
use crate::scope::Scope;

/// Endings that make a word a file's name, although no such file is tracked.
const ENDINGS: &[&str] = &[
    "c", "cc", "cpp", "cs", "css", "go", "h", "hpp", "html", "java", "js", "json", "jsx", "kt",
    "lua", "md", "php", "proto", "py", "rb", "rs", "rst", "scala", "sh", "sql", "swift", "toml",
    "ts", "tsx", "txt", "vue", "xml", "yaml", "yml", "zig",
];

/// The tracked files, ready to be asked by name and by the end of a path.
#[derive(Clone, Debug)]
pub struct Tracked {
    files: BTreeSet<RepoPath>,
    folders: BTreeSet<RepoPath>,
    by_name: BTreeMap<Vec<u8>, Vec<RepoPath>>,
}

/// What a name came to.
pub(super) enum Found {
    Files(Vec<ItemFile>),
    /// It could be any of these.
    Several(Vec<RepoPath>),
    /// It looks like a path, and none is tracked.
    NoFile,
    /// It may be an identifier.
    Identifier(String),
    /// It names no file: a command, a value.
    Nothing,
}

impl Tracked {
    /// Prepares the files of a commit.
    pub fn new(files: impl IntoIterator<Item = RepoPath>) -> Self {
        let files: BTreeSet<RepoPath> = files.into_iter().collect();
        let (mut folders, mut by_name) = (BTreeSet::new(), BTreeMap::<_, Vec<RepoPath>>::new());
        for file in &files {
            for folder in file.ancestors() {
                if !folders.insert(RepoPath::new(folder)) {
                    break;
                }
            }
            let name = file.segments().last().unwrap_or_default().to_vec();
            by_name.entry(name).or_default().push(file.clone());
        }
        Self { files, folders, by_name }
    }

    /// Says what a code span or a link names; `makes` when its item adds files.
    pub(super) fn find(&self, span: &str, makes: bool) -> Found {
        let text = path_of(span);
        if text.is_empty() || span.split_whitespace().nth(1).is_some() || text.contains("://") {
            return Found::Nothing;
        }
        let path = RepoPath::new(text.trim_end_matches('/'));
        if self.files.contains(&path) {
            return Found::Files(vec![ItemFile { path, is_new: false, is_folder: false }]);
        }
        if self.folders.contains(&path) {
            return Found::Files(vec![ItemFile { path, is_new: false, is_folder: true }]);
        }
        if text.contains('*') {
            return self.glob(text);
        }
        let ends = self.ending_with(&path);
        match ends.len() {
            0 => {}
            1 => {
                let path = ends.into_iter().next().unwrap_or(path);
                return Found::Files(vec![ItemFile { path, is_new: false, is_folder: false }]);
            }
            _ => return Found::Several(ends),
        }
        if !looks_like_path(text) {
            return identifier(span).map_or(Found::Nothing, Found::Identifier);
        }
        let is_folder = text.ends_with('/');
        let has_place =
            path.ancestors().any(|folder| self.folders.contains(&RepoPath::new(folder)));
        // A name without a folder that is tracked nowhere may be meant for anywhere.
        match makes || has_place {
            true if text.contains('/') || makes => {
                Found::Files(vec![ItemFile { path, is_new: true, is_folder }])
            }
            _ => Found::NoFile,
        }
    }

    /// Returns a word outside of backticks as a file, if it surely is one.
    pub(super) fn word(&self, word: &str) -> Option<ItemFile> {
        let text = path_of(word.trim_matches(|c: char| "().,;:\"'[]".contains(c)));
        let path = RepoPath::new(text.trim_end_matches('/'));
        let is_file = self.files.contains(&path) && (text.contains('/') || looks_like_path(text));
        let is_folder = text.contains('/') && self.folders.contains(&path);
        (is_file || is_folder).then_some(ItemFile { path, is_new: false, is_folder })
    }

    /// Returns the files whose path ends with these segments.
    fn ending_with(&self, path: &RepoPath) -> Vec<RepoPath> {
        let Some(name) = path.segments().last() else { return Vec::new() };
        let ends = |file: &&RepoPath| {
            let start = file.as_bytes().len().checked_sub(path.as_bytes().len() + 1);
            file.as_bytes().ends_with(path.as_bytes())
                && start.is_some_and(|at| file.as_bytes()[at] == b'/')
        };
        self.by_name.get(name).into_iter().flatten().filter(ends).cloned().collect()
    }

    /// Returns the folder above all files of a glob, or the few files themselves.
    fn glob(&self, text: &str) -> Found {
        let Ok(scope) = Scope::parse(&[text]) else { return Found::Nothing };
        let files: Vec<&RepoPath> = self.files.iter().filter(|file| scope.owns(file)).collect();
        let plain = text.split('*').next().unwrap_or_default();
        let folder = plain.rsplit_once('/').map(|(folder, _)| RepoPath::from(folder));
        match (files.as_slice(), folder) {
            ([], _) => Found::NoFile,
            (_, Some(path)) if text.ends_with("**") || text.ends_with("/*") => {
                Found::Files(vec![ItemFile { path, is_new: false, is_folder: true }])
            }
            (files, _) if files.len() <= 20 => {
                let file = |path: &&RepoPath| ItemFile {
                    path: (*path).clone(),
                    is_new: false,
                    is_folder: false,
                };
                Found::Files(files.iter().map(file).collect())
            }
            (_, Some(path)) => {
                Found::Files(vec![ItemFile { path, is_new: false, is_folder: true }])
            }
            (files, None) => Found::Several(files.iter().map(|path| (*path).clone()).collect()),
        }
    }
}

/// Takes away what surrounds a path: `./a.rs:12`, `/a.rs`.
fn path_of(span: &str) -> &str {
    let text = span.trim().trim_start_matches("./").trim_start_matches('/');
    let (path, line) = text.split_once(':').unwrap_or((text, ""));
    let is_line =
        !line.is_empty() && line.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '-'));
    let path = if is_line { path } else { text };
    path.split("#L").next().unwrap_or(path)
}

fn looks_like_path(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "._-/@+[]".contains(c);
    if !text.chars().all(plain) || text.contains("..") {
        return false;
    }
    let name = text.rsplit('/').next().unwrap_or_default();
    let ends = name.rsplit_once('.').is_some_and(|(stem, ending)| {
        !stem.is_empty() && ENDINGS.contains(&ending.to_lowercase().as_str())
    });
    // `and/or`, `GET /users` and `text/html` are none.
    ends || (text.ends_with('/') && text.len() > 1)
}

/// Returns the last name of `Type::name`, `module.name`, `name()`.
fn identifier(span: &str) -> Option<String> {
    let text = span.trim().trim_end_matches('!');
    let text = text.split_once('(').map_or(text, |(name, _)| name);
    let name = text.rsplit([':', '.', '#', '>']).next()?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let joined = text.chars().all(|c| is_name(c) || matches!(c, ':' | '.' | '#' | '-' | '>'));
    (starts && joined && name.len() >= 3 && name.len() <= 64 && name.chars().all(is_name))
        .then(|| name.to_owned())
}

/// Returns whether a span is sure to be an identifier, so that one defined nowhere is worth a word.
pub(super) fn is_surely_code(span: &str) -> bool {
    let inner = span.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let mixed = inner.chars().skip(1).any(|c| c.is_ascii_uppercase())
        && inner.chars().any(|c| c.is_ascii_lowercase());
    mixed || span.contains("::") || span.ends_with("()") || inner.contains('_')
}

/// Returns whether an item's words say that it makes files.
pub(super) fn makes(text: &str) -> bool {
    const MAKERS: &[&str] = &[
        "add",
        "build",
        "create",
        "extract",
        "generate",
        "implement",
        "introduce",
        "move",
        "new",
        "rename",
        "scaffold",
        "split",
        "write",
        "cover",
        "test",
        "document",
        "describe",
    ];
    words::words(text).any(|word| MAKERS.contains(&word.as_str()))
}
