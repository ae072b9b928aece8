//! The queue of heavy commands: as many at once in a repository as the plan says, since many builds at once
//! on one machine are slower than one after the other.
//!
//! Each place in it is a file with a lock of the kernel's, which ends with the process that has it, however
//! that ends. Waiting is blocking on all of them at once: a process asks for none of them twice.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use pw_core::lock::Holder;

/// What a heavy command finds in its environment: what it starts is part of it, and does not queue.
pub(crate) const WITHIN: (&str, &str) = ("PW_HEAVY", "1");

/// How many cores one heavy command is taken to keep busy, where the plan does not say how many may run.
const CORES: usize = 4;

/// How long gates of an integration wait: a worker's server under `pw-worker run` may never end, and a
/// verdict beside it is as true.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A place in the queue, held until it is dropped.
pub(crate) struct Slot {
    /// From 1; 0 for what runs within another heavy command, or did not wait any longer.
    pub(crate) number: usize,
    _file: Option<File>,
}

/// Waits for one of so many places, at most for `patience` where there is one. `who` says what for, to those that
/// wait behind; `say` gets a line when none is free.
pub(crate) fn take(
    common: &Path,
    places: Option<u16>,
    patience: Option<Duration>,
    who: &Holder,
    say: &dyn Fn(&str),
) -> Result<Slot> {
    if std::env::var_os(WITHIN.0).is_some_and(|value| value == WITHIN.1) {
        return Ok(Slot { number: 0, _file: None });
    }
    let folder = common.join("pw").join("heavy");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let files: Result<Vec<File>> = (1..=places.map_or_else(by_cores, usize::from))
        .map(|nth| open(&folder.join(nth.to_string())))
        .collect();
    let mut files = files?;
    let free = files.iter().map(File::try_lock).position(|tried| tried.is_ok());
    let (number, mut file) = match free {
        Some(at) => (at, files.swap_remove(at)),
        None => {
            say(&format!("waiting for a place in the queue of heavy commands: {}", held(&files)));
            match first_free(files, patience)? {
                Some(taken) => taken,
                None => return Ok(Slot { number: 0, _file: None }),
            }
        }
    };
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{who}")?;
    Ok(Slot { number: number + 1, _file: Some(file) })
}

fn by_cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / CORES).max(1))
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).open(path);
    opened.with_context(|| format!("opening {}", path.display()))
}

/// Returns what holds the places, in one line.
fn held(files: &[File]) -> String {
    let line = |mut file: &File| {
        let mut text = String::new();
        file.read_to_string(&mut text).ok();
        Holder::parse(&text).holder
    };
    files.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// Blocks until one of the files is locked, or the time is up.
fn first_free(files: Vec<File>, patience: Option<Duration>) -> Result<Option<(usize, File)>> {
    let (sender, receiver) = mpsc::channel();
    for (at, file) in files.into_iter().enumerate() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let locked = loop {
                match file.lock() {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    done => break done.map(|()| file),
                }
            };
            // A place that comes free after another was taken is given back: nothing receives it, and
            // the file is closed.
            let _ = sender.send((at, locked));
        });
    }
    let received = match patience {
        Some(patience) => receiver.recv_timeout(patience),
        None => receiver.recv().map_err(Into::into),
    };
    let (at, locked) = match received {
        Err(mpsc::RecvTimeoutError::Timeout) => return Ok(None),
        received => received.context("waiting for a place in the queue")?,
    };
    Ok(Some((at, locked.context("locking a place in the queue")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_long_enough_goes_on_without_a_place() {
        let folder = tempfile::tempdir().unwrap();
        let who = Holder::new("a gate", 1, "2026-01-01T00:00:00Z");
        let take = || take(folder.path(), Some(1), Some(Duration::ZERO), &who, &|_| {}).unwrap();
        let first = take();
        assert_eq!((first.number, take().number), (1, 0));
        drop(first);
        assert_eq!(take().number, 1);
    }
}
