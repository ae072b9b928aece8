//! What is not committed in a worktree, read without touching anything.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result};
use pw_core::branch::Branch;
use pw_core::facts::{TreeState, WorktreeFacts};
use pw_core::id::Oid;
use pw_core::ignored_own_files::{Pattern, Unseen};
use pw_core::operation::Operation;
use pw_core::path::RepoPath;
use pw_core::time::Seconds;

use crate::Repo;
use crate::process::{Git, all, processors, records};

pub(crate) const STATUS: &[&str] = &[
    "status",
    "--porcelain=v2",
    "-z",
    "--branch",
    "--no-ahead-behind",
    "--ignore-submodules=none",
    "--no-renames",
];
/// The one form that git's untracked cache can answer.
const NEW_FOLDERS: &str = "--untracked-files=normal";
pub(crate) const EACH_UNTRACKED: &str = "--untracked-files=all";

/// Above this many new folders, one `git status` of the whole worktree is cheaper than a list of
/// them.
const MAX_FOLDERS: usize = 100;
/// The most files whose modification time is read.
const MAX_TOUCHED: usize = 10_000;

impl Repo {
    /// Returns the state of the worktree at `path`, which must be one of this repository.
    pub fn tree_state(&self, path: &Path) -> Result<WorktreeFacts> {
        self.tree_state_by(&self.git, path)
    }

    fn tree_state_by(&self, git: &Git, path: &Path) -> Result<WorktreeFacts> {
        // A folder that lost its `.git` would make git answer for the checkout around it.
        let Some(own) = self.own_git_dir(path) else {
            let gone = path.symlink_metadata().is_err();
            return Ok(if gone { WorktreeFacts::Missing } else { WorktreeFacts::Broken });
        };
        let mut state = status(&git.at(path))?;
        state.operation = operation(&git.at(path), &own)?;
        state.touched = touched(path, &state);
        Ok(WorktreeFacts::Present(state))
    }

    /// Returns the state of [`Self::main_checkout`], the operation in progress left out.
    pub fn checkout_state(&self) -> Result<TreeState> {
        let git = self.one_of_many(self.worktrees().len());
        self.main_checkout().map_or_else(|| Ok(TreeState::default()), |path| status(&git.at(path)))
    }

    /// Returns the states of several worktrees, as many at a time as there are processors.
    pub fn tree_states(&self, paths: &[PathBuf]) -> Result<Vec<WorktreeFacts>> {
        let git = self.one_of_many(paths.len());
        all(paths, |path| self.tree_state_by(&git, path)).into_iter().collect()
    }

    /// Returns git for one of several parallel calls: with so many processes, git's own index
    /// threads only slow each other down.
    fn one_of_many(&self, looks: usize) -> Git {
        match looks >= processors() {
            true => self.git.with("core.preloadIndex=false"),
            false => self.git.clone(),
        }
    }

    /// Returns the private git folder of a worktree: what its `.git` file names, if that is ours.
    pub fn own_git_dir(&self, path: &Path) -> Option<PathBuf> {
        if std::fs::symlink_metadata(path).ok()?.is_symlink() {
            return None;
        }
        if path == self.root() && path.join(".git").is_dir() && !self.worktrees()[0].bare {
            return self.common().canonicalize().ok();
        }
        let text = std::fs::read_to_string(path.join(".git")).ok()?;
        let named = path.join(text.trim_end_matches('\n').strip_prefix("gitdir: ")?);
        let named = named.canonicalize().ok()?;
        named.starts_with(self.common().canonicalize().ok()?).then_some(named)
    }

    /// Returns the commit that HEAD of a worktree was last at, as its log tells: of a branch that was
    /// deleted, git itself tells nothing.
    pub fn last_head(&self, worktree: &Path) -> Option<Oid> {
        let log = std::fs::read(self.own_git_dir(worktree)?.join("logs/HEAD")).ok()?;
        let line = log.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()?;
        // Before and after; a deletion is written as a commit of zeros.
        let [before, after] = [0, 1].map(|n| line.split(|byte| *byte == b' ').nth(n));
        let names = [after?, before?].map(|word| std::str::from_utf8(word).ok());
        names.into_iter().flatten().find_map(|name| self.resolve(name).ok().flatten())
    }

