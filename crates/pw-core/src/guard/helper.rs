//! The helpers of this plugin, and the few commands that need no question.

use brush_parser::ast::{self, CommandPrefixOrSuffixItem as Item};

use super::arguments::{UNKNOWN, Word};
use super::call::Call;
use super::decide::{self, Change};
use super::expansion;
use super::judge::Judge;
use super::script::parse;
use super::session;
use super::surroundings::Target;
use crate::plan::Plan;

/// A subcommand of a helper that a worker may always call.
struct Helper {
    words: [&'static str; 2],
    /// How many operands it takes.
    operands: usize,
    /// Options that lead nowhere else; each but `--verbose` and `--run` has a value.
    options: &'static [&'static str],
}

const fn helper(
    words: [&'static str; 2],
    operands: usize,
    options: &'static [&'static str],
) -> Helper {
    Helper { words, operands, options }
}

const HELPERS: &[Helper] = &[
    helper(["pw-worker", "brief"], 0, &["--format", "--verbose", "--only"]),
    helper(["pw-worker", "checkpoint"], 1, &["--format", "--detail", "--path"]),
    helper(["pw-worker", "blocked"], 2, &["--format", "--detail", "--path"]),
    helper(["pw-worker", "needs"], 3, &["--format", "--detail", "--path"]),
    helper(["pw-worker", "complete"], 1, &["--format", "--detail", "--run"]),
    helper(["pw-worker", "undo"], 0, &["--format"]),
    helper(["pw-worker", "sync"], 1, &["--format"]),
    helper(["pw-worker", "run"], 0, &["--format", "--gate"]),
    helper(["pw-worker", "schema"], 0, &["--format"]),
    helper(["pw-monitor", "status"], 1, &["--format", "--verbose", "--only", "--since"]),
    helper(["pw-monitor", "schema"], 0, &["--format"]),
    helper(["pw-setup", "list"], 0, &["--format"]),
    helper(["pw-setup", "explain"], 1, &["--format"]),
    helper(["pw-setup", "repair"], 1, &["--format"]),
    helper(["pw-setup", "schema"], 0, &["--format"]),
    helper(["pw-retro", "report"], 1, &["--format", "--verbose", "--only"]),
    helper(["pw-retro", "compare"], 0, &["--format"]),
    helper(["pw-retro", "schema"], 0, &["--format"]),
];

impl Helper {
    fn takes(&self, words: &[&str]) -> bool {
        let (mut operands, mut rest) = (0, words.iter());
        while let Some(word) = rest.next() {
            if !word.starts_with('-') {
                operands += 1;
                continue;
            }
            let option = word.split('=').next().unwrap_or_default();
            if !self.options.contains(&option) {
                return false;
            }
            // A value that looks like an option could be one.
            let has_value = !["--verbose", "--run"].contains(&option) && !word.contains('=');
            if has_value && rest.next().is_none_or(|value| value.starts_with('-')) {
                return false;
            }
        }
        operands <= self.operands
    }
}

/// Refuses a `pw-worker` command that is led to another worktree.
pub(super) fn judge(judge: &mut Judge<'_>, name: &str, words: &[Word]) {
    if judge.shell.is_bare && name.starts_with("pw-") {
        judge.deny(session::BARE);
    }
    let (words, run) = split_run(name, words);
    let verbs = ["checkpoint", "blocked", "needs", "complete", "undo", "sync", "run"];
    let is_writer =
        name == "pw-worker" && words.iter().any(|word| verbs.contains(&word.text.as_str()));
    if is_writer && words.iter().any(|word| word.text.starts_with("-C")) {
        judge.deny("a worker's commands are its own: run them in your worktree, without -C");
    }
    if is_writer && matches!(judge.target("."), Some((_, Target::Elsewhere(_) | Target::Git))) {
        judge.deny("a worker's commands are its own: go back to your worktree first");
    }
    for (at, word) in words.iter().enumerate().filter(|_| name == "pw-retro") {
        let (option, value) = word
            .text
            .split_once('=')
            .map_or((word.text.as_str(), None), |(o, v)| (o, Some(Word::new(v))));
        if matches!(option, "--html" | "--markdown")
            && let Some(file) = value.or_else(|| words.get(at + 1).cloned())
        {
            judge.changes(Change::Content, &file);
        }
    }
    match run {
        [] => {}
        [script] => drop(judge.subshell(&script.text)),
        words => drop(judge.call(&Call { words: words.to_vec(), ..Call::default() })),
    }
}

