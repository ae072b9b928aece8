//! From YAML nodes to a draft: every key known, every value of its kind, nothing repeated.

mod machines;
mod values;

use jiff::SignedDuration;

use super::{
    Budget, DEFAULT_WORKTREES, EngineSettings, MERGIRAF, Plan, Problem, ProblemCode,
    SKIP_PERMISSIONS, Size, Worker,
};
use crate::cache;
use crate::gate::{self, Gate};
use crate::id::{self, Slug, WorkerId};
use crate::scope::Scope;
use crate::signal::{Carrier, Template};
use crate::time::Seconds;
use crate::yaml::{Node, Value};

/// What could be read of a plan; `None` where a problem was reported instead.
#[derive(Default)]
pub(super) struct Draft {
    workflow: Option<Slug>,
    goal: String,
    base: Option<String>,
    verify: Vec<Gate>,
    smoke: Option<String>,
    setup: Option<String>,
    copy: Scope,
    shared: Scope,
    union: Scope,
    reads: Option<Scope>,
    disposable: Scope,
    worktrees: Option<String>,
    git_hooks: Option<bool>,
    verify_on_complete: Option<bool>,
    carrier: Carrier,
    remote: Option<String>,
    remote_limit: Option<Seconds>,
    engine: EngineSettings,
    launch: Option<String>,
    notify: Option<String>,
    heavy: Option<u16>,
    budget: Option<Budget>,
    stall_after: Option<Seconds>,
    uses_mergiraf: bool,
    skips_permissions: bool,
    pub(super) workers: Vec<DraftWorker>,
}

pub(super) struct DraftWorker {
    pub(super) line: u32,
    /// The id as written, to name the worker in messages even when it is no valid id.
    pub(super) label: String,
    pub(super) id: Option<WorkerId>,
    name: Option<WorkerId>,
    pub(super) owns: Scope,
    pub(super) owns_lines: Vec<(String, u32)>,
    reads: Option<Scope>,
    pub(super) after: Vec<(String, u32)>,
    provides: Vec<String>,
    size: Option<Size>,
    tasks: Vec<String>,
    checkpoints: Vec<String>,
    notes: String,
    budget: Option<Budget>,
}

impl Draft {
    /// Returns the plan; call it only when no problem was found.
    pub(super) fn finish(self) -> Option<Plan> {
        let workers: Option<Vec<Worker>> =
            self.workers.into_iter().map(DraftWorker::finish).collect();
        // What `setup` installs in one worktree, it installs in the next one, too.
        let installed: &[&str] = if self.setup.is_some() { cache::INSTALLED } else { &[] };
        let installed = Scope::parse(installed).unwrap_or_default().anywhere();
        Some(Plan {
            workflow: self.workflow?,
            goal: self.goal,
            base: self.base,
            verify: self.verify,
            smoke: self.smoke,
            setup: self.setup,
            copy: self.copy,
            // Files that only grow are for all to change.
            shared: self.shared.and(&self.union),
            union: self.union,
            reads: self.reads,
            disposable: self.disposable.and(&installed),
            worktrees: self.worktrees.unwrap_or_else(|| DEFAULT_WORKTREES.to_owned()),
            git_hooks: self.git_hooks.unwrap_or(true),
            verify_on_complete: self.verify_on_complete.unwrap_or(false),
            carrier: self.carrier,
            remote: self.remote,
            remote_limit: self.remote_limit,
            engine: self.engine,
            launch: self.launch,
            notify: self.notify,
            heavy: self.heavy,
            budget: self.budget,
            stall_after: self.stall_after,
            uses_mergiraf: self.uses_mergiraf,
            skips_permissions: self.skips_permissions,
            workers: workers?,
        })
    }
}

impl DraftWorker {
    /// Returns what the branch and the folder would be called.
    pub(super) fn branch_label(&self) -> Option<String> {
        Some(format!("{}-{}", self.id.as_ref()?, self.name.as_ref()?))
    }

