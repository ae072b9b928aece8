//! Snapshots: a worktree's whole state as a commit, without touching its index.
//!
//! The tree of the commit is every file as it is on disk, byte for byte: hashed without filters,
//! so that line ends, LFS and attributes change nothing. Its last parent is the *state*: a commit
//! with the index, what git had under way and the lists of what differed, on top of HEAD and of
//! commits that only the worktree knew. Empty folders, sockets and pipes are not kept.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use pw_core::blob::FileMode;
use pw_core::branch::Branch;
use pw_core::id::Oid;
use pw_core::path::RepoPath;
use pw_core::snapshot::{Changes, Kept, SnapshotId};
use tempfile::TempDir;

use crate::Repo;
use crate::objects::oid;
use crate::process::{Git, records};
use crate::survey::{IndexEntry, Survey, own_files};
use crate::walk::FileEntry;

/// Attributes with which git's object is not what is on disk, though sizes may be the same.
const FILTERS: &[&str] = &["filter", "ident", "working-tree-encoding"];

/// Where the state keeps what.
pub(crate) const INDEX: &str = "index";
pub(crate) const FLAGS: &str = "flags";
pub(crate) const OWN: &str = "git";
const CHANGES: &str = "changes";
/// Permissions, for example 0600, which git keeps of no file.
pub(crate) const PERMISSIONS: &str = "permissions";

const SHAPE: &[&str] = &[
    "log",
    "-z",
    "--no-walk=unsorted",
    "--no-show-signature",
    "--no-notes",
    "--format=%H%x00%T%x00%P%x00%ct%x00%B",
    "--stdin",
];

/// One entry of a tree about to be written.
struct Entry<'a> {
    mode: FileMode,
    oid: String,
    path: &'a RepoPath,
}

