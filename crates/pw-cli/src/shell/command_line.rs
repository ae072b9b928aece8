//! The command line of a helper: its help, completions and manual pages, all made of what clap
//! knows and of the examples; and what is wrong with one that cannot be read.

use anyhow::{Context as _, Result};
use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, Subcommand, ValueHint};
use clap_complete::Shell;
use pw_core::details::Usage;
use pw_core::failure::{Code, Failure};
use pw_core::next::{CommandLine, Next};

use super::examples;

/// What an exit code says, the same of every command.
const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused and nothing changed, \
                          4 stopped half-way and to be continued";

/// What every helper tells of itself.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum About {
    /// The JSON Schema of every answer
    Schema,
    /// Prints a script that completes this helper's command lines in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page of this helper, or of one of its commands
    Man {
        /// The command
        command: Option<String>,
    },
}

/// Returns the command line of a helper, with examples and exit codes in its help.
pub(super) fn of<C: CommandFactory>() -> Command {
    let mut helper = C::command();
    let name = helper.get_name().to_owned();
    let verbs: Vec<String> =
        helper.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    for verb in &verbs {
        let examples = examples::of(&name, verb);
        let lines: String = examples.iter().map(|line| format!("  {name} {line}\n")).collect();
        let after = match lines.is_empty() {
            true => EXIT_CODES.to_owned(),
            false => {
                format!("Examples:\n{lines}\n{}{EXIT_CODES}", examples::below(&name, verb))
            }
        };
        helper = helper.mut_subcommand(verb, |verb| verb.after_help(after).mut_args(hinted));
    }
    helper.after_help(format!("`{name} COMMAND --help` has examples. {EXIT_CODES}"))
}

/// Lets shells complete paths where a path is meant.
fn hinted(arg: clap::Arg) -> clap::Arg {
    let path = ValueParser::path_buf().type_id();
    match arg.get_value_parser().type_id() == path {
        true => arg.value_hint(ValueHint::AnyPath),
        false => arg,
    }
}

/// Returns a script for a shell.
pub(super) fn completions<C: CommandFactory>(shell: Shell) -> String {
    let mut helper = of::<C>();
    let name = helper.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut helper, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Returns a page for `man`.
///
/// # Errors
///
/// `usage`, when there is no such command.
pub(super) fn manual<C: CommandFactory>(verb: Option<&str>) -> Result<String> {
    let mut helper = of::<C>().disable_help_subcommand(true);
    helper.build();
    let name = helper.get_name().to_owned();
    let page = match verb {
        None => helper,
        Some(verb) => {
            let found = helper.find_subcommand(verb).cloned();
            found.ok_or_else(|| {
                Failure::new(Code::Usage, format!("{name} has no command {verb:?}"))
                    .hint(format!("name one of: {}", verbs(&helper).join(", ")))
                    .next(Next::Help { helper: &name, verb: None })
            })?
        }
    };
    let mut text = Vec::new();
    let title = verb.map_or_else(|| name.clone(), |verb| format!("{name}-{verb}"));
    clap_mangen::Man::new(page).title(title).render(&mut text).context("writing a manual page")?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn verbs(helper: &Command) -> Vec<&str> {
    let seen = helper.get_subcommands().filter(|verb| !verb.is_hide_set());
    seen.map(Command::get_name).filter(|name| *name != "help").collect()
}

/// Returns whether no command was named: a person is shown what there is.
pub(super) fn is_bare(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    )
}

/// Returns what is wrong with a command line, and what was probably meant.
pub(super) fn wrong(helper: &Command, words: &[String], error: &clap::Error) -> Failure {
    let name = helper.get_name();
    let verb = words.iter().skip(1).find_map(|word| helper.find_subcommand(word));
    let verb = verb.map(Command::get_name);
    let called = verb.map_or_else(|| name.to_owned(), |verb| format!("{name} {verb}"));
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let message = match error.kind() {
        ErrorKind::MissingRequiredArgument => {
            format!("{called} needs {}", told(error, ContextKind::InvalidArg).join(" and "))
        }
        _ if is_bare(error) => format!("{called} needs a command: {}", verbs(helper).join(", ")),
        _ => first.to_owned(),
    };
    let failure = Failure::new(Code::Usage, message)
        .details(Usage { usage: text.trim_end().to_owned() })
        .next(Next::Help { helper: name, verb });
    let kinds =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    // clap has the likeliest last.
    let meant = kinds.iter().find_map(|kind| told(error, *kind).pop());
    let usage = told(error, ContextKind::Usage).join(" ");
    match meant {
        Some(meant) => {
            let failure = failure.hint(format!("did you mean {meant}?"));
            corrected(helper, words, error, &meant).into_iter().fold(failure, Failure::next)
        }
        None if usage.is_empty() => failure.hint("see the command's help for what it takes"),
        None => failure.hint(usage.replace("Usage: ", "it is called as: ")),
    }
}

/// Returns what an error tells of itself under this heading.
fn told(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::StyledStr(text)) => vec![text.to_string().trim().to_owned()],
        _ => Vec::new(),
    }
}

/// Returns the same command line with what was probably meant, if it can be read then.
fn corrected(
    helper: &Command,
    words: &[String],
    error: &clap::Error,
    meant: &str,
) -> Option<CommandLine> {
    let kinds =
        [ContextKind::InvalidSubcommand, ContextKind::InvalidValue, ContextKind::InvalidArg];
    let wrong = kinds.iter().find_map(|kind| told(error, *kind).pop())?;
    let at = words.iter().skip(1).position(|word| *word == wrong)? + 1;
    let mut words = words.to_owned();
    meant.clone_into(&mut words[at]);
    // What lands or removes something is for the user to type again.
    if words.iter().any(|word| ["finish", "cleanup", "forget"].contains(&word.as_str())) {
        return None;
    }
    helper.clone().try_get_matches_from(&words).ok()?;
    let is_plain =
        |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=".contains(c));
    let line = CommandLine::of(helper.get_name());
    Some(words.iter().skip(1).fold(line, |line, word| match is_plain(word) {
        // An option is none in quotes to who reads it.
        true => line.and(word),
        false => line.word(word),
    }))
}
