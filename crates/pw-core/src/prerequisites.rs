//! What a workflow will run, what it goes without, and what the repository lacks for it: said
//! before any worker starts, not found out by each worker at its first commit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gate::Gate;
use crate::message_hooks::{self, MessageHooks};
use crate::path::RepoPath;
use crate::plan::{Plan, SKIP_PERMISSIONS};
use crate::text::counted;
use crate::trial::{self, Trial};

/// How many copied files an answer names.
const MAX_NAMED: usize = 20;
/// The oldest git that understands what we ask.
const OLDEST_GIT: (u32, u32) = (2, 39);

/// What `pw-setup check` and `create` say besides branches and worktrees.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Prerequisites {
    /// The commands of the plan, and what else it does.
    pub will_run: WillRun,
    /// What the repository's message hooks make of signals; absent when it has none, or when that
    /// was not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_hooks: Option<MessageHooks>,
    /// What a fresh worktree came to; absent when none was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// Things that are allowed and usually not meant, or that will keep workers from working.
    pub warnings: Vec<String>,
}

/// The commands of the plan, and what else it does with files and remotes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WillRun {
    /// Once in each new worktree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// In a fresh worktree of the base, before any worker starts; absent: the gates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoke: Option<String>,
    /// On the merged result.
    pub verify: Vec<Gate>,
    /// To start sessions, when that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<String>,
    /// Once for each event that the user or an agent must act on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<String>,
    /// Where each signal is pushed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// How many ignored files are copied into each new worktree.
    pub copied: usize,
    /// The first of these.
    pub copies: Vec<RepoPath>,
    /// The repository's own hooks that run in workers' worktrees.
    pub hooks: Vec<String>,
}

/// What was found in the repository and on the machine.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The ignored files that `copy` and `.worktreeinclude` name.
    pub copies: Vec<RepoPath>,
    /// What is not committed in the user's checkout.
    pub uncommitted: Vec<RepoPath>,
    /// The remote-tracking branch of the base, and how many commits it has that the base lacks.
    pub behind: Option<(String, usize)>,
    /// The submodules that the base commit names.
    pub submodules: Vec<RepoPath>,
    /// The user's own hooks.
    pub hooks: Hooks,
    /// The version of git, where it could be read.
    pub git: Option<(u32, u32)>,
    /// Whether git knows who commits.
    pub has_identity: bool,
    /// Bytes that all worktrees will take, and that are free; `None` when that is not known.
    pub space: Option<[u64; 2]>,
}

/// The user's own hooks.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// Those that are programs.
    pub names: Vec<String>,
    /// The folder they are in, where a fresh worktree has no such folder: it is relative to the
    /// worktree and in no commit.
    pub missing: Option<String>,
}

impl WillRun {
    /// Returns what a plan will run.
    pub fn of(plan: &Plan, found: &Found) -> Self {
        Self {
            setup: plan.setup.clone(),
            smoke: plan.smoke.clone(),
            verify: plan.verify.clone(),
            launch: plan.launch.clone(),
            notify: plan.notify.clone(),
            remote: plan.remote.clone(),
            copied: found.copies.len(),
            copies: found.copies.iter().take(MAX_NAMED).cloned().collect(),
            hooks: match found.hooks.missing {
                None => found.hooks.names.clone(),
                Some(_) => Vec::new(),
            },
        }
    }
}

/// Returns everything there is to say, in the order in which it stops workers.
pub fn report(
    plan: &Plan,
    found: &Found,
    message_hooks: Option<MessageHooks>,
    trial: Option<Trial>,
    more: Vec<String>,
) -> Prerequisites {
    let mut warnings: Vec<String> = [
        old_git(found),
        no_identity(found),
        space(found),
        message_hooks.as_ref().and_then(message_hooks::warning),
        hooks_missing(plan, found),
        trial.as_ref().and_then(trial::warning),
        uncommitted(plan, found),
        behind(found),
        submodules(plan, found),
    ]
    .into_iter()
    .flatten()
    .collect();
    warnings.extend(switched_off(plan));
    warnings.extend(more);
    Prerequisites { will_run: WillRun::of(plan, found), message_hooks, trial, warnings }
}

fn old_git(found: &Found) -> Option<String> {
    let (major, minor) = found.git.filter(|version| *version < OLDEST_GIT)?;
    let (wanted, least) = OLDEST_GIT;
    Some(format!("git {major}.{minor} is too old: install {wanted}.{least} or newer"))
}

fn no_identity(found: &Found) -> Option<String> {
    (!found.has_identity).then(|| {
        "git does not know who commits, so that no worker can: git config user.name NAME; git config \
         user.email ADDRESS"
            .to_owned()
    })
}