impl Repo {
    /// Writes a survey's worktree as a commit; nothing points to it yet. `title` is one line.
    ///
    /// Repositories inside the worktree are not in it: see [`Changes::nested`].
    pub fn snapshot(&self, worktree: &Path, survey: &Survey, title: &str) -> Result<Oid> {
        let writer = Writer {
            git: self.git.at(worktree),
            survey,
            folder: TempDir::with_prefix("pw-snapshot-").context("making a temporary folder")?,
            last: RefCell::default(),
        };
        let Blobs { files, own } = writer.blobs()?;
        let tree = writer.tree(
            files
                .into_iter()
                .map(|(path, oid)| Entry { mode: survey.files[path].mode, oid, path })
                .chain(writer.submodules()),
        )?;
        let state = writer.state(&own)?;
        let author = self.author()?;
        let parents: Vec<&Oid> = survey.head.iter().chain(&survey.commits).collect();
        let state = self.write_commit(&author, &state, &parents, "State of a worktree\n")?;
        let mut message = format!("{title}\n\nPw-State: {state}\n");
        let named = [
            ("Head", survey.head.as_ref().map(ToString::to_string)),
            ("Branch", survey.branch.as_ref().map(ToString::to_string)),
            ("Operation", survey.operation.map(|operation| operation.to_string())),
        ];
        for (key, value) in named.iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
            message += &format!("Pw-{key}: {value}\n");
        }
        let parents: Vec<&Oid> = survey.head.iter().chain([&state]).collect();
        self.write_commit(&author, &tree, &parents, &message)
    }

    /// Writes a snapshot of a commit that no worktree has.
    pub fn snapshot_of_commit(
        &self,
        commit: &Oid,
        branch: Option<&Branch>,
        title: &str,
    ) -> Result<Oid> {
        let branch = branch.map(|branch| format!("Pw-Branch: {branch}\n")).unwrap_or_default();
        let message = format!("{title}\n\nPw-Head: {commit}\n{branch}");
        self.write_commit(&self.author()?, &self.tree_of(commit)?, &[commit], &message)
    }

    /// Returns whether two snapshots hold the same, whenever and why they were taken.
    pub fn is_same_snapshot(&self, a: &Oid, b: &Oid) -> Result<bool> {
        let known = self.shapes([a.as_str(), b.as_str()])?;
        let (a, b) = (shape(&known, a.as_str())?, shape(&known, b.as_str())?);
        let differs = |key| a.trailer(key) != b.trailer(key);
        if a.tree != b.tree || ["Head", "Branch", "Operation"].into_iter().any(differs) {
            return Ok(false);
        }
        let (Some(a), Some(b)) = (a.trailer("State"), b.trailer("State")) else {
            return Ok(!differs("State"));
        };
        let known = self.shapes([a, b])?;
        let (a, b) = (shape(&known, a)?, shape(&known, b)?);
        Ok(a.tree == b.tree && a.parents == b.parents)
    }

    /// Reads snapshots, each with its name.
    pub fn snapshots(&self, named: &[(SnapshotId, Oid)]) -> Result<Vec<Kept>> {
        let commits = self.shapes(named.iter().map(|(_, commit)| commit.as_str()))?;
        let states = self.shapes(commits.values().filter_map(|commit| commit.trailer("State")))?;
        let read = |(id, oid): &(SnapshotId, Oid)| {
            let commit = shape(&commits, oid.as_str())?;
            let state = commit.trailer("State").map(|state| shape(&states, state)).transpose()?;
            let head = commit.trailer("Head").and_then(|head| head.parse().ok());
            let (changes, parents) = match state {
                Some(state) => (Changes::parse(&self.blob(&state.oid, CHANGES)?), &*state.parents),
                None => (Changes::default(), &[][..]),
            };
            Ok(Kept {
                id: id.clone(),
                commit: oid.clone(),
                at: commit.time,
                title: commit.message.lines().next().unwrap_or_default().to_owned(),
                branch: commit.trailer("Branch").map(Branch::from),
                operation: commit.trailer("Operation").and_then(|operation| operation.parse().ok()),
                commits: parents
                    .iter()
                    .filter(|oid| Some(*oid) != head.as_ref())
                    .cloned()
                    .collect(),
                head,
                changes,
            })
        };
        named.iter().map(read).collect()
    }

    /// Returns the commit that holds a snapshot's state; `None` for one of a commit alone.
    pub(crate) fn state_of(&self, snapshot: &Oid) -> Result<Option<Oid>> {
        let known = self.shapes([snapshot.as_str()])?;
        let state = shape(&known, snapshot.as_str())?.trailer("State");
        state.map(|state| state.parse().ok().context("the snapshot names no state")).transpose()
    }

    /// Reads commits, by their ids.
    pub(crate) fn shapes<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, Shape>> {
        let input: String = ids.into_iter().map(|id| format!("{id}\n")).collect();
        if input.is_empty() {
            return Ok(HashMap::new());
        }
        let answer = self.git.plumbing(SHAPE).reader().input(input).bytes()?;
        let fields: Vec<&[u8]> =
            answer.strip_suffix(b"\0").unwrap_or(&answer).split(|byte| *byte == 0).collect();
        let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
        let read = |fields: &[&[u8]]| {
            let [commit, tree, parents, time, message] = fields else { return None };
            let parents = text(parents)
                .split_whitespace()
                .map(|id| id.parse().ok())
                .collect::<Option<_>>()?;
            let shape = Shape {
                oid: text(commit).parse().ok()?,
                tree: text(tree).parse().ok()?,
                parents,
                time: text(time).parse().unwrap_or_default(),
                message: text(message),
            };
            Some((shape.oid.to_string(), shape))
        };
        fields.chunks(5).map(|fields| read(fields).context("git log printed no commit")).collect()
    }
}

pub(crate) fn shape<'a>(known: &'a HashMap<String, Shape>, id: &str) -> Result<&'a Shape> {
    known.get(id).with_context(|| format!("{id} is no commit"))
}

/// A commit, as it was written.
pub(crate) struct Shape {
    pub(crate) oid: Oid,
    pub(crate) tree: Oid,
    pub(crate) parents: Vec<Oid>,
    pub(crate) time: i64,
    pub(crate) message: String,
}

impl Shape {
    pub(crate) fn trailer(&self, key: &str) -> Option<&str> {
        let begin = format!("Pw-{key}: ");
        self.message.lines().skip(1).find_map(|line| line.strip_prefix(&begin))
    }
}

/// The objects of everything a snapshot holds.
struct Blobs<'a> {
    files: BTreeMap<&'a RepoPath, String>,
    /// Files of the worktree's private folder, by their names there.
    own: Vec<(String, String)>,
}

