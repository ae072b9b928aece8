//! What every engine is asked, and what it answers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::{Code, Details, Failure};
use crate::next::CommandLine;
use crate::plan::{Plan, Worker};
use crate::session::{JobReport, JobState};
use crate::shell_word::shell_word;
use crate::text::bounded;

/// Longest part of an engine's words that an answer repeats, in characters.
const MAX_SAID: usize = 200;

/// One command of an engine's, with what it is given on its stdin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Submission {
    /// Its words.
    pub command: Vec<String>,
    /// Its stdin: the script or description that runs there.
    pub input: String,
}

impl Submission {
    pub(super) fn of(words: &[&str]) -> Self {
        Self { command: words.iter().map(|word| (*word).to_owned()).collect(), ..Self::default() }
    }

    /// Returns its words as a shell reads them.
    pub fn words(&self) -> String {
        self.command.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
    }
}

/// A file that the user's repository must have before an engine can be told anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryFile {
    /// Where it has to lie, on the base branch.
    pub path: String,
    /// What has to be in it.
    pub content: String,
}

impl Details for RepositoryFile {
    const CODES: &'static [Code] = &[Code::EngineFileMissing];
}

/// What a command of an engine's said.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// `None` when it could not be started, had not ended after its time, or a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Said {
    /// Returns why there is no answer in it.
    pub fn trouble(&self) -> String {
        let line =
            self.stderr.lines().chain(self.stdout.lines()).find(|line| !line.trim().is_empty());
        match (self.code, line) {
            (_, Some(line)) => bounded(line.trim(), MAX_SAID),
            (None, None) => "it did not answer in time".to_owned(),
            (Some(code), None) => format!("exit code {code}"),
        }
    }
}

/// Asks an engine's commands, all at once; answers come in the order of the questions.
pub type Ask<'a> = &'a dyn Fn(&[Submission]) -> Vec<Said>;

/// What an engine told of the jobs that it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    /// By the engine's name for the job; one that is not here was not told of.
    pub jobs: BTreeMap<String, JobReport>,
    /// Why it told of some, or of all, nothing.
    pub trouble: Option<String>,
}

impl Polled {
    pub(super) fn nothing(trouble: impl Into<String>) -> Self {
        Self { trouble: Some(trouble.into()), ..Self::default() }
    }

    pub(super) fn tell(&mut self, id: &str, state: JobState, said: &str) {
        self.jobs.insert(id.to_owned(), JobReport { state, said: bounded(said.trim(), MAX_SAID) });
    }

    /// Those of whom the engine knows nothing any more are over.
    pub(super) fn forget_the_rest(&mut self, ids: &[&str], said: &str) {
        for id in ids {
            if !self.jobs.contains_key(*id) {
                self.tell(id, JobState::Ended, said);
            }
        }
    }
}

/// An engine, with what the plan says about it.
pub trait Engine {
    /// The program that it is told things with.
    fn program(&self) -> &'static str;

    /// Refuses when the plan lacks a setting.
    ///
    /// # Errors
    ///
    /// `usage`.
    fn require(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// What must be in the repository first.
    fn file(&self) -> Option<RepositoryFile> {
        None
    }

    /// Renders what starts these workers: one submission for all, or one for each, in this order.
    fn submissions(&self, workers: &[&Worker]) -> Vec<Submission>;

    /// What finds out whether that was submitted before, by a helper that was killed before it
    /// could write it down; its answer is read as that of the submission. `None` where submitting
    /// twice has no effect.
    fn find(&self) -> Option<Submission> {
        None
    }

    /// Returns the name of each worker's job, from what the command of a submission printed.
    fn ids(&self, submission: usize, workers: &[&Worker], said: &Said) -> Option<Vec<String>>;

    /// Asks for these jobs: a fixed number of questions, however many they are.
    fn poll(&self, ids: &[&str], ask: Ask<'_>) -> Polled;

    /// What opens the next wave when these jobs are over; `None` where the engine cannot.
    fn follow(&self, jobs: &[&str]) -> Option<Submission> {
        let _ = jobs;
        None
    }

    /// A command that ends a job.
    fn cancel(&self, id: &str) -> CommandLine;

    /// A command that shows what a job prints, or why it does not.
    fn look(&self, id: &str, state: Option<JobState>) -> CommandLine;
}

/// What an engine is told about a launch.
#[derive(Clone, Copy, Debug)]
pub struct Deployment<'a> {
    /// What was agreed.
    pub plan: &'a Plan,
    /// The address of the plan's remote.
    pub url: &'a str,
    /// What tells this launch from others of the workflow.
    pub token: &'a str,
}

impl Deployment<'_> {
    /// The name of all that is submitted together.
    pub(super) fn name(&self) -> String {
        format!("pw-{}-{}", self.plan.workflow, self.token)
    }
}
