//! Whether a process is still the one that was noted: its id comes back, its start does not.

use std::collections::HashMap;

use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};

use crate::time::Seconds;

/// How far apart one start can be computed; the system does it anew on each question, and its clock
/// may have been set.
const TOLERANCE: i64 = 2;

/// A process that was noted: its id, and when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id, which another process may have after it ended.
    pub pid: u32,
    began: Began,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Began {
    At(DateTime),
    /// At this time it was running.
    By(DateTime),
    Unknown,
}

impl Process {
    /// Reads `<pid> <start time>` from the first line, the time as `ps -o lstart=` prints it.
    pub fn parse(text: &str) -> Option<Self> {
        let line = text.lines().next()?.trim();
        let (pid, began) = line.split_once(' ').unwrap_or((line, ""));
        let began = start_time(began).map_or(Began::Unknown, Began::At);
        Some(Self { pid: pid.parse().ok()?, began })
    }

    /// Returns a process of which only the id is known.
    pub fn undated(pid: u32) -> Self {
        Self { pid, began: Began::Unknown }
    }

    /// Returns the process that had this id at that time.
    pub fn running_at(pid: u32, at: Seconds) -> Self {
        let time = Timestamp::from_second(at).map(|at| TimeZone::UTC.to_datetime(at));
        Self { pid, began: time.map_or(Began::Unknown, Began::By) }
    }
}

/// The processes there are, as `ps -o pid= -o stat= -o lstart=` lists them.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    /// `None` when the system could not be asked.
    known: Option<HashMap<u32, (bool, Option<DateTime>)>>,
}

impl Processes {
    /// Reads the list; one without `witness`, who is alive for certain, tells nothing.
    pub fn parse(text: &str, witness: u32) -> Self {
        let read = |line: &str| {
            let mut words = line.split_whitespace();
            let (pid, state) = (words.next()?.parse().ok()?, words.next()?);
            // Ended, and only its parent has not asked yet.
            let runs = !state.starts_with('Z');
            Some((pid, (runs, start_time(&words.collect::<Vec<_>>().join(" ")))))
        };
        let known: HashMap<_, _> = text.lines().filter_map(read).collect();
        Self { known: known.contains_key(&witness).then_some(known) }
    }

    /// Returns whether the process that has this id now is the one that was noted; `None` when that
    /// cannot be told.
    pub fn is_alive(&self, process: &Process) -> Option<bool> {
        let Some((runs, start)) = self.known.as_ref()?.get(&process.pid) else {
            return Some(false);
        };
        if !runs {
            return Some(false);
        }
        let later = |noted: &DateTime| Some(start.as_ref()?.duration_since(*noted).as_secs());
        match &process.began {
            Began::At(noted) => Some(later(noted)?.abs() <= TOLERANCE),
            Began::By(noted) => Some(later(noted)? <= TOLERANCE),
            Began::Unknown => None,
        }
    }
}

fn start_time(text: &str) -> Option<DateTime> {
    let words: Vec<&str> = text.split_whitespace().collect();
    DateTime::strptime("%a %b %d %H:%M:%S %Y", words.join(" ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Processes {
        Processes::parse(&format!("1 Ss\n{text}"), 1)
    }

    #[test]
    fn a_process_is_the_same_only_when_it_began_at_the_same_time() {
        let process = Process::parse("123 Sun Nov  2 11:06:25 2025\n").unwrap();
        assert_eq!(process.pid, 123);
        let alive = |text: &str| list(text).is_alive(&process);
        assert_eq!(alive("  123 Ss+  Sun Nov  2 11:06:26 2025\n"), Some(true));
        assert_eq!(alive("123 S    Sun Nov  2 11:07:25 2025\n"), Some(false));
        assert_eq!(alive("123 Z    Sun Nov  2 11:06:25 2025\n"), Some(false));
        assert_eq!(alive("124 S    Sun Nov  2 11:06:25 2025\n"), Some(false));
        assert_eq!(alive("123 S yesterday"), None);
        assert_eq!(Processes::default().is_alive(&process), None);
        assert_eq!(Processes::parse("124 S yesterday", 1).is_alive(&process), None);
        let undated = Process::parse("123").unwrap();
        let now = list("123 S Sun Nov  2 11:06:26 2025");
        assert_eq!(now.is_alive(&undated), None);
        assert_eq!(Process::parse("nonsense"), None);
    }

    #[test]
    fn who_has_the_id_since_before_is_the_one_that_had_it_then() {
        // 2025-11-02 11:06:30 UTC
        let session = Process::running_at(123, 1_762_081_590);
        let alive = |text: &str| list(text).is_alive(&session);
        assert_eq!(alive("123 S Sun Nov  2 11:06:25 2025"), Some(true));
        assert_eq!(alive("123 S Sat Nov  1 11:06:25 2025"), Some(true));
        assert_eq!(alive("123 S Sun Nov  2 11:07:00 2025"), Some(false));
    }
}
