//! `pw-setup analyze`: the history, played again with splits; an answer, and a plan to start from.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use pw_core::analyze::advise::{Advised, Evaluation, advise, best};
use pw_core::analyze::backtest::{self, Moment, Past};
use pw_core::analyze::emit;
use pw_core::analyze::foretell::foretell;
use pw_core::analyze::item_split::with_items;
use pw_core::analyze::item_words;
use pw_core::analyze::items::{Reading, Tracked, WorkItem};
use pw_core::analyze::items_known::ItemsKnown;
use pw_core::analyze::kinds::Kind;
use pw_core::analyze::log::{Log, PathId};
use pw_core::analyze::report::Advice;
use pw_core::failure::{Code, Failure};
use pw_core::next::{Next, NextStep};
use pw_core::plan::Problems;
use pw_core::retro::past::HISTORY;
use pw_git::Repo;

use super::documents;
use crate::shell::{Answer, Context};
use crate::view;

/// The numbers of workers that are tried when none is asked for: more than a person can watch bring
/// nothing.
const NUMBERS: std::ops::RangeInclusive<usize> = 2..=4;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Markdown documents that say what is to be done: their items drive the split
    #[arg(value_name = "DOC")]
    documents: Vec<PathBuf>,
    /// How many workers; the best number when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=16))]
    workers: Option<u8>,
    /// Writes the split as a plan to start from; refuses to overwrite a file
    #[arg(long, value_name = "FILE")]
    emit_plan: Option<PathBuf>,
    /// How many of the newest commits are read, at most; no more than the windows and the splits before them need
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    commits: usize,
    /// How many windows of past changes are played
    #[arg(long, value_name = "N", default_value_t = 4)]
    windows: usize,
    /// Prints one row of the tables of scripts/backtest: of the splits, and of what was foretold
    #[arg(long, hide = true)]
    row: bool,
}

pub(super) fn analyze(context: &Context, options: &Options) -> Result<Answer> {
    let plan = options.emit_plan.as_ref().map(|path| context.directory.join(path));
    if let Some(path) = plan.as_ref().filter(|path| path.symlink_metadata().is_ok()) {
        return Err(in_the_way(path).into());
    }
    let documents = documents::read(context, &options.documents)?;
    let (repo, refs) = Repo::open_with_refs(&context.directory, &[HISTORY])?;
    let (log, files) = read(&repo, options)?;
    let past = Past::new(log.changes(), |path| Kind::of(path).is_shared());
    let windows = past.windows(options.windows);
    let moments = pw_git::all(&windows, |window| past.moment(window));
    let mut trials = trials(&past, &moments, options.workers.map(usize::from));
    let workers = best(&trials).map_or(2, |trial| trial.workers);
    if let Some(trial) = trials.iter_mut().find(|trial| trial.workers == workers) {
        let played: Vec<_> = moments.iter().zip(&trial.played).collect();
        trial.bounds =
            pw_git::all(&played, |(moment, played)| past.bounds(moment, workers, played));
        trial.hindsight = options.row.then(|| past.hindsight(&moments, workers));
        trial.items_known = options.row.then(|| ItemsKnown::of(&past, &moments, workers));
    }
    let (mut items, notes) = items(&repo, &log, &files, &documents.texts)?;
    let expected = item_words::find(&past, &files, &mut items);
    let mut advised = advise(&past, &files, &trials, workers, &expected.alike);
    advised.analysis.past = super::check::past(&repo, refs.get(HISTORY), None);
    advised.analysis.foretold = foretell(&past, &moments);
    if !options.documents.is_empty() {
        let wanted = options.workers.map(usize::from);
        advised = with_items(advised, &past, &files, (items, &expected), wanted);
        advised.analysis.notes.splice(0..0, documents.notes.into_iter().chain(notes));
    }
    if let Some((path, shown)) = plan.zip(options.emit_plan.as_ref()) {
        write(&mut advised, &path, shown)?;
    } else if advised.analysis.verdict.advice == Advice::Split {
        let workers = options.workers.map_or(workers, usize::from);
        let documents = &options.documents;
        let next =
            Next::EmitPlan { workers: Some(workers).filter(|_| documents.is_empty()), documents };
        advised.analysis.next = vec![NextStep::new("plan", next)];
    }
    let view = if options.row { view::row } else { view::analysis };
    Answer::of(&advised.analysis, view)
}

/// Reads the log and the files of HEAD; of a repository without a commit there are none.
fn read(repo: &Repo, options: &Options) -> Result<(Log, Vec<PathId>)> {
    let tip = match repo.head() {
        Ok((_, tip)) => tip,
        Err(error) => {
            let code = error.downcast_ref::<Failure>().map(|failure| failure.code);
            return if code == Some(Code::NoCommit) { Ok(Default::default()) } else { Err(error) };
        }
    };
    let changes = backtest::needed(options.windows);
    let mut log = repo.log_until(&tip, options.commits.max(1), changes)?;
    let files = repo.files_in(&tip, &mut log)?;
    Ok((log, files))
}

/// Reads the items of documents, and finds the files that they name and those that define what they
/// name.
fn items(
    repo: &Repo,
    log: &Log,
    files: &[PathId],
    documents: &[(String, String)],
) -> Result<(Vec<WorkItem>, Vec<String>)> {
    if documents.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let reading = Reading::of(documents);
    let tracked = Tracked::new(files.iter().map(|path| log.paths[*path as usize].clone()));
    let names = reading.identifiers(&tracked);
    let definitions = match repo.head() {
        Ok((_, tip)) if !names.is_empty() => repo.definitions(&tip, &names)?,
        _ => BTreeMap::new(),
    };
    Ok(reading.items(&tracked, &definitions))
}

/// Plays the newest windows with every number of workers in question, on all processors.
fn trials(past: &Past<'_>, moments: &[Moment<'_>], wanted: Option<usize>) -> Vec<Evaluation> {
    let numbers: Vec<usize> = wanted.map_or(NUMBERS.collect(), |number| vec![number]);
    let all: Vec<(usize, &Moment<'_>)> =
        numbers.iter().flat_map(|n| moments.iter().map(move |moment| (*n, moment))).collect();
    let mut played = pw_git::all(&all, |(n, moment)| past.play(moment, *n)).into_iter();
    let trial = |workers| Evaluation {
        workers,
        played: played.by_ref().take(moments.len()).collect(),
        bounds: Vec::new(),
        hindsight: None,
        items_known: None,
    };
    numbers.into_iter().map(trial).collect()
}

fn write(advised: &mut Advised, path: &Path, shown: &Path) -> Result<()> {
    if advised.analysis.workers.is_empty() {
        advised.analysis.notes.push("no plan was written: there is no split to write".to_owned());
        return Ok(());
    }
    let mut file = match std::fs::File::create_new(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(in_the_way(path).into());
        }
        other => other.with_context(|| format!("writing {}", path.display()))?,
    };
    file.write_all(emit::plan(advised).as_bytes())
        .with_context(|| format!("writing {}", path.display()))?;
    advised.analysis.next = vec![NextStep::new("check", Next::CheckPlan(shown))];
    advised.analysis.plan = Some(shown.to_string_lossy().into_owned());
    Ok(())
}

fn in_the_way(path: &Path) -> Failure {
    Failure::new(Code::InTheWay, format!("{} exists", path.display()))
        .hint("name a file that does not exist: a plan may be the user's own work")
        .details(Problems { problems: Vec::new() })
}
