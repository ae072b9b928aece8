//! A worktree's files on their way into a commit: every state that `git status` can show, with the
//! user's filters and hooks.
//!
//! Paths come from git and go back to it as they are: a command that matches them against files
//! would fail for those that are gone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use pw_core::facts::TreeState;
use pw_core::failure::{Code, Failure};
use pw_core::hollow::Held;
use pw_core::path::RepoPath;
use serde_json::Value;
use tempfile::TempDir;

use crate::Repo;
use crate::changes::joined;
use crate::process::{GitError, records};

/// How much of what a hook printed an answer repeats, in bytes: the end, where it says why.
const MAX_OUTPUT: usize = 4000;

impl Repo {
    /// Returns what stands at these paths of a worktree, as far as git sees anything there.
    pub fn held(
        &self,
        worktree: &Path,
        tree: &TreeState,
        paths: &BTreeSet<RepoPath>,
    ) -> Result<BTreeMap<RepoPath, Held>> {
        let [removed, untracked] =
            [&tree.removed, &tree.untracked].map(|paths| paths.iter().collect::<HashSet<_>>());
        // What the index alone has lost is there all the same, unless git is to ignore it.
        let is_there = |path: &&RepoPath| !removed.contains(path) || untracked.contains(path);
        let held = |path: &RepoPath| -> Result<(RepoPath, Held)> {
            let place = worktree.join(path.to_path());
            let about = place.symlink_metadata();
            let about = about.with_context(|| format!("looking at {}", place.display()))?;
            let held = if about.is_symlink() {
                let target = place.read_link();
                let target = target.with_context(|| format!("reading {}", place.display()))?;
                Held::Link(target.as_os_str().as_bytes().to_vec())
            } else if about.is_dir() {
                let born = tree.gitlinks.contains(path) || self.is_born(&place)?;
                Held::Repository { born }
            } else if about.is_file() {
                Held::File
            } else {
                Held::Special
            };
            Ok((path.clone(), held))
        };
        paths.iter().filter(is_there).map(held).collect()
    }

    fn is_born(&self, repository: &Path) -> Result<bool> {
        let call = self.git.at(repository).plumbing(["rev-parse", "--quiet", "--verify", "HEAD"]);
        Ok(call.reader().any_code().run()?.code == 0)
    }

    /// Makes the index of a worktree hold these files as they are; of those that are not among the
    /// `held`, it loses what it has.
    pub fn stage(
        &self,
        worktree: &Path,
        paths: &BTreeSet<RepoPath>,
        held: &BTreeMap<RepoPath, Held>,
    ) -> Result<()> {
        let git = self.git.at(worktree);
        let feed = |args: &[&str], paths: &[RepoPath]| match paths {
            [] => Ok(()),
            _ => git.user(args).input(joined(paths)).run().map(drop),
        };
        let (there, gone): (Vec<RepoPath>, Vec<RepoPath>) =
            paths.iter().cloned().partition(|path| held.contains_key(path));
        let there: Vec<RepoPath> = there.iter().map(RepoPath::without_slash).collect();
        // Never --remove here: it takes what a sparse checkout leaves out for deleted.
        feed(&["update-index", "--add", "--replace", "-z", "--stdin"], &there)?;
        // Not by a look at the disk, where a link may lead to another file of the same name.
        feed(&["update-index", "--force-remove", "-z", "--stdin"], &gone)
    }

    /// Commits the index of a worktree with the user's hooks; of what differs from HEAD there, only
    /// what `only` names, if it names anything.
    ///
    /// Refuses with `hook_refused`, which says which hook it was.
    pub fn commit(
        &self,
        worktree: &Path,
        message: &str,
        only: Option<&BTreeSet<RepoPath>>,
    ) -> Result<()> {
        let folder = TempDir::with_prefix("pw-commit-").context("making a temporary folder")?;
        let trace = folder.path().join("trace");
        let args = ["commit", "--quiet", "--allow-empty", "--cleanup=whitespace", "-m", message];
        let mut call = self.git.at(worktree).user(args);
        // The user's hooks mean globs by globs.
        call = call.env("GIT_LITERAL_PATHSPECS", "0").env("GIT_TRACE2_EVENT", &trace);
        if let Some(only) = only {
            let index = folder.path().join("index");
            self.write_index_of(worktree, only, &index)?;
            call = call.env("GIT_INDEX_FILE", &index);
        }
        let Err(error) = call.run() else { return Ok(()) };
        let trace = std::fs::read(&trace).unwrap_or_default();
        match (error.downcast_ref::<GitError>(), failed_hook(&trace)) {
            (Some(git), Some(hook)) => Err(refused(&hook, &git.stderr).into()),
            _ => Err(error),
        }
    }

