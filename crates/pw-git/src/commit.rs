//! A worktree's files on their way into a commit: every state that `git status` can show, with the
//! user's filters and hooks.
//!
//! Paths come from git and go back to it as they are: a command that matches them against files
//! would fail for those that are gone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use pw_core::branch::Branch;
use pw_core::facts::TreeState;
use pw_core::history::Commit;
use pw_core::hollow_entries::{self, WorktreeEntry};
use pw_core::id::Oid;
use pw_core::path::RepoPath;
use pw_core::unstageable::{self, Unstageable};
use tempfile::TempDir;

use crate::Repo;
use crate::changes::{joined, portions};
use crate::hook_trace;
use crate::process::{Call, Git, GitError, records};

/// From how many files on they are written into one pack. A file for each object is most of what
/// adding many files costs; what filters change is written as ever.
const MANY: usize = 1000;
const INTO_A_PACK: [&str; 2] = ["-c", "core.bigFileThreshold=1"];

/// How many files that git does not take are looked for.
const MAX_UNSTAGEABLE: usize = 20;

/// Never --remove here: it takes what a sparse checkout leaves out for deleted.
const STAGE: [&str; 5] = ["update-index", "--add", "--replace", "-z", "--stdin"];
const UNSTAGE: [&str; 5] = ["update-index", "--add", "--force-remove", "-z", "--stdin"];

/// What `git apply` takes back, whatever the user's settings make of a diff; the exit code says whether
/// there is a difference.
const PATCH: &[&str] = &[
    "diff",
    "--exit-code",
    "--binary",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--no-relative",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--unified=3",
];

impl Repo {
    /// Returns what a worktree holds at these paths, as far as git sees anything there.
    pub fn held(
        &self,
        worktree: &Path,
        tree: &TreeState,
        paths: &BTreeSet<RepoPath>,
    ) -> Result<BTreeMap<RepoPath, WorktreeEntry>> {
        let [removed, untracked] =
            [&tree.removed, &tree.untracked].map(|paths| paths.iter().collect::<HashSet<_>>());
        // A file that only the index lost is still on disk, and counts unless it is ignored.
        let is_there = |path: &&RepoPath| !removed.contains(path) || untracked.contains(path);
        let held = |path: &RepoPath| -> Result<Option<(RepoPath, WorktreeEntry)>> {
            let place = worktree.join(path.to_path());
            let about = match place.symlink_metadata() {
                // Gone since git listed it.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                about => about.with_context(|| format!("looking at {}", place.display()))?,
            };
            let held = if about.is_symlink() {
                let target = place.read_link();
                let target = target.with_context(|| format!("reading {}", place.display()))?;
                let target = target.as_os_str().as_bytes().to_vec();
                let link_at = |path: &RepoPath| {
                    let target = worktree.join(path.to_path()).read_link().ok()?;
                    Some(target.as_os_str().as_bytes().to_vec())
                };
                let end = hollow_entries::end(path, &target, &link_at);
                WorktreeEntry::Link { target, end }
            } else if about.is_dir() {
                let born = tree.gitlinks.contains(path) || self.is_born(&place)?;
                WorktreeEntry::Repository { born }
            } else if about.is_file() {
                WorktreeEntry::File
            } else {
                WorktreeEntry::Special
            };
            Ok(Some((path.clone(), held)))
        };
        paths.iter().filter(is_there).filter_map(|path| held(path).transpose()).collect()
    }

    fn is_born(&self, repository: &Path) -> Result<bool> {
        let call = self.git.at(repository).plumbing(["rev-parse", "--quiet", "--verify", "HEAD"]);
        Ok(call.reader().any_code().run()?.code == 0)
    }

    /// Adds files to the index of a worktree as they are there: of unmerged ones, that is the resolution.
    pub fn add_files(&self, worktree: &Path, paths: &[RepoPath]) -> Result<()> {
        feed(self.git.at(worktree).user(STAGE), paths)
    }

