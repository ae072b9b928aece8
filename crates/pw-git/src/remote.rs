//! A git remote: what it has, taking it, giving to it. In bounded time, and never by force: what is
//! there changes only if it is what was seen there.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use pw_core::branch::Branch;
use pw_core::channel::tracking;
use pw_core::details::RemoteSaid;
use pw_core::failure::{Code, Failure};
use pw_core::id::Oid;
use pw_core::lock;
use pw_core::remote::{Pushed, RefChange, RemoteTrouble};
use pw_core::text::bounded;

use crate::Repo;
use crate::process::{Call, Output};
use crate::refs::parse_refs;

/// How much of what a remote said is repeated, in characters.
const MAX_SAID: usize = 2000;

/// What every push is told: settings of the user's for pushes by hand would send other refs, too.
const PUSH: [&str; 3] = ["push", "--porcelain", "--no-follow-tags"];

/// A remote of the user's, by the name or address that a plan has.
#[derive(Clone, Debug)]
pub struct Remote {
    /// As git knows it.
    pub name: String,
    /// How long one question to it may take.
    pub limit: Duration,
}

/// A remote that did not do what was asked.
#[derive(Clone, Debug)]
pub struct RemoteError {
    /// Its name.
    pub remote: String,
    /// Why.
    pub trouble: RemoteTrouble,
    /// What git and the remote said.
    pub said: String,
}

impl RemoteError {
    /// Returns one sentence.
    pub fn sentence(&self) -> String {
        let Self { remote, trouble, said } = self;
        let line = said.lines().find(|line| !line.trim().is_empty());
        let line = line.map(|line| format!(": {}", line.trim())).unwrap_or_default();
        format!("{remote} {}{line}", trouble.words())
    }
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        let hint = match error.trouble {
            RemoteTrouble::TimedOut => {
                "once it answers, run the same command again; `remote_limit` in the plan gives it more time"
            }
            RemoteTrouble::Locked => {
                "nothing was changed: run the same command again; where it stays so while no git is at work there, the user removes that file"
            }
            _ => {
                "nothing was changed: once it answers, run the same command again; or take `remote` out of the plan and create again, to go on with this clone alone"
            }
        };
        let details = RemoteSaid { said: error.said.clone(), trouble: Some(error.trouble) };
        Self::new(Code::RemoteFailed, error.sentence()).hint(hint).details(details)
    }
}

/// What a question to a remote came to: its answer, or why there is none.
pub type Asked<T> = Result<T, RemoteError>;

impl Repo {
    /// Lets a partial clone ask its remote for content that it lacks.
    pub fn fetch_what_lacks(&mut self) {
        self.git = self.git.fetching();
    }

    /// Returns the refs of a remote whose names begin with one of these.
    pub fn remote_refs(
        &self,
        remote: &Remote,
        prefixes: &[String],
    ) -> Result<Asked<BTreeMap<String, Oid>>> {
        let patterns = prefixes.iter().map(|prefix| match prefix.ends_with('/') {
            true => format!("{prefix}*"),
            false => prefix.clone(),
        });
        let words = ["ls-remote", "--quiet", "--end-of-options", &remote.name].map(str::to_owned);
        let call = self.asking(words.into_iter().chain(patterns));
        let output = call.bounded(remote.limit).any_code().run()?;
        if let Some(error) = failed(remote, &output) {
            return Ok(Err(error));
        }
        // Git matches the end of names, too.
        let is_asked = |name: &String| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let lines = String::from_utf8_lossy(&output.stdout).replace('\t', " ");
        let mut refs = parse_refs(lines.as_bytes())?;
        refs.retain(|name, _| is_asked(name));
        Ok(Ok(refs))
    }

