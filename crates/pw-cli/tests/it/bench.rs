//! `scripts/bench` runs: every question is asked once, in a tiny repository.

use crate::markdown::root;
use crate::repo;

#[test]
#[ignore = "a minute of measuring; .ci/run asks for it"]
fn every_question_of_the_benchmarks_is_answered() {
    let repo = repo("");
    let script = root().join("scripts/bench");
    let line = format!(
        "python3 '{}' --quick --helper '{}' --folder ..",
        script.display(),
        env!("CARGO_BIN_EXE_pw")
    );
    let output = repo.shell(&line).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let page = String::from_utf8(output.stdout).unwrap();
    let questions = std::fs::read_to_string(script.join("questions.py")).unwrap();
    let asked = questions.matches("\n    Question(").count();
    let sections: Vec<&str> = page.split("\n## ").skip(1).collect();
    assert_eq!(sections.len(), asked + 1, "{page}");
    for section in sections {
        assert!(section.contains("| T/2 | "), "{section}");
    }
}
