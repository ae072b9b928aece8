//! A repository: where it is, and its worktrees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;
use pw_core::branch::Branch;
use pw_core::details::GitSaid;
use pw_core::failure::{Code, Failure};
use pw_core::id::Oid;
use pw_core::next::Next;
use pw_core::scope::Scope;

use crate::layout::Layout;
use crate::lock::Lock;
use crate::objects::Author;
use crate::process::{Git, GitError, both};
use crate::worktree::Worktree;
use crate::worktree_links::Lost;

/// A git repository.
#[derive(Clone, Debug)]
pub struct Repo {
    pub(crate) git: Git,
    /// The folder it was opened from.
    pub(crate) here: PathBuf,
    pub(crate) layout: Layout,
    pub(crate) worktrees: Vec<Worktree>,
    /// Files that only grow.
    pub(crate) union: Scope,
    /// Who writes commits of ours, once git was asked.
    pub(crate) author: OnceLock<Author>,
}

impl Repo {
    /// Opens the repository that `dir` lies in, from the main checkout or any worktree.
    ///
    /// # Errors
    ///
    /// `not_a_repository`, `bare_repository` or `unsafe_repository`; `program_missing` without git.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::of(&Git::find(dir)?)
    }

    /// The same, and the commits of all refs below the prefixes, by full name.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_with_refs(dir: &Path, prefixes: &[&str]) -> Result<(Self, BTreeMap<String, Oid>)> {
        let git = Git::find(dir)?;
        // If there is no repository, the error of the first call says so.
        let (repo, refs) = both(|| Self::of(&git), || Ok(crate::refs::list(&git, prefixes)))?;
        Ok((repo, refs?))
    }

    /// The same for a writer: takes the lock first, since another helper may change what is read
    /// before.
    ///
    /// # Errors
    ///
    /// As [`Self::open`], and `locked` while another helper holds the lock.
    pub fn open_alone(
        dir: &Path,
        prefixes: &[&str],
        command: &str,
        now: &str,
    ) -> Result<(Self, BTreeMap<String, Oid>, Lock)> {
        if let Some(common) = crate::glance::common_of_workflows(dir) {
            let lock = Lock::take(&common, command, now)?;
            let (repo, refs) = Self::open_with_refs(dir, prefixes)?;
            if repo.common() == common {
                return Ok((repo, refs, lock));
            }
        }
        let lock = Lock::take(Self::open(dir)?.common(), command, now)?;
        let (repo, refs) = Self::open_with_refs(dir, prefixes)?;
        Ok((repo, refs, lock))
    }

    fn of(git: &Git) -> Result<Self> {
        let worktrees = crate::worktree::list(git).map_err(|error| refusal(error, git.dir()))?;
        let layout = crate::layout::find(git, &worktrees)?;
        let is_linked = layout.root.join(".git").symlink_metadata().is_ok();
        let asked = git.of_found(if is_linked { &layout.root } else { &layout.common });
        let here = git.dir().to_owned();
        let (union, author) = (Scope::default(), OnceLock::new());
        let mut repo = Self { git: asked, here, layout, worktrees, union, author };
        repo.name_main();
        Ok(repo)
    }

    /// Puts the main checkout where it is: git takes it to be around its own folder.
    fn name_main(&mut self) {
        if let Some(main) = self.worktrees.first_mut() {
            main.bare = self.layout.is_bare;
            match main.bare {
                true => main.branch = None,
                false => main.path.clone_from(&self.layout.root),
            }
        }
    }

    /// The folder that worktrees of ours lie in and paths are relative to: the main checkout, or the
    /// folder around a bare repository.
    pub fn root(&self) -> &Path {
        &self.layout.root
    }

    /// The folder all worktrees share: `.git` of the main checkout, as a rule.
    pub fn common(&self) -> &Path {
        &self.layout.common
    }

    /// The user's own checkout that one stands in, or the main one, or of a bare repository any;
    /// nothing where there is none.
    pub fn checkout(&self) -> Option<&Worktree> {
        let is_users = |worktree: &&Worktree| {
            !worktree.bare && !worktree.locked.as_ref().is_some_and(|why| why.starts_with("pw "))
        };
        let here = self.worktree_at(&self.here).filter(is_users);
        here.or_else(|| self.worktrees.iter().find(is_users))
    }

    /// The main checkout, whichever one stands in; of a bare repository what [`Self::checkout`] says.
    pub fn main_checkout(&self) -> Option<&Path> {
        match self.layout.is_bare {
            true => self.checkout().map(|checkout| checkout.path.as_path()),
            false => Some(self.root()),
        }
    }

    /// A folder in which git answers for this repository.
    pub fn place(&self) -> &Path {
        self.main_checkout().unwrap_or(self.common())
    }

    /// The worktrees as they were when the repository was opened, the main checkout first.
    pub fn worktrees(&self) -> &[Worktree] {
        &self.worktrees
    }

    /// Reads the list of worktrees again.
    pub fn refresh(&mut self) -> Result<()> {
        self.worktrees = crate::worktree::list(&self.git)?;
        self.name_main();
        Ok(())
    }

    /// Returns the linked worktree that `dir` lies in.
    pub fn worktree_at(&self, dir: &Path) -> Option<&Worktree> {
        let dir = dir.canonicalize().ok()?;
        let linked = self.worktrees.iter().skip(1);
        let is_in = |worktree: &&Worktree| {
            let real = || worktree.path.canonicalize();
            dir.starts_with(&worktree.path) || real().is_ok_and(|real| dir.starts_with(real))
        };
        linked.filter(is_in).max_by_key(|w| w.path.as_os_str().len())
    }

    /// Returns the commit that HEAD has in the checkout one stands in, and its branch when it is on
    /// one; see [`Self::checkout`].
    ///
    /// # Errors
    ///
    /// `no_commit` before the first commit.
    pub fn head(&self) -> Result<(Option<Branch>, Oid)> {
        let unborn = || {
            Failure::new(Code::NoCommit, "the repository has no commit yet")
                .hint("make a first commit, so that there is something to fork from")
        };
        let is_bare = self.worktrees.first().is_some_and(|main| main.bare);
        let is_here = self.worktree_at(&self.here).is_some();
        let Some(checkout) = self.checkout().filter(|_| is_here || !is_bare) else {
            return self.bare_head()?.ok_or_else(|| unborn().into());
        };
        let commit = checkout
            .head
            .clone()
            .filter(|oid| oid.as_str().contains(|c| c != '0'))
            .ok_or_else(unborn)?;
        Ok((checkout.branch.clone(), commit))
    }

    /// Returns the branch that a bare repository calls its own, and its commit.
    fn bare_head(&self) -> Result<Option<(Option<Branch>, Oid)>> {
        let asked = ["symbolic-ref", "--quiet", "HEAD"];
        let name = self.git.at(self.common()).plumbing(asked).reader().codes(&[0, 1]).line()?;
        let Some(branch) = Branch::of_ref(&name) else { return Ok(None) };
        Ok(self.resolve(branch.as_str())?.map(|commit| (Some(branch), commit)))
    }

    /// Returns the commit that a branch, remote branch, tag or revision names, the branch first.
    pub fn resolve(&self, name: &str) -> Result<Option<Oid>> {
        let candidates =
            ["refs/heads/", "refs/remotes/", "refs/tags/"].map(|p| format!("{p}{name}"));
        let input: String = candidates
            .into_iter()
            .chain([name.to_owned()])
            .map(|name| format!("{name}^{{commit}}\n"))
            .collect();
        let answer =
            self.git.plumbing(["cat-file", "--batch-check=%(objectname)"]).reader().input(input);
        let answer = answer.bytes()?;
        Ok(String::from_utf8_lossy(&answer).lines().find_map(|line| line.parse().ok()))
    }

    /// Returns who writes commits of ours: the user, or a fixed name when git knows none.
    pub fn author(&self) -> Result<Author> {
        if let Some(known) = self.author.get() {
            return Ok(known.clone());
        }
        let output = self.git.user(["var", "GIT_COMMITTER_IDENT"]).any_code().run()?;
        let known = Author::parse(&String::from_utf8_lossy(&output.stdout));
        let author = known.filter(|_| output.code == 0).unwrap_or_else(Author::fixed);
        Ok(self.author.get_or_init(|| author).clone())
    }
}

