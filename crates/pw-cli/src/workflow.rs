//! One workflow of a repository: its plan, its record, and the facts about its workers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use pw_core::facts::{Brought, Facts, TreeState, WorkerFacts, WorktreeFacts};
use pw_core::failure::{Code, Failure};
use pw_core::history::{Change, History, Stretch};
use pw_core::id::{Oid, Slug, WorkerId};
use pw_core::path::RepoPath;
use pw_core::plan::{Plan, Worker};
use pw_core::record::{Record, Refs, Stopped};
use pw_core::status::{self, Places, WorkerStatus};
use pw_core::time::{Seconds, rfc3339};
use pw_core::work::{own_work, perhaps_handed_over};
use pw_git::{Lock, RecordWriter, Repo, Whereabouts, Worktree, both};

use crate::identity;
use crate::landing;
use crate::launch;
use crate::radar::{Prediction, Trials, predict};
use crate::repair;
use crate::session;
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
}

/// Which worktrees to look into, which costs one git process each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look<'a> {
    Into,
    /// Into that of one worker.
    At(&'a WorkerId),
    Past,
}

impl Look<'_> {
    fn is_into(self, worker: &Worker) -> bool {
        match self {
            Self::Into => true,
            Self::At(id) => worker.id == *id,
            Self::Past => false,
        }
    }
}

/// Where every ref is that can matter.
const REFS: &[&str] = &["refs/heads", "refs/pw"];

/// Reads every ref that can matter.
pub(crate) fn read_refs(repo: &Repo) -> Result<BTreeMap<String, Oid>> {
    repo.refs(REFS)
}

/// Returns the workflows that have a record, with its newest commit.
pub(crate) fn recorded(refs: &BTreeMap<String, Oid>) -> Vec<(Slug, Oid)> {
    let name = |name: &str| name.strip_prefix("refs/pw/")?.strip_suffix("/record")?.parse().ok();
    refs.iter().filter_map(|(full, tip)| Some((name(full)?, tip.clone()))).collect()
}

impl Workflow {
    /// Opens the named workflow, or the only one there is.
    pub(crate) fn open(context: &Context, name: Option<&str>) -> Result<Self> {
        let (repo, refs) = Repo::open_with_refs(&context.directory, REFS)?;
        Self::choose(repo, refs, name)
    }

    /// The same for who is going to change anything: nobody else does as long as the lock is held.
    pub(crate) fn open_alone(context: &Context, name: Option<&str>) -> Result<(Self, Lock)> {
        let (directory, now) = (&context.directory, rfc3339(context.now));
        let (repo, refs, lock) = Repo::open_alone(directory, REFS, &context.command, &now)?;
        Ok((Self::choose(repo, refs, name)?, lock))
    }

    fn choose(repo: Repo, refs: BTreeMap<String, Oid>, name: Option<&str>) -> Result<Self> {
        let known = recorded(&refs);
        let (_, tip) = choose(&known, name)?.clone();
        Self::load(repo, refs, tip)
    }

    /// Opens the workflow whose worker's worktree the helper was started in.
    pub(crate) fn open_here(context: &Context) -> Result<(Self, WorkerId)> {
        let (repo, refs) = Repo::open_with_refs(&context.directory, REFS)?;
        let not_here = || {
            Failure::new(
                Code::NotAWorker,
                format!("{} is in no worker's worktree", context.directory.display()),
            )
            .hint("run this in the worktree of a worker, or name the folder with -C")
            .next("pw-setup list")
        };
        let moved = |(name, id): (Slug, WorkerId)| {
            let message = format!("this worktree of {id} is not where git has it: it was moved");
            Failure::new(Code::NotAWorker, message)
                .hint("let it be put back, then run the same command again")
                .next(format!("pw-setup repair {name}"))
        };
        let lost = || {
            let worker = identity::below(&context.directory);
            worker.map_or_else(not_here, moved)
        };
        let worktree = repo.worktree_at(&context.directory).ok_or_else(&lost)?.clone();
        for name in identity::candidates(&repo, &worktree) {
            let Some(tip) = refs.get(&Refs(&name).record()).cloned() else { continue };
            // Another workflow's unreadable record is not this worker's trouble.
            let Ok(workflow) = Self::load(repo.clone(), refs.clone(), tip) else { continue };
            let mut workers = workflow.plan.workers.iter();
            let here = workers.find(|worker| workflow.entry(worker) == Some(&worktree));
            if let Some(id) = here.map(|worker| worker.id.clone()) {
                return Ok((workflow, id));
            }
        }
        Err(lost().into())
    }

