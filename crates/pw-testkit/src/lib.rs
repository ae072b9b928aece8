//! Development only: hermetic repositories, scripted workers, a scripted API for the real client,
//! what reads text of others.
#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

pub mod dice;
pub mod faults;
mod labels;
pub mod parsers;
pub mod plans;
pub mod real_client;
pub mod repo;
pub mod rows;
pub mod scripted_api;
mod template;
