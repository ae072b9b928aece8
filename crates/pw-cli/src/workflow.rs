//! One workflow of a repository: its plan, its record, its refs and its worktrees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use pw_core::branch::Branch;
use pw_core::channel::{Channel, RecordAt, Tip, newest, taken_away, tracking};
use pw_core::details::{Misplaced, Workflows};
use pw_core::failure::{Code, Failure};
use pw_core::history::History;
use pw_core::id::{Oid, Slug, WorkerId};
use pw_core::next::{CommandLine, Next};
use pw_core::plan::{Plan, Worker};
use pw_core::record::{Record, Refs};
use pw_core::session::LaunchMode;
use pw_core::status::Places;
use pw_core::time::rfc3339;
use pw_git::{GitError, Journal, Lock, Remote, Repo, Worktree};

use crate::identity;
use crate::launcher;
use crate::recorded::REFS;
pub(crate) use crate::recorded::{is_closed, read_refs, recorded};
use crate::remote;
use crate::shell::Context;

/// A recorded workflow.
#[derive(Debug)]
pub(crate) struct Workflow {
    pub(crate) repo: Repo,
    pub(crate) plan: Plan,
    pub(crate) plan_text: String,
    pub(crate) record: Record,
    pub(crate) record_tip: Oid,
    /// All branches and refs of ours, by full name.
    pub(crate) refs: BTreeMap<String, Oid>,
    /// By worker: the newest tip of here and the plan's remote; empty when the plan names none.
    tips: BTreeMap<WorkerId, Tip>,
    /// How the plan's remote stands to this clone; `None` when the plan names none.
    pub(crate) channel: Option<Channel>,
}

impl Workflow {
    /// Opens the named workflow, or the only open one, or the only one there is.
    pub(crate) fn open(context: &Context, name: Option<&str>) -> Result<Self> {
        remote::fetch_if_asked(context, name)?;
        let (repo, refs) = Repo::open_with_refs(&context.directory, REFS)?;
        Self::choose(repo, refs, name)
    }

    /// Opens a workflow, with what its remote has if that is asked for. The user can look also
    /// while the remote does not answer, which is told.
    pub(crate) fn open_to_look(context: &Context, name: Option<&str>) -> Result<Self> {
        let asked = context.fetch.then(|| remote::fetch(context, name)).transpose()?;
        let opened = Self::open(&context.without_fetch(), name);
        let Some(asked) = asked else { return opened };
        let mut workflow = match (opened, &asked) {
            (Err(_), Err(error)) => return Err(Failure::from(error.clone()).into()),
            (opened, _) => opened?,
        };
        if let Some(channel) = &mut workflow.channel {
            channel.fetched = asked.is_ok();
            let error = asked.err();
            channel.trouble = error.as_ref().map(|error| error.trouble);
            channel.said = error.map(|error| error.said);
        }
        Ok(workflow)
    }

    /// The same as [`Self::open`] for a writer: no other helper changes anything as long as the lock is held.
    pub(crate) fn open_alone(context: &Context, name: Option<&str>) -> Result<(Self, Lock)> {
        remote::fetch_if_asked(context, name)?;
        let (directory, now) = (&context.directory, rfc3339(context.now));
        let (repo, refs, lock) = Repo::open_alone(directory, REFS, &context.command, &now)?;
        Ok((Self::choose(repo, refs, name)?, lock))
    }

    fn choose(repo: Repo, refs: BTreeMap<String, Oid>, name: Option<&str>) -> Result<Self> {
        let mut known = recorded(&refs);
        let is_open = |(name, tip): &(Slug, Oid)| !is_closed(&refs, name, tip);
        if name.is_none() && known.iter().any(is_open) {
            known.retain(is_open);
        }
        let (_, tip) = choose(&known, name)?.clone();
        Self::load(repo, refs, tip)
    }

    /// Opens the workflow whose worker's worktree the helper was started in.
    pub(crate) fn open_here(context: &Context) -> Result<(Self, WorkerId)> {
        remote::fetch_if_asked(context, None)?;
        let (repo, refs) = Repo::open_with_refs(&context.directory, REFS)?;
        let Some(worktree) = repo.worktree_at(&context.directory).cloned() else {
            return Err(Self::not_here(&repo, &refs, &context.directory).into());
        };
        if repo.is_worktree_of_its_own(&worktree.path) {
            for workflow in Self::candidates(&repo, &refs, &worktree) {
                let mut workers = workflow.plan.workers.iter();
                let here = workers.find(|worker| workflow.entry(worker) == Some(&worktree));
                if let Some(id) = here.map(|worker| worker.id.clone()) {
                    return Ok((workflow, id));
                }
            }
        }
        Err(Self::not_here(&repo, &refs, &context.directory).into())
    }

