//! The only room of parallel-workflows that starts git: one typed verb a question, facts out.
//!
//! Every parser of git's output stands beside its verb as a pure function over bytes.

#![warn(missing_docs)]

mod aside;
mod asked;
mod behind;
mod changes;
mod commit;
mod driver;
mod history;
mod hook_trace;
mod hooks;
mod landing;
mod layout;
mod links;
mod lock;
mod log;
mod merge;
mod merger;
mod objects;
mod own_settings;
mod past;
mod process;
mod record;
mod refs;
mod repo;
mod rerere;
mod resolution;
mod restore;
mod shallow;
mod snapshot;
mod sparse;
mod survey;
mod trial;
mod untouched;
mod walk;
mod worktree;

pub use aside::Aside;
pub use hooks::{HookPlace, way};
pub use links::{Entry, Whereabouts};
pub use lock::Lock;
pub use merge::{MergeOutcome, Merges, Pair, Scratch};
pub use objects::{Author, CommitWriter};
pub use process::{GitError, INSTALL, all, both};
pub use record::Journal;
pub use refs::{RefFiles, Transaction};
pub use repo::Repo;
pub use rerere::Unmerged;
pub use shallow::unshallow;
pub use survey::Survey;
pub use trial::NoFilters;
pub use worktree::Worktree;
