//! Objects: blobs, trees and commits written without any checkout.

use anyhow::{Context as _, Result};
use pw_core::id::Oid;
use pw_core::path::RepoPath;

use crate::Repo;
use crate::process::{Call, records};

impl Repo {
    /// Returns the content of `revision:path`.
    pub(crate) fn blob(&self, commit: &Oid, path: &str) -> Result<Vec<u8>> {
        self.git.plumbing(["cat-file", "blob", &format!("{commit}:{path}")]).reader().bytes()
    }

    /// Returns the folders of a commit.
    pub fn folders(&self, commit: &Oid) -> Result<Vec<RepoPath>> {
        let args = ["ls-tree", "-r", "-d", "-z", "--name-only", "--full-tree", commit.as_str()];
        let answer = self.git.plumbing(args).reader().bytes()?;
        Ok(records(&answer).map(RepoPath::new).collect())
    }

    /// Returns whether a commit has anything at `path`.
    pub fn is_tracked(&self, commit: &Oid, path: &str) -> Result<bool> {
        let args = ["ls-tree", "-z", "--name-only", "--full-tree", commit.as_str(), "--", path];
        Ok(!self.git.plumbing(args).reader().bytes()?.is_empty())
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
        oid(author.sign(self.commit_tree(tree, parents, message)))
    }

    pub(crate) fn commit_tree(&self, tree: &Oid, parents: &[&Oid], message: &str) -> Call {
        let parents = parents.iter().flat_map(|parent| ["-p", parent.as_str()]);
        self.git.plumbing(["commit-tree", tree.as_str()].into_iter().chain(parents)).input(message)
    }
}

/// Who writes commits; without a configuration git would refuse or guess.
#[derive(Clone, Debug)]
pub struct Author {
    pub(crate) name: String,
    pub(crate) email: String,
}

impl Author {
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
