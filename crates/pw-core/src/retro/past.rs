//! Finished runs, kept for the next plan: numbers and the paths that hurt, no text that workers or the user wrote.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sizes::size_retro;
use super::{Retro, SizeRetro, Times};
use crate::id::{GateName, Slug};
use crate::next::CommandLine;
use crate::path::RepoPath;
use crate::plan::Size;
use crate::report::Report;
use crate::time::Seconds;

/// The ref that keeps them; no workflow's, and never pushed by us.
pub const HISTORY: &str = "refs/pw/history";

/// How many paths of one kind are kept of a run.
const MOST_PATHS: usize = 20;

/// One finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PastRun {
    /// The workflow.
    pub workflow: Slug,
    /// RFC 3339.
    pub started_at: String,
    /// `null` when nothing was committed.
    pub ended_at: Option<String>,
    /// From the first to the last of these.
    pub elapsed_seconds: Seconds,
    /// How many the plan had.
    pub workers: usize,
    /// How many of them were complete.
    pub complete: usize,
    /// Where all lifetimes went.
    pub times: Times,
    /// How many workers were busy on average.
    pub parallelism: Option<f64>,
    /// How near it came to its critical path.
    pub efficiency: Option<f64>,
    /// How even the split was.
    pub balance: Option<f64>,
    /// The grade.
    pub letter: Option<char>,
    /// Its points, of what was known.
    pub points: f64,
    /// How often a merge stopped.
    pub stops: usize,
    /// How often a gate ran.
    pub gate_runs: usize,
    /// How often one failed.
    pub gates_failed: usize,
    /// On how many trees one failed and then passed.
    pub gates_flaky: usize,
    /// Those gates; absent where they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaky_names: Vec<GateName>,
    /// Busy times by size, sorted.
    pub sizes: BTreeMap<Size, Vec<Seconds>>,
    /// Files in which branches did not merge.
    pub conflict_paths: Vec<RepoPath>,
    /// Files changed outside a scope.
    pub out_of_scope: Vec<RepoPath>,
}

impl PastRun {
    /// Returns what is kept of a run.
    pub fn of(retro: &Retro) -> Self {
        let mut sizes: BTreeMap<Size, Vec<Seconds>> = BTreeMap::new();
        for worker in retro.workers.iter().filter(|worker| worker.busy_seconds > 0) {
            if let Some(size) = worker.size {
                sizes.entry(size).or_default().push(worker.busy_seconds);
            }
        }
        sizes.values_mut().for_each(|busy| busy.sort_unstable());
        let conflicts = retro.conflicts.iter().flat_map(|conflict| &conflict.paths);
        let outside = retro.workers.iter().flat_map(|worker| &worker.out_of_scope);
        Self {
            workflow: retro.workflow.clone(),
            started_at: retro.started_at.clone(),
            ended_at: retro.ended_at.clone(),
            elapsed_seconds: retro.elapsed_seconds,
            workers: retro.workers.len(),
            complete: retro.workers.iter().filter(|worker| worker.state.is_done()).count(),
            times: retro.times,
            parallelism: retro.parallelism,
            efficiency: retro.efficiency,
            balance: retro.balance,
            letter: retro.grade.letter,
            points: retro.grade.points,
            stops: retro.stops.len(),
            gate_runs: retro.gates.runs,
            gates_failed: retro.gates.failed,
            gates_flaky: retro.gates.flaky.len(),
            flaky_names: retro.gates.flaky_names.clone(),
            sizes,
            conflict_paths: some(conflicts),
            out_of_scope: some(outside),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.workflow, &self.started_at) == (&other.workflow, &other.started_at)
    }
}

fn some<'a>(paths: impl Iterator<Item = &'a RepoPath>) -> Vec<RepoPath> {
    let mut paths: Vec<RepoPath> = paths.cloned().collect();
    paths.sort();
    paths.dedup();
    paths.truncate(MOST_PATHS);
    paths
}

/// All runs that are kept, a line of JSON each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// The oldest first.
    pub runs: Vec<PastRun>,
    /// Lines of a newer version: kept as they are.
    pub unread: Vec<String>,
}

impl Past {
    /// Reads lines of JSON.
    pub fn read(text: &str) -> Self {
        let mut past = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str(line) {
                Ok(run) => past.runs.push(run),
                Err(_) => past.unread.push(line.to_owned()),
            }
        }
        past
    }

    /// Returns the lines to keep.
    pub fn text(&self) -> String {
        let lines = self.runs.iter().filter_map(|run| serde_json::to_string(run).ok());
        lines.chain(self.unread.iter().cloned()).map(|line| line + "\n").collect()
    }

    /// Takes a run in, in place of what was kept of it before.
    pub fn add(&mut self, run: PastRun) {
        self.runs.retain(|known| !known.is_same(&run));
        self.runs.push(run);
        self.runs.sort_by(|a, b| (&a.started_at, &a.workflow).cmp(&(&b.started_at, &b.workflow)));
    }

    /// Drops all runs of a workflow; returns how many.
    pub fn forget(&mut self, workflow: &Slug) -> usize {
        let before = self.runs.len();
        self.runs.retain(|run| run.workflow != *workflow);
        before - self.runs.len()
    }
}