    /// Fetches refs of a remote into refs of ours, each given by both names. Ours follow wherever
    /// the remote's went, so they must be refs that no one works on.
    pub fn fetch_refs(&self, remote: &Remote, refs: &[(String, String)]) -> Result<Asked<()>> {
        if refs.is_empty() {
            return Ok(Ok(()));
        }
        let words = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--no-prune",
            "--refmap=",
            "--end-of-options",
            &remote.name,
        ];
        let refspecs = refs.iter().map(|(theirs, ours)| format!("+{theirs}:{ours}"));
        let words = words.map(str::to_owned).into_iter().chain(refspecs);
        let output = self.asking(words).bounded(remote.limit).any_code().run()?;
        Ok(failed(remote, &output).map_or(Ok(()), Err))
    }

    /// Changes refs of a remote, all together or none, each only if it is there what was seen.
    pub fn push_refs(&self, remote: &Remote, changes: &[RefChange]) -> Result<Asked<()>> {
        if changes.is_empty() {
            return Ok(Ok(()));
        }
        // The user's own hook looks at what they push: workers' branches.
        let options = ["--atomic", "--no-verify", "--recurse-submodules=no"];
        let mut words: Vec<String> = PUSH.into_iter().chain(options).map(str::to_owned).collect();
        let text = |oid: &Option<Oid>| oid.as_ref().map(ToString::to_string).unwrap_or_default();
        words.extend(
            changes.iter().map(|RefChange { name, old, .. }| {
                format!("--force-with-lease={name}:{}", text(old))
            }),
        );
        words.extend(["--end-of-options".to_owned(), remote.name.clone()]);
        words.extend(
            changes.iter().map(|RefChange { name, new, .. }| format!("{}:{name}", text(new))),
        );
        let output = self.asking(words).bounded(remote.limit).any_code().run()?;
        if let Some(error) = failed(remote, &output) {
            return Ok(Err(error));
        }
        // The last line of `--porcelain`: without it, git did not get to the remote's answer.
        if !String::from_utf8_lossy(&output.stdout).lines().any(|line| line == "Done") {
            let said = "git push did not say that it is done".to_owned();
            let trouble = RemoteTrouble::Unreachable;
            return Ok(Err(RemoteError { remote: remote.name.clone(), trouble, said }));
        }
        self.note_seen(
            changes.iter().map(|RefChange { name, new, .. }| (name.as_str(), new.as_ref())),
        );
        Ok(Ok(()))
    }

    /// Notes where refs of the remote are now, without another question to it. Where that fails,
    /// the next fetch tells.
    fn note_seen<'a>(&self, refs: impl Iterator<Item = (&'a str, Option<&'a Oid>)>) {
        let line = |(name, new): (&str, Option<&Oid>)| match new {
            Some(new) => format!("update {}\0{new}\0\0", tracking(name)),
            None => format!("delete {}\0\0", tracking(name)),
        };
        let input: String = refs.map(line).collect();
        let _ = self.git.plumbing(["update-ref", "--stdin", "-z"]).input(input).any_code().run();
    }

    /// Pushes a branch, past the user's own hooks, and only forward.
    pub fn push_branch(&self, worktree: &Path, remote: &Remote, branch: &Branch) -> Result<Pushed> {
        let name = branch.full();
        // Whatever is committed meanwhile, the remote has at least this.
        let tip = self.refs(&[&name])?.remove(&name);
        let refspec = format!("{name}:{name}");
        let words = PUSH.into_iter().chain(["--end-of-options", &remote.name, &refspec]);
        let output = self.git.at(worktree).fetching().user(words).bounded(remote.limit);
        let output = output.any_code().run()?;
        let error = failed(remote, &output);
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        if let Some(tip) = tip.filter(|_| error.is_none()) {
            self.note_seen([(name.as_str(), Some(&tip))].into_iter());
        }
        Ok(Pushed {
            remote: remote.name.clone(),
            ok: error.is_none(),
            trouble: error.as_ref().map(|error| error.trouble),
            message: error.map_or_else(|| bounded(&said, MAX_SAID), |error| error.said),
        })
    }

    /// Returns the address of a remote, with what the user's settings make of it.
    pub fn address(&self, remote: &str) -> Result<String> {
        let call = self.git.user(["remote", "get-url", "--end-of-options", remote]).reader();
        let output = call.any_code().run()?;
        let url = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        // A plan may name an address itself.
        Ok(if output.code == 0 { url } else { remote.to_owned() })
    }

    fn asking(&self, words: impl IntoIterator<Item = String>) -> Call {
        self.git.fetching().user(words)
    }

    /// Returns whether `new` contains `old`; false where either is not in this clone.
    pub fn contains(&self, new: &Oid, old: &Oid) -> Result<bool> {
        Ok(self.ask_ancestor(old, new).any_code().run()?.code == 0)
    }

    /// Returns those of these commits that are in none of the others; nothing tells which have
    /// others in front of them.
    pub fn has_lost(&self, old: &[&Oid], new: &[&Oid]) -> Result<bool> {
        let words = ["rev-list", "--max-count=1"].into_iter();
        let words = words.chain(old.iter().map(|oid| oid.as_str())).chain(["--not"]);
        let words = words.chain(new.iter().map(|oid| oid.as_str()));
        let output = self.git.plumbing(words).reader().any_code().run()?;
        Ok(output.code != 0 || !output.stdout.is_empty())
    }
}

