//! One helper at a time changes a repository.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use pw_core::failure::{Code, Failure};

/// Held while a helper changes the repository; the kernel releases it when the process ends,
/// however it ends, and children do not inherit it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes `<common>/pw/lock`, or refuses with `locked` and what its holder wrote there.
    pub fn take(common: &Path, command: &str, now: &str) -> Result<Self> {
        let folder = common.join("pw");
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let path = folder.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("opening {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).ok();
                let holder = holder.trim();
                let message = format!("another helper is changing this repository: {holder}");
                return Err(Failure::new(Code::Locked, message)
                    .hint("run the command again when it is done")
                    .details(
                        [("holder", holder)]
                            .into_iter()
                            .collect::<std::collections::BTreeMap<_, _>>(),
                    )
                    .into());
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{command} (process {}) since {now}", std::process::id())?;
        Ok(Self { _file: file })
    }
}
