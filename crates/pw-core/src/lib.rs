//! The rules of parallel-workflows: plain facts in, reports out.
//!
//! Nothing here starts a process, opens a file, reads the environment or asks for the time;
//! `.clippy.toml` beside this crate enforces it.

pub mod analyze;
pub mod attribution;
pub mod cleanup;
pub mod conflict;
pub mod facts;
pub mod failure;
pub mod finish;
pub mod footprint;
pub mod gap;
pub mod gate;
pub mod gate_report;
pub mod graph;
pub mod guard;
pub mod history;
pub mod hollow;
pub mod id;
pub mod ignored;
pub mod integration;
pub mod launch;
pub mod lock;
pub mod marker;
pub mod path;
pub mod permissions;
pub mod plan;
pub mod prompt;
pub mod record;
pub mod remedy;
pub mod report;
pub mod retro;
pub mod scope;
pub mod session;
pub mod setup;
pub mod signal;
pub mod snapshot;
pub mod status;
pub mod stop;
pub mod time;
pub mod turn;
pub mod unfit;
pub mod work;
pub mod worker;
mod yaml;
