//! Everything a worktree holds, read without a lock or a write: files as they are on disk, what git
//! knows of them, and commits that no ref elsewhere contains.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use pw_core::blob::FileMode;
use pw_core::branch::Branch;
use pw_core::cleanup;
use pw_core::id::Oid;
use pw_core::operation::Operation;
use pw_core::path::RepoPath;
use pw_core::scope::Scope;
use pw_core::snapshot::Changes;

use crate::Repo;
use crate::changes::{EACH_UNTRACKED, STATUS, operation};
use crate::process::{Git, records};
use crate::walk::{FileEntry, Walk, below, is_same, is_there};

/// What a worktree holds.
#[derive(Clone, Debug)]
pub struct Survey {
    /// `None` before a first commit.
    pub head: Option<Oid>,
    /// The branch HEAD is on; `None` when detached.
    pub branch: Option<Branch>,
    /// The git operation that is under way.
    pub operation: Option<Operation>,
    /// What is in the worktree and in no commit.
    pub changes: Changes,
    /// The newest of the commits that only this worktree's HEAD, reflog and refs contain.
    pub commits: Vec<Oid>,
    /// The `index.lock`, when a git process holds it or left it behind.
    pub index_lock: Option<PathBuf>,
    pub(crate) index: Vec<IndexEntry>,
    /// What is on disk, without what is disposable.
    pub(crate) files: BTreeMap<RepoPath, FileEntry>,
    pub(crate) own: PathBuf,
}

/// One entry of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// `h` assume-unchanged, `S` or `s` skip-worktree, `A` only intended to be added.
    pub(crate) flag: u8,
    pub(crate) mode: FileMode,
    pub(crate) oid: String,
    pub(crate) stage: u8,
    pub(crate) path: RepoPath,
}

impl IndexEntry {
    fn is_hidden(&self) -> bool {
        self.flag.is_ascii_lowercase() || self.flag == b'S'
    }

    pub(crate) fn is_submodule(&self) -> bool {
        self.mode == FileMode::SUBMODULE
    }
}

impl Survey {
    /// Returns whether two surveys of one worktree found the same.
    pub fn is_same(&self, other: &Self) -> bool {
        self.head == other.head
            && self.branch == other.branch
            && self.changes == other.changes
            && self.commits == other.commits
            && self.files == other.files
            && self.index == other.index
            && self.operation == other.operation
    }

    /// Returns whether all that is at a path, a file or a folder, is the same in another checkout.
    pub fn is_same_in(&self, worktree: &Path, other: &Path, path: &RepoPath) -> bool {
        let mut files = below(&self.files, path).peekable();
        files.peek().is_some() && files.all(|file| is_same(file, [worktree, other]))
    }

    /// Returns whether a path is tracked and its file is, for all git knows, as in the index.
    pub(crate) fn unchanged(&self) -> HashSet<&RepoPath> {
        let Changes { changed, deleted, unmerged, .. } = &self.changes;
        let touched: HashSet<&RepoPath> = changed.iter().chain(deleted).chain(unmerged).collect();
        let kept = |entry: &&IndexEntry| {
            entry.stage == 0 && entry.flag == b'H' && !touched.contains(&entry.path)
        };
        self.index.iter().filter(kept).map(|entry| &entry.path).collect()
    }
}

/// The folders of a worktree that programs tagged as caches, each looked at once.
struct Caches<'a> {
    worktree: &'a Path,
    known: RefCell<HashMap<RepoPath, bool>>,
}

impl Caches<'_> {
    /// Returns whether a path is such a folder or lies in one.
    fn hold(&self, path: &RepoPath) -> bool {
        let above = path.ancestors().filter(|folder| !folder.is_empty()).map(RepoPath::new);
        std::iter::once(path.clone()).chain(above).any(|folder| self.is_tagged(folder))
    }

    fn is_tagged(&self, folder: RepoPath) -> bool {
        let mut known = self.known.borrow_mut();
        let place = self.worktree.join(folder.to_path());
        *known.entry(folder).or_insert_with(|| is_tagged_as_cache(&place))
    }
}

