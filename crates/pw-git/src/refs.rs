//! Refs: reading many at once, changing many at once or none.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use pw_core::branch::Branch;
use pw_core::failure::{Code, Failure};
use pw_core::id::Oid;
use pw_core::plan::Problems;
use pw_core::record::beside;

use crate::Repo;
use crate::process::{Git, GitError};

impl Repo {
    /// Returns the commits of all refs below the prefixes, by full name.
    pub fn refs(&self, prefixes: &[&str]) -> Result<BTreeMap<String, Oid>> {
        list(&self.git, prefixes)
    }

    /// Returns whether a branch had another name before, as its reflog says.
    pub fn was_renamed(&self, old: &Branch, branch: &Branch) -> Result<bool> {
        let name = branch.full();
        let call = self.git.plumbing(["log", "--walk-reflogs", "--format=%gs", &name, "--"]);
        let output = call.reader().any_code().run()?;
        let wanted = format!("Branch: renamed {} to ", old.full());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().any(|line| line.starts_with(&wanted)))
    }
}

pub(crate) fn list(git: &Git, prefixes: &[&str]) -> Result<BTreeMap<String, Oid>> {
    let asked = ["for-each-ref", "--format=%(objectname) %(refname)"].into_iter();
    parse_refs(&git.plumbing(asked.chain(prefixes.iter().copied())).reader().bytes()?)
}

pub(crate) fn parse_refs(bytes: &[u8]) -> Result<BTreeMap<String, Oid>> {
    // Ref names hold no newline; bytes that are not UTF-8 cannot be refs of ours.
    let text = String::from_utf8_lossy(bytes);
    let entry = |line: &str| {
        let (oid, name) = line.split_once(' ').context("git for-each-ref printed no name")?;
        Ok((name.to_owned(), oid.parse().ok().context("git for-each-ref printed no object id")?))
    };
    text.lines().map(entry).collect()
}

/// Whether this process has moved any ref or branch.
static CHANGED: AtomicBool = AtomicBool::new(false);

/// Returns whether this process has moved any ref: what it refuses now, it does not refuse before
/// the first effect.
pub fn has_changed() -> bool {
    CHANGED.load(Ordering::Relaxed)
}

/// Notes that a branch was moved without a transaction of ours.
pub(crate) fn note_change() {
    CHANGED.store(true, Ordering::Relaxed);
}

/// Changes to refs that happen all together or not at all, each only if the ref is as expected.
#[derive(Debug, Default)]
pub struct Transaction {
    input: Vec<u8>,
    /// Where each ref has to be now, `None` for one that must not exist.
    expected: BTreeMap<String, Option<Oid>>,
    moved: BTreeMap<String, Oid>,
    deleted: Vec<String>,
}

impl Transaction {
    /// Moves a ref from `old` (`None`: it must not exist) to `new`.
    #[must_use]
    pub fn set(mut self, name: &str, new: &Oid, old: Option<&Oid>) -> Self {
        if old != Some(new) {
            self.moved.insert(name.to_owned(), new.clone());
        }
        self.expected.insert(name.to_owned(), old.cloned());
        let old = old.map_or_else(|| "0".repeat(new.as_str().len()), ToString::to_string);
        self.input.extend(format!("update {name}\0{new}\0{old}\0").bytes());
        self
    }

    /// Deletes a ref that must be at `old`.
    #[must_use]
    pub fn delete(mut self, name: &str, old: &Oid) -> Self {
        self.expected.insert(name.to_owned(), Some(old.clone()));
        self.deleted.push(name.to_owned());
        self.input.extend(format!("delete {name}\0{old}\0").bytes());
        self
    }

    /// Returns what a ref is to be, `None` for one that is deleted; nothing for one that stays.
    pub(crate) fn change(&self, name: &str) -> Option<Option<&Oid>> {
        match self.moved.get(name) {
            Some(new) => Some(Some(new)),
            None => self.deleted.iter().any(|deleted| deleted == name).then_some(None),
        }
    }

