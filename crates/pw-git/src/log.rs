//! The log of a branch, for what changed together: one `git log`, read as it comes.

use std::collections::HashMap;
use std::io::BufRead;

use anyhow::{Context as _, Result};
use pw_core::analyze::log::{BULK, Entry, Log, PathId, Tally, Touch, TouchKind};
use pw_core::id::Oid;
use pw_core::path::RepoPath;

use crate::process::{Rest, records};
use crate::{GitError, Repo};

/// A line of ids for each commit and its message, then what it did to which file; of a merge, against
/// its first parent.
const LOG: &[&str] = &[
    "log",
    "-z",
    "--name-status",
    "--diff-merges=first-parent",
    "--no-show-signature",
    "--no-notes",
    "--no-decorate",
    "--no-mailmap",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--ignore-submodules=none",
    "--encoding=UTF-8",
    "--format=%H %P%n%B",
];

/// Bytes of a line of a message that are kept.
const MOST_SUBJECT: usize = 200;

/// Files that a commit touched are kept up to this number in all, 24 MB; older commits are not
/// read.
const MOST_TOUCHES: usize = 2_000_000;

impl Repo {
    /// Reads the newest commits that `tip` contains, at most `limit`.
    pub fn log(&self, tip: &Oid, limit: usize) -> Result<Log> {
        self.log_until(tip, limit, usize::MAX)
    }

    /// The same, and no more than hold so many changes that are not bulk: git writes no further.
    pub fn log_until(&self, tip: &Oid, limit: usize, changes: usize) -> Result<Log> {
        // Files renamed and edited in one commit are compared by content, which a partial clone may
        // not have; those renamed as they were are known by their id.
        self.log_with(tip, (limit, changes), "-M").or_else(|error| match error.is::<GitError>() {
            true => self.log_with(tip, (limit, changes), "-M100%"),
            false => Err(error),
        })
    }

    /// Returns the files of a commit; those that the log does not name are added to its paths.
    pub fn files_in(&self, tip: &Oid, log: &mut Log) -> Result<Vec<PathId>> {
        let args = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", tip.as_str()];
        let listed = self.git.plumbing(args).reader().bytes()?;
        let known = log.paths.iter().enumerate().map(|(at, path)| (path.clone(), at));
        let known: HashMap<RepoPath, usize> = known.collect();
        let mut place = |path: &[u8]| {
            let path = RepoPath::new(path);
            let at = known.get(&path).copied().unwrap_or_else(|| {
                log.paths.push(path);
                log.paths.len() - 1
            });
            Ok(PathId::try_from(at)?)
        };
        records(&listed).map(&mut place).collect()
    }

    fn log_with(&self, tip: &Oid, (limit, changes): (usize, usize), renames: &str) -> Result<Log> {
        let newest = format!("-n{limit}");
        let args = LOG.iter().copied().chain([renames, "-l400", &newest, tip.as_str(), "--"]);
        let call = self.git.plumbing(args).reader();
        let (mut log, _) = call.stream_until(|stdout| {
            let log = read(stdout, changes)?;
            let rest = if log.is_cut { Rest::Left } else { Rest::Read };
            Ok((log, rest))
        })?;
        log.is_shallow = self.is_shallow();
        log.is_cut |= log.entries.len() >= limit;
        Ok(log)
    }
}

/// Reads what [`LOG`] prints, until there are so many changes.
fn read(stdout: &mut impl BufRead, changes: usize) -> Result<Log> {
    let mut reader = Reader { stdout, field: Vec::new() };
    let (mut log, mut ids, mut touches) = (Log::default(), HashMap::new(), 0);
    let mut tally = Tally::default();
    let mut mainline: Option<Vec<u8>> = None;
    while let Some(field) = reader.next()? {
        if field.len() < 40 {
            let status = field.first().copied();
            let entry = log.entries.last_mut().context("git log told a change without a commit")?;
            touches += touch(&mut reader, status, entry, &mut log.paths, &mut ids)?;
            continue;
        }
        log.entries.last().into_iter().for_each(|entry| tally.add(entry));
        if touches > MOST_TOUCHES || tally.plain() >= changes {
            log.is_cut = true;
            break;
        }
        log.entries.push(entry(field, &mut mainline));
    }
    Ok(log)
}

/// Reads the ids of a commit and its parents, and its message; `mainline` is the next commit of the chain of
/// first parents.
fn entry(header: &[u8], mainline: &mut Option<Vec<u8>>) -> Entry {
    let end = header.iter().position(|byte| *byte == b'\n').unwrap_or(header.len());
    let (ids, message) = header.split_at(end);
    let mut words = ids.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (id, parent) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_mainline = mainline.as_deref().is_none_or(|next| next == id);
    if is_mainline {
        *mainline = Some(parent.to_vec());
    }
    let subject = subject(message);
    Entry { is_merge: words.next().is_some(), is_mainline, subject, ..Entry::default() }
}