    fn load(repo: Repo, refs: BTreeMap<String, Oid>, tip: Oid) -> Result<Self> {
        let (plan_text, mut record) = repo.record(&tip)?;
        let plan = Plan::recorded(&plan_text).context("reading the recorded plan")?;
        landing::follow_base(&repo, &mut record, &refs)?;
        Ok(Self { repo, plan, plan_text, record, record_tip: tip, refs })
    }

    /// Returns git's entry for a worker's worktree, if this workflow made it.
    pub(crate) fn entry(&self, worker: &Worker) -> Option<&Worktree> {
        let path = self.worktree(worker);
        let entry = self.repo.worktrees().iter().find(|worktree| worktree.path == path)?;
        let is_own = !identity::is_others(entry, &self.plan.workflow, &worker.id);
        (self.record.has(&worker.id) && is_own).then_some(entry)
    }

    /// Returns the tip of a worker's branch, if this workflow made it: what else has its name, in the
    /// worktree of another workflow for example, is not the worker's.
    pub(crate) fn tip(&self, worker: &Worker) -> Option<&Oid> {
        let (path, branch) = (self.worktree(worker), worker.branch());
        let is_its =
            |entry: &&Worktree| entry.path == path || entry.branch.as_deref() == Some(&branch);
        let mut entries = self.repo.worktrees().iter().filter(is_its);
        let is_taken =
            entries.any(|entry| identity::is_others(entry, &self.plan.workflow, &worker.id));
        self.branch(&branch).filter(|_| self.record.has(&worker.id) && !is_taken)
    }

    /// Returns the folder of a worker's worktree.
    pub(crate) fn worktree(&self, worker: &Worker) -> PathBuf {
        self.repo.root().join(self.plan.worktree(worker))
    }

    /// Returns the commit of a branch.
    pub(crate) fn branch(&self, name: &str) -> Option<&Oid> {
        self.refs.get(&format!("refs/heads/{name}"))
    }

    /// Returns where the base branch is; nothing when it is gone, or there never was one.
    pub(crate) fn base_tip(&self) -> Option<&Oid> {
        self.record.base_branch.as_deref().and_then(|name| self.branch(name))
    }

    /// Returns the commit of the integration branch.
    pub(crate) fn integration(&self) -> Option<&Oid> {
        self.refs.get(&Refs(&self.plan.workflow).integration())
    }

    /// Returns the named worker.
    pub(crate) fn worker(&self, id: &WorkerId) -> Result<&Worker> {
        let ids: Vec<String> = self.plan.ids().map(ToString::to_string).collect();
        let unknown = || {
            Failure::new(Code::UnknownWorker, format!("there is no worker {id}"))
                .hint(format!("name one of: {}", ids.join(", ")))
                .next(format!("pw-monitor status {}", self.plan.workflow))
        };
        Ok(self.plan.worker(id).ok_or_else(unknown)?)
    }

    /// Begins to write behind the record.
    pub(crate) fn writer(&self) -> Result<RecordWriter> {
        let tip = Some(self.record_tip.clone());
        RecordWriter::new(
            &self.repo,
            self.repo.author()?,
            &self.plan.workflow,
            tip,
            &self.plan_text,
        )
    }

