//! The only room of parallel-workflows that starts git: one typed verb a question, facts out.
//!
//! Every parser of git's output stands beside its verb as a pure function over bytes.

#![warn(missing_docs)]

mod changes;
mod channel;
mod commit;
mod copy;
mod definitions;
mod glance;
mod half_written;
mod history;
mod hook_trace;
mod hooks;
mod keep_mtimes;
mod landing;
mod layout;
mod lock;
mod log;
mod machine;
mod merge;
mod merge_drivers;
mod merge_process;
mod message;
mod objects;
mod overrides;
mod own_settings;
mod past;
mod path_queries;
mod process;
mod record;
mod refs;
mod remote;
mod removal;
mod repo;
mod rerere;
mod resolution;
mod restore;
mod shallow;
mod snapshot;
mod sparse;
mod special_entries;
mod survey;
mod trial_tree;
mod union;
mod walk;
mod worktree;
mod worktree_links;

pub use changes::under_way;
pub use channel::Channel;
pub use copy::Copy;
pub use glance::Glance;
pub use hooks::{HookFolder, relative_path};
pub use lock::Lock;
pub use merge::{MergeOutcome, Merges, Pair, Scratch};
pub use objects::{Author, CommitWriter};
pub use process::{GitError, INSTALL, all, both, is_stopped, process_id};
pub use record::{Journal, RecordText};
pub use refs::{RefFiles, Transaction, has_changed};
pub use remote::{Asked, Remote, RemoteError};
pub use removal::PendingRemoval;
pub use repo::Repo;
pub use rerere::Unmerged;
pub use shallow::unshallow;
pub use survey::Survey;
pub use trial_tree::NoFilters;
pub use union::United;
pub use worktree::Worktree;
pub use worktree_links::{Entry, Whereabouts};