/// Returns the first line of a message; of a merged pull request, the line that hosts put below it, too: its title.
fn subject(message: &[u8]) -> String {
    let mut lines = message.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let title = lines.next().filter(|_| first.starts_with(b"Merge pull request "));
    let short =
        |line: &[u8]| String::from_utf8_lossy(&line[..line.len().min(MOST_SUBJECT)]).into_owned();
    short(first) + &title.map(|title| format!(" {}", short(title))).unwrap_or_default()
}

/// Reads one file of a commit; returns how many were kept.
fn touch(
    reader: &mut Reader<'_, impl BufRead>,
    status: Option<u8>,
    entry: &mut Entry,
    paths: &mut Vec<RepoPath>,
    ids: &mut HashMap<Vec<u8>, PathId>,
) -> Result<usize> {
    let mut path = || -> Result<PathId> {
        let path = reader.next()?.context("git log told a change without a path")?;
        if let Some(id) = ids.get(path) {
            return Ok(*id);
        }
        let id = PathId::try_from(paths.len())?;
        paths.push(RepoPath::new(path));
        ids.insert(path.to_vec(), id);
        Ok(id)
    };
    let first = path()?;
    let touch = match status {
        Some(b'A' | b'C') => Touch { path: first, how: TouchKind::Added },
        Some(b'D') => Touch { path: first, how: TouchKind::Deleted },
        Some(b'R') => Touch { path: path()?, how: TouchKind::RenamedFrom(first) },
        _ => Touch { path: first, how: TouchKind::Edited },
    };
    entry.files += 1;
    if entry.files > BULK {
        if entry.files == BULK + 1 {
            entry.touches.retain(|touch| touch.how != TouchKind::Edited);
        }
        if touch.how == TouchKind::Edited {
            return Ok(0);
        }
    }
    entry.touches.push(touch);
    Ok(1)
}

/// Fields that end with NUL.
struct Reader<'a, R> {
    stdout: &'a mut R,
    field: Vec<u8>,
}

impl<R: BufRead> Reader<'_, R> {
    /// Returns the next field, without the newline that git puts between a commit and its files.
    fn next(&mut self) -> Result<Option<&[u8]>> {
        self.field.clear();
        self.stdout.read_until(0, &mut self.field).context("reading git log")?;
        let field = self.field.strip_suffix(b"\0").unwrap_or(&self.field);
        let is_end = self.field.is_empty();
        Ok((!is_end).then(|| field.strip_prefix(b"\n").unwrap_or(field)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_tells_renames_merges_and_the_mainline() {
        let id = |digit: &str| digit.repeat(40);
        let text = format!(
            "{} {} {}\nMerge pull request #1\n\nFix a\n\0\nM\0a\0{} {}\nMove it\n\0\nR090\0old\0new\0A\0b c\0{} \0",
            id("3"),
            id("1"),
            id("2"),
            id("2"),
            id("1"),
            id("1")
        );
        let log = read(&mut text.as_bytes(), usize::MAX).unwrap();
        let entry = |at: usize| (log.entries[at].is_merge, log.entries[at].is_mainline);
        assert_eq!([entry(0), entry(1), entry(2)], [(true, true), (false, false), (false, true)]);
        let names: Vec<String> = log.paths.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a", "old", "new", "b c"]);
        let subjects: Vec<&str> = log.entries.iter().map(|entry| entry.subject.as_str()).collect();
        assert_eq!(subjects, ["Merge pull request #1 Fix a", "Move it", ""]);
        let touches = [(2, TouchKind::RenamedFrom(1)), (3, TouchKind::Added)];
        assert_eq!(log.entries[1].touches, touches.map(|(path, how)| Touch { path, how }));
    }

    #[test]
    fn what_is_older_than_the_changes_asked_for_is_not_read() {
        let id = |digit: &str| digit.repeat(40);
        let merge = format!("{} {} {}\0\nM\0a\0", id("4"), id("3"), id("2"));
        let edit = |digit: &str, parent: &str| format!("{} {}\0\nM\0a\0", id(digit), id(parent));
        let text = merge + &edit("3", "2") + &edit("2", "1") + &edit("1", "");
        let commits = |changes| {
            let log = read(&mut text.as_bytes(), changes).unwrap();
            (log.entries.len(), log.is_cut)
        };
        // The newest is a merge, and half of the mainline after the second: a change each.
        assert_eq!([commits(1), commits(2), commits(9)], [(1, true), (2, true), (4, false)]);
    }

    #[test]
    fn of_a_bulk_commit_plain_edits_are_counted_and_not_kept() {
        let edits: String = (0..=BULK).map(|at| format!("M\0f{at}\0")).collect();
        let text = format!("{}\0\nA\0new\0{edits}", "1".repeat(40));
        let log = read(&mut text.as_bytes(), usize::MAX).unwrap();
        assert_eq!((log.entries[0].files, log.entries[0].touches.len()), (BULK + 2, 1));
    }
}
