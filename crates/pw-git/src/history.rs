//! History: every commit of the workflow with its message and changes, in one pass.

use std::path::Path;

use anyhow::{Context as _, Result};
use pw_core::facts::{Change, Commit};
use pw_core::id::Oid;
use pw_core::path::RepoPath;

use crate::process::{Call, records};
use crate::{Repo, Scratch};

/// `git log` with everything a configuration could change said outright.
const LOG: &[&str] = &[
    "log",
    "-z",
    "--raw",
    "--no-abbrev",
    "--root",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--ignore-submodules=none",
    // A merge changes what differs from merging its parents: also what it left out of a side.
    "--diff-merges=remerge",
    "--no-show-signature",
    "--no-notes",
    "--no-decorate",
    "--no-mailmap",
    "--no-color",
    "--encoding=UTF-8",
    "--format=%H%x00%P%x00%ct%x00%B%x00",
];

impl Repo {
    /// Returns every commit that `tips` contain and `base` does not.
    pub fn history<'a>(
        &self,
        tips: impl IntoIterator<Item = &'a Oid>,
        base: &Oid,
    ) -> Result<Vec<Commit>> {
        let revisions: String =
            tips.into_iter().map(|tip| format!("{tip}\n")).chain([format!("^{base}\n")]).collect();
        let call = self.git.plumbing(LOG.iter().chain(&["--stdin"])).reader().input(revisions);
        self.read_log(call)
    }

    /// Returns the commits that `tips` contain and `base` does not, without messages and changes:
    /// enough to know who is whose ancestor.
    pub fn lineage<'a>(
        &self,
        tips: impl IntoIterator<Item = &'a Oid>,
        base: &Oid,
    ) -> Result<Vec<Commit>> {
        let revisions: String =
            tips.into_iter().map(|tip| format!("{tip}\n")).chain([format!("^{base}\n")]).collect();
        let call =
            self.git.plumbing(["rev-list", "--parents", "--stdin"]).reader().input(revisions);
        let answer = call.bytes()?;
        let commit = |line: &str| {
            let mut ids = line
                .split(' ')
                .map(|id| id.parse().map_err(|_| anyhow::anyhow!("no object id: {id:?}")));
            let oid = ids.next().context("an empty line")??;
            let parents = ids.collect::<Result<_>>()?;
            Ok(Commit { oid, parents, time: 0, message: String::new(), changes: Vec::new() })
        };
        String::from_utf8_lossy(&answer).lines().map(commit).collect()
    }

    /// Returns whether every commit of `tip` stands in `target` as the same change, as a rebase or
    /// cherry-pick leaves it. A merge among them may hold a change of its own: then nobody knows.
    pub fn is_applied(&self, target: &Oid, tip: &Oid) -> Result<bool> {
        let range = format!("{target}..{tip}");
        let merges = self.git.plumbing(["rev-list", "--merges", "-n1", &range]).reader().line()?;
        let cherry =
            self.git.plumbing(["cherry", target.as_str(), tip.as_str()]).reader().line()?;
        Ok(merges.is_empty()
            && !cherry.is_empty()
            && cherry.lines().all(|line| line.starts_with('-')))
    }

    /// Returns the newest commits of a first-parent chain, at most `limit`.
    pub fn recent(&self, tip: &Oid, limit: usize) -> Result<Vec<Commit>> {
        let limit = format!("-n{limit}");
        let args = LOG.iter().copied().chain([
            "--first-parent",
            "--no-merges",
            &limit,
            tip.as_str(),
            "--",
        ]);
        self.read_log(self.git.plumbing(args).reader())
    }

    /// Runs [`LOG`]: to show what a merge changed, git merges its parents anew.
    fn read_log(&self, call: Call) -> Result<Vec<Commit>> {
        let scratch = Scratch::new()?;
        parse_log(&scratch.apply(call, self).bytes()?)
    }

    /// Returns the paths that differ between two commits.
    pub fn changed(&self, from: &Oid, to: &Oid) -> Result<Vec<RepoPath>> {
        let args = ["diff-tree", "-r", "-z", "--name-only", "--no-renames"];
        let args = args.into_iter().chain(["--ignore-submodules=none", from.as_str(), to.as_str()]);
        Ok(records(&self.git.plumbing(args).reader().bytes()?).map(RepoPath::new).collect())
    }

    /// Returns the commit that HEAD of a worktree has.
    pub fn read_head(&self, worktree: &Path) -> Result<Commit> {
        let args = LOG.iter().copied().chain(["-n1", "HEAD", "--"]);
        self.read_log(self.git.at(worktree).plumbing(args).reader())?
            .pop()
            .context("HEAD has no commit")
    }

    /// Returns the subjects and committer times of a ref's own chain, the oldest first.
    pub(crate) fn subjects(&self, tip: &Oid) -> Result<Vec<(String, i64)>> {
        let args = [
            "log",
            "-z",
            "--first-parent",
            "--reverse",
            "--no-show-signature",
            "--format=%ct %s",
            tip.as_str(),
            "--",
        ];
        let answer = self.git.plumbing(args).reader().bytes()?;
        let line = |record: &[u8]| {
            let text = String::from_utf8_lossy(record).into_owned();
            let (time, subject) = text.split_once(' ').context("git log printed no time")?;
            Ok((subject.to_owned(), time.parse()?))
        };
        records(&answer).map(line).collect()
    }
}

