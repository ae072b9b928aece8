//! Merging in the object database: no checkout and no index is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use pw_core::blob::Blob;
use pw_core::conflict::{ConflictKind, FileConflict, Stages};
use pw_core::history::MergeBases;
use pw_core::id::Oid;
use pw_core::path::RepoPath;
use pw_core::worker::FileStat;
use rustix::fs::{StatVfs, statvfs};
use tempfile::TempDir;

use crate::changes::portions;
use crate::hook_trace;
use crate::merge_process::MergeProcess;
use crate::overrides;
use crate::process::{Call, records};
use crate::{Author, CommitWriter, Repo, United};

/// What merging two commits comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeOutcome {
    /// The tree as git wrote it: files that conflict hold markers, and so do those that are united.
    /// What the merge comes to is [`Repo::merged_tree`].
    pub marked: Oid,
    /// Empty when the merge is clean. Sorted by path.
    pub conflicts: Vec<FileConflict>,
    /// What the unmerged paths hold.
    pub stages: BTreeMap<RepoPath, Stages>,
    /// Files that conflicted, and of which the plan says that they only grow. Sorted by path.
    pub united: Vec<United>,
}

impl MergeOutcome {
    /// Returns the files that both sides' added lines are kept in.
    pub fn by_union(&self) -> Vec<RepoPath> {
        self.united.iter().map(|united| united.path.clone()).collect()
    }

    /// Returns the conflicts of a `git merge` of the same commits, which keeps both sides' added lines of no
    /// file: none where ours is clean. Sorted by path.
    pub fn of_git(&self) -> Vec<FileConflict> {
        let mut conflicts = self.conflicts.clone();
        if !conflicts.is_empty() {
            let united = self.by_union().into_iter();
            conflicts.extend(united.map(|path| FileConflict::new(path, ConflictKind::Content)));
            conflicts.sort_by(|one, other| one.path.cmp(&other.path));
        }
        conflicts
    }
}

/// Two commits to be merged.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The commit to merge into.
    pub ours: Oid,
    /// The commit to be merged.
    pub theirs: Oid,
    /// Their merge base, when it is certain: git need not search for it.
    pub base: Option<Oid>,
    /// A commit that has the same `.gitattributes` as `ours`, where one is known. Pairs that share
    /// one are merged by the same process.
    pub attributes: Option<Oid>,
}

impl Pair {
    /// Two commits of which nothing more is known.
    pub fn new(ours: &Oid, theirs: &Oid) -> Self {
        Self { ours: ours.clone(), theirs: theirs.clone(), base: None, attributes: None }
    }

    /// The commit whose `.gitattributes` say how files are merged: `git merge` reads those of its
    /// checkout, which is at `ours`.
    fn attributes(&self) -> &Oid {
        self.attributes.as_ref().unwrap_or(&self.ours)
    }

    /// Returns the line that asks `git merge-tree --stdin` for this merge.
    fn question(&self) -> String {
        let base = self.base.as_ref().map(|base| format!("{base} -- ")).unwrap_or_default();
        format!("{base}{} {}\n", self.ours, self.theirs)
    }

    /// The same merge, its base left to git.
    fn without_base(&self) -> Self {
        Self { base: None, ..self.clone() }
    }
}

/// What Linux keeps in memory for programs that share it.
const MEMORY: &str = "/dev/shm";
/// How much room must be left there, in bytes; trial merges write only what comes of both sides.
const ROOM: u64 = 1 << 30;

/// A temporary object directory: what trial merges write stays out of the repository.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// Makes an empty one; it is removed when this is dropped. It lies in memory where there is room,
    /// since a disk takes longer to make and remove so many small files than git to merge; `TMPDIR`
    /// says otherwise.
    pub fn new() -> Result<Self> {
        let has_room = |about: StatVfs| about.f_bavail.saturating_mul(about.f_frsize) >= ROOM;
        let in_memory = std::env::var_os("TMPDIR").is_none() && statvfs(MEMORY).is_ok_and(has_room);
        let place = in_memory.then(|| TempDir::with_prefix_in("pw-objects-", MEMORY).ok());
        let folder = place.flatten().map_or_else(|| TempDir::with_prefix("pw-objects-"), Ok);
        Ok(Self { folder: folder.context("making a temporary folder")? })
    }
}

