//! Commands that change the shell itself, run another script, or run another command.

use super::arguments::{ANY_BELOW, Arguments, Known, UNKNOWN, Word};
use super::arrays::Array;
use super::call::Call;
use super::decide::Change;
use super::judge::{Judge, STREAM};
use super::{code, expansion, files, find, forge, git, helper, lists, options, patch, session};
use crate::shell_word::shell_word;

/// Commands that run the command behind their own options: those that take a value, and how many
/// words of their own follow.
const WRAPPERS: &[(&str, Known<'_>, usize)] = &[
    ("builtin", Known { short: "", long: &[] }, 0),
    ("bwrap", Known { short: "", long: &["--chdir", "--unsetenv"] }, 0),
    ("busybox", Known { short: "", long: &[] }, 0),
    ("caffeinate", Known { short: "tw", long: &[] }, 0),
    ("chronic", Known { short: "", long: &[] }, 0),
    ("chrt", Known { short: "TPD", long: &[] }, 1),
    ("chroot", Known { short: "", long: &[] }, 1),
    ("command", Known { short: "", long: &[] }, 0),
    ("doas", Known { short: "uC", long: &[] }, 0),
    ("dbus-run-session", Known { short: "", long: &[] }, 0),
    ("eatmydata", Known { short: "", long: &[] }, 0),
    ("exec", Known { short: "a", long: &[] }, 0),
    ("faketime", Known { short: "f", long: &[] }, 1),
    ("fakeroot", Known { short: "lsib", long: &[] }, 0),
    ("flock", Known { short: "wE", long: &["--timeout", "--wait"] }, 1),
    ("gosu", Known { short: "", long: &[] }, 1),
    ("ionice", Known { short: "cnp", long: &["--class", "--classdata"] }, 0),
    ("ltrace", Known { short: "eop", long: &[] }, 0),
    ("nice", Known { short: "n", long: &["--adjustment"] }, 0),
    ("nohup", Known { short: "", long: &[] }, 0),
    ("npx", Known { short: "pc", long: &["--package"] }, 0),
    ("nsenter", Known { short: "tSG", long: &["--target"] }, 0),
    ("pkexec", Known { short: "", long: &["--user"] }, 0),
    ("prlimit", Known { short: "p", long: &["--pid"] }, 0),
    ("screen", Known { short: "cehpsStT", long: &[] }, 0),
    ("setpriv", Known { short: "", long: &["--reuid", "--regid", "--groups", "--inh-caps"] }, 0),
    ("setsid", Known { short: "", long: &[] }, 0),
    ("ssh-agent", Known { short: "aEt", long: &[] }, 0),
    ("stdbuf", Known { short: "ioe", long: &["--input", "--output", "--error"] }, 0),
    ("strace", Known { short: "eopPsSEuabIX", long: &[] }, 0),
    ("su-exec", Known { short: "", long: &[] }, 1),
    ("sudo", Known { short: "CDghpRrTtUu", long: &["--user", "--group", "--chdir"] }, 0),
    ("systemd-run", Known { short: "pEHM", long: &["--unit", "--property", "--setenv"] }, 0),
    ("taskset", Known { short: "", long: &[] }, 1),
    ("time", Known { short: "fo", long: &["--format", "--output"] }, 0),
    ("timeout", Known { short: "ks", long: &["--kill-after", "--signal"] }, 1),
    ("unbuffer", Known { short: "", long: &[] }, 0),
    ("unshare", Known { short: "SGRw", long: &[] }, 0),
    ("uvx", Known { short: "p", long: &["--from", "--with", "--python"] }, 0),
    ("winpty", Known { short: "", long: &[] }, 0),
    ("xvfb-run", Known { short: "nes", long: &[] }, 0),
];

/// Programs that run the command behind one of these words.
const RUNNERS: &[(&str, &[&str])] = &[
    ("bundle", &["exec"]),
    ("hatch", &["run"]),
    ("mise", &["exec", "x"]),
    ("npm", &["exec", "x"]),
    ("pdm", &["run"]),
    ("pipenv", &["run"]),
    ("pnpm", &["exec", "dlx"]),
    ("poetry", &["run"]),
    ("rye", &["run"]),
    ("uv", &["run"]),
    ("yarn", &["exec", "dlx"]),
];

/// Programs whose words are only text, a git command among them.
const READERS_OF_TEXT: &[&str] =
    &["grep", "egrep", "fgrep", "rg", "ag", "ack", "man", "tldr", "logger", "notify-send", "say"];

/// Shells, whose `-c` and stdin are scripts.
const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "rbash", "fish"];

