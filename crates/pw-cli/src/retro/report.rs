//! `pw-retro report`: the numbers of a run, and pages of them. Reads the repository only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use pw_core::analyze::log::Log;
use pw_core::failure::{Code, Failure};
use pw_core::history::{Change, Commit, CommitRange};
use pw_core::id::Oid;
use pw_core::own_commits::OwnCommits;
use pw_core::path::RepoPath;
use pw_core::plan::Worker;
use pw_core::retro::hindsight::PAST_CHANGES;
use pw_core::retro::past::{HISTORY, PastRun};
use pw_core::retro::{self, Closer, Review};
use pw_git::both;

use crate::facts::Worktrees;
use crate::prediction::{Predictor, TrialMerges};
use crate::session;
use crate::shell::{Answer, Context};
use crate::view;
use crate::whole_file;
use crate::workflow::Workflow;

#[derive(Debug, Args)]
pub(super) struct Report {
    /// The workflow; needed only when there are several
    workflow: Option<String>,
    /// Writes a page for people to this file, which needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes the same as Markdown, for a pull request; docs/retrospective-run1.md, or the next
    /// number that is free, when no file is named
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "not given, given without a file, with one")]
    markdown: Option<Option<PathBuf>>,
    /// Adds everything that happened, in one timeline
    #[arg(long)]
    verbose: bool,
}

impl Report {
    pub(super) fn run(&self, context: &Context) -> Result<Answer> {
        let workflow = Workflow::open(context, self.workflow.as_deref())?;
        let files = Files::of(context, self.html.as_deref(), self.markdown.as_ref())?;
        let mut review = review(context, &workflow, Look::Closer)?;
        review.retro.written = files.write(&review, || runs(&workflow, &review))?;
        review.retro.timeline = self.verbose.then_some(review.moments);
        Answer::of(&review.retro, view::retro)
    }
}

/// How much is read of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// What the numbers need.
    Numbers,
    /// What hindsight needs, too: what each commit changed, and the history below the base.
    Closer,
}

/// Measures a run.
pub(super) fn review(context: &Context, workflow: &Workflow, look: Look) -> Result<Review> {
    let Workflow { plan, record, .. } = workflow;
    let workers: Vec<&Worker> = plan.workers.iter().collect();
    let facts = || workflow.facts(context.now, Worktrees::None);
    let sessions = || Ok(session::facts(workflow, &workers, context.now));
    // Beside the facts, which take as long and say only then whether the run is over.
    let past = || match look {
        Look::Numbers => Ok(Log::default()),
        Look::Closer => workflow.repo.log(&record.base, PAST_CHANGES),
    };
    let ((mut facts, sessions), log) = both(|| both(facts, sessions), past)?;
    let own = workers.iter().zip(sessions).filter(|(worker, _)| record.has(&worker.id));
    for (worker, session) in own {
        facts.workers.entry(worker.id.clone()).or_default().session = session;
    }
    let board = workflow.board(&facts);
    let conflicts = || {
        let mut trials = TrialMerges::new(&workflow.repo)?;
        Predictor::new(workflow, &facts, &board.states, &mut trials)?.conflicts(&|_| true)
    };
    let closer = || match look == Look::Closer && retro::is_over(record, &board.states) {
        true => Ok(Closer { changed: changed(workflow, &board.work)?, log }),
        false => Ok(Closer::default()),
    };
    let (closer, conflicts) = both(closer, conflicts)?;
    Ok(retro::measure(plan, record, &facts, &board.work, &board.states, conflicts, &closer))
}

/// Returns the files that each commit of a worker changed, without merges.
fn changed(workflow: &Workflow, work: &[OwnCommits<'_>]) -> Result<BTreeMap<Oid, Vec<RepoPath>>> {
    let own = work.iter().flat_map(|work| &work.commits);
    let plain: Vec<&Commit> = own.copied().filter(|commit| commit.parents.len() < 2).collect();
    let ranges: Vec<CommitRange> = plain.iter().map(|commit| CommitRange::one(commit)).collect();
    let changes = workflow.repo.changes(&ranges)?;
    let files = |(commit, changes): (&Commit, Vec<Change>)| {
        (commit.oid.clone(), changes.into_iter().map(|change| change.path).collect())
    };
    Ok(plain.into_iter().zip(changes).map(files).collect())
}

/// Returns the finished runs that are kept, and this one in its place among them.
fn runs(workflow: &Workflow, review: &Review) -> Vec<PastRun> {
    let kept = workflow.refs.get(HISTORY).and_then(|kept| workflow.repo.past(kept).ok());
    let mut past = kept.unwrap_or_default();
    past.add(PastRun::of(&review.retro));
    past.runs
}

/// The files that were asked for.
struct Files {
    directory: PathBuf,
    html: Option<PathBuf>,
    markdown: Option<PathBuf>,
}

impl Files {
    /// Refuses before the first of them is written.
    fn of(
        context: &Context,
        html: Option<&Path>,
        markdown: Option<&Option<PathBuf>>,
    ) -> Result<Self> {
        let directory = context.directory.clone();
        let next = || {
            let name = |number| PathBuf::from(format!("docs/retrospective-run{number}.md"));
            let is_free = |file: &PathBuf| directory.join(file).symlink_metadata().is_err();
            (1..).map(name).find(is_free)
        };
        let markdown = markdown.and_then(|named| named.clone().or_else(next));
        let files = Self { html: html.map(Path::to_owned), markdown, directory };
        for (file, mark) in [(&files.html, view::GENERATOR), (&files.markdown, view::MARKER)] {
            file.as_ref().map_or(Ok(()), |file| files.require_ours(file, mark))?;
        }
        Ok(files)
    }

    /// Refuses a file that the user wrote: only what was written here before is written anew.
    fn require_ours(&self, file: &Path, mark: &str) -> Result<(), Failure> {
        let refuse = |what: &str| {
            let message = format!("{} {what}", file.display());
            Err(Failure::new(Code::InTheWay, message).hint("name another file"))
        };
        let path = self.directory.join(file);
        match path.symlink_metadata() {
            Err(_) => Ok(()),
            Ok(known) if !known.is_file() => refuse("is there, and is no file"),
            Ok(_) => match std::fs::read(&path) {
                Ok(text) if begins_with(&text, mark) => Ok(()),
                _ => refuse("is there, and was not written by pw-retro"),
            },
        }
    }

    fn write(&self, review: &Review, runs: impl Fn() -> Vec<PastRun>) -> Result<Vec<String>> {
        let html = self.html.as_ref().map(|file| (file, view::page(review, &runs())));
        let markdown = self.markdown.as_ref();
        let markdown = markdown.map(|file| (file, view::retro_markdown(&review.retro)));
        let mut written = Vec::new();
        for (file, text) in html.into_iter().chain(markdown) {
            let path = self.directory.join(file);
            // A page is for others, too.
            whole_file::write(&path, &text, 0o644).map_err(|error| {
                Failure::new(Code::CannotWrite, format!("{error:#}")).hint("name another file")
            })?;
            written.push(file.to_string_lossy().into_owned());
        }
        Ok(written)
    }
}

/// Returns whether the first lines of a file hold a mark.
fn begins_with(text: &[u8], mark: &str) -> bool {
    text[..text.len().min(1_000)].windows(mark.len()).any(|part| part == mark.as_bytes())
}