    /// Opens the workflows that can have made a worktree. Another one's unreadable record is not
    /// this worker's trouble.
    fn candidates<'a>(
        repo: &'a Repo,
        refs: &'a BTreeMap<String, Oid>,
        worktree: &Worktree,
    ) -> impl Iterator<Item = Self> + 'a {
        let names = identity::candidates(repo, worktree).into_iter();
        names.filter_map(|name| {
            let tip = refs.get(&Refs(&name).record())?.clone();
            Self::load(repo.clone(), refs.clone(), tip).ok()
        })
    }

    /// Returns why a folder has no worker: it is in no worker's worktree, or in one that is not
    /// where it was made.
    fn not_here(repo: &Repo, refs: &BTreeMap<String, Oid>, directory: &Path) -> Failure {
        // What a folder is linked to says more than where it lies: two may be exchanged.
        let listed = repo.worktree_at(directory).cloned();
        let listed = listed.map(|listed| (listed.path.clone(), listed));
        for (folder, worktree) in [repo.linked(directory), listed].into_iter().flatten() {
            for workflow in Self::candidates(repo, refs, &worktree) {
                let is_made = |worker: &&Worker| workflow.record.is_made(&worker.id);
                let its = |worker: &&Worker| workflow.is_made_as(worker, &worktree);
                let worker = workflow.plan.workers.iter().filter(is_made).find(its);
                if let Some(worker) = worker {
                    return workflow.misplaced(worker, &folder);
                }
            }
        }
        let message = format!("{} is in no worker's worktree", directory.display());
        Failure::new(Code::NotAWorker, message)
            .hint("run this in the worktree of a worker, or name the folder with -C")
            .next(Next::List)
    }

    /// Returns whether a worktree was made as a worker's: its lock says so, or its branch where the
    /// user has unlocked it.
    fn is_made_as(&self, worker: &Worker, worktree: &Worktree) -> bool {
        match identity::owner(worktree) {
            Some((workflow, id)) => workflow == self.plan.workflow && id == worker.id,
            None => worktree.branch == Some(worker.branch()),
        }
    }

    /// Refuses to work in a worker's worktree that is not where it was made. `details.worker` names
    /// the worker.
    fn misplaced(&self, worker: &Worker, folder: &Path) -> Failure {
        let (id, place, name) = (&worker.id, self.worktree(worker), &self.plan.workflow);
        let refuse = |message: String| {
            let place = place.to_string_lossy().into_owned();
            let (workflow, worker) = (name.clone(), id.clone());
            Failure::new(Code::NotAWorker, message).details(Misplaced { workflow, worker, place })
        };
        let (here, shown) = (folder.display(), place.display());
        if self.repo.is_worktree_of_its_own(&place) && self.repo.is_copy(folder, &place) {
            return refuse(format!(
                "{here} is a copy of the worktree of {id}, and git takes both for one"
            ))
            .hint(format!(
                "work in {shown}; carry over what only the copy has, then cut its link: {}",
                CommandLine::of("rm").path(&folder.join(".git"))
            ))
            .next(Next::Brief.at(&place));
        }
        refuse(format!(
            "the worktree of {id} is not where git has it: it was moved, or its link is broken"
        ))
        .hint("repair it, then run the same command again")
        .next(Next::Repair(Some(name)))
    }

    /// Opens the workflow whose record has this newest commit.
    pub(crate) fn load(repo: Repo, refs: BTreeMap<String, Oid>, tip: Oid) -> Result<Self> {
        let (plan_text, mut record, plan) = read_record(&repo, &refs, &tip)?;
        identity::follow_base(&repo, &mut record, &refs)?;
        let repo = repo.uniting(plan.union.clone());
        let (tips, channel) = (BTreeMap::new(), None);
        let mut workflow =
            Self { repo, plan, plan_text, record, record_tip: tip, refs, tips, channel };
        if let Some(remote) = remote::of(&workflow.plan) {
            workflow.repo.fetch_what_lacks();
            workflow.compare(remote)?;
        }
        Ok(workflow)
    }

    /// Compares this clone with what the plan's remote had when it was asked last.
    fn compare(&mut self, remote: Remote) -> Result<()> {
        let Self { repo, plan, record, refs, .. } = &*self;
        let known = plan.workers.iter().filter(|worker| record.has(&worker.id));
        let workers: Vec<&Worker> = known.collect();
        let ends: Vec<[Option<&Oid>; 3]> = workers
            .iter()
            .map(|worker| {
                let branch = worker.branch();
                let there = refs.get(&tracking(&branch.full()));
                [self.own_tip(worker), there, refs.get(&taken_away(&branch))]
            })
            .collect();
        let contains = Containment::read(repo, &record.base, &ends);
        let tips = ends.iter().map(|[own, there, before]| {
            newest(*own, *there, *before, |new, old| contains.tell(new, old))
        });
        let tips: Vec<Option<Tip>> = tips.collect();
        let tips = workers.iter().zip(tips);
        let tips = tips.filter_map(|(worker, tip)| Some((worker.id.clone(), tip?))).collect();
        let ours = &self.record_tip;
        let record = match refs.get(&tracking(&Refs(&plan.workflow).record())) {
            None => RecordAt::Missing,
            Some(theirs) if theirs == ours => RecordAt::Same,
            Some(theirs) if contains.tell(ours, theirs) => RecordAt::Ahead,
            Some(theirs) if contains.tell(theirs, ours) => RecordAt::Behind,
            Some(_) => RecordAt::Diverged,
        };
        let (fetched, trouble, said) = (false, None, None);
        let channel = Channel { name: remote.name, fetched, record, trouble, said };
        (self.tips, self.channel) = (tips, Some(channel));
        Ok(())
    }

    /// Returns whether a worker's newest session was started in this way.
    pub(crate) fn is_launched(&self, worker: &WorkerId, how: LaunchMode) -> bool {
        self.record.launches.get(worker).is_some_and(|launch| launch.how == how)
    }

    /// Returns whether the plan's remote was asked just now, and answered.
    pub(crate) fn has_fetched(&self) -> bool {
        self.channel.as_ref().is_some_and(|channel| channel.fetched)
    }

    /// Returns git's entry for a worker's worktree, if this workflow made it.
    pub(crate) fn entry(&self, worker: &Worker) -> Option<&Worktree> {
        let path = self.worktree(worker);
        let entry = self.repo.worktrees().iter().find(|worktree| worktree.path == path)?;
        let is_own = !identity::is_others(entry, &self.plan.workflow, &worker.id)
            && !identity::is_users(&self.repo, entry, &worker.branch());
        (self.record.has(&worker.id) && is_own).then_some(entry)
    }

    /// Returns the newest tip of a worker's branch, here or on the plan's remote.
    pub(crate) fn tip(&self, worker: &Worker) -> Option<&Oid> {
        match self.tips.get(&worker.id) {
            Some(tip) => Some(&tip.commit),
            None => self.own_tip(worker),
        }
    }

    /// Returns where that tip is; `None` when the plan names no remote.
    pub(crate) fn tip_from(&self, worker: &Worker) -> Option<&Tip> {
        self.tips.get(&worker.id)
    }

    /// Returns the tip of a worker's branch here, if this workflow made it: a branch of this name in a
    /// worktree of another workflow, for example, is not this worker's.
    pub(crate) fn own_tip(&self, worker: &Worker) -> Option<&Oid> {
        let (path, branch) = (self.worktree(worker), worker.branch());
        let is_its =
            |entry: &&Worktree| entry.path == path || entry.branch.as_ref() == Some(&branch);
        let mut entries = self.repo.worktrees().iter().filter(is_its);
        let is_taken = entries.any(|entry| identity::is_of_another(entry, &self.plan.workflow));
        self.branch(&branch).filter(|_| self.record.has(&worker.id) && !is_taken)
    }

    /// Returns the folder of a worker's worktree.
    pub(crate) fn worktree(&self, worker: &Worker) -> PathBuf {
        self.repo.root().join(self.plan.worktree(worker))
    }

    /// Returns the commit of a branch.
    pub(crate) fn branch(&self, branch: &Branch) -> Option<&Oid> {
        self.refs.get(&branch.full())
    }

    /// Returns where the base branch is; `None` when it is gone, or there never was one.
    pub(crate) fn base_tip(&self) -> Option<&Oid> {
        self.record.base_branch.as_ref().and_then(|branch| self.branch(branch))
    }

    /// Returns the commit of the integration branch, or of what it was when the workflow was closed.
    pub(crate) fn integration(&self) -> Option<&Oid> {
        let names = Refs(&self.plan.workflow);
        let closed = self.is_closed().then(|| names.integrated());
        let branch = self.refs.get(&names.integration());
        branch.or_else(|| self.refs.get(&closed?))
    }

    pub(crate) fn is_closed(&self) -> bool {
        is_closed(&self.refs, &self.plan.workflow, &self.record_tip)
    }

    /// Returns the named worker.
    pub(crate) fn worker(&self, id: &WorkerId) -> Result<&Worker> {
        let ids: Vec<String> = self.plan.ids().map(ToString::to_string).collect();
        let unknown = || {
            Failure::new(Code::UnknownWorker, format!("there is no worker {id}"))
                .hint(format!("name one of: {}", ids.join(", ")))
                .next(Next::Status(&self.plan.workflow))
        };
        Ok(self.plan.worker(id).ok_or_else(unknown)?)
    }

    /// Opens the record to append events.
    pub(crate) fn journal(&self) -> Result<Journal> {
        let tip = Some(self.record_tip.clone());
        let author = self.repo.author()?;
        let journal = Journal::new(&self.repo, author, &self.plan.workflow, tip, &self.plan_text)?;
        Ok(journal.through(remote::channel(&self.plan)))
    }
}