    /// Returns the ignored files of the user's checkout.
    pub fn ignored(&self) -> Result<Vec<RepoPath>> {
        self.others("--exclude-standard")
    }

    /// Returns the untracked files of the user's checkout that a file of ignore patterns matches.
    pub fn matching(&self, patterns: &str) -> Result<Vec<RepoPath>> {
        self.others(&format!("--exclude-from={patterns}"))
    }

    fn others(&self, which: &str) -> Result<Vec<RepoPath>> {
        let Some(checkout) = self.checkout() else { return Ok(Vec::new()) };
        let words = ["ls-files", "-z", "--others", "--ignored", which];
        let answer = self.git.at(&checkout.path).user(words).reader().bytes()?;
        Ok(records(&answer).map(RepoPath::new).collect())
    }

    /// Returns what no `git status` shows of a worktree.
    pub fn unseen(&self, worktree: &Path) -> Result<Unseen> {
        let args = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"];
        let output = self.git.at(worktree).user(args).reader().run()?;
        Ok(Unseen {
            ignored: records(&output.stdout).map(RepoPath::new).collect(),
            unopened: unopened(&output.stderr),
        })
    }

    /// Returns those of the paths of a worktree that are ignored and in no commit.
    pub fn ignored_among(&self, worktree: &Path, paths: &[RepoPath]) -> Result<Vec<RepoPath>> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.check_ignore(worktree, &[], paths)?;
        let paths = records(&answer).filter_map(|path| path.strip_prefix(b"./"));
        Ok(paths.map(RepoPath::new).collect())
    }

    /// Asks which paths are ignored. Of one below a link or in a submodule git says nothing, and
    /// nothing of those after it.
    fn check_ignore(
        &self,
        worktree: &Path,
        options: &[&str],
        paths: &[RepoPath],
    ) -> Result<Vec<u8>> {
        // It takes no literal pathspecs; behind `./` nothing in a name has a meaning.
        let line = |path: &RepoPath| [b"./", path.as_bytes(), b"\0"].concat();
        let lines: Vec<u8> = paths.iter().flat_map(line).collect();
        let args = ["check-ignore", "-z", "--stdin"].iter().chain(options);
        let call = self.git.at(worktree).user(args).env("GIT_LITERAL_PATHSPECS", "0");
        call.reader().any_code().input(lines).bytes()
    }

    /// Returns what makes git ignore each of these paths, which it does not know, in the main
    /// checkout.
    pub fn ignored_by(&self, paths: &[RepoPath]) -> Result<Vec<Option<Pattern>>> {
        let Some(checkout) = self.main_checkout() else { return Ok(vec![None; paths.len()]) };
        let answer = self.check_ignore(checkout, &["--verbose", "--non-matching"], paths)?;
        let fields: Vec<&[u8]> = records(&answer).collect();
        if fields.len() != 4 * paths.len() {
            return Ok(vec![None; paths.len()]);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let pattern = |fields: &[&[u8]]| {
            let [source, line, pattern, _] = fields else { return None };
            let is_one = !pattern.is_empty() && !pattern.starts_with(b"!");
            is_one.then(|| Pattern { source: text(source), line: text(line), text: text(pattern) })
        };
        Ok(fields.chunks(4).map(pattern).collect())
    }

    /// Returns the paths in a worktree's index that differ from `commit`. Inside a commit hook the
    /// commit's own index is the one named in the environment: pass it as `index`.
    pub fn staged(
        &self,
        worktree: &Path,
        commit: &str,
        index: Option<&OsStr>,
    ) -> Result<Vec<RepoPath>> {
        let args = ["diff-index", "--cached", "-z", "--name-only", "--no-renames"];
        let args = args.into_iter().chain(["--ignore-submodules=none", commit, "--"]);
        let mut call = self.git.at(worktree).user(args).reader();
        if let Some(index) = index {
            call = call.env("GIT_INDEX_FILE", index);
        }
        Ok(records(&call.bytes()?).map(RepoPath::new).collect())
    }

    /// Returns the tracked files of a worktree that are not as they are in `commit`.
    pub fn differing(&self, worktree: &Path, commit: &Oid) -> Result<Vec<RepoPath>> {
        let args = ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-relative"];
        let args = args.into_iter().chain(["--ignore-submodules=none", commit.as_str(), "--"]);
        let answer = self.git.at(worktree).user(args).reader().bytes()?;
        Ok(records(&answer).map(RepoPath::new).collect())
    }
}

