//! From the command line to one document on stdout and an exit code. The only file that prints.

mod command_line;
mod examples;
mod screen;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use clap::error::ErrorKind;
use clap::{Args, Parser, ValueEnum};
use pw_core::details::{GitCall, GitSaid};
use pw_core::failure::{Code, Failure};
use pw_core::next::{self, Next};
use pw_core::report::{self, Report};
use pw_core::stop;
use pw_core::system;
use pw_core::time::Seconds;
use pw_git::{GitError, INSTALL};
use serde_json::{Value, json};

pub(crate) use self::command_line::About;
pub(crate) use self::screen::{Live, Screen};
use crate::schema::{self, ERROR_SCHEMA};
use crate::view;

/// A helper: its command line, and what it does.
pub trait Cli: Parser {
    /// Returns the options that every helper takes.
    fn globals(&self) -> &Globals;

    /// Runs the command; a refusal is a [`Failure`] in the error.
    fn run(&self, context: &Context) -> Result<Answer>;
}

/// Options of every helper.
#[derive(Clone, Debug, Args)]
pub struct Globals {
    /// What to print: a JSON document, or a view for people; json unless stdout is a terminal
    #[arg(long, global = true, value_enum)]
    format: Option<Format>,
    /// Tell also what is as it should be; lists of files still end after a hundred
    #[arg(long, global = true)]
    verbose: bool,
    /// Tell only these fields of the answer's `data`, also what is as it should be in them; `workers.id` is
    /// one of a field
    #[arg(long, global = true, value_name = "FIELD", value_delimiter = ',')]
    only: Vec<String>,
    /// Ask the plan's remote first for what other clones did
    #[arg(long, global = true)]
    fetch: bool,
    /// Run as if started in this folder
    #[arg(short = 'C', global = true, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The present, in seconds since 1970; for tests
    #[arg(long, global = true, hide = true)]
    now: Option<Seconds>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Human,
}

/// Where and when a helper runs.
#[derive(Debug)]
pub struct Context {
    pub(crate) directory: PathBuf,
    /// The folder that `-C` named, for commands that are shown and not answered.
    pub(crate) named: Option<PathBuf>,
    pub(crate) now: Seconds,
    /// The command line, for the lock and for messages.
    pub(crate) command: String,
    /// Whether the plan's remote is asked first.
    pub(crate) fetch: bool,
    /// Whether a view tells also what is as it should be.
    pub(crate) is_whole: bool,
    format: Format,
}

impl Context {
    fn new(globals: &Globals) -> Result<Self> {
        let here = std::env::current_dir().context("reading the working directory")?;
        require_temporary_folder();
        let clock = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Seconds::try_from(since.as_secs()).unwrap_or(Seconds::MAX)
        };
        let directory =
            globals.directory.as_ref().map_or_else(|| here.clone(), |dir| here.join(dir));
        if !directory.is_dir() {
            let message = format!("{} is no folder", directory.display());
            return Err(Failure::new(Code::Usage, message)
                .hint("name a folder that exists with -C")
                .into());
        }
        let words = words();
        let name = words.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        Ok(Self {
            directory,
            named: globals.directory.clone(),
            now: globals.now.unwrap_or_else(clock),
            command: std::iter::once(name)
                .chain(words.iter().skip(1).map(String::as_str))
                .take(3)
                .collect::<Vec<_>>()
                .join(" "),
            fetch: globals.fetch,
            is_whole: globals.verbose,
            format: globals.format.unwrap_or_else(default_format),
        })
    }

    /// Returns the same context in another folder.
    pub(crate) fn at(&self, directory: &std::path::Path) -> Self {
        let (named, command) = (self.named.clone(), self.command.clone());
        Self { directory: directory.to_owned(), named, command, ..*self }
    }

    /// Returns the same context for what was fetched already, or what must not use the network.
    pub(crate) fn without_fetch(&self) -> Self {
        Self { fetch: false, ..self.at(&self.directory) }
    }

    /// Refuses unless a live view can be shown; `hint` says what does without.
    pub(crate) fn require_terminal(&self, hint: &str) -> Result<(), Failure> {
        if self.format == Format::Json {
            return Err(Failure::new(Code::Usage, "a live view is no JSON document").hint(hint));
        }
        screen::require_terminal(hint)
    }

    /// Says to a person at a terminal what is being done.
    #[expect(clippy::print_stderr, reason = "the one place that prints")]
    pub(crate) fn progress(&self, text: &str) {
        if std::io::stderr().is_terminal() {
            eprintln!("{}", view::plain(text));
        }
    }
}

/// Has temporary files in the usual folder where the environment names one that is not there, as that of a
/// session from elsewhere does.
fn require_temporary_folder() {
    if !std::env::temp_dir().is_dir() {
        // It was chosen already: then by us.
        _ = tempfile::env::override_temp_dir(Path::new("/tmp"));
    }
}

