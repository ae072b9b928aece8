//! What the rules of the guard ask about the world around a tool call.

use crate::path::RepoPath;

/// Where a file lies that would be written, links followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// In the worker's worktree; empty for the worktree itself.
    Inside(RepoPath),
    /// In git's own folder.
    Git,
    /// In the repository's main checkout or in another worktree, or a folder that holds these.
    Elsewhere(String),
    /// A temporary file.
    Temporary,
    /// Outside the repository altogether.
    Outside(String),
    /// Cannot be told: links in a circle, or a name that is too long.
    Unclear(String),
}

/// What is around a tool call, asked only when it matters.
pub trait Surroundings {
    /// Returns the folder the call starts in, absolute.
    fn folder(&self) -> String;
    /// Returns the worker's worktree.
    fn worktree(&self) -> String;
    /// Returns whether a path is a folder that exists.
    fn is_folder(&self, path: &str) -> bool;
    /// Returns where a file lies; `path` is absolute, or relative to [`Self::folder`].
    fn target(&self, path: &str) -> Target;
    /// Returns whether there is anything at a path of the worktree.
    fn exists(&self, path: &RepoPath) -> bool;
    /// Returns whether git ignores a path of the worktree, so that no commit will hold it.
    fn is_ignored(&self, path: &RepoPath) -> bool;
    /// Returns whether git tracks a path of the worktree, or anything below it.
    fn is_tracked(&self, path: &RepoPath) -> bool;
    /// Returns whether a word names a commit.
    fn names_commit(&self, word: &str) -> bool;
    /// Returns the user's git alias for a verb.
    fn alias(&self, verb: &str) -> Option<String>;
    /// Returns a variable of the session's environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// Returns the files that an absolute pattern of the shell matches; `\` takes the meaning away.
    fn matching(&self, pattern: &str) -> Vec<String>;
}