/// Judges a simple command; returns what it prints, where that is known.
pub(super) fn judge(judge: &mut Judge<'_>, call: &Call) -> Option<String> {
    let first = &call.words.first()?.text;
    let name = first.rsplit('/').next().unwrap_or(first);
    let rest = call.past(1);
    if forge::lands(name, &rest.words) {
        judge.deny(forge::LANDING);
    }
    if name == "git" || name == "hub" || name.starts_with("git-") {
        let words = match name.strip_prefix("git-") {
            Some(verb) => [&[Word::new(verb)], &rest.words[..]].concat(),
            None => rest.words.clone(),
        };
        if words.iter().any(|word| word.text == "apply") {
            patch::read(judge, &words, rest.stdin.as_deref());
        }
        return git::judge(judge, &call.assigned, &words);
    }
    if let Some((_, known, own)) = WRAPPERS.iter().find(|(wrapper, ..)| *wrapper == name) {
        return wrapped(judge, &rest, name, *known, *own);
    }
    if SHELLS.contains(&name) {
        return shell(judge, &rest);
    }
    match name {
        "cd" | "pushd" | "chdir" => change_folder(judge, &rest),
        "popd" => judge.shell.folder = judge.shell.before.take(),
        "source" | "." => return sourced(judge, &rest),
        "read" => read(judge, &rest),
        "export" | "declare" | "typeset" | "local" | "readonly" | "unset" | "getopts" | "let" => {
            assign(judge, name, &rest.words);
        }
        "mapfile" | "readarray" => lines(judge, &rest),
        "set" => set(judge, &rest.words),
        "wait" => {
            let given = Arguments::read(&rest.words, Known { short: "p", long: &[] });
            given.values(&["-p"]).for_each(|name| judge.set(&name.text, None));
        }
        "shift" => judge.shell.positional = None,
        "alias" => alias(judge, &rest.words),
        "eval" => return judge.script(&joined(&rest.words)),
        "trap" => drop(rest.words.first().map(|word| judge.subshell(&word.text))),
        "env" => return env(judge, &rest),
        "xargs" | "parallel" => xargs(judge, &rest),
        "find" => return Some(find::judge(judge, &rest.words)),
        "fd" | "fdfind" => return Some(find::fd(judge, &rest.words)),
        "watch" => drop(judge.subshell(&joined(
            &Arguments::read(&rest.words, Known { short: "nq", long: &["--interval"] }).operands,
        ))),
        "su" | "runuser" | "script" => {
            let known = Known { short: "cgGsu", long: &["--command", "--user"] };
            let given = Arguments::read(&rest.words, known);
            let is_bare = judge.shell.is_bare;
            judge.shell.is_bare |= session::is_left(name, &given);
            for script in given.values(&["-c", "--command"]) {
                judge.subshell(&script.text);
            }
            // `runuser -u me -- git commit`.
            if name == "runuser" && given.has(&["-u", "--user"]) {
                judge.call(&behind_options(&rest, known).1);
            }
            judge.shell.is_bare = is_bare;
            if name == "script" {
                files::judge(judge, name, &rest);
            }
        }
        "at" | "batch" | "tmux" => {
            let known = Known { short: "cefFlLnqStxy", long: &[] };
            let given = Arguments::read(&rest.words, known);
            if let Some(script) = session::sent(name, &rest, &given) {
                let is_bare = judge.shell.is_bare;
                judge.shell.is_bare |= session::is_left(name, &given);
                judge.subshell(&script);
                judge.shell.is_bare = is_bare;
            }
        }
        "ls" => return Some(listed(judge, &rest.words)),
        "echo" => return Some(printed(&rest.words)),
        "printf" => return printf(judge, &rest.words),
        "pwd" => return judge.shell.folder.clone(),
        "cat" if rest.words.is_empty() => return call.stdin.clone(),
        "which" | "type" => return rest.words.last().map(|word| word.text.clone()),
        "mktemp" => return Some(temporary(judge, &rest.words)),
        "basename" => {
            return rest.words.first().map(|word| {
                word.text.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
            });
        }
        "dirname" => {
            return rest.words.first().map(|word| {
                word.text.rsplit_once('/').map_or(".", |(folder, _)| folder).to_owned()
            });
        }
        _ if first.contains(UNKNOWN) => {
            // `git$X`: what is unknown can begin with a blank.
            let start = first.split(UNKNOWN).next().unwrap_or_default();
            if is_judged(start.rsplit('/').next().unwrap_or_default()) {
                judge.give_up("the name of a command in it is not written out");
            }
            git::unknown(judge, &rest.words);
        }
        _ => {
            if let Some(inner) = run_by(name, &rest) {
                return judge.call(&inner);
            }
            if !is_text(name) {
                let handed = rest.words.iter().filter_map(|word| session::handed(&word.text));
                handed.for_each(|name| judge.names(name));
            }
            helper::judge(judge, name, &rest.words);
            code::judge(judge, name, &rest);
            files::judge(judge, name, &rest);
            return lists::printed(judge, name, &rest.words);
        }
    }
    None
}

