//! What a worker's commit takes: its own files, on its own branch.

use std::collections::{BTreeSet, HashSet};

use crate::branch::Branch;
use crate::details::{Files, ForeignFiles};
use crate::facts::TreeState;
use crate::failure::{Code, Failure};
use crate::hollow_entries::{self, Hollow, HollowReason};
use crate::id::Oid;
use crate::next::{CommandLine, Next};
use crate::operation::Operation;
use crate::path::RepoPath;
use crate::plan::{Plan, Worker};
use crate::signal::Signal;
use crate::text::counted;
use crate::unstageable::Unstageable;
use crate::worker::FileStat;

/// What one commit of a worker takes in, and what it leaves.
#[derive(Debug, PartialEq, Eq)]
pub struct Selection {
    /// What the commit takes in.
    pub take: BTreeSet<RepoPath>,
    /// What stays uncommitted.
    pub leave: BTreeSet<RepoPath>,
}

impl Selection {
    /// Leaves all but `take`.
    fn keep(&mut self, take: BTreeSet<RepoPath>) {
        self.leave.extend(self.take.difference(&take).cloned());
        self.take = take;
    }
}

/// Whether git lets a worker switch to its branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnBranch {
    /// It does.
    Free,
    /// The branch was deleted, or has another name by now; the commit that HEAD was last at, as far
    /// as its log tells.
    Gone(Option<Oid>),
    /// It is checked out in another worktree.
    HeldBy(String),
}

/// Refuses to commit on another branch.
///
/// # Errors
///
/// `wrong_branch`, with the operation that git does not let anybody switch in.
pub fn require_branch(
    worker: &Worker,
    tree: &TreeState,
    own: impl FnOnce() -> OwnBranch,
) -> Result<(), Failure> {
    let is_own = tree.branch.as_ref() == Some(&worker.branch());
    if is_own && tree.head.is_some() {
        return Ok(());
    }
    if let Some(operation) = tree.operation {
        return Err(unfinished(operation));
    }
    let branch = worker.branch();
    let back = CommandLine::of("git switch").word(&branch);
    let refused =
        |on: &str| Failure::new(Code::WrongBranch, format!("HEAD is on {on}, not on {branch}"));
    let on = tree.branch.as_ref().map_or("no branch", Branch::as_str);
    Err(match (own(), &tree.branch, &tree.head) {
        (OwnBranch::Gone(last), ..) if is_own => deleted(&branch, last),
        (OwnBranch::Gone(_), ..) => refused(on)
            .hint("your branch is gone, or has another name: make it again from what is here")
            .next(CommandLine::of("git switch -c").word(&branch)),
        (OwnBranch::HeldBy(path), ..) => refused(on)
            .hint(format!(
                "stop, and tell the user: your branch is checked out in {path}, and has to be freed \
                 there first (git switch --detach)"
            ))
            .next(CommandLine::of("git worktree list")),
        // Git would leave behind what was committed there.
        (OwnBranch::Free, None, Some(head)) => refused(&format!("no branch, at {}", head.short()))
            .hint("go back to your branch, and take along what you committed meanwhile")
            .next(back.then(&CommandLine::of("git merge --ff-only").word(head))),
        (OwnBranch::Free, ..) => {
            refused(on).hint("go back to your branch before you commit").next(back)
        }
    })
}

/// Refuses to commit on another branch, in the middle of a git operation, or with unmerged files.
///
/// # Errors
///
/// `wrong_branch`, also during an operation; `dirty_tree`, with the unmerged files.
pub fn require_own_branch(
    worker: &Worker,
    tree: &TreeState,
    own: impl FnOnce() -> OwnBranch,
) -> Result<(), Failure> {
    require_branch(worker, tree, own)?;
    // A merge may be concluded by a commit; the other operations commit by themselves.
    if let Some(operation) = tree.operation.filter(|operation| *operation != Operation::Merge) {
        return Err(unfinished(operation));
    }
    if let Some(path) = tree.unmerged.first() {
        return Err(Failure::new(Code::DirtyTree, format!("`{path}` is unmerged"))
            .hint("resolve the conflicts, then git add the files, or git rm those that are to go")
            .next(CommandLine::of("git status"))
            .details(tree.unmerged.iter().collect::<Files>()));
    }
    Ok(())
}

