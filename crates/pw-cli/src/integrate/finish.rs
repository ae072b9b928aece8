//! Landing the integration branch on the base branch, or proposing that to a forge.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use pw_core::branch::Branch;
use pw_core::conflict::FileConflict;
use pw_core::details::Present;
use pw_core::failure::{Code, Failure};
use pw_core::finish::{self, Finished, Landed, LandingMode, Share};
use pw_core::gate::GateMode;
use pw_core::gate_report::GateReport;
use pw_core::history::CommitRange;
use pw_core::id::{Oid, WorkerId};
use pw_core::integration;
use pw_core::moved_edit::Moving;
use pw_core::next::{CommandLine, Next, NextStep, Way};
use pw_core::record::{Event, RunOptions};
use pw_core::status::{WorkerStatus, taken_back};
use pw_git::{MergeOutcome, Pair, Transaction, Worktree, unshallow};

use super::base_checkout::BaseCheckout;
use super::chain::own_result;
use super::gate::Gatekeeper;
use super::pull_request::{self, Proposal};
use super::squash;
use crate::facts::Worktrees;
use crate::landed;
use crate::moved_edits::carried;
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::Workflow;

/// What was asked for.
pub(super) struct Options {
    pub(super) mode: LandingMode,
    /// The paragraphs of the message of a squash.
    pub(super) message: Vec<String>,
    pub(super) pull_request: bool,
    /// Land without any test.
    pub(super) no_gate: bool,
    pub(super) without: Vec<WorkerId>,
}

/// What stands in the way, gathered: each of it would otherwise be found after the one before it
/// was removed.
#[derive(Default)]
struct Obstacles(Vec<Failure>);

impl Obstacles {
    /// Returns what was found out, or takes down why it was refused.
    fn note<T, E: Into<anyhow::Error>>(&mut self, found: Result<T, E>) -> Result<Option<T>> {
        match found.map_err(|error| error.into().downcast::<Failure>()) {
            Ok(found) => Ok(Some(found)),
            Err(Ok(failure)) => {
                self.0.push(failure);
                Ok(None)
            }
            Err(Err(error)) => Err(error),
        }
    }

    fn refuse(&mut self) -> Result<()> {
        let refused = finish::together(std::mem::take(&mut self.0));
        refused.map_or(Ok(()), |failure| Err(failure.into()))
    }
}

pub(super) fn finish(context: &Context, name: Option<&str>, options: Options) -> Result<Answer> {
    let (workflow, _lock) = Workflow::open_alone(context, name)?;
    let mut obstacles = Obstacles::default();
    obstacles.note(require_nothing_stopped(&workflow))?;
    let result = obstacles.note(require_result(&workflow))?;
    let base = obstacles.note(require_base(&workflow))?;
    let Some((result, base)) = result.zip(base) else {
        return Err(obstacles.refuse().err().context("neither a result nor why there is none")?);
    };
    let finish = Finish::new(&workflow, context, options, (result, base), &mut obstacles)?;
    let has_landed = finish.has_landed()?;
    if !has_landed {
        obstacles.note(finish.require_something_new())?;
        if !finish.options.pull_request {
            finish.look_ahead(&mut obstacles)?;
        }
    }
    obstacles.refuse()?;
    let answer = match finish.options.pull_request {
        _ if has_landed => finish.take_note()?,
        true => finish.propose()?,
        false => finish.land()?,
    };
    Answer::of(&answer, view::finished)
}

/// What is to land, and where.
pub(super) struct Finish<'a> {
    pub(super) workflow: &'a Workflow,
    context: &'a Context,
    options: Options,
    signals: BTreeMap<WorkerId, Vec<String>>,
    states: Vec<WorkerStatus>,
    /// The base branch, and where it is.
    pub(super) base: Branch,
    before: Oid,
    /// What is to land.
    result: Oid,
    /// The commit of the base branch that has the same by content, if one has.
    landed_as: Option<Oid>,
    /// Whether we made that commit.
    is_squashed: bool,
    /// The newest merge below the result of which the same is true.
    landed_before: Option<Oid>,
    newer: Vec<WorkerId>,
    keeper: Gatekeeper<'a>,
    /// What the gates said.
    gate: Option<GateReport>,
}

