//! Merges one after the other by one running git: starting it anew is most of what a merge costs.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::{Context as _, Result};
use pw_core::id::Oid;

use crate::process::{Call, Dialogue};

/// How long git may take to show that it answers before its input ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running `git merge-tree --stdin`.
#[derive(Debug)]
pub(crate) struct MergeProcess {
    git: Dialogue,
    answers: Receiver<Vec<u8>>,
    /// A question whose answer is known. Git does not say where an answer ends before it begins the
    /// next, so this one is asked behind each.
    mark: String,
    /// What git prints when it has answered one, and then that.
    end: Vec<u8>,
}

impl MergeProcess {
    /// Begins with a commit that is there. Fails where git keeps its answers to itself for too
    /// long.
    pub(crate) fn begin(call: Call, commit: &Oid) -> Result<Self> {
        let mut git = call.dialogue()?;
        let answers = git.listen()?;
        let mark = format!("{commit} {commit}\n");
        git.say(&mark);
        // It ends the answer before: `clean`, the tree, no conflicts, no messages.
        let mut end = vec![0];
        while !(end.starts_with(b"\x001\0") && end.len() > 4 && end.ends_with(b"\0\0")) {
            end.extend(answers.recv_timeout(PATIENCE).context("git merge-tree does not answer")?);
        }
        Ok(Self { git, answers, mark, end })
    }

    /// Asks for a merge; returns what git prints of it.
    pub(crate) fn ask(&mut self, line: &str) -> Result<Vec<u8>> {
        self.git.say(&format!("{line}{}", self.mark));
        let mut said = Vec::new();
        // An answer may look like the mark's, but never like both together.
        while said.len() <= self.end.len() || !said.ends_with(&self.end) {
            said.extend(self.answers.recv().context("git merge-tree ended")?);
        }
        // From the end of the answer before to the end of this one.
        Ok(said[1..=said.len() - self.end.len()].to_vec())
    }
}
