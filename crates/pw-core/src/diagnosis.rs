//! What the machine, the repository and the client lack for work in parallel, and what helps: one
//! source for `pw-setup doctor`, which says all of it, and for `check` and `create`, which say what
//! concerns their plan.

pub mod leftovers;
pub mod settings;

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::launcher::INSTALL;
use crate::next::CommandLine;
use crate::path::RepoPath;
use crate::text::counted;

/// The oldest git that understands what we ask.
const OLDEST_GIT: (u32, u32) = (2, 39);

/// What was found out about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Diagnosis {
    /// What was looked at.
    pub about: About,
    /// How bad it is.
    pub level: Level,
    /// What was found, with the values.
    pub message: String,
    /// What helps, in words; absent when nothing has to be done, or `command` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// A command that helps, or that shows what has to be decided; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandLine>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The version of git.
    Git,
    /// Whom git takes commits to be from.
    Identity,
    /// Where the helpers come from.
    Helpers,
    /// Claude Code.
    Client,
    /// Whether Claude Code trusts the repository, and runs the guard.
    Trust,
    /// What the client runs without a question.
    Permissions,
    /// The program that `pw-setup launch --with tmux` needs.
    Tmux,
    /// Whether there is a repository here.
    Repository,
    /// The repository's own git hooks.
    Hooks,
    /// The user's settings of git.
    Settings,
    /// What fresh worktrees lack.
    Submodules,
    /// The base branch and its remote.
    Remote,
    /// Room for worktrees.
    Disk,
    /// Locks of git and ours.
    Locks,
    /// Recorded workflows.
    Workflows,
    /// Worktrees and branches of workers.
    Worktrees,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Good to know; work in parallel goes on all the same.
    Note,
    /// It will get in the way of some worker or command.
    Warning,
    /// Nothing works, or work can be lost.
    Problem,
}

impl About {
    /// Returns the word for it, as in an answer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Identity => "identity",
            Self::Helpers => "helpers",
            Self::Client => "client",
            Self::Trust => "trust",
            Self::Permissions => "permissions",
            Self::Tmux => "tmux",
            Self::Repository => "repository",
            Self::Hooks => "hooks",
            Self::Settings => "settings",
            Self::Submodules => "submodules",
            Self::Remote => "remote",
            Self::Disk => "disk",
            Self::Locks => "locks",
            Self::Workflows => "workflows",
            Self::Worktrees => "worktrees",
        }
    }

    fn is(self, level: Level, message: impl Into<String>) -> Diagnosis {
        Diagnosis { about: self, level, message: message.into(), remedy: None, command: None }
    }

    /// All is as it should be.
    pub fn ok(self, message: impl Into<String>) -> Diagnosis {
        self.is(Level::Ok, message)
    }

    /// Something that is good to know.
    pub fn note(self, message: impl Into<String>) -> Diagnosis {
        self.is(Level::Note, message)
    }

    /// Something that will get in the way.
    pub fn warning(self, message: impl Into<String>) -> Diagnosis {
        self.is(Level::Warning, message)
    }

    /// Something that has to be put right first.
    pub fn problem(self, message: impl Into<String>) -> Diagnosis {
        self.is(Level::Problem, message)
    }
}

impl Diagnosis {
    /// Sets what helps, in words.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Sets a command that helps.
    #[must_use]
    pub fn command(mut self, command: impl Into<CommandLine>) -> Self {
        self.command = Some(command.into());
        self
    }

    /// Returns all of it in one sentence, if it is worth saying before a plan's workers start.
    pub fn warned(&self) -> Option<String> {
        (self.level >= Level::Warning).then(|| {
            let helps = [self.remedy.clone(), self.command.as_ref().map(ToString::to_string)];
            let helps: Vec<String> = helps.into_iter().flatten().collect();
            let parts = [self.message.clone(), helps.join(": ")];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
        })
    }
}

/// The user's own hooks.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// Those that are programs.
    pub names: Vec<String>,
    /// The folder they are in, where a fresh worktree has no such folder: it is relative to the
    /// worktree and in no commit.
    pub missing: Option<String>,
}

