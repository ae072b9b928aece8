//! Slurm: one array job for the workers of a call, a task for each, and one that opens the next wave
//! when these are over. A task that is killed with its node is queued again by Slurm, and goes on
//! where its branch on the remote is.

use std::collections::BTreeSet;

use super::interface::{Ask, Deployment, Engine, Polled, Said, Submission};
use super::machine::{advance_function, calls_by_number, worker_function};
use crate::next::CommandLine;
use crate::plan::Worker;
use crate::session::{JobState, LaunchMode};
use crate::shell_word::shell_word;

/// Slurm, for the workers of a plan.
pub(super) struct Slurm<'a>(pub(super) Deployment<'a>);

impl Slurm<'_> {
    /// Returns the words that every job is submitted with.
    fn sbatch(&self, name: &str, log: &str) -> Vec<String> {
        let (workflow, settings) = (&self.0.plan.workflow, &self.0.plan.engine);
        let mut command = vec![
            "sbatch".to_owned(),
            "--parsable".to_owned(),
            format!("--job-name={name}"),
            "--requeue".to_owned(),
            // Nothing else of this environment goes into the job's description.
            "--export=PATH,HOME,LANG".to_owned(),
            "--chdir=/".to_owned(),
            "--open-mode=append".to_owned(),
            format!("--output=/tmp/pw-{workflow}-{log}.log"),
        ];
        command.extend(settings.partition.iter().map(|name| format!("--partition={name}")));
        // Slurm counts in minutes.
        command.extend(settings.time.map(|time| format!("--time={}", (time + 59) / 60)));
        command
    }

    fn url(&self) -> String {
        shell_word(self.0.url)
    }
}

/// Takes the array apart from the task: `4711_3`.
fn array(id: &str) -> &str {
    id.split('_').next().unwrap_or(id)
}

impl Engine for Slurm<'_> {
    fn program(&self) -> &'static str {
        "sbatch"
    }

    fn submissions(&self, workers: &[&Worker]) -> Vec<Submission> {
        let mut command = self.sbatch(&self.0.name(), "%A_%a");
        command.insert(3, format!("--array=0-{}", workers.len().saturating_sub(1)));
        let function = worker_function(self.0.plan, &self.url());
        let tasks = calls_by_number(workers);
        let input = format!("#!/bin/sh\n{function}case $SLURM_ARRAY_TASK_ID in\n{tasks}esac\n");
        vec![Submission { command, input }]
    }

    fn find(&self) -> Option<Submission> {
        let name = format!("--name={}", self.0.name());
        Some(Submission::of(&["squeue", "--noheader", "--me", "--format=%A", &name]))
    }

    fn ids(&self, _submission: usize, workers: &[&Worker], said: &Said) -> Option<Vec<String>> {
        // `123`, or `123;cluster`.
        let job = said.stdout.lines().next_back()?.split(';').next()?.trim();
        let is_number = !job.is_empty() && job.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| (0..workers.len()).map(|number| format!("{job}_{number}")).collect())
    }

    fn poll(&self, ids: &[&str], ask: Ask<'_>) -> Polled {
        let arrays: BTreeSet<&str> = ids.iter().map(|id| array(id)).collect();
        let jobs = format!("--jobs={}", arrays.into_iter().collect::<Vec<_>>().join(","));
        let queue = Submission::of(&[
            "squeue",
            "--noheader",
            "--array",
            "--states=all",
            "--format=%i|%T|%r",
            &jobs,
        ]);
        let Some(said) = ask(&[queue]).pop() else { return Polled::default() };
        let mut polled = Polled::default();
        match said.code {
            Some(0) => {}
            // Slurm forgets a job some minutes after its end.
            Some(_) if said.stderr.contains("Invalid job id") => {}
            _ => return Polled::nothing(said.trouble()),
        }
        for line in said.stdout.lines().filter(|_| said.code == Some(0)) {
            let words: Vec<&str> = line.trim().splitn(3, '|').collect();
            let [id, state, reason] = words[..] else {
                return Polled::nothing(format!("squeue said {line:?}"));
            };
            let why =
                if ["", "None"].contains(&reason) { String::new() } else { format!(" ({reason})") };
            polled.tell(id, read(state, reason), &format!("{state}{why}"));
        }
        // How those ended that it has forgotten, where Slurm keeps accounts.
        if ids.iter().any(|id| !polled.jobs.contains_key(*id)) {
            let accounts = Submission::of(&[
                "sacct",
                "--noheader",
                "--parsable2",
                "--allocations",
                "--format=JobID,State",
                &jobs,
            ]);
            let said =
                ask(&[accounts]).pop().filter(|said| said.code == Some(0)).unwrap_or_default();
            for (id, state) in said.stdout.lines().filter_map(|line| line.trim().split_once('|')) {
                if !polled.jobs.contains_key(id) {
                    polled.tell(id, read(state, ""), state);
                }
            }
        }
        polled.forget_the_rest(ids, "Slurm has forgotten it");
        polled
    }

    fn follow(&self, jobs: &[&str]) -> Option<Submission> {
        let arrays: BTreeSet<&str> = jobs.iter().map(|id| array(id)).collect();
        let mut command = self.sbatch(&format!("{}-advance", self.0.name()), "%j");
        // However they ended: a worker that is blocked ends well, too, and one that was lost is not
        // complete. What they said decides who comes next.
        let after = arrays.into_iter().collect::<Vec<_>>().join(":");
        command.insert(3, format!("--dependency=afterany:{after}"));
        let function = advance_function(self.0.plan, &self.url(), LaunchMode::Slurm);
        Some(Submission { command, input: format!("#!/bin/sh\n{function}pw_advance\n") })
    }

    fn cancel(&self, id: &str) -> CommandLine {
        CommandLine::of("scancel").word(id)
    }

    fn look(&self, id: &str, _state: Option<JobState>) -> CommandLine {
        CommandLine::of("scontrol show job").word(id)
    }
}

