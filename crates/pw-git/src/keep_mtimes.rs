//! Keeps the times of the repository's objects as they are while git tries something out.
//!
//! An object that git is about to write and finds in the repository gets a new time instead, be it
//! behind an alternate; no setting prevents that. So the kernel does: git goes on as if the object
//! were not there, and writes it where the trial's objects go. Where there is no seccomp, as on
//! macOS, times may change; nothing else does.

use std::io;
use std::process::{Child, Command};

/// Starts a program that can change the times of no file, nor can what it starts.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    // A filter is a thread's own, and its children's: this thread ends here.
    std::thread::scope(|scope| {
        let child = scope.spawn(|| {
            filter::apply();
            command.spawn()
        });
        child.join().map_err(|_| io::Error::other("starting a program panicked"))?
    })
}

#[cfg(target_os = "linux")]
mod filter {
    use std::collections::BTreeMap;
    use std::sync::OnceLock;

    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    #[cfg(target_arch = "x86_64")]
    const CALLS: &[i64] =
        &[libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat, libc::SYS_utimensat];
    #[cfg(not(target_arch = "x86_64"))]
    const CALLS: &[i64] = &[libc::SYS_utimensat];

    static PROGRAM: OnceLock<Option<BpfProgram>> = OnceLock::new();

    /// Applies the filter to this thread, if the kernel has such a thing.
    pub(super) fn apply() {
        if let Some(program) = PROGRAM.get_or_init(program) {
            let _ = seccompiler::apply_filter(program);
        }
    }

    fn program() -> Option<BpfProgram> {
        let refused: BTreeMap<i64, _> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
        let refusal = SeccompAction::Errno(u32::try_from(libc::EPERM).ok()?);
        let machine = std::env::consts::ARCH.try_into().ok()?;
        let filter = SeccompFilter::new(refused, SeccompAction::Allow, refusal, machine);
        filter.ok()?.try_into().ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod filter {
    pub(super) fn apply() {}
}