    /// Makes tracked files of a worktree what HEAD has again, on disk and in the index, after their changes
    /// were written to new patches in `folder`: what is staged and differs from the file has one of its own.
    /// Returns the patch of the files, or, where none differs on disk, of what was staged.
    pub fn undo_changes(
        &self,
        worktree: &Path,
        paths: &[RepoPath],
        folder: &Path,
    ) -> Result<PathBuf> {
        let git = self.git.at(worktree);
        let on_disk = patch(&git, &["HEAD"], paths)?;
        let staged = Some(patch(&git, &["--cached", "HEAD"], paths)?);
        let staged = staged.filter(|staged| *staged != on_disk && !staged.is_empty());
        ensure!(!on_disk.is_empty() || staged.is_some(), "git does not say what would be undone");
        let numbers = (1..).map(|number| format!("undone-{number}"));
        let mut free = numbers
            .map(|name| [".patch", "-staged.patch"].map(|end| folder.join(name.clone() + end)));
        let is_free =
            |places: &[PathBuf; 2]| places.iter().all(|place| place.symlink_metadata().is_err());
        let [of_disk, of_index] = free.find(is_free).context("there is always a next number")?;
        std::fs::create_dir_all(folder)?;
        let write = |place: &Path, patch: &[u8]| {
            std::fs::write(place, patch).with_context(|| format!("writing {}", place.display()))
        };
        let is_on_disk = !on_disk.is_empty();
        if is_on_disk {
            write(&of_disk, &on_disk)?;
        }
        if let Some(staged) = &staged {
            write(&of_index, staged)?;
        }
        let mut words = vec!["restore", "--source=HEAD", "--staged"];
        words.extend(is_on_disk.then_some("--worktree"));
        words.extend(["--pathspec-from-file=-", "--pathspec-file-nul"]);
        git.user(words).input(joined(paths)).run()?;
        Ok(if is_on_disk { of_disk } else { of_index })
    }

    /// Makes the index of a worktree hold these files as they are; of those that are not among the
    /// `held`, it loses what it has. Returns those that git does not take; where there is one, the
    /// index is as it was.
    pub fn stage(
        &self,
        worktree: &Path,
        paths: &BTreeSet<RepoPath>,
        held: &BTreeMap<RepoPath, WorktreeEntry>,
    ) -> Result<Vec<Unstageable>> {
        let git = self.git.at(worktree);
        let (there, gone): (Vec<RepoPath>, Vec<RepoPath>) =
            paths.iter().cloned().partition(|path| held.contains_key(path));
        let unnamed = self.unnameable(worktree, &there, held)?;
        if !unnamed.is_empty() {
            return Ok(unnamed);
        }
        let there: Vec<RepoPath> = there.iter().map(RepoPath::without_slash).collect();
        let pack: &[&str] = if there.len() < MANY { &[] } else { &INTO_A_PACK };
        let add = || feed(git.user(pack.iter().chain(&STAGE)), &there);
        // Asked of git, not of the disk, where a symbolic link may lead to another file of that
        // name.
        let remove = || feed(git.user(UNSTAGE), &gone);
        let Err(error) = add() else { return remove().map(|()| Vec::new()) };
        let unstageable = self.unstageable(worktree, there.clone(), &gone, error)?;
        if unstageable.is_empty() {
            // What goes was in the way: an attribute that the index still had.
            remove()?;
            add()?;
        }
        Ok(unstageable)
    }

    /// Returns all files that git does not take, the one it named first among them: it says so of
    /// one at a time, so a copy of the index is tried without those that are known, and without
    /// what goes.
    fn unstageable(
        &self,
        worktree: &Path,
        mut paths: Vec<RepoPath>,
        gone: &[RepoPath],
        mut error: anyhow::Error,
    ) -> Result<Vec<Unstageable>> {
        let folder = TempDir::with_prefix("pw-index-").context("making a temporary folder")?;
        let index = folder.path().join("index");
        if let Some(own) = self.own_git_dir(worktree) {
            std::fs::copy(own.join("index"), &index).context("copying the index")?;
        }
        let git = self.git.at(worktree);
        let tried = |args: [&str; 5], paths: &[RepoPath]| {
            feed(git.user(args).env("GIT_INDEX_FILE", &index), paths)
        };
        if !gone.is_empty() {
            tried(UNSTAGE, gone)?;
            match tried(STAGE, &paths) {
                Ok(()) => return Ok(Vec::new()),
                Err(next) => error = next,
            }
        }
        let mut unstageable = Vec::new();
        while let Some(found) = told(&error, &paths).filter(|_| unstageable.len() < MAX_UNSTAGEABLE)
        {
            paths.retain(|path| *path != found.path);
            unstageable.push(found);
            match tried(STAGE, &paths) {
                Ok(()) => break,
                Err(next) => error = next,
            }
        }
        if unstageable.is_empty() { Err(error) } else { Ok(unstageable) }
    }