/// Returns a path as git reads it in a colon-separated list.
fn quoted(path: &Path) -> std::ffi::OsString {
    let text = path.to_string_lossy();
    if text.contains([':', '"', '\n']) {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        return format!("\"{escaped}\"").into();
    }
    path.into()
}

impl Repo {
    /// Makes a call write its objects to `scratch`, if there is one, and renew no object's time.
    pub(crate) fn within(&self, scratch: Option<&Scratch>, call: Call) -> Call {
        let Some(scratch) = scratch else { return call };
        call.touching_nothing()
            .env("GIT_OBJECT_DIRECTORY", scratch.folder.path())
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.common().join("objects")))
    }

    /// Merges pairs of commits, all in one process; `scratch` keeps the results out of the
    /// repository.
    pub fn merge_pairs(
        &self,
        pairs: &[Pair],
        scratch: Option<&Scratch>,
    ) -> Result<Vec<MergeOutcome>> {
        self.ask_merges(pairs, scratch).or_else(|error| {
            // A git before 2.40 takes no base.
            let had_base = pairs.iter().any(|pair| pair.base.is_some());
            let plain: Vec<Pair> = pairs.iter().map(Pair::without_base).collect();
            if had_base { self.ask_merges(&plain, scratch) } else { Err(error) }
        })
    }

    fn ask_merges(&self, pairs: &[Pair], scratch: Option<&Scratch>) -> Result<Vec<MergeOutcome>> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let mut groups: BTreeMap<&Oid, Vec<usize>> = BTreeMap::new();
        for (at, pair) in pairs.iter().enumerate() {
            groups.entry(pair.attributes()).or_default().push(at);
        }
        let mut outcomes = BTreeMap::new();
        for (attributes, group) in groups {
            let questions: String = group.iter().map(|at| pairs[*at].question()).collect();
            let call = self.merge_tree(attributes, scratch)?.input(questions);
            outcomes.extend(group.into_iter().zip(parse_merges(&call.bytes()?)?));
        }
        if outcomes.len() != pairs.len() {
            bail!("git merge-tree answered {} of {} merges", outcomes.len(), pairs.len());
        }
        let mut outcomes: Vec<MergeOutcome> = outcomes.into_values().collect();
        self.unite(&mut outcomes, scratch)?;
        Ok(outcomes)
    }

    /// Begins to merge with the `.gitattributes` of a commit, not those that lie in the user's
    /// checkout, whatever is checked out there. A git before 2.41 does not know how.
    fn merge_tree(&self, attributes: &Oid, scratch: Option<&Scratch>) -> Result<Call> {
        let args = ["merge-tree", "--write-tree", "-z", "--messages", "--stdin"];
        let call = self.hush_drivers(self.git.plumbing(args).reader())?;
        Ok(self.within(scratch, call).env("GIT_ATTR_SOURCE", attributes.as_str()))
    }

    /// Merges `theirs` into `ours`.
    ///
    /// # Errors
    ///
    /// `no_merge_base` where a shallow clone may hide a newer merge base.
    pub fn merge(
        &self,
        ours: &Oid,
        theirs: &Oid,
        scratch: Option<&Scratch>,
    ) -> Result<MergeOutcome> {
        self.require_whole_history(ours, theirs, scratch)?;
        self.ask_merges(&[Pair::new(ours, theirs)], scratch)?
            .pop()
            .context("git merge-tree answered nothing")
    }

    /// Begins a chain of merges upon `onto`; `bases` knows what that contains. In `scratch`, it is
    /// a trial.
    pub fn merges<'a>(
        &'a self,
        author: Author,
        onto: Oid,
        bases: MergeBases,
        scratch: Option<&'a Scratch>,
    ) -> Result<Merges<'a>> {
        let commits = self.commit_writer(author, scratch)?;
        let merger = MergeProcess::begin(self.merge_tree(&onto, scratch)?, &onto).ok();
        let attributes_change = false;
        Ok(Merges { repo: self, scratch, commits, head: onto, bases, merger, attributes_change })
    }

    /// Merges `tip` into a worktree's branch, which must be clean; `tried` is the same merge, without
    /// conflicts. Returns the merge, or the tip of the branch when it contains `tip` already.
    ///
    /// The user's hooks and filters run.
    ///
    /// # Errors
    ///
    /// `hook_refused`, which says which hook it was; the worktree is as before.
    pub fn take_in(
        &self,
        worktree: &Path,
        head: &Oid,
        tip: &Oid,
        message: &str,
        tried: &MergeOutcome,
    ) -> Result<Oid> {
        let united = self.united_blobs(tried)?;
        let args = [
            "merge",
            "--quiet",
            "--no-ff",
            "--no-autostash",
            "--no-log",
            "--no-verify-signatures",
            "--cleanup=whitespace",
            "-m",
            message,
            tip.as_str(),
        ];
        let git = self.git.at(worktree);
        let merge = git.user(overrides::of_merge().chain(args));
        let merge = merge.without_merge_options(self.branch_of(worktree));
        let merge = || match hook_trace::run(self, merge) {
            Err(_) if !united.is_empty() && self.merge_head(worktree)?.as_ref() == Some(tip) => {
                self.conclude(worktree, &united, message)
            }
            merged => merged,
        };
        let merge = || {
            merge().inspect_err(|_| self.give_up_merge(worktree, tip))?;
            let merged = self.read_head(worktree)?;
            if merged.parents.get(1) != Some(tip) && !self.is_ancestor(tip, &merged.oid)? {
                bail!("git merge of {tip} left no merge behind");
            }
            Ok(merged.oid)
        };
        self.writing(worktree, head, tip, merge)
    }

    /// Gives up a merge of `tip` where all files are merged already, and a hook refused.
    fn give_up_merge(&self, worktree: &Path, tip: &Oid) {
        if self.merge_head(worktree).is_ok_and(|merging| merging.as_ref() == Some(tip)) {
            // Where that fails, the refusal that led here says more.
            let _ = self.git.at(worktree).user(["merge", "--abort"]).any_code().run();
        }
    }

    /// Commits a merge that stopped at files of which the result is known.
    fn conclude(&self, worktree: &Path, united: &[(RepoPath, Blob)], message: &str) -> Result<()> {
        for (path, blob) in united {
            self.settle(worktree, path, blob)?;
        }
        let args = ["commit", "--quiet", "--cleanup=whitespace", "-m", message];
        hook_trace::run(self, self.git.at(worktree).user(args))
    }

    /// Returns the first of these commits whose tree a merge of `tip` would leave as it is.
    pub fn first_with(&self, commits: &[Oid], tip: &Oid) -> Result<Option<Oid>> {
        // One process for all: of how files merge, what tells is only whether anything is left.
        let attributes = commits.first();
        let pair = |commit| Pair { attributes: attributes.cloned(), ..Pair::new(commit, tip) };
        let pairs: Vec<Pair> = commits.iter().map(pair).collect();
        // Without a merge base git does not merge, and no commit contains the other's changes.
        let scratch = Scratch::new()?;
        let Ok(outcomes) = self.merge_pairs(&pairs, Some(&scratch)) else {
            return Ok(None);
        };
        let trees = self.trees_of(commits)?;
        for ((outcome, tree), commit) in outcomes.iter().zip(&trees).zip(commits) {
            let merges = outcome.conflicts.is_empty();
            if merges && self.merged_tree(outcome, Some(&scratch))? == *tree {
                return Ok(Some(commit.clone()));
            }
        }
        Ok(None)
    }

    /// Returns whether `commit` contains `ancestor`.
    pub fn is_ancestor(&self, ancestor: &Oid, commit: &Oid) -> Result<bool> {
        Ok(self.ask_ancestor(ancestor, commit).codes(&[0, 1]).run()?.code == 0)
    }

    /// Begins to ask whether `commit` contains `ancestor`: git ends with 0 for yes, with 1 for no.
    pub(crate) fn ask_ancestor(&self, ancestor: &Oid, commit: &Oid) -> Call {
        let args = ["merge-base", "--is-ancestor", ancestor.as_str(), commit.as_str()];
        self.git.plumbing(args).reader()
    }

    /// Returns the files of a worktree that git does not track, and that a merge of `tip` into `head`
    /// would overwrite: ignored ones it overwrites without a word.
    pub fn untracked_in_the_way(
        &self,
        worktree: &Path,
        head: &Oid,
        tip: &Oid,
    ) -> Result<Vec<RepoPath>> {
        let range = format!("{head}...{tip}");
        let args = [
            "diff",
            "--name-only",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--diff-filter=A",
            &range,
            "--",
        ];
        let added = self.git.plumbing(args).reader().bytes()?;
        // A file stands in the way of a folder, and whatever is in a folder in that of a file; what lies
        // behind a link is not in the worktree.
        let in_the_way: BTreeSet<RepoPath> =
            records(&added).filter_map(|path| in_the_place_of(worktree, path)).collect();
        let in_the_way: Vec<RepoPath> = in_the_way.into_iter().collect();
        let mut untracked = Vec::new();
        for some in portions(&in_the_way) {
            let words = ["ls-files", "-z", "--others", "--"].map(OsString::from);
            let call = self.git.at(worktree).plumbing(words.into_iter().chain(some)).reader();
            untracked.extend(records(&call.bytes()?).map(RepoPath::new));
        }
        Ok(untracked)
    }

    /// Returns how many lines each file gained and lost between two commits.
    pub fn stat(&self, from: &Oid, to: &Oid) -> Result<Vec<FileStat>> {
        let args = [
            "diff",
            "--numstat",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            from.as_str(),
            to.as_str(),
            "--",
        ];
        let answer = self.git.plumbing(args).reader().bytes()?;
        let line = |record: &[u8]| {
            let mut fields = record.splitn(3, |byte| *byte == b'\t');
            let mut number = || std::str::from_utf8(fields.next()?).ok()?.parse().ok();
            let (added, deleted) = (number(), number());
            Some(FileStat { path: RepoPath::new(fields.next()?), added, deleted })
        };
        records(&answer).map(|record| line(record).context("an unreadable stat")).collect()
    }
}

