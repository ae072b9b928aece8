//! The plan's remote: what other clones pushed there is fetched into refs of ours, and the record
//! follows it. Nothing else of this clone changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use pw_core::branch::Branch;
use pw_core::channel::{BRANCHES, adoption, asked, taken_away, tracking, travels};
use pw_core::failure::{Code, Failure};
use pw_core::id::{Oid, Slug};
use pw_core::next::Next;
use pw_core::plan::Plan;
use pw_core::record::Refs;
use pw_core::remote::RefChange;
use pw_core::time::rfc3339;
use pw_git::{Asked, Channel, Lock, Remote, Repo, Transaction};

use crate::recorded::{REFS, is_closed, of_record, recorded};
use crate::shell::Context;

/// How long one question to a remote may take, unless the plan says otherwise.
const LIMIT: Duration = Duration::from_secs(120);

/// Returns the plan's remote.
pub(crate) fn of(plan: &Plan) -> Option<Remote> {
    let limit = plan.remote_limit.and_then(|limit| u64::try_from(limit).ok());
    let limit = limit.filter(|limit| *limit > 0).map_or(LIMIT, Duration::from_secs);
    plan.remote.clone().map(|name| Remote { name, limit })
}

/// Returns the channel that a record is published through.
pub(crate) fn channel(plan: &Plan) -> Option<Channel> {
    of(plan).map(|remote| Channel::new(remote, plan.workflow.clone()))
}

/// Fetches, where the command line asks for it.
///
/// # Errors
///
/// `remote_failed` when the remote could not be asked; `usage` when the plan names none.
pub(crate) fn fetch_if_asked(context: &Context, name: Option<&str>) -> Result<()> {
    match context.fetch {
        true => Ok(fetch(context, name)?.map_err(Failure::from)?),
        false => Ok(()),
    }
}

