//! Kubernetes: one indexed Job for the workers of a call, an index for each. A pod that is lost with
//! its machine, or has to make room, is made again by the cluster without counting as a failure, and
//! goes on where its branch on the remote is.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::interface::{Ask, Deployment, Engine, Polled, Said, Submission};
use super::machine::{calls_by_number, worker_function};
use crate::failure::{Code, Failure};
use crate::next::{CommandLine, Next};
use crate::plan::Worker;
use crate::session::JobState;
use crate::shell_word::shell_word;

/// What tells our jobs from others.
const LABEL: &str = "parallel-workflows/workflow";
/// How often an index may fail before it is given up.
const TRIES: u32 = 2;

/// A cluster, for the workers of a plan.
pub(super) struct Kubernetes<'a>(pub(super) Deployment<'a>);

impl Kubernetes<'_> {
    fn kubectl(&self, words: &[&str]) -> Submission {
        let namespace =
            self.0.plan.engine.namespace.iter().map(|name| format!("--namespace={name}"));
        let first = std::iter::once("kubectl".to_owned()).chain(namespace);
        let command = first.chain(words.iter().map(|word| (*word).to_owned())).collect();
        Submission { command, input: String::new() }
    }

    fn line(&self, words: &str) -> CommandLine {
        let first = CommandLine::of("kubectl");
        let namespace = self.0.plan.engine.namespace.iter();
        namespace.fold(first, |line, name| line.and("--namespace").word(name)).and(words)
    }

    fn manifest(&self, workers: &[&Worker]) -> Value {
        let settings = &self.0.plan.engine;
        let labels = json!({ LABEL: self.0.plan.workflow });
        let function = worker_function(self.0.plan, &shell_word(self.0.url));
        let script =
            format!("{function}case $JOB_COMPLETION_INDEX in\n{}esac\n", calls_by_number(workers));
        let mut container = json!({
            "name": "worker",
            "image": settings.image,
            "command": ["sh", "-c", script],
        });
        if let Some(secret) = &settings.secret {
            container["envFrom"] = json!([{ "secretRef": { "name": secret } }]);
        }
        let mut spec = json!({
            "completionMode": "Indexed",
            "completions": workers.len(),
            "parallelism": workers.len(),
            "backoffLimitPerIndex": TRIES,
            "maxFailedIndexes": workers.len(),
            "podFailurePolicy": { "rules": [
                // A lost machine, an eviction, a preemption: not the worker's fault.
                { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] },
                // The image lacks the helpers: trying again brings none.
                { "action": "FailIndex", "onExitCodes": { "operator": "In", "values": [127] } },
            ] },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "restartPolicy": "Never", "containers": [container] },
            },
        });
        if let Some(time) = settings.time {
            spec["activeDeadlineSeconds"] = json!(time);
        }
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": { "name": self.0.name(), "labels": labels },
            "spec": spec,
        })
    }
}

impl Engine for Kubernetes<'_> {
    fn program(&self) -> &'static str {
        "kubectl"
    }

    fn require(&self) -> Result<(), Failure> {
        match self.0.plan.engine.image {
            Some(_) => Ok(()),
            None => Err(Failure::new(Code::Usage, "the plan names no image for its workers")
                .hint("add `engine: {image: …}` with git, the helpers and the client to the plan, and create again")
                .next(Next::Help { helper: "pw-setup", verb: Some("launch") })),
        }
    }

    fn submissions(&self, workers: &[&Worker]) -> Vec<Submission> {
        let create = self.kubectl(&["create", "--filename=-", "--output=name"]);
        vec![Submission { input: format!("{:#}\n", self.manifest(workers)), ..create }]
    }

    fn find(&self) -> Option<Submission> {
        Some(self.kubectl(&["get", "job", &self.0.name(), "--ignore-not-found", "--output=name"]))
    }

    fn ids(&self, _submission: usize, workers: &[&Worker], said: &Said) -> Option<Vec<String>> {
        // `job.batch/pw-shop-1234abcd`
        let name = said.stdout.trim().rsplit_once('/')?.1;
        let is_ours = name == self.0.name();
        is_ours.then(|| (0..workers.len()).map(|number| format!("{name}/{number}")).collect())
    }

    fn poll(&self, ids: &[&str], ask: Ask<'_>) -> Polled {
        let selector = format!("--selector={LABEL}={}", self.0.plan.workflow);
        let question = self.kubectl(&["get", "jobs,pods", &selector, "--output=json"]);
        let Some(said) = ask(&[question]).pop() else { return Polled::default() };
        if said.code != Some(0) {
            return Polled::nothing(said.trouble());
        }
        let list = serde_json::from_str::<Value>(&said.stdout).ok();
        let Some(items) = list.as_ref().and_then(|list| list["items"].as_array()) else {
            return Polled::nothing("kubectl get printed no list");
        };
        let of_kind = |kind: &'static str| items.iter().filter(move |item| item["kind"] == kind);
        let jobs: BTreeMap<&str, &Value> = of_kind("Job")
            .filter_map(|job| Some((job["metadata"]["name"].as_str()?, job)))
            .collect();
        let mut polled = Polled::default();
        for id in ids {
            let Some((name, index)) = id.rsplit_once('/') else { continue };
            let Some(job) = jobs.get(name) else { continue };
            let label =
                |pod: &Value, key: &str| pod["metadata"]["labels"][key].as_str().map(str::to_owned);
            let is_its = |pod: &&Value| {
                label(pod, "batch.kubernetes.io/job-name").as_deref() == Some(name)
                    && label(pod, "batch.kubernetes.io/job-completion-index").as_deref()
                        == Some(index)
            };
            // The newest: times of one cluster, as text that sorts.
            let created =
                |pod: &&Value| pod["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
            let pod = of_kind("Pod").filter(is_its).max_by_key(created);
            let (state, said) = read(&job["status"], index.parse().unwrap_or_default(), pod);
            polled.tell(id, state, &said);
        }
        polled.forget_the_rest(ids, "the cluster has no such job");
        polled
    }

    fn cancel(&self, id: &str) -> CommandLine {
        self.line("delete job").word(id.split('/').next().unwrap_or(id))
    }

    fn look(&self, id: &str, state: Option<JobState>) -> CommandLine {
        let (name, index) = id.rsplit_once('/').unwrap_or((id, "0"));
        let of = format!(
            "batch.kubernetes.io/job-name={name},batch.kubernetes.io/job-completion-index={index}"
        );
        match state {
            Some(JobState::Queued | JobState::Quota | JobState::Held) => self
                .line("describe job,pods --selector")
                .word(format!("batch.kubernetes.io/job-name={name}")),
            _ => self.line("logs --tail=100 --selector").word(of),
        }
    }
}

