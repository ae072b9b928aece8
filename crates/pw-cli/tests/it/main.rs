//! The helpers and their wrappers as processes.

mod wrapper;
