//! What will collide: trial merges of the work as it is now, committed or not. Writes nothing to
//! the repository.

mod trial_merges;

use std::collections::BTreeMap;

use anyhow::Result;
use pw_core::conflict::{Conflict, FileConflict, TrialMerge, TrialStop};
use pw_core::conflict_prediction::{Divergence, Footprint, possible_conflicts, sharing, touches};
use pw_core::facts::{Facts, TreeState, WorktreeFacts};
use pw_core::graph;
use pw_core::history::{Change, MergeBases};
use pw_core::id::{Oid, WorkerId};
use pw_core::moved_edit::{MovedEdit, Moving};
use pw_core::path::RepoPath;
use pw_core::status::{Board, ReasonKind, State, WorkerStatus};
use pw_git::{MergeOutcome, Pair};

pub(crate) use self::trial_merges::TrialMerges;
use crate::moved_edits::carried;
use crate::workflow::Workflow;

/// Which workers will not merge.
pub(crate) struct Prediction {
    pub(crate) conflicts: Vec<Conflict>,
    pub(crate) trial: TrialMerge,
}

/// Predicts conflicts. `trials` keeps the results of trial merges for the next
/// call.
pub(crate) fn predict(
    workflow: &Workflow,
    facts: &Facts,
    board: &Board<'_>,
    trials: &mut TrialMerges,
) -> Result<Prediction> {
    let open = |status: &WorkerStatus| status.state != State::Integrated;
    let mut predictor = Predictor::new(workflow, facts, &board.states, trials)?;
    let conflicts = predictor.conflicts(&open)?;
    let trial = predictor.trial(&board.order(), &conflicts)?;
    Ok(Prediction { conflicts, trial })
}

/// The work of all workers, prepared for trial merges.
pub(crate) struct Predictor<'a> {
    workflow: &'a Workflow,
    facts: &'a Facts,
    participants: Vec<Participant<'a>>,
    /// Indices into `participants`.
    pairs: Vec<(usize, usize)>,
    /// Workers of which only the commits are tried, not the uncommitted files.
    commits_only: Vec<WorkerId>,
    /// The commits that merges on top of the integration branch contain.
    bases: MergeBases,
    /// A commit that has the `.gitattributes` of all branches; `None` where these may differ.
    attributes: Option<Oid>,
    trials: &'a mut TrialMerges,
}

/// One worker's work.
struct Participant<'a> {
    status: &'a WorkerStatus,
    tip: Oid,
    /// The commit of the trunk that `committed` is compared with.
    since: Oid,
    /// A trial commit with what is not committed, or the tip.
    now: Oid,
    committed: &'a [Change],
    uncommitted: Vec<Change>,
}

impl Participant<'_> {
    fn is_open(&self) -> bool {
        self.status.state != State::Integrated
    }

    fn changes(&self) -> impl Iterator<Item = &Change> + Clone {
        self.committed.iter().chain(&self.uncommitted)
    }

    fn moving(&self) -> Moving<'_> {
        Moving::new(Some(&self.status.id), &self.since, &self.tip, self.changes())
    }

    /// Returns the uncommitted files that could collide with other workers' work: all of them when
    /// some were removed, since these may have been renamed.
    fn uncommitted_that_matter(&self, others: &[&Footprint<'_>]) -> Vec<RepoPath> {
        let meets =
            |footprint: Footprint<'_>| others.iter().any(|other| footprint.can_conflict(other));
        if self.uncommitted.is_empty() || !meets(Footprint::of(&self.uncommitted)) {
            return Vec::new();
        }
        let renames = self.uncommitted.iter().any(|change| change.new.is_none());
        let matters = |change: &&Change| renames || meets(Footprint::of([*change]));
        self.uncommitted.iter().filter(matters).map(|change| change.path.clone()).collect()
    }
}

