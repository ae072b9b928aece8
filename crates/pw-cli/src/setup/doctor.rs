//! `pw-setup doctor`: what this machine, this repository and the client lack, a line each with what
//! helps. Writes nothing, but for the client's permissions where the user asks for it.

mod client;
mod leftovers;

use anyhow::Result;
use clap::Args;
use pw_core::configured_hooks::ConfiguredHooks;
use pw_core::diagnosis::{self, About, Diagnosis, Origin};
use pw_core::doctor;
use pw_core::failure::Failure;
use pw_core::id::Oid;
use pw_core::message_hooks::warning;
use pw_core::plan::Plan;
use pw_git::Repo;

use super::{message_hooks, prerequisites};
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::read_refs;

/// A plan like any other, for what depends on one.
const PLAN: &str = "workflow: doctor\nworkers: [{id: task-1, name: doctor, owns: [doctor]}]\n";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// How many worktrees there has to be room for
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    worktrees: usize,
    /// Do not try the repository's message hooks
    #[arg(long)]
    no_trial: bool,
    /// Let sessions in this repository run the helpers without a question: write the rules that are
    /// listed as missing into .claude/settings.local.json
    #[arg(long)]
    pub(super) fix_permissions: bool,
}

pub(super) fn doctor(context: &Context, options: &Options) -> Result<Answer> {
    let mut findings = vec![helpers(), diagnosis::tmux(which::which("tmux").is_ok())];
    let mut permissions = None;
    match Repo::open(&context.directory) {
        Ok(repo) => {
            let mut allowed = client::allowed(&repo);
            if options.fix_permissions {
                client::allow(&repo, &mut allowed)?;
            }
            findings.extend(client::diagnoses(Some(&repo)));
            findings.push(allowed.diagnosis());
            let (settings, git) = (repo.settings()?, repo.git_version()?);
            let configured = ConfiguredHooks { settings: &settings, git };
            findings.extend(of_git(&repo, configured)?);
            findings.extend(of_repository(context, &repo, options, configured)?);
            permissions = Some(allowed);
        }
        Err(error) if options.fix_permissions => return Err(error),
        Err(error) => {
            findings.extend(client::diagnoses(None));
            findings.push(unopened(&error));
        }
    }
    Answer::of(&doctor::report(findings, permissions), |found| {
        view::doctor(found, context.is_whole)
    })
}

/// Says why there is no repository to look at.
fn unopened(error: &anyhow::Error) -> Diagnosis {
    match error.downcast_ref::<Failure>() {
        Some(failure) => {
            let problem = About::Repository.problem(&failure.message).remedy(&failure.hint);
            failure.next.clone().into_iter().fold(problem, Diagnosis::command)
        }
        None => About::Repository.problem(format!("{error:#}")),
    }
}

fn helpers() -> Diagnosis {
    // The cache of the wrapper: `bin/pw` and, beside `bin`, what it is.
    let stamp = std::env::current_exe().ok().and_then(|program| {
        std::fs::read_to_string(program.parent()?.with_file_name("stamp")).ok()
    });
    let mut lines = stamp.iter().flat_map(|stamp| stamp.lines());
    let origin = match (lines.next(), lines.next()) {
        (Some(from), Some("built")) => {
            let home = std::env::home_dir().map(|home| home.join(".cargo/bin/cargo"));
            let has_cargo =
                which::which("cargo").is_ok() || home.is_some_and(|cargo| cargo.is_file());
            Origin::Built { from: from.to_owned(), has_cargo }
        }
        (Some(_), Some(_)) => Origin::Packaged,
        _ => Origin::Other,
    };
    diagnosis::helpers(&origin, env!("CARGO_PKG_VERSION"))
}

fn of_git(repo: &Repo, found: ConfiguredHooks<'_>) -> Result<Vec<Diagnosis>> {
    let ConfiguredHooks { settings, git } = found;
    let mut found =
        vec![diagnosis::git(git), diagnosis::identity(repo.knows_author(repo.place())?)];
    found.extend(diagnosis::settings::settings(settings));
    let has_files = repo.common().ends_with(".git") && repo.common().join("index").is_file();
    if has_files && repo.worktrees().first().is_some_and(|main| main.bare) {
        found.push(diagnosis::not_bare(repo.common()));
    }
    Ok(found)
}

fn of_repository(
    context: &Context,
    repo: &Repo,
    options: &Options,
    configured: ConfiguredHooks<'_>,
) -> Result<Vec<Diagnosis>> {
    let refs = read_refs(repo)?;
    let mut found = leftovers::locks(context, repo);
    found.extend(leftovers::of_workflows(context, repo, &refs)?);
    let (branch, base) = match repo.head() {
        Ok(head) => head,
        Err(error) => {
            found.push(unopened(&error));
            return Ok(found);
        }
    };
    found.push(About::Repository.ok(format!("{}", repo.root().display())));
    let behind = branch.as_ref().map(|branch| repo.behind_remote(branch)).transpose()?.flatten();
    let plan = Plan::parse(PLAN)?;
    let space = prerequisites::space(repo, &base, &plan.worktrees, options.worktrees)?;
    let modules = prerequisites::submodules(repo, &base)?;
    found.push(diagnosis::disk(space, options.worktrees));
    found.push(diagnosis::behind(behind.as_ref()));
    found.push(diagnosis::submodules(&modules, None));
    let hooks = prerequisites::hooks(repo, &base, &[], configured)?;
    found.push(diagnosis::hooks(&hooks, None));
    if !options.no_trial && !hooks.names.is_empty() {
        context.progress("trying the message hooks");
        found.extend(tried(repo, &plan, &base, configured));
    }
    Ok(found)
}

/// Tries the repository's message hooks on signals, if it has some.
fn tried(
    repo: &Repo,
    plan: &Plan,
    base: &Oid,
    configured: ConfiguredHooks<'_>,
) -> Option<Diagnosis> {
    match message_hooks::tried(repo, plan, base, configured) {
        Ok(found) => found.map(|found| match warning(&found) {
            Some(warning) => About::Hooks.warning(warning),
            None => About::Hooks.ok("the message hooks let signals pass"),
        }),
        Err(error) => {
            Some(About::Hooks.note(format!("the message hooks could not be tried: {error:#}")))
        }
    }
}