    /// Returns the names of all refs that change.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &String> {
        self.moved.keys().chain(&self.deleted)
    }

    /// Applies all changes; false when any ref was not as expected, and then nothing changed.
    pub fn commit(self, repo: &Repo) -> Result<bool> {
        let call = repo.git.plumbing(["update-ref", "--stdin", "-z", "-m", "parallel-workflows"]);
        let changes_nothing = self.input.is_empty();
        // Said outright: were we killed while writing, git would apply what it got.
        let input = [b"start\0", self.input.as_slice(), b"prepare\0commit\0"].concat();
        let output = call.input(input).any_code().run()?;
        let (code, stderr) = (output.code, String::from_utf8_lossy(&output.stderr).into_owned());
        let done = self.is_done(repo, code == 0)?.unwrap_or(code == 0);
        let may_have_moved = stderr.contains("cannot lock ref") && !stderr.contains("File exists");
        if done {
            if !changes_nothing {
                note_change();
            }
            return Ok(true);
        }
        if code != 0 && may_have_moved {
            self.refuse_files_and_folders(repo)?;
            // Git says the same where it may not write, and would say so for ever.
            if !self.is_as_expected(repo)? {
                return Ok(false);
            }
        }
        Err(GitError { command: "update-ref --stdin".to_owned(), code, stderr }.into())
    }

    /// Returns whether every ref is still where it has to be.
    fn is_as_expected(&self, repo: &Repo) -> Result<bool> {
        let names: Vec<&str> = self.expected.keys().map(String::as_str).collect();
        let now = repo.refs(&names)?;
        Ok(self.expected.iter().all(|(name, old)| now.get(name) == old.as_ref()))
    }

    /// Refuses where a ref that was to be made cannot be there beside another.
    fn refuse_files_and_folders(&self, repo: &Repo) -> Result<()> {
        let there = repo.refs(&["refs"])?;
        let found = self.moved.keys().find_map(|name| Some((name, beside(&there, name)?)));
        let Some((name, found)) = found else { return Ok(()) };
        let message = format!("{found} is there, so git cannot have {name}");
        Err(Failure::new(Code::InTheWay, message)
            .hint(format!("rename or delete {found}, then run the same command again"))
            .details(Problems { problems: Vec::new() })
            .into())
    }

    /// Applies all changes.
    ///
    /// # Errors
    ///
    /// `locked` when any ref was not as expected, and then nothing changed.
    pub fn publish(self, repo: &Repo) -> Result<()> {
        if self.commit(repo)? {
            return Ok(());
        }
        Err(Failure::new(Code::Locked, "the record changed while this ran")
            .hint("nothing was changed; run the command again")
            .into())
    }

    /// Returns whether the refs are as the changes say; `None` when there are no changes. If git
    /// reported success, one moved ref is proof enough: another process may have moved the others
    /// since. If it did not, all must be seen, since a killed git may have moved only some.
    fn is_done(&self, repo: &Repo, is_said: bool) -> Result<Option<bool>> {
        let names = self.moved.keys().chain(&self.deleted).map(String::as_str);
        let names: Vec<&str> = names.collect();
        if names.is_empty() {
            return Ok(None);
        }
        let now = repo.refs(&names)?;
        Ok(Some(match self.moved.is_empty() {
            true => self.deleted.iter().all(|name| !now.contains_key(name)),
            false if is_said => self.moved.iter().any(|(name, new)| now.get(name) == Some(new)),
            false => self.moved.iter().all(|(name, new)| now.get(name) == Some(new)),
        }))
    }
}

/// The files in which git keeps refs, read without git: a hook must not ask it about a transaction
/// that it is in the middle of.
#[derive(Debug)]
pub struct RefFiles {
    own: PathBuf,
    common: PathBuf,
}

impl RefFiles {
    /// `dir`: git's own folder of a worktree, or of the repository.
    pub fn of(dir: &Path) -> Self {
        let common = std::fs::read_to_string(dir.join("commondir"));
        let common = common.map_or_else(|_| dir.to_owned(), |text| dir.join(text.trim_end()));
        Self { own: dir.to_owned(), common }
    }

    fn text(&self, name: &str) -> Option<String> {
        // What is not below `refs/`, as HEAD, each worktree has for itself.
        let folder = if name.starts_with("refs/") { &self.common } else { &self.own };
        std::fs::read_to_string(folder.join(name)).ok()
    }

    /// Returns the branch that HEAD names; `None` when it is detached.
    pub fn head_branch(&self) -> Option<Branch> {
        Branch::of_ref(self.text("HEAD")?.strip_prefix("ref: ")?.trim_end())
    }

    /// Returns the commit of a ref below `refs/`; `None` where its files do not tell it plainly: it is
    /// symbolic, or refs are kept in tables.
    pub fn tip(&self, name: &str) -> Option<Oid> {
        match std::fs::read_to_string(self.common.join(name)) {
            Ok(text) => text.trim_end().parse().ok(),
            // What has no file of its own is as it was packed.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let packed = std::fs::read(self.common.join("packed-refs")).ok()?;
                let mut lines = packed.split(|byte| *byte == b'\n');
                let oid = lines
                    .find_map(|line| line.strip_suffix(name.as_bytes())?.strip_suffix(b" "))?;
                std::str::from_utf8(oid).ok()?.parse().ok()
            }
            Err(_) => None,
        }
    }

    /// Returns whether a ref's own file has this value.
    pub fn is_loose(&self, name: &str, value: &str) -> bool {
        self.text(name).is_some_and(|text| text.trim_end() == value)
    }

    /// Returns whether a ref has no file of its own, and `packed-refs` has this value of it.
    pub fn is_packed_alone(&self, name: &str, value: &str) -> bool {
        self.text(name).is_none() && self.is_packed(name, value)
    }

    /// Returns whether `packed-refs` has this value of a ref.
    pub fn is_packed(&self, name: &str, value: &str) -> bool {
        let text = std::fs::read(self.common.join("packed-refs")).unwrap_or_default();
        let wanted = format!("{value} {name}");
        text.split(|byte| *byte == b'\n').any(|line| line == wanted.as_bytes())
    }
}
