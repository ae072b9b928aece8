//! Objects: blobs, trees and commits written without any checkout.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use pw_core::blob::Blob;
use pw_core::id::Oid;
use pw_core::path::RepoPath;
use tempfile::TempDir;

use crate::process::{Call, Dialogue, records};
use crate::{Repo, Scratch};

impl Repo {
    /// Returns the content of `revision:path`.
    pub(crate) fn blob(&self, commit: &Oid, path: &str) -> Result<Vec<u8>> {
        self.git.plumbing(["cat-file", "blob", &format!("{commit}:{path}")]).reader().bytes()
    }

    /// Returns the id that a blob of this content has; nothing is written.
    pub fn blob_id(&self, content: &str) -> Result<Oid> {
        oid(self.git.plumbing(["hash-object", "--stdin"]).input(content))
    }

    /// Writes a blob.
    pub fn write_blob(&self, content: &[u8], scratch: Option<&Scratch>) -> Result<Oid> {
        let call = self.git.plumbing(["hash-object", "-w", "--stdin"]).input(content);
        oid(self.within(scratch, call))
    }

    /// Returns a tree with other blobs at these paths.
    pub fn with_blobs(
        &self,
        tree: &Oid,
        blobs: &[(RepoPath, Blob)],
        scratch: Option<&Scratch>,
    ) -> Result<Oid> {
        let folder = TempDir::with_prefix("pw-index-").context("making a temporary folder")?;
        let index = folder.path().join("index");
        let call = |words: &[&str]| {
            self.within(scratch, self.git.plumbing(words).env("GIT_INDEX_FILE", &index))
        };
        call(&["read-tree", tree.as_str()]).run()?;
        // Without one, git would make another of these files alone.
        ensure!(index.is_file(), "git read-tree wrote no index");
        let line = |(path, Blob { mode, oid }): &(RepoPath, Blob)| {
            [format!("{mode} {oid}\t").as_bytes(), path.as_bytes(), b"\0"].concat()
        };
        let lines: Vec<u8> = blobs.iter().flat_map(line).collect();
        call(&["update-index", "-z", "--index-info"]).input(lines).run()?;
        oid(call(&["write-tree"]))
    }

    /// Returns the files of a commit, sorted.
    pub fn paths(&self, commit: &Oid) -> Result<Vec<RepoPath>> {
        let args = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit.as_str()];
        let answer = self.git.plumbing(args).reader().bytes()?;
        Ok(records(&answer).map(RepoPath::new).collect())
    }

    /// Returns whether a commit has anything at `path`.
    pub fn is_tracked(&self, commit: &Oid, path: &str) -> Result<bool> {
        let args = ["ls-tree", "-z", "--name-only", "--full-tree", commit.as_str(), "--", path];
        Ok(!self.git.plumbing(args).reader().bytes()?.is_empty())
    }

    /// Returns the blobs that a tree has at `paths`, as far as it has any there.
    pub fn blobs_at(
        &self,
        tree: &Oid,
        paths: &[RepoPath],
        scratch: Option<&Scratch>,
    ) -> Result<BTreeMap<RepoPath, Oid>> {
        if paths.is_empty() {
            return Ok(BTreeMap::new());
        }
        let paths: Vec<_> = paths.iter().map(RepoPath::to_path).collect();
        let words = ["ls-tree", "-r", "-z", "--full-tree", tree.as_str(), "--"];
        let words = words.map(OsStr::new).into_iter().chain(paths.iter().map(|p| p.as_os_str()));
        let call = self.within(scratch, self.git.plumbing(words).reader());
        let entry = |record: &[u8]| {
            let at = record.iter().position(|byte| *byte == b'\t')?;
            let about = std::str::from_utf8(&record[..at]).ok()?;
            let [_, "blob", id] = about.split(' ').collect::<Vec<_>>()[..] else { return None };
            Some((RepoPath::new(&record[at + 1..]), id.parse().ok()?))
        };
        Ok(records(&call.bytes()?).filter_map(entry).collect())
    }

    /// Returns the trees of commits, all in one process.
    pub(crate) fn trees_of(&self, commits: &[Oid]) -> Result<Vec<Oid>> {
        let names: String = commits.iter().map(|commit| format!("{commit}^{{tree}}\n")).collect();
        let call = self.git.plumbing(["cat-file", "--batch-check=%(objectname)"]).reader();
        let answer = call.input(names).bytes()?;
        let tree = |line: &str| line.parse().ok().with_context(|| format!("no tree: {line}"));
        String::from_utf8_lossy(&answer).lines().map(tree).collect()
    }

    /// Returns the contents of objects, all in one process.
    pub fn contents(&self, ids: &[Oid], scratch: Option<&Scratch>) -> Result<Vec<Vec<u8>>> {
        let names = ids.iter().map(|id| id.as_str().as_bytes().to_vec()).collect();
        let contents: Option<Vec<_>> = self.blobs(names, scratch)?.into_iter().collect();
        contents.context("git cat-file found no such object")
    }

    /// Returns the files of trees, all in one process; `None` for a path that has no file.
    pub fn files(
        &self,
        files: &[(Oid, RepoPath)],
        scratch: Option<&Scratch>,
    ) -> Result<Vec<Option<Vec<u8>>>> {
        let name = |(tree, path): &(Oid, RepoPath)| {
            [tree.as_str().as_bytes(), b":", path.as_bytes()].concat()
        };
        self.blobs(files.iter().map(name).collect(), scratch)
    }

    fn blobs(
        &self,
        names: Vec<Vec<u8>>,
        scratch: Option<&Scratch>,
    ) -> Result<Vec<Option<Vec<u8>>>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let input: Vec<u8> = names.iter().flat_map(|name| [name, &b"\0"[..]].concat()).collect();
        let call = self.git.plumbing(["cat-file", "--batch", "-z"]).reader().input(input);
        let call = self.within(scratch, call);
        parse_batch(&call.bytes()?, &names).context("reading git cat-file")
    }

    /// Writes a tree with one file.
    pub(crate) fn write_tree_of(&self, name: &str, content: &[u8]) -> Result<Oid> {
        let blob = self.git.plumbing(["hash-object", "-w", "--stdin"]).input(content).line()?;
        let entry = format!("100644 blob {blob}\t{name}\0");
        oid(self.git.plumbing(["mktree", "-z"]).input(entry))
    }

    /// Writes a commit; nothing points to it yet.
    pub fn write_commit(
        &self,
        author: &Author,
        tree: &Oid,
        parents: &[&Oid],
        message: &str,
    ) -> Result<Oid> {
        self.commit_writer(author.clone(), None)?.write(tree, parents, message)
    }

    /// Begins to write commits, into the repository or where the objects of a trial go.
    pub fn commit_writer(&self, author: Author, scratch: Option<&Scratch>) -> Result<CommitWriter> {
        let folder = TempDir::with_prefix("pw-commit-").context("making a temporary folder")?;
        let args = ["hash-object", "-t", "commit", "-w", "--no-filters", "--stdin-paths"];
        let call = self.within(scratch, self.git.plumbing(args));
        Ok(CommitWriter { author, git: call.dialogue()?, folder })
    }
}

