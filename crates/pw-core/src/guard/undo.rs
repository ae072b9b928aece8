//! How to take back what git did to a worktree before one of our hooks refused the rest: git moves
//! refs, and asks for a message, after it has changed index and files.

use crate::branch::Branch;
use crate::shell_word::shell_word;

/// A git command that a hook refuses to go on with, and what it did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Halted {
    /// Its command line, as the system tells it; empty when it does not.
    pub command: String,
    /// The files that git keeps in its own folder of the worktree while something is under way.
    pub under_way: Vec<String>,
    /// The commit that index, and perhaps files, were brought to, although HEAD stays.
    pub followed: Option<Followed>,
}

/// What was brought to a commit to which HEAD does not go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The commit.
    /// The commit, as git names it in full.
    pub commit: String,
    /// Whether the files were, as well as the index.
    pub with_files: bool,
}

/// The files of git's own folder that say which verb is under way.
pub const UNDER_WAY: &[&str] = &[
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "MERGE_HEAD",
    "sequencer",
    "rebase-merge",
    "rebase-apply",
    "BISECT_LOG",
];

/// Options of a verb that goes on with, or ends, what another command began.
const ON: &[&str] = &["--abort", "--continue", "--skip", "--quit", "--edit-todo"];

/// Options before the verb that take the next word as their value.
const VALUED: &[&str] = &[
    "-C",
    "-c",
    "--git-dir",
    "--work-tree",
    "--namespace",
    "--config-env",
    "--exec-path",
    "--super-prefix",
    "--attr-source",
];

impl Halted {
    /// Returns git's verb and the words behind it.
    pub fn verb(&self) -> Option<(&str, Vec<&str>)> {
        let mut words = self.command.split_whitespace();
        let program = words.next()?;
        program.rsplit('/').next().filter(|name| *name == "git")?;
        loop {
            let word = words.next()?;
            if VALUED.contains(&word) {
                words.next();
            } else if !word.starts_with('-') {
                return Some((word, words.collect()));
            }
        }
    }

    fn is_under_way(&self, file: &str) -> bool {
        self.under_way.iter().any(|known| known == file)
    }

    /// Returns whether something is under way at whose end git leads HEAD back to its branch.
    pub fn leads_back(&self) -> bool {
        ["rebase-merge", "rebase-apply", "BISECT_LOG"].iter().any(|file| self.is_under_way(file))
    }

    /// Returns git's command that takes it back; `None` when nothing was changed, or what is under
    /// way was begun by another command, which is not this one's to end.
    fn command_back(&self) -> Option<String> {
        if let Some((verb, words)) = self.verb().filter(|(_, words)| begins(words)) {
            // So `git rebase --apply` calls it.
            let verb = if words.contains(&"--rebasing") { "rebase" } else { verb };
            let has = |file: &str| self.is_under_way(file);
            let aborts = match verb {
                "cherry-pick" => has("CHERRY_PICK_HEAD"),
                "revert" => has("REVERT_HEAD") || has("sequencer"),
                "merge" => has("MERGE_HEAD"),
                "am" => has("rebase-apply"),
                "rebase" => has("rebase-merge") || has("rebase-apply"),
                _ => false,
            };
            if aborts {
                return Some(format!("git {verb} --abort"));
            }
            if verb == "revert" && !words.contains(&"--no-commit") {
                // Of a single revert without conflicts git notes nothing that it could abort. It
                // began with an index that was HEAD's.
                return Some("git reset --merge".to_owned());
            }
        }
        let followed = self.followed.as_ref()?;
        Some(match followed {
            // As `git switch` goes, from there to HEAD: what it need not change it keeps.
            Followed { commit, with_files: true } => format!("git read-tree -m -u {commit} HEAD"),
            Followed { with_files: false, .. } => "git reset --quiet".to_owned(),
        })
    }

    /// Returns what to say behind the refusal of a command that git breaks off; empty when there is
    /// nothing to take back.
    pub fn way_back(&self, worktree: &str) -> String {
        let command = self.command_back();
        command.map_or_else(String::new, |command| said(worktree, &command))
    }
}

/// Returns why HEAD must not stay where `git checkout` and its like led it, and the way back.
pub fn left(reason: Option<String>, worktree: &str, branch: &Branch) -> String {
    let reason = reason.unwrap_or_else(|| {
        format!("a worker's session stays on {branch}, where its commits count")
    });
    reason + &said(worktree, &format!("git switch {branch}"))
}

/// Returns whether the words behind a verb begin something of their own.
fn begins(words: &[&str]) -> bool {
    !words.iter().any(|word| ON.contains(word))
}

fn said(worktree: &str, command: &str) -> String {
    format!(
        "; git asked only after it had changed files: take that back with `cd {} && {command}`",
        shell_word(worktree)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(command: &str, under_way: &[&str], followed: Option<bool>) -> String {
        let under_way = under_way.iter().map(|file| (*file).to_owned()).collect();
        let followed = followed.map(|with_files| Followed { commit: "c0".to_owned(), with_files });
        let halted = Halted { command: command.to_owned(), under_way, followed };
        halted.command_back().unwrap_or_default()
    }

    #[test]
    fn what_a_command_began_it_is_told_to_end_and_nothing_else() {
        for (command, under_way, expected) in [
            ("git cherry-pick x", &["CHERRY_PICK_HEAD"][..], "git cherry-pick --abort"),
            ("git -C a -c b=c cherry-pick x", &["CHERRY_PICK_HEAD"], "git cherry-pick --abort"),
            ("/usr/bin/git revert x y", &["sequencer"], "git revert --abort"),
            ("git revert x", &[], "git reset --merge"),
            ("git am p", &["rebase-apply"], "git am --abort"),
            ("git rebase -q x", &["rebase-merge"], "git rebase --abort"),
            ("git rebase --apply x", &["rebase-apply"], "git rebase --abort"),
            ("git am --rebasing", &["rebase-apply"], "git rebase --abort"),
            ("git merge x", &["MERGE_HEAD"], "git merge --abort"),
            ("git merge x", &[], ""),
            // The worker's own is under way: another session's commit there is not.
            ("git commit -m x", &["CHERRY_PICK_HEAD"], ""),
            ("git cherry-pick --continue", &["CHERRY_PICK_HEAD"], ""),
            ("git rebase --skip", &["rebase-merge"], ""),
            ("git reset --soft x", &[], ""),
            ("sh -c git", &["CHERRY_PICK_HEAD"], ""),
            ("", &["rebase-merge"], ""),
        ] {
            assert_eq!(back(command, under_way, None), expected, "{command}");
        }
        for (command, with_files, expected) in [
            ("git reset --hard x", true, "git read-tree -m -u c0 HEAD"),
            ("git switch -c n x", true, "git read-tree -m -u c0 HEAD"),
            ("git cherry-pick --ff x", true, "git read-tree -m -u c0 HEAD"),
            ("git reset x", false, "git reset --quiet"),
        ] {
            assert_eq!(back(command, &[], Some(with_files)), expected, "{command}");
        }
    }

    #[test]
    fn a_head_that_left_is_led_back_by_git() {
        let said = left(None, "/it's", &"work/a-x".into());
        assert!(said.ends_with(r"`cd '/it'\''s' && git switch work/a-x`"), "{said}");
    }
}
