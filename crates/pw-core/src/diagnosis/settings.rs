//! Settings of git that are harmless in one checkout and not with many workers. What changes our
//! own commands is not among them: we start git so that none does.

use super::{About, Diagnosis, Level};
use crate::next::CommandLine;

/// One setting as git lists it: its name, its section and key in lower case, and its value.
pub type Setting = (String, String);

/// What makes a setting risky, and what helps.
struct Risk {
    /// As git lists names. A `*` stands for the name of a remote.
    name: &'static str,
    is_risky: fn(&str) -> bool,
    level: Level,
    /// What it leads to.
    message: &'static str,
    /// A value without that.
    instead: Option<&'static str>,
}

const RISKS: &[Risk] = &[
    Risk {
        name: "core.commentchar",
        is_risky: |value| value.starts_with('['),
        level: Level::Warning,
        message: "a signal that is written in an editor is taken for a comment",
        instead: Some("#"),
    },
    Risk {
        name: "core.commentstring",
        is_risky: |value| value.starts_with('['),
        level: Level::Warning,
        message: "a signal that is written in an editor is taken for a comment",
        instead: Some("#"),
    },
    Risk {
        name: "core.ignorestat",
        is_risky: is_on,
        level: Level::Warning,
        message: "git overlooks changes of files that it wrote itself, as after a session's own git restore",
        instead: Some("false"),
    },
    Risk {
        name: "gc.pruneexpire",
        is_risky: is_soon,
        level: Level::Problem,
        message: "git gc removes objects that another worker's commit is being made of",
        instead: Some("2.weeks.ago"),
    },
    Risk {
        name: "gc.worktreepruneexpire",
        is_risky: is_soon,
        level: Level::Note,
        message: "a worktree that is unlocked and away for a moment is forgotten by git gc",
        instead: Some("3.months.ago"),
    },
    Risk {
        name: "merge.ff",
        is_risky: |value| value == "only",
        level: Level::Note,
        message: "a worker's own git merge is refused; pw-worker sync is not",
        instead: Some("true"),
    },
    Risk {
        name: "merge.autostash",
        is_risky: is_on,
        level: Level::Note,
        message: "what cannot be put back after a merge lands in the one stash of all worktrees",
        instead: Some("false"),
    },
    Risk {
        name: "rebase.autostash",
        is_risky: is_on,
        level: Level::Note,
        message: "what cannot be put back after a rebase lands in the one stash of all worktrees",
        instead: Some("false"),
    },
    Risk {
        name: "pull.rebase",
        is_risky: |value| !is_off(value),
        level: Level::Note,
        message: "a worker that pulls rewrites commits which others may have taken in; pw-worker sync does not",
        instead: Some("false"),
    },
    Risk {
        name: "rerere.enabled",
        is_risky: is_on,
        level: Level::Note,
        message: "all worktrees share what git remembers of conflicts: a wrong resolution comes back in each",
        instead: Some("false"),
    },
    Risk {
        name: "rerere.autoupdate",
        is_risky: is_on,
        level: Level::Warning,
        message: "a remembered resolution is staged unseen in a worker's merge",
        instead: Some("false"),
    },
    Risk {
        name: "core.fsmonitor",
        is_risky: |value| !is_off(value),
        level: Level::Note,
        message: "git keeps one more watching process for each worktree; the helpers do without",
        instead: Some("false"),
    },
    Risk {
        name: "commit.gpgsign",
        is_risky: is_on,
        level: Level::Note,
        message: "a worker cannot answer a signer that asks for a passphrase; sign something first, so that its agent knows it",
        instead: None,
    },
    Risk {
        name: "status.showuntrackedfiles",
        is_risky: |value| value == "no" || is_off(value),
        level: Level::Note,
        message: "a worker's git status shows no new files; pw-worker checkpoint takes them",
        instead: Some("normal"),
    },
    Risk {
        name: "hook.pre-commit.enabled",
        is_risky: is_off,
        level: Level::Problem,
        message: "since 2.55 git leaves out the hook that keeps commits inside the scopes",
        instead: Some("true"),
    },
    Risk {
        name: "hook.commit-msg.enabled",
        is_risky: is_off,
        level: Level::Problem,
        message: "since 2.55 git leaves out the hook that keeps signals true",
        instead: Some("true"),
    },
    Risk {
        name: "hook.reference-transaction.enabled",
        is_risky: is_off,
        level: Level::Problem,
        message: "since 2.55 git leaves out the hook that keeps sessions off others' branches",
        instead: Some("true"),
    },
    Risk {
        name: "remote.*.mirror",
        is_risky: is_on,
        level: Level::Warning,
        message: "git push takes refs/pw along, with snapshots of ignored files such as .env",
        instead: Some("false"),
    },
    Risk {
        name: "remote.*.fetch",
        is_risky: reaches_ours,
        level: Level::Problem,
        message: "git fetch --prune deletes refs/pw, the records of all workflows",
        instead: Some("+refs/heads/*:refs/remotes/origin/*"),
    },
];

/// Judges the user's settings; the last value of a name counts.
pub fn settings(settings: &[Setting]) -> Vec<Diagnosis> {
    let found: Vec<Diagnosis> = RISKS.iter().flat_map(|risk| risk.found(settings)).collect();
    match found.is_empty() {
        true => vec![About::Settings.ok("no setting of git's is risky with many worktrees")],
        false => found,
    }
}

/// Returns whether the user wants every commit signed.
pub fn signs_commits(settings: &[Setting]) -> bool {
    let mut backwards = settings.iter().rev();
    backwards.find(|(name, _)| name == "commit.gpgsign").is_some_and(|(_, value)| is_on(value))
}

