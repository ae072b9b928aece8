//! Merges one after the other by one running git: starting it anew is most of what a merge costs.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
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
    /// What git prints when it has answered one, and then that: a NUL, and `clean`, the tree, no
    /// conflicts, no messages.
    end: Vec<u8>,
    /// Whether the NUL behind the last answer came with it: git keeps it to itself before 2.49.
    is_ended: bool,
}

impl MergeProcess {
    /// Begins with a commit that is there. Fails where git keeps its answers to itself for too
    /// long.
    pub(crate) fn begin(call: Call, commit: &Oid) -> Result<Self> {
        let mut git = call.dialogue()?;
        let answers = git.listen()?;
        let mark = format!("{commit} {commit}\n");
        git.say(&mark);
        let mut end = vec![0];
        let length = end.len() + "1\0".len() + commit.as_str().len() + "\0\0".len();
        while end.len() < length {
            end.extend(answers.recv_timeout(PATIENCE).context("git merge-tree does not answer")?);
        }
        let is_ended = end.len() > length;
        end.truncate(length);
        ensure!(end.starts_with(b"\x001\0"), "git merge-tree does not answer as it should");
        Ok(Self { git, answers, mark, end, is_ended })
    }

    /// Asks for a merge; returns what git prints of it.
    pub(crate) fn ask(&mut self, line: &str) -> Result<Vec<u8>> {
        self.git.say(&format!("{line}{}", self.mark));
        let begin = usize::from(!self.is_ended);
        let mut said = Vec::new();
        loop {
            said.extend(self.answers.recv().context("git merge-tree ended")?);
            self.is_ended = false;
            let mut answer = said.get(begin..).unwrap_or_default();
            if !answer.ends_with(&self.end) {
                let Some((0, before)) = answer.split_last() else { continue };
                (answer, self.is_ended) = (before, true);
            }
            // An answer may look like the mark's, but never like both together.
            if answer.len() > self.end.len() && answer.ends_with(&self.end) {
                // The NUL that ends it is in both.
                return Ok(answer[..=answer.len() - self.end.len()].to_vec());
            }
        }
    }
}
