//! What a worker's session may do: the same scope that the plan was checked with.
//!
//! A guard rail, not a sandbox: it keeps an agent from harming others by accident. What slips past
//! is seen by the monitor and vetoed before the merge.

use crate::path::RepoPath;
use crate::plan::{Plan, Worker};
use crate::shell_text::ShellText;
use crate::signal::{self, Subject};
use crate::status::{State, WorkerStatus};

/// What to say to the client about a tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: the client's own permissions decide.
    Silent,
    /// Run it without a question.
    Allow(String),
    /// Refuse it; the text says what to do instead.
    Deny(String),
}

/// Where a file lies that a tool would write, links followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// In the worker's worktree.
    Inside(RepoPath),
    /// In git's own folder.
    Git,
    /// In the repository's main checkout or in another worktree.
    Elsewhere(String),
    /// A temporary file.
    Temporary,
    /// Outside the repository altogether.
    Outside(String),
}

/// Decides about a file that a tool would write.
pub fn write(plan: &Plan, worker: &Worker, target: &Target) -> Decision {
    match target {
        Target::Inside(path) if plan.allows(worker, path) => {
            // The client guards its own settings; the plan does not lift that.
            if path.segments().any(|segment| segment == b".claude") {
                return Decision::Silent;
            }
            Decision::Allow(format!("{path} is in the scope of {}", worker.id))
        }
        Target::Inside(path) => Decision::Deny(foreign(plan, worker, path)),
        Target::Temporary => Decision::Silent,
        Target::Git => Decision::Deny("git's own folder is changed by git alone".to_owned()),
        Target::Elsewhere(shown) => Decision::Deny(format!(
            "{shown} is not in your worktree: write the file of the same name in your own worktree, if you own it"
        )),
        Target::Outside(shown) => Decision::Deny(format!(
            "{shown} is outside the repository: put scratch files into a temporary folder"
        )),
    }
}

/// Says whose file it is and what to do instead of changing it.
fn foreign(plan: &Plan, worker: &Worker, path: &RepoPath) -> String {
    match plan.workers.iter().find(|other| other.owns.owns(path)) {
        Some(owner) => format!(
            "{path} is owned by {owner}, not by {me}. Do not change it; if you need something in it, run \
             `pw-worker needs {owner} ITEM \"what for\"`, which commits [NEEDS:{owner}/ITEM]",
            owner = owner.id,
            me = worker.id,
        ),
        None => format!(
            "{path} is in nobody's scope, so not in that of {}. If the work needs it, run \
             `pw-worker blocked \"needs {path}\"` and tell the user",
            worker.id
        ),
    }
}

/// Helpers that a worker may always call, with the subcommands that change nothing of others.
const HELPERS: &[(&str, &[&str])] = &[
    ("pw-worker", &["brief", "checkpoint", "blocked", "needs", "complete", "sync", "schema"]),
    ("pw-monitor", &["status", "schema"]),
    ("pw-setup", &["list", "check", "repair", "schema"]),
    ("pw-retro", &["report", "schema"]),
];

/// Decides about a shell command.
pub fn shell(worker: &Worker, command: &str) -> Decision {
    let text = ShellText::read(command);
    for words in &text.commands {
        if let Some(reason) = git_words(words).and_then(|words| denied_git(worker, words)) {
            return Decision::Deny(reason);
        }
    }
    let is_helper = |words: &Vec<String>| {
        let (name, subcommand) =
            (words.first(), words.get(1).map(String::as_str).unwrap_or_default());
        HELPERS
            .iter()
            .any(|(helper, known)| name.is_some_and(|n| n == helper) && known.contains(&subcommand))
    };
    match text.is_plain && text.commands.iter().all(is_helper) {
        true => Decision::Allow("a helper of this workflow".to_owned()),
        false => Decision::Silent,
    }
}

/// Returns the files that a shell command redirects to, as far as that can be told.
pub fn redirections(command: &str) -> Vec<String> {
    ShellText::read(command).writes
}

/// Returns the words after `git`, past what may stand before it.
fn git_words(words: &[String]) -> Option<&[String]> {
    let before = |word: &&String| {
        let is_assignment = word
            .split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
        is_assignment
            || ["env", "command", "exec", "nohup", "time", "sudo", "then", "do", "else"]
                .contains(&word.as_str())
    };
    let at = words.iter().take_while(before).count();
    let name = words.get(at)?;
    (name == "git" || name.ends_with("/git")).then(|| &words[at + 1..])
}

