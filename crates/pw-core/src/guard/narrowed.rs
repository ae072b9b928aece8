//! Commands that only narrow a gate of the plan: one test file instead of all, the last lines of what
//! it prints. The gate itself needs no question, and so do these.
//!
//! Only words that are known to select, count or print are taken: anything else is left to the
//! client's own permissions.

use brush_parser::ast;

use super::expansion;
use super::helper;
use super::judge::Judge;
use super::script::parse;
use super::surroundings::Target;

/// Programs of which everything behind these words says what to test, or how to tell it.
const SELECTING: &[&[&str]] = &[
    &["pytest"],
    &["py.test"],
    &["python", "-m", "pytest"],
    &["python", "-m", "unittest"],
    &["mypy"],
    &["ruff", "check"],
    &["tox", "run"],
    &["cargo", "test"],
    &["cargo", "nextest", "run"],
    &["cargo", "check"],
    &["cargo", "clippy"],
    &["go", "test"],
    &["go", "vet"],
    &["npm", "test", "--"],
    &["jest"],
    &["vitest", "run"],
    &["mocha"],
    &["eslint"],
    &["tsc", "--noEmit"],
    &["node", "--test"],
    &["deno", "test"],
    &["bun", "test"],
    &["rspec"],
    &["phpunit"],
    &["mix", "test"],
    &["dotnet", "test"],
];

/// What starts one of them with the project's own programs.
const LEADS: &[&[&str]] = &[
    &["uv", "run"],
    &["poetry", "run"],
    &["pipenv", "run"],
    &["bundle", "exec"],
    &["npx"],
    &["pnpm", "exec"],
    &["yarn"],
];

/// Options that select, count or print, whatever stands behind them; of `--name=value` the name.
const OPTIONS: &[&str] = &[
    "--",
    "--all",
    "--all-features",
    "--all-targets",
    "--bail",
    "--bin",
    "--bins",
    "--co",
    "--collect-only",
    "--color",
    "--doc",
    "--durations",
    "--exact",
    "--exitfirst",
    "--failed-first",
    "--failfast",
    "--features",
    "--ff",
    "--filter",
    "--full-trace",
    "--grep",
    "--ignored",
    "--include-ignored",
    "--last-failed",
    "--lf",
    "--lib",
    "--locked",
    "--maxfail",
    "--no-capture",
    "--no-fail-fast",
    "--no-header",
    "--no-summary",
    "--nocapture",
    "--offline",
    "--package",
    "--quiet",
    "--runInBand",
    "--show-output",
    "--tb",
    "--test",
    "--test-name-pattern",
    "--test-threads",
    "--testNamePattern",
    "--testPathPattern",
    "--tests",
    "--verbose",
    "--workspace",
    "-count",
    "-race",
    "-run",
    "-short",
    "-timeout",
];

/// Variables that only say how to print, or that no one is there to be asked.
const VARIABLES: &[&str] = &[
    "CI",
    "CLICOLOR",
    "COLUMNS",
    "FORCE_COLOR",
    "LANG",
    "LC_ALL",
    "NO_COLOR",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONUNBUFFERED",
    "PYTHONWARNINGS",
    "RUST_BACKTRACE",
    "TERM",
    "TZ",
];
/// Variables that name folders with the project's own code.
const FOLDERS: &[&str] = &["PYTHONPATH"];

/// Letters of short options of which the same is true.
const LETTERS: &str = "hiklmpqrstvx";