/// Asks for new folders, then for what is in them: the untracked cache takes a third off.
fn status(git: &Git) -> Result<TreeState> {
    let ask = |untracked: &str, below: &[RepoPath]| {
        let below: Vec<PathBuf> = below.iter().map(RepoPath::to_path).collect();
        let words = STATUS.iter().copied().chain([untracked, "--"]).map(OsStr::new);
        let args = words.chain(below.iter().map(|path| path.as_os_str()));
        parse_status(&git.user(args).reader().bytes()?)
    };
    let mut state = ask(NEW_FOLDERS, &[])?;
    let is_folder = |path: &RepoPath| path.as_bytes().ends_with(b"/");
    let (mut folders, files) = state.untracked.into_iter().partition::<Vec<_>, _>(is_folder);
    state.untracked = files;
    // git says nothing of a new folder in place of a file.
    let is_folder_now = |path: &&RepoPath| {
        let about = git.dir().join(path.to_path()).symlink_metadata();
        about.is_ok_and(|about| about.is_dir())
    };
    folders.extend(state.removed.iter().filter(is_folder_now).cloned());
    match folders.len() {
        0 => Ok(state),
        1..=MAX_FOLDERS => {
            state.untracked.extend(ask(EACH_UNTRACKED, &folders)?.untracked);
            state.untracked.sort_unstable();
            Ok(state)
        }
        _ => ask(EACH_UNTRACKED, &[]),
    }
}

/// Reads the folders that git says it cannot look into.
fn unopened(said: &[u8]) -> Vec<RepoPath> {
    let folder = |line: &[u8]| {
        let rest = line.strip_prefix(b"warning: could not open directory '")?;
        // A path that is too long is cut, and the reason with it.
        let end = rest.windows(3).rposition(|bytes| bytes == b"': ").unwrap_or(rest.len());
        Some(RepoPath::new(&rest[..end]))
    };
    said.split(|byte| *byte == b'\n').filter_map(folder).collect()
}

pub(crate) fn joined<'a>(paths: impl IntoIterator<Item = &'a RepoPath>) -> Vec<u8> {
    paths.into_iter().flat_map(|path| path.as_bytes().iter().copied().chain([0])).collect()
}

/// How many bytes of paths go on one command line: Linux takes 2 MiB with the environment, macOS one.
const MAX_WORDS: usize = 256 << 10;

/// Returns paths as words, in parts that each fit on the command line of a git command that reads none
/// from its stdin.
pub(crate) fn portions(paths: &[RepoPath]) -> impl Iterator<Item = Vec<OsString>> {
    let mut bytes = 0;
    let parts = paths.chunk_by(move |_, next| {
        bytes += next.as_bytes().len() + 1;
        let fits = bytes <= MAX_WORDS;
        if !fits {
            bytes = 0;
        }
        fits
    });
    parts.map(|part| part.iter().map(|path| path.to_path().into_os_string()).collect())
}

