//! Worktrees: listing them, making them, removing one that was not handed over to a worker yet.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use pw_core::branch::Branch;
use pw_core::id::{Oid, Slug};
use pw_core::path::RepoPath;

use crate::Repo;
use crate::process::{Git, GitError, Output, records};

/// One entry of `git worktree list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worktree {
    /// The top of the worktree.
    pub path: PathBuf,
    /// Whether it is a bare repository, which has no files.
    pub bare: bool,
    /// The commit of HEAD; `None` in a bare repository.
    pub head: Option<Oid>,
    /// The branch HEAD is on; `None` when detached.
    pub branch: Option<Branch>,
    /// Why it is locked, if it is.
    pub locked: Option<String>,
}

/// Lists the worktrees, the main one first.
pub(crate) fn list(git: &Git) -> Result<Vec<Worktree>> {
    // A worktree that another process is just adding makes git fail here; it is there or gone
    // a moment later. This is the one message of git that is read for a retry.
    let mut tries = 0;
    loop {
        match git.user(["worktree", "list", "--porcelain", "-z"]).reader().bytes() {
            Err(error) if tries < 5 && is_half_made(&error) => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(20 << tries));
            }
            answer => return Ok(through_links(parse_list(&answer?)?)),
        }
    }
}

/// Replaces the paths of worktrees that lie in the repository and that git knows by another way, as
/// when it was moved and a link was left in its old place.
pub(crate) fn through_links(mut worktrees: Vec<Worktree>) -> Vec<Worktree> {
    let Some(root) = worktrees.first().map(|main| main.path.clone()) else { return worktrees };
    for worktree in worktrees.iter_mut().filter(|worktree| !worktree.path.starts_with(&root)) {
        let real = worktree.path.canonicalize().ok().filter(|real| real.starts_with(&root));
        worktree.path = real.unwrap_or_else(|| std::mem::take(&mut worktree.path));
    }
    worktrees
}