/// Returns whether a program says of a folder that it makes all of it again.
fn is_tagged_as_cache(folder: &Path) -> bool {
    let tag = folder.join("CACHEDIR.TAG");
    let is_there = || tag.symlink_metadata().is_ok_and(|about| about.is_file());
    let begin = || {
        let mut begin = [0; cleanup::CACHE_TAG.len()];
        File::open(&tag).and_then(|mut file| file.read_exact(&mut begin)).map(|()| begin)
    };
    is_there() && begin().is_ok_and(|begin| begin == cleanup::CACHE_TAG)
}

impl Repo {
    /// Looks at everything in a worktree of this repository. Ignored files that `disposable` names
    /// are left out.
    pub fn survey(&self, worktree: &Path, disposable: &Scope) -> Result<Survey> {
        let own = self.own_git_dir(worktree).context("this is no worktree of this repository")?;
        let git = self.git.at(worktree);
        let status = git
            .user(STATUS.iter().chain(&[EACH_UNTRACKED, "--ignored=matching"]))
            .reader()
            .bytes()?;
        let mut status = parse_status(&status)?;
        let mut index = index(&git)?;
        let known: HashSet<&RepoPath> = index.iter().map(|entry| &entry.path).collect();
        // An answer that got lost must not pass for an empty index.
        if let Some(path) = status.indexed.iter().find(|path| !known.contains(path)) {
            bail!("git ls-files left out {path}");
        }
        for entry in index.iter_mut().filter(|entry| status.intended.contains(&entry.path)) {
            entry.flag = b'A';
        }
        let ignored: HashSet<&[u8]> =
            status.changes.ignored.iter().map(RepoPath::as_bytes).collect();
        let caches = Caches { worktree, known: RefCell::default() };
        let is_cache = |path: &RepoPath| caches.hold(path);
        let is_disposable =
            |path: &RepoPath| cleanup::is_disposable(disposable, &ignored, path, is_cache);
        let submodules = index.iter().filter(|entry| entry.is_submodule());
        let submodules: BTreeSet<&RepoPath> = submodules.map(|entry| &entry.path).collect();
        let commits = self.only_here(&git, &own, status.head.as_ref(), status.branch.as_ref())?;
        // Last, so that no file appears unseen while git is asked for the rest.
        let mut walk = Walk { submodules, is_disposable: Some(&is_disposable), ..Walk::default() };
        walk.folder(worktree, &RepoPath::new(""))?;
        let Walk { files, mut nested, .. } = walk;
        if own.join("modules").is_dir() {
            nested.push(".git/modules".into());
        }
        status.changes.nested = nested;
        status.changes.ignored.retain(|path| is_there(&files, path));
        status.changes.hidden = hidden(&git, &index, &files)?;
        Ok(Survey {
            commits,
            head: status.head,
            branch: status.branch,
            operation: operation(&git, &own)?,
            index_lock: Some(own.join("index.lock")).filter(|lock| lock.exists()),
            changes: status.changes,
            index,
            files,
            own,
        })
    }

    /// Returns the tracked files of a worktree that git was told to overlook and that differ from
    /// the index: no `git status` shows them.
    pub fn overlooked(&self, worktree: &Path) -> Result<Vec<RepoPath>> {
        let git = self.git.at(worktree);
        let mut index = index(&git)?;
        index.retain(IndexEntry::is_hidden);
        let file = |entry: &IndexEntry| {
            let about = worktree.join(entry.path.to_path()).symlink_metadata().ok()?;
            (!about.is_dir()).then(|| (entry.path.clone(), FileEntry::of(&about)))
        };
        let files = index.iter().filter_map(file).collect();
        hidden(&git, &index, &files)
    }