/// Where the helpers that run come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a release, checked.
    Packaged,
    /// Compiled by the wrapper from the sources in this folder.
    Built {
        /// As the wrapper noted it.
        from: String,
        /// Whether cargo is there to build the next version.
        has_cargo: bool,
    },
    /// The user compiled and started them by hand.
    Other,
}

/// The oldest client that hooks, settings and launchers were tried with.
const TRIED: [u32; 3] = [2, 1, 330];

/// Reads what the client says of its version: `2.1.330 (Claude Code)`.
pub fn client_version(said: &str) -> Option<[u32; 3]> {
    let mut parts = said.split_whitespace().next()?.split('.').map(str::parse);
    let version = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?];
    parts.next().is_none().then_some(version)
}

fn dotted([major, minor, patch]: [u32; 3]) -> String {
    format!("{major}.{minor}.{patch}")
}

/// What the client is like here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client {
    /// Whether it is installed.
    pub is_there: bool,
    /// What it says of itself, as `2.1.330`; `None` when it does not, or not in time.
    pub version: Option<[u32; 3]>,
    /// Whether the user told it to trust the repository, or a folder above.
    pub trusts: bool,
    /// Whether its settings keep the guard's hooks from running.
    pub is_guard_off: bool,
}

/// Judges where the helpers come from.
pub fn helpers(origin: &Origin, version: &str) -> Diagnosis {
    match origin {
        Origin::Packaged => About::Helpers.ok(format!("{version}, packaged and checked")),
        Origin::Built { from, has_cargo: false } => About::Helpers
            .warning(format!(
                "{version}, built from {from}, and cargo is not there to build the next version"
            ))
            .remedy(
                "install a release of the plugin (its branch release), or Rust (see rustup.rs)",
            ),
        Origin::Built { from, .. } => About::Helpers.ok(format!("{version}, built from {from}")),
        Origin::Other => About::Helpers.ok(format!("{version}, started by hand")),
    }
}

/// Judges whether the client is there, and recent enough.
pub fn installed(client: Client) -> Diagnosis {
    match client.version {
        _ if !client.is_there => About::Client.warning("claude is not on PATH").remedy(INSTALL),
        None => About::Client
            .warning("claude is installed, and does not say which version it is")
            .command(CommandLine::of("claude --version")),
        Some(version) if version < TRIED => About::Client
            .warning(format!(
                "claude is {}, and the oldest that the guard's hooks were tried with is {}",
                dotted(version),
                dotted(TRIED)
            ))
            .command(CommandLine::of("claude update")),
        Some(version) => About::Client.ok(format!("claude {} is installed", dotted(version))),
    }
}

/// Judges whether the guard runs in the client's sessions here; nothing where there is no client
/// to trust anything.
pub fn trust(client: Client) -> Option<Diagnosis> {
    if client.is_guard_off {
        let message =
            "the settings of the client switch this plugin or all hooks off: no worker is guarded";
        let remedy = "take `disableAllHooks` out of them, or switch the plugin on";
        return Some(About::Trust.problem(message).remedy(remedy));
    }
    match (client.trusts, client.is_there) {
        (true, _) => Some(About::Trust.ok("the client trusts this repository")),
        (false, true) => Some(
            About::Trust
                .warning("the client was never told to trust this repository, so that each worker's session begins with that question")
                .remedy("start it here once and agree")
                .command(CommandLine::of("claude")),
        ),
        (false, false) => None,
    }
}

/// Says that a repository with a checkout is set to have none, which makes git answer nothing there.
pub fn not_bare(common: &Path) -> Diagnosis {
    About::Settings
        .problem("core.bare=true, and there is a checkout: git takes the repository to have none")
        .command(CommandLine::of("git --git-dir").path(common).and("config core.bare false"))
}

/// Judges whether tmux is installed.
pub fn tmux(is_there: bool) -> Diagnosis {
    match is_there {
        true => About::Tmux.ok("tmux is installed"),
        false => About::Tmux.note(
            "tmux is not installed: pw-setup launch prints commands, or starts background sessions",
        ),
    }
}