struct Writer<'a> {
    git: Git,
    survey: &'a Survey,
    folder: TempDir,
    /// The tree that was written last, by its entries: where nothing was changed, files and index are
    /// the same.
    last: RefCell<Option<(Vec<u8>, Oid)>>,
}

impl<'a> Writer<'a> {
    /// Writes what git does not have yet; returns the object of every file on disk, and of every
    /// file of the worktree's private folder.
    fn blobs(&self) -> Result<Blobs<'a>> {
        let mut blobs = self.known()?;
        let own = own_files(&self.survey.own)?;
        let missing: Vec<(&RepoPath, &FileEntry)> =
            self.survey.files.iter().filter(|(path, _)| !blobs.contains_key(path)).collect();
        let mut names = String::new();
        for (number, (path, file)) in missing.iter().enumerate() {
            if file.mode == FileMode::LINK {
                names += &self.link(number, path)?;
            } else {
                names += &path.quoted();
            }
            names.push('\n');
        }
        for (_, path) in &own {
            names += &RepoPath::new(path.as_os_str().as_bytes()).quoted();
            names.push('\n');
        }
        let call = self.git.plumbing(["hash-object", "-w", "--no-filters", "--stdin-paths"]);
        let hashed = call.input(names).line()?;
        let mut hashed = hashed.lines().map(str::to_owned);
        let mut next = || hashed.next().context("git hash-object ended early");
        for (path, _) in missing {
            blobs.insert(path, next()?);
        }
        let own = own.into_iter().map(|(name, _)| Ok((name, next()?))).collect::<Result<_>>()?;
        Ok(Blobs { files: blobs, own })
    }

    /// Writes what a link says into a file beside, since git would follow the link.
    fn link(&self, number: usize, path: &RepoPath) -> Result<String> {
        let place = self.folder.path().join(format!("link-{number}"));
        let here = self.git.dir().join(path.to_path());
        let target = std::fs::read_link(&here).with_context(|| format!("reading {path}"))?;
        std::fs::write(&place, target.as_os_str().as_bytes())
            .context("writing a temporary file")?;
        Ok(RepoPath::new(place.as_os_str().as_bytes()).quoted())
    }

    /// Returns the objects of files that are, byte for byte, what the index has.
    fn known(&self) -> Result<BTreeMap<&'a RepoPath, String>> {
        let Survey { index, files, .. } = self.survey;
        let unchanged = self.survey.unchanged();
        let same_kind = |entry: &&IndexEntry| {
            let file = files.get(&entry.path);
            let is_link = |mode: FileMode| mode == FileMode::LINK;
            unchanged.contains(&entry.path)
                && file.is_some_and(|file| is_link(file.mode) == is_link(entry.mode))
        };
        let candidates: Vec<&IndexEntry> = index.iter().filter(same_kind).collect();
        if candidates.is_empty() {
            return Ok(BTreeMap::new());
        }
        // Line ends are converted only by taking bytes away or adding them.
        let input: String = candidates.iter().map(|entry| format!("{}\n", entry.oid)).collect();
        let check = self.git.plumbing(["cat-file", "--batch-check=%(objectsize)"]).reader();
        let sizes = check.input(input).line()?;
        let paths = crate::changes::joined(candidates.iter().map(|entry| &entry.path));
        let args = ["check-attr", "-z", "--stdin"].into_iter().chain(FILTERS.iter().copied());
        let attributes = self.git.user(args).reader().input(paths).bytes()?;
        let fields: Vec<&[u8]> = records(&attributes).collect();
        let filtered: std::collections::HashSet<&[u8]> = fields
            .chunks(3)
            .filter(|field| !matches!(field.get(2), Some(&(b"unspecified" | b"unset"))))
            .filter_map(|field| field.first().copied())
            .collect();
        let same = |(entry, size): &(&IndexEntry, &str)| {
            size.parse() == Ok(files[&entry.path].size) && !filtered.contains(entry.path.as_bytes())
        };
        let known = candidates.into_iter().zip(sizes.lines()).filter(same);
        Ok(known.map(|(entry, _)| (&entry.path, entry.oid.clone())).collect())
    }

    /// Returns the submodules in whose place there is an empty folder.
    fn submodules(&self) -> impl Iterator<Item = Entry<'a>> {
        let files = &self.survey.files;
        let is_empty = move |entry: &&IndexEntry| {
            !files.keys().any(|path| entry.path.contains(path) || *path == entry.path)
        };
        let entries =
            self.survey.index.iter().filter(|entry| entry.is_submodule() && entry.stage == 0);
        let is_there = |entry: &&IndexEntry| !self.survey.changes.deleted.contains(&entry.path);
        entries.filter(is_there).filter(is_empty).map(|entry| Entry {
            mode: entry.mode,
            oid: entry.oid.clone(),
            path: &entry.path,
        })
    }

    /// Writes the state's tree.
    fn state(&self, own: &[(String, String)]) -> Result<Oid> {
        let index = &self.survey.index;
        let mut listing = String::new();
        for stage in 0..4 {
            let of = |entry: &&IndexEntry| entry.stage == stage && entry.flag != b'A';
            let entries: Vec<Entry<'_>> = index
                .iter()
                .filter(of)
                .map(|entry| Entry { mode: entry.mode, oid: entry.oid.clone(), path: &entry.path })
                .collect();
            let name = if stage == 0 { INDEX.to_owned() } else { format!("stage-{stage}") };
            if stage == 0 || !entries.is_empty() {
                listing += &format!("040000 tree {}\t{name}\0", self.tree(entries.into_iter())?);
            }
        }
        let flags: Vec<u8> = index
            .iter()
            .filter(|entry| !matches!(entry.flag, b'H' | b'M'))
            .flat_map(|entry| [&[entry.flag, b' '], entry.path.as_bytes(), b"\0"].concat())
            .collect();
        let own_permissions = self.survey.files.iter().filter_map(|(path, file)| {
            let bits = format!("{:o} ", file.own_permissions()?);
            Some([bits.as_bytes(), path.as_bytes(), b"\0"].concat())
        });
        let permissions: Vec<u8> = own_permissions.flatten().collect();
        let mut blobs = vec![(FLAGS, flags), (CHANGES, self.survey.changes.to_bytes())];
        blobs.extend((!permissions.is_empty()).then_some((PERMISSIONS, permissions)));
        for (name, bytes) in blobs {
            let blob = self.git.plumbing(["hash-object", "-w", "--stdin"]).input(bytes).line()?;
            listing += &format!("100644 blob {blob}\t{name}\0");
        }
        let paths: Vec<(RepoPath, &String)> =
            own.iter().map(|(name, oid)| (name.as_str().into(), oid)).collect();
        let entries = paths.iter().map(|(path, oid)| Entry {
            mode: FileMode::FILE,
            oid: (*oid).clone(),
            path,
        });
        listing += &format!("040000 tree {}\t{OWN}\0", self.tree(entries)?);
        oid(self.git.plumbing(["mktree", "-z"]).input(listing))
    }

    /// Writes a tree of entries with any names, through a temporary index.
    fn tree<'e>(&self, entries: impl Iterator<Item = Entry<'e>>) -> Result<Oid> {
        let input: Vec<u8> = entries
            .flat_map(|Entry { mode, oid, path }| {
                [format!("{mode} {oid} 0\t").as_bytes(), path.as_bytes(), b"\0"].concat()
            })
            .collect();
        if let Some((_, tree)) = self.last.borrow().as_ref().filter(|(known, _)| *known == input) {
            return Ok(tree.clone());
        }
        let index = self.folder.path().join("index");
        if index.exists() {
            std::fs::remove_file(&index).context("removing a temporary index")?;
        }
        // Names that only Windows or macOS cannot have are allowed here.
        let anything = ["-c", "core.protectNTFS=false", "-c", "core.protectHFS=false"];
        let git = |args: &[&str]| {
            self.git.plumbing(anything.iter().chain(args)).env("GIT_INDEX_FILE", &index)
        };
        let is_empty = input.is_empty();
        git(&["update-index", "-z", "--index-info"]).input(input.as_slice()).run()?;
        // An entry that git did not take would be missing from the snapshot without a word.
        ensure!(is_empty || index.exists(), "git update-index wrote no index");
        let tree = oid(git(&["write-tree", "--missing-ok"]))?;
        self.last.replace(Some((input, tree.clone())));
        Ok(tree)
    }
}