/// Returns why a script needs no question, if each of its commands is a gate, narrows one, or needs no
/// question by itself, and what it prints is only filtered.
pub(super) fn needs_no_question(judge: &Judge<'_>, script: &str) -> Option<&'static str> {
    let is_known = |pipeline: &Pipeline| {
        let Some((first, filters)) = pipeline.split_first() else { return false };
        is_step(judge, first) && filters.iter().all(|words| is_filter(words))
    };
    pipelines(judge, script)?.iter().all(is_known).then_some("it narrows a gate of this plan")
}

/// The commands of a pipeline, each as its words.
type Pipeline = Vec<Vec<String>>;

fn is_step(judge: &Judge<'_>, words: &[String]) -> bool {
    let words = without_wrapper(words);
    let (assigned, rest) = words.split_at(assignments(words));
    let plain: Vec<&str> = rest.iter().map(String::as_str).collect();
    match plain[..] {
        _ if !assigned.is_empty() && !assigned.iter().all(|word| only_prints(judge, word)) => {
            is_narrowed(judge, words)
        }
        ["cd", folder] => {
            matches!(judge.around.target(folder), Target::Inside(_))
                && judge.around.is_folder(folder)
        }
        // It prints what the script says anyway; a redirection is no word.
        ["echo", ..] => true,
        ["set", ref options @ ..] if !options.is_empty() => {
            options.iter().all(|word| is_strict(word))
        }
        ["pw-worker", "run", "--", script] if script.contains(' ') => {
            needs_no_question(judge, script).is_some()
        }
        ["pw-worker", "run", "--", ..] => is_narrowed(judge, &rest[3..]),
        _ => helper::is_harmless(judge, &plain) || is_narrowed(judge, words),
    }
}

/// Returns whether a word of `set` only makes a script end earlier.
fn is_strict(word: &str) -> bool {
    word == "pipefail" || word.strip_prefix('-').is_some_and(|letters| is_made_of(letters, "euo"))
}

/// Returns whether a command is one of the plan's gates or of their commands, or selects of it.
fn is_narrowed(judge: &Judge<'_>, words: &[String]) -> bool {
    let gates = judge.plan.verify.iter().filter_map(|gate| pipelines(judge, &gate.command));
    let mut commands = gates.flatten().filter_map(|pipeline| pipeline.into_iter().next());
    commands.any(|gate| gate == words || narrows(judge, &gate, words))
}

fn narrows(judge: &Judge<'_>, gate: &[String], words: &[String]) -> bool {
    let words = without_wrapper(words);
    let (of_gate, gate) = gate.split_at(assignments(gate));
    let (assigned, words) = words.split_at(assignments(words));
    if !assigned.iter().all(|word| of_gate.contains(word) || only_prints(judge, word)) {
        return false;
    }
    let Some(head) = head(gate) else { return false };
    // The same program, however it is started.
    let words = match pytest(&gate[..head]).and(pytest(words)) {
        Some(own) => [&gate[..head], &words[own..]].concat(),
        None => words.to_vec(),
    };
    if !words.starts_with(&gate[..head]) {
        return false;
    }
    // What a gate is told beside what to test, as `--check`, keeps it from writing.
    let mut kept = gate[head..].iter().filter(|word| word.starts_with('-') && !selects(word));
    kept.all(|word| words.contains(word))
        && words[head..].iter().all(|word| {
            gate.contains(word)
                || if word.starts_with('-') { selects(word) } else { is_here(judge, word) }
        })
}

/// Returns a command without what only limits its time or sets its variables.
fn without_wrapper(words: &[String]) -> &[String] {
    let is_time = |word: &String| {
        let number = word.trim_end_matches(['s', 'm']);
        !number.is_empty() && number.chars().all(|c| c.is_ascii_digit())
    };
    match words {
        [env, rest @ ..] if env == "env" && assignments(rest) > 0 => rest,
        [timeout, time, rest @ ..] if timeout == "timeout" && is_time(time) => rest,
        words => words,
    }
}

/// Returns how many words of a command start pytest, if it does.
fn pytest(words: &[String]) -> Option<usize> {
    match words {
        [program, ..] if program == "pytest" || program == "py.test" => Some(1),
        [python, m, module, ..] if m == "-m" && module == "pytest" => {
            let version = python.strip_prefix("python")?;
            version.chars().all(|c| c.is_ascii_digit() || c == '.').then_some(3)
        }
        _ => None,
    }
}

/// Returns how many assignments of variables a command begins with.
fn assignments(words: &[String]) -> usize {
    let is_assignment = |word: &String| {
        let name = word.split_once('=').map_or("", |(name, _)| name);
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    words.iter().take_while(|word| is_assignment(word)).count()
}

/// Returns whether an assignment changes how a command prints, or where it finds the project's own code.
fn only_prints(judge: &Judge<'_>, word: &str) -> bool {
    let (name, value) = word.split_once('=').unwrap_or_default();
    let is_inside = |folder: &str| matches!(judge.around.target(folder), Target::Inside(_));
    VARIABLES.contains(&name) || FOLDERS.contains(&name) && value.split(':').all(is_inside)
}

/// Returns how many words of a gate say which program it is.
fn head(gate: &[String]) -> Option<usize> {
    let begins = |words: &[String], lead: &[&str]| {
        words.len() >= lead.len() && words.iter().zip(lead).all(|(word, lead)| word == lead)
    };
    let lead = LEADS.iter().find(|lead| begins(gate, lead)).map_or(0, |lead| lead.len());
    let mut rest = gate[lead..].to_vec();
    if let Some(program) = rest.first_mut()
        && program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') == "python"
    {
        "python".clone_into(program);
    }
    let selecting = SELECTING.iter().find(|words| begins(&rest, words))?;
    Some(lead + selecting.len())
}

fn selects(option: &str) -> bool {
    let name = option.split('=').next().unwrap_or_default();
    let is_short = |letters: &str| !letters.is_empty() && letters.chars().all(is_harmless_letter);
    // Which outcomes pytest sums up.
    let is_summary = |letters: &str| is_made_of(letters, "fEsxXpPwaAN");
    OPTIONS.contains(&name)
        || option.strip_prefix("-r").is_some_and(is_summary)
        || option.strip_prefix('-').is_some_and(|rest| !rest.starts_with('-') && is_short(rest))
}

fn is_harmless_letter(letter: char) -> bool {
    LETTERS.contains(letter) || letter.is_ascii_digit()
}

/// Returns whether an operand, as far as it is a path, lies in the worker's worktree.
fn is_here(judge: &Judge<'_>, word: &str) -> bool {
    let path = word.split("::").next().unwrap_or_default();
    let is_path = path.contains('/') || path.starts_with('.') || path.starts_with('~');
    !is_path || matches!(judge.around.target(path), Target::Inside(_))
}

/// Returns whether a command only passes on some lines of what it reads.
fn is_filter(words: &[String]) -> bool {
    let plain: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((name, rest)) = plain.split_first() else { return false };
    let is_count = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
    let takes = |letters: &str| {
        let option = |word: &&str| word.strip_prefix('-').is_some_and(|o| is_made_of(o, letters));
        rest.iter().all(|word| option(word) || is_count(word.trim_start_matches(['-', '+'])))
    };
    match *name {
        "cat" => rest.is_empty(),
        "python" | "python3" => rest == ["-m", "json.tool"],
        "jq" => {
            let (options, others): (Vec<&str>, Vec<&str>) =
                rest.iter().partition(|word| word.starts_with('-'));
            // A second one would be a file.
            options.iter().all(|word| is_made_of(&word[1..], "rceMCSsj")) && others.len() <= 1
        }
        "head" | "tail" => takes("ncq0123456789"),
        "wc" => takes("lwc"),
        "sort" => takes("rnuhk0123456789"),
        "uniq" => takes("cdui"),
        "sed" => {
            matches!(rest, ["-n", lines] if is_made_of(lines.trim_end_matches('p'), "0123456789,$"))
        }
        "grep" | "egrep" | "fgrep" => {
            let (options, others): (Vec<&str>, Vec<&str>) =
                rest.iter().partition(|word| word.starts_with('-'));
            let is_plain = |word: &&str| is_made_of(&word[1..], "EFPivwxcnoqabABCm0123456789");
            // A second one would be a file.
            let patterns = others.iter().filter(|word| !is_count(word)).count();
            options.iter().all(is_plain) && patterns == 1
        }
        _ => false,
    }
}

fn is_made_of(text: &str, letters: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| letters.contains(c))
}

/// Returns the pipelines of a script in which nothing has a meaning to a shell but `&&`, `||`, `;`, `|`
/// and redirections of errors.
fn pipelines(judge: &Judge<'_>, script: &str) -> Option<Vec<Pipeline>> {
    let program = parse(script, &judge.options).ok()?;
    let mut all = Vec::new();
    for ast::CompoundListItem(item, separator) in
        program.complete_commands.iter().flat_map(|list| &list.0)
    {
        if !matches!(separator, ast::SeparatorOperator::Sequence) {
            return None;
        }
        let others = item.additional.iter().map(|next| match next {
            ast::AndOr::And(pipeline) | ast::AndOr::Or(pipeline) => pipeline,
        });
        for pipeline in std::iter::once(&item.first).chain(others) {
            if pipeline.bang || pipeline.timed.is_some() {
                return None;
            }
            let commands = pipeline.seq.iter().map(|command| words(judge, command));
            all.push(commands.collect::<Option<Pipeline>>()?);
        }
    }
    (!all.is_empty()).then_some(all)
}

fn words(judge: &Judge<'_>, command: &ast::Command) -> Option<Vec<String>> {
    let ast::Command::Simple(simple) = command else { return None };
    let mut words = Vec::new();
    for item in simple.prefix.iter().flat_map(|prefix| &prefix.0) {
        let ast::CommandPrefixOrSuffixItem::AssignmentWord(_, word) = item else { return None };
        words.push(expansion::literal(&word.value, &judge.options)?);
    }
    words.push(expansion::literal(&simple.word_or_name.as_ref()?.value, &judge.options)?);
    for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
        match item {
            ast::CommandPrefixOrSuffixItem::Word(word)
            | ast::CommandPrefixOrSuffixItem::AssignmentWord(_, word) => {
                // How the last command ended is a number.
                let known = word.value.replace("$?", "0");
                words.push(expansion::literal(&known, &judge.options)?);
            }
            ast::CommandPrefixOrSuffixItem::IoRedirect(redirect) if is_of_errors(redirect) => {}
            _ => return None,
        }
    }
    Some(words)
}

/// Returns whether a redirection joins stdout and stderr, or throws one away.
fn is_of_errors(redirect: &ast::IoRedirect) -> bool {
    use ast::{IoFileRedirectKind as Kind, IoFileRedirectTarget as To};
    match redirect {
        ast::IoRedirect::File(_, Kind::DuplicateOutput, To::Fd(_)) => true,
        ast::IoRedirect::File(_, Kind::DuplicateOutput, To::Duplicate(word)) => {
            word.value.chars().all(|c| c.is_ascii_digit())
        }
        ast::IoRedirect::File(_, Kind::Write, To::Filename(word))
        | ast::IoRedirect::OutputAndError(word, _) => word.value == "/dev/null",
        _ => false,
    }
}

#[cfg(test)]
mod tests;
