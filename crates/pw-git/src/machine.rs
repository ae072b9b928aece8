//! What the machine and the repository bring along for new worktrees: which git this is, whom it
//! takes commits to be from, how large a checkout is.

use std::path::Path;

use std::time::Duration;

use anyhow::Result;
use pw_core::branch::Branch;
use pw_core::diagnosis::settings::Setting;
use pw_core::id::Oid;

use crate::Repo;
use crate::merge::Scratch;
use crate::process::records;

/// How long a signer may take: one that asks the user for a passphrase would wait for ever.
const SIGNER: Duration = Duration::from_secs(20);

impl Repo {
    /// Returns the version of git, as far as it says one.
    pub fn git_version(&self) -> Result<Option<(u32, u32)>> {
        let said = self.git.plumbing(["version"]).line()?;
        Ok(version(&said))
    }

    /// Returns whether git knows who commits in a folder: a name may be included for one branch or place.
    pub fn knows_author(&self, folder: &Path) -> Result<bool> {
        let call = self.git.at(folder).user(["var", "GIT_AUTHOR_IDENT"]).reader();
        Ok(call.any_code().run()?.code == 0)
    }

    /// Returns the user's settings of git, as they are listed: the last of a name counts.
    pub fn settings(&self) -> Result<Vec<Setting>> {
        let words = ["config", "--list", "-z", "--show-scope"];
        let listed = self.git.at(self.place()).user(words).reader().bytes()?;
        Ok(settings(&listed))
    }

    /// Signs a commit as the user would, and keeps none of it. Returns what git or its signer said
    /// when that did not work; nothing when it did.
    pub fn tried_to_sign(&self, commit: &Oid) -> Result<Option<String>> {
        let scratch = Scratch::new()?;
        let tree = format!("{commit}^{{tree}}");
        let call = self.git.at(self.place()).user(["commit-tree", "-S", "-m", "a trial", &tree]);
        let output = self.within(Some(&scratch), call).bounded(SIGNER).any_code().run()?;
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        Ok((output.code != 0).then_some(said))
    }

    /// Returns how many bytes the files of a commit have; `None` where some are not in this clone.
    pub fn size_of(&self, commit: &Oid) -> Result<Option<u64>> {
        let args = ["ls-tree", "-r", "-z", "--full-tree", "--format=%(objectsize)"];
        let call = self.git.plumbing(args.into_iter().chain([commit.as_str()])).reader();
        let output = call.any_code().run()?;
        if output.code != 0 {
            return Ok(None);
        }
        let sizes = String::from_utf8_lossy(&output.stdout).into_owned();
        // A submodule has no size.
        Ok(Some(sizes.split('\0').filter_map(|size| size.trim().parse::<u64>().ok()).sum()))
    }

    /// Returns the remote-tracking branch that belongs to a branch, and how many commits it has
    /// that the branch lacks; nothing where there is none. Nothing is fetched.
    pub fn behind_remote(&self, branch: &Branch) -> Result<Option<(String, usize)>> {
        let own = branch.full();
        let args = ["for-each-ref", "--format=%(refname) %(upstream)", &own];
        let remote = format!("refs/remotes/origin/{branch}");
        let answer =
            self.git.plumbing(args.into_iter().chain([remote.as_str()])).reader().line()?;
        let Some(upstream) = upstream(&answer, &own, &remote) else { return Ok(None) };
        let range = format!("{own}..{upstream}");
        let call = self.git.plumbing(["rev-list", "--count", &range, "--"]).reader();
        let output = call.any_code().run()?;
        // The upstream may be gone.
        let count = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
        let short = upstream.strip_prefix("refs/remotes/").unwrap_or(upstream);
        Ok(count.map(|count| (short.to_owned(), count)))
    }
}

/// Reads scopes and settings in turn. Those of the command line are ours.
fn settings(listed: &[u8]) -> Vec<Setting> {
    let listed: Vec<&[u8]> = records(listed).collect();
    let pairs = listed.chunks_exact(2).filter(|pair| pair[0] != b"command");
    let setting = |pair: &[&[u8]]| {
        let text = String::from_utf8_lossy(pair[1]).into_owned();
        let (name, value) = text.split_once('\n').unwrap_or((&text, ""));
        (name.to_owned(), value.to_owned())
    };
    pairs.map(setting).collect()
}

fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.strip_prefix("git version ")?.split('.');
    let mut number = || numbers.next()?.trim().parse().ok();
    Some((number()?, number()?))
}

/// Returns the upstream that is set for a branch, or else the branch of its name at `origin`.
fn upstream<'a>(listed: &'a str, own: &str, remote: &'a str) -> Option<&'a str> {
    let set = listed.lines().find_map(|line| line.strip_prefix(own)?.strip_prefix(' '));
    let is_there = listed
        .lines()
        .any(|line| line.trim_end() == remote || line.starts_with(&format!("{remote} ")));
    set.filter(|name| !name.is_empty()).or_else(|| is_there.then_some(remote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_vendors_are_read() {
        for (said, expected) in [
            ("git version 2.47.3", Some((2, 47))),
            ("git version 2.39.5 (Apple Git-154)", Some((2, 39))),
            ("git version 2.50.0.windows.1", Some((2, 50))),
            ("git", None),
        ] {
            assert_eq!(version(said), expected, "{said}");
        }
    }

    #[test]
    fn settings_are_read_whatever_their_values_hold_and_ours_are_left_out() {
        let listed = b"global\0user.name\nAda\nL\0local\0core.bare\0command\0gc.auto\n0\0";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(settings(listed), [pair("user.name", "Ada\nL"), pair("core.bare", "")]);
    }

    #[test]
    fn the_upstream_is_the_one_set_or_that_of_its_name() {
        let (own, remote) = ("refs/heads/main", "refs/remotes/origin/main");
        for (listed, expected) in [
            (
                "refs/heads/main refs/remotes/fork/main\nrefs/remotes/origin/main ",
                Some("refs/remotes/fork/main"),
            ),
            ("refs/heads/main \nrefs/remotes/origin/main ", Some(remote)),
            ("refs/heads/main \nrefs/remotes/origin/main", Some(remote)),
            ("refs/heads/main ", None),
            ("", None),
        ] {
            assert_eq!(upstream(listed, own, remote), expected, "{listed:?}");
        }
    }
}