/// Refuses to merge while the worker's own files, or others' that it changed, are not committed. A new
/// file outside the scope stays where it is.
///
/// # Errors
///
/// `dirty_tree`, with the files.
pub fn require_committed(plan: &Plan, worker: &Worker, tree: &TreeState) -> Result<(), Failure> {
    let refuse = |first: &RepoPath, what: &str| {
        Failure::new(Code::DirtyTree, format!("`{first}` is {what}"))
    };
    // A merge under way is concluded by a commit of all its files.
    let is_merging = tree.operation == Some(Operation::Merge);
    let is_own = |path: &RepoPath| is_merging || plan.allows(worker, path);
    let own: Vec<_> = tree.uncommitted().into_iter().filter(is_own).collect();
    if let Some(first) = own.first() {
        return Err(refuse(first, "not committed")
            .hint("commit your work first, so that nothing can get mixed up")
            .next(Next::Checkpoint("what was done"))
            .details(Files { paths: own }));
    }
    let undoable = undoable(plan, worker, tree);
    if let Some(first) = undoable.first() {
        return Err(refuse(first, "not yours, and was changed here")
            .hint("take the change back first: undo keeps it as a patch")
            .next(Next::Undo)
            .details(Files { paths: undoable }));
    }
    let staged: Vec<_> = tree.added.iter().filter(|path| !is_own(path)).cloned().collect();
    let Some(first) = staged.first() else { return Ok(()) };
    Err(refuse(first, "not yours, and was added here")
        .hint("take it off the index first; the file stays")
        .next(CommandLine::of("git restore --staged --").file(first))
        .details(Files { paths: staged }))
}

/// Refuses to make a first commit where the branch that HEAD is on was deleted.
fn deleted(branch: &Branch, last: Option<Oid>) -> Failure {
    let refused = Failure::new(Code::WrongBranch, format!("the branch {branch} was deleted"));
    match last {
        Some(last) => refused
            .hint("make it again at the commit that it was last at; your files stay as they are")
            // What is staged would be in the way of the merge, which leaves files alone.
            .next(
                CommandLine::of("git restore --staged --source")
                    .word(&last)
                    .and("-- :/")
                    .then(&CommandLine::of("git merge --ff-only").word(last)),
            ),
        None => refused
            .hint("stop, and tell the user: git fsck --lost-found names commits that no branch has")
            .next(CommandLine::of("git status")),
    }
}

fn unfinished(operation: Operation) -> Failure {
    Failure::new(Code::WrongBranch, operation.in_progress())
        .hint(format!("finish it, or give it up with {}", operation.abort()))
        .next(CommandLine::of("git status"))
}

/// Chooses what to commit: everything changed that is owned, or exactly the `named` files; an
/// empty name is the whole worktree.
///
/// A file of another worker may be committed when it is back as it was at the fork: that is how a
/// change outside the scope is undone. `differing` are the files that are not.
///
/// # Errors
///
/// `usage` for a name that is no changed file; `out_of_scope` for a named file of another worker,
/// or for one that would delete it.
pub fn select(
    plan: &Plan,
    worker: &Worker,
    tree: &TreeState,
    named: &[RepoPath],
    differing: &[RepoPath],
) -> Result<Selection, Failure> {
    let changed = tree.uncommitted();
    let covers = |name: &RepoPath, path: &RepoPath| {
        name.as_bytes().is_empty() || name == path || name.contains(path)
    };
    let [untracked, differing] =
        [&tree.untracked[..], differing].map(|paths| paths.iter().collect::<HashSet<_>>());
    let undone = |path: &RepoPath| !untracked.contains(path) && !differing.contains(path);
    let is_foreign = |path: &RepoPath| !plan.allows(worker, path) && !undone(path);
    if let Some(name) = named.iter().find(|name| !changed.iter().any(|path| covers(name, path))) {
        return Err(Failure::new(Code::Usage, format!("`{name}` is no changed file or folder"))
            .hint("name changed files, relative to the folder you are in")
            .next(CommandLine::of("git status")));
    }
    let is_asked =
        |path: &RepoPath| named.is_empty() || named.iter().any(|name| covers(name, path));
    let (asked, mut leave): (BTreeSet<RepoPath>, BTreeSet<RepoPath>) =
        changed.into_iter().partition(is_asked);
    let (foreign, take): (BTreeSet<RepoPath>, BTreeSet<RepoPath>) =
        asked.into_iter().partition(is_foreign);
    if !named.is_empty()
        && let Some(first) = foreign.first()
    {
        return Err(out_of_scope(plan, first, &foreign.iter().collect::<Vec<_>>()));
    }
    leave.extend(foreign);
    require_apart(plan, tree, &take, &leave)?;
    Ok(Selection { take, leave })
}