impl<'a> Finish<'a> {
    fn new(
        workflow: &'a Workflow,
        context: &'a Context,
        options: Options,
        (result, (base, before)): (Oid, (Branch, Oid)),
        obstacles: &mut Obstacles,
    ) -> Result<Self> {
        for id in &options.without {
            workflow.worker(id)?;
        }
        let facts = workflow.facts(context.now, Worktrees::None)?;
        let plan = &workflow.plan;
        let board = workflow.board(&facts);
        let landed_as = facts.landed_as.get(&result).cloned();
        // What the user squashed does not name the result.
        let squash = landed_as.as_ref().and_then(|commit| facts.history.commit(commit));
        let is_squashed = squash.is_some_and(|commit| finish::is_squash_of(commit, &result));
        let is_ahead = facts.history.contains(&result, &before);
        let landed_before = match is_ahead {
            true => None,
            false => landed::merge_base(workflow, &facts, &before, &result)?,
        };
        let range = [&result, &before];
        let left_out =
            finish::require_left_out(plan, &board.work, &facts.history, range, &options.without);
        obstacles.note(left_out)?;
        let (signals, states) = (board.signals(|_| None), board.states);
        let is_merged = |id: &WorkerId| workflow.record.merged.contains_key(id);
        let newer = finish::require_all_merged(plan, &states, &is_merged, &options.without);
        let newer = obstacles.note(newer)?.unwrap_or_default();
        let mode = options.no_gate.then_some(GateMode::None);
        let run = RunOptions { gate: mode, ..RunOptions::default() };
        let mut keeper = Gatekeeper::new(workflow, context, &run)?;
        keeper.notes.extend(match facts.reverted.get(&result) {
            Some(reverted) => vec![reverted.note("all of this")],
            None => taken_back(&states, is_merged),
        });
        let gate = None;
        Ok(Self {
            workflow,
            context,
            options,
            signals,
            states,
            base,
            before,
            result,
            landed_as,
            is_squashed,
            landed_before,
            newer,
            keeper,
            gate,
        })
    }

    /// Returns whether the base has the result: as commits, or as what we squashed before.
    fn has_landed(&self) -> Result<bool> {
        // By what git prints, which an exit code alone cannot pass for: the answer is recorded.
        let common = self.workflow.repo.merge_base(&self.result, &self.before)?;
        Ok(self.is_squashed || common.as_ref() == Some(&self.result))
    }

    /// Returns the refusal of a base branch with these conflicts.
    fn conflict(&self, conflicts: Vec<FileConflict>) -> Failure {
        let Workflow { repo, plan, .. } = self.workflow;
        let checkout = repo.main_checkout().unwrap_or(repo.root());
        let place = repo.root().join(&plan.worktrees).join("_landing");
        finish::conflict(plan, &self.base, conflicts, checkout, &place)
    }

    /// Takes down what would stop the landing later.
    fn look_ahead(&self, obstacles: &mut Obstacles) -> Result<()> {
        let Workflow { repo, plan, .. } = self.workflow;
        let is_ahead = repo.is_ancestor(&self.before, &self.result)?;
        // The merge that the user is asked for where there is no fast-forward, too: resolved, it makes one.
        let can_merge = !is_ahead && self.options.mode != LandingMode::FastForward;
        let conflicts = if can_merge { self.merge_result()?.of_git() } else { Vec::new() };
        let has_conflicts = !conflicts.is_empty();
        if has_conflicts {
            obstacles.0.push(self.conflict(conflicts));
        } else {
            obstacles.note(finish::landing(plan, &self.base, is_ahead, self.options.mode))?;
        }
        if self.options.mode == LandingMode::Squash && self.options.message.is_empty() {
            let message = "the one commit needs a message, and there is no terminal for an editor";
            let refused = Failure::new(Code::Usage, message)
                .hint("give it with -m, once for each paragraph, in the user's words");
            obstacles.note(self.context.require_terminal("").map_err(|_| refused))?;
        }
        if let Some(checkout) = repo.checkout_of(&self.base) {
            repo.put_back_written(&checkout.path)?;
            obstacles.note(self.require_quiet(checkout, is_ahead || has_conflicts))?;
            obstacles.note(self.require_room(checkout, &self.result))?;
        }
        Ok(())
    }