/// Returns whether a command of this name is judged by its words.
fn is_judged(name: &str) -> bool {
    name == "git"
        || SHELLS.contains(&name)
        || WRAPPERS.iter().any(|(wrapper, ..)| *wrapper == name)
        || matches!(name, "env" | "eval" | "find" | "xargs" | "source" | "sed" | "dd")
        || files::is_known(name)
}

/// Returns the command that a program of this name runs, if it is known to run one.
fn run_by(name: &str, rest: &Call) -> Option<Call> {
    let first = rest.words.first()?.text.as_str();
    if RUNNERS.iter().any(|(runner, verbs)| *runner == name && verbs.contains(&first)) {
        return Some(behind_options(&rest.past(1), Known::default()).1);
    }
    if name == "yarn" && files::is_formatter(first) {
        return Some(rest.clone());
    }
    if name.starts_with("python") && first == "-m" {
        return Some(rest.past(1));
    }
    // A program we do not know most likely runs a `git push` among its arguments.
    let at = rest.words.iter().position(|word| word.text == "git")?;
    let harms = rest.words.get(at + 1).is_some_and(|verb| git::harms(&verb.text));
    (!is_text(name) && harms).then(|| rest.past(at))
}

fn is_text(name: &str) -> bool {
    READERS_OF_TEXT.contains(&name) || name.starts_with("pw-")
}

/// Judges `source`: what it reads, where that is known.
fn sourced(judge: &mut Judge<'_>, rest: &Call) -> Option<String> {
    let file = rest.words.first()?;
    judge.script(rest.stdin.as_ref().filter(|_| is_stream(&file.text))?)
}

