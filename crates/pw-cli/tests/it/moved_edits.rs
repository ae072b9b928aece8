//! One worker moves a file, another changes it: git carries the change over without a word. Every
//! step tells it, in either order of the merges.

use pw_testkit::plans::TWO;
use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::repo;

/// A workflow whose two workers share `shared.txt`, a file long enough to be found again.
fn begun() -> TestRepo {
    let repo = repo(TWO);
    repo.write("shared.txt", &lines(""));
    repo.commit("a shared file");
    repo.pw("pw-setup create plan.yaml").data();
    repo
}

fn lines(more: &str) -> String {
    (1..=30).map(|n| format!("line {n}\n")).collect::<String>() + more
}

fn edit(worker: &pw_testkit::repo::Worker<'_>) {
    worker.write("shared.txt", &lines("").replace("line 20", "edited")).commit("[COMPLETE] edit");
}

fn by(mover: &str, to: &str, editor: &str) -> Value {
    json!([{"path": "shared.txt", "to": to, "moved_by": mover, "changed_by": editor}])
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_change_that_follows_a_moved_file_is_told_by_every_step() {
    // Who moves, who edits, and whether the moved file was changed, too.
    for (mover, editor, and_more) in
        [("a-x", "b-y", ""), ("b-y", "a-x", ""), ("a-x", "b-y", "more\n")]
    {
        let repo = begun();
        let worker = repo.worker(mover);
        let to = format!("{}/moved", &mover[..1]);
        std::fs::create_dir(repo.root().join("worktrees").join(mover).join(&mover[..1])).unwrap();
        worker.git(&["mv", "shared.txt", &to]);
        worker.write(&to, &lines(and_more)).commit("[COMPLETE] move");
        edit(&repo.worker(editor));
        let told = by(&mover[..1], &to, &editor[..1]);
        let status = repo.pw("pw-monitor status").data();
        assert_eq!((&status["trial"]["moved_edits"], &status["conflicts"]), (&told, &json!([])));
        assert_eq!(repo.pw("pw-integrate preview").data()["moved_edits"], told);
        assert_eq!(repo.pw("pw-integrate run").data()["moved_edits"], told);
        let merged = repo.git(&["show", &format!("integration/two:{to}")]);
        assert!(merged.contains("edited"), "{merged}");
        let human = repo.pw("pw-integrate run --format human");
        assert!(human.stdout.contains(&format!("comes to stand in `{to}`")), "{}", human.stdout);
    }
}

#[test]
fn a_change_that_stays_where_it_was_made_is_not_told() {
    let tell = |repo: &TestRepo| {
        let status = repo.pw("pw-monitor status").data();
        assert_eq!(status["trial"]["moved_edits"], Value::Null, "{status:#}");
        let preview = repo.pw("pw-integrate preview").data();
        assert_eq!(preview["moved_edits"], Value::Null, "{preview:#}");
        preview["clean"] == true
    };
    // A file that is gone conflicts.
    let repo = begun();
    repo.worker("a-x").git(&["rm", "-q", "shared.txt"]);
    repo.worker("a-x").commit("[COMPLETE] removed");
    edit(&repo.worker("b-y"));
    assert!(!tell(&repo));
    // A moved file that the other did not change.
    let repo = begun();
    repo.worker("a-x").git(&["mv", "shared.txt", "a"]);
    repo.worker("a-x").commit("[COMPLETE] moved");
    repo.worker("b-y").write("b", "1").commit("[COMPLETE] else");
    assert!(tell(&repo));
    // Who took the move in made the change there.
    let repo = begun();
    repo.worker("a-x").git(&["mv", "shared.txt", "a"]);
    repo.worker("a-x").commit("[COMPLETE] moved");
    repo.worker("b-y").git(&["merge", "-q", "--no-edit", "work/a-x"]);
    repo.worker("b-y").write("b", "1").commit("[COMPLETE] else");
    assert!(tell(&repo));
}

#[test]
fn landing_tells_it_of_the_base_branch_too() {
    for (who, told) in [
        (
            "base",
            "main moved `shared.txt`: what the workflow two changed in it comes to stand in `a.txt`",
        ),
        (
            "work",
            "the workflow two moved `shared.txt`: what main changed in it comes to stand in `a.txt`",
        ),
    ] {
        let repo = begun();
        let edited = lines("").replace("line 20", "edited");
        match who {
            "base" => {
                edit(&repo.worker("a-x"));
                repo.git(&["mv", "shared.txt", "a.txt"]);
            }
            _ => {
                repo.worker("a-x").git(&["mv", "shared.txt", "a.txt"]);
                repo.worker("a-x").git(&["commit", "-q", "--no-verify", "-m", "[COMPLETE] moved"]);
                repo.write("shared.txt", &edited);
            }
        }
        repo.commit("the user");
        repo.worker("b-y").write("b", "1").commit("[COMPLETE] b");
        repo.pw("pw-integrate run --allow-out-of-scope").data();
        let landed = repo.pw("pw-integrate finish --merge").data();
        assert!(landed["notes"].as_array().unwrap().contains(&json!(told)), "{landed:#}");
        assert_eq!(repo.read("a.txt"), edited);
    }
}
