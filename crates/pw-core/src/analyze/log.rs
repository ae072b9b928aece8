//! What the log says: which files each change touched, renames followed.

use crate::path::RepoPath;

/// Changes of more files than this say nothing about what belongs together: formatting, licence
/// headers, vendored code.
pub const BULK: usize = 30;

/// Where at least this share of the mainline's commits are merges, work lands by merges.
const LANDS_BY_MERGES: f64 = 0.4;

/// The place of a path in [`Log::paths`].
pub type PathId = u32;

/// What `git log` told of the newest commits of a branch.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Every path the log names, by [`PathId`].
    pub paths: Vec<RepoPath>,
    /// The newest first, in the order of the log.
    pub entries: Vec<Entry>,
    /// Whether the clone is shallow: older commits exist elsewhere.
    pub is_shallow: bool,
    /// Whether the bound on commits was reached: older commits were not read.
    pub is_cut: bool,
}

/// One commit.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Whether it has several parents.
    pub is_merge: bool,
    /// Whether it lies on the chain of first parents.
    pub is_mainline: bool,
    /// How many files it touched; more than there are `touches` when it is bulk.
    pub files: usize,
    /// Of a merge, what differs from its first parent. Of a bulk commit, all but plain edits.
    pub touches: Vec<Touch>,
    /// The first line of its message; of a merged pull request the title, too.
    pub subject: String,
}

/// One file in one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The path after the commit.
    pub path: PathId,
    /// What became of it.
    pub how: TouchKind,
}

/// What a commit did to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TouchKind {
    /// It was not there before.
    Added,
    /// Its content or mode changed.
    Edited,
    /// It is gone.
    Deleted,
    /// It was renamed, from this path.
    RenamedFrom(PathId),
}

/// The changes of a log, the oldest first.
#[derive(Clone, Debug)]
pub struct Changes<'a> {
    /// The log they are from.
    pub log: &'a Log,
    /// The changes, one commit or merge each.
    pub entries: Vec<&'a Entry>,
    /// Whether a change is a merge here, not a commit.
    pub are_merges: bool,
}

impl Entry {
    /// Whether it touches so many files that it says nothing about what belongs together.
    pub fn is_bulk(&self) -> bool {
        self.files > BULK
    }

    /// Returns the paths that the worker who makes this change must be allowed to write.
    pub fn written(&self) -> impl Iterator<Item = PathId> {
        self.touches.iter().flat_map(|touch| {
            let from = match touch.how {
                TouchKind::RenamedFrom(from) => Some(from),
                _ => None,
            };
            from.into_iter().chain([touch.path])
        })
    }
}

/// How many changes a log has, counted while it is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    mainline: usize,
    merges: usize,
    /// Changes that are not bulk, if a change is a merge, and if it is a commit.
    plain: [usize; 2],
}

impl Tally {
    /// Counts one more entry.
    pub fn add(&mut self, entry: &Entry) {
        let is_plain = entry.files > 0 && !entry.is_bulk();
        self.mainline += usize::from(entry.is_mainline);
        self.merges += usize::from(entry.is_mainline && entry.is_merge);
        self.plain[0] += usize::from(is_plain && entry.is_mainline);
        self.plain[1] += usize::from(is_plain && !entry.is_merge);
    }

    /// Returns how many changes there are that are not bulk.
    pub fn plain(&self) -> usize {
        self.plain[usize::from(!self.are_merges())]
    }

    fn are_merges(&self) -> bool {
        share(self.merges, self.mainline) >= LANDS_BY_MERGES
    }
}

impl Log {
    /// Returns what is known today: the files of the newest changes, at most `most` of them.
    pub fn today(&self, most: usize) -> Known {
        let changes = self.changes();
        changes.until(changes.entries.len(), most)
    }

    /// Returns the changes: the mainline where work lands by merges, else every commit but merges.
    pub fn changes(&self) -> Changes<'_> {
        let mut tally = Tally::default();
        self.entries.iter().for_each(|entry| tally.add(entry));
        let are_merges = tally.are_merges();
        let counts = |entry: &&Entry| match are_merges {
            true => entry.is_mainline,
            false => !entry.is_merge,
        };
        let mut entries: Vec<&Entry> =
            self.entries.iter().filter(counts).filter(|entry| entry.files > 0).collect();
        entries.reverse();
        Changes { log: self, entries, are_merges }
    }
}

