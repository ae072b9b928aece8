//! The plugin's own repository, split by the example plan and put together again.

use std::path::Path;

use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

/// Copies the tracked files of this repository into a test repository and commits them.
fn this_repository(repo: &TestRepo) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = repo.git_in(&source, &["ls-files", "--cached", "--others", "--exclude-standard"]);
    for file in files.lines().filter(|file| !file.ends_with(".png")) {
        if let Ok(text) = std::fs::read_to_string(source.join(file)) {
            repo.write(file, &text);
        }
    }
    repo.commit("this repository");
}

fn states(repo: &TestRepo) -> Vec<Value> {
    let status = repo.pw("pw-monitor status").data();
    status["workers"].as_array().unwrap().iter().map(|worker| worker["state"].clone()).collect()
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn this_repository_is_split_by_the_example_plan_and_integrated() {
    let repo = crate::repo("");
    this_repository(&repo);
    let head = repo.git(&["rev-parse", "main"]);
    let check = repo.pw("pw-setup check examples/parallel-workflows.yaml").data();
    assert_eq!(check["waves"], json!([["task-1", "task-2", "task-3"], ["task-4"]]));
    repo.pw("pw-setup create examples/parallel-workflows.yaml").data();

    // Three workers at once; each saves with its own command, one needs two attempts.
    let docs = repo.worker("task-1-docs");
    docs.write("examples/waves.yaml", "workflow: waves\n");
    docs.pw(&["checkpoint", "a second example"]).data();
    docs.pw(&["complete", "examples and README"]).data();
    let prompts = repo.worker("task-2-prompts");
    prompts.write("skills/parallel-worker/SKILL.md", "shorter\n").write("README.md", "not mine\n");
    assert_eq!(prompts.pw(&["checkpoint", "shorter"]).data()["left"], json!(["README.md"]));
    prompts.pw(&["blocked", "who owns the README?"]).data();
    let retro = repo.worker("task-3-retro");
    retro.write("crates/pw-core/src/retro.rs", "// longest wait\n");
    retro.pw(&["checkpoint", "longest wait"]).data();
    assert_eq!(states(&repo), ["complete", "blocked", "in_progress", "planned"]);

    retro.pw(&["complete"]).data();
    repo.pw("pw-setup advance").data();
    let changelog = repo.worker("task-4-changelog");
    assert_eq!(repo.read("worktrees/task-4-changelog/examples/waves.yaml"), "workflow: waves\n");
    changelog.write("CHANGELOG.md", "# Changelog\n");
    changelog.pw(&["checkpoint", "what changed"]).data();
    changelog.pw(&["complete"]).data();
    prompts.git(&["restore", "README.md"]);
    prompts.pw(&["complete", "the README is task-1's"]).data();

    // The plan's own gate is this suite; here another takes its place.
    let gate = "grep -q longest crates/pw-core/src/retro.rs";
    let words = ["pw-integrate", "run", "--verify", gate];
    let data = repo.pw_in(&repo.root(), &words).data();
    assert_eq!(data["gate"]["gates"][0]["passed"], true);
    assert_eq!(data["merged"].as_array().unwrap().len(), 4);
    let show = |path: &str| repo.git(&["show", &format!("integration/polish:{path}")]);
    assert_eq!(show("CHANGELOG.md"), "# Changelog");
    assert_eq!(show("crates/pw-core/src/retro.rs"), "// longest wait");
    assert_eq!(show("skills/parallel-worker/SKILL.md"), "shorter");
    assert_eq!(repo.git(&["rev-parse", "HEAD"]), head);
    let report = repo.pw("pw-retro report").data();
    assert_eq!((&report["integrated"], &report["conflicts"]), (&json!(true), &json!([])));
}