    /// Refuses to land a second time what the user squashed, rebased or picked.
    fn require_something_new(&self) -> Result<(), Failure> {
        let Some(commit) = &self.landed_as else { return Ok(()) };
        let name = &self.workflow.plan.workflow;
        let message = format!("{} has all of it already, since {}", self.base, commit.short());
        let (base, commit, newer) = (self.base.clone(), commit.clone(), self.newer.clone());
        let present = Present { base, commit, newer };
        if let Some(newer) = self.newer.first() {
            return Err(Failure::new(Code::NothingToLand, message)
                .hint(format!("{newer} has newer work: integrate it, then finish"))
                .next(Next::run(name))
                .details(present));
        }
        let gone = taken_back(&self.states, |_| true);
        let hint = match &gone[..] {
            [] => "nothing is left to land; clean up".to_owned(),
            gone => format!("clean up, unless this is wanted again: {}", gone.join("; ")),
        };
        Err(Failure::new(Code::NothingToLand, message)
            .hint(hint)
            .next(Next::Cleanup { workflow: name, workers: &[], dry_run: false, snapshot: false })
            .details(present))
    }

    /// Records, once, what happened before: a run of ours that was killed, or a merge by the user.
    fn take_note(mut self) -> Result<Finished> {
        let commit = self.landed_as.clone().unwrap_or_else(|| self.before.clone());
        let noted = match &self.workflow.record.finished {
            Some(finished) if self.landed_as.as_ref() == Some(finished) => true,
            Some(finished) => self.workflow.repo.is_ancestor(&self.result, finished)?,
            None => false,
        };
        if !noted {
            self.record(&commit, Transaction::default())?;
        }
        Ok(self.answer(commit, Landed::Already, None))
    }

    /// Moves the base branch to the result, or to a merge of both.
    fn land(mut self) -> Result<Finished> {
        let repo = &self.workflow.repo;
        let is_ahead = repo.is_ancestor(&self.before, &self.result)?;
        let how = finish::landing(&self.workflow.plan, &self.base, is_ahead, self.options.mode)?;
        let checkout = repo.checkout_of(&self.base).cloned();
        let commit = match how {
            Landed::Merge => self.merge(is_ahead)?,
            Landed::Squash => self.squash(is_ahead, checkout.as_ref())?,
            _ => self.result.clone(),
        };
        if let Some(checkout) = &checkout {
            self.require_quiet(checkout, true)?;
            self.require_room(checkout, &commit)?;
        }
        self.verify(&commit)?;
        let name = self.base.full();
        match &checkout {
            Some(checkout) => {
                // Checked again, since verifying may have taken long.
                self.require_quiet(checkout, true)?;
                self.require_room(checkout, &commit)?;
                let moved = repo.fast_forward(&checkout.path, &self.before, &commit);
                moved.map_err(|error| self.explained(error))?;
                self.record(&commit, Transaction::default())?;
            }
            None => {
                let moved = Transaction::default().set(&name, &commit, Some(&self.before));
                self.record(&commit, moved)?;
            }
        }
        squash::forget(self.workflow);
        Ok(self.answer(commit, how, checkout))
    }

    /// Says what lands where a hook of the user's does not let git move the base.
    fn explained(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast::<Failure>() {
            Ok(failure) if failure.code == Code::HookRefused => {
                let workflow = &self.workflow.plan.workflow;
                let pull = Next::Finish { workflow, way: Some(Way::PullRequest) };
                let hint =
                    "nothing has landed: do what details.output asks for, or open a pull request";
                failure.hint(hint).next(pull).into()
            }
            Ok(failure) => failure.into(),
            Err(error) => error,
        }
    }

