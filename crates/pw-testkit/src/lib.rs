//! Development only: hermetic repositories, scripted workers, a scripted API for the real client.
#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

pub mod real_client;
pub mod scripted_api;
