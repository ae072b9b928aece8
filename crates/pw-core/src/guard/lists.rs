//! Programs that print the names of files, which another program is then given.

use super::arguments::{ANY_BELOW, Arguments, Known, UNKNOWN, Word};
use super::judge::Judge;

/// Options of `grep` and its like that take a value.
const GREP: Known<'_> = Known {
    short: "efABCmdDtTgj",
    long: &[
        "--regexp",
        "--file",
        "--include",
        "--exclude",
        "--exclude-dir",
        "--glob",
        "--type",
        "--max-count",
        "--context",
    ],
};

/// Returns the names that `grep -l` and its like print, as far as they are known.
pub(super) fn printed(judge: &Judge<'_>, name: &str, words: &[Word]) -> Option<String> {
    let walks = matches!(name, "rg" | "ag" | "ack");
    if !walks && !matches!(name, "grep" | "egrep" | "fgrep") {
        return None;
    }
    let given = Arguments::read(words, GREP);
    let lists = ["-l", "-L", "--files-with-matches", "--files-without-match", "--files"];
    if !given.has(&lists) {
        return None;
    }
    let has_pattern = given.has(&["-e", "-f", "--regexp", "--file", "--files"]);
    let files = given.operands.get(usize::from(!has_pattern)..).unwrap_or_default();
    let is_deep = walks || given.has(&["-r", "-R", "--recursive", "--dereference-recursive"]);
    let here = [Word::new(".")];
    let files = if files.is_empty() && is_deep { &here } else { files };
    let below = |word: Word| match judge.is_folder(&word.text) || (is_deep && word.text == ".") {
        true => format!("{}/{ANY_BELOW}\n", word.text.trim_end_matches('/')),
        false => word.text + "\n",
    };
    Some(files.iter().flat_map(|word| judge.files(word)).map(below).collect())
}

/// Returns the names that `git ls-files` and `git grep -l` print; of files git does not track
/// nothing is known.
pub(super) fn of_git(verb: &str, args: &[Word]) -> Option<String> {
    let given = Arguments::read(args, GREP);
    let files = match verb {
        "ls-files" => {
            let others = ["-o", "--others", "-m", "--modified", "-d", "--deleted", "-i", "-u"];
            (!given.has(&others)).then_some(&given.operands[..])?
        }
        "grep" => {
            let lists =
                ["-l", "-L", "--files-with-matches", "--name-only", "--files-without-match"];
            let has_pattern = given.has(&["-e", "-f"]);
            let files = given.operands.get(usize::from(!has_pattern)..).unwrap_or_default();
            given.has(&lists).then_some(files)?
        }
        _ => return None,
    };
    if files.is_empty() {
        return Some(format!("./{ANY_BELOW}\n"));
    }
    let name = |word: &Word| match word.text.contains(['*', '?', '[']) {
        true => format!("{UNKNOWN}\n"),
        false => format!("{}/{ANY_BELOW}\n", word.text.trim_end_matches('/')),
    };
    Some(files.iter().map(name).collect())
}
