//! The plan's `notify`: a command of the user's, run once for each event that is to be acted on, by the
//! helper that sees it first.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use pw_core::gate::Gate;
use pw_core::plan::NOTIFY;
use pw_core::status::{Awaited, Cursor, NewsItem, Status, news};
use pw_core::template::fill;
use pw_core::text::counted;
use pw_core::time::Seconds;
use pw_git::all;
use serde_json::json;

use crate::command;
use crate::output::Output;
use crate::view;
use crate::workflow::Workflow;

/// How long the command may take, in seconds: what waits behind it is the answer to an agent.
const LIMIT: Seconds = 10;
/// How many events of one look are told one by one.
const MOST: usize = 5;

/// Tells the user of what is new; returns what the reader should know of that, such as a command that
/// failed.
pub(super) fn send(workflow: &Workflow, status: &Status, now: Seconds) -> Vec<String> {
    let Some(template) = &workflow.plan.notify else { return Vec::new() };
    let events = match untold(workflow, status, now) {
        Ok(events) => summed_up(&events),
        Err(error) => return vec![format!("`notify` was not run: {error:#}")],
    };
    let events: Vec<(usize, Told)> = events.into_iter().enumerate().collect();
    let failed = |(nth, event): &(usize, Told)| {
        run(workflow, template, *nth, event).unwrap_or_else(|error| Some(format!("{error:#}")))
    };
    all(&events, failed).into_iter().flatten().collect()
}

/// What is told of an event.
struct Told {
    kind: String,
    worker: String,
    text: String,
}

/// Runs the command for one event; returns how it failed, if it did.
fn run(workflow: &Workflow, template: &str, nth: usize, event: &Told) -> Result<Option<String>> {
    let name = workflow.plan.workflow.as_str();
    let values = [&*event.kind, &*event.worker, &*event.text, name];
    let values: Vec<(&str, &str)> = NOTIFY.into_iter().zip(values).collect();
    let script = fill("notify", template, &values).map_err(|bad| anyhow::anyhow!(bad.message))?;
    let Some(gate) = Gate::only(script) else { return Ok(None) };
    let gate = Gate { timeout_seconds: LIMIT, ..gate };
    let log = folder(workflow).join(format!("notify-{nth}.log"));
    let (root, nothing) = (workflow.repo.root(), &mut |_: &str| ());
    let (end, _) = command::run_gate(&gate, root, &log, [], None, nothing)?;
    let last = Output::of(&log).tail.lines().last().map(str::to_owned).unwrap_or_default();
    Ok((!end.passed()).then(|| format!("`notify` {}: {last}", end.words())))
}

fn folder(workflow: &Workflow) -> PathBuf {
    workflow.repo.common().join("pw").join(workflow.plan.workflow.as_str())
}

/// Returns the events that the user was not told of, and takes note that they are told now: of two that look at
/// the same time, one tells.
fn untold(workflow: &Workflow, status: &Status, now: Seconds) -> Result<Vec<NewsItem>> {
    let path = folder(workflow).join("notified");
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file: File = opened.with_context(|| format!("opening {}", path.display()))?;
    file.lock().with_context(|| format!("locking {}", path.display()))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let told: Cursor = text.trim().parse().unwrap_or_default();
    let (events, cursor) = news(&told, Awaited::Any, None, status, now);
    if cursor != told {
        file.rewind()?;
        file.set_len(0)?;
        writeln!(file, "{cursor}")?;
    }
    Ok(events)
}

/// Returns what is told of each event; of many, the last stands for the rest.
fn summed_up(events: &[NewsItem]) -> Vec<Told> {
    let told = |event: &NewsItem| Told {
        kind: json!(event.kind).as_str().unwrap_or_default().to_owned(),
        worker: event.worker.as_ref().map(ToString::to_string).unwrap_or_default(),
        text: view::plain(&event.text),
    };
    let rest = events.len().saturating_sub(MOST);
    let text = counted(rest, "more event");
    let more = Told { kind: "more".to_owned(), worker: String::new(), text };
    events.iter().take(MOST).map(told).chain((rest > 0).then_some(more)).collect()
}