/// Returns whether a selection could part what a move put together: a file that is gone on one side, one that
/// is there on the other.
pub fn may_part_moves(tree: &TreeState, selection: &Selection) -> bool {
    let removed: HashSet<&RepoPath> = tree.removed.iter().collect();
    let has_gone = |paths: &BTreeSet<RepoPath>| paths.iter().any(|path| removed.contains(path));
    let has_there = |paths: &BTreeSet<RepoPath>| paths.iter().any(|path| !removed.contains(path));
    let Selection { take, leave } = selection;
    (has_gone(take) && has_there(leave)) || (has_there(take) && has_gone(leave))
}

/// Takes neither half of a file that was `moved` across the border of the scope, and says so; a checkpoint
/// refuses instead.
///
/// # Errors
///
/// `out_of_scope`.
pub fn leave_moved(
    plan: &Plan,
    signal: &Signal,
    selection: &mut Selection,
    moved: &[(RepoPath, RepoPath)],
) -> Result<Vec<String>, Failure> {
    let is_parted = |(old, new): &&(RepoPath, RepoPath)| {
        selection.take.contains(old) != selection.take.contains(new)
    };
    let parted: Vec<_> = moved.iter().filter(is_parted).collect();
    if let Some((old, new)) = parted.first().filter(|_| !signal.gets_out()) {
        let outside = [old, new].into_iter().find(|path| !selection.take.contains(path));
        let refused = out_of_scope(plan, outside.unwrap_or(new), &[outside.unwrap_or(new)]);
        let hint = format!(
            "`{old}` was moved to `{new}`: move it back; where a copy or a removal is meant, commit that \
             alone with --path"
        );
        return Err(refused.hint(hint).next(CommandLine::of("git status")));
    }
    let mut take = selection.take.clone();
    take.retain(|path| parted.iter().all(|(old, new)| path != old && path != new));
    selection.keep(take);
    let note = |(old, new): &&(RepoPath, RepoPath)| {
        format!("left: `{old}` was moved to `{new}`, and only one of the two is yours")
    };
    Ok(parted.iter().map(note).collect())
}

/// Returns the tracked files outside the scope that are changed and not committed: those go back to what
/// they were. What is new there is for the worker to judge.
pub fn undoable(plan: &Plan, worker: &Worker, tree: &TreeState) -> Vec<RepoPath> {
    let kept: HashSet<&RepoPath> = tree.added.iter().chain(&tree.gitlinks).collect();
    let is_foreign = |path: &&RepoPath| !plan.allows(worker, path) && !kept.contains(path);
    tree.changed.iter().filter(is_foreign).cloned().collect()
}

/// Returns what is taken back: all that is undoable, or of it what is named. A file of the worker's own is
/// taken back when its name is said, not when its folder is.
///
/// # Errors
///
/// `usage` for a name that is no changed file, or only new ones: those have nothing to go back to.
pub fn to_undo(
    plan: &Plan,
    worker: &Worker,
    tree: &TreeState,
    named: &[RepoPath],
) -> Result<Vec<RepoPath>, Failure> {
    let mut undoable = undoable(plan, worker, tree);
    if named.is_empty() {
        return Ok(undoable);
    }
    let is_below = |name: &RepoPath, path: &RepoPath| {
        name.as_bytes().is_empty() || name == path || name.contains(path)
    };
    let kept: HashSet<&RepoPath> = tree.added.iter().chain(&tree.gitlinks).collect();
    let own = tree.changed.iter().filter(|path| !kept.contains(path) && named.contains(path));
    undoable.extend(own.filter(|path| plan.allows(worker, path)).cloned());
    if let Some(name) = named.iter().find(|name| !undoable.iter().any(|path| is_below(name, path)))
    {
        let is_changed = tree.uncommitted().iter().any(|path| is_below(name, path));
        let (what, hint) = match is_changed {
            true => (
                "holds nothing that undo takes back",
                "remove a new file with rm, and name a file of your own itself",
            ),
            false => (
                "is no changed file or folder",
                "name changed files, relative to the folder you are in",
            ),
        };
        return Err(Failure::new(Code::Usage, format!("`{name}` {what}"))
            .hint(hint)
            .next(CommandLine::of("git status")));
    }
    undoable.retain(|path| named.iter().any(|name| is_below(name, path)));
    Ok(undoable)
}