/// Returns when the newest file that is not committed was changed.
fn touched(folder: &Path, state: &TreeState) -> Option<Seconds> {
    let open = state.changed.iter().chain(&state.untracked).chain(&state.unmerged);
    let changed = |path: &RepoPath| {
        let about = folder.join(path.to_path()).symlink_metadata().ok()?;
        let since = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Seconds::try_from(since.as_secs()).ok()
    };
    open.take(MAX_TOUCHED).filter_map(changed).max()
}

/// Returns the git operation that is under way in the worktree that git is asked about; files in its
/// own folder are the only trace, and in a table of refs two that are refs there.
pub(crate) fn operation(git: &Git, git_dir: &Path) -> Result<Option<Operation>> {
    let traces = [
        ("rebase-merge", Operation::Rebase),
        ("rebase-apply/applying", Operation::Am),
        ("rebase-apply", Operation::Rebase),
        ("MERGE_HEAD", Operation::Merge),
        ("CHERRY_PICK_HEAD", Operation::CherryPick),
        ("REVERT_HEAD", Operation::Revert),
        ("sequencer", Operation::CherryPick),
        ("BISECT_LOG", Operation::Bisect),
    ];
    let found = traces.into_iter().find(|(file, _)| git_dir.join(file).exists());
    if found.is_some() {
        return Ok(found.map(|(_, operation)| operation));
    }
    let picked = heads_in_table(git, git_dir)?;
    let of = |name: &str| traces.into_iter().find(|(file, _)| *file == name);
    Ok(picked.first().and_then(|name| of(name)).map(|(_, operation)| operation))
}

/// Returns which of these traces of an operation are in a worktree's private git folder. Git is asked only
/// where refs are a table; without its answer, the files tell.
pub fn under_way(worktree: &Path, git_dir: &Path, traces: &[&str]) -> Vec<String> {
    let heads = Git::find(worktree).and_then(|git| heads_in_table(&git, git_dir));
    let heads = heads.unwrap_or_default();
    let is_there = |trace: &&str| {
        git_dir.join(trace).symlink_metadata().is_ok() || heads.iter().any(|head| head == trace)
    };
    traces.iter().copied().filter(is_there).map(str::to_owned).collect()
}

/// Returns which of the two heads that git keeps where refs are, if these are a table, are set.
fn heads_in_table(git: &Git, git_dir: &Path) -> Result<Vec<String>> {
    if !git_dir.join("reftable").is_dir() {
        return Ok(Vec::new());
    }
    let words = ["for-each-ref", "--include-root-refs", "--format=%(refname)"];
    let call = git.plumbing(words.into_iter().chain(["CHERRY_PICK_HEAD", "REVERT_HEAD"])).reader();
    Ok(String::from_utf8_lossy(&call.bytes()?).lines().map(str::to_owned).collect())
}

