//! What a new worktree needs before a worker can work in it: ignored files and the setup command.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context as _, Result};
use pw_core::details::Ended;
use pw_core::failure::{Code, Failure};
use pw_core::id::WorkerId;
use pw_core::path::RepoPath;
use pw_core::plan::{Plan, Worker};
use pw_core::session::environment::environment;
use pw_core::setup;
use pw_core::setup::leavings::Leavings;
use pw_git::Repo;

use super::preflight::PlannedWorkflow;
use crate::command;
use crate::launcher;
use crate::output::Output;
use crate::workflow::recorded;

/// Lists patterns of ignored files to carry over, as the client reads it for its own worktrees.
const INCLUDE: &str = ".worktreeinclude";

/// Returns the ignored files of the user's checkout that the plan or `.worktreeinclude` names.
pub(crate) fn files_to_copy(repo: &Repo, plan: &Plan) -> Result<Vec<RepoPath>> {
    let has_include = source(repo).join(INCLUDE).is_file();
    if plan.copy.is_empty() && !has_include {
        return Ok(Vec::new());
    }
    let included = if has_include { repo.matching(INCLUDE)? } else { Vec::new() };
    let worktrees = RepoPath::from(plan.worktrees.as_str());
    let mut files = repo.ignored()?;
    // A name that ends in a slash is a repository of its own: not ours to copy.
    files.retain(|path| !path.as_bytes().ends_with(b"/"));
    files.retain(|path| {
        (plan.copy.owns(path) || included.contains(path)) && !worktrees.contains(path)
    });
    Ok(files)
}

/// Returns `PW_CHECKOUT` for the setup command: where `copy` takes files from. A relative path would
/// hold in workers' worktrees alone, since gates run elsewhere.
pub(crate) fn checkout(repo: &Repo) -> Option<(&'static str, String)> {
    Some(("PW_CHECKOUT", source(repo).to_str()?.to_owned()))
}

/// The folder files are copied from.
pub(crate) fn source(repo: &Repo) -> &Path {
    repo.checkout().map_or(repo.root(), |checkout| &checkout.path)
}

/// Copies files into a new worktree; what is there already stays.
pub(crate) fn copy(repo: &Repo, worktree: &Path, files: &[RepoPath]) -> Result<()> {
    for file in files {
        let name = file.to_path();
        let (from, to) = (source(repo).join(&name), worktree.join(&name));
        let about = from.symlink_metadata().with_context(|| format!("reading {file}"))?;
        if to.symlink_metadata().is_ok() {
            continue;
        }
        let folder = to.parent().context("a file has a folder")?;
        std::fs::create_dir_all(folder).with_context(|| format!("making the folder of {file}"))?;
        let copied = if about.is_symlink() {
            std::fs::read_link(&from).and_then(|target| std::os::unix::fs::symlink(target, &to))
        } else {
            std::fs::copy(&from, &to).map(drop)
        };
        copied.with_context(|| format!("copying {file}"))?;
    }
    Ok(())
}

/// Returns a port that nothing listens on now and no worker of this repository has.
pub(super) fn free_port(planned: &PlannedWorkflow, worker: &Worker) -> Option<u16> {
    let others = recorded(&planned.refs).into_iter();
    let others = others.filter_map(|(_, tip)| Some(planned.repo.record(&tip).ok()?.1.placements));
    let placements = others.chain([planned.record.placements.clone()]);
    let taken: BTreeSet<u16> =
        placements.flat_map(|placements| placements.into_values()).filter_map(|p| p.port).collect();
    let root = planned.repo.root().as_os_str().as_encoded_bytes();
    let binds = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    setup::port(root, &worker.label(), &|port| !taken.contains(&port) && binds(port))
}

/// Keeps out of `git status` what `setup` has put into new worktrees and no worker may commit;
/// returns what to tell of it, and of files that git itself sees changed there.
pub(super) fn settle(planned: &PlannedWorkflow, made: &BTreeSet<WorkerId>) -> Result<Vec<String>> {
    let PlannedWorkflow { repo, plan, .. } = planned;
    let mut found = Leavings::default();
    let new = plan.workers.iter().filter(|worker| made.contains(&worker.id));
    // Without `setup` all are alike.
    let looks = if plan.setup.is_some() { made.len() } else { 1 };
    for worker in new.take(looks) {
        found.extend(repo.leavings(&planned.worktree(worker))?);
    }
    if plan.setup.is_none() {
        // The user's own hooks may have made these.
        found.untracked.clear();
    }
    let remedy = found.remedy(plan);
    repo.exclude_each(&plan.workflow, &remedy.exclude)?;
    Ok(remedy.notes)
}

/// Runs the plan's setup command in a new worktree, its output kept beside the launcher.
pub(super) fn run_setup(
    planned: &PlannedWorkflow,
    worker: &Worker,
    port: Option<u16>,
) -> Result<()> {
    let Some(command) = &planned.plan.setup else { return Ok(()) };
    let log = launcher::folder(&planned.repo, &planned.plan, worker).join("setup.log");
    let environment =
        environment(&planned.plan, worker, port).into_iter().chain(checkout(&planned.repo));
    let code = command::run(command, &planned.worktree(worker), &log, environment)?;
    if code == Some(0) {
        return Ok(());
    }
    let message = format!("the setup command failed in the worktree of {}", worker.id);
    Err(Failure::new(Code::SetupFailed, message)
        .hint("correct `setup` in the plan or what it needs, then run the same command again")
        .details(Ended {
            worker: Some(worker.id.clone()),
            command: Some(command.clone()),
            exit_code: code,
            log: Some(log.to_string_lossy().into_owned()),
            output_tail: Output::of(&log).tail,
            ..Ended::default()
        })
        .into())
}