    /// Reads everything the rules need, in a number of git processes that does not grow with the
    /// history: those of the commits, and one for each worktree that is looked into.
    pub(crate) fn facts(&self, now: Seconds, look: Look<'_>) -> Result<Facts> {
        let (mut facts, worktrees) = both(|| self.committed(now), || self.worktree_facts(look))?;
        self.add_worktrees(&mut facts, worktrees);
        Ok(facts)
    }

    /// Returns the facts about all commits, as if there were no worktrees.
    fn committed(&self, now: Seconds) -> Result<Facts> {
        let worker = |worker: &Worker| {
            let tip = self.tip(worker).cloned();
            (worker.id.clone(), WorkerFacts { tip, ..WorkerFacts::default() })
        };
        let mut facts = Facts {
            now,
            workers: self.plan.workers.iter().map(worker).collect(),
            base_tip: self.base_tip().cloned(),
            integration_tip: self.integration().cloned(),
            ..Facts::default()
        };
        self.read_history(&mut facts)?;
        let brought = facts.workers.values().filter_map(|known| known.brought.as_ref());
        let brought: Vec<&Change> = brought.flat_map(|brought| &brought.changes).collect();
        let tips = facts.workers.values().filter_map(|known| known.tip.as_ref());
        facts.behind = self.repo.behind(&brought, tips)?;
        facts.landed_as = landing::by_content(self, &facts)?;
        let landed = facts.integration_tip.as_ref().and_then(|tip| facts.landed_as.get(tip));
        if let Some((since, tip)) = landed.zip(facts.base_tip.as_ref()) {
            let changes = self.repo.changes(&[Stretch::between(since, tip)])?;
            facts.base_changes = paths(changes.into_iter().flatten());
        }
        Ok(facts)
    }

    fn add_worktrees(&self, facts: &mut Facts, worktrees: Vec<WorktreeFacts>) {
        for (id, worktree) in self.plan.ids().zip(worktrees) {
            facts.workers.entry(id.clone()).or_default().worktree = worktree;
        }
    }

    /// Reads what every branch has since the base, and what its commits changed: two git processes,
    /// and one more where there are merges.
    fn read_history(&self, facts: &mut Facts) -> Result<()> {
        let Record { base, merged, stopped, red, placements, .. } = &self.record;
        let tip = |worker: &Worker| self.tip(worker).or(merged.get(&worker.id).map(|(tip, _)| tip));
        let tips: Vec<Option<&Oid>> = self.plan.workers.iter().map(tip).collect();
        let begun = stopped.iter().map(Stopped::commit).chain(red.iter().map(|red| &red.candidate));
        let merged_tips = merged.values().map(|(tip, _)| tip);
        let trunk: Vec<&Oid> = facts.base_tip.iter().chain(&facts.integration_tip).collect();
        let known: Vec<&Oid> = tips.iter().flatten().copied().chain(merged_tips).collect();
        let history = self.repo.history(known.iter().chain(&trunk).copied().chain(begun), base)?;
        let mut history = History::new(history);

        let mut questions = Questions::default();
        let mut except = history.on_chains(trunk.iter().copied());
        let handed_over: Vec<&Oid> = self
            .plan
            .ids()
            .zip(&tips)
            .filter_map(|(id, tip)| Some((id, (*tip)?)))
            .flat_map(|(id, tip)| perhaps_handed_over(&self.record, &history, &except, id, tip))
            .map(|commit| &commit.oid)
            .collect();
        except.retain(|oid| !handed_over.contains(oid));
        let all_trunk = history.ancestors(trunk.iter().copied());
        let mut chains = known.clone();
        chains.extend(history.side_tips(&known, &all_trunk));
        chains.extend(&handed_over);
        let forks = placements.values().map(|placement| &placement.fork);
        let ends = forks.chain(trunk.iter().copied()).chain(handed_over);
        let stretches = history.stretches(&chains, ends, &except);
        let stretches: Vec<(Oid, usize)> = stretches
            .into_iter()
            .map(|stretch| (stretch.newest.clone(), questions.ask(stretch)))
            .collect();

        // What a merge of each brings, compared with the newest commit of the trunk that it has.
        let on_trunk = history.merge_bases(base, trunk.iter().copied().chain([base]));
        let since = |tip: &Oid| {
            let newest = on_trunk.merge_base(tip).filter(|newest| newest != tip);
            newest.unwrap_or_else(|| base.clone())
        };
        let brought: Vec<Option<(Oid, usize)>> = tips
            .iter()
            .map(|tip| {
                let since = since((*tip)?);
                let at = questions.ask(Stretch::between(&since, (*tip)?));
                Some((since, at))
            })
            .collect();
        let mut steps: Vec<Oid> =
            brought.iter().flatten().map(|(since, _)| since.clone()).collect();
        steps.retain(|since| since != base);
        history.sort(&mut steps);
        let before = std::iter::once(base).chain(&steps);
        let step = |(old, new): (&Oid, &Oid)| questions.ask(Stretch::between(old, new));
        let step_answers: Vec<usize> = before.zip(&steps).map(step).collect();

        let moved = facts.base_tip.as_ref().filter(|tip| *tip != base);
        let integration = facts.integration_tip.as_ref();
        let landed = moved.and_then(|tip| integration.filter(|head| history.contains(tip, head)));
        let drift = moved.map(|tip| questions.ask(Stretch::between(landed.unwrap_or(base), tip)));

        let answers = self.repo.changes(&questions.stretches)?;
        let answer = |at: usize| answers.get(at).cloned().unwrap_or_default();
        for (newest, at) in stretches {
            history.set_changes(&newest, answer(at));
        }
        for (id, brought) in self.plan.ids().zip(brought) {
            let brought = brought.map(|(since, at)| Brought { since, changes: answer(at) });
            facts.workers.entry(id.clone()).or_default().brought = brought;
        }
        facts.trunk_steps = steps.into_iter().zip(step_answers.into_iter().map(answer)).collect();
        facts.base_changes = paths(drift.map(answer).into_iter().flatten());
        facts.history = history;
        Ok(())
    }