/// Reads what [`LOG`] prints: four fields, then `:modes ids status`, `path` pairs.
fn parse_log(bytes: &[u8]) -> Result<Vec<Commit>> {
    let mut commits: Vec<Commit> = Vec::new();
    let mut fields = records(bytes);
    while let Some(field) = fields.next() {
        let field = field.strip_prefix(b"\n").unwrap_or(field);
        if field.is_empty() {
            continue;
        }
        let mut text = || Some(String::from_utf8_lossy(fields.next()?).into_owned());
        if field.starts_with(b":") {
            let path = fields.next().context("a change without a path")?;
            let commit = commits.last_mut().context("a change without a commit")?;
            commit.changes.push(parse_change(field, path).context("an unreadable change")?);
            continue;
        }
        let oid = std::str::from_utf8(field)?;
        let (Some(parents), Some(time), Some(message)) = (text(), text(), text()) else {
            anyhow::bail!("git log ended in the middle of commit {oid}");
        };
        let id =
            |text: &str| text.parse::<Oid>().map_err(|_| anyhow::anyhow!("no object id: {text:?}"));
        commits.push(Commit {
            oid: id(oid)?,
            parents: parents.split_whitespace().map(id).collect::<Result<_>>()?,
            // A commit somebody wrote by hand may have no readable time; it is a commit all the same.
            time: time.parse().unwrap_or_default(),
            message,
            changes: Vec::new(),
        });
    }
    Ok(commits)
}

/// Reads `:old-mode new-mode old-id new-id status`.
fn parse_change(field: &[u8], path: &[u8]) -> Option<Change> {
    let text = std::str::from_utf8(field).ok()?.strip_prefix(':')?;
    let words: Vec<&str> = text.split(' ').collect();
    let [old_mode, new_mode, old_id, new_id, ..] = words[..] else { return None };
    let content =
        |mode: &str, id: &str| mode.bytes().any(|b| b != b'0').then(|| format!("{mode} {id}"));
    Some(Change {
        path: RepoPath::new(path),
        old: content(old_mode, old_id),
        new: content(new_mode, new_id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_with_roots_merges_and_empty_commits() {
        let [a, b, c, z] = ["a", "b", "c", "0"].map(|c| c.repeat(40));
        let text = format!(
            "{a}\0{b} {c}\099\0merge\n\0\0\0:100644 000000 {a} {z} D\0dropped\0\
             {b}\0{c}\098\0empty\n\0\0{c}\0\097\0:root\n\nbody\n\0\0\n:000000 100644 {z} {a} A\0caf\u{e9}\0"
        );
        let commits = parse_log(text.as_bytes()).unwrap();
        assert_eq!(commits.len(), 3);
        assert_eq!(commits[0].parents.len(), 2);
        assert_eq!(
            (&commits[0].changes[0].path, &commits[0].changes[0].new),
            (&"dropped".into(), &None)
        );
        assert!(commits[1].changes.is_empty());
        assert_eq!((commits[2].message.as_str(), commits[2].time), (":root\n\nbody\n", 97));
        assert_eq!(commits[2].changes[0].path, "café".into());
        assert_eq!(commits[2].changes[0].old, None);
        assert!(parse_log(b"nonsense").is_err());
    }
}