/// Merges upon merges: one process for all of them, and one for their commits.
#[derive(Debug)]
pub struct Merges<'a> {
    repo: &'a Repo,
    scratch: Option<&'a Scratch>,
    commits: CommitWriter,
    head: Oid,
    bases: MergeBases,
    /// `None` once it failed: git before 2.40 takes no merge base from us.
    merger: Option<MergeProcess>,
    /// Whether a merge may change `.gitattributes`, which the next one obeys.
    attributes_change: bool,
}

impl Merges<'_> {
    /// Says whether any of the tips may change `.gitattributes`: then each merge has a process of
    /// its own, which reads those of the result so far.
    pub fn with_attributes_that_change(mut self, attributes_change: bool) -> Self {
        self.attributes_change = attributes_change;
        self
    }

    /// The newest merge.
    pub fn head(&self) -> &Oid {
        &self.head
    }

    /// Returns the result of merging `tip`; the chain stays as it is.
    ///
    /// # Errors
    ///
    /// `no_merge_base` where a shallow clone may hide a newer merge base.
    pub fn merge(&mut self, tip: &Oid) -> Result<MergeOutcome> {
        self.repo.require_whole_history(&self.head, tip, self.scratch)?;
        if let Some(merger) = &mut self.merger {
            // Searching for the base would be most of the work, over and over.
            let base = self.bases.merge_base(tip);
            let pair = Pair { base, ..Pair::new(&self.head, tip) };
            let answer = merger.ask(&pair.question());
            if let Ok(mut outcomes) = answer.and_then(|said| parse_merges(&said))
                && let [_] = outcomes[..]
            {
                self.repo.unite(&mut outcomes, self.scratch)?;
                return outcomes.pop().context("one merge without an outcome");
            }
            self.merger = None;
        }
        self.repo.merge(&self.head, tip, self.scratch)
    }

    /// Returns the tree that a merge without conflicts comes to.
    pub fn merged_tree(&self, outcome: &MergeOutcome) -> Result<Oid> {
        self.repo.merged_tree(outcome, self.scratch)
    }

    /// Goes on with a merge of `tip` that has this tree; returns its commit.
    pub fn take(&mut self, tip: &Oid, tree: &Oid, message: &str) -> Result<Oid> {
        let merge = self.commits.write(tree, &[&self.head, tip], message)?;
        self.bases.add(tip);
        self.head = merge.clone();
        if self.attributes_change && self.merger.is_some() {
            let call = self.repo.merge_tree(&self.head, self.scratch)?;
            self.merger = MergeProcess::begin(call, &self.head).ok();
        }
        Ok(merge)
    }
}

