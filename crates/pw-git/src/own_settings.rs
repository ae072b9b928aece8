//! Settings of one worktree alone. Before git reads them, those of the main checkout go to its own
//! file: where it is, and that there is none, would else count for every worktree.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::Repo;
use crate::process::{Git, records};

/// The file of settings in a worktree's own folder of git's, and in that of the main checkout.
pub(crate) const SETTINGS: &str = "config.worktree";

/// What only the main checkout is to read, if it stands in what all worktrees share.
#[derive(Debug, Default)]
pub(crate) struct MainOnly {
    pub(crate) is_bare: bool,
    pub(crate) worktree: Option<PathBuf>,
}

impl MainOnly {
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_bare && self.worktree.is_none()
    }

    /// Takes one setting, if it is one of them; the last one counts.
    pub(crate) fn take(&mut self, name: &[u8], value: Option<&[u8]>) {
        match (name, value) {
            (b"core.bare", value) => self.is_bare = value.is_none_or(is_true),
            (b"core.worktree", Some(value)) => {
                self.worktree = Some(PathBuf::from(OsStr::from_bytes(value)));
            }
            _ => {}
        }
    }

    /// Reads them from both files that the main checkout has. Seen from a linked worktree, git's
    /// other commands pass them over, and take a bare repository for one with a checkout.
    pub(crate) fn read(git: &Git, common: &Path) -> Result<Self> {
        let files = ["config", SETTINGS].map(|name| include(&common.join(name))).concat();
        let words = ["config", "-z", "--file", "-", "--includes", "--get-regexp"];
        let words = words.into_iter().chain([r"^core\.(bare|worktree)$"]);
        let answer = git.plumbing(words).reader().codes(&[0, 1]).input(files).bytes()?;
        let mut found = Self::default();
        for record in records(&answer) {
            let mut parts = record.splitn(2, |byte| *byte == b'\n');
            found.take(parts.next().unwrap_or_default(), parts.next());
        }
        Ok(found)
    }
}

impl Repo {
    /// Lets git read settings of single worktrees.
    pub(crate) fn allow_own_settings(&self, main: &MainOnly) -> Result<()> {
        let mark = self.settings_mark();
        let home = mark.parent().map_or(Ok(()), fs::create_dir_all);
        home.and_then(|()| fs::write(&mark, "extensions.worktreeConfig\n"))
            .with_context(|| format!("writing {}", mark.display()))?;
        if main.is_empty() {
            let words = ["config", "--local", "extensions.worktreeConfig", "true"];
            return self.git.user(words).run().map(drop);
        }
        let set = |file: &Path, words: &[&OsStr]| {
            let file = [OsStr::new("config"), OsStr::new("--file"), file.as_os_str()];
            self.git.plumbing(file.iter().chain(words)).run().map(drop)
        };
        // First where git does not look yet, so that the repository is never without them.
        let own = self.common().join(SETTINGS);
        if main.is_bare {
            set(&own, &["core.bare", "true"].map(OsStr::new))?;
        }
        if let Some(worktree) = &main.worktree {
            set(&own, &[OsStr::new("core.worktree"), worktree.as_os_str()])?;
        }
        replaced(&self.common().join("config"), |config| {
            set(config, &["extensions.worktreeConfig", "true"].map(OsStr::new))?;
            if main.is_bare {
                set(config, &["--unset-all", "core.bare"].map(OsStr::new))?;
            }
            match &main.worktree {
                Some(_) => set(config, &["--unset-all", "core.worktree"].map(OsStr::new)),
                None => Ok(()),
            }
        })
    }
}

impl Repo {
    /// The file that says that we, and not the user, let git read settings of single worktrees.
    fn settings_mark(&self) -> PathBuf {
        self.common().join("pw/worktree-config")
    }

    /// Takes that back where we did it, once no worktree has settings of its own; returns why it
    /// stays, if it does.
    pub fn forget_own_settings(&self) -> Result<Option<String>> {
        let mark = self.settings_mark();
        if !mark.is_file() {
            return Ok(None);
        }
        let linked = fs::read_dir(self.common().join("worktrees")).into_iter().flatten().flatten();
        let mut folders = linked.map(|entry| entry.path()).chain([self.common().to_owned()]);
        if let Some(folder) = folders.find(|folder| folder.join(SETTINGS).is_file()) {
            return Ok(Some(format!("{} is read through it", folder.join(SETTINGS).display())));
        }
        let words = ["config", "--local", "--unset-all", "extensions.worktreeConfig"];
        // It may be gone already.
        self.git.at(self.place()).user(words).codes(&[0, 5]).run()?;
        fs::remove_file(&mark).with_context(|| format!("removing {}", mark.display()))?;
        Ok(None)
    }
}

/// Appends text to a file of settings, or makes it.
pub(crate) fn appended(settings: &Path, text: &[u8]) -> Result<()> {
    if settings.exists() {
        return replaced(settings, |copy| {
            let mut copy = fs::File::options().append(true).open(copy)?;
            Ok(copy.write_all(text)?)
        });
    }
    fs::write(settings, text).with_context(|| format!("writing {}", settings.display()))
}

/// Changes a file of settings in one step: in a copy, which is git's lock at the same time.
fn replaced(settings: &Path, change: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let settings = settings.canonicalize().context("finding git's settings")?;
    let shown = settings.display();
    let mut lock = settings.clone().into_os_string();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let mut copy = fs::File::create_new(&lock).with_context(|| format!("locking {shown}"))?;
    let replace = || {
        copy.set_permissions(settings.metadata()?.permissions())?;
        copy.write_all(&fs::read(&settings)?)?;
        change(&lock)?;
        fs::rename(&lock, &settings).with_context(|| format!("writing {shown}"))
    };
    let replaced = replace();
    if replaced.is_err() {
        let _ = fs::remove_file(&lock);
    }
    replaced
}

/// Returns the lines that make git read a file, if it is there.
pub(crate) fn include(path: &Path) -> Vec<u8> {
    [b"[include]\n\tpath = \"", &quoted(path)[..], b"\"\n"].concat()
}

/// Returns how a path is written in git's settings, between quotes.
pub(crate) fn quoted(path: &Path) -> Vec<u8> {
    let quote = |byte: &u8| match byte {
        b'\\' | b'"' => vec![b'\\', *byte],
        b'\n' => b"\\n".to_vec(),
        byte => vec![*byte],
    };
    path.as_os_str().as_bytes().iter().flat_map(quote).collect()
}

pub(crate) fn is_true(value: &[u8]) -> bool {
    [&b"true"[..], b"yes", b"on", b"1"].iter().any(|word| value.eq_ignore_ascii_case(word))
}