    fn finish(self) -> Option<Worker> {
        let after: Option<Vec<WorkerId>> =
            self.after.iter().map(|(id, _)| id.parse().ok()).collect();
        Some(Worker {
            id: self.id?,
            name: self.name?,
            owns: self.owns,
            reads: self.reads,
            after: after?,
            provides: self.provides,
            size: self.size,
            tasks: self.tasks,
            checkpoints: self.checkpoints,
            notes: self.notes,
            budget: self.budget,
        })
    }
}

const PLAN_KEYS: &[&str] = &[
    "workflow",
    "goal",
    "base",
    "verify",
    "verify_on_complete",
    "smoke",
    "setup",
    "copy",
    "shared",
    "union",
    "reads",
    "disposable",
    "worktrees",
    "git_hooks",
    "signal",
    "signal_subject",
    "permissions",
    "remote",
    "remote_limit",
    "engine",
    "launch",
    "notify",
    "heavy",
    "budget",
    "stall_after",
    "merge_driver",
    "workers",
];
const GATE_KEYS: &[&str] = &["name", "run", "timeout"];
const WORKER_KEYS: &[&str] = &[
    "id",
    "name",
    "owns",
    "reads",
    "after",
    "provides",
    "size",
    "tasks",
    "checkpoints",
    "notes",
    "budget",
];

/// Reads the whole document.
pub(super) fn draft(root: &Node, problems: &mut Vec<Problem>) -> Draft {
    let mut reader = Reader { problems, worker: None };
    let Some(fields) = reader.fields(root, "the plan", PLAN_KEYS) else { return Draft::default() };
    let workflow = reader.required(&fields, root, "workflow", "the plan");
    Draft {
        workflow: workflow.and_then(|node| reader.name(node, "workflow", id::SLUG_RULE)),
        goal: reader.text(&fields, "goal").unwrap_or_default(),
        base: reader.text(&fields, "base"),
        verify: reader.gates(&fields),
        smoke: reader.text(&fields, "smoke"),
        setup: reader.text(&fields, "setup"),
        copy: reader.scope(&fields, "copy").0,
        shared: reader.scope(&fields, "shared").0,
        union: reader.scope(&fields, "union").0,
        reads: reader.reads(&fields),
        disposable: reader.scope(&fields, "disposable").0.anywhere(),
        worktrees: reader.folder(&fields, "worktrees"),
        git_hooks: reader.flag(&fields, "git_hooks"),
        verify_on_complete: reader.flag(&fields, "verify_on_complete"),
        carrier: reader.carrier(&fields),
        remote: reader.text(&fields, "remote"),
        remote_limit: reader.duration(&fields, "remote_limit"),
        engine: reader.engine(&fields).unwrap_or_default(),
        launch: reader.text(&fields, "launch"),
        notify: reader.notify(&fields),
        heavy: reader.heavy(&fields),
        budget: reader.budget(&fields),
        stall_after: reader.duration(&fields, "stall_after"),
        uses_mergiraf: reader.only(&fields, "merge_driver", MERGIRAF, "merge with git alone"),
        skips_permissions: reader.only(
            &fields,
            "permissions",
            SKIP_PERMISSIONS,
            "keep every check",
        ),
        workers: reader.workers(&fields, root),
    }
}

type Fields<'a> = Vec<(&'a str, &'a Node)>;

fn field<'a>(fields: &Fields<'a>, key: &str) -> Option<&'a Node> {
    fields.iter().find(|(name, _)| *name == key).map(|(_, node)| *node)
}

struct Reader<'p> {
    problems: &'p mut Vec<Problem>,
    /// The worker being read, named in its problems.
    worker: Option<String>,
}

