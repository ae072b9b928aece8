//! What a git command does to other worktrees: readers may run anywhere, writers in the worker's
//! own worktree, and what all worktrees share is left alone.

use super::arguments::{UNKNOWN, Word};
use super::judge::Judge;
use super::lists;
use super::session;
use super::surroundings::Target;
use super::verbs::{self, Verdict};
use crate::shell_word::shell_word;

/// Where a git command runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Own,
    /// In this repository, but not in the worker's worktree.
    Other,
    /// In another repository.
    Outside,
    Unknown,
}

/// Variables that lead git to another repository, index or configuration.
const LEADING: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
    "GIT_CONFIG",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
];

/// Variables that name a program which git runs.
const PROGRAMS: &[&str] = &[
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "GIT_PAGER",
    "GIT_EXTERNAL_DIFF",
    "GIT_SSH_COMMAND",
    "EDITOR",
    "VISUAL",
    "PAGER",
];

/// The options before the verb.
#[derive(Default)]
struct Globals {
    /// Options that lead elsewhere.
    leads: bool,
    settings: Vec<(String, String)>,
}

/// Judges a git command; returns what it prints, where that is known.
pub(super) fn judge(
    judge: &mut Judge<'_>,
    assigned: &[(String, String)],
    words: &[Word],
) -> Option<String> {
    let folder = judge.shell.folder.clone();
    let printed = in_its_folder(judge, assigned, words);
    judge.shell.folder = folder;
    printed
}

fn in_its_folder(
    judge: &mut Judge<'_>,
    assigned: &[(String, String)],
    words: &[Word],
) -> Option<String> {
    let (mut globals, rest) = globals(judge, words);
    let (verb, args) = rest.split_first()?;
    let set = |name: &&&str| {
        assigned.iter().any(|(known, _)| known == **name)
            || judge.shell.variables.contains_key(**name)
    };
    globals.leads |= LEADING.iter().any(|name| set(&name));
    let programs = assigned.iter().filter(|(name, _)| PROGRAMS.contains(&name.as_str()));
    let runs: Vec<&String> = programs
        .chain(globals.settings.iter().filter(|(name, _)| is_program(name)))
        .map(|(_, v)| v)
        .collect();
    for program in runs {
        judge.subshell(program.trim_start_matches('!'));
    }
    let verb = verb.text.as_str();
    if verb.contains(UNKNOWN) {
        judge.give_up("it does not say which git command it runs");
        return None;
    }
    if args.first().is_some_and(|word| word.text == "--help")
        || (args.len() == 1 && args[0].text == "-h")
    {
        return None;
    }
    let Some(verdict) = verbs::verdict(judge, verb, args) else {
        alias(judge, &globals, verb, args);
        return None;
    };
    let place = place(judge);
    let own =
        "work in your own worktree: leave out -C, --git-dir, GIT_DIR and `cd` to other worktrees";
    match verdict {
        Verdict::DeniedAnywhere(reason) => judge.deny(reason),
        Verdict::Denied(reason) if place != Place::Outside || globals.leads => judge.deny(reason),
        Verdict::Own if globals.leads || place == Place::Other => judge.deny(own),
        Verdict::Own if judge.shell.is_bare && place != Place::Outside => {
            judge.deny(session::BARE);
        }
        Verdict::Own if place == Place::Unknown => {
            judge.deny("the guard cannot tell in which folder this git runs: write the folder out");
        }
        Verdict::Own | Verdict::Denied(_) => {
            if globals.settings.iter().any(|(name, _)| is_steering(name)) && place == Place::Own {
                judge.deny("the hooks check your scope: leave `-c` for hooks and includes out");
            }
        }
        Verdict::Reads => {}
    }
    printed(judge, place, verb, args)
}

/// Returns whether a setting switches the guard off, or includes a file that could.
fn is_steering(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // `hook.pre-commit.enabled=false` leaves out all hooks of that name, since git 2.55.
    matches!(name.as_str(), "core.hookspath" | "core.worktree" | "core.bare")
        || ["include", "hook."].iter().any(|begin| name.starts_with(begin))
}

fn is_program(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    name.starts_with("pager.")
        || matches!(
            last,
            "editor"
                | "pager"
                | "sshcommand"
                | "external"
                | "textconv"
                | "cmd"
                | "helper"
                | "fsmonitor"
                | "program"
                | "command"
                | "driver"
                | "clean"
                | "smudge"
                | "process"
        )
}