/// Fails unless the effect is seen; git's exit code does not tell, since a failing `post-checkout`
/// hook makes it 1 after everything was done.
fn proven(is_done: bool, command: impl FnOnce() -> String, output: &Output) -> Result<()> {
    if is_done {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(GitError { command: command(), code: output.code, stderr }.into())
}

fn is_half_made(error: &anyhow::Error) -> bool {
    let git = error.downcast_ref::<GitError>();
    git.is_some_and(|git| {
        git.stderr.contains("/worktrees/") && git.stderr.contains("failed to read")
    })
}

fn parse_list(bytes: &[u8]) -> Result<Vec<Worktree>> {
    let mut worktrees: Vec<Worktree> = Vec::new();
    for record in records(bytes).filter(|record| !record.is_empty()) {
        let (key, value) = match record.iter().position(|byte| *byte == b' ') {
            Some(at) => (&record[..at], &record[at + 1..]),
            None => (record, &b""[..]),
        };
        let text = || String::from_utf8_lossy(value).into_owned();
        if key == b"worktree" {
            let path = PathBuf::from(OsString::from_vec(value.to_vec()));
            worktrees.push(Worktree { path, bare: false, head: None, branch: None, locked: None });
            continue;
        }
        let current = worktrees.last_mut().context("git worktree list begins without a path")?;
        match key {
            b"bare" => current.bare = true,
            b"HEAD" => current.head = text().parse().ok(),
            b"branch" => current.branch = Branch::of_ref(&text()),
            b"locked" => current.locked = Some(text()),
            _ => {}
        }
    }
    // The main worktree is always listed: an empty list is a lost answer.
    ensure!(!worktrees.is_empty(), "git lists no worktree");
    Ok(worktrees)
}

/// Gives a new worktree's index an untracked cache, which makes every `git status` there cheaper.
/// git drops it again if the user's own setting forbids it.
const CACHE: &str = "core.untrackedCache=true";

impl Repo {
    /// Makes a worktree on a new branch at `commit`, without its files, locked so that no `prune`
    /// takes it.
    pub fn add_empty_worktree(
        &self,
        path: &Path,
        branch: &Branch,
        commit: &Oid,
        reason: &str,
    ) -> Result<()> {
        let options = &["--no-checkout", "--no-track", "-b", branch.as_str()];
        let is_made = |repo: &Self, path: &Path| repo.own_git_dir(path).is_some();
        self.add(&self.git, path, options, commit.as_str(), reason, is_made)
    }

    /// Writes the files of a worktree that was made without them. Git can do so in several at once,
    /// which it cannot when it makes them.
    ///
    /// The user's filters run, and the hook that runs when git does both in one.
    pub fn fill_worktree(&self, path: &Path, commit: &Oid) -> Result<()> {
        let git = self.git.at(path);
        let reset = ["reset", "--hard", "--quiet", "--no-recurse-submodules"];
        let output = git.with(CACHE).user(reset).any_code().run()?;
        let command = || format!("reset --hard in {}", path.display());
        proven(self.is_checked_out(path), command, &output)?;
        let nothing = "0".repeat(commit.as_str().len());
        let hook = ["hook", "run", "--ignore-missing", "post-checkout", "--"];
        let hook = hook.into_iter().chain([nothing.as_str(), commit.as_str(), "1"]);
        // Its exit code is ignored: git has checked out everything by then, and goes on as well.
        git.user(hook).any_code().run().map(drop)
    }

    /// Makes a worktree for a branch that exists, with its files, or those of `folders` alone.
    pub fn attach_worktree(
        &self,
        path: &Path,
        branch: &Branch,
        folders: Option<&[RepoPath]>,
        reason: &str,
    ) -> Result<()> {
        let Some(folders) = folders else {
            return self.add(
                &self.git.with(CACHE),
                path,
                &[],
                branch.as_str(),
                reason,
                Self::is_checked_out,
            );
        };
        self.add_without_files(path, branch, reason)?;
        self.narrow(path, folders)?;
        self.fill_worktree(path, &self.read_head(path)?.oid)
    }

    /// Makes a worktree for a branch that exists, without files and without an index.
    pub(crate) fn add_without_files(
        &self,
        path: &Path,
        branch: &Branch,
        reason: &str,
    ) -> Result<()> {
        let is_made = |repo: &Self, path: &Path| repo.own_git_dir(path).is_some();
        self.add(
            &self.git.without_hooks(),
            path,
            &["--no-checkout"],
            branch.as_str(),
            reason,
            is_made,
        )
    }

    /// Makes a worktree without a branch, at `commit`, with all its files: what is tested or
    /// resolved must not lack any where the user's checkout is sparse.
    pub fn add_detached(&self, path: &Path, commit: &Oid, reason: &str) -> Result<()> {
        let whole = self.git.with("core.sparseCheckout=false");
        self.add(&whole, path, &["--detach"], commit.as_str(), reason, Self::is_checked_out)
    }

    fn add(
        &self,
        git: &Git,
        path: &Path,
        options: &[&str],
        target: &str,
        reason: &str,
        is_made: fn(&Self, &Path) -> bool,
    ) -> Result<()> {
        let words = ["worktree", "add", "--quiet", "--lock", "--reason", reason];
        let words = words.iter().chain(options).chain(&["--"]).map(OsStr::new);
        let args = words.chain([path.as_os_str(), OsStr::new(target)]);
        let output = git.user(args).any_code().run()?;
        let command = || format!("worktree add {}", path.display());
        proven(is_made(self, path), command, &output)
    }

    /// Removes the registration and folder of a worktree that was never handed over or whose
    /// content is kept elsewhere, and its branch if that still is where it was made. `path` may be
    /// in any state a killed `git worktree add` leaves.
    pub fn roll_back_worktree(&self, path: &Path, branch: Option<(&Branch, &Oid)>) -> Result<()> {
        let remove = || {
            self.git
                .user(
                    ["worktree", "remove", "-f", "-f", "--"]
                        .map(OsStr::new)
                        .into_iter()
                        .chain([path.as_os_str()]),
                )
                .any_code()
                .run()
        };
        remove()?;
        if path.exists() {
            // A folder without its `.git` file is one git refuses to touch.
            std::fs::remove_dir_all(path)
                .with_context(|| format!("removing {}", path.display()))?;
            remove()?;
        }
        let gone = list(&self.git)?.iter().all(|worktree| worktree.path != path);
        if !gone {
            bail!("git still lists a worktree at {}", path.display());
        }
        if let Some((branch, fork)) = branch {
            // Compare-and-swap: a branch that moved since has commits.
            let name = branch.full();
            self.git.plumbing(["update-ref", "-d", &name, fork.as_str()]).any_code().run()?;
        }
        Ok(())
    }

    /// Resets a worktree of our own to `commit` and discards its changes and untracked files;
    /// ignored files stay. Returns whether that worked.
    pub fn reset_worktree(&self, path: &Path, commit: &Oid) -> Result<bool> {
        if self.own_git_dir(path).is_none() {
            return Ok(false);
        }
        let git = self.git.at(path).without_hooks();
        let checkout = ["checkout", "--quiet", "--detach", "--force", commit.as_str(), "--"];
        git.user(checkout).any_code().run()?;
        let cleaned = git.user(["clean", "-d", "-f", "-f", "--quiet"]).any_code().run()?;
        Ok(cleaned.code == 0 && self.read_head(path).is_ok_and(|head| head.oid == *commit))
    }

    /// Returns whether a worktree was made whole: git writes its index when all files are there.
    pub fn is_checked_out(&self, path: &Path) -> bool {
        self.own_git_dir(path).is_some_and(|own| own.join("index").is_file())
    }

    /// Takes one worktree whose folder is gone off git's list, if it is on it; nothing is left of
    /// it to lose.
    pub fn forget_missing_worktree(&self, path: &Path) -> Result<()> {
        self.forget_missing_worktrees(&[path])
    }

    /// The same for several.
    pub(crate) fn forget_missing_worktrees(&self, paths: &[&Path]) -> Result<()> {
        if let Some(path) = paths.iter().find(|path| path.symlink_metadata().is_ok()) {
            bail!("{} is there, so it is not forgotten", path.display());
        }
        if paths.is_empty() {
            return Ok(());
        }
        let listed = list(&self.git)?;
        let is_listed = |path: &&Path, listed: &[Worktree]| {
            listed.iter().any(|worktree| worktree.path == **path)
        };
        let known: Vec<&Path> =
            paths.iter().copied().filter(|path| is_listed(path, &listed)).collect();
        known.iter().try_for_each(|path| self.remove(path))?;
        if known.is_empty() {
            return Ok(());
        }
        let listed = list(&self.git)?;
        match known.iter().find(|path| is_listed(path, &listed)) {
            Some(path) => bail!("git still lists a worktree at {}", path.display()),
            None => Ok(()),
        }
    }

    /// Returns a file below a folder that `commit` has not: what a killed `git worktree add` leaves
    /// has none.
    pub fn foreign_file(&self, folder: &Path, commit: &Oid) -> Result<Option<RepoPath>> {
        let args = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit.as_str()];
        let answer = self.git.plumbing(args).reader().bytes()?;
        let tracked: HashSet<&[u8]> = records(&answer).collect();
        file_below(folder, |name| !tracked.contains(name))
    }

    /// Returns a file below a folder, git's own aside.
    pub fn any_file(&self, folder: &Path) -> Result<Option<RepoPath>> {
        file_below(folder, |_| true)
    }

    /// Unlocks and removes without force, so that git refuses where something is uncommitted. The caller
    /// looks at the list: an exit code is no effect.
    fn remove(&self, path: &Path) -> Result<()> {
        let words = |verb: &str| {
            [OsStr::new("worktree"), OsStr::new(verb), OsStr::new("--"), path.as_os_str()]
                .map(OsStr::to_owned)
        };
        self.git.user(words("unlock")).any_code().run()?;
        self.git.user(words("remove")).run().map(drop)
    }

    /// Returns whether the folder at `path` is the very worktree that git made there: its `.git`
    /// file leads to an entry of ours, which git can read, and which leads back.
    pub fn is_worktree_of_its_own(&self, path: &Path) -> bool {
        let own = self.own_git_dir(path).filter(|own| self.is_readable(own));
        let Some(own) = own else { return false };
        let Ok(back) = std::fs::read(own.join("gitdir")) else { return false };
        let back = back.strip_suffix(b"\n").unwrap_or(&back).to_vec();
        let named = own.join(PathBuf::from(OsString::from_vec(back))).canonicalize().ok();
        named.is_some() && named == path.join(".git").canonicalize().ok()
    }

    /// Tells git where a worktree is that was moved and put back.
    pub fn repair_worktree(&self, path: &Path) -> Result<()> {
        let words = ["worktree", "repair"].map(OsStr::new);
        self.git.user(words.into_iter().chain([path.as_os_str()])).run().map(drop)
    }

    /// Takes back what [`Self::exclude`] did, and for this workflow [`Self::exclude_each`].
    pub fn include(&self, folder: &str, workflow: &Slug) -> Result<()> {
        let path = self.common().join("info/exclude");
        let Ok(text) = std::fs::read(&path) else { return Ok(()) };
        let (folder, mark) = (format!("/{folder}/\n"), format!("{}\n", mark(workflow)));
        let mut is_marked = false;
        let mut is_ours = |line: &[u8]| {
            let follows = std::mem::replace(&mut is_marked, line == mark.as_bytes());
            follows || is_marked || line == folder.as_bytes()
        };
        let kept: Vec<u8> = text
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| !is_ours(line))
            .flatten()
            .copied()
            .collect();
        if kept.len() == text.len() {
            return Ok(());
        }
        std::fs::write(&path, kept).with_context(|| format!("writing {}", path.display()))
    }

    /// Keeps a folder out of `git status` in all worktrees, through `info/exclude`, which they
    /// share and no commit contains.
    pub fn exclude(&self, folder: &str) -> Result<()> {
        self.add_exclusion(None, &format!("/{folder}/"))
    }

    /// Keeps what each pattern matches out of `git status` in all worktrees, until this workflow
    /// is over.
    pub fn exclude_each(&self, workflow: &Slug, patterns: &[String]) -> Result<()> {
        let mark = mark(workflow);
        patterns.iter().try_for_each(|pattern| self.add_exclusion(Some(&mark), pattern))
    }

    /// Adds a line, under a comment line that marks it as ours.
    fn add_exclusion(&self, mark: Option<&str>, line: &str) -> Result<()> {
        let path = self.common().join("info/exclude");
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        if text.split(|byte| *byte == b'\n').any(|known| known == line.as_bytes()) {
            return Ok(());
        }
        let separator: &[u8] = if text.is_empty() || text.ends_with(b"\n") { b"" } else { b"\n" };
        let mark = mark.map(|mark| format!("{mark}\n")).unwrap_or_default();
        let new = [&text, separator, mark.as_bytes(), line.as_bytes(), b"\n"].concat();
        std::fs::create_dir_all(self.common().join("info")).context("making .git/info")?;
        std::fs::write(&path, new).with_context(|| format!("writing {}", path.display()))
    }
}