/// Reads what the cluster says of an index: its job's status, and its newest pod.
fn read(job: &Value, index: u64, pod: Option<&Value>) -> (JobState, String) {
    let failed = job["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Failed" && condition["status"] == "True");
    if holds(&job["completedIndexes"], index) {
        return (JobState::Ended, "completed".to_owned());
    }
    if holds(&job["failedIndexes"], index) {
        return (JobState::Failed, reason(pod).unwrap_or_else(|| "failed".to_owned()));
    }
    if let Some(failed) = failed {
        let reason = failed["reason"].as_str().unwrap_or("Failed");
        let is_late = reason == "DeadlineExceeded";
        return (if is_late { JobState::TimeLimit } else { JobState::Failed }, reason.to_owned());
    }
    let Some(pod) = pod else { return (JobState::Queued, "no pod yet".to_owned()) };
    let waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"].as_str();
    let said = reason(Some(pod)).unwrap_or_default();
    match pod["status"]["phase"].as_str().unwrap_or_default() {
        "Running" => (JobState::Running, said),
        "Pending" => match waiting {
            Some("ContainerCreating" | "PodInitializing") | None => (JobState::Queued, said),
            Some(reason) => (JobState::Held, reason.to_owned()),
        },
        "Unknown" => (JobState::NodeLost, said),
        // The cluster makes another one.
        _ => (JobState::Queued, said),
    }
}

/// Returns why a pod is as it is.
fn reason(pod: Option<&Value>) -> Option<String> {
    let status = &pod?["status"];
    let conditions = status["conditions"].as_array();
    let condition = conditions.into_iter().flatten().find(|condition| {
        condition["type"] == "DisruptionTarget"
            || condition["type"] == "PodScheduled" && condition["status"] == "False"
    });
    let of = condition.and_then(|condition| condition["reason"].as_str());
    of.or_else(|| status["reason"].as_str()).or_else(|| status["phase"].as_str()).map(str::to_owned)
}

/// Returns whether a list such as `0-2,5` has this number.
fn holds(list: &Value, number: u64) -> bool {
    list.as_str().unwrap_or_default().split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let ends = first.trim().parse::<u64>().ok().zip(last.trim().parse::<u64>().ok());
        ends.is_some_and(|(first, last)| (first..=last).contains(&number))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_clusters_is_one_of_ours() {
        let pod = |phase: &str, more: Value| {
            let mut status = json!({ "phase": phase });
            if let (Some(status), Some(more)) = (status.as_object_mut(), more.as_object()) {
                status.extend(more.clone());
            }
            Some(json!({ "status": status }))
        };
        let waits = |reason: &str| json!({ "containerStatuses": [{ "state": { "waiting": { "reason": reason } } }] });
        let condition = |kind: &str, status: &str, reason: &str| json!({ "conditions": [{ "type": kind, "status": status, "reason": reason }] });
        let none = || json!({});
        let table = [
            (none(), None, JobState::Queued, "no pod yet"),
            (none(), pod("Running", none()), JobState::Running, "Running"),
            (
                none(),
                pod("Pending", condition("PodScheduled", "False", "Unschedulable")),
                JobState::Queued,
                "Unschedulable",
            ),
            (none(), pod("Pending", waits("ImagePullBackOff")), JobState::Held, "ImagePullBackOff"),
            (none(), pod("Pending", waits("ContainerCreating")), JobState::Queued, "Pending"),
            (none(), pod("Unknown", none()), JobState::NodeLost, "Unknown"),
            (
                none(),
                pod("Failed", condition("DisruptionTarget", "True", "PreemptionByScheduler")),
                JobState::Queued,
                "PreemptionByScheduler",
            ),
            (json!({ "completedIndexes": "0,2-4" }), None, JobState::Ended, "completed"),
            (json!({ "failedIndexes": "3" }), pod("Failed", none()), JobState::Failed, "Failed"),
            (
                condition("Failed", "True", "DeadlineExceeded"),
                None,
                JobState::TimeLimit,
                "DeadlineExceeded",
            ),
            (
                condition("Failed", "True", "BackoffLimitExceeded"),
                None,
                JobState::Failed,
                "BackoffLimitExceeded",
            ),
        ];
        for (job, pod, state, said) in table {
            assert_eq!(read(&job, 3, pod.as_ref()), (state, said.to_owned()), "{job} {pod:?}");
        }
    }
}