    /// Writes an index of HEAD with only these of the differences that the worktree's own has.
    fn write_index_of(
        &self,
        worktree: &Path,
        only: &BTreeSet<RepoPath>,
        index: &Path,
    ) -> Result<()> {
        let git = self.git.at(worktree);
        let args = ["diff-index", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames"];
        let args = args.into_iter().chain(["--ignore-submodules=none", "HEAD", "--"]);
        let listed = git.plumbing(args).reader().bytes()?;
        let entries = staged_entries(&listed, only).context("an unreadable line of git")?;
        let call = |args: &[&str]| git.plumbing(args).env("GIT_INDEX_FILE", index);
        call(&["read-tree", "HEAD"]).run()?;
        ensure!(index.is_file(), "git read-tree wrote no index");
        call(&["update-index", "-z", "--index-info"]).input(entries).run().map(drop)
    }

    /// Commits a message alone, on top of HEAD, which is on `branch`: no file, no hook, and the
    /// index and what is under way stay as they are.
    pub fn commit_message(&self, worktree: &Path, branch: &str, message: &str) -> Result<()> {
        let head = self.read_head(worktree)?.oid;
        let commit =
            self.write_commit(&self.author()?, &self.tree_of(&head)?, &[&head], message)?;
        let branch = format!("refs/heads/{branch}");
        let about = format!("commit: {}", message.lines().next().unwrap_or_default());
        let args = ["update-ref", "-m", &about, &branch, commit.as_str(), head.as_str()];
        self.git.at(worktree).plumbing(args).run().map(drop)
    }

    /// Returns the paths that a `.gitmodules` names: that of the worktree, or a blob such as
    /// `HEAD:.gitmodules`. One that cannot be read names nothing.
    pub fn modules(&self, worktree: &Path, blob: Option<&str>) -> Result<BTreeSet<RepoPath>> {
        let source: OsString = match blob {
            Some(blob) => format!("--blob={blob}").into(),
            None => [OsStr::new("--file="), worktree.join(".gitmodules").as_os_str()]
                .into_iter()
                .collect(),
        };
        let words = ["-z", "--get-regexp", "^submodule\\..*\\.(path|url)$"];
        let args = [OsString::from("config"), source].into_iter().chain(words.map(Into::into));
        let call = self.git.at(worktree).plumbing(args).reader().any_code();
        Ok(parse_modules(&call.bytes()?))
    }
}

/// Returns what `update-index --index-info` takes for those of the lines of `diff-index --raw`.
fn staged_entries(listed: &[u8], only: &BTreeSet<RepoPath>) -> Option<Vec<u8>> {
    let mut fields = records(listed);
    let mut entries = Vec::new();
    while let Some(about) = fields.next() {
        let path = fields.next()?;
        let about = std::str::from_utf8(about).ok()?;
        let [_, mode, _, id, _] = about.split(' ').collect::<Vec<_>>()[..] else { return None };
        if only.contains(&RepoPath::new(path)) {
            entries.extend([format!("{mode} {id}\t").as_bytes(), path, b"\0"].concat());
        }
    }
    Some(entries)
}

/// Reads `submodule.NAME.path` and `.url`; one without both is no use to git.
fn parse_modules(bytes: &[u8]) -> BTreeSet<RepoPath> {
    let mut paths = HashMap::new();
    let mut with_url = HashSet::new();
    for record in records(bytes) {
        let Some(at) = record.iter().position(|byte| *byte == b'\n') else { continue };
        let (key, value) = (&record[..at], &record[at + 1..]);
        if let Some(name) = key.strip_suffix(b".path") {
            paths.insert(name, RepoPath::new(value));
        } else if let Some(name) = key.strip_suffix(b".url") {
            with_url.insert(name);
        }
    }
    paths.into_iter().filter(|(name, _)| with_url.contains(name)).map(|(_, path)| path).collect()
}

/// Returns the hook that failed, told from git's own trace; what the hook started is not of it.
fn failed_hook(trace: &[u8]) -> Option<String> {
    let mut hooks = HashMap::new();
    let events = trace.split(|byte| *byte == b'\n');
    for event in events.filter_map(|line| serde_json::from_slice::<Value>(line).ok()) {
        let is_inner = event["sid"].as_str().is_none_or(|id| id.contains('/'));
        match event["event"].as_str() {
            _ if is_inner => {}
            Some("child_start") if event["child_class"] == "hook" => {
                let name = event["hook_name"].as_str().unwrap_or("commit");
                hooks.insert(event["child_id"].as_i64(), name.to_owned());
            }
            Some("child_exit") if event["code"] != 0 => {
                if let Some(name) = hooks.remove(&event["child_id"].as_i64()) {
                    return Some(name);
                }
            }
            _ => {}
        }
    }
    None
}

fn refused(hook: &str, said: &str) -> Failure {
    let from = said.len().saturating_sub(MAX_OUTPUT);
    let from = (from..said.len()).find(|at| said.is_char_boundary(*at)).unwrap_or(said.len());
    let output = said[from..].trim();
    let first = output.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Failure::new(Code::HookRefused, format!("the hook {hook} refused the commit: {first}"))
        .hint("do what details.output asks for, then run the same command again; if that is not yours to do, say so")
        .next(format!("pw-worker blocked \"the hook {hook} refuses\""))
        .details(serde_json::json!({ "hook": hook, "output": output, "git": output }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_that_failed_is_named_and_not_what_it_started() {
        let line = |sid: &str, rest: &str| format!("{{\"sid\":\"{sid}\",{rest}}}\n");
        let start = |id: u8, name: &str| {
            format!(
                "\"event\":\"child_start\",\"child_id\":{id},\"child_class\":\"hook\",\"hook_name\":\"{name}\""
            )
        };
        let exit = |id: u8, code: u8| {
            format!("\"event\":\"child_exit\",\"child_id\":{id},\"code\":{code}")
        };
        let trace = [
            line("a", &start(0, "pre-commit")),
            line("a/b", &start(0, "post-checkout")),
            line("a/b", &exit(0, 1)),
            line("a", &exit(0, 0)),
            line("a", &start(1, "commit-msg")),
            "half a li".to_owned(),
            "\n".to_owned(),
            line("a", &exit(1, 1)),
        ];
        assert_eq!(failed_hook(trace.concat().as_bytes()).as_deref(), Some("commit-msg"));
        assert_eq!(failed_hook(trace[..4].concat().as_bytes()), None);
    }

    #[test]
    fn a_submodule_is_named_with_path_and_address() {
        let text = b"submodule.a.path\nlib/a b\0submodule.a.url\n../a\0submodule.b.path\nb\0";
        assert_eq!(parse_modules(text), ["lib/a b".into()].into());
        assert_eq!(parse_modules(b""), BTreeSet::new());
    }

    #[test]
    fn only_what_is_wanted_of_the_index_is_taken() {
        let (zero, one) = ("0".repeat(40), "1".repeat(40));
        let text = format!(
            ":100644 000000 {one} {zero} D\0old\0:000000 120000 {zero} {one} A\0a\tb\n\0\
             :100644 100755 {one} {one} M\0other\0"
        );
        let only = ["old", "a\tb\n"].map(RepoPath::from).into();
        let wanted = format!("000000 {zero}\told\x00120000 {one}\ta\tb\n\0");
        assert_eq!(staged_entries(text.as_bytes(), &only), Some(wanted.into_bytes()));
        assert_eq!(staged_entries(b":x\0y\0", &only), None);
    }
}
