//! Machines on which the helpers cannot be built: an old Rust, no compiler, no network, no room. Each is named with
//! what helps, to the caller, at a session's start and by the guard; once it is mended, the same command goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use pw_testkit::repo::write_program;

use super::{Plugin, guard_hook, refusal, session_start, stdout, worktree};

/// What cargo says of itself, what that is called here, and whether it builds.
const VERSIONS: [(&str, &str, bool); 5] = [
    ("cargo 1.70.0 (ec8a8a0ca 2023-04-25)\n", "cargo 1.70.0 is too old", false),
    ("cargo 1.88.0\n", "takes Rust 1.89 or newer", false),
    ("cargo 0.66.0\n", "cargo 0.66.0 is too old", false),
    ("cargo 1.89.0-nightly (ec8a8a0ca 2025-06-25)\n", "", true),
    ("cargo 2.0.0\n", "", true),
];

#[test]
fn an_old_rust_is_named_before_anything_is_built() {
    for (version, word, builds) in VERSIONS {
        let plugin = Plugin::new();
        plugin.write("tools/version", version);
        if builds {
            assert_eq!(stdout(&plugin.wrapper("pw-setup").output().unwrap()), "pw-setup\n");
            continue;
        }
        told_everywhere(&plugin, word, "rustup.rs");
        assert_eq!(plugin.count("calls"), 0, "{version}");
        assert!(!plugin.home().join("build.log").exists(), "{version}");
        fs::remove_file(plugin.path("tools/version")).unwrap();
        assert_eq!(stdout(&plugin.wrapper("pw-setup").output().unwrap()), "pw-setup\n");
    }
}

/// Rustup is there and has no toolchain.
#[test]
fn a_cargo_that_does_not_run_is_quoted() {
    let plugin = Plugin::new();
    let words = "error: rustup could not choose a version of cargo to run";
    fs::remove_file(plugin.path("tools/cargo")).unwrap();
    write_program(
        &plugin.path("tools/cargo"),
        &format!("#!/bin/sh\necho '{words}' >&2\necho help >&2\nexit 1\n"),
    );
    told_everywhere(&plugin, &format!("does not run ({words})"), "rustup.rs");
}

/// How a build ends, in the words of cargo, rustc and the system; the cause, and what helps.
const FAILURES: [(&str, &str, &str); 6] = [
    (
        "error: linker `cc` not found\n  |\n  = note: No such file or directory (os error 2)\n\n\
         error: could not compile `libc` (build script) due to 1 previous error\n",
        "no C compiler",
        "gcc or clang",
    ),
    (
        "error: failed to download from `sparse+registry`\n\nCaused by:\n  [6] Could not resolve hostname\n",
        "cannot be fetched",
        "HTTPS_PROXY",
    ),
    (
        "error: failed to get `clap` as a dependency of package `pw-cli v0.1.0`\n\nCaused by:\n  \
         unable to update registry\n",
        "cannot be fetched",
        "network",
    ),
    (
        "error: failed to write `target/x.rmeta`: No space left on device (os error 28)\n",
        "the disk is full",
        "make room",
    ),
    (
        "error: rustc 1.70.0 is not supported by the following package:\n  pw-cli@0.1.0 requires rustc 1.89\n",
        "too old",
        "rustup update",
    ),
    (
        "error: could not compile `serde`\n\nCaused by:\n  process didn't exit successfully: `rustc` \
         (signal: 9, SIGKILL: kill)\n",
        "killed",
        "close other programs",
    ),
];

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_failed_build_is_told_by_its_cause_until_one_works() {
    for (printed, cause, helps) in FAILURES {
        let plugin = Plugin::new();
        plugin.write("tools/broken", printed);
        let error = refusal(&plugin.wrapper("pw-setup").output().unwrap());
        let (message, hint) = (error["message"].as_str().unwrap(), error["hint"].as_str().unwrap());
        assert!(message.contains(cause), "{cause}: {error}");
        assert!(hint.contains(helps) && hint.contains("same command"), "{cause}: {error}");
        // Nothing half-made is left, and a new session hears of it and tries once more.
        assert_eq!(left_in(&plugin), ["bin", "build.log"], "{cause}");
        told_by_hooks(&plugin, cause, helps);
        fs::remove_file(plugin.path("tools/broken")).unwrap();
        until_built(&plugin);
        assert_eq!(session_start(&plugin), None, "{cause}");
        // A source that changes later is built anew, and nothing failed before that.
        fs::write(plugin.root.join("crates/pw-cli/lib.rs"), "// changed").unwrap();
        let said = session_start(&plugin).unwrap_or_default();
        assert!(!said.contains("failed"), "{cause}: {said}");
        until_built(&plugin);
    }
}

