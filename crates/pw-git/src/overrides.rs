//! Settings that every call of git overrides, so that it means the same whatever the user has set.

/// Settings that would change what output means, for both profiles.
const ALWAYS: &[&str] = &[
    "core.fsmonitor=false",
    // Git would overlook what changes in a file that a call of ours wrote.
    "core.ignoreStat=false",
    "core.quotePath=false",
    // A HEAD that is a symbolic link leads nowhere in a linked worktree.
    "core.preferSymlinkRefs=false",
    "core.commentChar=#",
    "diff.orderFile=/dev/null",
    "i18n.commitEncoding=UTF-8",
    "i18n.logOutputEncoding=UTF-8",
    "gc.auto=0",
    "maintenance.auto=false",
    "color.ui=false",
    "status.showUntrackedFiles=normal",
    "advice.detachedHead=false",
];

/// Settings that would change what a merge comes to.
const PLUMBING: &[&str] = &[
    "safe.directory=*",
    "merge.renames=true",
    "merge.directoryRenames=conflict",
    "merge.conflictStyle=merge",
    "core.attributesFile=/dev/null",
    "commit.gpgSign=false",
];

/// Settings that would change what a merge comes to in a worktree, where the user's own are read.
const MERGE: &[&str] = &[
    "merge.renames=true",
    "merge.directoryRenames=conflict",
    "merge.conflictStyle=merge",
    "merge.ff=false",
    // The strategy of merges for which none is named.
    "pull.twohead=ort",
    "diff.algorithm=histogram",
    // A resolution that the user's rerere replays there would be merged unseen.
    "rerere.enabled=false",
];

/// Settings that leave out all hooks: those in a folder, and those that settings name, since git
/// 2.54; git 2.55 switches these off by their event, 2.54 not at all.
const NO_HOOKS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "hook.pre-commit.enabled=false",
    "hook.prepare-commit-msg.enabled=false",
    "hook.commit-msg.enabled=false",
    "hook.post-commit.enabled=false",
    "hook.pre-merge-commit.enabled=false",
    "hook.post-merge.enabled=false",
    "hook.post-rewrite.enabled=false",
    "hook.post-checkout.enabled=false",
    "hook.post-index-change.enabled=false",
    "hook.reference-transaction.enabled=false",
];

/// Once a repository was found under the user's own settings, a bare one is taken by its folder,
/// which `explicit` refuses: the default of git 3.0.
const FOUND: &[&str] = &["safe.bareRepository=all"];

/// Returns what a merge in a worktree overrides besides, as arguments of git.
pub(crate) fn of_merge<'a>() -> impl Iterator<Item = &'a str> {
    MERGE.iter().flat_map(|setting| ["-c", setting])
}

/// Returns what a call overrides: one that is plumbing, one that runs the user's hooks, and one in a
/// repository that was found.
pub(crate) fn of(
    is_plumbing: bool,
    has_hooks: bool,
    is_found: bool,
) -> impl Iterator<Item = &'static str> {
    let some = |is_meant: bool, settings: &'static [&str]| if is_meant { settings } else { &[] };
    let all = [
        ALWAYS,
        some(is_plumbing, PLUMBING),
        some(is_plumbing || !has_hooks, NO_HOOKS),
        some(is_found, FOUND),
    ];
    all.into_iter().flatten().copied()
}