/// Which tips of workers contain which others: read at once, where any differ.
struct Containment<'a> {
    repo: &'a Repo,
    base: &'a Oid,
    history: Option<History>,
}

impl<'a> Containment<'a> {
    fn read(repo: &'a Repo, base: &'a Oid, ends: &[[Option<&Oid>; 3]]) -> Self {
        let different = ends.iter().filter(|ends| {
            let mut known = ends.iter().flatten();
            known.next().is_some_and(|first| known.any(|other| other != first))
        });
        let tips: Vec<&Oid> = different.flatten().flatten().copied().collect();
        // Where a commit is not in this clone, each pair is asked for alone.
        let walk = || repo.history(tips.iter().copied(), base).ok().map(History::new);
        let history = (!tips.is_empty()).then(walk).flatten();
        Self { repo, base, history }
    }

    fn tell(&self, new: &Oid, old: &Oid) -> bool {
        let is_known = |history: &&History| {
            [new, old].iter().all(|oid| *oid == self.base || history.commit(oid).is_some())
        };
        match self.history.as_ref().filter(is_known) {
            Some(history) => history.contains(new, old),
            None => self.repo.contains(new, old).unwrap_or(false),
        }
    }
}

/// Returns what a record holds: the plan's text, the events, the plan.
///
/// # Errors
///
/// `record_unreadable`.
pub(crate) fn read_record(
    repo: &Repo,
    refs: &BTreeMap<String, Oid>,
    tip: &Oid,
) -> Result<(String, Record, Plan)> {
    let read = || {
        let (text, record) = repo.record(tip)?;
        let plan = Plan::recorded(&text)?;
        Ok((text, record, plan))
    };
    read().map_err(|error| unreadable(refs, tip, error))
}

