//! The helpers as processes, their wrappers, and the plugin as a whole.
#![expect(clippy::unwrap_used, reason = "tests: a panic is the report")]

mod real_client;
mod wrapper;