/// Reads what `git merge-tree --write-tree -z --messages --stdin` prints, merge after merge.
fn parse_merges(bytes: &[u8]) -> Result<Vec<MergeOutcome>> {
    let mut fields = bytes.split(|byte| *byte == 0);
    let mut outcomes = Vec::new();
    // Each merge: clean or not, the tree, conflicted entries, an empty field, messages, an empty
    // field.
    while let Some(clean) = fields.next().filter(|field| !field.is_empty()) {
        let tree = fields.next().and_then(|field| std::str::from_utf8(field).ok()?.parse().ok());
        let tree = tree.context("git merge-tree printed no tree")?;
        let mut stages: BTreeMap<RepoPath, Stages> = BTreeMap::new();
        while let Some(entry) = fields.next().filter(|field| !field.is_empty()) {
            let (path, number, blob) = parse_stage(entry).context("an unreadable conflict")?;
            let path = path.without_side().unwrap_or(path);
            let stages = stages.entry(path).or_default();
            match number {
                b'1' => stages.base = Some(blob),
                b'2' => stages.ours = Some(blob),
                _ => stages.theirs = Some(blob),
            }
        }
        let mut named = Vec::new();
        while let Some(count) = fields.next().filter(|field| !field.is_empty()) {
            let count: usize =
                std::str::from_utf8(count)?.parse().context("a message without a count")?;
            let about: Vec<RepoPath> = fields.by_ref().take(count).map(RepoPath::new).collect();
            let kind = String::from_utf8_lossy(fields.next().context("a message without a kind")?)
                .into_owned();
            fields.next();
            if let (Some(kind), Some(path)) = (conflict_kind(&kind), about.into_iter().next()) {
                let path = path.without_side().unwrap_or(path);
                let added = stages.get(&path).is_some_and(|stages| stages.base.is_none());
                let kind = match kind {
                    ConflictKind::Content if added => ConflictKind::AddAdd,
                    kind => kind,
                };
                named.push(FileConflict::new(path, kind));
            }
        }
        let conflicts = match clean {
            b"1" => Vec::new(),
            b"0" => all(named, stages.keys()),
            _ => bail!("git merge-tree says neither that it merged nor that it did not"),
        };
        ensure!(clean == b"1" || !conflicts.is_empty(), "a merge that conflicts nowhere");
        outcomes.push(MergeOutcome { marked: tree, conflicts, stages, united: Vec::new() });
    }
    Ok(outcomes)
}