    /// Returns those of the paths that git allows in no index. Of these, `update-index` says
    /// nothing that shows in its exit code, and goes on without them.
    fn unnameable(
        &self,
        worktree: &Path,
        paths: &[RepoPath],
        held: &BTreeMap<RepoPath, WorktreeEntry>,
    ) -> Result<Vec<Unstageable>> {
        let is_doubtful = |path: &&RepoPath| path.segments().any(may_be_gits_own);
        let doubtful: Vec<RepoPath> =
            paths.iter().filter(is_doubtful).map(RepoPath::without_slash).collect();
        let head = self.worktrees().iter().find_map(|worktree| worktree.head.as_ref());
        let Some(head) = head.filter(|_| !doubtful.is_empty()) else { return Ok(Vec::new()) };
        let folder = TempDir::with_prefix("pw-index-").context("making a temporary folder")?;
        let entry = |path: &RepoPath| {
            let is_link = matches!(held.get(path), Some(WorktreeEntry::Link { .. }));
            let mode = if is_link { "120000" } else { "100644" };
            [format!("{mode} {head}\t").as_bytes(), path.as_bytes(), b"\0"].concat()
        };
        let entries: Vec<u8> = doubtful.iter().flat_map(entry).collect();
        let call = self.git.at(worktree).user(["update-index", "--add", "-z", "--index-info"]);
        let call = call.env("GIT_INDEX_FILE", folder.path().join("index")).input(entries);
        let said = [b"\n", &call.run()?.stderr[..]].concat();
        let is_passed_over = |path: &RepoPath| {
            let line = [b"\nIgnoring path ", path.as_bytes(), b"\n"].concat();
            said.windows(line.len()).any(|found| found == line)
        };
        let passed_over = doubtful.into_iter().filter(is_passed_over).take(MAX_UNSTAGEABLE);
        Ok(passed_over
            .map(|path| Unstageable { path, why: unstageable::UnstageableReason::Name })
            .collect())
    }

    /// Commits the index of a worktree with the user's hooks; of what differs from HEAD there, only
    /// what `only` names, if it names anything.
    ///
    /// # Errors
    ///
    /// `hook_refused`, which says which hook it was.
    pub fn commit(
        &self,
        worktree: &Path,
        message: &str,
        only: Option<&BTreeSet<RepoPath>>,
    ) -> Result<()> {
        let folder = TempDir::with_prefix("pw-commit-").context("making a temporary folder")?;
        let args = ["commit", "--quiet", "--allow-empty", "--cleanup=whitespace", "-m", message];
        let call = self.git.at(worktree).user(args);
        let Some(only) = only else { return hook_trace::run(self, call) };
        let index = folder.path().join("index");
        let meant = self.write_index_of(worktree, only, &index)?;
        hook_trace::run(self, call.env("GIT_INDEX_FILE", &index))?;
        self.follow_hooks(worktree, &meant)
    }

    /// Puts into the worktree's own index what the user's hooks added to that of a commit, which was to
    /// hold the tree `meant`: else the index still has it as it was before they put it right. What else is
    /// staged stays.
    fn follow_hooks(&self, worktree: &Path, meant: &Oid) -> Result<()> {
        let git = self.git.at(worktree);
        let raw =
            ["-r", "--raw", "-z", "--no-abbrev", "--no-renames", meant.as_str(), "HEAD", "--"];
        let added = git.plumbing(["diff-tree"].into_iter().chain(raw)).bytes()?;
        if added.is_empty() {
            return Ok(());
        }
        let staged: HashSet<RepoPath> =
            self.staged(worktree, meant.as_str(), None)?.into_iter().collect();
        let paths = records(&added).skip(1).step_by(2).map(RepoPath::new);
        let theirs = paths.filter(|path| !staged.contains(path)).collect();
        let entries = staged_entries(&added, &theirs).context("an unreadable line of git")?;
        git.plumbing(["update-index", "-z", "--index-info"]).input(entries).run().map(drop)
    }

    /// Takes HEAD, which is `commit` and on `branch`, back to its parent; files and index stay.
    pub fn undo_commit(&self, worktree: &Path, branch: &Branch, commit: &Commit) -> Result<()> {
        let parent = commit.parents.first().context("the commit has no parent")?;
        let branch = branch.full();
        let about = "reset: the commit was empty";
        let args = ["update-ref", "-m", about, &branch, parent.as_str(), commit.oid.as_str()];
        self.git.at(worktree).plumbing(args).run().map(drop)
    }