    /// Returns the newest of the commits that HEAD's reflog, refs of the worktree alone or a
    /// stopped operation name, and no other branch and no tag contains.
    fn only_here(
        &self,
        git: &Git,
        own: &Path,
        head: Option<&Oid>,
        branch: Option<&Branch>,
    ) -> Result<Vec<Oid>> {
        let listed = [
            "for-each-ref",
            "--format=%(objectname)",
            "refs/worktree",
            "refs/bisect",
            "refs/rewritten",
        ];
        let mut named = git.plumbing(listed).reader().line()?;
        if own.join("reftable").is_dir() {
            let reflog = git.plumbing(["rev-list", "--walk-reflogs", "HEAD"]).reader().any_code();
            named += &format!("\n{}", String::from_utf8_lossy(&reflog.bytes()?));
            named += "\nORIG_HEAD\nMERGE_HEAD\nREBASE_HEAD\nCHERRY_PICK_HEAD\nREVERT_HEAD";
        }
        for (_, path) in own_files(own)? {
            let text =
                std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            let text = String::from_utf8_lossy(&text);
            let is_id =
                |word: &&str| word.parse::<Oid>().is_ok() && word.bytes().any(|b| b != b'0');
            for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_id) {
                named += &format!("\n{word}");
            }
        }
        if let Some(branch) = branch {
            named += &format!("\n{}", branch.full());
        }
        let names: BTreeSet<&str> = named.split_whitespace().collect();
        let asked: String = names.iter().map(|name| format!("{name}^{{commit}}\n")).collect();
        let check = git.plumbing(["cat-file", "--batch-check=%(objectname)"]).reader().input(asked);
        let found = String::from_utf8_lossy(&check.bytes()?).into_owned();
        let commits: Vec<&str> = found.lines().filter(|line| line.parse::<Oid>().is_ok()).collect();
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        let own_branch = format!("--exclude={}", branch.map_or("", Branch::as_str));
        let input: String = commits
            .into_iter()
            .map(|commit| format!("{commit}\n"))
            .chain(head.iter().map(|head| format!("^{head}\n")))
            .collect();
        let args = [
            "rev-list",
            "--parents",
            "--stdin",
            "--not",
            &own_branch,
            "--branches",
            "--remotes",
            "--tags",
        ];
        let listed = git.plumbing(args).reader().input(input).line()?;
        newest(&listed)
    }
}

/// Returns the commits of `rev-list --parents` that are no other one's parent.
fn newest(listed: &str) -> Result<Vec<Oid>> {
    let parents: HashSet<&str> = listed.lines().flat_map(|line| line.split(' ').skip(1)).collect();
    let commits = listed.lines().filter_map(|line| line.split(' ').next());
    let tips = commits.filter(|commit| !commit.is_empty() && !parents.contains(commit));
    let mut tips = tips
        .map(|tip| tip.parse().ok().context("git rev-list printed no object id"))
        .collect::<Result<Vec<Oid>>>()?;
    tips.sort();
    Ok(tips)
}

