//! History: every commit of the workflow with its message, and what ranges of them changed.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use pw_core::blob::Blob;
use pw_core::history::{Change, Commit, CommitRange, Content};
use pw_core::id::Oid;
use pw_core::path::RepoPath;

use crate::process::records;
use crate::{Repo, Scratch};

/// `git log` with everything a configuration could change said outright.
const LOG: &[&str] = &[
    "log",
    "-z",
    "--no-show-signature",
    "--no-notes",
    "--no-decorate",
    "--no-mailmap",
    "--no-color",
    "--encoding=UTF-8",
    "--format=%H%x00%P%x00%ct%x00%B%x00",
];

/// What [`parse_change`] reads, and nothing else.
const RAW: &[&str] = &[
    "--raw",
    "-z",
    "--no-abbrev",
    "--root",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--ignore-submodules=none",
];

/// A merge changes what differs from merging its parents: also what it left out of a side.
const REMERGE: &str = "--diff-merges=remerge";

impl Repo {
    /// Returns every commit that `tips` contain and `base` does not, without changes.
    pub fn history<'a>(
        &self,
        tips: impl IntoIterator<Item = &'a Oid>,
        base: &Oid,
    ) -> Result<Vec<Commit>> {
        let args = LOG.iter().chain(&["--stdin"]);
        parse_log(&self.git.plumbing(args).reader().input(range(tips, base)).bytes()?)
    }

    /// Returns the same with what each commit changed.
    pub fn history_with_changes<'a>(
        &self,
        tips: impl IntoIterator<Item = &'a Oid>,
        base: &Oid,
    ) -> Result<Vec<Commit>> {
        let mut commits = self.history(tips, base)?;
        let changes = self.changes(&commits.iter().map(CommitRange::one).collect::<Vec<_>>())?;
        for (commit, changes) in commits.iter_mut().zip(changes) {
            commit.changes = changes;
        }
        Ok(commits)
    }

    /// Returns what ranges of commits changed, in one process; in another if there are merges.
    pub fn changes(&self, ranges: &[CommitRange]) -> Result<Vec<Vec<Change>>> {
        let is_merge = |range: &CommitRange| range.parents.len() == 2;
        let plain: Vec<CommitRange> =
            ranges.iter().filter(|range| !is_merge(range)).flat_map(comparisons).collect();
        let mut plain = self.compare(&plain)?.into_iter();
        let merges = ranges.iter().filter(|range| is_merge(range));
        let merges: String = merges.map(|merge| format!("{}\n", merge.newest)).collect();
        let mut merges = match merges.is_empty() {
            true => Vec::new(),
            false => self.log_with_changes(&["--no-walk=unsorted", "--stdin"], merges)?,
        }
        .into_iter();
        let answer = |range: &CommitRange| {
            let changes = match range.parents.len() {
                0 | 1 => plain.next(),
                2 => merges.next().map(|merge| merge.changes),
                parents => in_all(plain.by_ref().take(parents)),
            };
            changes.with_context(|| format!("git told no changes of {}", range.newest))
        };
        ranges.iter().map(answer).collect()
    }

    /// Compares the ends of ranges, all in one process.
    fn compare(&self, ranges: &[CommitRange]) -> Result<Vec<Vec<Change>>> {
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        let line = |range: &CommitRange| {
            let ends = std::iter::once(&range.newest).chain(&range.parents);
            ends.map(Oid::as_str).collect::<Vec<_>>().join(" ") + "\n"
        };
        let questions: String = ranges.iter().map(line).collect();
        let args = ["diff-tree", "--stdin", "--always", "-r"];
        let call = self.git.plumbing(args.iter().chain(RAW)).reader().input(questions);
        let mut answers: Vec<Vec<Change>> = Vec::new();
        let answer = call.bytes()?;
        let mut fields = records(&answer);
        while let Some(field) = fields.next() {
            if field.starts_with(b":") {
                let path = fields.next().context("a change without a path")?;
                let changes = answers.last_mut().context("a change without a commit")?;
                changes.push(parse_change(field, path).context("an unreadable change")?);
            } else {
                answers.push(Vec::new());
            }
        }
        Ok(answers)
    }

    /// Returns which commits of a first-parent chain since `base` changed one of these files,
    /// compared with the first parent.
    pub fn touching<'a>(
        &self,
        base: &Oid,
        tip: &Oid,
        paths: impl IntoIterator<Item = &'a RepoPath>,
    ) -> Result<HashSet<Oid>> {
        let mut input = range([tip], base).into_bytes();
        input.extend(b"--\n");
        for path in paths {
            // git reads a path from a line; of one that has several, the folder that has not.
            let names = std::iter::once(path.as_bytes()).chain(path.ancestors());
            input.extend(names.into_iter().find(|name| !name.contains(&b'\n')).unwrap_or(b"."));
            input.push(b'\n');
        }
        let args = ["rev-list", "--first-parent", "--stdin"];
        let answer = self.git.plumbing(args).reader().input(input).line()?;
        answer.lines().map(|line| line.parse().context("an unreadable commit")).collect()
    }

    /// Returns a merge base of two commits, if they have one.
    pub fn merge_base(&self, one: &Oid, other: &Oid) -> Result<Option<Oid>> {
        let call = self.git.plumbing(["merge-base", one.as_str(), other.as_str()]);
        Ok(call.reader().codes(&[0, 1]).line()?.parse().ok())
    }

    /// Returns the files that a range moved, as git's merge finds them: old name and new one.
    pub fn renames(&self, range: &CommitRange) -> Result<Vec<(RepoPath, RepoPath)>> {
        let ends = range.parents.iter().chain([&range.newest]).map(Oid::as_str);
        let args = ["diff-tree", "-r", "-z", "-M", "--diff-filter=R", "--name-status"];
        pairs(&self.git.plumbing(args.into_iter().chain(ends)).reader().bytes()?)
    }

    /// Returns which of the uncommitted files of a worktree are others, moved: old name and new one.
    pub fn uncommitted_renames(
        &self,
        worktree: &Path,
        uncommitted: &[RepoPath],
    ) -> Result<Vec<(RepoPath, RepoPath)>> {
        let scratch = Scratch::new()?;
        let tree = self.trial_tree(worktree, uncommitted, &self.no_filters()?, &scratch)?;
        let args = ["diff-tree", "-r", "-z", "-M", "-l400", "--diff-filter=R", "--name-status"];
        let ends = ["HEAD", tree.as_str()];
        let call = self.git.at(worktree).plumbing(args.into_iter().chain(ends));
        pairs(&self.within(Some(&scratch), call.reader()).bytes()?)
    }

    /// Returns whether every commit of `tip` stands in `target` as the same change, as a rebase or
    /// cherry-pick leaves it. False with a merge among them: `git cherry` does not see what a merge
    /// changed itself.
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
        let args = ["--first-parent", "--no-merges", &limit, tip.as_str(), "--"];
        self.log_with_changes(&args, String::new())
    }

    /// To show what a merge changed, git merges its parents anew.
    fn log_with_changes(&self, args: &[&str], revisions: String) -> Result<Vec<Commit>> {
        let args = LOG.iter().chain(RAW).chain(&[REMERGE]).chain(args);
        let scratch = Scratch::new()?;
        let call = self.hush_drivers(self.git.plumbing(args).reader())?;
        parse_log(&self.within(Some(&scratch), call).input(revisions).bytes()?)
    }

    /// Returns the commit that HEAD of a worktree has, without its changes.
    pub fn read_head(&self, worktree: &Path) -> Result<Commit> {
        let args = LOG.iter().chain(&["-n1", "HEAD", "--"]);
        let answer = self.git.at(worktree).plumbing(args).reader().bytes()?;
        parse_log(&answer)?.pop().context("HEAD has no commit")
    }

    /// Returns the subjects and committer times of a ref's own chain, the oldest first.
    pub(crate) fn subjects(&self, tip: &Oid) -> Result<Vec<(String, i64)>> {
        self.subjects_of(&[tip.as_str()])
    }

    /// Returns the subjects of a ref's own chain that `since` does not contain, the oldest first.
    pub(crate) fn subjects_since(&self, since: &Oid, tip: &Oid) -> Result<Vec<String>> {
        let listed = self.subjects_of(&[tip.as_str(), &format!("^{since}")])?;
        Ok(listed.into_iter().map(|(subject, _)| subject).collect())
    }

    fn subjects_of(&self, revisions: &[&str]) -> Result<Vec<(String, i64)>> {
        let args =
            ["log", "-z", "--first-parent", "--reverse", "--no-show-signature", "--format=%ct %s"];
        let args = args.into_iter().chain(revisions.iter().copied()).chain(["--"]);
        let answer = self.git.plumbing(args).reader().bytes()?;
        let line = |record: &[u8]| {
            let text = String::from_utf8_lossy(record).into_owned();
            let (time, subject) = text.split_once(' ').context("git log printed no time")?;
            Ok((subject.to_owned(), time.parse()?))
        };
        records(&answer).map(line).collect()
    }
}