/// Returns why a git command is not for workers, if it is not.
fn denied_git(worker: &Worker, words: &[String]) -> Option<String> {
    let mut rest = words.iter().map(String::as_str).peekable();
    let mut elsewhere = false;
    while let Some(option) = rest.next_if(|word| word.starts_with('-')) {
        elsewhere |= ["-C", "--git-dir", "--work-tree"].iter().any(|long| option.starts_with(long));
        if ["-C", "-c", "--git-dir", "--work-tree", "--namespace"].contains(&option) {
            rest.next();
        }
    }
    let verb = rest.next()?;
    let args: Vec<&str> = rest.collect();
    let has = |options: &[&str]| args.iter().any(|arg| options.contains(arg));
    let branch = worker.branch();
    let reason = match verb {
        "push" => {
            "workers do not push: the user takes the branches together with pw-integrate".to_owned()
        }
        "stash" => {
            "all worktrees share one stash: save with `pw-worker checkpoint` instead".to_owned()
        }
        "worktree" if args.first() != Some(&"list") => {
            "worktrees are made and removed by the user".to_owned()
        }
        "gc" | "prune" | "repack" | "filter-branch" | "filter-repo" | "update-ref" | "replace" => {
            format!("`git {verb}` can destroy what other workers are just committing")
        }
        "reflog" if has(&["expire", "delete"]) => {
            "the reflog is how lost work is found again".to_owned()
        }
        "branch" if has(&["-d", "-D", "-m", "-M", "-f", "--delete", "--move", "--force"]) => {
            format!("the branches belong to the workflow; yours is {branch}")
        }
        "switch" | "checkout" if leaves_branch(verb, &args, &branch) => format!(
            "stay on {branch}; to get a file back use `git restore FILE`, to take in another worker `pw-worker sync`"
        ),
        "rebase" if !has(&["--abort", "--continue", "--skip", "--quit"]) => {
            "others may build upon your commits: take their work in with `pw-worker sync` instead"
                .to_owned()
        }
        "commit" | "merge" | "cherry-pick" if has(&["--no-verify", "-n"]) => {
            "the hooks check your scope: commit with `pw-worker checkpoint`".to_owned()
        }
        "config" if !has(&["--get", "--get-all", "--list", "-l", "get", "list"]) => {
            "all worktrees share one configuration".to_owned()
        }
        "add" | "commit" | "merge" | "reset" | "restore" | "rm" | "mv" | "am" | "cherry-pick"
        | "revert"
            if elsewhere =>
        {
            "work in your own worktree: leave -C and --git-dir out".to_owned()
        }
        _ => return None,
    };
    Some(reason)
}

fn leaves_branch(verb: &str, args: &[&str], branch: &str) -> bool {
    if args.contains(&"--") {
        return false;
    }
    let moves = |arg: &&str| {
        ["-b", "-B", "-c", "-C", "--orphan", "--detach", "-d", "--create"].contains(arg)
    };
    let names: Vec<&&str> =
        args.iter().filter(|arg| !arg.starts_with('-') || **arg == "-").collect();
    // `git checkout main file` brings a file back and stays.
    let brings_files = verb == "checkout" && names.len() > 1;
    args.iter().any(moves) || (!brings_files && names.first().is_some_and(|name| **name != branch))
}

/// Returns why a session must not end yet, if it must not.
pub fn stop(plan: &Plan, worker: &Worker, status: &WorkerStatus) -> Option<String> {
    let own: Vec<String> = status
        .uncommitted
        .iter()
        .filter(|path| plan.allows(worker, path))
        .take(5)
        .map(ToString::to_string)
        .collect();
    let mut reason = match status.state {
        State::Starting | State::InProgress | State::Reopened => format!(
            "The newest commit of {} does not say where the work stands. If all of it is done, run \
             `pw-worker complete \"what was done\"`; if something is missing, \
             `pw-worker blocked REASON \"details\"` or `pw-worker needs WORKER ITEM \"what for\"`.",
            worker.id
        ),
        _ if own.is_empty() => return None,
        _ => String::new(),
    };
    if !own.is_empty() {
        reason = format!(
            "These files are not committed: {}. Run `pw-worker checkpoint \"what was done\"` first. {reason}",
            own.join(", ")
        );
    }
    Some(reason.trim_end().to_owned())
}

/// Returns why a commit is refused: the files in it that are neither owned nor undone.
pub fn commit(plan: &Plan, worker: &Worker, staged: &[RepoPath]) -> Option<String> {
    let outside: Vec<&RepoPath> = staged.iter().filter(|path| !plan.allows(worker, path)).collect();
    let first = outside.first()?;
    let list: String = outside.iter().map(|path| format!("  {path}\n")).collect();
    Some(format!(
        "this commit holds files outside the scope of {}:\n{list}{}.\n\
         Take them out with `git restore --staged FILE`, or commit with `pw-worker checkpoint`, which takes your files alone.",
        worker.id,
        foreign(plan, worker, first),
    ))
}