/// Returns the files of a worktree's private git folder that say what was under way, by their
/// names there: not the index, not refs (their commits are kept), not what is tied to the place.
pub(crate) fn own_files(own: &Path) -> Result<Vec<(String, PathBuf)>> {
    const TIED: &[&str] = &[
        "index",
        "gitdir",
        "commondir",
        "locked",
        "config.worktree",
        "FETCH_HEAD",
        "modules",
        "reftable",
        "hooks",
    ];
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), own.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let tied = prefix.is_empty()
                && (TIED.contains(&name.as_str()) || name.starts_with("sharedindex."));
            if tied || name.ends_with(".lock") {
                continue;
            }
            let kind = entry.file_type()?;
            let name = format!("{prefix}{name}");
            if kind.is_dir() {
                folders.push((format!("{name}/"), entry.path()));
            } else if kind.is_file() {
                found.push((name, entry.path()));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the tracked files that git was told to overlook and that are not as in the index.
fn hidden(
    git: &Git,
    index: &[IndexEntry],
    files: &BTreeMap<RepoPath, FileEntry>,
) -> Result<Vec<RepoPath>> {
    let marked: Vec<&IndexEntry> = index.iter().filter(|entry| entry.is_hidden()).collect();
    let (there, gone): (Vec<&IndexEntry>, Vec<&IndexEntry>) = marked
        .into_iter()
        .filter(|entry| !entry.is_submodule())
        .partition(|entry| files.contains_key(&entry.path));
    // Skipped and not there is how a sparse checkout looks.
    let gone = gone.into_iter().filter(|entry| !entry.flag.eq_ignore_ascii_case(&b's'));
    let mut found: Vec<RepoPath> = gone.map(|entry| entry.path.clone()).collect();
    let (files_there, others): (Vec<&IndexEntry>, Vec<&IndexEntry>) =
        there.into_iter().partition(|entry| {
            entry.mode != FileMode::LINK && files[&entry.path].mode != FileMode::LINK
        });
    // A link is compared as a file would be only by what it says; rather one too many.
    found.extend(others.into_iter().map(|entry| entry.path.clone()));
    if !files_there.is_empty() {
        let names: String =
            files_there.iter().map(|entry| format!("{}\n", entry.path.quoted())).collect();
        let hashed = git.user(["hash-object", "--stdin-paths"]).reader().input(names).line()?;
        let differs = |(entry, oid): &(&IndexEntry, &str)| {
            entry.oid != *oid || entry.mode != files[&entry.path].mode
        };
        found.extend(
            files_there
                .into_iter()
                .zip(hashed.lines())
                .filter(differs)
                .map(|(entry, _)| entry.path.clone()),
        );
    }
    found.sort();
    Ok(found)
}

/// What `git status` says.
#[derive(Default)]
struct Status {
    head: Option<Oid>,
    branch: Option<Branch>,
    changes: Changes,
    /// Paths of which the index says only that they will be added.
    intended: HashSet<RepoPath>,
    /// Of the changed paths, those that the index has.
    indexed: Vec<RepoPath>,
}

/// Reads `git status --porcelain=v2 -z --branch --no-renames --ignored=matching`.
fn parse_status(bytes: &[u8]) -> Result<Status> {
    // An answer cut short must not pass for a clean tree.
    ensure!(bytes.starts_with(b"# branch."), "git status printed no branch");
    let mut status = Status::default();
    let changes = &mut status.changes;
    for record in records(bytes) {
        let rest_after = |fields: usize| -> Result<RepoPath> {
            let path = record.splitn(fields + 1, |byte| *byte == b' ').nth(fields);
            Ok(RepoPath::new(path.context("a status line without a path")?))
        };
        match record {
            [b'1', b' ', staged, changed, ..] => {
                let path = rest_after(8)?;
                if *staged != b'.' {
                    changes.staged.push(path.clone());
                }
                if *staged != b'D' {
                    status.indexed.push(path.clone());
                }
                match changed {
                    b'.' => {}
                    b'D' => changes.deleted.push(path),
                    b'A' => {
                        status.intended.insert(path.clone());
                        changes.changed.push(path);
                    }
                    _ => changes.changed.push(path),
                }
            }
            [b'u', ..] => changes.unmerged.push(rest_after(10)?),
            [b'?', ..] => changes.untracked.push(without_slash(&rest_after(1)?)),
            [b'!', ..] => changes.ignored.push(without_slash(&rest_after(1)?)),
            [b'#', ..] => {
                if let Some(head) = record.strip_prefix(b"# branch.oid ") {
                    status.head = String::from_utf8_lossy(head).parse().ok();
                } else if let Some(branch) = record.strip_prefix(b"# branch.head ") {
                    let branch = String::from_utf8_lossy(branch).into_owned();
                    status.branch = (branch != "(detached)").then(|| Branch::new(branch));
                }
            }
            _ => anyhow::bail!("unknown status line {:?}", String::from_utf8_lossy(record)),
        }
    }
    Ok(status)
}

/// git ends the names of folders with a slash.
fn without_slash(path: &RepoPath) -> RepoPath {
    RepoPath::new(path.as_bytes().strip_suffix(b"/").unwrap_or(path.as_bytes()))
}

/// Returns what the index of a worktree holds.
pub(crate) fn index(git: &Git) -> Result<Vec<IndexEntry>> {
    parse_index(&git.user(["ls-files", "-z", "-v", "--stage"]).reader().bytes()?)
}

/// Reads `git ls-files -z -v --stage`: `flag mode oid stage`, tab, path.
fn parse_index(bytes: &[u8]) -> Result<Vec<IndexEntry>> {
    let entry = |record: &[u8]| {
        let at = record.iter().position(|byte| *byte == b'\t')?;
        let words: Vec<&str> = std::str::from_utf8(&record[..at]).ok()?.split(' ').collect();
        let [flag, mode, oid, stage] = words[..] else { return None };
        Some(IndexEntry {
            flag: *flag.as_bytes().first()?,
            mode: mode.parse().ok()?,
            oid: oid.to_owned(),
            stage: stage.parse().ok()?,
            path: RepoPath::new(&record[at + 1..]),
        })
    };
    records(bytes)
        .map(|record| entry(record).context("an unreadable line of git ls-files"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_tells_the_index_from_the_file() {
        let oid = "a".repeat(40);
        let line =
            |xy: &str, path: &str| format!("1 {xy} N... 100644 100644 100644 {oid} {oid} {path}\0");
        let text = [
            format!("# branch.oid {oid}\0# branch.head (detached)\0"),
            line("M.", "a b"),
            line("D.", "dropped"),
            line("MM", "both"),
            line(".D", "gone"),
            line(".A", "soon"),
            format!("u UU N... 100644 100644 100644 100644 {oid} {oid} {oid} c d\0"),
            "? new\0? inner/\0! target/\0".to_owned(),
        ]
        .concat();
        let Status { head, branch, changes, intended, indexed } =
            parse_status(text.as_bytes()).unwrap();
        assert_eq!((head.unwrap().as_str(), branch), (oid.as_str(), None));
        assert_eq!(changes.staged, ["a b".into(), "dropped".into(), "both".into()]);
        assert_eq!(indexed, ["a b".into(), "both".into(), "gone".into(), "soon".into()]);
        assert_eq!(changes.changed, ["both".into(), "soon".into()]);
        assert_eq!((changes.deleted, changes.unmerged), (vec!["gone".into()], vec!["c d".into()]));
        assert_eq!(changes.untracked, ["new".into(), "inner".into()]);
        assert_eq!((changes.ignored, intended.len()), (vec!["target".into()], 1));
        assert!(parse_status(b"9 x\0").is_err());
    }

    #[test]
    fn the_index_is_read_with_flags_and_stages() {
        let oid = "b".repeat(40);
        let text = format!("h 100644 {oid} 0\ta\nb\0M 100755 {oid} 2\tc\td\0");
        let index = parse_index(text.as_bytes()).unwrap();
        assert_eq!((index[0].flag, index[0].path.as_bytes()), (b'h', &b"a\nb"[..]));
        assert_eq!((index[1].stage, index[1].path.as_bytes()), (2, &b"c\td"[..]));
        assert!(parse_index(b"nonsense\0").is_err());
    }

    #[test]
    fn only_the_newest_commits_are_tips() {
        let [a, b, c] = ["a", "b", "c"].map(|c| c.repeat(40));
        assert_eq!(newest(&format!("{c} {b}\n{b} {a}")).unwrap(), [c.parse().unwrap()]);
        assert_eq!(newest("").unwrap(), []);
    }
}
