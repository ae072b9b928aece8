//! A merge driver of the repository's own merges; what it says and reads is not git's.

use pw_testkit::plans::THREE;
use pw_testkit::repo::TestRepo;
use serde_json::json;

use crate::repo;

/// Task-1 and task-2 change the same line of `shared.txt`, which has this driver.
fn driven(end: &str) -> TestRepo {
    let repo = repo(THREE);
    repo.write("shared.txt", "base\n");
    repo.write(".gitattributes", "shared.txt merge=chatty\n");
    repo.commit("a file with a driver");
    let talk = "cat; echo merging %P; yes words | head -c 200000 >&2";
    repo.git(&["config", "merge.chatty.driver", &format!("{talk}; {end} # done")]);
    repo.pw("pw-setup create plan.yaml").data();
    for label in ["task-1-users", "task-2-posts"] {
        repo.worker(label).write("shared.txt", &format!("{label}\n")).commit("[COMPLETE] done");
    }
    repo.worker("task-3-docs").write("docs/a.md", "docs").commit("[COMPLETE] docs");
    repo
}

#[test]
fn a_talkative_driver_merges_and_its_words_are_no_answer() {
    let repo = driven("git merge-file --union %A %O %B");
    assert_eq!(repo.pw("pw-monitor status").data()["conflicts"], json!([]));
    assert_eq!(repo.pw("pw-integrate preview").data()["clean"], true);
    repo.pw("pw-integrate run").data();
    let merged = repo.git(&["show", "integration/rest-api:shared.txt"]);
    assert_eq!(merged, "task-1-users\ntask-2-posts");
}

#[test]
fn a_talkative_driver_that_gives_up_leaves_a_conflict() {
    let repo = driven("exit 1");
    let paths = |data: &serde_json::Value| data["conflicts"][0]["paths"].clone();
    assert_eq!(paths(&repo.pw("pw-monitor status").data()), json!(["shared.txt"]));
    assert_eq!(repo.pw("pw-integrate preview").data()["clean"], false);
    let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert_eq!(error["details"]["conflicts"][0]["path"], "shared.txt");

    // A merge that a worker made is merged anew to see what it changed.
    let docs = repo.worker("task-3-docs");
    docs.git(&["merge", "-q", "-m", "take users in", "work/task-1-users"]);
    docs.write("docs/b.md", "more").commit("[COMPLETE] again");
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["workers"][2]["out_of_scope"], json!([]));
}
