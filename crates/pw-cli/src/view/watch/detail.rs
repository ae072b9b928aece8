//! Everything about one worker.

use pw_core::id::WorkerId;
use pw_core::status::WorkerStatus;
use pw_core::time::Seconds;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::super::condition::{Tone, age, condition, said};
use super::super::monitor::used;
use super::super::table::paths;
use super::{Watch, line};

/// Width of the words before the facts.
const INDENT: usize = 11;

impl Watch {
    pub(super) fn detail(
        &self,
        worker: &WorkerStatus,
        width: usize,
        passed: Seconds,
    ) -> Vec<Line<'static>> {
        let mut facts =
            Facts { width: width.saturating_sub(INDENT + 1).max(10), lines: Vec::new() };
        let (word, tone) = condition(worker);
        facts.add("state", &word, self.tone(tone));
        if let Some(signal) = &worker.signal {
            let words = [said(signal), signal.text.clone()];
            let words: Vec<&str> = match words[0] == words[1] {
                true => vec![&words[0]],
                false => words.iter().map(String::as_str).filter(|text| !text.is_empty()).collect(),
            };
            let ago = age(signal.age_seconds + passed);
            facts.add("signal", &format!("{} ({ago} ago)", words.join(": ")), Style::new());
        }
        if let Some(stall) = &worker.stall {
            facts.add("stalled", &stall.message, self.tone(Tone::Needs));
            facts.add("", &stall.remedy, Modifier::BOLD.into());
        }
        self.add_obstacles(worker, &mut facts);
        for step in &self.picture.status.next {
            if step.worker.as_ref() == Some(&worker.id) {
                facts.add(&step.action, &step.command, Modifier::BOLD.into());
            }
        }
        if let Some(usage) = &worker.usage {
            let [tokens, cost] = used(Some(usage));
            facts.add("used", &format!("{tokens} tokens {cost}"), Style::new());
        }
        facts.add("branch", worker.branch.as_str(), Style::new());
        facts.add("worktree", &worker.worktree, Style::new());
        facts.lines.push(Line::default());
        facts.lines.extend(self.commits(worker, passed));
        facts.lines
    }

    fn add_obstacles(&self, worker: &WorkerStatus, facts: &mut Facts) {
        let red = self.tone(Tone::Needs);
        if worker.state.is_done() {
            for reason in &worker.reasons {
                facts.add("not ready", &reason.message, red);
            }
        }
        for miss in &worker.near_misses {
            let text = format!("\"{}\" counts only as \"{}\"", miss.subject, miss.fix);
            facts.add("wrote", &text, red);
        }
        if !worker.out_of_scope.is_empty() {
            facts.add("outside", &paths(&worker.out_of_scope), red);
        }
        if !worker.uncommitted.is_empty() {
            facts.add("open", &paths(&worker.uncommitted), Style::new());
        }
        self.add_clashes(worker, facts);
    }

    /// Adds with whom it does not merge, and the first lines they differ in.
    fn add_clashes(&self, worker: &WorkerStatus, facts: &mut Facts) {
        let status = &self.picture.status;
        let pairs = status.conflicts.iter().filter(|pair| pair.workers.contains(&worker.id));
        for pair in pairs {
            let others = pair.workers.iter().filter(|id| **id != worker.id);
            let open = if pair.uncommitted { ", not committed yet" } else { "" };
            let text = format!("with {} in {}{open}", listed(others), paths(&pair.paths));
            facts.add("clashes", &text, self.tone(Tone::Waits));
            if let Some(hunk) = pair.findings.iter().find_map(|finding| finding.hunk.as_ref()) {
                let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
                let [ours, theirs] = [&hunk.ours, &hunk.theirs].map(|text| first(text));
                let text = format!("line {}: \"{ours}\" or \"{theirs}\"", hunk.line);
                facts.add("", &text, Modifier::DIM.into());
            }
        }
        for stop in status.trial.beyond(&status.conflicts).filter(|stop| stop.worker == worker.id) {
            let files: Vec<_> = stop.findings.iter().map(|known| known.path.clone()).collect();
            let text = format!("after {} in {}", stop.after(), paths(&files));
            facts.add("clashes", &text, self.tone(Tone::Waits));
        }
        for wait in status.waiting.iter().filter(|wait| wait.worker == worker.id) {
            let (on, stuck) = (listed(wait.on.iter()), listed(wait.stuck_on.iter()));
            if !stuck.is_empty() {
                facts.add(
                    "waits",
                    &format!("for {on}; {stuck} must move first"),
                    self.tone(Tone::Needs),
                );
            } else if !on.is_empty() {
                facts.add("waits", &format!("for {on}"), Style::new());
            }
        }
    }

    fn commits(&self, worker: &WorkerStatus, passed: Seconds) -> Vec<Line<'static>> {
        let now = self.picture.at + passed;
        let commits = self.picture.commits.get(&worker.id);
        let row = |commit: &pw_core::history::Commit| {
            let subject = commit.message.lines().find(|line| !line.trim().is_empty());
            let ago = age(now.saturating_sub(commit.time).max(0));
            Line::from(vec![
                Span::styled(format!(" {} {ago:>7}  ", commit.oid.short()), Modifier::DIM),
                Span::raw(line(subject.unwrap_or_default())),
            ])
        };
        match commits.filter(|commits| !commits.is_empty()) {
            Some(commits) => commits.iter().map(row).collect(),
            None => vec![Line::styled(" no commit of its own yet", Modifier::DIM)],
        }
    }
}

/// Facts by name, their text beside it.
struct Facts {
    /// Width of the text.
    width: usize,
    lines: Vec<Line<'static>>,
}

impl Facts {
    fn add(&mut self, name: &str, text: &str, style: Style) {
        for (number, part) in textwrap::wrap(&line(text), self.width).into_iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            self.lines.push(Line::from(vec![
                Span::styled(format!(" {name:<width$}", width = INDENT - 1), Modifier::DIM),
                Span::styled(part.into_owned(), style),
            ]));
        }
    }
}

fn listed<'a>(ids: impl Iterator<Item = &'a WorkerId>) -> String {
    ids.map(WorkerId::as_str).collect::<Vec<_>>().join(", ")
}