impl<'a> Predictor<'a> {
    pub(crate) fn new(
        workflow: &'a Workflow,
        facts: &'a Facts,
        states: &'a [WorkerStatus],
        trials: &'a mut TrialMerges,
    ) -> Result<Self> {
        let base = &workflow.record.base;
        let trunk = workflow.integration().unwrap_or(base);
        let mut predictor = Self {
            workflow,
            facts,
            participants: Vec::new(),
            pairs: Vec::new(),
            commits_only: Vec::new(),
            bases: facts.history.merge_bases(base, [trunk]),
            attributes: None,
            trials,
        };
        for status in states {
            let participant = predictor.participant(status);
            predictor.participants.extend(participant);
        }
        let branches: Vec<Divergence<'_>> = predictor
            .participants
            .iter()
            .map(|side| Divergence::new(&side.tip, &side.since, side.changes()))
            .collect();
        let mut pairs = possible_conflicts(facts, &branches);
        pairs.extend(sharing(facts, &branches));
        pairs.sort_unstable_by_key(|(first, second)| (*second, *first));
        pairs.dedup();
        let steps: Vec<Footprint<'_>> =
            facts.trunk_steps.iter().map(|(_, changes)| Footprint::of(changes)).collect();
        let in_question = |(at, side): (usize, &Participant<'_>)| {
            let others = branches.iter().enumerate().filter(|(other, _)| *other != at);
            let others = others.map(|(_, branch)| &branch.footprint).chain(&steps);
            side.uncommitted_that_matter(&others.collect::<Vec<_>>())
        };
        let in_question: Vec<Vec<RepoPath>> =
            predictor.participants.iter().enumerate().map(in_question).collect();
        predictor.take_in(&in_question)?;
        let mut uncommitted = predictor.participants.iter().flat_map(|side| &side.uncommitted);
        let differ =
            facts.changes_attributes() || uncommitted.any(|change| change.path.is_attributes());
        predictor.attributes = (!differ).then(|| trunk.clone());
        pairs.retain(|(first, second)| {
            !nested(facts, &predictor.participants[*first], &predictor.participants[*second])
        });
        predictor.pairs = pairs;
        Ok(predictor)
    }