/// Returns the comment above a line that a workflow put into `info/exclude`.
fn mark(workflow: &Slug) -> String {
    format!("# left by `setup` of the workflow {workflow}")
}

/// Returns a file below a folder whose name there is sought.
fn file_below(folder: &Path, is_sought: impl Fn(&[u8]) -> bool) -> Result<Option<RepoPath>> {
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        let entries = std::fs::read_dir(&below);
        for entry in entries.with_context(|| format!("reading {}", below.display()))? {
            let entry = entry?;
            let path = entry.path();
            let name = path.strip_prefix(folder)?.as_os_str().as_encoded_bytes();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if name != b".git" && is_sought(name) {
                return Ok(Some(RepoPath::new(name)));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_with_any_path() {
        let oid = "a".repeat(40);
        let text = format!(
            "worktree /r\0HEAD {oid}\0branch refs/heads/main\0\0\
             worktree /r/a\nb\0HEAD {oid}\0detached\0locked why not\0\0"
        );
        let list = parse_list(text.as_bytes()).unwrap();
        assert_eq!(list[0].branch, Some("main".into()));
        assert_eq!(list[1].path, Path::new("/r/a\nb"));
        assert_eq!((list[1].branch.as_ref(), list[1].locked.as_deref()), (None, Some("why not")));
        assert!(parse_list(b"HEAD x\0").is_err());
    }
}
