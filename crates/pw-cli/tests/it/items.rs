//! `pw-setup analyze DOC`: what a document asks for becomes a plan that can be run.

use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

/// A small service whose parts have folders of their own, and a history in which each part changes
/// with its tests.
fn service() -> TestRepo {
    let repo = crate::repo("");
    repo.write("app/router.txt", "routes\n");
    repo.write("lib/limits.py", "class RateLimiter:\n    pass\n");
    for number in 0..36 {
        let name = ["users", "orders", "search"][number % 3];
        repo.write(&format!("app/{name}/main.txt"), &format!("{number}\n"));
        repo.write(&format!("checks/{name}.txt"), &format!("{number}\n"));
        repo.commit("a change");
    }
    repo
}

/// What the issue tracker says.
const THREE_PARTS: &str = "# Quarter\n\n\
    - [ ] Sort users by name, `app/users/main.txt` (M)\n\
    - [ ] Show totals in `app/orders/main.txt` (M)\n\
    - [ ] Limit searches with `RateLimiter`, `app/search/main.txt` (M)\n\
    - [x] Remove the beta sign in `app/users/main.txt`\n";

fn analyzed(repo: &TestRepo, document: &str, more: &str) -> Value {
    repo.write("todo.md", document);
    repo.pw(&format!("pw-setup analyze todo.md{more}")).data()
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn items_of_a_document_become_workers_that_are_run_to_the_end() {
    let repo = service();
    let data = analyzed(&repo, THREE_PARTS, " --emit-plan split.yaml");
    assert_eq!(data["verdict"]["advice"], "split", "{data:#}");
    assert_eq!(data["schedule"]["speedup"], 3.0, "{data:#}");
    let third = &data["items"][2];
    let defined = json!([{"path": "app/search/main.txt"}, {"path": "lib/limits.py"}]);
    assert_eq!((&third["files"], &third["size"]), (&defined, &json!("M")));
    assert!(data["notes"].to_string().contains("1 item done already"), "{data:#}");

    // What changes with a file belongs to its worker, and the plan says why.
    let plan = repo.read("split.yaml");
    let reason = "checks/users.txt: changed with app/users/main.txt in 12 of 12 changes";
    assert!(plan.contains(reason), "{plan}");
    repo.follow(&data["next"][0]["command"]);
    repo.pw("pw-setup create split.yaml").data();

    for (label, name) in [("task-1-", "users"), ("task-2-", "orders"), ("task-3-", "search")] {
        let workers = data["workers"].as_array().unwrap();
        let at: usize = label[5..6].parse().unwrap();
        let label = format!("{label}{}", workers[at - 1]["name"].as_str().unwrap());
        let worker = repo.worker(&label);
        let tasks = worker.pw(&["brief"]).data().to_string();
        assert!(tasks.contains(&format!("app/{name}")), "{tasks}");
        worker.write(&format!("app/{name}/main.txt"), "done\n");
        worker.write(&format!("app/{name}/new.txt"), "of its folder's owner\n");
        worker.write(&format!("checks/{name}.txt"), "checked\n");
        worker.pw(&["checkpoint", "as asked"]).data();
        worker.pw(&["complete"]).data();
    }
    let data = repo.pw("pw-integrate run --no-gate").data();
    assert_eq!(data["merged"].as_array().unwrap().len(), 3, "{data:#}");
    let show = |path: &str| repo.git(&["show", &format!("integration/split:{path}")]);
    assert_eq!(show("app/search/main.txt"), "done");
    assert_eq!(show("checks/orders.txt"), "checked");
}

#[test]
fn a_file_that_all_items_need_becomes_a_wave_of_its_own() {
    let repo = service();
    let item = |name: &str| format!("- {name} in `app/{name}/main.txt` and `app/router.txt` (L)\n");
    let document: String = ["users", "orders", "search"].map(item).concat();
    let data = analyzed(&repo, &document, " --emit-plan split.yaml");
    assert_eq!(data["verdict"]["advice"], "split", "{data:#}");
    let last = data["workers"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["owns"], &last["name"]), (&json!(["app/router.txt"]), &json!("router")));
    assert_eq!(last["after"].as_array().unwrap().len(), 3);
    assert_eq!(data["schedule"]["critical_path"].as_array().unwrap().last().unwrap(), "router");
    let checked = repo.pw("pw-setup check split.yaml").data();
    assert_eq!(checked["waves"], json!([["task-1", "task-2", "task-3"], ["task-4"]]));
    assert!(repo.read("split.yaml").contains("the part in these files of: users"));
}

