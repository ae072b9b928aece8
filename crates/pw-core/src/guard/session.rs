//! A session's environment says which worker it is: finds what removes or changes that.

use super::arguments::Arguments;
use super::call::Call;

/// The variables that say it.
const NAMES: [&str; 2] = ["PW_WORKER", "PW_WORKFLOW"];

/// What is said to git and to helpers that run without it.
pub(super) const BARE: &str = "without its environment neither git's hooks nor a helper can tell which worker this session \
                               is: run it as it is";

/// Returns whether a variable says which worker the session is.
pub(super) fn is_name(variable: &str) -> bool {
    NAMES.contains(&variable)
}

/// Returns the names that begin like this, as `${!P*}` does.
pub(super) fn begun(prefix: &str) -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().filter(move |name| name.starts_with(prefix))
}

/// Returns the name that a program is given as a variable: `make A=b`, `--setenv=A=b`.
pub(super) fn handed(word: &str) -> Option<&str> {
    let pair = match word.starts_with('-') {
        true => word.split_once('=').map_or(word.trim_start_matches('-'), |(_, pair)| pair),
        false => word,
    };
    let (name, _) = pair.split_once('=')?;
    NAMES
        .into_iter()
        .find(|known| name == *known || (word.starts_with('-') && name.ends_with(known)))
}

/// Returns the name that an arithmetic expression sets.
pub(super) fn set_by(expression: &str) -> Option<&'static str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    NAMES.into_iter().find(|name| {
        expression.match_indices(name).any(|(at, _)| {
            let (before, after) = (&expression[..at], &expression[at + name.len()..]);
            let is_whole = !before.ends_with(is_part) && !after.starts_with(is_part);
            let after = after.trim_start();
            let operators = ["", "+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"];
            let is_set = operators.iter().any(|operator| {
                let rest = after.strip_prefix(operator).and_then(|rest| rest.strip_prefix('='));
                rest.is_some_and(|rest| !rest.starts_with('='))
            });
            let counts = |text: &str| text == "++" || text == "--";
            let start = before.trim_end();
            let is_counted = after.get(..2).is_some_and(counts)
                || start.get(start.len().saturating_sub(2)..).is_some_and(counts);
            is_whole && (is_set || is_counted)
        })
    })
}

/// Returns whether a program of this name starts commands without the session's environment.
pub(super) fn is_left(program: &str, options: &Arguments) -> bool {
    let keeps_ours = |word: &super::arguments::Word| word.text.contains("PW_WORKER");
    match program {
        "sudo" => {
            let mut kept = options.values(&["--preserve-env"]).peekable();
            let keeps_all = options.has(&["-E", "--preserve-env"]) && kept.peek().is_none();
            !keeps_all && !kept.any(keeps_ours)
        }
        "doas" | "pkexec" | "screen" | "systemd-run" | "tmux" => true,
        "exec" => options.has(&["-c"]),
        "su" | "runuser" => {
            options.has(&["-l", "--login"]) || options.operands.iter().any(|word| word.text == "-")
        }
        "setpriv" => options.has(&["--reset-env"]),
        "bwrap" => options.has(&["--clearenv"]),
        _ => false,
    }
}

/// Returns whether code that an interpreter is given starts programs without the session's
/// environment, as far as a glance tells.
pub(super) fn is_left_by_code(code: &str) -> bool {
    let is_new = ["env=", "env:", "env ="].iter().any(|word| code.contains(word))
        && !["environ", "process.env", "ENV"].iter().any(|word| code.contains(word));
    let is_emptied = ["environ.clear", "clearenv", "ENV.clear", "%ENV = ()", "%ENV=()"];
    is_new || is_emptied.iter().chain(&NAMES).any(|word| code.contains(word))
}

/// Returns what `tmux`, `at` and their like run somewhere else: a script.
pub(super) fn sent(program: &str, rest: &Call, given: &Arguments) -> Option<String> {
    match program {
        "at" | "batch" => rest.stdin.clone(),
        _ => {
            let verb = given.operands.first()?.text.as_str();
            let runs = ["new", "split", "respawn", "run", "display-popup", "popup", "send"];
            let is_run = runs.iter().any(|lead| verb.starts_with(lead));
            let words = given.operands.iter().skip(1).map(|word| word.text.as_str());
            is_run.then(|| words.collect::<Vec<_>>().join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_sets_what_it_assigns() {
        for (expression, sets) in [
            ("PW_WORKER=1", true),
            ("x, PW_WORKER += 2", true),
            ("PW_WORKFLOW <<= 1", true),
            ("++PW_WORKER", true),
            ("PW_WORKER --", true),
            ("PW_WORKER == 1", false),
            ("x = PW_WORKER + 1", false),
            ("MY_PW_WORKER = 1", false),
            ("PW_WORKERS = 1", false),
            ("PW_WORKER >= 1", false),
            ("PW_WORKER != 1", false),
            ("é=PW_WORKER", false),
        ] {
            assert_eq!(set_by(expression).is_some(), sets, "{expression}");
        }
    }
}