/// Reads Slurm's word for a state, and for why a job waits.
fn read(state: &str, reason: &str) -> JobState {
    // `CANCELLED by 1000`.
    match state.split([' ', '+']).next().unwrap_or_default() {
        "PENDING" => waits(reason),
        "REQUEUED" | "REQUEUE_FED" | "SUSPENDED" | "STOPPED" => JobState::Queued,
        "REQUEUE_HOLD" | "RESV_DEL_HOLD" | "SPECIAL_EXIT" => JobState::Held,
        "RUNNING" | "CONFIGURING" | "COMPLETING" | "RESIZING" | "SIGNALING" | "STAGE_OUT" => {
            JobState::Running
        }
        "CANCELLED" | "REVOKED" => JobState::Cancelled,
        "TIMEOUT" | "DEADLINE" => JobState::TimeLimit,
        "NODE_FAIL" | "BOOT_FAIL" => JobState::NodeLost,
        "PREEMPTED" => JobState::Preempted,
        "FAILED" | "OUT_OF_MEMORY" | "LAUNCH_FAILED" | "RECONFIG_FAIL" => JobState::Failed,
        _ => JobState::Ended,
    }
}

fn waits(reason: &str) -> JobState {
    const NEVER: [&str; 13] = [
        "JobHeldUser",
        "JobHeldAdmin",
        "JobHoldMaxRequeue",
        "BadConstraints",
        "DependencyNeverSatisfied",
        "PartitionDown",
        "PartitionInactive",
        "PartitionTimeLimit",
        "PartitionNodeLimit",
        "InvalidAccount",
        "InvalidQOS",
        "AccountNotAllowed",
        "QOSNotAllowed",
    ];
    match reason {
        _ if NEVER.contains(&reason) => JobState::Held,
        _ if reason.starts_with("QOS") || reason.starts_with("Assoc") => JobState::Quota,
        "JobArrayTaskLimit" | "MaxJobsPerUser" => JobState::Quota,
        _ => JobState::Queued,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_slurms_is_one_of_ours() {
        let table = [
            ("PENDING", "Priority", JobState::Queued),
            ("PENDING", "Resources", JobState::Queued),
            ("PENDING", "BeginTime", JobState::Queued),
            ("PENDING", "ReqNodeNotAvail, UnavailableNodes:n1", JobState::Queued),
            ("PENDING", "QOSMaxJobsPerUserLimit", JobState::Quota),
            ("PENDING", "AssocGrpCPUMinutesLimit", JobState::Quota),
            ("PENDING", "JobHeldUser", JobState::Held),
            ("PENDING", "QOSNotAllowed", JobState::Held),
            ("REQUEUE_HOLD", "job requeued in held state", JobState::Held),
            ("CONFIGURING", "None", JobState::Running),
            ("RUNNING", "None", JobState::Running),
            ("COMPLETED", "None", JobState::Ended),
            ("FAILED", "NonZeroExitCode", JobState::Failed),
            ("OUT_OF_MEMORY", "OutOfMemory", JobState::Failed),
            ("CANCELLED by 0", "", JobState::Cancelled),
            ("CANCELLED+", "", JobState::Cancelled),
            ("TIMEOUT", "TimeLimit", JobState::TimeLimit),
            ("NODE_FAIL", "NodeDown", JobState::NodeLost),
            ("PREEMPTED", "None", JobState::Preempted),
            ("A_WORD_OF_NEXT_YEAR", "", JobState::Ended),
        ];
        for (state, reason, expected) in table {
            assert_eq!(read(state, reason), expected, "{state} {reason}");
        }
    }
}
