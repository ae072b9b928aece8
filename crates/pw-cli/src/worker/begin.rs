//! What a launcher asks before it becomes the client: two sessions in one worktree would work
//! against each other, each without knowing of the other.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result};
use pw_core::failure::{Code, Failure};
use pw_core::id::WorkerId;
use pw_core::launch::LiveSession;
use pw_core::session::LaunchMode;

use crate::launcher;
use crate::processes;
use crate::session::{domain, facts, live_sessions, own, start_of};
use crate::shell::{Answer, Context as Shell};
use crate::workflow::Workflow;

/// Notes that a process becomes the session of the worker whose worktree this is; refuses while
/// another session lives there. A check that fails refuses, too.
pub(crate) fn begin(shell: &Shell, worker: &WorkerId, pid: u32) -> Answer {
    let said = |error: anyhow::Error| match error.downcast_ref::<Failure>() {
        Some(failure) => format!("parallel-workflows: {}: {}", failure.message, failure.hint),
        None => format!("parallel-workflows: {error:#}"),
    };
    let refusal = note(shell, worker, pid).err().map(said);
    Answer::Hook { stdout: String::new(), refusal }
}

fn note(shell: &Shell, id: &WorkerId, pid: u32) -> Result<()> {
    let (workflow, here) = Workflow::open_here(shell)?;
    if here != *id {
        let message = format!("this is the worktree of {here}, not of {id}");
        return Err(Failure::new(Code::NotAWorker, message)
            .hint("run pw-setup repair in the repository")
            .into());
    }
    // A worker's session starts no other one.
    own().require(&workflow.plan.workflow, id)?;
    let worker = workflow.worker(id)?;
    let folder = launcher::folder(&workflow.repo, &workflow.plan, worker);
    // Of two launchers at once, the second finds the note of the first.
    let lock = OpenOptions::new().create(true).append(true).open(folder.join("begin"));
    let lock = lock.context("opening the lock of sessions")?;
    lock.lock().context("waiting for another launcher")?;
    let (mut alive, _) = live_sessions(&workflow, &[worker], LaunchMode::Print, shell.now);
    // Where the system does not tell when a process began, its working folder tells whose it is.
    let unsure = facts(&workflow, &[worker], shell.now).into_iter().next();
    let unsure = unsure.filter(|facts| facts.alive.is_none()).and_then(|facts| facts.pid);
    let inside = || processes::inside(&workflow.worktree(worker)).unwrap_or_default();
    if let Some(pid) = unsure.filter(|pid| inside().contains(pid)) {
        alive.push(LiveSession {
            worker: id.clone(),
            pid: Some(pid),
            elsewhere: None,
            is_unseen: false,
            id: None,
            attach: None,
        });
    }
    pw_core::launch::refuse_live_sessions(&alive)?;
    // A program that a dead session left behind may hold the old lock: that proves nothing, since
    // here the process itself is seen.
    let _ = hold();
    launcher::replace(&folder.join("session"), &format!("{pid} {}\n{}", start_of(pid), domain()))
}

/// Locks what the launcher has for our stdin. The lock stays with the launcher, and with the client
/// it becomes, until that ends.
fn hold() -> Result<()> {
    let file = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    // A helper that asks whether the session is alive holds it for a moment.
    let is_held = (0..50).any(|_| {
        let is_held = file.try_lock().is_ok();
        if !is_held {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        is_held
    });
    anyhow::ensure!(is_held, "another process holds the lock of sessions");
    Ok(())
}
