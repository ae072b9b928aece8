//! The answer of `pw-setup analyze`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coupling::Pair;
use super::foretell::Foretold;
use super::items::WorkItem;
use super::items_known::ItemsKnown;
use super::split::Way;
use crate::next::NextStep;
use crate::path::RepoPath;
use crate::report::Report;
use crate::retro::memory::Memory;

/// What the history says about splitting this repository.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Analysis {
    /// Whether to split, and why.
    pub verdict: Recommendation,
    /// How much of the history the answer rests on.
    pub history: Coverage,
    /// What the split would have made of past changes; absent without enough of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backtest: Option<Backtest>,
    /// The split made from the whole history, or from the items of documents; empty when there is
    /// none to be made.
    pub workers: Vec<Part>,
    /// What the documents ask for; empty when none was named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<WorkItem>,
    /// How the items run; absent without documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Timing>,
    /// Files that every worker may touch: lock files and changelogs, `folder/**` where each change adds a file
    /// to one.
    pub shared: Vec<RepoPath>,
    /// Files that are in most of the changes that cross these workers; none for items.
    pub hubs: Vec<Hub>,
    /// How well past changes foretold which other files a change needs; absent without enough of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foretold: Option<Foretold>,
    /// Files that change together; for items, those of two workers or of none.
    pub coupled: Vec<Pair>,
    /// The plan that was written; absent when none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// What finished runs of this repository were like; absent when none is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Memory>,
    /// What limits this answer.
    pub notes: Vec<String>,
    /// What to do next; empty unless the advice is to split.
    pub next: Vec<NextStep>,
}

impl Report for Analysis {
    const SCHEMA: &'static str = "pw-setup.analyze/1";
}

/// Whether to split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recommendation {
    /// What to do.
    pub advice: Advice,
    /// One sentence, with the numbers.
    pub reason: String,
}

/// What the history advises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Start the workers of the split.
    Split,
    /// Do it in one session.
    OneSession,
    /// The history is too short to say.
    Unknown,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Commits of the log that were read.
    pub commits: usize,
    /// Changes among them: one for each commit, or for each merge where work lands by merges.
    pub changes: usize,
    /// Changes of more than 30 files, which count nothing.
    pub bulk: usize,
    /// Whether a change is a merge of the mainline; otherwise it is a commit.
    pub by_merges: bool,
    /// Whether the clone is shallow, so that older commits are not here.
    pub shallow: bool,
    /// Whether older commits were left out.
    pub cut: bool,
}

/// What splits made from what was known then would have made of the changes that came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Backtest {
    /// How many windows were played.
    pub windows: usize,
    /// Changes in each window.
    pub changes_per_window: usize,
    /// The way that the windows chose.
    pub way: Way,
    /// How many times faster than one session; 90 % interval over windows.
    pub speedup: Estimate,
    /// Of the changes of several files, the share inside one worker.
    pub inside: Estimate,
    /// Of all changes, the share that crosses workers.
    pub crossing: f64,
    /// The better of top folders and the folders in them.
    pub folders: Score,
    /// The mean of random splits into as many workers.
    pub random: Score,
    /// A split that knew the future: of each window its own.
    pub best_possible: Score,
    /// One split for all windows that knew them; only where `scripts/backtest` asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_single: Option<Score>,
    /// Splits made for the items to come, known by their words alone; only where `scripts/backtest` asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_known: Option<ItemsKnown>,
    /// The same for other numbers of workers.
    pub others: Vec<OtherCount>,
}

/// A mean over windows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// Over all windows.
    pub mean: f64,
    /// Lower end of the 90 % interval.
    pub low: f64,
    /// Upper end of the 90 % interval.
    pub high: f64,
}

/// What a baseline came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// How many times faster than one session.
    pub speedup: f64,
    /// Share of the changes of several files that stay inside one worker; 0 to 1.
    pub inside: f64,
}

/// What another number of workers came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OtherCount {
    /// How many workers the split has.
    pub workers: usize,
    /// How many times faster than one session.
    pub speedup: f64,
    /// Share of all changes that cross workers; 0 to 1.
    pub crossing: f64,
}

/// One worker of the split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// The worker's `name` in a plan: the folder that holds more than half of its changes.
    pub name: String,
    /// At most as many globs as `more` leaves out; the plan has all.
    pub owns: Vec<String>,
    /// How many globs are not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<usize>,
    /// How many files of today it owns.
    pub files: usize,
    /// Of the changes inside one worker, this worker's share, newer ones weighing more; of the hours
    /// of all items, those of its own.
    pub share: f64,
    /// The items it does, by id; absent without documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// The workers it comes after, by name: its items come after theirs, or it does last what
    /// several of them need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

/// How items run when workers do them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timing {
    /// The hours of all items, divided by those until the last worker is done: S counts as half an
    /// hour, M and what has no size as 1.5, L as 4, XL as 8.
    pub speedup: f64,
    /// The workers that make it take so long, the first one first.
    pub critical_path: Vec<String>,
    /// Of the past changes of these workers' files, the share that needs several of them; absent
    /// when no past change touches them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crossing: Option<f64>,
    /// Items that no worker does, since they name no file that one could own, and no past change is like them.
    pub unplaced: Vec<String>,
}

/// A file that makes changes cross.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hub {
    /// The file, as it is called today.
    pub path: RepoPath,
    /// The worker that owns it.
    pub owner: String,
    /// How many of the changes that touch it cross workers.
    pub crossing: usize,
    /// How many changes touch it.
    pub of: usize,
}
