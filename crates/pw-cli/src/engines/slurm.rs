//! Slurm: one array job for the workers of a call, a task for each. A task that is killed with its
//! node is queued again by Slurm, and goes on where its branch on the remote is.

use pw_core::engine::{Submission, call, worker_function};
use pw_core::failure::{Code, Failure};
use pw_core::next::CommandLine;
use pw_core::plan::{Plan, Worker};

use super::call::{Engine, ask};

/// Slurm, for the workers of a plan.
pub(super) struct Slurm<'a> {
    pub(super) plan: &'a Plan,
    pub(super) url: &'a str,
}

impl Engine for Slurm<'_> {
    fn require(&self) -> Result<(), Failure> {
        let missing = |_| {
            Failure::new(Code::ProgramMissing, "sbatch is not on PATH").hint(
                "run this where jobs are submitted to Slurm, or look with --dry-run at what would be",
            )
        };
        which::which("sbatch").map(drop).map_err(missing)
    }

    fn submissions(&self, workers: &[&Worker]) -> Vec<Submission> {
        let (name, settings) = (&self.plan.workflow, &self.plan.engine);
        let mut command = vec![
            "sbatch".to_owned(),
            "--parsable".to_owned(),
            format!("--job-name=pw-{name}"),
            format!("--array=0-{}", workers.len().saturating_sub(1)),
            "--requeue".to_owned(),
            // Nothing else of this environment goes into the job's description.
            "--export=PATH,HOME,LANG".to_owned(),
            "--chdir=/".to_owned(),
            "--open-mode=append".to_owned(),
            format!("--output=/tmp/pw-{name}-%A_%a.log"),
        ];
        command.extend(settings.partition.iter().map(|name| format!("--partition={name}")));
        // Slurm counts in minutes.
        command.extend(settings.time.map(|time| format!("--time={}", (time + 59) / 60)));
        let tasks = workers.iter().enumerate();
        let tasks: String =
            tasks.map(|(number, worker)| format!("  {number}) {} ;;\n", call(worker))).collect();
        let function = worker_function(self.plan, self.url);
        let input = format!("#!/bin/sh\n{function}case $SLURM_ARRAY_TASK_ID in\n{tasks}esac\n");
        vec![Submission { command, input }]
    }

    fn ids(&self, _submission: usize, workers: &[&Worker], said: &str) -> Option<Vec<String>> {
        // `123`, or `123;cluster`.
        let job = said.lines().last()?.split(';').next()?.trim();
        let is_number = !job.is_empty() && job.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| (0..workers.len()).map(|number| format!("{job}_{number}")).collect())
    }

    fn is_alive(&self, id: &str) -> Option<bool> {
        let words = ["squeue", "--noheader", "--array", "--format=%i %T", "--job", id];
        let said = ask(&words.map(str::to_owned), "").ok()?;
        match said.code? {
            0 => Some(said.stdout.lines().any(|line| line.split(' ').next() == Some(id))),
            // Slurm forgets a job some minutes after its end.
            _ => said.stderr.contains("Invalid job id").then_some(false),
        }
    }

    fn cancel(&self, id: &str) -> CommandLine {
        CommandLine::of("scancel").word(id)
    }

    fn logs(&self, id: &str) -> CommandLine {
        CommandLine::of("scontrol show job").word(id)
    }
}