/// Refuses to put a file where a folder was, or a folder where a file was, when that would delete a
/// file that is not taken: git holds only one of the two.
fn require_apart(
    plan: &Plan,
    tree: &TreeState,
    take: &BTreeSet<RepoPath>,
    leave: &BTreeSet<RepoPath>,
) -> Result<(), Failure> {
    let removed: HashSet<&RepoPath> = tree.removed.iter().collect();
    let above = |path: &RepoPath, set: &BTreeSet<RepoPath>| {
        path.ancestors().map(RepoPath::new).find(|folder| set.contains(folder))
    };
    let is_removed = |path: &&RepoPath| removed.contains(*path);
    let below = leave
        .iter()
        .filter(is_removed)
        .find(|path| above(path, take).is_some_and(|folder| !removed.contains(&folder)));
    let over = || {
        let there = take.iter().filter(|path| !is_removed(path));
        there.filter_map(|path| above(path, leave)).find(|path| removed.contains(path))
    };
    match below.cloned().or_else(over) {
        Some(path) => Err(out_of_scope(plan, &path, &[&path])),
        None => Ok(()),
    }
}

/// Takes what would be hollow out of a selection, and says so; a checkpoint refuses instead, unless
/// what it leaves is a submodule that has yet to commit, and there is more.
///
/// # Errors
///
/// `hollow_entry`, with every such entry.
pub fn set_apart(
    signal: &Signal,
    selection: &mut Selection,
    hollow: &[Hollow],
) -> Result<Vec<String>, Failure> {
    let paths: HashSet<&RepoPath> = hollow.iter().map(|hollow| &hollow.path).collect();
    let mut take = selection.take.clone();
    take.retain(|path| !paths.contains(&path.without_slash()));
    let is_open = |hollow: &Hollow| hollow.why == HollowReason::Open;
    let may_leave = signal.gets_out() || (hollow.iter().all(is_open) && !take.is_empty());
    if let Some(failure) = hollow_entries::refusal(hollow).filter(|_| !may_leave) {
        return Err(failure);
    }
    selection.keep(take);
    let note = |hollow: &Hollow| format!("left: {}; {}", hollow.message(), hollow.hint());
    Ok(hollow.iter().map(note).collect())
}

/// Takes what git does not take out of a selection, and says so.
pub fn leave_unstageable(selection: &mut Selection, unstageable: &[Unstageable]) -> Vec<String> {
    let mut take = selection.take.clone();
    take.retain(|path| {
        unstageable.iter().all(|unstageable| unstageable.path != path.without_slash())
    });
    selection.keep(take);
    let note = |unstageable: &Unstageable| {
        format!("left: {}; {}", unstageable.message(), unstageable.hint())
    };
    unstageable.iter().map(note).collect()
}

/// Says that git was told to overlook a changed file, and how to have it looked at again.
pub fn overlooked(path: &RepoPath) -> String {
    format!(
        "git was told to overlook the change of `{path}`; git update-index --no-assume-unchanged, or --no-skip-worktree, takes that back"
    )
}

/// Says which file that only grows by the plan has fewer of its lines now; `None` if there is none.
pub fn shrunk(plan: &Plan, changes: &[FileStat]) -> Option<String> {
    let lost = |file: &&FileStat| {
        plan.union.owns(&file.path) && file.deleted.is_some_and(|deleted| deleted > 0)
    };
    let FileStat { path, deleted, .. } = changes.iter().find(lost)?;
    let lines = counted(deleted.unwrap_or_default().try_into().unwrap_or(usize::MAX), "line");
    Some(format!(
        "`{path}` only grows by the plan, and {lines} that were there when you began are taken out or changed: put \
         them back, or tell the user why not"
    ))
}

/// Says which file was taken out of the index and is still in the worktree, where a commit finds
/// it again; `None` if there is none.
pub fn still_there(tree: &TreeState) -> Option<String> {
    let untracked: HashSet<&RepoPath> = tree.untracked.iter().collect();
    let path = tree.changed.iter().find(|path| untracked.contains(path))?;
    Some(format!(
        "`{path}` stays in git, since it is still there: delete the file, or have a .gitignore name it and take it out of the index again"
    ))
}

/// Returns the refusal for files outside the scope, naming the first one's owner: `out_of_scope`.
pub fn out_of_scope(plan: &Plan, first: &RepoPath, all: &[&RepoPath]) -> Failure {
    let owner = plan.workers.iter().find(|worker| worker.owns.owns(first));
    let hint = match owner {
        Some(owner) => {
            format!(
                "it belongs to {}: undo the change and use pw-worker needs {} ITEM TEXT",
                owner.id, owner.id
            )
        }
        None => {
            "no worker owns it: undo the change, or ask for it with pw-worker blocked REASON TEXT"
                .to_owned()
        }
    };
    Failure::new(Code::OutOfScope, format!("`{first}` is outside your scope"))
        .hint(hint)
        .next(Next::Brief)
        .details(ForeignFiles {
            paths: all.iter().copied().cloned().collect(),
            owner: owner.map(|owner| owner.id.clone()),
        })
}