/// The answer of `pw-retro compare`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The oldest first.
    pub runs: Vec<PastRun>,
    /// Busy times by size, over all runs.
    pub sizes: Vec<SizeRetro>,
    /// Paths that hurt in more than one run, the worst first.
    pub paths: Vec<Sore>,
    /// Entries of a newer version; absent when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<usize>,
}

impl Report for Comparison {
    const SCHEMA: &'static str = "pw-retro.compare/1";
}

/// A path in which branches did not merge, or that was changed outside a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sore {
    /// The path.
    pub path: RepoPath,
    /// In how many runs.
    pub runs: usize,
}

/// The answer of `pw-retro remember`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Remembered {
    /// The workflow whose run is kept.
    pub workflow: Slug,
    /// False when it was kept already, just so.
    pub changed: bool,
    /// How many runs are kept now.
    pub runs: usize,
    /// Where.
    pub reference: String,
    /// A command that drops it.
    pub forget: CommandLine,
}

impl Report for Remembered {
    const SCHEMA: &'static str = "pw-retro.remember/1";
}

/// The answer of `pw-retro forget`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Forgot {
    /// How many runs were dropped.
    pub forgotten: usize,
    /// How many are kept.
    pub runs: usize,
}

impl Report for Forgot {
    const SCHEMA: &'static str = "pw-retro.forget/1";
}

/// Lays runs side by side.
pub fn compare(past: Past) -> Comparison {
    let mut sizes: BTreeMap<Size, Vec<Seconds>> = BTreeMap::new();
    let mut paths: BTreeMap<RepoPath, usize> = BTreeMap::new();
    for run in &past.runs {
        for (size, busy) in &run.sizes {
            sizes.entry(*size).or_default().extend(busy);
        }
        let both = run.conflict_paths.iter().chain(&run.out_of_scope);
        for path in some(both) {
            *paths.entry(path).or_default() += 1;
        }
    }
    let mut paths: Vec<Sore> = paths
        .into_iter()
        .filter(|(_, runs)| *runs > 1)
        .map(|(path, runs)| Sore { path, runs })
        .collect();
    paths.sort_by_key(|sore| (usize::MAX - sore.runs, sore.path.clone()));
    paths.truncate(MOST_PATHS);
    Comparison {
        sizes: sizes.into_iter().filter_map(|(size, busy)| size_retro(size, busy)).collect(),
        paths,
        unread: Some(past.unread.len()).filter(|unread| *unread > 0),
        runs: past.runs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(workflow: &str, started: &str, busy: Seconds) -> PastRun {
        PastRun {
            workflow: workflow.parse().unwrap(),
            started_at: started.to_owned(),
            ended_at: None,
            elapsed_seconds: 60,
            workers: 2,
            complete: 2,
            times: Times::default(),
            parallelism: Some(1.5),
            efficiency: None,
            balance: None,
            letter: Some('A'),
            points: 95.0,
            stops: 0,
            gate_runs: 0,
            gates_failed: 0,
            gates_flaky: 0,
            flaky_names: Vec::new(),
            sizes: BTreeMap::from([(Size::M, vec![busy])]),
            conflict_paths: vec!["lock".into()],
            out_of_scope: vec!["lock".into(), RepoPath::new(b"caf\xe9".to_vec())],
        }
    }

    #[test]
    fn runs_read_back_and_what_is_newer_stays() {
        let mut past = Past::default();
        past.add(run("b", "2026-02", 10));
        past.add(run("a", "2026-01", 30));
        past.add(run("b", "2026-02", 20));
        let newer = "{\"something\":\"newer\"}\n";
        let read = Past::read(&(past.text() + newer));
        assert_eq!((&read.runs, read.unread.len()), (&past.runs, 1));
        assert!(read.text().ends_with(newer));
        assert_eq!(
            read.runs.iter().map(|run| run.sizes[&Size::M][0]).collect::<Vec<_>>(),
            [30, 20]
        );

        let found = compare(read.clone());
        assert_eq!((found.sizes[0].median_seconds, found.unread), (25, Some(1)));
        assert_eq!(found.paths.len(), 2);
        assert_eq!(found.paths[1], Sore { path: "lock".into(), runs: 2 });
        let mut read = read;
        assert_eq!((read.forget(&"b".parse().unwrap()), read.runs.len()), (1, 1));
    }
}