/// Splits off the command that `pw-worker run --` starts; a text of another verb is no command.
fn split_run<'w>(name: &str, words: &'w [Word]) -> (&'w [Word], &'w [Word]) {
    let at = words.iter().position(|word| word.text == "--").filter(|_| name == "pw-worker");
    let Some(at) = at else { return (words, &[]) };
    let (own, run) = (&words[..at], &words[at + 1..]);
    let is_run = own.iter().any(|word| word.text == "run" || word.text.contains(UNKNOWN));
    if is_run { (own, run) } else { (words, &[]) }
}

/// Returns why a command needs no question, if it needs none.
pub(super) fn needs_no_question(judge: &Judge<'_>, command: &str) -> Option<&'static str> {
    if is_gate(judge.plan, command) {
        return Some("a gate of this plan");
    }
    let words = plain_words(judge, command)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["pw-worker", "run", "--", script @ ..] = &words[..] {
        return is_gate(judge.plan, &script.join(" ")).then_some("a gate of this plan");
    }
    reason(judge, &words)
}

/// Returns whether a single command needs no question.
pub(super) fn is_harmless(judge: &Judge<'_>, words: &[&str]) -> bool {
    reason(judge, words).is_some()
}

fn reason(judge: &Judge<'_>, words: &[&str]) -> Option<&'static str> {
    let (name, subcommand) = (words.first()?, words.get(1)?);
    let known = HELPERS.iter().find(|helper| helper.words == [*name, *subcommand]);
    if let Some(helper) = known {
        return helper.takes(&words[2..]).then_some("a helper of this workflow");
    }
    if *name != "git" {
        return None;
    }
    let args = &words[2..];
    match *subcommand {
        "log" | "diff" | "show" | "status" => {
            // Cut short, `--output`, `--ext-diff`, `--no-index` and `--textconv` are these.
            let leads = ["--ou", "--ext", "--no-ind", "--te"];
            let is_safe = |word: &&str| !leads.iter().any(|lead| word.starts_with(lead));
            args.iter().all(is_safe).then_some("it only reads")
        }
        "add" | "rm" | "restore" => {
            let options = [
                "--staged",
                "--worktree",
                "--cached",
                "--quiet",
                "-q",
                "-r",
                "-f",
                "--force",
                "--",
            ];
            // As it is on another branch: what `pw-worker sync` says where both changed a shared file.
            let args = match args {
                ["--source", _, rest @ ..] if *subcommand == "restore" => rest,
                [first, rest @ ..] if first.starts_with("--source=") => rest,
                args => args,
            };
            let files: Vec<&&str> = args.iter().filter(|word| !options.contains(word)).collect();
            let is_own =
                |file: &&&str| decide::is_own(judge.plan, judge.worker, judge.around, file);
            let has_source = args.len() < words.len() - 2;
            // What another worker owns goes back to what it was, file by file.
            let is_undone = |file: &&&str| {
                let is_back = *subcommand == "restore" && !has_source;
                is_back && decide::is_tracked_file(judge.around, file)
            };
            let is_known = |file: &&&str| is_own(file) || is_undone(file);
            (!files.is_empty() && files.iter().all(is_known)).then_some("it changes your own files")
        }
        _ => None,
    }
}

fn is_gate(plan: &Plan, command: &str) -> bool {
    plan.verify.iter().any(|gate| gate.command.trim() == command.trim())
}

/// Returns the words of a single command in which nothing has a meaning to a shell.
fn plain_words(judge: &Judge<'_>, command: &str) -> Option<Vec<String>> {
    let program = parse(command, &judge.options).ok()?;
    let [list] = &program.complete_commands[..] else { return None };
    let [ast::CompoundListItem(item, ast::SeparatorOperator::Sequence)] = &list.0[..] else {
        return None;
    };
    let pipeline = &item.first;
    if !item.additional.is_empty() || pipeline.bang || pipeline.timed.is_some() {
        return None;
    }
    let [ast::Command::Simple(simple)] = &pipeline.seq[..] else { return None };
    if simple.prefix.is_some() {
        return None;
    }
    let name = expansion::literal(&simple.word_or_name.as_ref()?.value, &judge.options)?;
    let rest = simple.suffix.iter().flat_map(|suffix| &suffix.0).map(|item| match item {
        Item::Word(word) | Item::AssignmentWord(_, word) => {
            expansion::literal(&word.value, &judge.options)
        }
        _ => None,
    });
    std::iter::once(Some(name)).chain(rest).collect()
}
