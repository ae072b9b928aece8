//! The whole picture of a workflow: facts, what trial merges find, states.

use anyhow::Result;
use pw_core::facts::Facts;
use pw_core::plan::Worker;
use pw_core::status::Status;
use pw_core::time::Seconds;
use pw_git::both;

use crate::engines;
use crate::facts::Worktrees;
use crate::prediction::{Prediction, TrialMerges, predict};
use crate::repair;
use crate::session;
use crate::sighting;
use crate::workflow::Workflow;

impl Workflow {
    /// Returns the whole picture.
    pub(crate) fn status(&self, now: Seconds, which: Worktrees<'_>) -> Result<Status> {
        Ok(self.picture(now, which)?.0)
    }

    /// Returns the whole picture, and the facts it was made of.
    pub(crate) fn picture(&self, now: Seconds, which: Worktrees<'_>) -> Result<(Status, Facts)> {
        let workers: Vec<&Worker> = self.plan.workers.iter().collect();
        let is_all = which == Worktrees::All;
        let mut trials = TrialMerges::new(&self.repo)?;
        // Looking into worktrees takes longest: what is committed is merged meanwhile. A merge that
        // uncommitted files do not change is not tried again.
        let committed = || {
            let facts = self.committed(now)?;
            is_all.then(|| predict(self, &facts, &self.board(&facts), &mut trials)).transpose()?;
            Ok(facts)
        };
        let others = || match is_all {
            true => Ok((Some(self.checkout()?), session::facts(self, &workers, now))),
            false => Ok((None, Vec::new())),
        };
        let gaps = || match is_all {
            true => repair::gaps(self, &workers),
            false => Ok(Vec::new()),
        };
        // The user asks the remote, or does not ask what is elsewhere.
        let asks =
            self.channel.as_ref().is_some_and(|known| known.fetched || known.trouble.is_some());
        let jobs = || Ok(engines::jobs(self, &workers, asks));
        let gaps = || both(gaps, jobs);
        let others = || both(others, gaps);
        let worktrees = || both(others, || self.worktree_facts(which));
        let (mut facts, (((checkout, sessions), (gaps, (jobs, answers))), worktrees)) =
            both(committed, worktrees)?;
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
        for (id, (job, look)) in jobs {
            let known = facts.workers.entry(id).or_default();
            known.session = std::mem::take(&mut known.session).by(job, look);
        }
        facts.engines = answers;
        sighting::add(self, &mut facts)?;
        let board = self.board(&facts);
        let Prediction { conflicts, trial } = predict(self, &facts, &board, &mut trials)?;
        let status = board.status(conflicts, trial, self);
        Ok((status, facts))
    }
}
