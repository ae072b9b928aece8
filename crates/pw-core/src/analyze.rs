//! Facts for planning: what changed together in this repository, which split would have kept past
//! changes inside one worker, and whether to split at all.
//!
//! Everything is counted in changes: a *change* is one commit of the log, or one merge where work
//! lands by merges. A change of more than [`log::BULK`] files is *bulk* and counts as nothing.

pub mod advise;
pub mod backtest;
pub mod coupling;
pub mod emit;
pub mod foretell;
mod imagined;
mod item_scopes;
pub mod item_split;
pub mod item_words;
pub mod items;
pub mod items_known;
pub mod kinds;
pub mod log;
pub mod neighbours;
mod owners;
pub mod probable;
pub(crate) mod random;
pub mod report;
pub mod schedule;
pub(crate) mod scopes;
mod search;
mod split;
mod texts;
mod tree;
