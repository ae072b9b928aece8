//! What `pw-setup` answers about a workflow: what it makes, and what is odd about the plan.

pub mod leavings;
pub mod obstacles;
mod short;
pub mod spelling;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::analyze::log::{Known, Log};
use crate::analyze::neighbours::Neighbour;
use crate::branch::Branch;
use crate::id::{Slug, WorkerId};
use crate::next::{CommandLine, NextStep};
use crate::path::RepoPath;
use crate::plan::{Plan, Size, Worker};
use crate::prerequisites::Prerequisites;
use crate::report::Report;
use crate::retro::memory::Memory;
use crate::scope::{Meeting, Scope, overlaps};
use crate::status::Base;
use crate::text::counted;

/// Where workers' ports lie: above well-known services, below what systems give to clients.
const PORTS: Range<u16> = 20_000..40_000;

/// The answer of `pw-setup check`: what `create` would do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What `create` would make.
    #[serde(flatten)]
    pub setup: Setup,
    /// Files that changed most often lately, and who owns them.
    pub hot_files: Vec<HotFile>,
    /// Files outside a scope that changed with those inside.
    pub neighbours: Vec<Neighbour>,
    /// What finished runs of this repository say to the plan; absent when none is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Memory>,
    /// What will run, and what the repository lacks.
    #[serde(flatten)]
    pub prerequisites: Prerequisites,
}

impl Report for Check {
    const SCHEMA: &'static str = "pw-setup.check/1";

    fn shorten(data: &mut Value) {
        short::shorten(data);
    }
}

/// The answer of `pw-setup create` and `advance`: every worker, and how to start it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Setup {
    /// The workflow's name in the plan.
    pub workflow: Slug,
    /// What it forks from.
    pub base: Base,
    /// Workers that may run at once, wave after wave.
    pub waves: Vec<Vec<WorkerId>>,
    /// In the order of the plan.
    pub workers: Vec<WorkerSetup>,
    /// How many of many workers are told of without what the plan says of them; absent when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_short: Option<usize>,
    /// What to do next, the usual thing first.
    pub next: Vec<NextStep>,
}

/// The answer of `pw-setup create` and `advance`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    /// What is there now.
    #[serde(flatten)]
    pub setup: Setup,
    /// What of a changed plan was done for workers that exist, and what was not; absent when
    /// nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Absent when the workflow was there before, and its plan too.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub prerequisites: Option<Prerequisites>,
}

impl Report for Created {
    const SCHEMA: &'static str = "pw-setup.create/1";

    fn shorten(data: &mut Value) {
        short::shorten_created(data);
    }
}

/// One worker as it is set up.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = short::requires_what_is_always_told)]
pub struct WorkerSetup {
    /// The worker's id.
    pub id: WorkerId,
    /// Id and name, `task-1-users`.
    pub label: String,
    /// The worker's branch.
    pub branch: Branch,
    /// Relative to the repository.
    pub worktree: String,
    /// How to start its session by hand.
    pub launch: LaunchCommand,
    /// Whether it is there now.
    pub status: SetupStatus,
    /// Its own TCP port, `PW_PORT` in its session; absent while it is not created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Its globs, as the plan has them.
    pub owns: Vec<String>,
    /// Workers that must be complete before it starts.
    pub after: Vec<WorkerId>,
    /// What the plan says; absent when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
}

/// How to start a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LaunchCommand {
    /// The launcher script, relative to the repository where it lies in it.
    pub script: String,
    /// A shell command that runs it from any folder.
    pub command: CommandLine,
}

/// What was done for a worker; in `check`, what `create` would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SetupStatus {
    /// Branch and worktree were made now.
    Created,
    /// They were there already.
    Exists,
    /// They were merged, and then removed: there is nothing to launch.
    Removed,
    /// Its wave has not come: the workers in `after` must be complete first.
    Waiting,
}

/// A file that changes often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HotFile {
    /// The file, as it is called today.
    pub path: RepoPath,
    /// How many of the newest commits changed it.
    pub commits: usize,
    /// `null` when no worker owns it.
    pub owner: Option<WorkerId>,
    /// Whether the plan shares it.
    pub shared: bool,
}

/// The answer of `pw-setup list`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct List {
    /// All of this repository, by name.
    pub workflows: Vec<WorkflowLine>,
}

impl Report for List {
    const SCHEMA: &'static str = "pw-setup.list/1";
}

/// One workflow of the repository.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowLine {
    /// The workflow's name.
    pub workflow: Slug,
    /// What was asked, in the user's words.
    pub goal: String,
    /// How many workers its plan has.
    pub workers: usize,
    /// How many of them are in the integration branch.
    pub integrated: usize,
    /// RFC 3339.
    pub started_at: String,
    /// It has landed and was cleaned up.
    #[serde(default)]
    pub closed: bool,
}