impl Changes<'_> {
    /// Returns the changes that are not bulk, by index.
    pub fn plain(&self) -> Vec<usize> {
        (0..self.entries.len()).filter(|at| !self.entries[*at].is_bulk()).collect()
    }

    /// Returns the files that exist before change `end`, and for the plain ones among the last
    /// `most` changes before it the files they touched, by the names of that time, the newest
    /// first.
    pub fn until(&self, end: usize, most: usize) -> Known {
        let mut names = Names(vec![UNMET; self.log.paths.len()]);
        let (mut known, mut changes, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (place, entry) in self.entries[..end].iter().enumerate().rev() {
            let is_wanted = !entry.is_bulk() && changes.len() < most;
            let mut files = Vec::new();
            for touch in &entry.touches {
                let (name, is_first) = names.now(touch.path);
                let gone = touch.how == TouchKind::Deleted;
                if is_first {
                    names.set(touch.path, name.filter(|_| !gone));
                    known.extend(name.filter(|_| !gone));
                }
                files.extend(names.now(touch.path).0.filter(|_| is_wanted));
            }
            for touch in &entry.touches {
                match touch.how {
                    TouchKind::RenamedFrom(from) => names.rename(from, touch.path),
                    // Before this the name may have been another file's.
                    TouchKind::Added => names.set(touch.path, None),
                    TouchKind::Edited | TouchKind::Deleted => {}
                }
            }
            if is_wanted {
                files.sort_unstable();
                files.dedup();
                changes.push(files);
                places.push(place);
            }
        }
        // What no older change names was there before them, unless a later one made it.
        let made = self.made_from(end);
        let is_old = |at: &usize| names.0[*at] == UNMET && !made[*at];
        let old = (0..self.log.paths.len()).filter(is_old);
        known.extend(old.filter_map(|at| PathId::try_from(at).ok()));
        Known { files: known, changes, places }
    }

    /// Says of each path whether the first of the changes from this one on that name it has made it.
    fn made_from(&self, start: usize) -> Vec<bool> {
        let mut made = vec![None; self.log.paths.len()];
        for touch in self.entries[start..].iter().flat_map(|entry| &entry.touches) {
            if let TouchKind::RenamedFrom(from) = touch.how {
                made[from as usize].get_or_insert(false);
            }
            made[touch.path as usize].get_or_insert(touch.how.makes());
        }
        made.into_iter().map(Option::unwrap_or_default).collect()
    }
}

impl TouchKind {
    /// Returns whether the file has its name since this change.
    pub(super) fn makes(self) -> bool {
        matches!(self, Self::Added | Self::RenamedFrom(_))
    }
}

/// What is known at one moment of the past.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Files that exist; of those that no change touched, such as the log names otherwise.
    pub files: Vec<PathId>,
    /// The files of each plain change, the newest first; those that are gone left out.
    pub changes: Vec<Vec<PathId>>,
    /// The place of each of these in [`Changes::entries`].
    pub places: Vec<usize>,
}

/// In [`Names`]: not met so far.
const UNMET: PathId = PathId::MAX;

/// In [`Names`]: gone.
const GONE: PathId = PathId::MAX - 1;

/// By path: what a file of older commits is called later.
struct Names(Vec<PathId>);

impl Names {
    /// Returns the later name, and whether this path is met for the first time.
    fn now(&self, path: PathId) -> (Option<PathId>, bool) {
        match self.0[path as usize] {
            UNMET => (Some(path), true),
            GONE => (None, false),
            name => (Some(name), false),
        }
    }

    fn set(&mut self, path: PathId, name: Option<PathId>) {
        self.0[path as usize] = name.unwrap_or(GONE);
    }

    fn rename(&mut self, from: PathId, to: PathId) {
        let name = self.now(to).0;
        self.set(from, name);
        // Older commits that name `to` speak of another file.
        self.set(to, None);
    }
}

/// Returns `part / whole`, nothing of nothing being 0.
#[expect(clippy::cast_precision_loss, reason = "counts of commits are far below 2^52")]
pub fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
