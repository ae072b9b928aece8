//! Git commands that could leave the worker's branch, or move it onto another worker's commits.

use super::arguments::{Arguments, Known, Word};
use super::judge::Judge;

/// Returns why `checkout`, `switch` or `reset` is refused, if it is.
pub(super) fn leaves(judge: &Judge<'_>, verb: &str, args: &[Word]) -> Option<String> {
    let leaves = match verb {
        "checkout" => checkout(judge, args),
        "switch" => switch(judge, args),
        _ => {
            let branch = judge.worker.branch();
            return reset(judge, args).then(|| {
                format!(
                    "{branch} would point at another worker's commit: name your own, as in HEAD~1"
                )
            });
        }
    };
    leaves.then(|| {
        format!(
            "stay on {}; to get a file back use `git restore FILE`, to take in another worker `pw-worker sync`",
            judge.worker.branch()
        )
    })
}

fn checkout(judge: &Judge<'_>, args: &[Word]) -> bool {
    let long = &["--orphan", "--conflict", "--pathspec-from-file"];
    let args = Arguments::read(args, Known { short: "bB", long });
    if args.has(&["-b", "-B", "--orphan", "--detach", "-d", "-t", "--track"]) {
        return true;
    }
    let goes = match (args.before_dashes, &args.operands[..]) {
        // `git checkout main --` goes there; `git checkout -- file` brings a file back.
        (Some(1), [name]) => goes_away(judge, name, true),
        (None, [name]) => goes_away(judge, name, false),
        _ => false,
    };
    goes && !args.has(&["-p", "--patch", "--pathspec-from-file"])
}

/// Returns whether `git checkout NAME` would leave the worker's commit.
fn goes_away(judge: &Judge<'_>, name: &Word, is_commit: bool) -> bool {
    let text = name.text.as_str();
    let stays = text == "HEAD" || text == "@" || text == judge.worker.branch().as_str();
    let goes = is_commit || text == "-" || !name.is_known() || names_commit(judge, text);
    !stays && name.pattern.is_none() && goes
}

fn names_commit(judge: &Judge<'_>, text: &str) -> bool {
    // `HEAD~1`, `main^`, `main@{1}`: no file is spelled so.
    let is_revision = text.contains(['~', '^']) || text.contains("@{");
    (is_revision && !judge.is_tracked(text)) || judge.around.names_commit(text)
}

fn switch(judge: &Judge<'_>, args: &[Word]) -> bool {
    // Makes the branch again where it is gone; git refuses where it is not.
    if let [create, name] = args
        && create.text == "-c"
        && name.text == judge.worker.branch().as_str()
    {
        return false;
    }
    let long = &["--create", "--force-create", "--orphan", "--conflict"];
    let args = Arguments::read(args, Known { short: "cC", long });
    let makes =
        ["-c", "-C", "--create", "--force-create", "--orphan", "--detach", "-d", "-t", "--track"];
    let branch = judge.worker.branch();
    args.has(&makes) || args.operands.iter().any(|name| name.text != branch.as_str())
}

/// Returns whether a reset moves the branch to a commit that is not of its own past.
fn reset(judge: &Judge<'_>, args: &[Word]) -> bool {
    let args = Arguments::read(args, Known { short: "U", long: &["--pathspec-from-file"] });
    // With paths it moves nothing.
    let (Some(1) | None, [commit]) = (args.before_dashes, &args.operands[..]) else { return false };
    !commit.is_known() || (!is_own(judge, &commit.text) && names_commit(judge, &commit.text))
}

/// Returns whether a revision is spelled from the worker's own HEAD or branch.
fn is_own(judge: &Judge<'_>, revision: &str) -> bool {
    let base = revision.split(['~', '^']).next().unwrap_or_default();
    let entry = base.strip_prefix("HEAD").or_else(|| base.strip_prefix('@'));
    let is_head = entry
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("@{") || rest.starts_with('{'));
    is_head || base == "ORIG_HEAD" || base == judge.worker.branch().as_str()
}
