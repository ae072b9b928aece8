//! No command that writes is without its story.

use std::collections::BTreeSet;

use crate::markdown::{helper, root};

/// Commands without a story, and why.
const SPARED: &[(&str, &[&str])] = &[
    (
        "it writes nothing",
        &[
            "pw-setup check",
            "pw-setup list",
            "pw-setup explain",
            "pw-monitor status",
            "pw-monitor wait",
            "pw-monitor watch",
            "pw-integrate check",
            "pw-integrate preview",
            "pw-worker brief",
            "pw-worker guard",
            "pw-retro compare",
        ],
    ),
    (
        "only a file that the user names, whole or not at all",
        &["pw-setup analyze", "pw-retro report"],
    ),
    ("a lock of the kernel's, which ends with the process", &["pw-worker run"]),
    ("a note in git's own folder that the next session replaces", &["pw-worker begin"]),
    ("about the helper itself", &["schema", "completions", "man", "help"]),
];

#[test]
fn every_command_that_writes_has_a_story() {
    let told: String = std::fs::read_dir(root().join("crates/pw-cli/tests/it/crash"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("verbs.rs"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let spared: BTreeSet<&str> = SPARED.iter().flat_map(|(_, all)| all.iter().copied()).collect();
    for name in ["pw-setup", "pw-monitor", "pw-integrate", "pw-worker", "pw-retro"] {
        for command in helper(name).unwrap().get_subcommands() {
            let verb = command.get_name();
            let whole = format!("{name} {verb}");
            let is_spared = spared.contains(whole.as_str()) || spared.contains(verb);
            let has_story =
                [' ', '"'].iter().any(|end| told.contains(&format!("Story::new(\"{whole}{end}")));
            assert_ne!(is_spared, has_story, "{whole}: a story, or a reason for none");
        }
    }
}
