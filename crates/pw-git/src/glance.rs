//! A worktree and its repository, told from git's own files: for a question that is asked at every use of a
//! tool, starting git would be most of the time. Where these files do not tell it plainly, nothing is told,
//! and the question is git's, which knows every other layout.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use pw_core::scope::Scope;

use crate::Repo;
use crate::layout::Layout;
use crate::process::Git;
use crate::worktree::{Worktree, through_links};
use crate::worktree_links::{Entry, path_of};

/// What a linked worktree's own files tell.
#[derive(Clone, Debug)]
pub struct Glance {
    /// The repository. Of its worktrees it knows where they are, why they are locked and the branch, not
    /// the commits.
    pub repo: Repo,
    /// The worktree, as [`Repo::worktrees`] has it.
    pub worktree: Worktree,
    /// Git's own folder of it.
    pub own: PathBuf,
}

impl Glance {
    /// Looks at the linked worktree whose top `dir` is; `None` where git must be asked.
    pub fn at(dir: &Path) -> Option<Self> {
        let link = dir.join(".git");
        let own = dir
            .join(path_of(fs::read(&link).ok()?.strip_prefix(b"gitdir: ")?))
            .canonicalize()
            .ok()?;
        let common =
            own.join(path_of(&fs::read(own.join("commondir")).ok()?)).canonicalize().ok()?;
        let root = common.parent().filter(|_| common.ends_with(".git"))?.to_owned();
        let is_plain =
            own.parent() == Some(&common.join("worktrees")) && has_plain_settings(&common);
        // Git refuses what another user owns, unless the user trusts that.
        let is_owned = [dir, &link, &own, &common].into_iter().all(is_of_this_user);
        if !is_plain || !is_owned {
            return None;
        }
        let main =
            Worktree { path: root.clone(), bare: false, head: None, branch: None, locked: None };
        let folders = fs::read_dir(common.join("worktrees")).ok()?;
        let linked =
            folders.map(|folder| listed(folder.ok()?.path())).collect::<Option<Vec<_>>>()?;
        let worktrees = through_links(std::iter::once(main).chain(linked).collect());
        let layout = Layout { root: root.clone(), common, is_bare: false };
        let git = Git::find(&root).ok()?;
        let (union, author) = (Scope::default(), OnceLock::new());
        let repo = Repo { git, here: dir.to_owned(), layout, worktrees, union, author };
        let worktree = repo.worktree_at(dir)?.clone();
        let is_one =
            repo.worktrees().iter().filter(|other| other.path == worktree.path).count() == 1;
        let is_its = is_one && repo.own_git_dir(&worktree.path)? == own;
        (is_its && repo.is_worktree_of_its_own(&worktree.path)).then_some(Self {
            repo,
            worktree,
            own,
        })
    }
}

/// Returns what seems to be the folder that all worktrees share, if workflows were there before. Who locks
/// it has to see then that git says the same.
pub(crate) fn common_of_workflows(dir: &Path) -> Option<PathBuf> {
    let dir = dir.canonicalize().ok()?;
    let link = dir.ancestors().map(|dir| dir.join(".git")).find(|link| link.exists())?;
    let own = match fs::read(&link) {
        Ok(text) => link.parent()?.join(path_of(text.strip_prefix(b"gitdir: ")?)),
        Err(_) => link,
    };
    let common = match fs::read(own.join("commondir")) {
        Ok(text) => own.join(path_of(&text)),
        Err(_) => own,
    };
    common.canonicalize().ok().filter(|common| common.join("pw/lock").is_file())
}

/// Reads git's entry of a worktree; `None` unless it names a folder by its whole path.
fn listed(folder: PathBuf) -> Option<Worktree> {
    let listed = Entry::read(folder).as_listed();
    let mut parts = listed.path.components();
    let is_whole = parts.all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    (is_whole && listed.path.is_absolute()).then_some(listed)
}

/// Returns whether a repository's settings say nothing of where it lies or how it keeps refs.
fn has_plain_settings(common: &Path) -> bool {
    let is_plain = |line: &str| {
        let line = line.trim().to_ascii_lowercase();
        let is_telling = ["bare", "refstorage"].iter().any(|word| line.contains(word));
        !is_telling || line == "bare = false"
    };
    let settings = fs::read_to_string(common.join("config"));
    let more = fs::read_to_string(common.join(crate::own_settings::SETTINGS)).unwrap_or_default();
    settings.is_ok_and(|settings| settings.lines().chain(more.lines()).all(is_plain))
}

fn is_of_this_user(path: &Path) -> bool {
    let user = rustix::process::geteuid().as_raw();
    path.symlink_metadata().is_ok_and(|about| about.uid() == user)
}
