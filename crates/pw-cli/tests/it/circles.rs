//! Incidents that led in a circle: each has one way out, which the answers name, in at most four
//! commands.

use pw_testkit::plans::{THREE, WAVES};
use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::created;

fn status(repo: &TestRepo) -> Value {
    repo.pw("pw-monitor status").data()
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_need_that_the_providers_finished_work_does_not_meet_reopens_the_provider() {
    let repo = created(THREE);
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    users.write("api/users.py", "1\n").commit("[COMPLETE] users");
    posts.write("api/posts.py", "1\n").commit("[CHECKPOINT] posts");
    // The first time it is there to be taken in.
    let said = posts.pw(&["needs", "task-1", "UserModel", "authors"]).data();
    assert_eq!(status(&repo)["waiting"][0]["outlook"], "satisfied");
    assert_eq!(said["next"][0]["command"], "pw-worker sync");
    posts.pw(&["sync"]).data();

    // The second time it is not in what the provider finished.
    let said = posts.pw(&["needs", "task-1", "UserModel", "a field for the avatar"]).data();
    assert_eq!(said["next"], json!([]), "there is nothing to take in");
    assert!(said["notes"][0].as_str().unwrap().contains("it has to go on"), "{said}");
    let now = status(&repo);
    let waits =
        json!({"worker": "task-1", "item": "UserModel", "satisfied": false, "reopen": true});
    assert_eq!(now["workers"][1]["waits_for"], waits);
    assert_eq!(
        (&now["waiting"][0]["outlook"], &now["waiting"][0]["stuck_on"]),
        (&json!("stuck"), &json!(["task-1"]))
    );
    let reopen = now["next"].as_array().unwrap().iter().find(|step| step["action"] == "reopen");
    assert_eq!(reopen.unwrap()["worker"], "task-1");
    let error = posts.pw(&["sync"]).error(3, "not_ready");
    assert!(error["message"].as_str().unwrap().contains("has to go on"), "{error:#}");

    // The provider is told by its brief, goes on, and the wait is over.
    let brief = users.pw(&["brief"]).data();
    let asked = json!([{"worker": "task-2", "item": "UserModel", "text": "a field for the avatar", "reopen": true}]);
    assert_eq!((&brief["asked"], &brief["next"][0]["action"]), (&asked, &json!("reopen")));
    users.write("api/users.py", "1\navatar\n");
    users.pw(&["checkpoint", "avatar"]).data();
    users.pw(&["complete", "avatar"]).data();
    assert_eq!(status(&repo)["waiting"][0]["outlook"], "satisfied");
    posts.pw(&["sync"]).data();
    assert_eq!(repo.read("worktrees/task-2-posts/api/users.py"), "1\navatar\n");
    assert_eq!(users.pw(&["brief"]).data().get("asked"), None);
}

#[test]
fn whoever_began_with_the_providers_work_reopens_it_too_also_when_it_is_integrated() {
    let repo = created(&WAVES.replace("owns: [model]", "owns: [model], provides: [Model]"));
    repo.worker("base-model").write("model", "1").commit("[COMPLETE] model");
    repo.worker("side-extra").write("extra", "1").commit("[COMPLETE] extra");
    repo.pw("pw-setup advance").data();
    let top = repo.worker("top-api");
    top.pw(&["needs", "base", "Model", "with a name"]).data();
    assert_eq!(status(&repo)["workers"][2]["waits_for"]["reopen"], true);
    repo.pw("pw-integrate run --without top").data();
    let now = status(&repo);
    assert_eq!(
        (&now["workers"][0]["state"], &now["waiting"][0]["stuck_on"]),
        (&json!("integrated"), &json!(["base"]))
    );
    assert_eq!(repo.worker("base-model").pw(&["brief"]).data()["asked"][0]["worker"], "top");
}

#[test]
fn an_item_that_nobody_provides_is_refused_with_those_that_are() {
    let repo = created(THREE);
    let posts = repo.worker("task-2-posts");
    let tip = posts.git(&["rev-parse", "HEAD"]);
    for item in ["usermodel", "UserModell", "api/posts.py"] {
        let error = posts.pw(&["needs", "task-1", item, "authors"]).error(3, "unknown_item");
        assert_eq!(error["details"]["provides"], json!(["UserModel"]));
        assert_eq!(error["next"], "pw-worker needs task-1 UserModel");
    }
    assert_eq!(posts.git(&["rev-parse", "HEAD"]), tip);
    // A file the provider owns, and anything of a worker that lists nothing.
    posts.pw(&["needs", "task-1", "tests/users/conftest.py"]).data();
    posts.pw(&["needs", "task-3", "a chapter"]).data();
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_checkpoint_says_which_question_it_takes_back_and_how_to_ask_it_again() {
    let repo = created(THREE);
    let posts = repo.worker("task-2-posts");
    for (words, marker, again) in [
        (
            &["needs", "task-1", "UserModel", "it's for authors"][..],
            "[NEEDS:task-1/UserModel]",
            r"pw-worker needs task-1 UserModel 'it'\''s for authors'",
        ),
        (&["blocked", "no key"], "[BLOCKED:no key]", "pw-worker blocked 'no key'"),
    ] {
        posts.pw(words).data();
        posts.write("api/posts.py", marker);
        let saved = posts.pw(&["checkpoint", "what does not depend on it"]).data();
        assert!(saved["notes"][0].as_str().unwrap().contains(marker), "{saved:#}");
        assert_eq!(saved["next"][0], json!({"action": "say again", "command": again}));
        posts.write("api/posts.py", "more");
        let saved = posts.pw(&["checkpoint", "more"]).data();
        assert_eq!(saved.get("notes"), None, "{saved:#}");
    }
    // What is there already is not asked any more.
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
    posts.pw(&["needs", "task-1", "UserModel"]).data();
    posts.pw(&["sync"]).data();
    posts.write("api/posts.py", "on it");
    assert_eq!(posts.pw(&["checkpoint", "on it"]).data().get("notes"), None);
}

#[test]
fn what_a_changed_plan_copies_reaches_the_worktrees_that_exist_and_the_gates() {
    let plan = format!("{THREE}verify: test -f _version.py\n");
    let repo = created(&plan);
    std::fs::write(repo.root().join(".git/info/exclude"), "_version.py\n.env\n").unwrap();
    repo.write("_version.py", "1\n");
    repo.write(".env", "k\n");
    repo.worker("task-2-posts").write("_version.py", "its own\n");
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
    let run = "pw-integrate run --without task-2 --without task-3";
    repo.pw(run).error(4, "gate_failed");

    repo.write("plan.yaml", &format!("{plan}copy: [_version.py]\n"));
    let done = repo.pw("pw-setup create plan.yaml").data();
    let note = done["notes"][0].as_str().unwrap();
    assert!(note.contains("task-1, task-2, task-3") && note.contains("_version.py"), "{note}");
    assert_eq!(repo.read("worktrees/task-1-users/_version.py"), "1\n");
    assert_eq!(repo.read("worktrees/task-2-posts/_version.py"), "its own\n");
    assert!(!repo.root().join("worktrees/task-1-users/.env").exists());
    assert_eq!(repo.pw("pw-setup create plan.yaml").data().get("notes"), None);
    repo.pw("pw-integrate continue").data();
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn providers_that_do_not_merge_are_integrated_first_and_the_next_wave_starts_from_that() {
    let repo = created(&format!(
        "{WAVES}  - {{id: late, name: late, owns: [late], after: [base]}}\nshared: [deps.txt]\n"
    ));
    repo.worker("base-model").write("deps.txt", "model\n").commit("[COMPLETE] model");
    repo.worker("side-extra").write("deps.txt", "extra\n").commit("[COMPLETE] extra");
    let actions = |repo: &TestRepo| -> Vec<(Value, Value)> {
        let now = status(repo);
        let next = now["next"].as_array().unwrap().iter();
        next.map(|step| (step["action"].clone(), step["command"].clone())).collect()
    };
    let first = "pw-integrate run waves --without top --without late";
    let run = (json!("integrate"), json!(first));
    assert_eq!(actions(&repo), [(json!("advance"), json!("pw-setup advance waves")), run.clone()]);
    // Who does not depend on their agreement is opened.
    let opened = repo.pw("pw-setup advance").data();
    let of = |id: &str| {
        opened["workers"].as_array().unwrap().iter().find(|w| w["id"] == id).unwrap()["status"]
            .clone()
    };
    assert_eq!((of("late"), of("top")), (json!("created"), json!("waiting")));
    assert!(opened["notes"][0].as_str().unwrap().contains("deps.txt"), "{opened:#}");

    // What would be refused is not offered.
    let offered = actions(&repo);
    assert!(offered.contains(&run) && !offered.iter().any(|(action, _)| action == "advance"));
    let error = repo.pw("pw-setup advance").error(3, "dependency_conflict");
    assert_eq!(error["next"], first);
    let wait = |since: &str| {
        let told = repo.pw(&format!("pw-monitor wait --timeout 0s{since}")).data();
        let is_turn = |news: &&Value| news["kind"] == "advance";
        let turn = told["changes"].as_array().unwrap().iter().find(is_turn).cloned();
        (turn, format!(" --since {}", told["cursor"].as_str().unwrap()))
    };
    let (turn, cursor) = wait("");
    assert_eq!(turn.unwrap()["command"], first);
    let stopped = repo.pw(first).error(4, "merge_conflict");
    let place = repo.root().join(stopped["details"]["worktree"].as_str().unwrap());
    std::fs::write(place.join("deps.txt"), "extra\nmodel\n").unwrap();
    repo.git_in(&place, &["add", "deps.txt"]);
    let next = repo.pw("pw-integrate continue waves").data()["next"][0].clone();
    assert_eq!(next, json!({"action": "advance", "command": "pw-setup advance waves"}));
    // It was said that they come first: an orchestrator that waits is told when they are there.
    assert_eq!(wait(&cursor).0.unwrap()["command"], next["command"]);
    repo.pw("pw-setup advance").data();
    assert_eq!(repo.read("worktrees/top-api/deps.txt"), "extra\nmodel\n");
}

#[test]
fn changes_in_the_users_checkout_are_put_away_around_the_landing_by_three_commands() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("shared.txt", "users\n").commit("[COMPLETE] users");
    repo.pw("pw-integrate run --without task-2 --without task-3").data();
    repo.write("mine", "1\n");
    repo.git(&["add", "mine"]);
    let land = "pw-integrate finish rest-api --without task-2 --without task-3";
    let error = repo.pw(land).error(3, "dirty_tree");
    let commands = error["details"]["commands"].as_array().unwrap().clone();
    assert_eq!((commands.len(), &commands[1]), (3, &json!(land)), "{error:#}");
    for command in &commands {
        assert!(error["hint"].as_str().unwrap().contains(command.as_str().unwrap()));
        repo.follow(command);
    }
    assert_eq!(
        (repo.read("mine"), repo.read("shared.txt")),
        ("1\n".to_owned(), "users\n".to_owned())
    );
    assert_eq!(
        repo.git(&["log", "-1", "--format=%s"]),
        "Merge task-1-users into integration/rest-api"
    );
}

#[test]
fn what_a_formatter_did_to_files_of_others_is_taken_back_in_one_step() {
    let repo = crate::repo(THREE);
    for nth in 0..60 {
        repo.write(&format!("lib/{nth}.py"), "1\n");
    }
    repo.git(&["add", "lib"]);
    repo.commit("lib");
    repo.pw("pw-setup create plan.yaml").data();
    let users = repo.worker("task-1-users");
    for nth in 0..60 {
        users.write(&format!("lib/{nth}.py"), "1 # checked\n");
    }
    users.write("api/users.py", "1\n").write("made.txt", "new\n");
    let saved = users.pw(&["checkpoint", "users"]).data();
    assert!(saved["left"].as_array().unwrap().len() < 30 && saved["unlisted"].as_u64() > Some(30));
    assert_eq!(saved["next"][0], json!({"action": "undo", "command": "pw-worker undo"}));
    // So says who wanted to be complete, too.
    let error = users.pw(&["complete", "users"]).error(3, "dirty_tree");
    assert_eq!(error["next"], "pw-worker undo");
    users.write("api/users.py", "1\nmine\n");

    let undone = users.pw(&["undo"]).data();
    assert_eq!((&undone["files"], &undone["left"]), (&json!(60), &json!(["made.txt"])));
    assert_eq!(users.git(&["status", "--porcelain", "--", "lib"]), "");
    assert_eq!(users.pw(&["undo"]).data()["files"], 0);
    // Nothing is lost.
    users.pw(&["checkpoint", "more"]).data();
    repo.git_in(
        &users.path,
        &["apply", undone["restore"].as_str().unwrap().split(' ').next_back().unwrap()],
    );
    assert_eq!(repo.read("worktrees/task-1-users/lib/59.py"), "1 # checked\n");
    users.pw(&["undo"]).data();
    // What is new is needed, or removed by hand.
    let error = users.pw(&["complete", "users"]).error(3, "dirty_tree");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("pw-worker blocked \"needs made.txt\""), "{hint}");
}

#[test]
fn what_is_named_is_undone_and_nothing_else() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1\n").commit("a step");
    users.write("api/users.py", "2\n").write("README.md", "2\n").write("new.txt", "1\n");
    for (name, words) in [("new.txt", "holds nothing"), ("api/posts.py", "no changed file")] {
        let error = users.pw(&["undo", name]).error(2, "usage");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
    // A folder stands for what is outside the scope in it; a file of its own is named itself.
    assert_eq!(users.pw(&["undo", "."]).data()["undone"], json!(["README.md"]));
    users.write("README.md", "3\n");
    let undone = users.pw(&["undo", "api/users.py"]).data();
    assert_eq!(
        (&undone["undone"], &undone["left"]),
        (&json!(["api/users.py"]), &json!(["README.md", "new.txt"]))
    );
    assert_eq!(repo.read("worktrees/task-1-users/api/users.py"), "1\n");
    repo.sh(&users.path, undone["restore"].as_str().unwrap());
    assert_eq!(repo.read("worktrees/task-1-users/api/users.py"), "2\n");
}

#[test]
fn half_of_a_move_across_the_border_of_a_scope_is_committed_by_nobody() {
    let repo = crate::repo(THREE);
    let text = "a\nb\nc\nd\n";
    repo.write("tests/users/one.py", text);
    repo.write("docs/two.md", text);
    repo.git(&["add", "tests", "docs"]);
    repo.commit("files");
    repo.pw("pw-setup create plan.yaml").data();
    let users = repo.worker("task-1-users");
    let (mine, theirs) = ("tests/users/one.py docs/one.py", "docs/two.md tests/users/two.py");
    for how in ["git mv", "mv"] {
        for ends in [mine, theirs] {
            repo.sh(&users.path, &format!("{how} {ends}"));
            let before = users.git(&["status", "--porcelain"]);
            let error = users.pw(&["checkpoint", "moved"]).error(3, "out_of_scope");
            assert!(error["hint"].as_str().unwrap().contains("move it back"), "{error}");
            let said = users.pw(&["needs", "task-3", "it", &format!("{how} {ends}")]).data();
            assert_eq!(said["paths"], json!([]), "{how} {ends}: {said:#}");
            assert!(said["notes"][0].as_str().unwrap().contains("only one of the two"), "{said:#}");
            assert_eq!(users.git(&["status", "--porcelain"]), before, "{how} {ends}");
            users.git(&["reset", "--quiet", "--hard"]);
            users.git(&["clean", "--quiet", "-fd"]);
        }
    }
    // Inside the scope a move is one commit, and a removal is one that is named.
    repo.sh(&users.path, "mv tests/users/one.py tests/users/three.py");
    assert_eq!(users.pw(&["checkpoint", "moved"]).data()["paths"].as_array().unwrap().len(), 2);
    repo.sh(&users.path, "mv tests/users/three.py docs/three.py");
    let named = users.pw(&["checkpoint", "gone", "--path", "tests/users/three.py"]).data();
    assert_eq!(named["left"], json!(["docs/three.py"]));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_is_undone_is_kept_whole_however_much_it_is_and_what_was_staged_too() {
    let mut repo = crate::repo(THREE);
    // More than fits on a command line.
    let folder = ["lib"].into_iter().chain([&*"n".repeat(240); 14]).collect::<Vec<_>>().join("/");
    let name = |nth: usize| format!("{folder}/{nth}");
    for nth in 0..700 {
        repo.write(&name(nth), "1\n");
    }
    repo.git(&["add", "lib"]);
    repo.commit("lib");
    repo.pw("pw-setup create plan.yaml").data();
    let users = repo.worker("task-1-users");
    // Staged, then changed again; staged, then put back on disk alone.
    users.write(&name(0), "staged\n").write(&name(1), "only staged\n").git(&["add", "lib"]);
    users.write(&name(1), "1\n");
    for nth in (0..700).filter(|nth| *nth != 1) {
        users.write(&name(nth), "2\n");
    }
    // Where git fails, not all of these names are said.
    repo.shim_git("case \" $* \" in *' --binary '*) exit 128 ;; esac\nexec \"$GIT\" \"$@\"");
    let failed = repo.worker("task-1-users").pw(&["undo"]);
    assert!(failed.code == Some(1) && failed.stdout.len() < 4_000, "{}", failed.stdout.len());
    repo.shim_git("exec \"$GIT\" \"$@\"");
    let users = repo.worker("task-1-users");
    let undone = users.pw(&["undo"]).data();
    assert_eq!(undone["files"], 700);
    assert_eq!(users.git(&["status", "--porcelain"]), "");
    let patch = undone["restore"].as_str().unwrap().split(' ').next_back().unwrap();
    let read = |patch: &str| std::fs::read_to_string(patch).unwrap();
    assert_eq!(read(patch).matches("+2\n").count(), 699);
    let staged = read(&patch.replace(".patch", "-staged.patch"));
    assert!(staged.contains("+staged\n") && staged.contains("+only staged\n"), "{staged}");
}

#[test]
fn to_complete_and_to_test_are_one_command() {
    let repo = created(&format!("verify: test -f api/good\n{THREE}"));
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1\n");
    users.pw(&["checkpoint", "users"]).data();
    let before = users.git(&["rev-parse", "HEAD"]);
    let error = users.pw(&["complete", "--run", "users"]).error(3, "verify_failed");
    assert_eq!(error["details"]["exit_code"], 1);
    assert_eq!(users.git(&["rev-parse", "HEAD"]), before, "nothing was said");
    // Without being asked to, it does not test.
    users.pw(&["complete", "users"]).data();
}