    /// Merges the result into the base in the object database; returns the merge.
    fn merge(&mut self, is_ahead: bool) -> Result<Oid> {
        let Workflow { repo, plan, .. } = self.workflow;
        let tree = self.merged_tree(is_ahead)?;
        let message = finish::merge_message(plan, &self.base, &self.shares()?);
        let parents = [&self.before, &self.result];
        repo.write_commit(&repo.author()?, &tree, &parents, &message)
    }

    /// Writes all of the result as one commit upon the base; returns that.
    fn squash(&mut self, is_ahead: bool, checkout: Option<&Worktree>) -> Result<Oid> {
        let Workflow { repo, plan, .. } = self.workflow;
        let tree = self.merged_tree(is_ahead)?;
        let message = match self.options.message.as_slice() {
            [] => squash::edited(self.workflow, &self.base, &self.shares()?)?,
            paragraphs => squash::given(repo, paragraphs)?,
        };
        let authors = repo.co_authors(&self.before, &self.result)?;
        let message = finish::squash_message(plan, &message, &authors, &self.result);
        let folder = checkout.map_or(repo.place(), |checkout| &checkout.path);
        let is_edited = self.options.message.is_empty();
        let message = squash::passed(repo, folder, &message, is_edited)?;
        repo.write_commit(&repo.author()?, &tree, &[&self.before], &message)
    }

    /// Returns the tree of base and result together.
    fn merged_tree(&mut self, is_ahead: bool) -> Result<Oid> {
        let Workflow { repo, .. } = self.workflow;
        if is_ahead {
            return repo.tree_of(&self.result);
        }
        self.context.progress(&format!("merging into {}", self.base));
        let outcome = self.merge_result()?;
        let union = integration::by_union(&outcome.by_union());
        self.keeper.notes.extend(union);
        if !outcome.conflicts.is_empty() {
            return Err(self.conflict(outcome.of_git()).into());
        }
        self.note_moved_edits()?;
        repo.merged_tree(&outcome, None)
    }

    /// Says which changes come to stand in other files, since the other side moved these.
    fn note_moved_edits(&mut self) -> Result<()> {
        let repo = &self.workflow.repo;
        let common = match &self.landed_before {
            Some(landed) => Some(landed.clone()),
            None => repo.merge_base(&self.before, &self.result)?,
        };
        let Some(common) = common else { return Ok(()) };
        let tips = [&self.before, &self.result];
        let changes = repo.changes(&tips.map(|tip| CommitRange::between(&common, tip)))?;
        let [base, work] = &changes[..] else { bail!("git told no changes of two branches") };
        let [base, work] = [(tips[0], base), (tips[1], work)]
            .map(|(tip, changes)| Moving::new(None, &common, tip, changes));
        let ours = format!("the workflow {}", self.workflow.plan.workflow);
        let by_base = carried(repo, [(&base, &work)])?;
        let by_work = carried(repo, [(&work, &base)])?;
        let by_base = by_base.iter().map(|edit| edit.told(self.base.as_str(), &ours));
        let by_work = by_work.iter().map(|edit| edit.told(&ours, self.base.as_str()));
        self.keeper.notes.extend(by_base.chain(by_work));
        Ok(())
    }

    /// Merges the result as if what landed of it before, by content alone, had been merged.
    fn merge_result(&self) -> Result<MergeOutcome> {
        let repo = &self.workflow.repo;
        let Some(base) = self.landed_before.clone() else {
            return repo.merge(&self.before, &self.result, None);
        };
        let pair = Pair { base: Some(base), ..Pair::new(&self.before, &self.result) };
        repo.merge_pairs(&[pair], None)?.pop().context("a merge without an outcome")
    }