/// Returns why a remote did not do it; nothing when it did.
fn failed(remote: &Remote, output: &Output) -> Option<RemoteError> {
    let (told, said) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(told);
    let trouble = match output.code {
        0 => return None,
        -1 => RemoteTrouble::TimedOut,
        1 if lock::of_git(&said).is_some() => RemoteTrouble::Locked,
        1 => rejected(&told),
        _ => RemoteTrouble::Unreachable,
    };
    let reasons = told.lines().filter(|line| line.starts_with('!'));
    let said: Vec<&str> = said.lines().chain(reasons).collect();
    let said = bounded(said.join("\n").trim(), MAX_SAID);
    Some(RemoteError { remote: remote.name.clone(), trouble, said })
}

/// Tells a lost race from a remote that takes nothing, by what git says of each ref: the words are
/// its own in the C locale.
fn rejected(told: &str) -> RemoteTrouble {
    const RACES: [&str; 8] = [
        "(stale info)",
        "(non-fast-forward)",
        "(fetch first)",
        "(needs force)",
        "cannot lock ref",
        "failed to update ref",
        "reference already exists",
        "incorrect old value provided",
    ];
    let mut refused = told.lines().filter(|line| line.starts_with('!'));
    match refused.any(|line| RACES.iter().any(|race| line.contains(race))) {
        true => RemoteTrouble::Moved,
        false => RemoteTrouble::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_race_is_told_from_a_remote_that_takes_nothing() {
        let table = [
            ("!\tx:refs/heads/a\t[rejected] (stale info)", RemoteTrouble::Moved),
            ("!\tx:refs/heads/a\t[rejected] (fetch first)", RemoteTrouble::Moved),
            ("!\tx:refs/heads/a\t[rejected] (non-fast-forward)", RemoteTrouble::Moved),
            (
                "!\tx:refs/heads/a\t[rejected] (atomic push failed)\n!\tx:refs/heads/b\t[rejected] (stale info)",
                RemoteTrouble::Moved,
            ),
            ("!\tx:refs/heads/a\t[remote rejected] (failed to update ref)", RemoteTrouble::Moved),
            ("!\tx:refs/heads/a\t[remote rejected] (unpacker error)", RemoteTrouble::Refused),
            (
                "!\tx:refs/heads/a\t[remote rejected] (pre-receive hook declined)",
                RemoteTrouble::Refused,
            ),
            ("", RemoteTrouble::Refused),
        ];
        for (told, expected) in table {
            assert_eq!(rejected(told), expected, "{told}");
        }
    }
}
