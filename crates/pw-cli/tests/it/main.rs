//! The helpers as processes, their wrappers, and the plugin as a whole.
#![expect(clippy::unwrap_used, reason = "tests: a panic is the report")]

mod agreement;
mod analyze;
mod begin;
mod bench;
mod budget;
mod circles;
mod cleanup;
mod configuration;
mod configured_hooks;
mod conflicts;
mod contract;
mod corpora;
mod crash;
mod doctor;
mod driver;
mod engines;
mod evals;
mod filter;
mod finish;
mod fleet;
mod format;
mod full_disk;
mod gate;
mod guard;
mod guard_held;
mod heavy;
mod help;
mod history;
mod hollow;
mod hook_managers;
mod hooks;
mod hostile;
mod house;
mod identity;
mod integrate;
mod items;
mod jobs;
mod kept_record;
mod landing;
mod launch;
mod layouts;
mod lifecycle;
mod links;
mod lock;
mod markdown;
mod mergiraf;
mod monitor;
mod moved_edits;
mod next;
mod notification;
mod ownership;
mod policy;
mod prediction;
mod preflight;
mod real_client;
mod release;
mod reliability;
mod remote;
mod repair;
mod retro;
mod session;
mod setup;
mod small;
mod snapshot;
mod soak;
mod sparse;
mod split;
mod squash;
mod states;
mod submodule;
mod sync;
mod terminal;
mod undo;
mod union;
mod unstageable;
mod wait;
mod watch;
mod worker;
mod worker_session;
mod wrapper;

use std::path::Path;

use pw_testkit::repo::TestRepo;

fn helpers() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_pw-setup")).parent().unwrap()
}

/// A repository with this plan in `plan.yaml`, not committed.
fn repo(plan: &str) -> TestRepo {
    let repo = TestRepo::new(helpers());
    repo.write("plan.yaml", plan);
    repo
}

/// A repository in which the plan's first wave was created.
fn created(plan: &str) -> TestRepo {
    TestRepo::created(helpers(), plan)
}

/// The three workers of such a plan do what was asked of them.
fn complete_all(repo: &TestRepo) {
    for (label, path) in [
        ("task-1-users", "api/users.py"),
        ("task-2-posts", "api/posts.py"),
        ("task-3-docs", "docs/a.md"),
    ] {
        repo.worker(label).write(path, label).commit(&format!("[COMPLETE] {label}"));
    }
}
