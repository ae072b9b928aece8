//! What the finished runs of a repository say to the next plan.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SizeRetro;
use super::past::{Past, PastRun, compare};
use crate::id::{GateName, WorkerId};
use crate::path::RepoPath;
use crate::plan::{Plan, Size};
use crate::text::counted;
use crate::time::Seconds;

/// How many paths are told of.
const MOST_PATHS: usize = 6;

/// What finished runs of this repository were like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// How many are kept.
    pub runs: usize,
    /// What workers of each size took here.
    pub sizes: Vec<SizeRetro>,
    /// How long the plan takes by the middle of these, its longest chain; absent where a size has no known
    /// time, and without a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_seconds: Option<Seconds>,
    /// Files in which branches did not merge, or that were changed outside a scope, the worst first.
    pub paths: Vec<SorePath>,
    /// In how many runs a gate failed and then passed on the same tree; absent when in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaky_runs: Option<usize>,
    /// The gates that did, the most frequent first; absent where they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaky_gates: Vec<FlakyGate>,
}

/// A gate that failed and then passed on the same tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlakyGate {
    /// What it is called in the plans.
    pub name: GateName,
    /// In how many finished runs.
    pub runs: usize,
}

/// A file that hurt in finished runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SorePath {
    /// The file.
    pub path: RepoPath,
    /// In how many runs.
    pub runs: usize,
    /// `null` when no worker owns it, and without a plan.
    pub owner: Option<WorkerId>,
    /// Whether the plan shares it.
    pub shared: bool,
}

/// Returns what finished runs say to a plan, or before there is one; `None` without any run.
pub fn memory(past: Past, plan: Option<&Plan>) -> Option<Memory> {
    let runs = past.runs.len();
    if runs == 0 {
        return None;
    }
    let flaky_runs = past.runs.iter().filter(|run| run.gates_flaky > 0).count();
    let paths = sore(&past.runs, plan);
    let flaky_gates = flaky_gates(&past.runs);
    let sizes = compare(past).sizes;
    Some(Memory {
        runs,
        expected_seconds: plan.and_then(|plan| expected(plan, &sizes)),
        sizes,
        paths,
        flaky_runs: Some(flaky_runs).filter(|runs| *runs > 0),
        flaky_gates,
    })
}

fn flaky_gates(runs: &[PastRun]) -> Vec<FlakyGate> {
    let mut count: BTreeMap<&GateName, usize> = BTreeMap::new();
    for name in runs.iter().flat_map(|run| &run.flaky_names) {
        *count.entry(name).or_default() += 1;
    }
    let gate = |(name, runs): (&GateName, usize)| FlakyGate { name: name.clone(), runs };
    let mut gates: Vec<FlakyGate> = count.into_iter().map(gate).collect();
    gates.sort_by_key(|gate| usize::MAX - gate.runs);
    gates
}

fn sore(runs: &[PastRun], plan: Option<&Plan>) -> Vec<SorePath> {
    let mut count: BTreeMap<&RepoPath, usize> = BTreeMap::new();
    for run in runs {
        let mut both: Vec<&RepoPath> = run.conflict_paths.iter().chain(&run.out_of_scope).collect();
        both.sort();
        both.dedup();
        both.into_iter().for_each(|path| *count.entry(path).or_default() += 1);
    }
    let path = |(path, runs): (&RepoPath, usize)| {
        let owner = plan.and_then(|plan| plan.workers.iter().find(|worker| worker.owns.owns(path)));
        SorePath {
            path: path.clone(),
            runs,
            owner: owner.map(|worker| worker.id.clone()),
            shared: plan.is_some_and(|plan| plan.shared.owns(path)),
        }
    };
    let mut paths: Vec<SorePath> = count.into_iter().map(path).collect();
    paths.sort_by_key(|sore| usize::MAX - sore.runs);
    paths.truncate(MOST_PATHS);
    paths
}

/// Returns the longest chain of a plan by what sizes took.
fn expected(plan: &Plan, sizes: &[SizeRetro]) -> Option<Seconds> {
    let median =
        |size: Size| sizes.iter().find(|known| known.size == size).map(|k| k.median_seconds);
    let mut ends: BTreeMap<&WorkerId, Seconds> = BTreeMap::new();
    // The plan has no circles, so each pass ends at least one more.
    for _ in &plan.workers {
        for worker in &plan.workers {
            let before: Option<Vec<Seconds>> =
                worker.after.iter().map(|id| ends.get(id).copied()).collect();
            if let Some(before) = before {
                let own = median(worker.size?)?;
                ends.insert(&worker.id, own + before.into_iter().max().unwrap_or_default());
            }
        }
    }
    ends.into_values().max()
}