fn space(found: &Found) -> Option<String> {
    let [needed, free] = found.space?;
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    (needed > free).then(|| {
        format!(
            "all worktrees need {} MiB and {} MiB are free there: make room, put `worktrees` elsewhere, or \
             plan fewer workers",
            mib(needed),
            mib(free)
        )
    })
}

fn hooks_missing(plan: &Plan, found: &Found) -> Option<String> {
    let folder = found.hooks.missing.as_ref()?;
    let helps = match &plan.setup {
        Some(_) => "unless `setup` makes it there",
        None => "name the command that makes it as `setup`, such as npm ci",
    };
    Some(format!(
        "the repository's hooks ({}) will not run in fresh worktrees: their folder `{folder}` is in no \
         commit; {helps}",
        found.hooks.names.join(", ")
    ))
}

fn uncommitted(plan: &Plan, found: &Found) -> Option<String> {
    let is_inside = |path: &&RepoPath| plan.workers.iter().any(|worker| plan.allows(worker, path));
    let inside: Vec<&RepoPath> = found.uncommitted.iter().filter(is_inside).collect();
    let first = inside.first()?;
    let (files, are) =
        (counted(inside.len(), "file"), if inside.len() == 1 { "is" } else { "are" });
    Some(format!(
        "{files} inside scopes {are} not committed, `{first}` first: workers start without that; commit it \
         first if they need it"
    ))
}

fn behind(found: &Found) -> Option<String> {
    let (upstream, commits) = found.behind.as_ref().filter(|(_, commits)| *commits > 0)?;
    let commits = counted(*commits, "commit");
    Some(format!(
        "{upstream} has {commits} that the base lacks, as of the last fetch: git merge --ff-only {upstream}, \
         or workers start from what is old"
    ))
}

fn submodules(plan: &Plan, found: &Found) -> Option<String> {
    let first = found.submodules.first()?;
    let is_set_up = plan.setup.as_ref().is_some_and(|setup| setup.contains("submodule"));
    (!is_set_up).then(|| {
        format!(
            "{} of the repository, `{first}` first, will be empty in fresh worktrees; if workers need \
             them: `setup: git submodule update --init`",
            counted(found.submodules.len(), "submodule")
        )
    })
}

fn switched_off(plan: &Plan) -> impl Iterator<Item = String> {
    let hooks = (!plan.git_hooks).then(|| {
        "`git_hooks: false`: no git hook keeps commits inside the scopes; only helpers and status see it"
            .to_owned()
    });
    let checks = plan.skips_permissions.then(|| {
        format!("`permissions: {SKIP_PERMISSIONS}`: sessions run every command without a question")
    });
    hooks.into_iter().chain(checks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_will_keep_workers_from_working_is_named_with_what_helps() {
        let plan = |keys: &str| {
            let workers = "workers: [{id: a, name: b, owns: [c]}]\n";
            Plan::parse(&format!("workflow: w\nverify: make\n{keys}{workers}")).unwrap()
        };
        let well = || Found { has_identity: true, git: Some((2, 47)), ..Found::default() };
        let quiet = report(&plan(""), &well(), None, None, Vec::new());
        assert_eq!(quiet.warnings, [""; 0]);
        let missing =
            || Hooks { names: vec!["commit-msg".to_owned()], missing: Some(".husky/_".to_owned()) };
        for (keys, found, words) in [
            ("", Found { git: Some((2, 30)), ..well() }, "2.39"),
            ("", Found { has_identity: false, ..well() }, "git config user.name"),
            ("", Found { space: Some([5 << 20, 1 << 20]), ..well() }, "5 MiB and 1 MiB"),
            ("", Found { hooks: missing(), ..well() }, "as `setup`"),
            ("setup: npm ci\n", Found { hooks: missing(), ..well() }, "unless `setup`"),
            ("", Found { uncommitted: vec!["c/x".into(), "d".into()], ..well() }, "1 file inside"),
            ("", Found { behind: Some(("origin/main".to_owned(), 3)), ..well() }, "3 commits"),
            ("", Found { submodules: vec!["lib".into()], ..well() }, "git submodule update"),
            ("git_hooks: false\n", well(), "`git_hooks: false`"),
            ("permissions: dangerously-skip-permissions\n", well(), "without a question"),
        ] {
            let found = report(&plan(keys), &found, None, None, Vec::new());
            assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
            assert!(found.warnings[0].contains(words), "{:?}", found.warnings);
        }
        let is_set_up = plan("setup: git submodule update --init\n");
        let found = Found { submodules: vec!["lib".into()], ..well() };
        assert_eq!(report(&is_set_up, &found, None, None, Vec::new()).warnings, [""; 0]);
    }
}