#[test]
fn what_is_no_split_is_said() {
    let repo = service();
    for (document, advice, reason) in [
        ("- Fix `app/users/main.txt`\n- Fix `app/orders/main.txt`\n", "one_session", "2 items"),
        (
            "- a `app/router.txt`\n- b `app/router.txt`\n- c `app/router.txt`\n",
            "one_session",
            "one file, app/router.txt",
        ),
        (
            "1. a `app/users/main.txt`\n2. b `app/orders/main.txt` (after 1)\n\
             3. c `app/search/main.txt` (after 2)\n",
            "one_session",
            "one after the other",
        ),
        (
            "- Dark mode\n- Faster\n- Fix `app/users/main.txt`\n",
            "unknown",
            "2 of 3 items name no file",
        ),
        ("", "one_session", "0 items"),
    ] {
        let data = analyzed(&repo, document, "");
        let verdict = &data["verdict"];
        assert_eq!(verdict["advice"], advice, "{document}: {data:#}");
        assert!(verdict["reason"].as_str().unwrap().contains(reason), "{verdict:#}");
    }
}

#[test]
fn parts_that_history_never_changed_alone_are_for_one_session() {
    let repo = crate::repo("");
    for number in 0..12 {
        for name in ["a", "b", "c"] {
            repo.write(&format!("{name}/x.txt"), &format!("{number}\n"));
        }
        repo.commit("a change");
    }
    let data =
        analyzed(&repo, "- Fix `a/x.txt`\n- Fix `b/x.txt`\n- Fix `c/x.txt`\n", " --workers 3");
    assert_eq!(data["verdict"]["advice"], "one_session", "{data:#}");
    assert_eq!(data["schedule"]["crossing"], 1.0);
    assert!(data["verdict"]["reason"].as_str().unwrap().contains("100 %"), "{data:#}");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn of_a_document_that_cannot_be_read_whole_the_rest_is_used() {
    let repo = service();
    let notes = |data: &Value| data["notes"].to_string();

    let line = "- Fix `app/users/main.txt`, and so on and so on and so on\n";
    let data = analyzed(&repo, &line.repeat(10 * (1 << 20) / line.len()), "");
    assert!(notes(&data).contains("of todo.md the first MiB was read"), "{}", notes(&data));
    assert!(notes(&data).contains("the first 200 are told"));
    assert!(data.to_string().len() < 100_000);

    std::fs::write(repo.root().join("latin.md"), b"- Fix caf\xe9 in `app/users/main.txt`\n")
        .unwrap();
    let data = repo.pw("pw-setup analyze latin.md").data();
    assert!(notes(&data).contains("not UTF-8 throughout"));
    assert_eq!(data["items"][0]["files"][0]["path"], "app/users/main.txt");

    std::fs::write(repo.root().join("image.md"), b"- \0\x01").unwrap();
    assert!(notes(&repo.pw("pw-setup analyze image.md").data()).contains("no text"));

    for missing in ["gone.md", "app"] {
        let error = repo.pw(&format!("pw-setup analyze {missing}")).error(2, "usage");
        assert!(error["message"].as_str().unwrap().contains(missing), "{error:#}");
    }
}

#[test]
fn items_of_a_project_that_does_not_exist_yet_are_split_by_the_files_to_be() {
    let repo = crate::repo("");
    repo.git(&["checkout", "-q", "--orphan", "empty"]);
    let document = "- Add `api/users.py`\n- Add `web/users.ts`\n- Write `docs/users.md`\n";
    let data = analyzed(&repo, document, " --emit-plan split.yaml");
    assert_eq!(
        (&data["verdict"]["advice"], &data["history"]["commits"]),
        (&json!("split"), &json!(0))
    );
    assert_eq!(data["items"][0]["files"], json!([{"path": "api/users.py", "new": true}]));
    assert!(repo.read("split.yaml").contains("web/**"), "{data:#}");
}

#[test]
fn what_a_document_says_stays_data() {
    let repo = service();
    let document = "- Fix `app/users/main.txt` \"quoted\" \\ # no comment: {a} [b]\n\
                    - Fix `app/orders/main.txt`\n- Fix `app/search/main.txt`\n- See *that*?\n";
    let data = analyzed(&repo, document, " --emit-plan split.yaml");
    assert_eq!(data["next"][0]["command"], "pw-setup check split.yaml");
    let checked = repo.pw("pw-setup check split.yaml").data();
    assert_eq!(checked["workers"].as_array().unwrap().len(), 3, "{checked:#}");
    let plan = repo.read("split.yaml");
    assert!(
        plan.contains(r#""Fix `app/users/main.txt` \"quoted\" \\ # no comment: {a} [b]""#),
        "{plan}"
    );
    assert!(plan.contains("# - See that?"), "{plan}");
}

/// Items that name no file are known by their words: what past changes with the same words touched.
#[test]
#[ignore = "long; .ci/run runs it"]
fn items_that_name_no_file_are_split_by_the_words_of_past_changes() {
    let repo = crate::repo("");
    for number in 0..36 {
        let (area, top) =
            [("login", "accounts"), ("invoice", "billing"), ("ranking", "finder")][number % 3];
        let part = ["form", "store"][number / 3 % 2];
        repo.write(&format!("{top}/{part}.txt"), &format!("{number}\n"));
        repo.commit(&format!("fix({area}): handle {part} case {number}"));
    }
    // An area that is plain where no file is: each change touches another one.
    for page in 0..16 {
        repo.write(&format!("billing/guide/{page}.txt"), "text\n");
        repo.commit(&format!("guide: page {page}"));
    }
    let document = "- Remember the login in the form\n- Store of invoices is slow\n\
                    - Better ranking for short words\n- Logins end after a day\n- Dark mode\n\
                    - guide: say more\n";
    let data = analyzed(&repo, document, " --workers 3 --emit-plan split.yaml");
    let items = data["items"].as_array().unwrap();
    let first = |at: usize| items[at]["probable_files"][0]["path"].clone();
    assert_eq!((first(0), first(1)), (json!("accounts/form.txt"), json!("billing/store.txt")));
    assert_eq!((&items[0]["files"], &items[4]["probable_files"]), (&json!([]), &Value::Null));
    assert_eq!(items[5]["probable_files"], Value::Null, "{data:#}");
    assert!(items[0]["probable_files"][0]["changes"].as_u64() >= Some(6), "{data:#}");
    assert_eq!(data["verdict"]["advice"], "split", "{data:#}");
    let reason = data["verdict"]["reason"].as_str().unwrap();
    assert!(reason.contains("the files of 5 guessed by words of past changes"), "{reason}");
    assert_eq!(data["schedule"]["unplaced"], json!(["item-5"]));

    // Both items about logins have one worker, who owns what they probably change and its neighbours.
    let workers = data["workers"].as_array().unwrap();
    let with = |id: &str| {
        let has = |part: &&Value| part["items"].as_array().unwrap().contains(&json!(id));
        workers.iter().find(has).unwrap_or_else(|| panic!("{data:#}"))
    };
    assert_eq!(with("item-1"), with("item-4"));
    assert_ne!(with("item-1"), with("item-2"));
    assert!(with("item-1")["owns"].to_string().contains("accounts"), "{data:#}");
    repo.follow(&data["next"][0]["command"]);
    let plan = repo.read("split.yaml");
    assert!(plan.contains("# probably, by words of past changes: accounts/form.txt ("), "{plan}");
    let shown = repo.pw("pw-setup analyze todo.md --format human").stdout;
    assert!(shown.contains("accounts/form.txt? ("), "{shown}");
}
