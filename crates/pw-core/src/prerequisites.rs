//! What a workflow will run, what it goes without, and what the repository lacks for it: said
//! before any worker starts, not found out by each worker at its first commit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnosis::settings::{Setting, settings};
use crate::diagnosis::{self, Diagnosis, Hooks};
use crate::gate::Gate;
use crate::message_hooks::{self, MessageHooks};
use crate::path::RepoPath;
use crate::plan::{Plan, SKIP_PERMISSIONS};
use crate::report::requires_nothing;
use crate::setup::spelling::uncopied;
use crate::text::counted;
use crate::trial::{self, Trial};

/// How many copied files an answer names.
const MAX_NAMED: usize = 20;
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
#[schemars(transform = requires_nothing)]
pub struct WillRun {
    /// Once in each new worktree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// In a fresh worktree of the base, before any worker starts; absent: the gates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoke: Option<String>,
    /// On the merged result.
    #[serde(default)]
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
    #[serde(default)]
    pub copied: usize,
    /// The first of these.
    #[serde(default)]
    pub copies: Vec<RepoPath>,
    /// The repository's own hooks that run in workers' worktrees.
    #[serde(default)]
    pub hooks: Vec<String>,
}

/// What was found in the repository and on the machine.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The ignored files that `copy` and `.worktreeinclude` name.
    pub copies: Vec<RepoPath>,
    /// All ignored files of the user's checkout; empty where the plan copies none.
    pub ignored: Vec<RepoPath>,
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
    /// The user's settings of git.
    pub settings: Vec<Setting>,
    /// How many worktrees are still to be made, that of the gate among them.
    pub worktrees: usize,
    /// Bytes that these will take, and that are free; `None` when that is not known.
    pub space: Option<[u64; 2]>,
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
    let setup = plan.setup.as_deref();
    let mut warnings: Vec<String> = [
        diagnosis::git(found.git).warned(),
        diagnosis::identity(found.has_identity).warned(),
        diagnosis::disk(found.space, found.worktrees).warned(),
        message_hooks.as_ref().and_then(message_hooks::warning),
        diagnosis::hooks(&found.hooks, setup).warned(),
        trial.as_ref().and_then(|trial| trial::warning(trial, &found.uncommitted)),
        uncommitted(plan, found),
        diagnosis::behind(found.behind.as_ref()).warned(),
        diagnosis::submodules(&found.submodules, setup).warned(),
    ]
    .into_iter()
    .flatten()
    .collect();
    warnings.extend(settings(&found.settings).iter().filter_map(Diagnosis::warned));
    warnings.extend(uncopied(plan, &found.ignored, &found.uncommitted));
    warnings.extend(switched_off(plan));
    warnings.extend(more);
    Prerequisites { will_run: WillRun::of(plan, found), message_hooks, trial, warnings }
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
            ("", Found { has_identity: false, ..well() }, "git config --global user.name"),
            ("", Found { space: Some([5 << 20, 1 << 20]), ..well() }, "5 MiB and 1 MiB"),
            ("", Found { hooks: missing(), ..well() }, "as `setup`"),
            ("setup: npm ci\n", Found { hooks: missing(), ..well() }, "unless `setup`"),
            ("", Found { uncommitted: vec!["c/x".into(), "d".into()], ..well() }, "1 file inside"),
            ("", Found { behind: Some(("origin/main".to_owned(), 3)), ..well() }, "3 commits"),
            ("", Found { submodules: vec!["lib".into()], ..well() }, "git submodule update"),
            (
                "",
                Found { settings: vec![("gc.pruneexpire".to_owned(), "now".to_owned())], ..well() },
                "git config gc.pruneexpire",
            ),
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