/// Gives git's refusals a name. The words are git's own in the C locale, and tested.
fn refusal(error: anyhow::Error, dir: &Path) -> anyhow::Error {
    let Some(git) = error.downcast_ref::<GitError>() else { return error };
    // The second is what git 2.55 says of a link that leads nowhere.
    let is_nowhere = ["not a git repository", "does not point to a valid repository"]
        .iter()
        .any(|said| git.stderr.contains(said));
    let failure = if (is_nowhere || git.stderr.contains("invalid gitfile format"))
        && let Some((lost, root)) = crate::worktree_links::lost(dir)
    {
        let (message, hint) = explain(&lost);
        let failure = Failure::new(Code::NotARepository, message).hint(hint);
        match root {
            Some(root) => failure.next(Next::Repair(None).at(&root)),
            None => failure,
        }
    } else if is_nowhere {
        let message = format!("{} is in no git repository", dir.display());
        Failure::new(Code::NotARepository, message)
            .hint("change to the repository, or make one with git init")
    } else if git.stderr.contains("dubious ownership") {
        Failure::new(
            Code::UnsafeRepository,
            "git refuses this repository, since another user owns it",
        )
        .hint("if you trust it, add it to safe.directory as git's message says")
    } else if git.stderr.contains("cannot use bare repository") {
        Failure::new(
            Code::UnsafeRepository,
            "git takes a bare repository only by name: safe.bareRepository is explicit",
        )
        .hint("run it in one of its worktrees, or in a folder whose .git is a link to it")
    } else {
        return error;
    };
    failure.details(GitSaid { git: git.stderr.clone() }).into()
}

/// Says why git finds no repository where a worktree is, and what to do.
fn explain(lost: &Lost) -> (String, &'static str) {
    match lost {
        Lost::Repository(gone) => (
            format!("the repository of this worktree is not at {} any more", gone.display()),
            "it was moved: run pw-setup repair there, which puts the worktrees right",
        ),
        Lost::Entry(worktree) => (
            format!("git's entry of the worktree {} is gone or unreadable", worktree.display()),
            "its files are there: run pw-setup repair in the repository, which makes the entry anew",
        ),
        Lost::Link(worktree) => (
            format!("{}/.git is no link to a repository any more", worktree.display()),
            "run pw-setup repair in the repository, which makes the link anew",
        ),
    }
}
