//! Git hooks for one worktree: ours first, then whatever the user has. Each worktree has a folder of
//! its own, since hook managers write into the folder that git names.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use pw_core::gap::{Gap, GapKind};
use pw_core::prompt::{HOOK, HOOK_BEGINS, KEPT};

use crate::Repo;
use crate::process::records;

/// The hooks git may start in a worktree. Where ours has nothing to say, the user's own runs alone.
const NAMES: &[&str] = &[
    "applypatch-msg",
    "pre-applypatch",
    "post-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-push",
    "post-rewrite",
    "pre-auto-gc",
    "reference-transaction",
];

/// Hooks git starts many times for each command, or hardly ever: forwarded only where the user has
/// one.
const ON_DEMAND: &[&str] = &["post-index-change", "sendemail-validate"];

/// Where the hooks of one worktree are.
#[derive(Clone, Debug)]
pub struct HookPlace {
    pub worktree: PathBuf,
    /// Our own folder about its worker: it holds the folder of hooks, and beside that what hook
    /// managers wrote there.
    pub folder: PathBuf,
}

impl HookPlace {
    fn hooks(&self) -> PathBuf {
        self.folder.join("hooks")
    }

    /// Returns the way from the worktree to its hooks. Git follows it from the worktree's top, so
    /// that it leads there when the repository was moved, and in a copy to the copy's own.
    fn way(&self) -> Result<PathBuf> {
        let real = |path: &Path| {
            path.canonicalize().with_context(|| format!("finding {}", path.display()))
        };
        Ok(way(&real(&self.worktree)?, &real(&self.hooks())?))
    }
}

/// Returns the way from one folder to another; both are absolute and without links.
pub fn way(from: &Path, to: &Path) -> PathBuf {
    let common = from.components().zip(to.components()).take_while(|(one, other)| one == other);
    let common = common.count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    up.chain(to.components().skip(common)).collect()
}