impl Context {
    /// Says why nothing happens yet, to people and agents alike: on stderr, beside the document.
    pub(crate) fn say(&self, text: &str) {
        complain(&format!("{}\n", view::plain_lines(text)));
    }
}

/// Returns the command line; bytes that are not UTF-8 are replaced, since it is only shown.
fn words() -> Vec<String> {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect()
}

fn default_format() -> Format {
    if std::io::stdout().is_terminal() { Format::Human } else { Format::Json }
}

/// What a helper answers.
#[derive(Debug)]
pub enum Answer {
    /// A document, and the same for people.
    ///
    /// `shorten` takes out of it what is told only on request.
    Document { schema: &'static str, data: Value, shorten: fn(&mut Value), view: String },
    /// A refusal with the exit status of the user's command that failed.
    Failed { failure: Failure, exit: u8 },
    /// The answer of a hook: its text on stdout, or a refusal on stderr with exit 1.
    Hook { stdout: String, refusal: Option<String> },
    /// Text that another program reads, a shell or `man`; no document, whatever was asked for.
    Text(String),
    /// A view that has the terminal to itself until the user leaves it.
    Live(Box<dyn Live>),
}

impl Answer {
    pub(crate) fn of<R: Report>(report: &R, view: impl FnOnce(&R) -> String) -> Result<Self> {
        let data = serde_json::to_value(report).context("writing the answer as JSON")?;
        Ok(Self::Document { schema: R::SCHEMA, data, shorten: R::shorten, view: view(report) })
    }
}

impl About {
    /// Tells it of a helper.
    pub(crate) fn tell<C: Cli>(&self) -> Result<Answer> {
        match self {
            Self::Schema => {
                let data = serde_json::to_value(schema::of(C::command().get_name()))?;
                let view = serde_json::to_string_pretty(&data).unwrap_or_default();
                Ok(Answer::Document { schema: "pw.schema/1", data, shorten: |_| (), view })
            }
            Self::Completions { shell } => Ok(Answer::Text(command_line::completions::<C>(*shell))),
            Self::Man { command } => {
                command_line::manual::<C>(command.as_deref()).map(Answer::Text)
            }
        }
    }
}

/// Returns the name this program was called by.
pub fn called() -> String {
    let path = words().into_iter().next().unwrap_or_default();
    let name = Path::new(&path).file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Prints that there is no helper of the name this program was called by.
pub fn unknown() -> ExitCode {
    let failure = Failure::new(Code::Usage, format!("there is no helper {}", called()))
        .hint("call it as pw-setup, pw-monitor, pw-integrate, pw-worker or pw-retro");
    refuse(&failure, asked_format())
}

/// Runs a helper.
pub fn main<C: Cli>() -> ExitCode {
    let mut command = command_line::of::<C>();
    let parsed = command.try_get_matches_from_mut(std::env::args_os());
    let cli = match parsed.and_then(|matches| C::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            return print(&error.render().to_string(), 0);
        }
        Err(error) if command_line::is_bare(&error) && asked_format() == Format::Human => {
            return print(&command.render_help().to_string(), Code::Usage.exit());
        }
        Err(error) => {
            return refuse(&command_line::wrong(&command, &words(), &error), asked_format());
        }
    };
    let context = match Context::new(cli.globals()) {
        Ok(context) => context,
        Err(error) => return refuse(&failure(&error), default_format()),
    };
    let done = require_field::<C>(cli.globals()).and_then(|()| cli.run(&context));
    match from_here(done, cli.globals().directory.as_deref()) {
        Ok(Answer::Document { view, .. }) if context.format == Format::Human => print(&view, 0),
        Ok(Answer::Document { schema, data, shorten, .. }) => {
            let data = told(data, shorten, cli.globals());
            let document = json!({ "schema": schema, "ok": true, "data": data });
            print(&format!("{document}\n"), 0)
        }
        Ok(Answer::Failed { failure, exit }) => {
            refuse_with(&failure, context.format, exit, cli.globals().verbose)
        }
        Ok(Answer::Text(text) | Answer::Hook { stdout: text, refusal: None }) => print(&text, 0),
        Ok(Answer::Hook { refusal: Some(reason), .. }) => {
            complain(&format!("{}\n", view::plain_lines(&reason)));
            ExitCode::FAILURE
        }
        Ok(Answer::Live(view)) => live(view),
        Err(error) => {
            let failure = failure(&error);
            refuse_with(&failure, context.format, exit(&failure), cli.globals().verbose)
        }
    }
}

/// Has the commands of an answer name the folder that `-C` named: they run from where the user
/// stands.
fn from_here(done: Result<Answer>, folder: Option<&Path>) -> Result<Answer> {
    let Some(folder) = folder else { return done };
    let anchored = |mut failure: Failure| {
        failure.next = failure.next.map(|next| next.anchored(folder));
        failure
    };
    match done {
        Ok(Answer::Document { schema, mut data, shorten, mut view }) => {
            for (old, new) in next::anchor(&mut data, folder) {
                view = view.replace(&format!(" {old}\n"), &format!(" {new}\n"));
            }
            Ok(Answer::Document { schema, data, shorten, view })
        }
        Ok(Answer::Failed { failure, exit }) => {
            Ok(Answer::Failed { failure: anchored(failure), exit })
        }
        Err(error) => Err(anchored(failure(&error)).into()),
        done => done,
    }
}

/// Refuses a field that no answer has, before anything is done.
fn require_field<C: Cli>(globals: &Globals) -> Result<()> {
    if globals.only.is_empty() {
        return Ok(());
    }
    let command = C::command();
    let helper = command.get_name();
    let Some(field) = globals.only.iter().find(|field| !schema::has(helper, field)) else {
        return Ok(());
    };
    let message = format!("no answer of {helper} has a field `{field}`");
    let hint = "name a field of `data` as it stands in an answer, such as next";
    Err(Failure::new(Code::Usage, message).hint(hint).next(Next::Schema(helper)).into())
}

/// Returns of an answer what was asked for, with no list that grows without bounds.
fn told(mut data: Value, shorten: fn(&mut Value), globals: &Globals) -> Value {
    if !globals.only.is_empty() {
        let only: Vec<&str> = globals.only.iter().map(String::as_str).collect();
        report::keep(&mut data, &only);
    } else if !globals.verbose {
        shorten(&mut data);
    }
    report::bound(&mut data);
    data
}

/// Hands the terminal to a view, and restores it also after an error or a signal.
fn live(mut view: Box<dyn Live>) -> ExitCode {
    let shown = Screen::open().map(|mut screen| (view.show(&mut screen), screen.close()));
    // Ends the view's threads.
    drop(view);
    match shown {
        Ok((Ok(()), None)) => ExitCode::SUCCESS,
        Ok((_, Some(signal))) => {
            // Ends the process as the signal would have, so that the process that sent it sees
            // that.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
            ExitCode::FAILURE
        }
        Ok((Err(error), None)) | Err(error) => refuse(&failure(&error), Format::Human),
    }
}

/// Returns the format a command line that cannot be parsed asks for.
fn asked_format() -> Format {
    let words = words();
    let human = words.windows(2).any(|pair| pair == ["--format", "human"])
        || words.iter().any(|w| w == "--format=human");
    let json = words.windows(2).any(|pair| pair == ["--format", "json"])
        || words.iter().any(|w| w == "--format=json");
    match (human, json) {
        (true, _) => Format::Human,
        (_, true) => Format::Json,
        _ => default_format(),
    }
}

/// Finds the refusal in an error; anything else is a failure of git or of ours.
fn failure(error: &anyhow::Error) -> Failure {
    if let Some(failure) = error.chain().find_map(|cause| cause.downcast_ref::<Failure>()) {
        return failure.clone();
    }
    let git = error.chain().find_map(|cause| cause.downcast_ref::<GitError>());
    let said = git.map_or_else(|| format!("{error:#}"), |git| git.stderr.clone());
    if let Some(mut failure) = system::failure(&said) {
        failure.message = format!("{}: {error:#}", failure.message);
        if let Some(git) = git.filter(|_| failure.has_no_details()) {
            failure = failure.details(GitSaid { git: git.stderr.clone() });
        }
        return failure;
    }
    match git {
        Some(git) => match git.is_too_old() {
            true => Failure::new(Code::ProgramMissing, format!("this git is too old: {error:#}"))
                .hint(INSTALL),
            false => {
                Failure::new(Code::GitFailed, format!("{error:#}")).hint(system::hint(&git.stderr))
            }
        }
        .details(GitCall {
            git: git.stderr.clone(),
            command: git.command.clone(),
            exit_code: git.code,
        }),
        None => Failure::new(Code::Internal, format!("{error:#}"))
            .hint("report this to the user word for word, and stop"),
    }
}

fn refuse(failure: &Failure, format: Format) -> ExitCode {
    refuse_with(failure, format, exit(failure), false)
}

/// Returns how a helper ends that failed: a lock of git's that was met after the first effect
/// leaves it half-way.
fn exit(failure: &Failure) -> u8 {
    let is_half_way = failure.code == Code::Locked && pw_git::has_changed();
    if is_half_way { 4 } else { failure.code.exit() }
}

fn refuse_with(failure: &Failure, format: Format, exit: u8, is_whole: bool) -> ExitCode {
    match format {
        Format::Json => {
            let mut error = json!(failure);
            if !is_whole {
                stop::shorten(&mut error["details"]);
            }
            report::bound(&mut error);
            let document = json!({ "schema": ERROR_SCHEMA, "ok": false, "error": error });
            print(&format!("{document}\n"), exit)
        }
        Format::Human => {
            complain(&view::failure(failure));
            ExitCode::from(exit)
        }
    }
}

/// Prints to stderr. A closed stderr is no error: no reader is left.
fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints to stdout. A closed pipe is no error: the reader has read what it wanted.
fn print(text: &str, code: u8) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    ExitCode::from(code)
}
