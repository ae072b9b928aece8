//! One helper at a time changes a repository, or a worktree, and no git of a helper that was killed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pw_core::lock::Holder;

/// How long a helper waits for the git of a killed helper before it refuses with `locked`.
const PATIENCE: Duration = Duration::from_secs(30);

/// What every git that is started under the lock has for its stdin: an empty file whose lock ends
/// with the last of them. The lock proper is the helper's alone: sessions and daemons that it
/// starts would keep it.
static AT_WORK: Mutex<Option<File>> = Mutex::new(None);

/// Held while a helper changes the repository; the kernel releases it when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes `<git folder>/pw/lock`: the common git folder stands for the repository, a private one for
    /// its worktree.
    ///
    /// # Errors
    ///
    /// `locked`, with what the holder wrote there.
    pub fn take(git_folder: &Path, command: &str, now: &str) -> Result<Self> {
        let folder = git_folder.join("pw");
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let mut file = open(&folder.join("lock"))?;
        if !try_lock(&file)? {
            let mut holder = String::new();
            file.read_to_string(&mut holder).ok();
            return Err(Holder::parse(&holder).refuse().into());
        }
        let at_work = open(&folder.join("git-at-work"))?;
        let end = Instant::now() + PATIENCE;
        while !try_lock(&at_work)? {
            if Instant::now() > end {
                return Err(Holder::parse("git, whose helper was killed").refuse().into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        *AT_WORK.lock().unwrap_or_else(PoisonError::into_inner) = Some(at_work);
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", Holder::new(command, std::process::id(), now))?;
        Ok(Self { _file: file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        AT_WORK.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Returns an empty stdin for git.
pub(crate) fn stdin() -> Stdio {
    let at_work = AT_WORK.lock().unwrap_or_else(PoisonError::into_inner);
    let copy = at_work.as_ref().and_then(|file| file.try_clone().ok());
    copy.map_or_else(Stdio::null, Stdio::from)
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).open(path);
    opened.with_context(|| format!("opening {}", path.display()))
}

/// Returns whether the lock is ours now.
fn try_lock(file: &File) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).context("locking the repository"),
    }
}