impl Risk {
    fn found(&self, settings: &[Setting]) -> Vec<Diagnosis> {
        let mut names: Vec<&String> = settings
            .iter()
            .map(|(name, _)| name)
            .filter(|name| is_called(name, self.name))
            .collect();
        names.sort();
        names.dedup();
        let of = |name: &&String| {
            let value = settings.iter().rev().find(|(known, _)| known == *name)?.1.as_str();
            (self.is_risky)(value).then(|| self.diagnosis(name, value))
        };
        names.iter().filter_map(of).collect()
    }

    fn diagnosis(&self, name: &str, value: &str) -> Diagnosis {
        let diagnosis = About::Settings.is(self.level, format!("{name}={value}: {}", self.message));
        let Some(instead) = self.instead else { return diagnosis };
        let remote = name.strip_prefix("remote.").and_then(|name| name.rsplit_once('.'));
        let instead =
            remote.map_or(instead.to_owned(), |(remote, _)| instead.replace("origin", remote));
        diagnosis.command(CommandLine::of("git config").word(name).word(instead))
    }
}

/// Returns whether a name is meant; of a remote, whatever it is called.
fn is_called(name: &str, meant: &str) -> bool {
    match meant.split_once('*') {
        Some((before, after)) => {
            name.len() > before.len() + after.len()
                && name.starts_with(before)
                && name.ends_with(after)
        }
        None => name == meant,
    }
}

/// Returns whether git reads a value as true. Of a name without a value, git lists none.
fn is_on(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    ["", "true", "yes", "on"].contains(&value.as_str())
        || value.parse::<i64>().is_ok_and(|number| number != 0)
}

pub(crate) fn is_off(value: &str) -> bool {
    ["false", "no", "off", "0"].contains(&value.to_ascii_lowercase().as_str())
}

/// Returns whether git's expiry is less than a day ago; `never` and dates are not.
fn is_soon(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let unit = |unit: &str| value.contains(unit);
    value == "now" || value == "all" || unit("second") || unit("minute") || unit("hour")
}

/// Returns whether a refspec of `fetch` writes to, and so prunes, refs that are ours.
fn reaches_ours(value: &str) -> bool {
    let to = value.split_once(':').map_or("", |(_, to)| to);
    let prefix = to.strip_suffix('*').unwrap_or(to);
    to.ends_with('*') && ("refs/pw/".starts_with(prefix) || prefix.starts_with("refs/pw/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn risky(name: &str, value: &str) -> Vec<Diagnosis> {
        let mut found = settings(&[(name.to_owned(), value.to_owned())]);
        found.retain(|diagnosis| diagnosis.level > Level::Ok);
        found
    }

    #[test]
    fn each_risky_value_is_named_and_each_harmless_one_is_not() {
        for (name, bad, good) in [
            ("core.commentchar", &["["][..], &["#", "auto", ";"][..]),
            ("core.commentstring", &["[x"], &["//"]),
            ("core.ignorestat", &["true"], &["false"]),
            ("gc.pruneexpire", &["now", "1.hour.ago", "5.minutes"], &["2.weeks.ago", "never"]),
            ("gc.worktreepruneexpire", &["now"], &["3.months.ago"]),
            ("merge.ff", &["only"], &["true", "false"]),
            ("merge.autostash", &["true", "1", "yes", ""], &["false", "0", "no", "off"]),
            ("rebase.autostash", &["ON"], &["OFF"]),
            ("pull.rebase", &["true", "merges", "interactive"], &["false"]),
            ("rerere.enabled", &["true"], &["false"]),
            ("rerere.autoupdate", &["true"], &["false"]),
            ("core.fsmonitor", &["true", ".git/hooks/watchman"], &["false"]),
            ("commit.gpgsign", &["true"], &["false"]),
            ("status.showuntrackedfiles", &["no", "false"], &["all", "normal"]),
            ("remote.origin.mirror", &["true"], &["false"]),
            (
                "remote.a.b.fetch",
                &["+refs/*:refs/*", "+refs/pw/*:refs/pw/*", "+*:*"],
                &["+refs/heads/*:refs/remotes/a.b/*", "refs/heads/main:refs/heads/main"],
            ),
            ("hook.pre-commit.enabled", &["false", "no"], &["true"]),
            ("hook.commit-msg.enabled", &["0"], &["1"]),
            ("hook.reference-transaction.enabled", &["off"], &["on"]),
            ("user.name", &[], &["Ada"]),
        ] {
            for value in bad {
                let found = risky(name, value);
                assert_eq!(found.len(), 1, "{name}={value}: {found:?}");
                let Some(command) = &found[0].command else { continue };
                // What is proposed is not risky itself.
                let proposed = command.rsplit_once(' ').unwrap().1.trim_matches('\'');
                assert_eq!(risky(name, proposed), [], "{command}");
            }
            for value in good {
                assert_eq!(risky(name, value), [], "{name}={value}");
            }
        }
    }

    #[test]
    fn the_last_value_counts_and_remotes_keep_their_names() {
        let of = |list: &[(&str, &str)]| {
            let list: Vec<Setting> =
                list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            settings(&list)
        };
        assert_eq!(of(&[("merge.ff", "only"), ("merge.ff", "true")])[0].level, Level::Ok);
        let mirror = of(&[("remote.my fork.fetch", "+refs/*:refs/*")]);
        let expected = "git config 'remote.my fork.fetch' '+refs/heads/*:refs/remotes/my fork/*'";
        assert_eq!(mirror[0].command.as_deref(), Some(expected));
    }
}