/// Returns what to compare for a range. Git merges no more than two anew: a merge of more is
/// compared with each of them.
fn comparisons(range: &CommitRange) -> Vec<CommitRange> {
    let CommitRange { newest, parents } = range;
    let with = |parent: &Oid| CommitRange { newest: newest.clone(), parents: vec![parent.clone()] };
    if parents.is_empty() { vec![range.clone()] } else { parents.iter().map(with).collect() }
}

/// Returns the changes that a merge makes against each of its parents.
fn in_all(mut comparisons: impl Iterator<Item = Vec<Change>>) -> Option<Vec<Change>> {
    let mut changes = comparisons.next()?;
    for other in comparisons {
        let paths: HashSet<RepoPath> = other.into_iter().map(|change| change.path).collect();
        changes.retain(|change| paths.contains(&change.path));
    }
    Some(changes)
}

/// Returns the revisions of `base..tips`, a line each.
fn range<'a>(tips: impl IntoIterator<Item = &'a Oid>, base: &Oid) -> String {
    tips.into_iter().map(|tip| format!("{tip}\n")).chain([format!("^{base}\n")]).collect()
}

/// Reads what [`LOG`] and [`RAW`] print: four fields, then `:modes ids status`, `path` pairs.
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
            // A commit made with `git hash-object` may have no readable time, and still counts.
            time: time.parse().unwrap_or_default(),
            message,
            changes: Vec::new(),
        });
    }
    Ok(commits)
}