/// Returns the files that changed most often in the newest `newest` changes, with their owners, at most
/// `limit`.
pub fn hot_files(
    plan: &Plan,
    log: &Log,
    known: &Known,
    newest: usize,
    limit: usize,
) -> Vec<HotFile> {
    let mut counts: BTreeMap<&RepoPath, usize> = BTreeMap::new();
    for path in known.changes.iter().take(newest).flatten() {
        *counts.entry(&log.paths[*path as usize]).or_default() += 1;
    }
    let mut hot: Vec<(usize, &RepoPath)> = counts.into_iter().map(|(path, n)| (n, path)).collect();
    hot.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let owner = |path: &RepoPath| plan.workers.iter().find(|worker| worker.owns.owns(path));
    hot.into_iter()
        .take_while(|(commits, _)| *commits > 1)
        .take(limit)
        .map(|(commits, path)| HotFile {
            path: path.clone(),
            commits,
            owner: owner(path).map(|worker| worker.id.clone()),
            shared: plan.shared.owns(path),
        })
        .collect()
}

/// Returns what is allowed and usually not meant. `files`: those of the base commit, sorted.
pub fn warnings(plan: &Plan, files: &[RepoPath]) -> Vec<String> {
    let folders: BTreeSet<RepoPath> =
        files.iter().flat_map(RepoPath::ancestors).map(RepoPath::new).collect();
    let mut warnings = spelling::warnings(plan, files);
    for worker in &plan.workers {
        for glob in worker.owns.shallow() {
            let alone = Scope::parse(&[glob]).unwrap_or_default();
            if folders.iter().any(|folder| alone.owns(folder)) {
                warnings.push(format!(
                    "{} owns `{glob}`, which matches folders but nothing in them; write `{glob}/**`",
                    worker.id
                ));
            }
        }
    }
    warnings.extend(plan.whole_in_spite_of_reads());
    if plan.verify.is_empty() {
        warnings
            .push("the plan has no `verify` command, so nothing will test the result".to_owned());
    }
    warnings
}

/// Who of a workflow may change which files: its workers what they own, and all of them what is
/// shared.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    /// Those whose work is still to come, or to land.
    pub workers: &'a [&'a Worker],
    /// What every one of them may change.
    pub shared: &'a Scope,
}

impl<'a> Claims<'a> {
    /// Returns the scopes, the shared one last.
    fn scopes(&self) -> Vec<&'a Scope> {
        self.workers.iter().map(|worker| &worker.owns).chain([self.shared]).collect()
    }

    fn name(&self, at: usize) -> &'a str {
        self.workers.get(at).map_or("a shared file", |worker| worker.id.as_str())
    }
}

/// Says where a worker could change the same file as one of another workflow that is still open.
/// What both workflows share is left out: that is for all to change.
pub fn claims(mine: Claims<'_>, workflow: &Slug, theirs: Claims<'_>) -> Option<String> {
    if mine.workers.is_empty() || theirs.workers.is_empty() {
        return None;
    }
    let (own, other) = (mine.scopes(), theirs.scopes());
    let all: Vec<&Scope> = own.iter().chain(&other).copied().collect();
    let meets = |meeting: &Meeting| {
        let (one, two) = meeting.scopes;
        let are_shared = one == own.len() - 1 && two == all.len() - 1;
        one < own.len() && own.len() <= two && !are_shared
    };
    let meetings: Vec<Meeting> = overlaps(&all).into_iter().filter(meets).collect();
    let Meeting { scopes: (one, two), witness, .. } = meetings.first()?;
    let both = match *one == own.len() - 1 || *two == all.len() - 1 {
        true => "both may change",
        false => "both own",
    };
    let more = match meetings.len() - 1 {
        0 => String::new(),
        more => format!(", and {} meet", counted(more, "more pair")),
    };
    let (one, two) = (mine.name(*one), theirs.name(two - own.len()));
    Some(format!(
        "{one} and {two} of the workflow {workflow}, which is open, {both} `{witness}`{more}: they \
         may conflict when both land"
    ))
}

/// Returns a port for a worker, the same again for the same repository and label while it is free.
pub fn port(root: &[u8], label: &str, is_free: &dyn Fn(u16) -> bool) -> Option<u16> {
    // FNV-1a: unlike the standard library's hash, it is the same in every release.
    let hash =
        root.iter().chain(b"\0").chain(label.as_bytes()).fold(0xcbf2_9ce4_8422_2325, |h, b| {
            (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    let first = u16::try_from(hash % PORTS.len() as u64).ok()?;
    let first = PORTS.start + first;
    (first..PORTS.end).chain(PORTS.start..first).find(|port| is_free(*port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_stable_and_go_round_until_one_is_free() {
        let all = |_: u16| true;
        let first = port(b"/a", "task-1-users", &all).unwrap();
        assert!(PORTS.contains(&first));
        assert_eq!(port(b"/a", "task-1-users", &all), Some(first));
        assert_ne!(port(b"/a", "task-2-posts", &all), Some(first));
        assert_ne!(port(b"/b", "task-1-users", &all), Some(first));
        assert_eq!(port(b"/a", "task-1-users", &|port| port == first - 1), Some(first - 1));
        assert_eq!(port(b"/a", "task-1-users", &|_| false), None);
    }
}
