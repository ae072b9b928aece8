//! The evals of the plugin: each scaffold makes the repository that its case is about.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::markdown::root;
use crate::repo;

/// The folders of the cases.
pub(crate) fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("evals")).unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| path.join("case.yaml").is_file()).collect()
}

#[test]
fn each_case_is_about_triggering_or_judgement_and_named_as_its_folder() {
    let mut tags = BTreeSet::new();
    for case in cases() {
        let text = fs::read_to_string(case.join("case.yaml")).unwrap();
        let name = format!("\nname: {}\n", case.file_name().unwrap().to_str().unwrap());
        assert!(text.contains(&name), "{}", case.display());
        tags.extend(text.lines().find_map(|line| line.strip_prefix("tags: ")).map(str::to_owned));
        assert_eq!(text.contains("scaffold.sh"), case.join("scaffold.sh").is_file());
    }
    assert_eq!(tags, ["[judgement]", "[not-triggering]", "[triggering]"].map(str::to_owned).into());
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn scaffolds_make_what_the_cases_are_about() {
    let scaffolded = |case: &str| {
        let made = repo("");
        let folder = made.beside("case");
        fs::create_dir(&folder).unwrap();
        let script = root().join("evals").join(case).join("scaffold.sh");
        made.sh(&folder, &format!("sh '{}'", script.display()));
        let status = made.shell("pw-monitor status --format json").current_dir(&folder).output();
        let status: pw_testkit::repo::Answer = status.unwrap().into();
        (status.json(), folder.join("config.py").is_file())
    };
    let states = |case: &str| {
        let (status, _) = scaffolded(case);
        let workers = status["data"]["workers"].as_array().unwrap().clone();
        let state = |worker: &serde_json::Value| worker["state"].as_str().unwrap().to_owned();
        (workers.iter().map(state).collect::<Vec<_>>(), status["data"]["integration"].clone())
    };
    assert_eq!(states("how-are-they").0, ["complete", "blocked"]);
    assert_eq!(states("asks-before-landing").0, ["complete", "complete"]);
    let (_, integration) = states("resolves-by-intent");
    assert_ne!(integration["stopped_at"], json!(null), "{integration}");
    assert!(scaffolded("one-file").1);
}