/// Runs a helper until it is the built one: a builder that a hook started may still fail.
fn until_built(plugin: &Plugin) {
    let mut output = plugin.wrapper("pw-setup").output().unwrap();
    if !output.status.success() {
        output = plugin.wrapper("pw-setup").output().unwrap();
    }
    assert_eq!(stdout(&output), "pw-setup\n");
}

#[test]
fn a_full_disk_is_named_before_anything_is_built() {
    let plugin = Plugin::new();
    let disk = |free: &str| {
        let line = format!("/dev/x 1048576 1048575 {free} 100% /home");
        let head = "Filesystem 1024-blocks Used Available Capacity Mounted on";
        let _ = fs::remove_file(plugin.path("tools/df"));
        write_program(&plugin.path("tools/df"), &format!("#!/bin/sh\necho '{head}\n{line}'\n"));
    };
    disk("1");
    told_everywhere(&plugin, "the disk is full", "half a gigabyte");
    assert_eq!(plugin.count("calls"), 0);
    assert_eq!(left_in(&plugin), ["bin", "told"]);
    // It fills up while they are built, and the log with it.
    disk("1048576");
    plugin.write("tools/broken", "   Compiling serde v1.0.0\n");
    let ended = plugin.wrapper("pw-setup").output().unwrap();
    assert_eq!(refusal(&ended)["message"], "building the helpers failed");
    disk("1");
    let said = session_start(&plugin).unwrap();
    assert!(said.contains("building them failed: the disk is full"), "{said}");
    fs::remove_file(plugin.path("tools/broken")).unwrap();
    // Some file systems do not say how much they have.
    disk("-");
    assert_eq!(stdout(&plugin.wrapper("pw-setup").output().unwrap()), "pw-setup\n");
}

#[test]
fn a_cache_that_is_read_only_is_named() {
    let plugin = Plugin::new();
    let data = plugin.path("da ta's");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(data.join("probe"), "").is_ok() {
        // Root writes anywhere; a folder in place of the cache that is none stops root, too.
        fs::remove_file(data.join("probe")).unwrap();
        fs::write(plugin.home(), "no folder").unwrap();
    }
    told_everywhere(&plugin, "not this user's to write", "XDG_CACHE_HOME");
    assert_eq!(plugin.count("calls"), 0);
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let _ = fs::remove_file(plugin.home());
    assert_eq!(stdout(&plugin.wrapper("pw-setup").output().unwrap()), "pw-setup\n");
}

/// A machine that was switched off in the middle.
#[test]
fn what_an_interrupted_build_left_is_cleared_away() {
    let plugin = Plugin::new();
    let (old, young) = (plugin.home().join(".new.1"), plugin.home().join(".new.2"));
    for folder in [&old, &young] {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("pw"), "half a helper").unwrap();
    }
    fs::write(plugin.home().join("build.log"), "   Compiling serde v1.0.0\n").unwrap();
    let touched = plugin.command("touch").args(["-t", "202001010000"]).arg(&old).status().unwrap();
    assert!(touched.success());
    let said = session_start(&plugin).unwrap();
    assert!(said.contains("building them failed") && said.contains("tried again"), "{said}");
    assert_eq!(stdout(&plugin.wrapper("pw-setup").output().unwrap()), "pw-setup\n");
    assert!(!old.exists(), "it is kept for ever");
    assert!(young.exists(), "another process may be filling it");
}

/// A helper, the hook of a session's start and the guard: all of them say why, and what helps.
fn told_everywhere(plugin: &Plugin, why: &str, helps: &str) {
    let error = refusal(&plugin.wrapper("pw-setup").output().unwrap());
    assert_eq!(error["code"], "helper_not_built");
    assert!(error["message"].as_str().unwrap().contains(why), "{why}: {error}");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains(helps) && hint.contains("run the same command again"), "{why}: {hint}");
    told_by_hooks(plugin, why, helps);
}

fn told_by_hooks(plugin: &Plugin, why: &str, helps: &str) {
    let said = session_start(plugin).unwrap();
    assert!(said.contains(why) && said.contains(helps), "{why}: {said}");
    // The guard asks while no builder is at work.
    let _ = plugin.wrapper("pw-setup").output().unwrap();
    let theirs = worktree(plugin, "theirs", Some("pw shop task-1"));
    let denied = stdout(&guard_hook(plugin, &theirs).output().unwrap()).to_owned();
    assert!(denied.contains("\"deny\""), "{why}: {denied}");
    assert!(denied.contains(why) && denied.contains(helps), "{why}: {denied}");
}

fn left_in(plugin: &Plugin) -> Vec<String> {
    names(&plugin.home())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}