fn is_stream(file: &str) -> bool {
    matches!(file, STREAM | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0" | "-")
}

/// Returns the files that are named; what else is in a folder is not known.
fn listed(judge: &Judge<'_>, words: &[Word]) -> String {
    let given = Arguments::read(words, Known::default());
    let is_itself = given.has(&["-d", "--directory"]);
    let names = given.operands.iter().map(|word| match &word.pattern {
        Some(_) => word.text.replace(['*', '?', '['], &UNKNOWN.to_string()),
        None if !is_itself && judge.is_folder(&word.text) => UNKNOWN.to_string(),
        None => word.text.clone(),
    });
    let names: Vec<String> = names.collect();
    if names.is_empty() { UNKNOWN.to_string() } else { names.join("\n") + "\n" }
}

fn joined(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn printed(words: &[Word]) -> String {
    let is_option = |word: &&Word| matches!(word.text.as_str(), "-n" | "-e" | "-E" | "-ne" | "-en");
    let options = words.iter().take_while(is_option).count();
    joined(&words[options..]) + "\n"
}

fn printf(judge: &mut Judge<'_>, words: &[Word]) -> Option<String> {
    if let Some(name) =
        Arguments::read(words, Known { short: "v", long: &[] }).values(&["-v"]).next()
    {
        let (name, at) = (name.text.clone(), words.iter().position(|word| word.text == "-v"));
        let value = at.and_then(|at| printf(judge, words.get(at + 2..)?));
        judge.set(&name, value.filter(|value| Word::is_told(value)));
        return None;
    }
    let (format, rest) = words.split_first()?;
    let format = format.text.replace("\\n", "\n");
    if !format.contains('%') {
        return Some(format);
    }
    let values: Vec<String> = rest.iter().map(|word| format.replace("%s", &word.text)).collect();
    Some(values.concat()).filter(|text| !text.contains('%'))
}

/// Judges where `mktemp` makes a file; returns it.
fn temporary(judge: &mut Judge<'_>, words: &[Word]) -> String {
    let given = Arguments::read(words, Known { short: "p", long: &["--suffix"] });
    let folder = judge.variable("TMPDIR").filter(|folder| folder.starts_with('/'));
    let in_temporary = given
        .options
        .iter()
        .any(|(option, value)| option == "-t" || (option == "--tmpdir" && value.is_none()));
    let named = given.values(&["-p", "--tmpdir"]).last().cloned();
    let (folder, name) = match (named, given.operands.first()) {
        (Some(named), _) => (named.text, "tmp.new".to_owned()),
        (None, Some(name)) if !in_temporary => (".".to_owned(), name.text.clone()),
        _ => (folder.unwrap_or_else(|| "/tmp".to_owned()), "tmp.new".to_owned()),
    };
    let file = match name.starts_with('/') {
        true => name,
        false => format!("{}/{name}", folder.trim_end_matches('/')),
    };
    judge.changes(Change::Content, &Word::new(&file));
    file
}

fn change_folder(judge: &mut Judge<'_>, call: &Call) {
    let given = Arguments::read(&call.words, Known::default());
    let is_back = call.words.iter().any(|word| word.text == "-");
    let searches = call.assigned.iter().any(|(name, _)| name == "CDPATH")
        || judge.variable("CDPATH").is_some_and(|path| !path.is_empty());
    let next = match given.operands.first() {
        _ if is_back => judge.shell.before.clone(),
        None => judge.variable("HOME"),
        // With CDPATH a plain name can be in any of its folders.
        Some(word) if searches && !word.text.starts_with(['/', '.']) => None,
        Some(word) if word.is_known() => judge.absolute(&word.text),
        Some(_) => None,
    };
    judge.shell.before = std::mem::replace(&mut judge.shell.folder, next);
}

fn assign(judge: &mut Judge<'_>, name: &str, words: &[Word]) {
    let has = |option: &str| words.iter().any(|word| word.text == option);
    let (shows, refers) = (has("-p"), has("-n") && name != "export");
    let has_keys = matches!(name, "declare" | "typeset" | "local")
        && words.iter().any(|word| word.text.starts_with('-') && word.text.contains('A'));
    for word in words.iter().filter(|word| !word.text.starts_with(['-', '+']) || name == "let") {
        if name == "let" {
            session::set_by(&word.text).iter().for_each(|name| judge.names(name));
            expansion::counted(judge, &word.text);
            continue;
        }
        if let Some((_, value)) = word.text.split_once('=').filter(|_| refers) {
            // Another name for the same variable.
            judge.names(value);
        }
        if !shows {
            let name = word.text.split('=').next().unwrap_or_default();
            judge.names(name.trim_end_matches('+'));
        }
        let (variable, value) = match word.text.split_once('=') {
            Some((variable, value)) => (variable, Some(value.to_owned())),
            None if name == "unset" => {
                judge.unset(&word.text);
                continue;
            }
            None if has_keys => {
                judge.set_array(&word.text, Array::with_keys());
                continue;
            }
            // `export A` changes nothing.
            None if matches!(name, "export" | "readonly" | "declare" | "typeset") => continue,
            None => (word.text.as_str(), None),
        };
        if name == "local" {
            judge.hide(variable);
            if value.is_none() {
                judge.shell.arrays.insert(variable.to_owned(), Array::default());
                continue;
            }
        }
        let value = value.filter(|value| Word::is_told(value));
        judge.set(variable, value);
    }
}

/// Judges `read`; of what it reads only the names that `find` printed are followed, and a line that is the
/// only one.
fn read(judge: &mut Judge<'_>, rest: &Call) {
    let given = Arguments::read(&rest.words, Known { short: "adinNptu", long: &[] });
    let lines: Vec<&str> = rest.stdin.iter().flat_map(|text| text.lines()).collect();
    let found = lines.iter().find(|line| line.contains(ANY_BELOW)).copied();
    let found = found.or(match (&lines[..], &given.operands[..]) {
        ([only], [_]) if Word::is_told(only) => Some(only),
        _ => None,
    });
    for name in given.values(&["-a"]) {
        let own = rest.assigned.iter().rev().find(|(name, _)| name == "IFS");
        let ifs = own.map(|(_, ifs)| ifs.clone()).or_else(|| judge.variable("IFS"));
        let words = match (&lines[..], ifs) {
            ([only], Some(ifs)) if !ifs.contains(UNKNOWN) => {
                let words = only.split(|c| ifs.contains(c)).filter(|word| !word.is_empty());
                words.map(str::to_owned).collect()
            }
            _ => vec![found.map_or(UNKNOWN.to_string(), str::to_owned)],
        };
        judge.set_array(&name.text, Array::new(words));
    }
    for name in &given.operands {
        judge.set(&name.text, found.map(str::to_owned));
    }
}

/// Judges `mapfile`: each line that it reads is an element.
fn lines(judge: &mut Judge<'_>, rest: &Call) {
    let given = Arguments::read(&rest.words, Known { short: "dnOsuCc", long: &[] });
    let name = given.operands.first().map_or("MAPFILE", |word| &word.text);
    let is_plain = given.options.iter().all(|(option, _)| option == "-t");
    let lines = match rest.stdin.as_ref().filter(|_| is_plain) {
        Some(text) => text.lines().map(str::to_owned).collect(),
        None => vec![UNKNOWN.to_string()],
    };
    judge.set_array(name, Array::new(lines));
}

fn set(judge: &mut Judge<'_>, words: &[Word]) {
    if let Some(at) = words.iter().position(|word| word.text == "--") {
        let words = words[at + 1..].iter().map(|word| word.text.clone());
        judge.shell.positional = Some(words.collect());
    }
}

fn alias(judge: &mut Judge<'_>, words: &[Word]) {
    for word in words {
        if let Some((name, value)) = word.text.split_once('=') {
            judge.shell.aliases.insert(name.to_owned(), value.to_owned());
        }
    }
}

fn wrapped(
    judge: &mut Judge<'_>,
    rest: &Call,
    name: &str,
    known: Known<'_>,
    own: usize,
) -> Option<String> {
    let asks = |option: &str| rest.words.first().is_some_and(|word| word.text == option);
    if name == "command" && (asks("-v") || asks("-V")) {
        return rest.words.last().map(|word| word.text.clone());
    }
    let (options, mut inner) = behind_options(rest, known);
    let own_words = &rest.words[..rest.words.len() - inner.words.len()];
    options::judge(judge, name, own_words);
    for script in options.values(&["-c"]).filter(|_| matches!(name, "npx" | "flock")) {
        judge.subshell(&script.text);
    }
    // `sudo A=b git`, `nice 5 git`.
    while inner.words.first().is_some_and(|word| {
        let is_assignment = word.text.split_once('=').is_some_and(|(name, _)| is_name(name));
        is_assignment && name != "exec"
    }) {
        inner = assigned(judge, &inner);
    }
    let inner = inner.past(own);
    // `flock FILE -c SCRIPT`.
    if inner.words.first().is_some_and(|word| word.text == "-c") {
        return judge.subshell(&inner.words.get(1)?.text);
    }
    let is_bare = judge.shell.is_bare;
    judge.shell.is_bare |= session::is_left(name, &options);
    let printed = judge.call(&inner);
    judge.shell.is_bare = is_bare;
    printed
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Takes the first word, `A=b`, as a variable of the command behind it.
fn assigned(judge: &mut Judge<'_>, call: &Call) -> Call {
    let mut inner = call.past(1);
    let pair = call.words.first().and_then(|word| word.text.split_once('='));
    pair.iter().for_each(|(name, _)| judge.names(name));
    inner.assigned.extend(pair.map(|(name, value)| (name.to_owned(), value.to_owned())));
    inner
}

/// Takes the options at the front away.
fn behind_options(call: &Call, known: Known<'_>) -> (Arguments, Call) {
    let mut at = 0;
    while let Some(word) = call.words.get(at) {
        let text = word.text.as_str();
        if text == "--" {
            at += 1;
            break;
        }
        if !text.starts_with('-') || text == "-" {
            break;
        }
        let takes = match text.strip_prefix("--") {
            Some(_) => known.long.contains(&text),
            // The value of the last letter is the next word, unless it is attached.
            None => text
                .char_indices()
                .skip(1)
                .find(|(_, c)| known.short.contains(*c))
                .is_some_and(|(i, c)| i + c.len_utf8() == text.len()),
        };
        at += 1 + usize::from(takes);
    }
    let at = at.min(call.words.len());
    (Arguments::read(&call.words[..at], known), call.past(at))
}

fn env(judge: &mut Judge<'_>, rest: &Call) -> Option<String> {
    let known = Known { short: "uCSa", long: &["--unset", "--chdir", "--split-string", "--argv0"] };
    let (options, mut inner) = behind_options(rest, known);
    let is_dash = inner.words.first().is_some_and(|word| word.text == "-");
    if is_dash {
        inner = inner.past(1);
    }
    options.values(&["-u", "--unset"]).for_each(|word| judge.names(&word.text));
    let (folder, is_bare) = (judge.shell.folder.clone(), judge.shell.is_bare);
    judge.shell.is_bare |= is_dash || options.has(&["-i", "--ignore-environment"]);
    if let Some(to) = options.values(&["-C", "--chdir"]).last() {
        judge.shell.folder = if to.is_known() { judge.absolute(&to.text) } else { None };
    }
    while inner.words.first().is_some_and(|word| word.text.contains('=')) {
        inner = assigned(judge, &inner);
    }
    let split = options.values(&["-S", "--split-string"]).last();
    let printed = match split {
        Some(script) => {
            let words = inner.words.iter().map(|word| shell_word(&word.text));
            let script: Vec<String> =
                [format!("env {}", script.text)].into_iter().chain(words).collect();
            judge.subshell(&script.join(" "))
        }
        None => judge.call(&inner),
    };
    judge.shell.folder = folder;
    judge.shell.is_bare = is_bare;
    printed
}

/// Judges `sh`: the script behind `-c`, or what it reads.
fn shell(judge: &mut Judge<'_>, rest: &Call) -> Option<String> {
    let (mut words, mut is_script) = (&rest.words[..], false);
    while let Some((word, others)) =
        words.split_first().filter(|(w, _)| w.text.starts_with(['-', '+']))
    {
        let text = word.text.as_str();
        words = others;
        if !text.starts_with("--") {
            is_script |= text.contains('c');
        }
        if matches!(text, "-o" | "+o" | "-O" | "+O" | "--rcfile" | "--init-file") {
            words = words.get(1..).unwrap_or_default();
        }
    }
    let shell = judge.shell.clone();
    judge.shell.aliases.clear();
    for (name, value) in &rest.assigned {
        let value = Some(value.clone()).filter(|value| !value.contains(UNKNOWN));
        judge.shell.variables.insert(name.clone(), value);
    }
    let printed = match (words.split_first(), &rest.stdin) {
        (Some((script, positional)), _) if is_script => {
            let mut positional = positional.iter().map(|word| word.text.clone());
            judge.shell.zero = positional.next();
            judge.shell.positional = Some(positional.collect());
            if script.text.chars().all(|c| c == UNKNOWN) {
                None
            } else {
                judge.script(&script.text)
            }
        }
        (None, Some(script)) => judge.script(script),
        (Some((file, _)), Some(script)) if is_stream(&file.text) => judge.script(script),
        // A file: what is in it is not looked at.
        _ => None,
    };
    judge.shell = shell;
    printed
}

fn xargs(judge: &mut Judge<'_>, rest: &Call) {
    let known = Known {
        short: "IEdLnPsaJRj",
        long: &["--arg-file", "--delimiter", "--max-args", "--max-procs", "--replace", "--jobs"],
    };
    let (options, mut inner) = behind_options(rest, known);
    let replaced = options.values(&["-I", "--replace", "-J"]).last().map(|word| word.text.clone());
    let values: Vec<Word> = match &rest.stdin {
        Some(text) => text.split_whitespace().take(64).map(Word::new).collect(),
        None => vec![Word::new(UNKNOWN)],
    };
    inner.stdin = None;
    if inner.words.is_empty() {
        return;
    }
    for value in values {
        let mut call = inner.clone();
        match &replaced {
            Some(mark) => {
                for word in &mut call.words {
                    word.text = word.text.replace(mark.as_str(), &value.text);
                }
            }
            None => call.words.push(value),
        }
        judge.call(&call);
    }
}