    /// Returns where each worker stands, in the order of the plan.
    pub(crate) fn states(&self, facts: &Facts) -> Vec<WorkerStatus> {
        let work = own_work(&self.plan, &self.record, facts);
        status::worker_states(&self.plan, &self.record, facts, &work)
    }

    /// Returns the state of the user's own checkout, the plan's own file left out.
    fn checkout(&self) -> Result<TreeState> {
        let mut state = self.repo.checkout_state()?;
        let plan = self.plan_text.as_bytes();
        state.untracked.retain(|path| {
            let file = self.repo.root().join(path.to_path());
            let as_long = file.metadata().is_ok_and(|known| known.len() == plan.len() as u64);
            !(as_long && std::fs::read(file).is_ok_and(|text| text == plan))
        });
        Ok(state)
    }

    fn worktree_facts(&self, look: Look<'_>) -> Result<Vec<WorktreeFacts>> {
        let workers = &self.plan.workers;
        let is_registered = |worker: &&Worker| self.entry(worker).is_some();
        let wanted = workers.iter().filter(is_registered).filter(|worker| look.is_into(worker));
        let wanted: Vec<PathBuf> = wanted.map(|worker| self.worktree(worker)).collect();
        let mut read = self.repo.tree_states(&wanted)?.into_iter();
        let fact = |worker: &Worker| match is_registered(&worker) {
            false => self.lost(worker),
            true if look.is_into(worker) => match read.next().unwrap_or_default() {
                WorktreeFacts::Missing => self.lost(worker),
                read => read,
            },
            true => WorktreeFacts::Unread,
        };
        Ok(workers.iter().map(fact).collect())
    }