/// Returns why a commit message is refused: it looks like a signal and is none, or it needs an
/// item of nobody.
pub fn message(plan: &Plan, worker: &Worker, message: &str) -> Option<String> {
    match signal::read(message) {
        Subject::NearMiss { line, fix } => Some(format!(
            "the subject `{line}` looks like a signal and would not count; write\n  {fix}"
        )),
        Subject::Signal { signal: signal::Signal::Needs { worker: provider, .. }, .. } => {
            let known = provider != worker.id && plan.worker(&provider).is_some();
            let others: Vec<&str> =
                plan.ids().filter(|id| **id != worker.id).map(|id| id.as_str()).collect();
            (!known).then(|| {
                format!(
                    "[NEEDS:{provider}/…] names no other worker; name one of: {}",
                    others.join(", ")
                )
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan::parse(
            "workflow: w\nshared: [Cargo.lock]\nworkers:\n  - {id: task-1, name: a, owns: [a]}\n  - {id: task-2, name: b, owns: [b]}\n",
        )
        .unwrap()
    }

    #[test]
    fn files_are_allowed_by_the_scope_of_the_plan() {
        let plan = plan();
        let decide = |path: &str| write(&plan, &plan.workers[0], &Target::Inside(path.into()));
        assert!(matches!(decide("a/x"), Decision::Allow(_)));
        assert!(matches!(decide("Cargo.lock"), Decision::Allow(_)));
        assert!(
            matches!(decide("b/x"), Decision::Deny(reason) if reason.contains("owned by task-2"))
        );
        assert!(matches!(decide("c"), Decision::Deny(reason) if reason.contains("nobody")));
    }

    #[test]
    fn git_that_harms_others_is_denied_with_another_way() {
        let plan = plan();
        let denied = |command: &str| matches!(shell(&plan.workers[0], command), Decision::Deny(_));
        for command in [
            "git push",
            "git push --force origin main",
            "git stash",
            "cd /x && git stash pop",
            "git -c a=b gc --prune=now",
            "git checkout main",
            "git checkout -b x",
            "git switch -c x",
            "git switch -",
            "git worktree remove x",
            "git branch -D work/task-2-b",
            "A=1 git rebase main",
            "git commit --no-verify -m x",
            "git config user.name x",
            "git -C ../other commit -m x",
            "echo $(git prune)",
            "git reflog expire --all",
            "/usr/bin/git push",
        ] {
            assert!(denied(command), "{command}");
        }
        for command in [
            "git status",
            "git log --oneline",
            "git checkout -- a/x",
            "git checkout main a/x",
            "git switch work/task-1-a",
            "git rebase --abort",
            "git commit -m x",
            "git config --get user.name",
            "git branch",
            "git worktree list",
            "git -C ../other log",
            "grep 'git push' README.md",
            "cargo test",
        ] {
            assert!(!denied(command), "{command}");
        }
    }

    #[test]
    fn plain_helper_calls_need_no_question() {
        let plan = plan();
        let decide = |command: &str| shell(&plan.workers[0], command);
        assert!(matches!(decide("pw-worker checkpoint \"model, routes\""), Decision::Allow(_)));
        assert!(matches!(decide("pw-monitor status"), Decision::Allow(_)));
        for command in [
            "pw-worker checkpoint \"$(id)\"",
            "pw-worker brief; id",
            "pw-setup create p",
            "pw-integrate run",
            "pw-worker guard stop",
        ] {
            assert_eq!(decide(command), Decision::Silent, "{command}");
        }
    }

    #[test]
    fn commits_and_messages_are_refused_with_the_fix() {
        let plan = plan();
        let worker = &plan.workers[0];
        assert!(commit(&plan, worker, &["a/x".into(), "Cargo.lock".into()]).is_none());
        assert!(
            commit(&plan, worker, &["a/x".into(), "b/y".into()])
                .unwrap()
                .contains("owned by task-2")
        );
        assert!(message(&plan, worker, "[complete] x").unwrap().contains("[COMPLETE] x"));
        assert!(message(&plan, worker, "[NEEDS:task-1/x]").unwrap().contains("task-2"));
        assert!(message(&plan, worker, "[NEEDS:task-2/x] y").is_none());
        assert!(message(&plan, worker, "a plain subject").is_none());
    }
}