/// Reads `mode id stage<TAB>path`.
fn parse_stage(entry: &[u8]) -> Option<(RepoPath, u8, Blob)> {
    let at = entry.iter().position(|byte| *byte == b'\t')?;
    let about = std::str::from_utf8(&entry[..at]).ok()?;
    let [mode, oid, number] = about.split(' ').collect::<Vec<_>>()[..] else { return None };
    let blob = Blob { oid: oid.parse().ok()?, mode: mode.parse().ok()? };
    Some((RepoPath::new(&entry[at + 1..]), *number.as_bytes().first()?, blob))
}

/// Returns one conflict for each path: the most telling of those git names, or `other` for a path
/// that is unmerged without a word.
fn all<'a>(
    named: Vec<FileConflict>,
    paths: impl Iterator<Item = &'a RepoPath>,
) -> Vec<FileConflict> {
    let mut conflicts: BTreeMap<RepoPath, ConflictKind> = BTreeMap::new();
    for FileConflict { path, kind, .. } in named {
        let plain = matches!(kind, ConflictKind::Content | ConflictKind::AddAdd);
        conflicts
            .entry(path)
            .and_modify(|known| {
                if !plain {
                    *known = kind
                }
            })
            .or_insert(kind);
    }
    for path in paths {
        conflicts.entry(path.clone()).or_insert(ConflictKind::Other);
    }
    conflicts.into_iter().map(|(path, kind)| FileConflict::new(path, kind)).collect()
}