    /// Returns what a pull request lists of each worker whose work lands.
    pub(super) fn shares(&self) -> Result<Vec<Share<'_>>> {
        let lands = self.states.iter().filter(|s| !self.options.without.contains(&s.id));
        lands
            .map(|status| {
                let worker = self.workflow.worker(&status.id)?;
                let signals = self.signals.get(&status.id).cloned().unwrap_or_default();
                Ok(Share { worker, status, signals })
            })
            .collect()
    }

    /// Returns the commands that put uncommitted changes away, land, and bring them back.
    fn put_away_and_land(&self, checkout: &Path, goes_forward: bool) -> Vec<CommandLine> {
        let workflow = &self.workflow.plan.workflow;
        let is_merge = match self.options.mode {
            LandingMode::Merge => true,
            LandingMode::Unsaid => !goes_forward,
            LandingMode::FastForward | LandingMode::Squash => false,
        };
        let way = is_merge.then_some(Way::Merge);
        let land = CommandLine::from(Next::Finish { workflow, way });
        let land = match self.options.mode {
            LandingMode::Squash => {
                let paragraphs = self.options.message.iter();
                paragraphs.fold(land.and("--squash"), |land, text| land.and("-m").word(text))
            }
            _ => land,
        };
        let without = self.options.without.iter();
        let land = without.fold(land, |land, worker| land.and("--without").word(worker));
        let land = if self.options.no_gate { land.and("--no-gate") } else { land };
        let stash = CommandLine::git(checkout, "stash push --message");
        let stash = stash.word(format!("before landing {workflow}"));
        vec![stash, land, CommandLine::git(checkout, "stash pop")]
    }

    /// Refuses to move a checkout that is not as the landing wants it; `goes_forward` says whether that
    /// will need no merge.
    fn require_quiet(&self, checkout: &Worktree, goes_forward: bool) -> Result<()> {
        let way_out = || self.put_away_and_land(&checkout.path, goes_forward);
        self.checked_out(checkout).require_quiet(way_out)
    }

    fn require_room(&self, checkout: &Worktree, commit: &Oid) -> Result<()> {
        self.checked_out(checkout).require_room(&self.before, commit)
    }

    fn checked_out<'b>(&'b self, at: &'b Worktree) -> BaseCheckout<'b> {
        BaseCheckout { repo: &self.workflow.repo, base: &self.base, at }
    }

    /// Refuses unless the plan's gates pass on exactly what is to land.
    fn verify(&mut self, commit: &Oid) -> Result<()> {
        if self.keeper.is_absent() {
            let note = match self.options.no_gate {
                true => "nothing was tested: --no-gate",
                false => "nothing was tested: the plan has no `verify`",
            };
            self.keeper.notes.push(note.to_owned());
            return Ok(());
        }
        let judgement = self.keeper.judge(commit)?;
        if judgement.red.is_none() {
            self.gate = Some(self.keeper.report(judgement));
            return Ok(());
        }
        let name = &self.workflow.plan.workflow;
        let Some(stop) = self.keeper.stop(judgement) else { bail!("a red gate without a result") };
        let message = format!("the gate {} does not pass; nothing has landed", stop.gate);
        Err(Failure::new(Code::GateFailed, message)
            .hint("have it corrected and integrated, then finish again")
            .next(Next::Check(name))
            .details(stop)
            .into())
    }

    /// Records that the work has landed, together with `moved`.
    fn record(&mut self, commit: &Oid, moved: Transaction) -> Result<()> {
        self.keeper.record(&Event::Finished { commit: commit.clone() }, moved)
    }

    pub(super) fn answer(
        self,
        commit: Oid,
        landed: Landed,
        checkout: Option<Worktree>,
    ) -> Finished {
        let name = &self.workflow.plan.workflow;
        let (workers, dry_run, snapshot) = (&[], true, false);
        let look = Next::Cleanup { workflow: name, workers, dry_run, snapshot };
        Finished {
            workflow: name.clone(),
            base: self.base,
            commit,
            before: self.before,
            landed,
            checkout: checkout.map(|checkout| checkout.path.to_string_lossy().into_owned()),
            without: self.options.without,
            newer: self.newer,
            gate: self.gate,
            notes: self.keeper.notes,
            pull_request: None,
            next: vec![
                NextStep::new("look back", Next::Report(name)),
                NextStep::new("remember", Next::Remember(name)),
                NextStep::new("clean up", look),
            ],
        }
    }

    /// Opens a pull request for what passes the gate.
    fn propose(mut self) -> Result<Finished> {
        self.verify(&self.result.clone())?;
        let proposed = pull_request::open(&Proposal {
            workflow: self.workflow,
            base: &self.base,
            shares: &self.shares()?,
            gate: self.gate.as_ref(),
        })?;
        let commit = self.before.clone();
        let mut answer = self.answer(commit, Landed::PullRequest, None);
        answer.next = proposed.next;
        answer.pull_request = Some(proposed.pull_request);
        Ok(answer)
    }
}