/// Reads the options before the verb, and goes to the folder they name.
fn globals<'a>(judge: &mut Judge<'_>, words: &'a [Word]) -> (Globals, &'a [Word]) {
    let mut found = Globals::default();
    let mut rest = words;
    while let Some((word, others)) =
        rest.split_first().filter(|(word, _)| word.text.starts_with('-'))
    {
        let text = word.text.as_str();
        let value = others.first();
        rest = others;
        if let Some(setting) = text.strip_prefix("--config-env=") {
            found.settings.push(from_variable(judge, setting));
            continue;
        }
        // Git itself does not read `-cNAME=VALUE`; what it would mean is judged all the same.
        if let Some(setting) = text.strip_prefix("-c").filter(|setting| !setting.is_empty()) {
            found.settings.push(setting_of(setting));
            continue;
        }
        match text {
            "-C" => {
                let to = value.filter(|to| to.is_known());
                judge.shell.folder = to.and_then(|to| judge.absolute(&to.text));
            }
            "-c" => {
                found.settings.extend(value.map(|word| setting_of(&word.text)));
            }
            "--git-dir" | "--work-tree" | "--namespace" => found.leads = true,
            "--config-env" => {
                found.settings.extend(value.map(|word| from_variable(judge, &word.text)));
            }
            "--attr-source" | "--super-prefix" => {}
            _ => {
                let leads =
                    ["--git-dir=", "--work-tree=", "--namespace=", "--bare", "--exec-path="];
                found.leads |= leads.iter().any(|option| text.starts_with(option));
                continue;
            }
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    (found, rest)
}

/// Reads `NAME=VALUE` of `-c`.
fn setting_of(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, "true"));
    (name.to_owned(), value.to_owned())
}

/// Reads `NAME=VARIABLE` of `--config-env`.
fn from_variable(judge: &Judge<'_>, text: &str) -> (String, String) {
    let (name, variable) = text.rsplit_once('=').unwrap_or((text, ""));
    let value = judge.variable(variable).unwrap_or_else(|| UNKNOWN.to_string());
    (name.to_owned(), value)
}

/// Returns where git runs, by the folder.
fn place(judge: &Judge<'_>) -> Place {
    match judge.target(".") {
        Some((true, Target::Inside(_))) => Place::Own,
        Some((true, Target::Git | Target::Elsewhere(_))) => Place::Other,
        Some((true, Target::Temporary | Target::Outside(_))) => Place::Outside,
        _ => Place::Unknown,
    }
}

/// Judges a verb that is not git's own: an alias, or a program of that name.
fn alias(judge: &mut Judge<'_>, globals: &Globals, verb: &str, args: &[Word]) {
    let name = format!("alias.{verb}");
    let given = globals.settings.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
    let known = given.map(|(_, value)| value.clone()).or_else(|| judge.around.alias(verb));
    let rest: String = args.iter().map(|word| format!(" {}", shell_word(&word.text))).collect();
    match known {
        Some(alias) => {
            let script = match alias.strip_prefix('!') {
                Some(script) => format!("{script}{rest}"),
                None => format!("git {alias}{rest}"),
            };
            judge.subshell(&script);
        }
        None if place(judge) == Place::Other => {
            judge.deny(format!("the guard does not know what `git {verb}` does to others"));
        }
        None => {}
    }
}

/// Judges a command whose name only a run would tell, by what it would be as git.
pub(super) fn unknown(judge: &mut Judge<'_>, words: &[Word]) {
    if words.first().is_some_and(|word| harms(&word.text)) {
        in_its_folder(judge, &[], words);
    }
}

/// Returns whether a verb of git is one of those that harm other workers most.
pub(super) fn harms(verb: &str) -> bool {
    let harms =
        ["push", "stash", "rebase", "reflog", "worktree", "update-ref", "gc", "filter-branch"];
    harms.contains(&verb)
}

/// Returns what a reader prints, where that is known.
fn printed(judge: &Judge<'_>, place: Place, verb: &str, args: &[Word]) -> Option<String> {
    let words: Vec<&str> = args.iter().map(|word| word.text.as_str()).collect();
    if place != Place::Own {
        return None;
    }
    let worktree = judge.around.worktree();
    if let Some(files) = lists::of_git(verb, args) {
        return Some(files);
    }
    match (verb, &words[..]) {
        ("rev-parse", ["--show-toplevel"]) => Some(worktree),
        ("rev-parse", ["--git-dir" | "--git-common-dir" | "--absolute-git-dir"]) => {
            Some(format!("{worktree}/.git"))
        }
        ("rev-parse", ["--git-path", path]) => Some(format!("{worktree}/.git/{path}")),
        ("rev-parse", ["--abbrev-ref", "HEAD"]) | ("branch", ["--show-current"]) => {
            Some(judge.worker.branch().to_string())
        }
        _ => None,
    }
}
