//! Where a repository is: what all its worktrees share, and the folder that ours are made in. They are
//! `.git` and the main checkout around it, unless the user laid them out otherwise.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::failure::{Code, Failure};

use crate::own_settings::{MainOnly, SETTINGS};
use crate::process::Git;
use crate::worktree::Worktree;
use crate::worktree_links::is_link_to;

/// Both folders.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
    pub(crate) common: PathBuf,
    /// There is no main checkout.
    pub(crate) is_bare: bool,
}

/// Finds them; from every folder of the repository they are the same.
///
/// Refuses with `bare_repository` where no folder is the repository's own.
pub(crate) fn find(git: &Git, worktrees: &[Worktree]) -> Result<Layout> {
    let main = worktrees.first().context("git lists no worktree")?;
    let plain = main.path.join(".git");
    if !main.bare && plain.is_dir() && !may_be_bare(&plain) {
        return Ok(Layout { root: main.path.clone(), common: plain, is_bare: false });
    }
    let asked = ["rev-parse", "--path-format=absolute", "--git-common-dir"];
    let common = path(git.user(asked).reader().bytes()?);
    let common = common.canonicalize().context("finding git's folder")?;
    let settings = MainOnly::read(git, &common)?;
    let is_bare = main.bare || settings.is_bare;
    let linked = worktrees.iter().skip(1).map(|worktree| worktree.path.as_path());
    let around = std::iter::once(git.dir()).chain(linked).find_map(|dir| {
        let dir = dir.canonicalize().ok()?;
        dir.ancestors().find(|dir| is_link_to(dir, &common)).map(Path::to_owned)
    });
    let named = || {
        let named = common.join(settings.worktree?).canonicalize().ok()?;
        is_link_to(&named, &common).then_some(named)
    };
    // `.bare` is how it is called in a folder that is there for its worktrees.
    let is_hidden = common.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
    let beside = common.parent().filter(|_| is_bare && is_hidden).map(Path::to_owned);
    let root = around.or_else(named).or(beside).ok_or_else(|| refuse(is_bare))?;
    Ok(Layout { root, common, is_bare })
}

/// Returns whether it is worth asking git, which costs a process.
fn may_be_bare(git_dir: &Path) -> bool {
    ["config", SETTINGS].iter().any(|name| {
        let config = std::fs::read_to_string(git_dir.join(name)).unwrap_or_default();
        let mut lines = config.lines().map(str::trim_start);
        lines.any(|line| line.starts_with("bare") && !line.ends_with("false"))
    })
}

fn refuse(is_bare: bool) -> Failure {
    let (message, hint) = match is_bare {
        true => (
            "the repository is bare, and in no folder that is there for its worktrees",
            "use a clone with a checkout, or a bare one called .bare in a folder of its own",
        ),
        false => (
            "git does not tell from here where the main checkout is",
            "run this in the main checkout",
        ),
    };
    Failure::new(Code::BareRepository, message).hint(hint)
}

fn path(mut line: Vec<u8>) -> PathBuf {
    line.pop_if(|last| *last == b'\n');
    PathBuf::from(OsString::from_vec(line))
}
