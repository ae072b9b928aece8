//! GitHub Actions: one run of a workflow file for the workers of a call, a job of its matrix for
//! each. The file lies in the user's repository, on the branch that it is started from, and is the
//! same for all plans with these settings: what it is told is data, no script.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::interface::{Ask, Deployment, Engine, Polled, RepositoryFile, Said, Submission};
use super::machine::worker_function;
use crate::failure::{Code, Failure};
use crate::next::CommandLine;
use crate::plan::Worker;
use crate::session::JobState;

const FILE: &str = "parallel-workflows.yml";
/// GitHub ends a job then at the latest, in minutes.
const LONGEST: i64 = 360;
/// How many runs of the file are looked at, the newest first.
const RUNS: &str = "--limit=200";

/// GitHub Actions, for the workers of a plan.
pub(super) struct GitHub<'a>(pub(super) Deployment<'a>);

impl GitHub<'_> {
    /// The workflow file; what is between `${{` and `}}` is GitHub's.
    fn workflow(&self) -> String {
        let settings = &self.0.plan.engine;
        let minutes = settings.time.map_or(LONGEST, |time| ((time + 59) / 60).clamp(1, LONGEST));
        let runner = settings.runner.as_deref().unwrap_or("ubuntu-latest");
        let secret = settings.secret.as_deref().unwrap_or("ANTHROPIC_API_KEY");
        let url = "\"$GITHUB_SERVER_URL/$GITHUB_REPOSITORY\"";
        // The name of the workflow is the only word in the script that differs between plans.
        let script = worker_function(self.0.plan, url);
        let name = self.0.plan.workflow.as_str();
        let script = script.replace(&format!("/{name}/"), "/$WORKFLOW/");
        let script = script.replace(&format!("--workflow {name} "), "--workflow \"$WORKFLOW\" ");
        let script: String = script.lines().map(|line| format!("          {line}\n")).collect();
        format!(
            r#"# Starts workers of parallel-workflows: pw-setup launch --with github
name: parallel-workflows
run-name: ${{{{ inputs.run }}}}
on:
  workflow_dispatch:
    inputs:
      run: {{description: What this run is called, required: true, type: string}}
      workflow: {{description: The workflow of the plan, required: true, type: string}}
      workers: {{description: Id and label of each worker as JSON, required: true, type: string}}
permissions: {{}}
concurrency:
  group: ${{{{ inputs.run }}}}
jobs:
  worker:
    name: ${{{{ matrix.worker.label }}}}
    runs-on: {runner}
    timeout-minutes: {minutes}
    permissions:
      contents: write # a worker pushes its branch and the record
    strategy:
      fail-fast: false
      matrix:
        worker: ${{{{ fromJSON(inputs.workers) }}}}
    steps:
      - name: Work
        env:
          WORKFLOW: ${{{{ inputs.workflow }}}}
          WORKER: ${{{{ matrix.worker.id }}}}
          LABEL: ${{{{ matrix.worker.label }}}}
          GH_TOKEN: ${{{{ github.token }}}}
          ANTHROPIC_API_KEY: ${{{{ secrets.{secret} }}}}
        run: |
          gh auth setup-git
          git config --global user.name "$GITHUB_ACTOR"
          git config --global user.email "$GITHUB_ACTOR@users.noreply.github.com"
{script}          pw_worker "$WORKER" "$LABEL"
"#
        )
    }

    /// Selects the run of this name among those that `gh run list` tells of.
    fn with_run(&self, id: &str, command: &str) -> CommandLine {
        let title = id.split('/').next().unwrap_or(id);
        let query = format!(".[] | select(.displayTitle == \"{title}\") | .databaseId");
        CommandLine::of("gh run list --workflow")
            .word(FILE)
            .and(RUNS)
            .and("--json databaseId,displayTitle --jq")
            .word(query)
            .and("| xargs -n 1")
            .and(command)
    }
}

/// Asks for the newest runs of the workflow.
fn runs(fields: &str) -> Submission {
    Submission::of(&["gh", "run", "list", "--workflow", FILE, RUNS, "--json", fields])
}