/// Returns what is to be corrected in a plan because of finished runs.
pub fn warnings(memory: &Memory, plan: &Plan) -> Vec<String> {
    let runs = || counted(memory.runs, "finished run");
    let is_nobodys = |sore: &&SorePath| sore.owner.is_none() && !sore.shared;
    let warning = |sore: &SorePath| {
        format!(
            "`{}` did not merge or was changed outside a scope in {} of {}, and no worker owns it: give it to one, or \
             share it",
            sore.path,
            sore.runs,
            runs(),
        )
    };
    let is_planned = |gate: &&FlakyGate| plan.verify.iter().any(|known| known.name == gate.name);
    let flaky = |gate: &FlakyGate| {
        format!(
            "the gate `{}` failed and then passed on the same tree in {} of {}: leave out what is sometimes red, until it \
             is mended",
            gate.name,
            gate.runs,
            runs()
        )
    };
    let sore = memory.paths.iter().filter(is_nobodys).map(warning);
    sore.chain(memory.flaky_gates.iter().filter(is_planned).map(flaky)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Gate;

    #[test]
    fn finished_runs_tell_times_sore_files_and_flakes() {
        let run = |workflow: &str, more: &str| {
            format!(
                r#"{{"workflow":"{workflow}","started_at":"2026-01","ended_at":null,"elapsed_seconds":60,"workers":2,
                "complete":2,"times":{{"lifetime_seconds":0,"busy_seconds":0,"blocked_seconds":0,"waiting_seconds":0,
                "idle_seconds":0}},"parallelism":null,"efficiency":null,"balance":null,"letter":null,"points":0.0,
                "stops":0,"gate_runs":0,"gates_failed":0,{more}}}"#
            )
            .replace('\n', "")
        };
        let one = run(
            "x",
            r#""gates_flaky":1,"flaky_names":["verify","unit"],"sizes":{"S":[600],"M":[3000]},"conflict_paths":["lock","a"],"out_of_scope":["lock"]"#,
        );
        let two = run(
            "y",
            r#""gates_flaky":2,"flaky_names":["verify"],"sizes":{"M":[5000]},"conflict_paths":["lock"],"out_of_scope":["b"]"#,
        );
        let past = || Past::read(&format!("{one}\n{two}\n"));
        let plan = |size: &str| {
            Plan::parse(&format!(
                "workflow: w\nshared: [b]\nworkers:\n  - {{id: t1, name: a, owns: [a], size: M}}\n  - {{id: t2, name: c, owns: [c], size: {size}, after: [t1]}}\n"
            ))
            .unwrap()
        };
        let told = memory(past(), Some(&plan("S"))).unwrap();
        assert_eq!((told.runs, told.flaky_runs, told.expected_seconds), (2, Some(2), Some(4600)));
        let paths: Vec<_> = told
            .paths
            .iter()
            .map(|sore| {
                (
                    sore.path.to_string(),
                    sore.runs,
                    sore.owner.as_ref().map(|id| id.as_str()),
                    sore.shared,
                )
            })
            .collect();
        assert_eq!(
            paths,
            [
                ("lock".to_owned(), 2, None, false),
                ("a".to_owned(), 1, Some("t1"), false),
                ("b".to_owned(), 1, None, true)
            ]
        );
        let flaky = told.flaky_gates.iter().map(|gate| (gate.name.as_str(), gate.runs));
        assert_eq!(flaky.collect::<Vec<_>>(), [("verify", 2), ("unit", 1)]);
        let warned = warnings(&told, &plan("S"));
        assert!(
            warned.len() == 1 && warned[0].contains("`lock`") && warned[0].contains("2 of 2"),
            "{warned:?}"
        );
        // Only a gate that the plan has is warned of.
        let gated = Plan { verify: Gate::only("make").into_iter().collect(), ..plan("S") };
        assert!(warnings(&told, &gated)[1].contains("`verify` failed and then passed"));
        assert_eq!(memory(past(), Some(&plan("L"))).unwrap().expected_seconds, None);
        assert_eq!(memory(past(), None).unwrap().paths[1].owner, None);
        assert_eq!(memory(Past::default(), None), None);
    }
}
