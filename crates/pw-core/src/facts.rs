//! What git knows, as plain data, and the questions the rules ask of it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::branch::Branch;
use crate::channel::{Channel, Tip};
use crate::gap::Gap;
use crate::history::{Ancestors, Change, Content, History};
use crate::id::{Oid, WorkerId};
use crate::operation::Operation;
use crate::path::RepoPath;
use crate::session::{EngineAnswer, SessionFacts};
use crate::text::counted;
use crate::time::Seconds;

/// What links and submodules in commits lead to.
#[derive(Clone, Debug, Default)]
pub struct SpecialEntries {
    /// What links say, by the object that holds it.
    pub links: BTreeMap<Oid, Vec<u8>>,
    /// The paths that `.gitmodules` names, by the commit it is in.
    pub modules: BTreeMap<Oid, BTreeSet<RepoPath>>,
    /// Those that it named before it was changed, by the commit that has it changed.
    pub named_before: BTreeMap<Oid, BTreeSet<RepoPath>>,
    /// All entries of commits that are links or submodules, by path.
    pub entries: BTreeMap<Oid, BTreeMap<RepoPath, Blob>>,
}

/// Work that the base branch or the integration branch had, until the user took it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reverted {
    /// The commit of that branch that had all of it.
    pub landed: Oid,
    /// The newest commit there that changed the same files.
    pub by: Oid,
    /// Whether its commits are in that branch, so that git takes them for merged: they do not come
    /// back with a merge. Absent where it was squashed or picked: merged, it comes back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contained: bool,
    /// The files that are as they were before; absent when all of its files are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partly: Option<Part>,
}

/// Some of the files that work changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// How many they are.
    pub count: usize,
    /// The first of them.
    pub paths: Vec<RepoPath>,
}

impl Part {
    /// How many files are named.
    const NAMED: usize = 10;

    /// Returns those files, of which only the first are named.
    pub fn of<'a>(paths: impl ExactSizeIterator<Item = &'a RepoPath>) -> Self {
        Self { count: paths.len(), paths: paths.take(Self::NAMED).cloned().collect() }
    }

    fn named(&self) -> String {
        let named: Vec<String> = self.paths.iter().map(RepoPath::quoted).collect();
        let more = if self.count > named.len() { ", …" } else { "" };
        format!("{}: {}{more}", counted(self.count, "file"), named.join(", "))
    }
}

impl Reverted {
    /// Returns a sentence about what was taken back, and whether it comes back.
    pub fn note(&self, what: &str) -> String {
        let (landed, by) = (self.landed.short(), self.by.short());
        let what = match &self.partly {
            Some(part) => format!("part of {what} ({})", part.named()),
            None => what.to_owned(),
        };
        match self.contained {
            false => format!(
                "the base branch had {what} since {landed} and took it back in {by}: it comes back"
            ),
            true if self.landed == self.by => format!(
                "{landed} merged {what} without its changes: no merge brings them, only picking its \
                 commits does"
            ),
            true => format!(
                "{what} was merged in {landed} and taken back, last in {by}: no merge brings it back, only \
                 reverting what took it back does"
            ),
        }
    }
}

/// What is known about one worker besides the plan and the record.
#[derive(Clone, Debug, Default)]
pub struct WorkerFacts {
    /// The branch's tip; `None` when the workflow has no such branch.
    pub tip: Option<Oid>,
    /// Where the tip is; `None` when the plan names no remote.
    pub tip_from: Option<Tip>,
    /// What merging the tip brings; `None` when nothing is there to merge.
    pub brought: Option<Brought>,
    /// The worktree at the worker's path.
    pub worktree: WorktreeFacts,
    /// What is known of its newest session.
    pub session: SessionFacts,
    /// Since when its tip and its job are what they are, by this machine's clock; `None` when this
    /// clone did not see that, or it works here.
    pub seen: Option<Seconds>,
    /// What of its hooks and launcher is not as it was made; empty when that was not asked.
    pub gaps: Vec<Gap>,
}

/// What a branch has that the trunk does not have: its own work and what it took from other
/// branches.
#[derive(Clone, Debug)]
pub struct Brought {
    /// The newest commit of the trunk that the branch contains, or the workflow's base.
    pub since: Oid,
    /// How the tip differs from it.
    pub changes: Vec<Change>,
}

/// The state of a worker's worktree.
#[derive(Clone, Debug, Default)]
#[expect(clippy::large_enum_variant, reason = "there is one for each worker, and most are present")]
pub enum WorktreeFacts {
    /// git has no worktree registered at its path.
    #[default]
    Missing,
    /// Registered, but the folder is gone, foreign or not readable as this worktree.
    Broken,
    /// The folder is at its path, and the links between it and git lead elsewhere: the repository
    /// was moved or copied.
    Unlinked,
    /// The folder is there, and git's entry of it is gone.
    Unregistered,
    /// In another folder.
    At(String),
    /// There, but not looked into.
    Unread,
    /// In another clone: the branch is known from the plan's remote alone.
    InAnotherClone,
    /// As git has it, and read.
    Present(TreeState),
}