    /// Returns what became of a worktree that is not where git and the plan have it.
    fn lost(&self, worker: &Worker) -> WorktreeFacts {
        if !self.record.is_made(&worker.id) || self.tip(worker).is_none() {
            return WorktreeFacts::Missing;
        }
        let reason = self.plan.lock_reason(worker);
        match self.repo.whereabouts(&self.worktree(worker), &reason, &worker.branch()) {
            Whereabouts::Unlinked(_) => WorktreeFacts::Unlinked,
            Whereabouts::At(folder, _) => WorktreeFacts::At(folder.to_string_lossy().into_owned()),
            Whereabouts::Unknown => WorktreeFacts::Missing,
        }
    }

    /// Returns the whole picture.
    pub(crate) fn status(&self, now: Seconds, look: Look<'_>) -> Result<status::Status> {
        Ok(self.picture(now, look)?.0)
    }

    /// Returns the whole picture, and the facts it was made of.
    pub(crate) fn picture(&self, now: Seconds, look: Look<'_>) -> Result<(status::Status, Facts)> {
        let workers: Vec<&Worker> = self.plan.workers.iter().collect();
        let is_into = look == Look::Into;
        let mut trials = Trials::new(&self.repo)?;
        // Looking into worktrees takes longest: what is committed is merged meanwhile. Whatever comes
        // out the same with the worktrees is not merged again.
        let committed = || {
            let facts = self.committed(now)?;
            is_into.then(|| predict(self, &facts, &mut trials)).transpose()?;
            Ok(facts)
        };
        let others = || match is_into {
            true => Ok((Some(self.checkout()?), session::facts(self, &workers, now))),
            false => Ok((None, Vec::new())),
        };
        let gaps = || match is_into {
            true => repair::gaps(self, &workers),
            false => Ok(Vec::new()),
        };
        let others = || both(others, gaps);
        let worktrees = || both(others, || self.worktree_facts(look));
        let (mut facts, (((checkout, sessions), gaps), worktrees)) = both(committed, worktrees)?;
        self.add_worktrees(&mut facts, worktrees);
        facts.checkout = checkout;
        for (worker, gaps) in workers.iter().zip(gaps) {
            facts.workers.entry(worker.id.clone()).or_default().gaps = gaps;
        }
        // A session in a folder that bears its name now is another workflow's.
        let own = workers.iter().zip(sessions).filter(|(worker, _)| self.record.has(&worker.id));
        for (worker, session) in own {
            facts.workers.entry(worker.id.clone()).or_default().session = session;
        }
        let Prediction { states, conflicts, trial } = predict(self, &facts, &mut trials)?;
        let (plan, record) = (&self.plan, &self.record);
        let status = status::derive(plan, record, &facts, states, conflicts, trial, self);
        Ok((status, facts))
    }
}

impl Places for Workflow {
    fn launch(&self, worker: &Worker) -> String {
        launch::of(&self.repo, &self.plan, worker).command
    }

    fn worktree(&self, worker: &Worker) -> String {
        self.worktree(worker).to_string_lossy().into_owned()
    }
}

/// What git is asked about, each question once.
#[derive(Default)]
struct Questions {
    stretches: Vec<Stretch>,
}

impl Questions {
    /// Returns where the answer will stand.
    fn ask(&mut self, stretch: Stretch) -> usize {
        let known = self.stretches.iter().position(|known| *known == stretch);
        known.unwrap_or_else(|| {
            self.stretches.push(stretch);
            self.stretches.len() - 1
        })
    }
}

fn paths(changes: impl Iterator<Item = Change>) -> Vec<RepoPath> {
    changes.map(|change| change.path).collect()
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
            .next("pw-setup list")
            .into()
        });
    }
    match known {
        [only] => Ok(only),
        [] => Err(Failure::new(Code::UnknownWorkflow, "there is no workflow in this repository")
            .hint("write a plan, check it with pw-setup check, then create it with pw-setup create")
            .next("pw-setup --help")
            .into()),
        _ => Err(Failure::new(
            Code::AmbiguousWorkflow,
            format!("there are several workflows: {}", names.join(", ")),
        )
        .hint("name the workflow as the last argument")
        .next("pw-setup list")
        .details(serde_json::json!({ "workflows": names }))
        .into()),
    }
}