impl Repo {
    fn hook_names(&self) -> impl Iterator<Item = &'static str> {
        let has = |name: &&&str| self.common().join("hooks").join(name).exists();
        NAMES.iter().chain(ON_DEMAND.iter().filter(has)).copied()
    }

    /// Returns what is not as [`Self::write_hooks`] and [`Self::use_hooks`] leave it, for each
    /// worktree; nothing of one that is no worktree of ours. Costs one process for all.
    pub fn hook_gaps(&self, places: &[HookPlace]) -> Result<Vec<Vec<Gap>>> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let own: Vec<Option<PathBuf>> =
            places.iter().map(|place| self.own_git_dir(&place.worktree)).collect();
        let (is_per_worktree, named) = self.hook_settings(&own)?;
        let off = || Gap::new(GapKind::WorktreeConfig, "extensions.worktreeConfig is switched off");
        let gaps = |((place, own), named): ((&HookPlace, &Option<PathBuf>), Option<PathBuf>)| {
            if own.is_none() {
                return Vec::new();
            }
            let off = (!is_per_worktree).then(off);
            off.into_iter().chain(path_gap(place, named)).chain(self.file_gaps(place)).collect()
        };
        Ok(places.iter().zip(&own).zip(named).map(gaps).collect())
    }

    /// Reads whether worktrees have settings of their own, and what theirs name for hooks.
    ///
    /// All files are included into one that git reads from its stdin, each behind a mark.
    fn hook_settings(&self, own: &[Option<PathBuf>]) -> Result<(bool, Vec<Option<PathBuf>>)> {
        let included = |path: &Path| {
            let quote = |byte: &u8| match byte {
                b'\\' | b'"' => vec![b'\\', *byte],
                b'\n' => b"\\n".to_vec(),
                byte => vec![*byte],
            };
            let quoted: Vec<u8> = path.as_os_str().as_bytes().iter().flat_map(quote).collect();
            [b"[include]\n\tpath = \"", &quoted[..], b"\"\n"].concat()
        };
        let mut text = included(&self.common().join("config"));
        for own in own {
            text.extend(b"[pw]\n\tnext\n");
            text.extend(own.iter().flat_map(|own| included(&own.join("config.worktree"))));
        }
        let names = "^(pw\\.next|extensions\\.worktreeconfig|core\\.hookspath)$";
        let args = ["config", "-z", "--file", "-", "--includes", "--get-regexp", names];
        let answer = self.git.plumbing(args).reader().codes(&[0, 1]).input(text).bytes()?;
        let (mut is_per_worktree, mut named) = (false, Vec::new());
        for record in records(&answer) {
            let mut parts = record.splitn(2, |byte| *byte == b'\n');
            match (parts.next().unwrap_or_default(), parts.next(), named.last_mut()) {
                (b"pw.next", ..) => named.push(None),
                (b"extensions.worktreeconfig", value, None) => {
                    is_per_worktree = value.is_none_or(is_true);
                }
                (b"core.hookspath", Some(value), Some(named)) => {
                    *named = Some(PathBuf::from(OsStr::from_bytes(value)));
                }
                _ => {}
            }
        }
        anyhow::ensure!(named.len() == own.len(), "git config left out a file");
        Ok((is_per_worktree, named))
    }

    fn file_gaps(&self, place: &HookPlace) -> Vec<Gap> {
        let folder = place.hooks();
        if !folder.is_dir() {
            let message = format!("the folder of its hooks is gone: {}", folder.display());
            return vec![Gap::new(GapKind::HookMissing, message)];
        }
        let state = |name: &&str| {
            let path = folder.join(name);
            Some(match fs::read(&path) {
                Ok(text) if text == HOOK.as_bytes() && is_executable(&path) => return None,
                Ok(text) if text == HOOK.as_bytes() => GapKind::HookNotExecutable,
                Err(error) if error.kind() == io::ErrorKind::NotFound => GapKind::HookMissing,
                _ => GapKind::HookReplaced,
            })
        };
        let states = self.hook_names().filter_map(|name| Some((state(&name)?, name)));
        let states: Vec<(GapKind, &str)> = states.collect();
        let gap = |(kind, what): (GapKind, &str)| {
            let names = states.iter().filter(|(found, _)| *found == kind).map(|(_, name)| *name);
            let names: Vec<&str> = names.collect();
            let message = || format!("of its git hooks, {}: {}", what, names.join(", "));
            (!names.is_empty()).then(|| Gap::new(kind, message()))
        };
        let kinds = [
            (GapKind::HookMissing, "these are gone"),
            (GapKind::HookReplaced, "these are not ours any more"),
            (GapKind::HookNotExecutable, "these are no programs, so that git ignores them"),
        ];
        kinds.into_iter().filter_map(gap).collect()
    }

    /// Writes the dispatcher under every hook name. What else is found in the folder is kept beside
    /// it, where the dispatcher runs it.
    pub fn write_hooks(&self, place: &HookPlace) -> Result<()> {
        let folder = place.hooks();
        if folder.is_symlink() {
            // An installer put it there: what it leads to is not ours to write into.
            fs::remove_file(&folder).with_context(|| format!("removing {}", folder.display()))?;
        } else if !folder.is_dir() && folder.symlink_metadata().is_ok() {
            keep(&folder, &place.folder.join(KEPT))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        put_aside(&folder, &place.folder.join(KEPT))?;
        for name in self.hook_names() {
            let path = folder.join(name);
            let is_ours = fs::read(&path).is_ok_and(|known| known == HOOK.as_bytes());
            if is_ours && is_executable(&path) {
                continue;
            }
            // Replaced whole: a commit may be running this very hook.
            let new = folder.join(format!(".{name}.new"));
            fs::write(&new, HOOK).with_context(|| format!("writing {}", new.display()))?;
            make_executable(&new)?;
            fs::rename(&new, &path).with_context(|| format!("replacing {}", path.display()))?;
        }
        Ok(())
    }

    /// Makes git look for hooks there, in this worktree alone; the setting goes with it.
    pub fn use_hooks(&self, place: &HookPlace) -> Result<()> {
        let way = place.way()?;
        let own = [self.own_git_dir(&place.worktree)];
        let read = || -> Result<(bool, bool)> {
            let (is_per_worktree, named) = self.hook_settings(&own)?;
            let named = named.into_iter().next().flatten();
            Ok((is_per_worktree, path_gap(place, named).is_none()))
        };
        let (is_per_worktree, is_ours) = read()?;
        if !is_per_worktree {
            self.git.user(["config", "--local", "extensions.worktreeConfig", "true"]).run()?;
        }
        if !is_ours {
            let words = ["config", "--worktree", "--replace-all", "core.hooksPath"];
            let words = words.map(OsStr::new).into_iter().chain([way.as_os_str()]);
            self.git.at(&place.worktree).user(words).run()?;
        }
        if (is_per_worktree && is_ours) || read()? == (true, true) {
            return Ok(());
        }
        bail!("git does not look for hooks in {}", place.hooks().display())
    }
}

