//! Gates: the commands of the plan that say whether a tree is good, and how they ended.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::GateName;
use crate::time::Seconds;

/// What the only gate of a plan is called, and that of `--verify`.
pub const ONLY: &str = "verify";
/// How long a gate may run when the plan does not say.
pub const DEFAULT_TIMEOUT: Seconds = 60 * 60;
/// How long a plan may let it run.
pub const MAX_TIMEOUT: Seconds = 24 * 60 * 60;

/// One command that says whether a tree is good: it is when it exits with 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::report::requires_nothing)]
pub struct Gate {
    /// Unique in the plan; in answers and log files.
    pub name: GateName,
    /// A shell command.
    pub command: String,
    /// How long it may run; afterwards everything it started is ended, and it has failed.
    pub timeout_seconds: Seconds,
}

impl Gate {
    /// Returns a gate of this command alone.
    pub fn only(command: impl Into<String>) -> Option<Self> {
        let name = ONLY.parse().ok()?;
        Some(Self { name, command: command.into(), timeout_seconds: DEFAULT_TIMEOUT })
    }
}

/// Returns whether a command is more than blanks and comments.
pub fn does_something(command: &str) -> bool {
    command.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#'))
}

/// When gates run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateMode {
    /// Once, on the result of all merges; when that is red, on parts of it, to find out why.
    #[default]
    Final,
    /// After every merge.
    Each,
    /// Never: the user decided to do without.
    None,
}

impl GateMode {
    /// Returns the word of the record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::Each => "each",
            Self::None => "none",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Final, Self::Each, Self::None].into_iter().find(|mode| mode.word() == word)
    }
}

/// How a gate's command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It ended by itself, with this code.
    Exit(i32),
    /// A signal ended it.
    Signal,
    /// It ran longer than it may.
    Timeout,
}

impl End {
    /// Whether the gate says yes: exit code 0.
    pub fn passed(self) -> bool {
        self == Self::Exit(0)
    }

    /// Returns the exit code; `None` when it did not exit by itself.
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Exit(code) => Some(code),
            Self::Signal | Self::Timeout => None,
        }
    }

    /// Whether it was ended for taking too long.
    pub fn timed_out(self) -> bool {
        self == Self::Timeout
    }

    /// Returns what to say of a command that ended like this.
    pub fn words(self) -> String {
        match self {
            Self::Exit(0) => "passed".to_owned(),
            Self::Exit(code) => format!("failed with exit code {code}"),
            Self::Signal => "was ended by a signal".to_owned(),
            Self::Timeout => "took longer than it may".to_owned(),
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "signal" => Some(Self::Signal),
            "timeout" => Some(Self::Timeout),
            _ => word.strip_prefix("exit=")?.parse().ok().map(Self::Exit),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit={code}"),
            Self::Signal => f.write_str("signal"),
            Self::Timeout => f.write_str("timeout"),
        }
    }
}

/// Returns whether a line of a test's output begins to say what is wrong, as compilers and the
/// runners of tests in common languages do.
pub fn says_what_is_wrong(line: &str) -> bool {
    const BEGINNINGS: [&str; 12] = [
        "error", "Error", "ERROR", "FAIL", "FAILED", "not ok ", "--- FAIL", "E   ", "● ", "✗ ",
        "✕ ", "panic: ",
    ];
    const WITHIN: [&str; 9] = [
        ": error",
        " error: ",
        " error TS",
        "Error: ",
        "panicked at",
        "Traceback (most recent call last)",
        "... FAILED",
        "*** [",
        "Segmentation fault",
    ];
    let line = line.trim_start();
    // `errors: 0` and `error_handling` begin with other words.
    let is_word = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let begins = |word: &&str| {
        line.strip_prefix(*word).is_some_and(|rest| word.ends_with(' ') || is_word(rest))
    };
    BEGINNINGS.iter().any(begins) || WITHIN.iter().any(|words| line.contains(words))
}

/// What a gate said about a tree so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How its newest run ended.
    pub end: End,
    /// How long that took.
    pub seconds: Seconds,
    /// How often it failed.
    pub failures: u32,
}

impl Verdict {
    /// Returns the verdict after one more run.
    pub fn after(before: Option<Self>, end: End, seconds: Seconds) -> Self {
        let failures = before.map_or(0, |before| before.failures) + u32::from(!end.passed());
        Self { end, seconds, failures }
    }

    /// Whether it passed when it ran last.
    pub fn passed(self) -> bool {
        self.end.passed()
    }

    /// Whether it passed only after it had failed on the same tree.
    pub fn is_flaky(self) -> bool {
        self.passed() && self.failures > 0
    }

    /// Whether it failed twice on the same tree.
    pub fn is_confirmed(self) -> bool {
        !self.passed() && self.failures > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_of_common_languages_say_what_is_wrong() {
        for line in [
            "error[E0308]: mismatched types",
            "error: test failed, to rerun pass `--lib`",
            "test users::are_listed ... FAILED",
            "thread 'main' panicked at src/lib.rs:1:2:",
            "E   AssertionError: assert 1 == 2",
            "FAILED tests/test_a.py::test_b - assert 1 == 2",
            "FAIL: test_b (tests.A)",
            "Traceback (most recent call last):",
            "--- FAIL: TestUsers (0.00s)",
            "    --- FAIL: TestUsers/empty (0.00s)",
            "panic: runtime error: index out of range",
            " FAIL  src/users.test.ts",
            "  ● users › are listed",
            "not ok 3 - users are listed",
            "src/a.ts(1,2): error TS2304: Cannot find name 'x'.",
            "main.c:3:5: error: expected ';'",
            "TypeError: x is not a function",
            "make: *** [Makefile:2: test] Error 1",
        ] {
            assert!(says_what_is_wrong(line), "{line}");
        }
        for line in [
            "test error_handling ... ok",
            "errors: 0",
            "test result: ok. 3 passed; 0 failed; 0 ignored",
            "tests/test_errors.py ..... [ 50%]",
            "PASS src/error.test.ts",
            "ok 3 - not empty",
            "Compiling thiserror v1.0.0",
        ] {
            assert!(!says_what_is_wrong(line), "{line}");
        }
    }

    #[test]
    fn the_newest_run_decides_and_failures_before_it_are_not_forgotten() {
        let run = |before, code| Some(Verdict::after(before, End::Exit(code), 1));
        let red = run(None, 1);
        assert!(!red.unwrap().is_confirmed());
        assert!(run(red, 1).unwrap().is_confirmed());
        assert!(run(red, 0).unwrap().is_flaky());
        assert!(!run(None, 0).unwrap().is_flaky());
    }
}
