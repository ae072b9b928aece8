//! git's memory of resolutions (`git rerere`), kept for one workflow alone.
//!
//! git would keep it in `rr-cache`, which all worktrees share, and whose mere presence turns rerere
//! on for the user. So the `rr-cache` of a workflow is a tree under its rerere ref, and git works
//! on a copy of it in a temporary repository that knows the conflicted files only as `0`, `1`, ….

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::id::Oid;
use tempfile::TempDir;

use crate::Repo;
use crate::process::Call;

/// A file that did not merge line by line.
#[derive(Clone, Debug)]
pub struct Unmerged {
    /// The file as git wrote it.
    pub marked: Vec<u8>,
    /// The length of its markers.
    pub size: usize,
    /// A blob of one side: git wants to see one, and does not read it.
    pub side: Oid,
}

impl Repo {
    /// Returns for each file its content with a recorded resolution of the same hunks, or `None`.
    pub fn recall(&self, memory: &Oid, files: &[Unmerged]) -> Result<Vec<Option<Vec<u8>>>> {
        let temporary = TemporaryRepo::new(self)?;
        temporary.call(self, &temporary.cache, ["read-tree", memory.as_str()]).run()?;
        temporary.call(self, &temporary.cache, ["checkout-index", "--all"]).run()?;
        temporary.lay_out(self, files)?;
        temporary.rerere(self)?;
        let known = |(at, file): (usize, &Unmerged)| {
            let content = temporary.read(at)?;
            Ok((content != file.marked).then_some(content))
        };
        files.iter().enumerate().map(known).collect()
    }

    /// Records resolutions; returns the tree of the new `rr-cache`, with what `memory` had.
    pub fn memorize(
        &self,
        memory: Option<&Oid>,
        files: &[Unmerged],
        resolutions: &[Vec<u8>],
    ) -> Result<Oid> {
        let temporary = TemporaryRepo::new(self)?;
        temporary.lay_out(self, files)?;
        temporary.rerere(self)?;
        for (at, content) in resolutions.iter().enumerate() {
            temporary.write(at, content)?;
        }
        temporary.rerere(self)?;
        // `add` comes last, so that a new resolution of the same hunks replaces the recorded one.
        if let Some(memory) = memory {
            temporary.call(self, &temporary.cache, ["read-tree", memory.as_str()]).run()?;
        }
        temporary.call(self, &temporary.cache, ["add", "--ignore-removal", "--", "."]).run()?;
        crate::objects::oid(temporary.call(self, &temporary.cache, ["write-tree"]))
    }
}

/// A temporary repository with the conflicted files; it shares only the object directory.
struct TemporaryRepo {
    _folder: TempDir,
    git_dir: PathBuf,
    files: PathBuf,
    cache: PathBuf,
}

impl TemporaryRepo {
    fn new(repo: &Repo) -> Result<Self> {
        let folder = TempDir::with_prefix("pw-rerere-").context("making a temporary folder")?;
        let git_dir = folder.path().join("git");
        let files = folder.path().join("files");
        let cache = git_dir.join("rr-cache");
        let format = if repo.head()?.1.as_str().len() == 64 { "sha256" } else { "sha1" };
        let format = format!("--object-format={format}");
        let git = repo.git.at(folder.path());
        git.plumbing(["init", "--quiet", "--bare", "--template=", &format, "git"]).run()?;
        for path in [&files, &cache, &git_dir.join("info")] {
            std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
        }
        Ok(Self { _folder: folder, git_dir, files, cache })
    }

    /// Begins a call whose work tree is `tree`. The `rr-cache` has an index of its own.
    fn call<'a>(&self, repo: &Repo, tree: &Path, args: impl IntoIterator<Item = &'a str>) -> Call {
        let index = if tree == self.cache { "index-of-cache" } else { "index" };
        repo.git
            .at(tree)
            .plumbing(args)
            .env("GIT_DIR", &self.git_dir)
            .env("GIT_WORK_TREE", tree)
            .env("GIT_INDEX_FILE", self.git_dir.join(index))
            .env("GIT_OBJECT_DIRECTORY", repo.common().join("objects"))
    }

    /// Writes the files as a merge that stopped leaves them.
    fn lay_out(&self, repo: &Repo, files: &[Unmerged]) -> Result<()> {
        let (mut index, mut attributes) = (String::new(), String::new());
        for (at, file) in files.iter().enumerate() {
            self.write(at, &file.marked)?;
            for stage in 1..=3 {
                index += &format!("100644 {} {stage}\t{at}\n", file.side);
            }
            attributes += &format!("{at} -text conflict-marker-size={}\n", file.size);
        }
        let path = self.git_dir.join("info/attributes");
        std::fs::write(&path, attributes).with_context(|| format!("writing {}", path.display()))?;
        self.call(repo, &self.files, ["update-index", "--index-info"]).input(index).run()?;
        Ok(())
    }

    fn rerere(&self, repo: &Repo) -> Result<()> {
        let words = ["-c", "rerere.enabled=true", "-c", "rerere.autoUpdate=false", "rerere"];
        self.call(repo, &self.files, words).run().map(drop)
    }

    fn path(&self, at: usize) -> PathBuf {
        self.files.join(at.to_string())
    }

    fn write(&self, at: usize, content: &[u8]) -> Result<()> {
        std::fs::write(self.path(at), content).context("writing a conflicted file")
    }

    fn read(&self, at: usize) -> Result<Vec<u8>> {
        std::fs::read(self.path(at)).context("reading a conflicted file")
    }
}
