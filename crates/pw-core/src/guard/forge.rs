//! The command lines of forges: what pushes, merges or moves branches there is up to the user.

use super::arguments::Word;

pub(super) const LANDING: &str =
    "workers do not push or land: the user takes the branches together with pw-integrate";

/// What is looked after, and what is done to it.
const VERBS: &[(&str, &[&str])] = &[
    ("pr", &["checkout", "close", "co", "create", "merge", "new", "revert", "update-branch"]),
    ("mr", &["checkout", "close", "create", "merge", "new", "rebase"]),
    ("repo", &["archive", "delete", "edit", "rename", "sync"]),
    ("release", &["create", "delete", "edit"]),
];

/// Returns whether a program of this name changes branches with these words.
pub(super) fn lands(name: &str, words: &[Word]) -> bool {
    let [what, verb, ..] = words else { return false };
    matches!(name, "gh" | "glab")
        && VERBS
            .iter()
            .any(|(known, verbs)| *known == what.text && verbs.contains(&verb.text.as_str()))
}
