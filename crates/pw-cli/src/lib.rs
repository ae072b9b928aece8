//! The helpers: one file for each noun. Only `shell` prints.

#![warn(missing_docs)]

mod command;
mod engines;
mod facts;
mod heavy;
mod identity;
mod integrate;
mod landed;
mod launcher;
mod monitor;
mod moved_edits;
mod output;
mod picture;
mod prediction;
mod processes;
mod recorded;
mod remote;
mod repair;
mod retro;
pub mod schema;
mod session;
mod setup;
mod shell;
mod sighting;
mod snapshot;
mod view;
mod whole_file;
mod worker;
mod workflow;

pub use integrate::Integrate;
pub use monitor::Monitor;
pub use retro::RetroCli;
pub use setup::Setup;
pub use shell::{Cli, called, main, unknown};
pub use view::{Picture, Step, Watch};
pub use worker::WorkerCli;