/// What `git status` and the worktree's own files say.
#[derive(Clone, Debug, Default)]
pub struct TreeState {
    /// The branch HEAD is on; `None` when detached.
    pub branch: Option<Branch>,
    /// The commit HEAD is at; `None` on a branch without any, and where that was not asked.
    pub head: Option<Oid>,
    /// Tracked files that differ from HEAD, in the index or on disk.
    pub changed: Vec<RepoPath>,
    /// Files git neither tracks nor ignores; a folder ends in `/`.
    pub untracked: Vec<RepoPath>,
    /// Paths with several stages in the index.
    pub unmerged: Vec<RepoPath>,
    /// Those of `changed` that HEAD does not have.
    pub added: Vec<RepoPath>,
    /// Those of `changed` that are no longer there.
    pub removed: Vec<RepoPath>,
    /// Those of `changed` that are repositories of their own.
    pub gitlinks: Vec<RepoPath>,
    /// Those of `gitlinks` whose files changed, and nothing else.
    pub open: Vec<RepoPath>,
    /// The git operation that is under way.
    pub operation: Option<Operation>,
    /// When the newest of those files was changed; `None` when there is none.
    pub touched: Option<Seconds>,
}

impl TreeState {
    /// Returns everything that is not committed, sorted.
    pub fn uncommitted(&self) -> Vec<RepoPath> {
        let all = self.changed.iter().chain(&self.untracked).chain(&self.unmerged);
        all.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns the files that a commit of everything would change; their contents are not known.
    pub fn changes(&self) -> Vec<Change> {
        let [added, untracked, removed] = [&self.added, &self.untracked, &self.removed]
            .map(|paths| paths.iter().collect::<HashSet<_>>());
        let content = |there: bool| there.then_some(Content::Unread);
        let change = |path: &RepoPath| Change {
            path: path.clone(),
            old: content(!added.contains(path) && !untracked.contains(path)),
            new: content(!removed.contains(path)),
        };
        // A folder here is a repository of its own: no file that could be committed.
        let is_file = |path: &&RepoPath| !path.as_bytes().ends_with(b"/");
        self.changed.iter().chain(&self.untracked).filter(is_file).map(change).collect()
    }
}

/// Everything the rules need about a workflow at one moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// When the facts were read.
    pub now: Seconds,
    /// What the workers, the base branch and the integration branch have since the base.
    pub history: History,
    /// By worker; those of the plan.
    pub workers: BTreeMap<WorkerId, WorkerFacts>,
    /// Where the base branch is now; `None` when it is gone or there was none.
    pub base_tip: Option<Oid>,
    /// What differs between the commit the workflow forked from, or what of it landed, and
    /// `base_tip`.
    pub base_changes: Vec<RepoPath>,
    /// The tip of the integration branch; `None` before the first integration.
    pub integration_tip: Option<Oid>,
    /// The commits of the trunk that branches contain last, and how each differs from the one
    /// before it in this list, the first one from the workflow's base.
    pub trunk_steps: Vec<(Oid, Vec<Change>)>,
    /// Tips that the base branch has by content alone, squashed or picked, each with the oldest
    /// commit there that has it.
    pub landed_as: BTreeMap<Oid, Oid>,
    /// Tips whose changes the base branch or the integration branch had, before the user took
    /// everything back.
    pub reverted: BTreeMap<Oid, Reverted>,
    /// What the links and submodules that commits changed lead to.
    pub special_entries: SpecialEntries,
    /// What is not committed in the user's own checkout; `None` when that was not asked.
    pub checkout: Option<TreeState>,
    /// How the plan's remote stands to this clone; `None` when the plan names none.
    pub channel: Option<Channel>,
    /// How engines answered about jobs; empty when none was asked.
    pub engines: Vec<EngineAnswer>,
}

impl Facts {
    /// Returns the tip of a worker's branch.
    pub fn tip(&self, worker: &WorkerId) -> Option<&Oid> {
        self.workers.get(worker)?.tip.as_ref()
    }

    /// Returns a worker's tip with what merging it would bring; `None` if the trunk contains it.
    pub fn to_merge(&self, worker: &WorkerId) -> Option<(&Oid, &Brought)> {
        let known = self.workers.get(worker)?;
        let (tip, brought) = (known.tip.as_ref()?, known.brought.as_ref()?);
        (!self.trunk().contains(tip)).then_some((tip, brought))
    }

    /// Returns whether branches may differ in `.gitattributes`, which say how git merges files.
    pub fn changes_attributes(&self) -> bool {
        let brought = self.workers.values().filter_map(|known| known.brought.as_ref());
        let brought = brought.flat_map(|brought| &brought.changes);
        let trunk = self.trunk_steps.iter().flat_map(|(_, changes)| changes);
        brought.chain(trunk).any(|change| change.path.is_attributes())
    }

    /// Returns the oldest commit known to be on the base branch that has all of `tip`, as a commit
    /// or by content.
    pub fn landing(&self, tip: &Oid) -> Option<&Oid> {
        let base = self.base_tip.as_ref()?;
        let itself = self.history.commit(tip).map(|commit| &commit.oid);
        let contained = itself.filter(|tip| self.history.contains(base, tip));
        contained.or_else(|| self.landed_as.get(tip))
    }

    /// Returns where on the base branch the integration branch has landed, if it has.
    pub fn landed(&self) -> Option<&Oid> {
        self.landing(self.integration_tip.as_ref()?)
    }

    /// Returns whether the base branch or the integration branch has all of `tip`.
    pub fn is_in_trunk(&self, tip: &Oid) -> bool {
        let integration = self.integration_tip.as_ref();
        self.landing(tip).is_some()
            || integration.is_some_and(|head| self.history.contains(head, tip))
    }

    /// Returns what the base branch and the integration branch went through since the base.
    pub fn trunk_chain(&self) -> HashSet<&Oid> {
        self.history.on_chains(self.base_tip.iter().chain(&self.integration_tip))
    }

    /// Returns what the base branch and the integration branch contain.
    pub fn trunk(&self) -> Ancestors<'_> {
        self.history.ancestors(self.base_tip.iter().chain(&self.integration_tip))
    }
}