/// Reads `git status --porcelain=v2 -z --branch --no-renames`.
fn parse_status(bytes: &[u8]) -> Result<TreeState> {
    let mut state = TreeState::default();
    // An answer cut short must not pass for a clean tree.
    anyhow::ensure!(bytes.starts_with(b"# branch."), "git status printed no branch");
    for record in records(bytes) {
        let rest_after = |fields: usize| -> Result<RepoPath> {
            let path = record.splitn(fields + 1, |byte| *byte == b' ').nth(fields);
            Ok(RepoPath::new(path.context("a status line without a path")?))
        };
        match record.first() {
            Some(b'1') => {
                let path = rest_after(8)?;
                let fields: Vec<&[u8]> = record.splitn(9, |byte| *byte == b' ').collect();
                let [_, staged, inner, in_head, _, there, ..] = fields[..] else {
                    anyhow::bail!("a status line without modes");
                };
                // A mode is zero where there is no file.
                state.added.extend((in_head == b"000000").then(|| path.clone()));
                state.removed.extend((there == b"000000").then(|| path.clone()));
                let is_gitlink = there == b"160000";
                let is_open = staged.starts_with(b".") && inner.starts_with(b"S.");
                state.gitlinks.extend(is_gitlink.then(|| path.clone()));
                state.open.extend((is_gitlink && is_open).then(|| path.clone()));
                state.changed.push(path);
            }
            Some(b'u') => state.unmerged.push(rest_after(10)?),
            Some(b'?') => state.untracked.push(rest_after(1)?),
            Some(b'#') => {
                if let Some(oid) = record.strip_prefix(b"# branch.oid ") {
                    state.head = std::str::from_utf8(oid).ok().and_then(|oid| oid.parse().ok());
                }
                if let Some(branch) = record.strip_prefix(b"# branch.head ") {
                    let branch = String::from_utf8_lossy(branch).into_owned();
                    state.branch = (branch != "(detached)").then(|| Branch::new(branch));
                }
            }
            _ => anyhow::bail!("unknown status line {:?}", String::from_utf8_lossy(record)),
        }
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_line_is_too_long_for_the_system() {
        let paths: Vec<RepoPath> =
            (0..10_000).map(|n| format!("{n:0>200}").as_str().into()).collect();
        let parts: Vec<Vec<OsString>> = portions(&paths).collect();
        let longest =
            parts.iter().map(|part| part.iter().map(|word| word.len() + 1).sum::<usize>());
        assert!(longest.max() < Some(MAX_WORDS + 1_000) && parts.len() > 5);
        let words: Vec<OsString> =
            paths.iter().map(|path| path.to_path().into_os_string()).collect();
        assert_eq!(parts.concat(), words);
        assert_eq!(portions(&[]).count(), 0);
    }

    #[test]
    fn folders_that_git_cannot_look_into_are_read() {
        let said = b"warning: could not open directory 'a/it's/': Permission denied\n\
                     warning: something else\nwarning: could not open directory 'a/cut";
        assert_eq!(unopened(said), ["a/it's/", "a/cut"].map(RepoPath::from));
    }

    #[test]
    fn status_is_read_with_any_path() {
        let oid = "a".repeat(40);
        let text = [
            format!("# branch.oid {oid}\0# branch.head work/task-1-a\0").into_bytes(),
            format!("1 .M N... 100644 100644 100644 {oid} {oid} a b\0").into_bytes(),
            format!("1 A. N... 000000 100644 100644 {oid} {oid} new\0").into_bytes(),
            format!("1 .D N... 100644 100644 000000 {oid} {oid} old\0").into_bytes(),
            format!("1 .M S.M. 160000 160000 160000 {oid} {oid} open\0").into_bytes(),
            format!("1 .M SCM. 160000 160000 160000 {oid} {oid} bumped\0").into_bytes(),
            format!("1 A. S.M. 000000 160000 160000 {oid} {oid} sub\0").into_bytes(),
            format!("u UU N... 100644 100644 100644 100644 {oid} {oid} {oid} c d\0").into_bytes(),
            b"? caf\xe9\nx\0".to_vec(),
        ]
        .concat();
        let state = parse_status(&text).unwrap();
        assert_eq!(state.branch, Some("work/task-1-a".into()));
        let paths = ["a b", "new", "old", "open", "bumped", "sub"].map(RepoPath::from);
        assert_eq!(state.changed, paths);
        assert_eq!(state.added, ["new", "sub"].map(RepoPath::from));
        assert_eq!(state.removed, ["old".into()]);
        assert_eq!(state.gitlinks, paths[3..]);
        assert_eq!(state.open, ["open".into()]);
        assert_eq!(state.head.as_ref().map(Oid::as_str), Some(&*oid));
        assert_eq!(state.unmerged, ["c d".into()]);
        assert_eq!(state.untracked, [RepoPath::new(b"caf\xe9\nx".to_vec())]);
        assert_eq!(parse_status(b"# branch.head (detached)\0").unwrap().branch, None);
        assert!(parse_status(b"9 x\0").is_err());
    }
}