    /// Returns what a worker has to merge, if anything.
    fn participant(&mut self, status: &'a WorkerStatus) -> Option<Participant<'a>> {
        let merged = || self.workflow.record.merged.get(&status.id).map(|(tip, _)| tip);
        let tip = self.facts.tip(&status.id).or_else(merged)?;
        let brought = self.facts.workers.get(&status.id)?.brought.as_ref()?;
        let is_there =
            status.state != State::Integrated && self.facts.to_merge(&status.id).is_none();
        let committed = if is_there { &[] } else { brought.changes.as_slice() };
        // A rewritten branch no longer contains its fork: no merge base can be relied on.
        if status.reasons.iter().any(|reason| reason.kind == ReasonKind::HistoryRewritten) {
            return None;
        }
        let uncommitted = match self.facts.workers.get(&status.id).map(|known| &known.worktree) {
            Some(WorktreeFacts::Present(tree)) if is_plain(status, tree) => tree.changes(),
            Some(WorktreeFacts::Present(tree)) if !tree.uncommitted().is_empty() => {
                self.commits_only.push(status.id.clone());
                Vec::new()
            }
            _ => Vec::new(),
        };
        let (tip, now, since) = (tip.clone(), tip.clone(), brought.since.clone());
        // A branch that changes nothing in the end still counts: its commits are the merge base for
        // a worker who began at one of them.
        let has_work = !is_there || !uncommitted.is_empty();
        has_work.then_some(Participant { status, tip, since, now, committed, uncommitted })
    }

    /// Makes a trial commit of each worktree that has uncommitted files in question.
    fn take_in(&mut self, uncommitted: &[Vec<RepoPath>]) -> Result<()> {
        let Workflow { repo, .. } = self.workflow;
        let mut filters = None;
        for (at, paths) in uncommitted.iter().enumerate().filter(|(_, paths)| !paths.is_empty()) {
            let filters = match &mut filters {
                Some(filters) => filters,
                none => none.insert(repo.no_filters()?),
            };
            let Participant { status, tip, .. } = &self.participants[at];
            let (id, tip) = (status.id.clone(), tip.clone());
            let worktree = self.workflow.worktree(self.workflow.worker(&id)?);
            // When a file vanishes or cannot be read, the commits alone are tried.
            match repo.trial_tree(&worktree, paths, filters, self.trials.scratch()) {
                Ok(tree) => self.participants[at].now = self.trials.commit(&tree, &[&tip])?,
                Err(_) => self.commits_only.push(id),
            }
        }
        Ok(())
    }

    /// Returns the pairs among these workers that collide.
    pub(crate) fn conflicts(
        &mut self,
        among: &dyn Fn(&WorkerStatus) -> bool,
    ) -> Result<Vec<Conflict>> {
        let wanted = |pair: &&(usize, usize)| {
            among(self.participants[pair.0].status) && among(self.participants[pair.1].status)
        };
        let pairs: Vec<(usize, usize)> = self.pairs.iter().filter(wanted).copied().collect();
        let pair = |(a, b): &(usize, usize), commit: fn(&Participant<'_>) -> Oid| {
            let (a, b) = (&self.participants[*a], &self.participants[*b]);
            let base = self.facts.history.merge_bases(&self.workflow.record.base, [&a.tip]);
            let base = base.merge_base(&b.tip);
            Pair { ours: commit(a), theirs: commit(b), base, attributes: self.attributes.clone() }
        };
        let now = pairs.iter().map(|at| pair(at, |side| side.now.clone()));
        // The same with commits alone, where that is not the same question.
        let committed = |(a, b): &&(usize, usize)| {
            let (a, b) = (&self.participants[*a], &self.participants[*b]);
            (a.now != a.tip || b.now != b.tip)
                && Footprint::of(a.committed).can_conflict(&Footprint::of(b.committed))
        };
        let committed: Vec<(usize, usize)> = pairs.iter().filter(committed).copied().collect();
        let tips = committed.iter().map(|at| pair(at, |side| side.tip.clone()));
        let questions: Vec<Pair> = now.chain(tips).collect();
        let mut outcomes = self.trials.merge(&questions)?;
        let collide = |outcome: &MergeOutcome| !outcome.conflicts.is_empty();
        let before: Vec<MergeOutcome> = outcomes.split_off(pairs.len());
        let before: BTreeMap<(usize, usize), bool> =
            committed.into_iter().zip(before.iter().map(collide)).collect();
        let conflict = |((a, b), outcome): ((usize, usize), MergeOutcome)| {
            let participants = [&self.participants[a], &self.participants[b]];
            let is_dirty = participants.iter().any(|side| side.now != side.tip);
            Conflict {
                workers: participants.map(|side| side.status.id.clone()),
                paths: outcome.conflicts.iter().map(|finding| finding.path.clone()).collect(),
                findings: outcome.conflicts,
                uncommitted: is_dirty && before.get(&(a, b)) != Some(&true),
            }
        };
        let found = pairs.into_iter().zip(outcomes).filter(|(_, outcome)| collide(outcome));
        Ok(found.map(conflict).collect())
    }

    /// Returns whether the integration branch has commits that no merge of ours made: any worker
    /// may collide with these.
    fn has_foreign_head(&self) -> bool {
        let Workflow { record, .. } = self.workflow;
        self.workflow.integration().is_some_and(|head| record.integration.as_ref() != Some(head))
    }

    /// Merges all workers in this order upon what is integrated. A worker that meets no other one
    /// merges; a pair alone does as `conflicts` says; the other groups are merged side by side, one
    /// process for each round.
    pub(crate) fn trial(
        &mut self,
        order: &[WorkerId],
        conflicts: &[Conflict],
    ) -> Result<TrialMerge> {
        let at = |id: &WorkerId| self.participants.iter().position(|side| side.status.id == *id);
        let places: Vec<usize> = order.iter().filter_map(at).collect();
        let rank = |at: &usize| places.iter().position(|place| place == at);
        let mut stops: Vec<(usize, TrialStop)> = Vec::new();
        let mut groups_left = Vec::new();
        // Any merge may decide about any later one.
        let is_one_group = self.has_foreign_head() || self.attributes.is_none();
        let groups = match is_one_group {
            true => vec![(0..self.participants.len()).collect()],
            false => graph::groups(&self.order_dependent()),
        };
        for group in groups {
            let mut queue: Vec<usize> =
                group.iter().copied().filter(|at| rank(at).is_some()).collect();
            queue.sort_by_key(rank);
            match queue[..] {
                [] => {}
                [first, second] if group.len() == 2 && !is_one_group => {
                    stops.extend(
                        self.pair_stop(first, second, conflicts).map(|stop| (second, stop)),
                    );
                }
                _ => {
                    let before =
                        group.into_iter().filter(|at| !self.participants[*at].is_open()).collect();
                    let head = self.workflow.integration().unwrap_or(&self.workflow.record.base);
                    let (head, bases) = (head.clone(), self.bases.clone());
                    queue.reverse();
                    groups_left.push(Group { head, bases, before, queue });
                }
            }
        }
        while !groups_left.is_empty() {
            stops.extend(self.round(&mut groups_left)?);
            groups_left.retain(|group| !group.queue.is_empty());
        }
        stops.sort_by_key(|(at, _)| rank(at));
        Ok(TrialMerge {
            order: places.iter().map(|at| self.participants[*at].status.id.clone()).collect(),
            stops: stops.into_iter().map(|(_, stop)| stop).collect(),
            moved_edits: self.moved_edits(conflicts)?,
            commits_only: self.commits_only.clone(),
        })
    }

    /// Returns what merging pairs that do not collide carries over into moved files.
    fn moved_edits(&self, conflicts: &[Conflict]) -> Result<Vec<MovedEdit>> {
        let sides: Vec<Moving<'_>> = self.participants.iter().map(Participant::moving).collect();
        let collide = |pair: &(usize, usize)| {
            let ids = [pair.0, pair.1].map(|at| &self.participants[at].status.id);
            conflicts.iter().any(|found| ids.iter().all(|id| found.workers.contains(id)))
        };
        let pairs = self.pairs.iter().filter(|pair| !collide(pair));
        let both_ways = pairs.flat_map(|(one, other)| [(*one, *other), (*other, *one)]);
        carried(
            &self.workflow.repo,
            both_ways.map(|(mover, editor)| (&sides[mover], &sides[editor])),
        )
    }

    /// Returns the pairs between which the order of the merges can matter: those that could
    /// collide, and, where these removed files, all workers that added some. Rename detection pairs
    /// any added file of the merged branches with any removed one, no matter which branch has
    /// which.
    fn order_dependent(&self) -> Vec<(usize, usize)> {
        let base = &self.workflow.record.base;
        let has = |at: usize, is: fn(&Change) -> bool| {
            let side = &self.participants[at];
            // A branch with newer commits of the trunk brings the trunk's changes, which may be of
            // any kind.
            side.since != *base || side.changes().any(is)
        };
        let removes = |at: usize| has(at, |change| change.new.is_none());
        let adds =
            (0..self.participants.len()).filter(|at| has(*at, |change| change.old.is_none()));
        let removing =
            self.pairs.iter().filter(|(first, second)| removes(*first) || removes(*second));
        let removing: Vec<usize> = removing.map(|(first, _)| *first).collect();
        let Some(hub) = removing.first().copied() else { return self.pairs.clone() };
        let others = removing.into_iter().chain(adds).map(|at| (hub, at));
        self.pairs.iter().copied().chain(others).collect()
    }

    fn pair_stop(&self, first: usize, second: usize, conflicts: &[Conflict]) -> Option<TrialStop> {
        let [first, second] = [first, second].map(|at| &self.participants[at].status.id);
        let known = conflicts.iter().find(|conflict| {
            conflict.workers.contains(first) && conflict.workers.contains(second)
        })?;
        Some(TrialStop {
            worker: second.clone(),
            with: vec![first.clone()],
            findings: known.findings.clone(),
        })
    }

    /// Merges the next worker of each group, all in one process.
    fn round(&mut self, groups_left: &mut [Group]) -> Result<Vec<(usize, TrialStop)>> {
        let mut turns = Vec::new();
        for group in groups_left.iter_mut() {
            let Some(next) = group.queue.pop() else { continue };
            let Participant { tip, now, .. } = &self.participants[next];
            if self.facts.history.contains(tip, &group.head) {
                // The first of its group: the result is the worker's work itself.
                group.bases = self.facts.history.merge_bases(&self.workflow.record.base, [tip]);
                group.head = now.clone();
                group.before.push(next);
            } else {
                turns.push((next, group));
            }
        }
        let question = |(next, group): &(usize, &mut Group)| {
            let Participant { tip, now, .. } = &self.participants[*next];
            let base = group.bases.merge_base(tip);
            let attributes = self.attributes.clone();
            Pair { base, attributes, ..Pair::new(&group.head, now) }
        };
        let questions: Vec<Pair> = turns.iter().map(question).collect();
        let outcomes = self.trials.merge(&questions)?;
        let mut stops = Vec::new();
        for (((next, group), pair), outcome) in turns.into_iter().zip(questions).zip(outcomes) {
            if outcome.conflicts.is_empty() {
                let tree = self.trials.merged_tree(&outcome)?;
                group.head = self.trials.commit(&tree, &[&pair.ours, &pair.theirs])?;
                group.bases.add(&self.participants[next].tip);
                group.before.push(next);
            } else {
                stops.push((next, self.stop(next, &group.before, outcome.conflicts)));
            }
        }
        Ok(stops)
    }

    fn stop(&self, next: usize, before: &[usize], findings: Vec<FileConflict>) -> TrialStop {
        let involved = |at: &&usize| {
            findings.iter().any(|finding| touches(self.participants[**at].changes(), &finding.path))
        };
        let mut with: Vec<usize> = before.iter().filter(involved).copied().collect();
        if with.is_empty() && !self.has_foreign_head() {
            with = before.to_vec();
        }
        with.sort_unstable();
        TrialStop {
            worker: self.participants[next].status.id.clone(),
            with: with.into_iter().map(|at| self.participants[at].status.id.clone()).collect(),
            findings,
        }
    }
}

/// A group of workers being merged.
struct Group {
    head: Oid,
    bases: MergeBases,
    /// The participants that `head` contains.
    before: Vec<usize>,
    /// The participants still to be merged, the last one first.
    queue: Vec<usize>,
}

/// Returns whether what is not committed is simply more work on the worker's branch.
fn is_plain(status: &WorkerStatus, tree: &TreeState) -> bool {
    let on_branch = tree.branch.as_ref() == Some(&status.branch);
    on_branch && tree.operation.is_none() && tree.unmerged.is_empty()
}

/// Returns whether one side is contained in the other: these merge by definition.
fn nested(facts: &Facts, some: &Participant<'_>, other: &Participant<'_>) -> bool {
    let within = |inner: &Participant<'_>, outer: &Participant<'_>| {
        inner.now == inner.tip && facts.history.contains(&outer.tip, &inner.tip)
    };
    within(some, other) || within(other, some)
}