    /// Writes an index of HEAD with only these of the differences that the worktree's own has; returns
    /// its tree.
    fn write_index_of(
        &self,
        worktree: &Path,
        only: &BTreeSet<RepoPath>,
        index: &Path,
    ) -> Result<Oid> {
        let git = self.git.at(worktree);
        let args = ["diff-index", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames"];
        let args = args.into_iter().chain(["--ignore-submodules=none", "HEAD", "--"]);
        let listed = git.plumbing(args).reader().bytes()?;
        let entries = staged_entries(&listed, only).context("an unreadable line of git")?;
        let call = |args: &[&str]| git.plumbing(args).env("GIT_INDEX_FILE", index);
        call(&["read-tree", "HEAD"]).run()?;
        ensure!(index.is_file(), "git read-tree wrote no index");
        call(&["update-index", "-z", "--index-info"]).input(entries).run()?;
        crate::objects::oid(call(&["write-tree"]))
    }

    /// Takes paths out of HEAD, which `commit` is, as if they had never been changed in it. Their
    /// files go back to what they were before, too, but for those that were `open`, changed or new,
    /// or are ignored; the commit stays in the reflog.
    pub fn take_out(
        &self,
        worktree: &Path,
        commit: &Commit,
        paths: &[RepoPath],
        open: &BTreeSet<RepoPath>,
    ) -> Result<()> {
        let git = self.git.at(worktree);
        let parent = commit.parents.first().context("the commit has no parent")?;
        let mut before = Vec::new();
        for some in portions(paths) {
            let words = ["ls-tree", "-r", "-z", "--full-tree", parent.as_str(), "--"];
            let words = words.map(OsString::from).into_iter().chain(some);
            before.extend(git.plumbing(words).reader().bytes()?);
        }
        let nothing = "0".repeat(parent.as_str().len());
        let gone = |path: &RepoPath| {
            [format!("0 {nothing}\t").as_bytes(), path.as_bytes(), b"\0"].concat()
        };
        let entries: Vec<u8> = paths.iter().flat_map(gone).chain(before.iter().copied()).collect();
        let restore = |index: Option<&Path>| {
            let mut call = git.plumbing(["update-index", "-z", "--index-info"]);
            if let Some(index) = index {
                call = call.env("GIT_INDEX_FILE", index);
            }
            call.input(entries.clone()).run().map(drop)
        };
        let folder = TempDir::with_prefix("pw-commit-").context("making a temporary folder")?;
        let index = folder.path().join("index");
        git.plumbing(["read-tree", commit.oid.as_str()]).env("GIT_INDEX_FILE", &index).run()?;
        restore(Some(&index))?;
        // With the user's settings, so that it is signed where they want that, and without hooks.
        let amend = ["commit", "--quiet", "--amend"];
        let amend = amend.into_iter().chain(["--allow-empty", "--cleanup=verbatim", "-C", "HEAD"]);
        git.without_hooks().user(amend).env("GIT_INDEX_FILE", &index).run()?;
        let changed: HashSet<RepoPath> = self.unstaged(worktree)?.into_iter().collect();
        restore(None)?;
        let was_there: HashSet<RepoPath> = records(&before)
            .filter_map(|entry| {
                entry.iter().position(|byte| *byte == b'\t').map(|at| &entry[at + 1..])
            })
            .map(RepoPath::new)
            .collect();
        let ignored = self.unseen(worktree)?.ignored;
        let is_ignored = |path: &RepoPath| {
            ignored
                .iter()
                .map(RepoPath::without_slash)
                .any(|top| top == *path || top.contains(path))
        };
        let was_clean = |path: &&RepoPath| !changed.contains(path) && !open.contains(path);
        let as_committed = paths.iter().filter(was_clean).filter(|path| !is_ignored(path));
        let (old, new): (Vec<&RepoPath>, Vec<&RepoPath>) =
            as_committed.partition(|path| was_there.contains(path));
        for path in new {
            let file = worktree.join(path.to_path());
            if file.symlink_metadata().is_ok_and(|about| !about.is_dir()) {
                std::fs::remove_file(&file)
                    .with_context(|| format!("removing {}", file.display()))?;
            }
        }
        let args = ["checkout-index", "--force", "--quiet", "-z", "--stdin"];
        git.user(args).input(joined(old)).run().map(drop)
    }

    /// Commits a message alone, on top of HEAD, which is on `branch`: no file, no hook, and the
    /// index and what is under way stay as they are.
    pub fn commit_message(&self, worktree: &Path, branch: &Branch, message: &str) -> Result<()> {
        let head = self.read_head(worktree)?.oid;
        let commit =
            self.write_commit(&self.author()?, &self.tree_of(&head)?, &[&head], message)?;
        let branch = branch.full();
        let about = format!("commit: {}", message.lines().next().unwrap_or_default());
        let args = ["update-ref", "-m", &about, &branch, commit.as_str(), head.as_str()];
        self.git.at(worktree).plumbing(args).run().map(drop)
    }

    /// Returns the paths that a `.gitmodules` names: that of the worktree, or a blob such as
    /// `HEAD:.gitmodules`. One that cannot be read names nothing.
    pub fn modules(&self, worktree: &Path, blob: Option<&str>) -> Result<BTreeSet<RepoPath>> {
        let source: OsString = match blob {
            Some(blob) => format!("--blob={blob}").into(),
            None => [OsStr::new("--file="), worktree.join(".gitmodules").as_os_str()]
                .into_iter()
                .collect(),
        };
        let words = ["-z", "--get-regexp", "^submodule\\..*\\.(path|url)$"];
        let args = [OsString::from("config"), source].into_iter().chain(words.map(Into::into));
        let call = self.git.at(worktree).plumbing(args).reader().any_code();
        Ok(parse_modules(&call.bytes()?))
    }
}

/// Returns how files differ from HEAD, for `git apply`.
fn patch(git: &Git, of: &[&str], paths: &[RepoPath]) -> Result<Vec<u8>> {
    let mut patch = Vec::new();
    for some in portions(paths) {
        let words = PATCH.iter().chain(of).chain(&["--"]).map(OsString::from);
        let output = git.user(words.chain(some)).reader().codes(&[0, 1]).run()?;
        ensure!((output.code == 1) != output.stdout.is_empty(), "git does not say what differs");
        patch.extend(output.stdout);
    }
    Ok(patch)
}

/// Gives a command paths to read, if there are any.
fn feed(call: Call, paths: &[RepoPath]) -> Result<()> {
    match paths {
        [] => Ok(()),
        _ => call.input(joined(paths)).run().map(drop),
    }
}

/// Returns whether a name may be one that git keeps for itself on any file system: `.git` with
/// points, spaces or invisible letters, `git~1`. git has the last word.
fn may_be_gits_own(name: &[u8]) -> bool {
    name.starts_with(b".") || !name.is_ascii() || name.contains(&b'~') || name.contains(&b'\\')
}

/// Returns the file, one of `paths`, that git did not take.
fn told(error: &anyhow::Error, paths: &[RepoPath]) -> Option<Unstageable> {
    unstageable::from_stderr(&error.downcast_ref::<GitError>()?.stderr, paths)
}

/// Returns what `update-index --index-info` takes for those of the lines of `diff-index --raw`.
fn staged_entries(listed: &[u8], only: &BTreeSet<RepoPath>) -> Option<Vec<u8>> {
    let mut fields = records(listed);
    let mut entries = Vec::new();
    while let Some(about) = fields.next() {
        let path = fields.next()?;
        let about = std::str::from_utf8(about).ok()?;
        let [_, mode, _, id, _] = about.split(' ').collect::<Vec<_>>()[..] else { return None };
        if only.contains(&RepoPath::new(path)) {
            entries.extend([format!("{mode} {id}\t").as_bytes(), path, b"\0"].concat());
        }
    }
    Some(entries)
}

/// Reads `submodule.NAME.path` and `.url`; one without both is no use to git.
fn parse_modules(bytes: &[u8]) -> BTreeSet<RepoPath> {
    let mut paths = HashMap::new();
    let mut with_url = HashSet::new();
    for record in records(bytes) {
        let Some(at) = record.iter().position(|byte| *byte == b'\n') else { continue };
        let (key, value) = (&record[..at], &record[at + 1..]);
        if let Some(name) = key.strip_suffix(b".path") {
            paths.insert(name, RepoPath::new(value));
        } else if let Some(name) = key.strip_suffix(b".url") {
            with_url.insert(name);
        }
    }
    paths.into_iter().filter(|(name, _)| with_url.contains(name)).map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submodule_is_named_with_path_and_address() {
        let text = b"submodule.a.path\nlib/a b\0submodule.a.url\n../a\0submodule.b.path\nb\0";
        assert_eq!(parse_modules(text), ["lib/a b".into()].into());
        assert_eq!(parse_modules(b""), BTreeSet::new());
    }

    #[test]
    fn only_what_is_wanted_of_the_index_is_taken() {
        let (zero, one) = ("0".repeat(40), "1".repeat(40));
        let text = format!(
            ":100644 000000 {one} {zero} D\0old\0:000000 120000 {zero} {one} A\0a\tb\n\0\
             :100644 100755 {one} {one} M\0other\0"
        );
        let only = ["old", "a\tb\n"].map(RepoPath::from).into();
        let wanted = format!("000000 {zero}\told\x00120000 {one}\ta\tb\n\0");
        assert_eq!(staged_entries(text.as_bytes(), &only), Some(wanted.into_bytes()));
        assert_eq!(staged_entries(b":x\0y\0", &only), None);
    }
}
