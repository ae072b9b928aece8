//! Programs other than git.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use pw_core::prompt::NESTED;

/// Returns a program about to be started, without what git hooks and the client tell their own.
#[expect(clippy::disallowed_methods, reason = "the one place that starts programs other than git")]
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("GIT_") || NESTED.contains(&&*text) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}