/// Judges the version of git, where it could be read.
pub fn git(version: Option<(u32, u32)>) -> Diagnosis {
    let (wanted, least) = OLDEST_GIT;
    match version {
        Some((major, minor)) if (major, minor) < OLDEST_GIT => About::Git
            .problem(format!("git {major}.{minor} is too old"))
            .remedy(format!("install {wanted}.{least} or newer")),
        Some((major, minor)) => About::Git.ok(format!("git {major}.{minor}")),
        None => About::Git
            .note("git does not say its version")
            .remedy(format!("it has to be {wanted}.{least} or newer")),
    }
}

/// Judges whether git knows who commits.
pub fn identity(is_known: bool) -> Diagnosis {
    match is_known {
        true => About::Identity.ok("git knows who commits"),
        false => About::Identity
            .problem("git does not know who commits, so that no worker can")
            .remedy("set both: git config --global user.name NAME, and user.email ADDRESS"),
    }
}

/// Judges the room for some worktrees: the bytes that they need together, and that are free.
pub fn disk(space: Option<[u64; 2]>, worktrees: usize) -> Diagnosis {
    let Some([needed, free]) = space else {
        return About::Disk.note("how much room worktrees need is not known in a partial clone");
    };
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let (needed_mib, free_mib) = (mib(needed), mib(free));
    match needed > free {
        true => About::Disk
            .problem(format!(
                "all worktrees need {needed_mib} MiB and {free_mib} MiB are free there"
            ))
            .remedy("make room, put `worktrees` elsewhere, or plan fewer workers"),
        false => About::Disk.ok(format!(
            "{} need {needed_mib} MiB before anything is built in them, and {free_mib} MiB are free",
            counted(worktrees, "worktree")
        )),
    }
}

/// Judges the repository's own hooks. `setup` is the plan's command for fresh worktrees.
pub fn hooks(hooks: &Hooks, setup: Option<&str>) -> Diagnosis {
    let names = hooks.names.join(", ");
    match &hooks.missing {
        Some(folder) => About::Hooks
            .warning(format!(
                "the repository's hooks ({names}) will not run in fresh worktrees: their folder \
                 `{folder}` is in no commit"
            ))
            .remedy(match setup {
                Some(_) => "unless `setup` makes it there",
                None => "name the command that makes it as `setup`, such as npm ci",
            }),
        None if names.is_empty() => About::Hooks.ok("the repository has no git hooks of its own"),
        None => About::Hooks.ok(format!("these run in each worker's worktree: {names}")),
    }
}

/// Judges the remote-tracking branch of the base, and how many commits it has that the base lacks.
pub fn behind(behind: Option<&(String, usize)>) -> Diagnosis {
    match behind {
        Some((upstream, commits)) if *commits > 0 => {
            let commits = counted(*commits, "commit");
            About::Remote
                .warning(format!(
                    "{upstream} has {commits} that the base lacks, as of the last fetch"
                ))
                .remedy("take them in, or workers start from what is old")
                .command(CommandLine::of("git merge --ff-only").word(upstream))
        }
        Some((upstream, _)) => About::Remote.ok(format!("the base has all that {upstream} has")),
        None => About::Remote.ok("the base follows no remote branch"),
    }
}

/// Judges the submodules that the base commit names.
pub fn submodules(submodules: &[RepoPath], setup: Option<&str>) -> Diagnosis {
    let Some(first) = submodules.first() else {
        return About::Submodules.ok("the repository has no submodules");
    };
    if setup.is_some_and(|setup| setup.contains("submodule")) {
        return About::Submodules.ok("`setup` fetches the submodules");
    }
    let modules = counted(submodules.len(), "submodule");
    About::Submodules
        .warning(format!(
            "{modules} of the repository, `{first}` first, will be empty in fresh worktrees"
        ))
        .remedy("if workers need them, `setup: git submodule update --init`")
}