fn require_nothing_stopped(workflow: &Workflow) -> Result<()> {
    let message = match (&workflow.record.stopped, &workflow.record.red) {
        (Some(stopped), _) => format!("an integration is stopped at {}", stopped.worker),
        (None, Some(red)) => format!("an integration is stopped at the gate {}", red.gate),
        (None, None) => return Ok(()),
    };
    Err(Failure::new(Code::NotReady, message)
        .hint("continue it, or abort it")
        .next(Next::go_on(&workflow.plan.workflow))
        .into())
}

/// Returns what is integrated.
fn require_result(workflow: &Workflow) -> Result<Oid> {
    let own = workflow.record.integration.as_ref().map(|_| own_result(workflow)).transpose()?;
    let nothing = || {
        Failure::new(Code::NothingToLand, "no worker is integrated yet")
            .hint("integrate first")
            .next(Next::run(&workflow.plan.workflow))
    };
    Ok(own.flatten().ok_or_else(nothing)?)
}

const PICK: &str = "the user rewrote it, by an amended commit or a rebase: if they agree, pick what was merged onto it, \
                    test that, and clean up; where a pick stops, git says how to go on";

/// Returns what brings the merges of the result to a base that was rewritten, and is checked out.
fn picks(workflow: &Workflow, base: &Branch, tip: &Oid) -> Result<Option<CommandLine>> {
    let Workflow { repo, record, plan, .. } = workflow;
    let Some(checkout) = repo.checkout_of(base) else { return Ok(None) };
    if repo.merge_base(&record.base, tip)?.is_none() {
        return Ok(None);
    }
    let range = format!("{}..{}", record.base, plan.integration_branch());
    let pick = CommandLine::git(&checkout.path, "cherry-pick -m 1 --first-parent");
    Ok(Some(pick.word(range)))
}

/// Returns the base branch and its commit.
fn require_base(workflow: &Workflow) -> Result<(Branch, Oid)> {
    let refuse = |message: String| {
        Failure::new(Code::NoBase, message)
            .hint("land it by hand, on the branch the user names")
            .next(
                CommandLine::of("git log --first-parent").word(workflow.plan.integration_branch()),
            )
    };
    let Some(base) = &workflow.record.base_branch else {
        let began = workflow.record.base.short();
        return Err(refuse(format!("the workflow began at commit {began}, on no branch")).into());
    };
    let Some(tip) = workflow.branch(base) else {
        return Err(refuse(format!("the branch {base} is gone")).into());
    };
    if !workflow.repo.is_ancestor(&workflow.record.base, tip)? {
        let began = workflow.record.base.short();
        let message = format!("{base} no longer contains {began}, where the workflow began");
        // A shallow clone may only lack it.
        if workflow.repo.is_shallow() {
            return Err(unshallow(Failure::new(Code::NoBase, message)).into());
        }
        return Err(match picks(workflow, base, tip)? {
            Some(picks) => refuse(message).hint(PICK).next(picks).into(),
            None => refuse(message).into(),
        });
    }
    // Where that is checked out, its files are to move along.
    Ok((workflow.repo.branch_behind(base.clone())?, tip.clone()))
}