impl Engine for GitHub<'_> {
    fn program(&self) -> &'static str {
        "gh"
    }

    fn require(&self) -> Result<(), Failure> {
        let settings = &self.0.plan.engine;
        let texts = [&settings.prepare, &settings.path, &settings.folder];
        if texts.into_iter().flatten().any(|text| text.contains("${{")) {
            return Err(Failure::new(
                Code::Usage,
                "`engine` has `${{`, which GitHub would replace",
            )
            .hint("read the value from the environment of the runner instead, as $NAME"));
        }
        Ok(())
    }

    fn file(&self) -> Option<RepositoryFile> {
        let path = format!(".github/workflows/{FILE}");
        Some(RepositoryFile { path, content: self.workflow() })
    }

    fn submissions(&self, workers: &[&Worker]) -> Vec<Submission> {
        let named = |worker: &&Worker| json!({ "id": worker.id, "label": worker.label() });
        let workers = Value::from_iter(workers.iter().map(named)).to_string();
        let mut submission = Submission::of(&["gh", "workflow", "run", FILE, "--json"]);
        let base = self.0.plan.base.iter().map(|base| format!("--ref={base}"));
        submission.command.extend(base);
        let workflow = &self.0.plan.workflow;
        let inputs = json!({ "run": self.0.name(), "workflow": workflow, "workers": workers });
        vec![Submission { input: inputs.to_string(), ..submission }]
    }

    fn find(&self) -> Option<Submission> {
        let query = format!(".[] | select(.displayTitle == \"{}\") | .displayTitle", self.0.name());
        let mut list = runs("displayTitle");
        list.command.extend(["--jq".to_owned(), query]);
        Some(list)
    }

    fn ids(&self, _submission: usize, workers: &[&Worker], _said: &Said) -> Option<Vec<String>> {
        let name = self.0.name();
        Some(workers.iter().map(|worker| format!("{name}/{}", worker.label())).collect())
    }

    /// One question for the runs, and one for the jobs of each that is among them.
    fn poll(&self, ids: &[&str], ask: Ask<'_>) -> Polled {
        let list = runs("databaseId,displayTitle,status,conclusion");
        let Some(said) = ask(&[list]).pop() else { return Polled::default() };
        if said.code != Some(0) {
            return Polled::nothing(said.trouble());
        }
        let Ok(runs) = serde_json::from_str::<Vec<Run>>(&said.stdout) else {
            return Polled::nothing("gh run list printed no list of runs");
        };
        let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for id in ids {
            let (title, label) = id.split_once('/').unwrap_or((id, ""));
            wanted.entry(title).or_default().push(label);
        }
        let runs: Vec<&Run> =
            runs.iter().filter(|run| wanted.contains_key(run.title.as_str())).collect();
        let view = |run: &&Run| {
            Submission::of(&["gh", "run", "view", &run.id.to_string(), "--json", "jobs"])
        };
        let mut polled = Polled::default();
        for (run, said) in runs.iter().zip(ask(&runs.iter().map(view).collect::<Vec<_>>())) {
            let jobs = serde_json::from_str::<Jobs>(&said.stdout).map(|jobs| jobs.jobs);
            let (Ok(jobs), Some(0)) = (jobs, said.code) else {
                polled.trouble.get_or_insert(format!("run {}: {}", run.id, said.trouble()));
                continue;
            };
            for label in wanted.get(run.title.as_str()).into_iter().flatten() {
                let job = jobs.iter().find(|job| job.name == *label);
                // Until the matrix is made, only the run is there.
                let (status, conclusion) = match job {
                    Some(job) => (&job.status, &job.conclusion),
                    None => (&run.status, &run.conclusion),
                };
                let conclusion = conclusion.as_deref().unwrap_or_default();
                let said = format!("{status} {conclusion}");
                polled.tell(&format!("{}/{label}", run.title), read(status, conclusion), &said);
            }
        }
        if polled.trouble.is_none() {
            polled.forget_the_rest(ids, "GitHub tells of no such run");
        }
        polled
    }

    fn cancel(&self, id: &str) -> CommandLine {
        self.with_run(id, "gh run cancel")
    }

    fn look(&self, id: &str, _state: Option<JobState>) -> CommandLine {
        self.with_run(id, "gh run view")
    }
}

#[derive(Deserialize)]
struct Run {
    #[serde(rename = "databaseId")]
    id: u64,
    #[serde(rename = "displayTitle")]
    title: String,
    status: String,
    conclusion: Option<String>,
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<RunJob>,
}

#[derive(Deserialize)]
struct RunJob {
    name: String,
    status: String,
    conclusion: Option<String>,
}

/// Reads GitHub's words for a job.
fn read(status: &str, conclusion: &str) -> JobState {
    match (status, conclusion) {
        ("completed", "failure" | "startup_failure") => JobState::Failed,
        ("completed", "cancelled") => JobState::Cancelled,
        ("completed", "timed_out") => JobState::TimeLimit,
        ("completed", "action_required") | ("waiting" | "action_required", _) => JobState::Held,
        ("completed", _) => JobState::Ended,
        ("in_progress", _) => JobState::Running,
        _ => JobState::Queued,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_githubs_is_one_of_ours() {
        let table = [
            ("queued", "", JobState::Queued),
            ("pending", "", JobState::Queued),
            ("requested", "", JobState::Queued),
            ("waiting", "", JobState::Held),
            ("in_progress", "", JobState::Running),
            ("completed", "success", JobState::Ended),
            ("completed", "failure", JobState::Failed),
            ("completed", "cancelled", JobState::Cancelled),
            ("completed", "timed_out", JobState::TimeLimit),
            ("completed", "action_required", JobState::Held),
            ("completed", "neutral", JobState::Ended),
        ];
        for (status, conclusion, expected) in table {
            assert_eq!(read(status, conclusion), expected, "{status} {conclusion}");
        }
    }
}
