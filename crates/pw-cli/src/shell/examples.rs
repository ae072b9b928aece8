//! How commands are called: at least one line for each, in its help and in its manual page. A test
//! parses them all.

/// Returns the examples of a helper's command, without the helper's name.
pub(super) fn of(helper: &str, verb: &str) -> &'static [&'static str] {
    let found = EXAMPLES.iter().find(|(of, name, _)| *of == helper && *name == verb);
    match (found, verb) {
        (Some((.., lines)), _) => lines,
        (None, "schema") => &["schema"],
        (None, "completions") => &["completions bash", "completions zsh"],
        (None, "man") => &["man"],
        (None, _) => &[],
    }
}

/// Returns what the help of a command shows below its examples: of `check`, to which everybody comes
/// who has no plan yet, a plan.
pub(super) fn below(helper: &str, verb: &str) -> &'static str {
    if (helper, verb) == ("pw-setup", "check") { PLAN } else { "" }
}

const PLAN: &str = "\
A plan:
  workflow: shop
  goal: users and orders
  verify: make test
  workers:
    - {id: task-1, name: users, owns: [users]}
    - {id: task-2, name: orders, owns: [orders], after: [task-1]}

";

const EXAMPLES: &[(&str, &str, &[&str])] = &[
    ("pw-setup", "check", &["check plan.yaml"]),
    ("pw-setup", "create", &["create plan.yaml", "create plan.yaml --no-trial"]),
    ("pw-setup", "advance", &["advance rest-api", "advance --fetch --with slurm"]),
    (
        "pw-setup",
        "launch",
        &[
            "launch",
            "launch --with tmux",
            "launch task-2 --with background",
            "launch --with slurm --dry-run",
        ],
    ),
    ("pw-setup", "join", &["join task-2", "join task-2 --workflow rest-api"]),
    ("pw-setup", "repair", &["repair", "repair rest-api"]),
    ("pw-setup", "analyze", &["analyze", "analyze --workers 3 --emit-plan plan.yaml"]),
    ("pw-setup", "doctor", &["doctor", "doctor --verbose", "doctor --fix-permissions"]),
    ("pw-setup", "list", &["list"]),
    ("pw-setup", "explain", &["explain merge_conflict", "explain waiting"]),
    ("pw-monitor", "status", &["status", "status rest-api --verbose"]),
    ("pw-monitor", "wait", &["wait --timeout 2h", "wait rest-api --for complete --timeout 30m"]),
    ("pw-monitor", "watch", &["watch"]),
    ("pw-integrate", "check", &["check"]),
    ("pw-integrate", "preview", &["preview"]),
    (
        "pw-integrate",
        "run",
        &["run", "run rest-api --without task-3", "run --verify 'cargo test --workspace'"],
    ),
    ("pw-integrate", "continue", &["continue", "continue --add", "continue rest-api --retest"]),
    ("pw-integrate", "abort", &["abort"]),
    (
        "pw-integrate",
        "finish",
        &["finish", "finish --merge", "finish --squash -m 'Add the API'", "finish --pr"],
    ),
    ("pw-integrate", "cleanup", &["cleanup --dry-run", "cleanup", "cleanup rest-api task-3"]),
    (
        "pw-integrate",
        "restore",
        &["restore", "restore rest-api --snapshot task-1/2 --into ../restored"],
    ),
    ("pw-integrate", "forget", &["forget rest-api --snapshot task-1/2", "forget rest-api --all"]),
    ("pw-worker", "brief", &["brief"]),
    ("pw-worker", "checkpoint", &["checkpoint 'the model and its tests'"]),
    ("pw-worker", "blocked", &["blocked 'which database?' 'both are configured'"]),
    ("pw-worker", "needs", &["needs task-1 UserModel 'orders join on it'"]),
    ("pw-worker", "complete", &["complete --run 'users can sign in'"]),
    ("pw-worker", "run", &["run", "run --gate unit", "run -- cargo test --workspace"]),
    ("pw-worker", "undo", &["undo"]),
    ("pw-worker", "sync", &["sync", "sync task-1"]),
    ("pw-retro", "report", &["report", "report rest-api --html retrospective.html"]),
    ("pw-retro", "remember", &["remember"]),
    ("pw-retro", "compare", &["compare"]),
    ("pw-retro", "forget", &["forget rest-api", "forget --all"]),
];