/// Writes commits, all of them through one process; nothing points to them yet.
#[derive(Debug)]
pub struct CommitWriter {
    author: Author,
    git: Dialogue,
    folder: TempDir,
}

impl CommitWriter {
    /// Writes one commit, dated now; returns its id.
    pub fn write(&mut self, tree: &Oid, parents: &[&Oid], message: &str) -> Result<Oid> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let Author { name, email, zone } = &self.author;
        let who = format!("{name} <{email}> {seconds} {zone}");
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let text = format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n\n{message}");
        let file = self.folder.path().join("commit");
        std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        self.git.ask(file.as_os_str())?.parse().ok().context("git printed no object id")
    }
}

/// Who writes commits; without a configuration git would refuse or guess.
#[derive(Clone, Debug)]
pub struct Author {
    pub(crate) name: String,
    pub(crate) email: String,
    /// The offset from UTC, as `+0200`.
    pub(crate) zone: String,
}

impl Author {
    /// The author of trial commits, and of all others when git has no identity configured.
    pub fn fixed() -> Self {
        Self {
            name: "parallel-workflows".to_owned(),
            email: "pw@localhost".to_owned(),
            zone: "+0000".to_owned(),
        }
    }

    /// Reads `Name <email> seconds zone`.
    pub(crate) fn parse(ident: &str) -> Option<Self> {
        let (name, rest) = ident.split_once(" <")?;
        let (email, time) = rest.split_once("> ")?;
        let (_, zone) = time.trim_end().split_once(' ')?;
        (!name.is_empty()).then(|| Self {
            name: name.to_owned(),
            email: email.to_owned(),
            zone: zone.to_owned(),
        })
    }

    pub(crate) fn sign(&self, call: Call) -> Call {
        call.env("GIT_AUTHOR_NAME", &self.name)
            .env("GIT_AUTHOR_EMAIL", &self.email)
            .env("GIT_COMMITTER_NAME", &self.name)
            .env("GIT_COMMITTER_EMAIL", &self.email)
    }
}

pub(crate) fn oid(call: Call) -> Result<Oid> {
    call.line()?.parse().ok().context("git printed no object id")
}

/// Reads what `git cat-file --batch` prints for these names: `id type size`, the content, a
/// newline, or `name missing`.
fn parse_batch(mut bytes: &[u8], names: &[Vec<u8>]) -> Option<Vec<Option<Vec<u8>>>> {
    let mut blob = |name: &Vec<u8>| {
        if let Some(rest) = bytes.strip_prefix([name, &b" missing\n"[..]].concat().as_slice()) {
            bytes = rest;
            return Some(None);
        }
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let [_, kind, size] = head.split(' ').collect::<Vec<_>>()[..] else { return None };
        let size: usize = size.parse().ok()?;
        let rest = &bytes[end + 1..];
        let content = rest.get(..size)?;
        bytes = rest.get(size + 1..)?;
        Some((kind == "blob").then(|| content.to_vec()))
    };
    names.iter().map(&mut blob).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ident_is_read() {
        let author = Author::parse("A B <a@b> 1750000000 -0330\n").unwrap();
        assert_eq!((&*author.name, &*author.email, &*author.zone), ("A B", "a@b", "-0330"));
        assert!(Author::parse(" <> 1750000000 +0000").is_none());
    }

    #[test]
    fn a_batch_is_read_with_any_content_and_name() {
        let names = ["a1", "t:b\nc", "t:d", "b2"].map(|name| name.as_bytes().to_vec());
        let text = b"a1 blob 3\n\n\0x\nt:b\nc missing\n1 tree 1\nx\nb2 blob 0\n\n";
        let (a, b) = (Some(b"\n\0x".to_vec()), Some(Vec::new()));
        assert_eq!(parse_batch(text, &names), Some(vec![a, None, None, b]));
        assert_eq!(parse_batch(b"a1 blob 9\nshort\n", &names[..1]), None);
    }
}
