//! Where identifiers are defined: one `git grep` over a commit for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use anyhow::{Context as _, Result};
use pw_core::id::Oid;
use pw_core::path::RepoPath;

use crate::Repo;

/// Words before the name of what they define, in common languages.
const KEYWORDS: &str = "class|const|data|def|defmacro|defmodule|defp|enum|fn|fun|func|function|impl|interface|let|\
                        macro_rules!|module|object|package|protocol|record|static|struct|trait|type|typedef|\
                        union|val|var";

/// A name defined in more files than this is looked for in none: it is a word, not a thing.
const MOST_FILES: usize = 8;

/// Matches that are read; what git finds beyond them is not.
const MOST_MATCHES: usize = 20_000;

impl Repo {
    /// Returns the files of a commit that define each name; `names` are made of `a-zA-Z0-9_`.
    pub fn definitions(
        &self,
        tip: &Oid,
        names: &[String],
    ) -> Result<BTreeMap<String, Vec<RepoPath>>> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let any = names.join("|");
        // `pub(crate) fn name`, `func (r *R) Name`, `name = …` at the beginning of a line.
        let keyword = format!("({KEYWORDS})[[:space:]]+(\\([^)]*\\)[[:space:]]*)?({any})");
        let assigned = format!("^({any})[[:space:]]*(:[^=]*)?=");
        let args = [
            "grep",
            "-z",
            "-o",
            "-w",
            "-I",
            "-E",
            "--full-name",
            "--no-line-number",
            "--no-column",
            "--no-color",
            "--no-textconv",
            "--no-recurse-submodules",
            "-e",
            &keyword,
            "-e",
            &assigned,
            tip.as_str(),
            "--",
        ];
        let grep = self.git.plumbing(args).reader().codes(&[0, 1]);
        let (found, _) = grep.stream(|stdout| read(stdout, tip))?;
        let found = found.into_iter().filter(|(_, files)| files.len() <= MOST_FILES);
        Ok(found.map(|(name, files)| (name, files.into_iter().collect())).collect())
    }
}

/// Reads `commit:path`, NUL, the match and a newline, again and again.
fn read(stdout: &mut impl BufRead, tip: &Oid) -> Result<BTreeMap<String, BTreeSet<RepoPath>>> {
    let mut found: BTreeMap<String, BTreeSet<RepoPath>> = BTreeMap::new();
    let (mut place, mut matched) = (Vec::new(), Vec::new());
    for _ in 0..MOST_MATCHES {
        place.clear();
        matched.clear();
        stdout.read_until(0, &mut place).context("reading git grep")?;
        stdout.read_until(b'\n', &mut matched).context("reading git grep")?;
        let path =
            place.strip_suffix(b"\0").and_then(|place| place.strip_prefix(tip.as_str().as_bytes()));
        let Some(path) = path.and_then(|path| path.strip_prefix(b":")) else { break };
        if let Some(name) = name(&matched) {
            let files = found.entry(name).or_default();
            if files.len() <= MOST_FILES {
                files.insert(RepoPath::new(path));
            }
        }
    }
    std::io::copy(stdout, &mut std::io::sink())?;
    Ok(found)
}

/// Returns the name that a match defines: the first word of an assignment, else the last.
fn name(matched: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(matched).ok()?.trim();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words = text.split(|c| !is_word(c)).filter(|word| !word.is_empty());
    let name = if text.ends_with('=') { words.next() } else { words.next_back() };
    name.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_names_and_files() {
        let tip: Oid = "1".repeat(40).parse().unwrap();
        let text =
            ["a.rs\0pub fn one\n", "b c\0func (r *R) Two\n", "d\0THREE: int =\n", "d\0fn one\n"];
        let text: String = text.iter().map(|line| format!("{tip}:{line}")).collect();
        let found = read(&mut text.as_bytes(), &tip).unwrap();
        let told: Vec<String> =
            found.iter().map(|(name, files)| format!("{name} {files:?}")).collect();
        assert_eq!(told, ["THREE {d}", "Two {b c}", "one {a.rs, d}"]);
    }
}
