//! Where a session was started: a process id means nothing on another machine, after a restart, or
//! from one container in another.

use std::fmt;

/// A kernel and the process ids that are seen there. What a system does not tell is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PidDomain {
    /// The kernel's name, `linux` for example.
    pub system: String,
    /// Another one after each start of the kernel; all containers of a machine share it.
    pub boot: String,
    /// The namespace of the process ids.
    pub space: String,
    /// The id a Linux system was given when it was installed; images of containers share it.
    pub machine: String,
    /// The host's name; a container has its own.
    pub host: String,
}

/// How much of a process in one pid domain is seen from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Its id means the same.
    Process,
    /// Only what the kernel knows: whether it holds a lock.
    Locks,
    /// It ended with the kernel it ran on.
    Gone,
    /// Nothing can be told.
    Nothing,
}

impl PidDomain {
    /// Reads what [`fmt::Display`] writes, among other lines; nothing of a note without any.
    pub fn parse(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
        };
        let of = |name: &str| value(name).unwrap_or_default();
        let [boot, space, machine, host] = ["boot", "space", "machine", "host"].map(of);
        Some(Self { system: value("system")?, boot, space, machine, host })
    }

    /// Returns what of a process here is seen from there.
    pub fn seen_from(&self, there: &Self) -> Visibility {
        let is_same = |of: fn(&Self) -> &String| of(self) == of(there);
        match is_same(|d| &d.system) {
            false => Visibility::Nothing,
            true if is_same(|d| &d.boot) && is_same(|d| &d.space) => Visibility::Process,
            true if is_same(|d| &d.boot) => Visibility::Locks,
            // Images of containers share the id of a machine; with their names, too, it is one.
            true if is_same(|d| &d.machine) && is_same(|d| &d.host) => Visibility::Gone,
            true => Visibility::Nothing,
        }
    }
}

impl fmt::Display for PidDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { system, boot, space, machine, host } = self;
        writeln!(f, "system={system}\nboot={boot}\nspace={space}\nmachine={machine}\nhost={host}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_of_a_process_depends_on_where_it_was_started() {
        let domain = |text: &str| {
            let [system, boot, space, machine, host] =
                text.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let own = |text: &str| text.trim_matches('-').to_owned();
            PidDomain {
                system: own(system),
                boot: own(boot),
                space: own(space),
                machine: own(machine),
                host: own(host),
            }
        };
        let here = domain("linux b1 s1 m1 h1");
        for (there, sight) in [
            ("linux b1 s1 m1 h1", Visibility::Process),
            ("linux b1 s2 m1 h1", Visibility::Locks),
            ("linux b1 s2 m2 h2", Visibility::Locks),
            ("linux b2 s1 m1 h1", Visibility::Gone),
            ("linux b2 s2 m1 h1", Visibility::Gone),
            ("linux b2 s1 m1 h2", Visibility::Nothing),
            ("linux b2 s1 m2 h1", Visibility::Nothing),
            ("macos - - - -", Visibility::Nothing),
        ] {
            assert_eq!(domain(there).seen_from(&here), sight, "{there}");
            assert_eq!(here.seen_from(&domain(there)), sight, "{there}");
        }
        // A system that tells nothing has one kernel, and no containers.
        let mac = domain("macos - - - -");
        assert_eq!(mac.seen_from(&mac), Visibility::Process);
        let note = format!("12 Sun Nov  2 11:06:25 2025\n{here}");
        assert_eq!(PidDomain::parse(&note), Some(here));
        assert_eq!(PidDomain::parse("12 Sun Nov  2 11:06:25 2025\n"), None);
    }
}