impl Reader<'_> {
    fn report(&mut self, line: u32, code: ProblemCode, message: String, hint: impl Into<String>) {
        let problem = Problem::new(code, message, hint).at(line).workers(self.worker.iter());
        self.problems.push(problem);
    }

    /// Returns the entries of a mapping, reporting unknown and repeated keys.
    fn fields<'a>(&mut self, node: &'a Node, what: &str, known: &[&str]) -> Option<Fields<'a>> {
        self.refuse_tag(node);
        let Value::Map(entries) = &node.value else {
            let message = format!("{what} is {}, not a mapping", node.value.kind());
            self.report(node.line, ProblemCode::WrongType, message, "write `key: value` lines");
            return None;
        };
        let mut fields: Fields<'a> = Vec::new();
        for (key, line, value) in entries {
            if !known.contains(&key.as_str()) {
                let hint = format!("use one of: {}", known.join(", "));
                self.report(*line, ProblemCode::UnknownKey, format!("unknown key `{key}`"), hint);
            } else if field(&fields, key).is_some() {
                let message = format!("the key `{key}` is there twice");
                self.report(*line, ProblemCode::DuplicateKey, message, "keep one of the two");
            } else {
                fields.push((key, value));
            }
        }
        Some(fields)
    }

    fn required<'a>(
        &mut self,
        fields: &Fields<'a>,
        owner: &Node,
        key: &str,
        what: &str,
    ) -> Option<&'a Node> {
        let node = field(fields, key);
        if node.is_none() {
            let message = format!("{what} has no `{key}`");
            self.report(owner.line, ProblemCode::MissingKey, message, format!("add `{key}:`"));
        }
        node
    }

    fn refuse_tag(&mut self, node: &Node) -> bool {
        let Some(tag) = &node.tag else { return false };
        let message = format!("`{tag}` is read as a YAML tag");
        self.report(node.line, ProblemCode::Tag, message, Node::tag_hint());
        true
    }

    fn plain(&mut self, node: &Node, key: &str) -> Option<String> {
        if self.refuse_tag(node) {
            return None;
        }
        let hint = match &node.value {
            Value::Text(text) => return Some(text.clone()),
            Value::Number(number) => format!("quote it: \"{number}\""),
            _ => "write text, quoted if need be".to_owned(),
        };
        let message = format!("`{key}` is {}, not text", node.value.kind());
        self.report(node.line, ProblemCode::WrongType, message, hint);
        None
    }

    fn text(&mut self, fields: &Fields<'_>, key: &str) -> Option<String> {
        let text = self.plain(field(fields, key)?, key)?;
        let text = text.trim_end();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn flag(&mut self, fields: &Fields<'_>, key: &str) -> Option<bool> {
        let node = field(fields, key)?;
        if let Value::Bool(flag) = node.value {
            return Some(flag);
        }
        let message = format!("`{key}` is {}, not true or false", node.value.kind());
        self.report(node.line, ProblemCode::WrongType, message, "write true or false");
        None
    }

    /// Returns the gates of `verify`: one command, or a list of named ones.
    fn gates(&mut self, fields: &Fields<'_>) -> Vec<Gate> {
        let Some(Node { value: Value::List(items), tag: None, .. }) = field(fields, "verify")
        else {
            let command =
                self.text(fields, "verify").filter(|command| gate::does_something(command));
            return command.and_then(Gate::only).into_iter().collect();
        };
        let mut gates: Vec<Gate> = Vec::new();
        for item in items {
            let Some(gate) = self.gate(item) else { continue };
            if gates.iter().any(|known| known.name == gate.name) {
                let message = format!("the gate {} is there twice", gate.name);
                self.report(item.line, ProblemCode::DuplicateId, message, "give it another name");
            } else {
                gates.push(gate);
            }
        }
        gates
    }

    fn gate(&mut self, node: &Node) -> Option<Gate> {
        let fields = self.fields(node, "a gate of `verify`", GATE_KEYS)?;
        let name = self.required(&fields, node, "name", "a gate of `verify`");
        let run = self.required(&fields, node, "run", "a gate of `verify`");
        let timeout = field(&fields, "timeout").map(|node| self.timeout(node));
        let name = name.and_then(|node| self.name(node, "name", id::NAME_RULE));
        Some(Gate {
            name: name?,
            command: run.and_then(|node| self.command(node))?,
            timeout_seconds: timeout.unwrap_or(Some(gate::DEFAULT_TIMEOUT))?,
        })
    }

    /// Returns what a gate runs: one that runs nothing would always pass.
    fn command(&mut self, node: &Node) -> Option<String> {
        let command = self.plain(node, "run")?.trim_end().to_owned();
        if !gate::does_something(&command) {
            let hint = "write what it runs, or take the gate out";
            self.report(
                node.line,
                ProblemCode::MissingKey,
                "`run` holds no command".to_owned(),
                hint,
            );
            return None;
        }
        Some(command)
    }

    fn timeout(&mut self, node: &Node) -> Option<Seconds> {
        let text = match &node.value {
            Value::Text(text) if node.tag.is_none() => text.as_str(),
            Value::Number(number) => number,
            _ => "",
        };
        let seconds = text.parse().ok().map(|duration: SignedDuration| duration.as_secs());
        let seconds = seconds.filter(|seconds| (1..=gate::MAX_TIMEOUT).contains(seconds));
        if seconds.is_none() {
            let message = format!("`timeout` {text:?} is no time a gate may take");
            let hint = "write 90s, 10m or 1h30m, at most 24h";
            self.report(node.line, ProblemCode::WrongType, message, hint);
        }
        seconds
    }

    /// Returns where signals are carried: `signal`, and `signal_subject` for what the subject is.
    fn carrier(&mut self, fields: &Fields<'_>) -> Carrier {
        let line = |key| field(fields, key).map_or(1, |node| node.line);
        let word = self.text(fields, "signal");
        let subject = self.text(fields, "signal_subject");
        let is_trailer = match word.as_deref() {
            None | Some("subject") => false,
            Some("trailer") => true,
            Some(other) => {
                let message = format!("`signal` {other:?} is unknown");
                let hint = "write trailer, or leave it out: signals are in the subject then";
                self.report(line("signal"), ProblemCode::WrongType, message, hint);
                return Carrier::default();
            }
        };
        let Some(subject) = subject else {
            let template = Template::default();
            return if is_trailer { Carrier::Trailer { template } } else { Carrier::Subject };
        };
        if !is_trailer {
            let message = "`signal_subject` is for signals in a trailer".to_owned();
            let hint = "add `signal: trailer`, or leave `signal_subject` out";
            self.report(line("signal_subject"), ProblemCode::WrongType, message, hint);
        }
        Template::parse(&subject).map_or_else(
            || {
                let message = format!("`signal_subject` {subject:?} is no subject");
                let hint =
                    "write one line with {text} in it, once; {id} and {name} are the worker's";
                self.report(line("signal_subject"), ProblemCode::WrongType, message, hint);
                Carrier::default()
            },
            |template| Carrier::Trailer { template },
        )
    }

    /// Returns whether a key that knows but one word has it. Only the whole word counts, so that a
    /// typo does not switch permission checks off.
    fn only(&mut self, fields: &Fields<'_>, key: &str, word: &str, without: &str) -> bool {
        let Some(text) = self.text(fields, key) else { return false };
        if text != word {
            let message = format!("`{key}` {text:?} is unknown");
            let hint = format!("leave it out to {without}, or write {word}");
            let line = field(fields, key).map_or(1, |node| node.line);
            self.report(line, ProblemCode::WrongType, message, hint);
        }
        text == word
    }

    /// Returns a list of texts with their lines; one text stands for a list of one.
    fn texts(&mut self, fields: &Fields<'_>, key: &str) -> Vec<(String, u32)> {
        let Some(node) = field(fields, key) else { return Vec::new() };
        match &node.value {
            Value::List(items) if node.tag.is_none() => {
                let read = |item: &Node| Some((self.plain(item, key)?, item.line));
                items.iter().filter_map(read).collect()
            }
            _ => self.plain(node, key).map(|text| (text, node.line)).into_iter().collect(),
        }
    }

    fn name<T: std::str::FromStr>(&mut self, node: &Node, key: &str, rule: &str) -> Option<T> {
        let text = self.plain(node, key)?;
        let name = text.parse().ok();
        if name.is_none() {
            let message = format!("`{key}` {text:?} is not a valid name");
            self.report(node.line, ProblemCode::BadName, message, rule);
        }
        name
    }

    /// Returns a folder inside the repository.
    fn folder(&mut self, fields: &Fields<'_>, key: &str) -> Option<String> {
        let text = self.text(fields, key)?;
        let folder = text.trim_end_matches('/');
        let plain = |part: &str| {
            !matches!(part, "" | "." | "..")
                && !part.eq_ignore_ascii_case(".git")
                && !part.contains(|c: char| c.is_control() || "\\*?[]{}!\"'".contains(c))
        };
        if folder.split('/').all(plain) {
            return Some(folder.to_owned());
        }
        let message = format!("`{key}` {text:?} is no folder inside the repository");
        let line = field(fields, key).map_or(1, |node| node.line);
        self.report(
            line,
            ProblemCode::BadPath,
            message,
            "write a relative folder such as worktrees",
        );
        None
    }

    fn workers(&mut self, fields: &Fields<'_>, root: &Node) -> Vec<DraftWorker> {
        let Some(node) = self.required(fields, root, "workers", "the plan") else {
            return Vec::new();
        };
        let items = match &node.value {
            Value::List(items) if !items.is_empty() => items,
            Value::List(_) | Value::Null => {
                let hint = "list at least one worker with id, name and owns";
                self.report(
                    node.line,
                    ProblemCode::NoWorkers,
                    "`workers` is empty".to_owned(),
                    hint,
                );
                return Vec::new();
            }
            other => {
                let message = format!("`workers` is {}, not a list", other.kind());
                self.report(node.line, ProblemCode::WrongType, message, "write `- id: …` entries");
                return Vec::new();
            }
        };
        let workers = items.iter().enumerate().filter_map(|(index, item)| self.worker(index, item));
        workers.collect()
    }

    fn worker(&mut self, index: usize, node: &Node) -> Option<DraftWorker> {
        let written = |key: &str| match &node.value {
            Value::Map(entries) => {
                entries.iter().find(|(name, ..)| name == key).map(|e| &e.2.value)
            }
            _ => None,
        };
        let label = match written("id") {
            Some(Value::Text(id)) => id.clone(),
            _ => format!("workers[{index}]"),
        };
        self.worker = Some(label.clone());
        let what = format!("worker {label}");
        let fields = self.fields(node, &what, WORKER_KEYS);
        let worker = fields.map(|fields| {
            let id = self.required(&fields, node, "id", &what);
            let name = self.required(&fields, node, "name", &what);
            self.required(&fields, node, "owns", &what);
            let (owns, owns_lines) = self.scope(&fields, "owns");
            DraftWorker {
                line: node.line,
                label,
                id: id.and_then(|node| self.name(node, "id", id::NAME_RULE)),
                name: name.and_then(|node| self.name(node, "name", id::NAME_RULE)),
                owns,
                owns_lines,
                reads: self.reads(&fields),
                after: self.texts(&fields, "after"),
                provides: self.items(&fields, "provides"),
                size: self.size(&fields),
                tasks: self.strings(&fields, "tasks"),
                checkpoints: self.strings(&fields, "checkpoints"),
                notes: self.text(&fields, "notes").unwrap_or_default(),
                budget: self.budget(&fields),
            }
        });
        self.worker = None;
        worker
    }

    fn strings(&mut self, fields: &Fields<'_>, key: &str) -> Vec<String> {
        self.texts(fields, key).into_iter().map(|(text, _)| text).collect()
    }

    /// Returns what a worker provides: names that can stand in `[NEEDS:id/item]`.
    fn items(&mut self, fields: &Fields<'_>, key: &str) -> Vec<String> {
        let mut items = Vec::new();
        for (item, line) in self.texts(fields, key) {
            if crate::signal::is_item(&item) {
                items.push(item);
            } else {
                let message = format!("`{key}` {item:?} cannot stand in [NEEDS:…]");
                self.report(
                    line,
                    ProblemCode::BadName,
                    message,
                    "use up to 200 characters without ]",
                );
            }
        }
        items
    }

    fn size(&mut self, fields: &Fields<'_>) -> Option<Size> {
        let text = self.text(fields, "size")?;
        let size = match text.as_str() {
            "S" => Size::S,
            "M" => Size::M,
            "L" => Size::L,
            "XL" => Size::Xl,
            _ => {
                let line = field(fields, "size").map_or(1, |node| node.line);
                let message = format!("`size` {text:?} is unknown");
                self.report(line, ProblemCode::WrongType, message, "use S, M, L or XL");
                return None;
            }
        };
        Some(size)
    }
}

#[cfg(test)]
mod tests;
