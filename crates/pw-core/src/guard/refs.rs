//! Which refs a worker's session may move: its own branch, in its own worktree.

use crate::branch::Branch;
use crate::id::{Slug, WorkerId};
use crate::session::environment::SessionOf;

/// Where git is about to move refs, and for whom.
#[derive(Clone, Copy)]
pub struct Transaction<'a> {
    /// One line for each ref: the old value, the new one, its name; as `reference-transaction` gets
    /// it.
    pub lines: &'a str,
    /// Git's command, as in `GIT_REFLOG_ACTION`.
    pub action: &'a str,
    /// The branch of the worker whose worktree this is.
    pub branch: &'a Branch,
    /// Whether HEAD names a commit, not a branch, until now.
    pub is_detached: bool,
    /// Whether a ref has a value already: in its own file, or, asked so, in `packed-refs`.
    pub has: &'a dyn Fn(&str, &str, Store) -> bool,
}

/// Where git keeps a ref's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// In a file of its own, below `refs/`.
    Loose,
    /// In `packed-refs`, with many others.
    Packed,
    /// In `packed-refs`, and the ref has no file of its own.
    PackedAlone,
}

/// Returns why git may not move these refs in the worktree of this worker, if it may not.
pub fn refs(
    session: &SessionOf,
    workflow: &Slug,
    worker: &WorkerId,
    transaction: Transaction<'_>,
) -> Option<String> {
    let moved = |line| moved(line, transaction.has);
    let moved: Vec<&str> = transaction.lines.lines().filter_map(moved).collect();
    if let Err(failure) = session.require(workflow, worker) {
        // Of a merge this comes first of all, even when it stays as it is; later the files have
        // changed.
        let begins = ["merge", "pull"].iter().any(|verb| transaction.action.starts_with(verb));
        let is_begun = begins && transaction.lines.lines().any(|line| line.ends_with(" ORIG_HEAD"));
        // HEAD alone moves when it is detached already. While it names a branch, the branch's own
        // line tells what moves, and a HEAD that leaves the branch comes after the files did:
        // git had better end that, so that it can lead it back.
        let is_head = |name: &str| name == "HEAD" && transaction.is_detached;
        let is_its =
            |name: &str| name == "refs/stash" || name.starts_with("refs/heads/") || is_head(name);
        let harms = is_begun || moved.iter().any(|name| is_its(name));
        return harms.then(|| format!("{failure}; {}", failure.hint));
    }
    let own = transaction.branch.full();
    let foreign = moved.iter().find(|name| name.starts_with("refs/heads/") && **name != own)?;
    Some(format!(
        "{foreign} is not the branch of {worker}, which is {}: the branches belong to the workflow",
        transaction.branch
    ))
}

/// Returns the commits that HEAD and branches would go to.
pub fn destinations(lines: &str) -> impl Iterator<Item = &str> {
    lines.lines().filter_map(|line| {
        let mut words = line.splitn(3, ' ');
        let (_, new, name) = (words.next()?, words.next()?, words.next()?);
        let is_commit = !new.starts_with("ref:") && new.bytes().any(|byte| byte != b'0');
        (is_commit && (name == "HEAD" || name.starts_with("refs/heads/"))).then_some(new)
    })
}

/// Returns the ref that a line moves. Git also writes down what stays as it is; one that goes has
/// no new value, and no old one where git was not told. Packing, which every commit may start,
/// writes a loose ref's value into `packed-refs` and then takes the loose one away; a packed ref
/// that is deleted shows as one without an old value, too. Where git does not ask for the old value, as of
/// a branch that it leads HEAD back to, the ref's own file or `packed-refs` has it.
fn moved<'a>(line: &'a str, has: &dyn Fn(&str, &str, Store) -> bool) -> Option<&'a str> {
    let mut words = line.splitn(3, ' ');
    let (old, new, name) = (words.next()?, words.next()?, words.next()?);
    let is_none = |value: &str| value.bytes().all(|byte| byte == b'0');
    let is_packed = match (is_none(old), is_none(new)) {
        (true, false) => has(name, new, Store::Loose) || has(name, new, Store::PackedAlone),
        (false, true) => has(name, old, Store::Packed),
        _ => false,
    };
    let moves = (old != new || is_none(new)) && !new.starts_with("ref:");
    (moves && !is_packed).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_moves_its_own_branch_in_its_own_worktree() {
        let refused = |session: &str, action: &str, is_detached: bool, lines: &str| {
            let session = SessionOf { workflow: None, worker: Some(session.to_owned()) };
            let has = |name: &str, value: &str, store: Store| match store {
                Store::Loose => (name, value) == ("refs/heads/loose", "5"),
                Store::Packed | Store::PackedAlone => (name, value) == ("refs/heads/packed", "5"),
            };
            let transaction =
                Transaction { lines, action, branch: &"work/a-x".into(), is_detached, has: &has };
            refs(&session, &"w".parse().unwrap(), &"a".parse().unwrap(), transaction).is_some()
        };
        for (lines, action, of_others, of_its_own) in [
            ("0 1 HEAD\n0 1 refs/heads/work/a-x\n", "commit", true, false),
            ("1 1 HEAD\n", "reset: moving to HEAD", false, false),
            ("0 1 HEAD\n1 1 refs/heads/work/a-x\n", "cherry-pick --abort", false, false),
            ("0 1 HEAD\n", "switch --detach", false, false),
            ("0 ref:refs/heads/main HEAD\n", "checkout", false, false),
            ("0 1 ORIG_HEAD\n", "merge main", true, false),
            ("1 1 ORIG_HEAD\n", "pull . main", true, false),
            ("0 1 ORIG_HEAD\n", "am", false, false),
            ("0 1 CHERRY_PICK_HEAD\n0 1 AUTO_MERGE\n", "", false, false),
            ("0 1 refs/stash\n", "", true, false),
            ("0 1 refs/heads/work/b-y\n", "", true, true),
            ("1 0 refs/heads/main\n", "", true, true),
            ("000 000 refs/heads/main\n", "", true, true),
            ("0 1 refs/remotes/o/work/b-y\n0 1 refs/tags/x\n", "fetch", false, false),
            ("0 5 refs/heads/loose\n", "", false, false),
            ("5 0 refs/heads/packed\n", "", false, false),
            ("0 5 refs/heads/packed\n", "rebase --abort", false, false),
            ("0 6 refs/heads/loose\n", "", true, true),
            ("6 0 refs/heads/packed\n0 0 refs/heads/packed\n", "", true, true),
            ("nonsense\n\n", "", false, false),
        ] {
            assert_eq!(refused("b", action, false, lines), of_others, "{lines} of another's");
            assert_eq!(refused("a", action, false, lines), of_its_own, "{lines} of its own");
        }
        // As `rebase --apply` commits.
        assert!(refused("b", "rebase", true, "1 2 HEAD\n"));
        assert!(!refused("a", "rebase", true, "1 2 HEAD\n"));
        let lines = "0 1 HEAD\n0 000 refs/heads/x\n0 ref:refs/heads/y HEAD\n1 2 refs/tags/z\n";
        assert_eq!(destinations(lines).collect::<Vec<_>>(), ["1"]);
    }
}