/// Returns the refusal of a record that git has, and we cannot read.
fn unreadable(refs: &BTreeMap<String, Oid>, tip: &Oid, error: anyhow::Error) -> anyhow::Error {
    let why = match error.downcast_ref::<Failure>() {
        Some(failure) => failure.message.clone(),
        None if error.downcast_ref::<GitError>().is_some() => return error,
        None => format!("{error:#}"),
    };
    let name = refs.iter().find(|(name, at)| *at == tip && name.ends_with("/record"));
    let name = name.map_or(tip.as_str(), |(name, _)| name.as_str());
    Failure::new(Code::RecordUnreadable, format!("{name} cannot be read: {why}"))
        .hint(
            "a newer release may have written it: update this one; if another program did, put the ref \
             back to the newest commit below that is whole, with git update-ref",
        )
        .next(CommandLine::of("git log --oneline").word(name))
        .into()
}

impl Places for Workflow {
    fn launch(&self, worker: &Worker) -> CommandLine {
        let is_elsewhere = self.own_tip(worker).is_none() && self.tips.contains_key(&worker.id);
        if is_elsewhere {
            return Next::Join { worker: &worker.id, workflow: &self.plan.workflow }.into();
        }
        launcher::command(&self.repo, &self.plan, worker).command
    }

    fn worktree(&self, worker: &Worker) -> PathBuf {
        self.worktree(worker)
    }
}

fn choose<'a>(known: &'a [(Slug, Oid)], name: Option<&str>) -> Result<&'a (Slug, Oid)> {
    let names: Vec<&str> = known.iter().map(|(slug, _)| slug.as_str()).collect();
    if let Some(name) = name {
        return known.iter().find(|(slug, _)| slug.as_str() == name).ok_or_else(|| {
            Failure::new(
                Code::UnknownWorkflow,
                format!("there is no workflow {name:?} in this repository"),
            )
            .hint(if names.is_empty() {
                "create one from a plan".to_owned()
            } else {
                format!("name one of: {}", names.join(", "))
            })
            .next(Next::List)
            .into()
        });
    }
    match known {
        [only] => Ok(only),
        [] => Err(Failure::new(Code::UnknownWorkflow, "there is no workflow in this repository")
            .hint("write a plan, as the help of pw-setup check shows one; then pw-setup create")
            .next(Next::Help { helper: "pw-setup", verb: Some("check") })
            .into()),
        _ => Err(Failure::new(
            Code::AmbiguousWorkflow,
            format!("there are several workflows: {}", names.join(", ")),
        )
        .hint("to launch, add --workflow NAME; for any other command, NAME as its last argument")
        .next(Next::List)
        .details(Workflows { workflows: known.iter().map(|(slug, _)| slug.clone()).collect() })
        .into()),
    }
}