/// Returns what is wrong with the folder that a worktree's setting names; any way there will do.
fn path_gap(place: &HookPlace, named: Option<PathBuf>) -> Option<Gap> {
    let Some(named) = named else {
        return Some(Gap::new(GapKind::HooksPath, "core.hooksPath of its worktree is not set"));
    };
    let leads_there = || {
        let there = place.worktree.join(&named).canonicalize().ok()?;
        Some(there == place.hooks().canonicalize().ok()?)
    };
    // While the folder is gone, no way leads there, and that is said of the folder.
    let is_gone = place.hooks().symlink_metadata().is_err();
    let is_right = leads_there() == Some(true) || (is_gone && ends_alike(&named, &place.hooks()));
    let message =
        || format!("core.hooksPath of its worktree names another folder: {}", named.display());
    (!is_right).then(|| Gap::new(GapKind::HooksPath, message()))
}

fn ends_alike(named: &Path, folder: &Path) -> bool {
    let end: PathBuf =
        named.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    folder.ends_with(end)
}

fn is_true(value: &[u8]) -> bool {
    [&b"true"[..], b"yes", b"on", b"1"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Moves what is not ours out of a folder of hooks.
fn put_aside(folder: &Path, kept: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let is_file = path.symlink_metadata().is_ok_and(|about| about.is_file());
        let is_ours =
            is_file && fs::read(&path).is_ok_and(|text| text.starts_with(HOOK_BEGINS.as_bytes()));
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let is_known = NAMES.contains(&name) || ON_DEMAND.contains(&name);
        match is_ours {
            true if is_known => {}
            // A manager renamed it, or a killed helper left it half-way.
            true => {
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?
            }
            false => keep(&path, kept)?,
        }
    }
    Ok(())
}

/// Moves a file into the folder for what is kept. One of that name steps aside, unless it is the same.
fn keep(path: &Path, kept: &Path) -> Result<()> {
    fs::create_dir_all(kept).with_context(|| format!("making {}", kept.display()))?;
    let name = path.file_name().context("a hook has a name")?;
    let to = kept.join(name);
    let is_same = || Some(fs::read(path).ok()? == fs::read(&to).ok()?);
    if to.symlink_metadata().is_ok() && is_same() != Some(true) {
        let older = |number: usize| {
            let mut name = name.to_owned();
            name.push(format!(".{number}"));
            kept.join(name)
        };
        let free = (1..).map(older).find(|path| path.symlink_metadata().is_err());
        let free = free.context("no name is free")?;
        fs::rename(&to, &free).with_context(|| format!("moving {}", to.display()))?;
    }
    fs::rename(path, &to).with_context(|| format!("moving {}", path.display()))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

fn make_executable(path: &Path) -> Result<()> {
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, mode).with_context(|| format!("making {} a program", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_goes_up_as_far_as_it_must() {
        for (from, to, expected) in [
            ("/r/worktrees/a", "/r/.git/pw/w/a/hooks", "../../.git/pw/w/a/hooks"),
            ("/big/a", "/r/.git/h", "../../r/.git/h"),
            ("/r", "/r/.git", ".git"),
        ] {
            assert_eq!(way(Path::new(from), Path::new(to)), Path::new(expected));
        }
    }
}