/// Fetches what the plan's remote has of the named workflow, or of all open ones; in a clone
/// without any record, of all that `origin` has.
pub(crate) fn fetch(context: &Context, name: Option<&str>) -> Result<Asked<()>> {
    let (repo, refs) = open(context)?;
    let known = recorded(&refs);
    let is_wanted = |(slug, tip): &&(Slug, Oid)| match name {
        Some(name) => slug.as_str() == name,
        None => !is_closed(&refs, slug, tip),
    };
    let wanted: Vec<&(Slug, Oid)> = known.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let remote = default_remote(&repo)?;
        return discover(context, &repo, refs, &remote, name);
    }
    let plan = |(_, tip): &&(Slug, Oid)| Plan::recorded(&repo.plan_text(tip).ok()?).ok();
    let plans: Vec<Plan> = wanted.iter().filter_map(plan).collect();
    let mut remotes = plans.iter().filter_map(|plan| Some((plan, of(plan)?))).peekable();
    if remotes.peek().is_none() {
        return Err(no_remote(&wanted[0].0).into());
    }
    let mut taking = Taking { context, repo: &repo, refs };
    for (plan, remote) in remotes {
        if let Err(error) = taking.take(&remote, &plan.workflow, Some(plan))? {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// Fetches the record that another clone may have made of this plan.
pub(crate) fn fetch_plan(context: &Context, plan: &Plan) -> Result<Asked<()>> {
    let (repo, refs) = open(context)?;
    match of(plan) {
        Some(remote) => {
            Taking { context, repo: &repo, refs }.take(&remote, &plan.workflow, Some(plan))
        }
        None => Err(no_remote(&plan.workflow).into()),
    }
}

/// Fetches all records that `origin` has.
pub(crate) fn fetch_all(context: &Context) -> Result<Asked<()>> {
    let (repo, refs) = open(context)?;
    let remote = default_remote(&repo)?;
    discover(context, &repo, refs, &remote, None)
}

/// Opens the repository of a clone that may be partial.
fn open(context: &Context) -> Result<(Repo, BTreeMap<String, Oid>)> {
    let (mut repo, refs) = Repo::open_with_refs(&context.directory, REFS)?;
    repo.fetch_what_lacks();
    Ok((repo, refs))
}

pub(crate) fn no_remote(workflow: &Slug) -> Failure {
    Failure::new(Code::Usage, format!("the plan of {workflow} names no remote"))
        .hint("put `remote: origin` into the plan and create again, or go on without --fetch and --push")
        .next(Next::Status(workflow))
}

/// Returns `origin`, or else the first remote there is: no plan tells yet.
fn default_remote(repo: &Repo) -> Result<Remote> {
    let remotes = repo.remotes()?;
    let chosen = remotes.iter().find(|name| *name == "origin").or_else(|| remotes.first());
    let chosen = chosen.ok_or_else(|| {
        Failure::new(Code::Usage, "this repository has no remote to fetch from")
            .hint("add one with git remote add, or leave out --fetch")
            .next(Next::List)
    })?;
    Ok(Remote { name: chosen.clone(), limit: LIMIT })
}

/// Takes the records that a remote has.
fn discover(
    context: &Context,
    repo: &Repo,
    refs: BTreeMap<String, Oid>,
    remote: &Remote,
    name: Option<&str>,
) -> Result<Asked<()>> {
    let there = match repo.remote_refs(remote, &["refs/pw/".to_owned()])? {
        Ok(there) => there,
        Err(error) => return Ok(Err(error)),
    };
    let names = there.keys().filter_map(|full| of_record(full));
    let names = names.filter(|slug| name.is_none_or(|name| slug.as_str() == name));
    let mut taking = Taking { context, repo, refs };
    for slug in names {
        if let Err(error) = taking.take(remote, &slug, None)? {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// Fetching, and what is known here.
struct Taking<'a> {
    context: &'a Context,
    repo: &'a Repo,
    refs: BTreeMap<String, Oid>,
}

impl Taking<'_> {
    /// Takes what a remote has of one workflow.
    fn take(&mut self, remote: &Remote, slug: &Slug, plan: Option<&Plan>) -> Result<Asked<()>> {
        let mut prefixes = asked(slug);
        prefixes.push(BRANCHES.to_owned());
        let there = match self.repo.remote_refs(remote, &prefixes)? {
            Ok(there) => there,
            Err(error) => return Ok(Err(error)),
        };
        let record = Refs(slug).record();
        // The record first: its plan tells which branches are the workflow's.
        if let Err(error) = self.fetch(remote, &there, |name| name == record)? {
            return Ok(Err(error));
        }
        let newest = there.get(&record).map(|tip| self.repo.plan_text(tip)).transpose()?;
        let newest = newest.and_then(|text| Plan::recorded(&text).ok());
        let plans = newest.iter().chain(plan);
        let branches: BTreeSet<String> =
            plans.flat_map(|plan| &plan.workers).map(|worker| worker.branch().full()).collect();
        let is_its = |name: &str| name != record && travels(slug, name) || branches.contains(name);
        if let Err(error) = self.fetch(remote, &there, is_its)? {
            return Ok(Err(error));
        }
        self.keep_what_was_taken_away(&there, &branches)?;
        self.adopt(slug, &there)?;
        Ok(Ok(()))
    }

    /// Fetches those refs that are not here as they are there.
    fn fetch(
        &self,
        remote: &Remote,
        there: &BTreeMap<String, Oid>,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Asked<()>> {
        let is_new = |(name, tip): &(&String, &Oid)| self.refs.get(&tracking(name)) != Some(tip);
        let new = there.iter().filter(|(name, _)| is_wanted(name)).filter(is_new);
        let new: Vec<(String, String)> =
            new.map(|(name, _)| (name.clone(), tracking(name))).collect();
        self.repo.fetch_refs(remote, &new)
    }

    /// Keeps commits that the remote had, and has no more, under a name of their own.
    fn keep_what_was_taken_away(
        &self,
        there: &BTreeMap<String, Oid>,
        branches: &BTreeSet<String>,
    ) -> Result<()> {
        let moved: Vec<(&String, &Oid, &Oid)> = branches
            .iter()
            .filter_map(|name| Some((name, self.refs.get(&tracking(name))?, there.get(name)?)))
            .filter(|(_, old, new)| old != new)
            .collect();
        let old: Vec<&Oid> = moved.iter().map(|(_, old, _)| *old).collect();
        let new: Vec<&Oid> = moved.iter().map(|(.., new)| *new).collect();
        if moved.is_empty() || !self.repo.has_lost(&old, &new)? {
            return Ok(());
        }
        let mut transaction = Transaction::default();
        for (name, old, new) in moved {
            if !self.repo.contains(new, old)? {
                let Some(branch) = Branch::of_ref(name) else { continue };
                let kept = taken_away(&branch);
                transaction = transaction.set(&kept, old, self.refs.get(&kept));
            }
        }
        transaction.publish(self.repo)
    }

    /// Moves the record and what goes with it forward to what the remote has, where that contains
    /// ours. What another clone does not know yet is published by the next command that writes.
    fn adopt(&self, slug: &Slug, there: &BTreeMap<String, Oid>) -> Result<()> {
        let record = Refs(slug).record();
        let (ours, theirs) = (self.refs.get(&record), there.get(&record));
        let Some(theirs) = theirs.filter(|theirs| Some(*theirs) != ours) else { return Ok(()) };
        if let Some(ours) = ours
            && !self.repo.contains(theirs, ours)?
        {
            return Ok(());
        }
        // A helper that writes at this moment asks the remote itself.
        let (command, now) = (&self.context.command, rfc3339(self.context.now));
        let Ok(_lock) = Lock::take(self.repo.common(), command, &now) else {
            return Ok(());
        };
        let integration = Branch::integration(slug);
        let is_held = self.repo.checkout_of(&integration).is_some();
        let mut transaction = Transaction::default();
        for RefChange { name, new, old } in adoption(slug, &self.refs, there) {
            transaction = match (new, old) {
                _ if is_held && name == integration.full() => transaction,
                (Some(new), old) => transaction.set(&name, &new, old.as_ref()),
                (None, Some(old)) => transaction.delete(&name, &old),
                (None, None) => transaction,
            };
        }
        // Of two that take it at once, the other one did.
        transaction.commit(self.repo).map(drop)
    }
}
