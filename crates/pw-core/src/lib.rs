//! The rules of parallel-workflows: plain facts in, reports out.
//!
//! Nothing here starts a process, opens a file, reads the environment or asks for the time;
//! `.clippy.toml` beside this crate enforces it.

#![warn(missing_docs)]

pub mod analyze;
pub mod channel;
pub mod checkpoint;
pub mod cleanup;
pub mod conflict;
pub mod conflict_markers;
pub mod conflict_prediction;
pub mod culprits;
pub mod details;
pub mod diagnosis;
pub mod doctor;
pub mod engine;
pub mod facts;
pub mod failure;
pub mod finish;
pub mod gap;
pub mod gate;
pub mod gate_report;
pub mod git_hook;
pub mod graph;
pub mod guard;
pub mod history;
pub mod hollow_entries;
pub mod id;
pub mod ignored_own_files;
pub mod integration;
pub mod launch;
pub mod launcher;
pub mod lock;
pub mod merge_order;
pub mod message_hooks;
pub mod moved_edit;
pub mod next;
pub mod own_commits;
pub mod path;
pub mod permissions;
pub mod plan;
pub mod prerequisites;
pub mod prompt;
pub mod record;
pub mod remedy;
pub mod remote;
pub mod report;
pub mod retro;
pub mod scope;
pub mod session;
pub mod setup;
pub mod shell_word;
pub mod signal;
pub mod snapshot;
pub mod status;
pub mod stop;
pub mod system;
pub mod template;
pub mod text;
pub mod time;
pub mod trailer;
pub mod trial;
pub mod union;
pub mod unstageable;
pub mod worker;
mod yaml;