/// Returns what is where a file is to be written: something there, or the first above it that is no
/// folder.
fn in_the_place_of(worktree: &Path, path: &[u8]) -> Option<RepoPath> {
    let path = RepoPath::new(path);
    let mut folders: Vec<RepoPath> = path.ancestors().map(RepoPath::new).collect();
    folders.reverse();
    for part in folders {
        if !worktree.join(part.to_path()).symlink_metadata().ok()?.is_dir() {
            return Some(part);
        }
    }
    worktree.join(path.to_path()).symlink_metadata().is_ok().then_some(path)
}

/// Returns the kind of conflict a message is about; `None` for remarks such as `Auto-merging`. The
/// words are git's own types (`merge-ort.c`), two of them without a space.
fn conflict_kind(kind: &str) -> Option<ConflictKind> {
    let inner = kind.strip_prefix("CONFLICT")?.trim_start().trim_matches(['(', ')']);
    Some(match inner {
        "contents" => ConflictKind::Content,
        "binary" => ConflictKind::Binary,
        "modify/delete" => ConflictKind::ModifyDelete,
        "file/directory" | "distinct modes" => ConflictKind::FileDirectory,
        _ if inner.contains("directory rename") => ConflictKind::DirectoryRename,
        _ if inner.starts_with("rename") => ConflictKind::Rename,
        _ if inner.contains("submodule") => ConflictKind::Submodule,
        _ => ConflictKind::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_merges_are_read_from_one_answer() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let text = format!(
            "1\0{a}\0\0\0\
             0\0{b}\0100644 {a} 1\tx y\0100644 {a} 2\tx y\0100644 {b} 2\tz\0\0\
             1\0x y\0Auto-merging\0Auto-merging x y\n\0\
             1\0x y\0CONFLICT (contents)\0CONFLICT (content): in x y\n\0\0"
        );
        let outcomes = parse_merges(text.as_bytes()).unwrap();
        assert_eq!(outcomes.len(), 2);
        assert!(outcomes[0].conflicts.is_empty());
        let kinds: Vec<_> =
            outcomes[1].conflicts.iter().map(|c| (c.path.to_string(), c.kind)).collect();
        assert_eq!(
            kinds,
            [("x y".into(), ConflictKind::Content), ("z".into(), ConflictKind::Other)]
        );
    }
}
