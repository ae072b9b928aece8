//! Git hooks for one worktree: ours first, then the user's own. Each worktree has a folder of its
//! own, since hook managers write into the folder that git names.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use pw_core::gap::{Gap, GapKind};
use pw_core::git_hook::{HOOK, HOOK_BEGINS, KEPT};

use crate::Repo;
use crate::own_settings::{MainOnly, SETTINGS, appended, include, is_true, quoted};
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
pub struct HookFolder {
    /// The top of the worktree.
    pub worktree: PathBuf,
    /// Our own folder about its worker: it holds the folder of hooks, and beside that what hook
    /// managers wrote there.
    pub folder: PathBuf,
}

impl HookFolder {
    fn hooks(&self) -> PathBuf {
        self.folder.join("hooks")
    }

    /// Returns the way from the worktree to its hooks. Git follows it from the worktree's top, so
    /// that it leads there when the repository was moved, and in a copy to the copy's own.
    fn way(&self) -> Result<PathBuf> {
        let real = |path: &Path| {
            path.canonicalize().with_context(|| format!("finding {}", path.display()))
        };
        Ok(relative_path(&real(&self.worktree)?, &real(&self.hooks())?))
    }
}

/// Returns the way from one folder to another; both are absolute and without links.
pub fn relative_path(from: &Path, to: &Path) -> PathBuf {
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

    /// Returns for each worktree what is not as [`Self::write_hooks`] and [`Self::use_hooks`] leave
    /// it; an empty list for a folder that is no worktree of ours. Costs one process for all.
    pub fn hook_gaps(&self, places: &[HookFolder]) -> Result<Vec<Vec<Gap>>> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let own: Vec<Option<PathBuf>> =
            places.iter().map(|place| self.own_git_dir(&place.worktree)).collect();
        let (shared, named) = self.hook_settings(&own)?;
        let gaps = |((place, own), named): ((&HookFolder, &Option<PathBuf>), Named)| {
            if own.is_none() {
                return Vec::new();
            }
            let off = shared.gap();
            off.into_iter().chain(path_gap(place, &named)).chain(self.file_gaps(place)).collect()
        };
        Ok(places.iter().zip(&own).zip(named).map(gaps).collect())
    }

    /// Reads what all worktrees share, and what each one's own settings name for hooks.
    ///
    /// git reads one file from its stdin that includes all of them, each behind a mark.
    fn hook_settings(&self, own: &[Option<PathBuf>]) -> Result<(Shared, Vec<Named>)> {
        let shared = self.common().join("config");
        let mut text = include(&shared);
        for own in own {
            text.extend(b"[pw]\n\tnext\n");
            text.extend(own.iter().flat_map(|own| include(&own.join(SETTINGS))));
        }
        let names = "^(pw\\.next|extensions\\.worktreeconfig|core\\.(bare|worktree|hookspath)|include\\.path|includeif\\..*\\.path)$";
        let words =
            ["config", "-z", "--show-origin", "--file", "-", "--includes", "--get-regexp", names];
        let answer = self.git.plumbing(words).reader().codes(&[0, 1]).input(text).bytes()?;
        let mut answer = records(&answer);
        let (mut all, mut found) = (Shared::default(), Vec::<Named>::new());
        while let (Some(origin), Some(record)) = (answer.next(), answer.next()) {
            let mut parts = record.splitn(2, |byte| *byte == b'\n');
            let (name, value) = (parts.next().unwrap_or_default(), parts.next());
            // A value of our own text on stdin has no file.
            let file =
                origin.strip_prefix(b"file:").map(|file| PathBuf::from(OsStr::from_bytes(file)));
            match (name, found.last_mut(), file) {
                (b"pw.next", ..) => found.push(Named::default()),
                // Git reads this in the repository's own file alone.
                (b"extensions.worktreeconfig", None, Some(file)) if file == shared => {
                    all.is_per_worktree = value.is_none_or(is_true);
                }
                (name, None, Some(file)) if file == shared => all.main.take(name, value),
                (b"core.hookspath", Some(named), Some(file)) => {
                    if file.ends_with(SETTINGS) {
                        named.include = None;
                    }
                    let value = PathBuf::from(OsStr::from_bytes(value.unwrap_or_default()));
                    named.last = Some((value, file));
                }
                (name, Some(named), Some(file)) if name.starts_with(b"include") => {
                    let value = String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
                    named.include = Some((value, file));
                }
                _ => {}
            }
        }
        anyhow::ensure!(found.len() == own.len(), "git config left out a file");
        Ok((all, found))
    }

    fn file_gaps(&self, place: &HookFolder) -> Vec<Gap> {
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
    pub fn write_hooks(&self, place: &HookFolder) -> Result<()> {
        let folder = place.hooks();
        if folder.is_symlink() {
            // A hook manager put a link there: the folder it leads to is not ours to write into.
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

    /// Makes git look for hooks there, in each of these worktrees alone; the setting goes with it.
    /// Costs two processes for all, and one for each worktree that named another folder.
    pub fn use_hooks(&self, places: &[HookFolder]) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        let own: Vec<Option<PathBuf>> =
            places.iter().map(|place| self.own_git_dir(&place.worktree)).collect();
        let (shared, named) = self.hook_settings(&own)?;
        let is_switched_on = shared.gap().is_none();
        if !is_switched_on {
            self.allow_own_settings(&shared.main)?;
        }
        let mut are_set = true;
        for ((place, own), named) in places.iter().zip(&own).zip(&named) {
            if setting_gap(place, named).is_some() {
                are_set = false;
                self.name_hooks(place, own.as_ref().context("it is no worktree")?, named)?;
            }
        }
        if is_switched_on && are_set {
            return Ok(());
        }
        let (shared, named) = self.hook_settings(&own)?;
        for (place, named) in places.iter().zip(&named) {
            if let Some(gap) = shared.gap().or_else(|| setting_gap(place, named)) {
                let folder = place.hooks();
                bail!("git does not look for hooks in {}: {}", folder.display(), gap.message)
            }
        }
        Ok(())
    }

    /// Names the folder in a worktree's own settings, so that it has the last word there.
    fn name_hooks(&self, place: &HookFolder, own: &Path, named: &Named) -> Result<()> {
        let (way, settings) = (place.way()?, own.join(SETTINGS));
        let names_another = named.last.as_ref().is_some_and(|(_, file)| file.ends_with(SETTINGS));
        if names_another {
            let words = ["config", "--worktree", "--replace-all", "core.hooksPath"];
            let words = words.map(OsStr::new).into_iter().chain([way.as_os_str()]);
            self.git.at(&place.worktree).user(words).run()?;
        }
        // `git config` adds nothing behind an include, and a file included later has the last word.
        if !names_another || named.include.is_some() {
            let ours = [b"\n[core]\n\thooksPath = \"", &quoted(&way)[..], b"\"\n"].concat();
            appended(&settings, &ours)?;
        }
        Ok(())
    }
}

/// What the settings that all worktrees share say of those of single ones.
#[derive(Debug, Default)]
struct Shared {
    is_per_worktree: bool,
    main: MainOnly,
}

impl Shared {
    fn gap(&self) -> Option<Gap> {
        let gap = |message: &str| Some(Gap::new(GapKind::WorktreeConfig, message));
        match (self.is_per_worktree, self.main.is_empty()) {
            (false, _) => gap("extensions.worktreeConfig is switched off"),
            // `git submodule` writes its own path there again.
            (true, false) => gap("core.worktree or core.bare of the main checkout is set for all"),
            (true, true) => None,
        }
    }
}

/// What a worktree's settings name for hooks, as far as they do.
#[derive(Debug, Default)]
struct Named {
    /// The value that counts, and the file it is in.
    last: Option<(PathBuf, PathBuf)>,
    /// An `include` after the worktree's own value, and the file it is in: a value in the included
    /// file, now or on another branch, overrides it.
    include: Option<(String, PathBuf)>,
}

/// Returns what is wrong with the folder of hooks that git uses in a worktree; any way there will
/// do.
fn path_gap(place: &HookFolder, named: &Named) -> Option<Gap> {
    setting_gap(place, named).or_else(environment_gap)
}

fn setting_gap(place: &HookFolder, named: &Named) -> Option<Gap> {
    let gap = |message: String| Some(Gap::new(GapKind::HooksPath, message));
    if let Some((include, file)) = &named.include {
        return gap(format!(
            "core.hooksPath of its worktree can be another: {} includes {include} behind it",
            file.display()
        ));
    }
    let Some((named, file)) = &named.last else {
        return gap("core.hooksPath of its worktree is not set".to_owned());
    };
    let leads_there = || {
        let there = place.worktree.join(named).canonicalize().ok()?;
        Some(there == place.hooks().canonicalize().ok()?)
    };
    // While the folder is gone, no way leads there, and that is said of the folder.
    let is_gone = place.hooks().symlink_metadata().is_err();
    if leads_there() == Some(true) || (is_gone && ends_alike(named, &place.hooks())) {
        return None;
    }
    gap(format!(
        "core.hooksPath of its worktree names another folder: {}, in {}",
        named.display(),
        file.display()
    ))
}

/// Returns the environment variable that sets `core.hooksPath` for every process started here,
/// before all config files. Our own git calls never see it.
fn environment_gap() -> Option<Gap> {
    let is_path = |text: &str| text.to_ascii_lowercase().contains("core.hookspath");
    let names = |(name, value): &(String, String)| {
        (name.starts_with("GIT_CONFIG_KEY_") || name == "GIT_CONFIG_PARAMETERS") && is_path(value)
    };
    let text = |text: OsString| text.to_string_lossy().into_owned();
    let (name, _) =
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).find(names)?;
    let message = format!("{name} in the environment sets core.hooksPath: unset it");
    Some(Gap::new(GapKind::HooksPath, message))
}

fn ends_alike(named: &Path, folder: &Path) -> bool {
    let end: PathBuf =
        named.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    folder.ends_with(end)
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

/// Moves a file into the folder for what is kept. One of that name steps aside, unless it is the
/// same.
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
            assert_eq!(relative_path(Path::new(from), Path::new(to)), Path::new(expected));
        }
    }
}