/// The mode of a side on which a path is not there.
const NOT_THERE: &str = "000000";

/// Reads `:old-mode new-mode old-id new-id status`.
fn parse_change(field: &[u8], path: &[u8]) -> Option<Change> {
    let text = std::str::from_utf8(field).ok()?.strip_prefix(':')?;
    let words: Vec<&str> = text.split(' ').collect();
    let [old_mode, new_mode, old_id, new_id, ..] = words[..] else { return None };
    let content = |mode: &str, id: &str| {
        let blob = |oid| Some(Content::Committed(Blob { oid, mode: mode.parse().ok()? }));
        if mode == NOT_THERE { Some(None) } else { Some(Some(blob(id.parse().ok()?)?)) }
    };
    Some(Change {
        path: RepoPath::new(path),
        old: content(old_mode, old_id)?,
        new: content(new_mode, new_id)?,
    })
}

/// Reads renames, each of them a letter, the old name, and the new one.
fn pairs(answer: &[u8]) -> Result<Vec<(RepoPath, RepoPath)>> {
    let fields: Vec<&[u8]> = records(answer).collect();
    let pair = |fields: &[&[u8]]| (RepoPath::new(fields[1]), RepoPath::new(fields[2]));
    ensure!(fields.len().is_multiple_of(3), "git told half a rename");
    Ok(fields.chunks(3).map(pair).collect())
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
