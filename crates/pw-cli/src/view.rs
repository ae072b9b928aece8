//! Answers for people: tables, and colours that mean something.
//!
//! Everything a worker wrote passes [`plain`], so that no worker's text reaches a terminal as a
//! command.

mod analyze;
mod condition;
mod failure;
mod integrate;
mod monitor;
mod page;
mod past;
mod retro;
mod setup;
mod snapshot;
mod table;
mod watch;
mod worker;

pub(crate) use self::analyze::{analysis, row};
pub(crate) use self::failure::failure;
pub(crate) use self::integrate::{aborted, finished, integrated, preview, readiness};
pub(crate) use self::monitor::{status, waited};
pub(crate) use self::page::{GENERATOR, page};
pub(crate) use self::past::{comparison, forgot, remembered};
pub(crate) use self::retro::{MARKER, retro, retro_markdown};
pub(crate) use self::setup::{check, created, doctor, explained, launched, list, repaired};
pub(crate) use self::snapshot::{cleanup, forgotten, restore};
pub(crate) use self::table::{plain, plain_lines};
pub use self::watch::{Picture, Step, Watch};
pub(crate) use self::worker::{brief, committed, ran, synced, undone};
