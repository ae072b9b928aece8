//! What `setup` leaves in new worktrees that git sees and no worker can commit: each worker would
//! stumble over it when it finishes.

use std::collections::BTreeSet;

use crate::path::RepoPath;
use crate::plan::Plan;
use crate::text::counted;

/// How many paths are kept out of `git status`, each by a line of its own.
const MAX_LINES: usize = 20;

/// What is seen of a worktree besides its commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leavings {
    /// Files that git does not know.
    pub untracked: BTreeSet<RepoPath>,
    /// Files of the commit that are not as in it.
    pub changed: BTreeSet<RepoPath>,
}

/// What is done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remedy {
    /// Lines for `.git/info/exclude`.
    pub exclude: Vec<String>,
    /// What to tell the user.
    pub notes: Vec<String>,
}

impl Leavings {
    /// Adds what is seen of another worktree.
    pub fn extend(&mut self, other: Self) {
        self.untracked.extend(other.untracked);
        self.changed.extend(other.changed);
    }

    /// Returns what is done about what no worker may commit. A new file that no scope has is kept
    /// out of `git status`; what a worker owns, or the commit has, cannot be.
    pub fn remedy(&self, plan: &Plan) -> Remedy {
        let owner = |path: &RepoPath| plan.workers.iter().find(|worker| worker.owns.owns(path));
        let is_free = |path: &&RepoPath| !plan.shared.owns(path) && owner(path).is_none();
        let mut notes = Vec::new();
        let others: Vec<&RepoPath> = self.untracked.iter().filter(is_free).collect();
        let lines: Vec<String> = others.iter().filter_map(|path| line(path)).collect();
        let all_fit = lines.len() == others.len() && lines.len() <= MAX_LINES;
        if let Some(first) = others.first() {
            let files = counted(others.len(), "new file");
            notes.push(match all_fit {
                true => format!(
                    "`setup` leaves {files} that no worker owns, `{first}` first: .git/info/exclude \
                     keeps that out of git status now (a pattern that ends in / matches no link)"
                ),
                false => format!(
                    "`setup` leaves {files} that no worker owns, `{first}` first, and no worker can \
                     finish beside them: add a pattern for them to .git/info/exclude"
                ),
            });
        }
        let owned = self.untracked.iter().find_map(|path| Some((path, owner(path)?)));
        if let Some((path, worker)) = owned {
            notes.push(format!(
                "`setup` leaves `{path}`, which {} owns: in other worktrees it is in the way; have \
                 `setup` look at $PW_WORKER",
                worker.id
            ));
        }
        let changed: Vec<&RepoPath> =
            self.changed.iter().filter(|path| !plan.shared.owns(path)).collect();
        if let Some(first) = changed.first() {
            let files = counted(changed.len(), "file");
            notes.push(match plan.setup {
                Some(_) => format!(
                    "`setup` changes {files} of the repository, `{first}` first: each worker has to take that \
                     back with pw-worker undo; have `setup` leave them, or name them in `shared`"
                ),
                None => format!(
                    "git sees {files} changed right after the checkout, `{first}` first, and no worker can \
                     finish beside that: what is committed is not as .gitattributes (line ends, a filter as \
                     that of git-lfs) would have it; git add --renormalize . and a commit on the base make it \
                     so, before there are workers; or name them in `shared`"
                ),
            });
        }
        Remedy { exclude: if all_fit { lines } else { Vec::new() }, notes }
    }
}

/// Returns the pattern that matches this path alone; `None` where none can.
fn line(path: &RepoPath) -> Option<String> {
    let text = std::str::from_utf8(path.as_bytes()).ok()?;
    if text.contains(['\n', '\r']) || text.ends_with(' ') {
        return None;
    }
    let mut line = String::from("/");
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            line.push('\\');
        }
        line.push(c);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remedy(untracked: &[&str], changed: &[&str]) -> Remedy {
        let plan = "workflow: w\nsetup: make\nshared: [lock]\nworkers:\n  - {id: a, name: x, owns: [users]}\n";
        let set = |paths: &[&str]| paths.iter().map(|path| RepoPath::from(*path)).collect();
        let leavings = Leavings { untracked: set(untracked), changed: set(changed) };
        leavings.remedy(&Plan::parse(plan).unwrap())
    }

    #[test]
    fn what_no_worker_may_commit_is_kept_out_of_sight_or_told() {
        assert_eq!(remedy(&["lock"], &["lock"]), Remedy::default());
        let found = remedy(&["node_modules", "a[1]*"], &[]);
        assert_eq!(found.exclude, ["/a\\[1]\\*", "/node_modules"]);
        assert!(found.notes[0].contains("2 new files"), "{found:?}");
        for (untracked, changed, said) in [
            (&["odd\nname"][..], &[][..], "can finish beside them"),
            (&["users/gen"], &[], "which a owns"),
            (&[], &["pkg.lock"], "changes 1 file of the repository, `pkg.lock` first"),
            (&[], &["a", "b"], "changes 2 files of the repository, `a` first"),
        ] {
            let found = remedy(untracked, changed);
            assert!(found.exclude.is_empty() && found.notes[0].contains(said), "{found:?}");
        }
        let many: Vec<String> = (0..=MAX_LINES).map(|n| format!("f{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(remedy(&many, &[]).exclude.is_empty());
    }
}
