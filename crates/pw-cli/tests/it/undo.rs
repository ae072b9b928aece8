//! Git asks our hooks only after it has changed index and files: what it says when they refuse
//! leads back to exactly what was there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pw_testkit::plans::THREE;
use pw_testkit::repo::TestRepo;
use pw_testkit::rows::rows;

use crate::created;

/// A worktree with two commits, and two more on another worker's branch.
struct Scene {
    repo: TestRepo,
    side: String,
    start: String,
    patch: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let repo = created(THREE);
        let start = repo.git(&["rev-parse", "main"]);
        let docs = repo.worker("task-3-docs");
        docs.write("docs/one", "one").commit("one").write("docs/two", "two").commit("two");
        let side = docs.git(&["rev-parse", "HEAD"]);
        let patch = repo.beside("patch");
        let text = docs.git(&["format-patch", "--stdout", "-1", &side]);
        std::fs::write(&patch, text + "\n").unwrap();
        let users = repo.worker("task-1-users");
        users.write("api/users.py", "1").commit("one of its own");
        users.write("api/users.py", "2").commit("two of its own");
        Self { repo, side, start, patch }
    }

    fn at(&self) -> PathBuf {
        self.repo.worker("task-1-users").path
    }

    /// Runs a script that the guard never saw, in the worktree of task-1, as a worker's session.
    fn run(&self, session: &str, script: &str, folder: &Path) -> (bool, String) {
        let script = script.replace("SIDE", &self.side).replace("START", &self.start);
        let script = script.replace("PATCH", &self.patch.display().to_string());
        let mut shell = self.repo.shell(&script);
        shell.current_dir(folder).env("PW_WORKFLOW", "rest-api").env("PW_WORKER", session);
        let output = shell.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// What is in the worktree and its index, where HEAD is, and what is under way.
    fn state(&self) -> BTreeMap<String, String> {
        let users = self.repo.worker("task-1-users");
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        for path in ["api/users.py", "README.md", "docs/one", "docs/two", "stray", "new"] {
            let text = std::fs::read_to_string(users.path.join(path));
            found.insert(path.to_owned(), text.unwrap_or_else(|error| error.kind().to_string()));
        }
        for words in [
            &["status", "--porcelain", "--branch"][..],
            &["rev-parse", "HEAD"],
            &["for-each-ref", "refs/heads"],
            &["diff", "--cached"],
        ] {
            found.insert(words.join(" "), users.git(words));
        }
        let dir = self.repo.root().join(".git/worktrees/task-1-users");
        for file in pw_core::guard::UNDER_WAY {
            found.insert((*file).to_owned(), dir.join(file).exists().to_string());
        }
        found
    }

    fn reset(&self, tip: &str) {
        let users = self.repo.worker("task-1-users");
        for verb in ["rebase", "am", "cherry-pick", "revert", "merge"] {
            self.repo.try_git(&users.path, &[verb, "--abort"]);
        }
        self.repo.try_git(&users.path, &["bisect", "reset"]);
        users.git(&["checkout", "-q", "-f", "work/task-1-users"]);
        users.git(&["reset", "-q", "--hard", tip]);
        users.git(&["clean", "-q", "-f", "-d"]);
    }
}

/// Returns the command that a refusal names, which runs as it is from any folder.
fn way_back(said: &str) -> Option<&str> {
    let (_, rest) = said.rsplit_once("take that back with `")?;
    rest.split('`').next()
}

/// What is refused to another worker's session: the command, and the verb of the way back; `-`
/// where nothing was changed. `&` in front: begun with what is staged, too.
const OF_ANOTHER: &[(&str, &str)] = &[
    ("git cherry-pick SIDE", "git cherry-pick --abort"),
    ("git cherry-pick SIDE~ SIDE", "git cherry-pick --abort"),
    ("git revert --no-edit HEAD", "git reset --merge"),
    ("git revert --no-edit HEAD HEAD~", "git revert --abort"),
    ("git rebase -q --no-verify --autostash SIDE", "git rebase --abort"),
    ("git rebase -q --no-verify --autostash --onto SIDE HEAD", "git rebase --abort"),
    ("git rebase -q --apply --no-verify --autostash SIDE", "git rebase --abort"),
    ("git rebase -q --autostash SIDE", "-"),
    ("git pull -q --rebase --autostash . SIDE", "-"),
    ("git am -q PATCH", "git am --abort"),
    ("git am -q -3 --no-verify PATCH", "git am --abort"),
    ("git merge -q --no-edit SIDE", "-"),
    ("git merge -q --no-verify --squash SIDE", "-"),
    ("git pull -q --no-rebase --no-edit . SIDE", "-"),
    ("git reset -q START", "git reset --quiet"),
    ("git reset -q --keep START", "git read-tree"),
    ("git reset -q --merge SIDE", "git read-tree"),
    ("&git reset -q --soft START", "-"),
    ("&git switch -q --detach SIDE", "git switch work/task-1-users"),
    ("&git checkout -q --detach", "git switch work/task-1-users"),
    ("&git checkout -q SIDE", "git switch work/task-1-users"),
    ("&git checkout -q --orphan elsewhere", "git switch work/task-1-users"),
    ("&git checkout -q -B work/task-1-users SIDE", "git read-tree"),
    ("&git switch -q -c elsewhere SIDE", "git read-tree"),
    ("&git branch elsewhere SIDE", "-"),
    ("git bisect start HEAD HEAD~2", "git switch work/task-1-users"),
    ("&git stash -q -u", "-"),
    ("&git commit -q --no-verify -m x", "-"),
];

/// The same for the session of the worktree's own worker.
const OF_ITS_OWN: &[(&str, &str)] = &[
    ("&git switch -q --detach SIDE", "git switch work/task-1-users"),
    ("&git checkout -q --orphan elsewhere", "git switch work/task-1-users"),
    ("&git switch -q -c elsewhere SIDE", "git read-tree"),
];

#[test]
fn what_git_changed_before_a_hook_refused_is_taken_back_as_the_refusal_says() {
    let scene = Scene::new();
    let users = scene.repo.worker("task-1-users");
    let tip = users.git(&["rev-parse", "HEAD"]);
    for is_packed in [false, true] {
        if is_packed {
            scene.repo.git(&["pack-refs", "--all"]);
        }
        let others = rows(OF_ANOTHER).map(|row| ("task-2", row));
        for (session, (script, back)) in others.chain(OF_ITS_OWN.iter().map(|row| ("task-1", row)))
        {
            users.write("README.md", "uncommitted").write("stray", "untracked");
            let script = match script.strip_prefix('&') {
                Some(script) => {
                    users.write("new", "staged").git(&["add", "new"]);
                    script
                }
                None => script,
            };
            let before = scene.state();
            let (passed, said) = scene.run(session, script, &users.path);
            assert!(!passed, "{script} as {session} passed: {said}");
            // `git am --no-verify` is of git 2.40.
            if said.contains("unknown option") {
                scene.reset(&tip);
                continue;
            }
            let way = way_back(&said);
            assert_eq!(way.is_some(), *back != "-", "{script} as {session}: {said}");
            if let Some(way) = way {
                assert!(way.contains(&format!("&& {back}")), "{script} as {session}: {way}");
                let (passed, said) = scene.run(session, way, &scene.repo.root());
                assert!(passed, "{script}, then {way}: {said}");
            }
            assert_eq!(scene.state(), before, "{script} as {session}, then {way:?}");
            scene.reset(&tip);
        }
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_a_worker_itself_has_under_way_is_nothing_for_others_to_end() {
    let scene = Scene::new();
    let users = scene.repo.worker("task-1-users");
    users.write("docs/two", "in the way").git(&["add", "-f", "docs/two"]);
    users.git(&["commit", "-q", "--no-verify", "-m", "in the way"]);
    let tip = users.git(&["rev-parse", "HEAD"]);
    assert!(!scene.repo.try_git(&users.path, &["cherry-pick", &scene.side]).status.success());
    users.git(&["add", "-A"]);
    let before = scene.state();
    for script in ["git commit -q --no-verify -m x", "git cherry-pick --continue"] {
        let (passed, said) = scene.run("task-2", script, &users.path);
        assert!(!passed && way_back(&said).is_none(), "{script}: {said}");
        assert_eq!(scene.state(), before, "{script}");
    }
    scene.reset(&tip);
    // Its own session goes through its own history, and git leads it back.
    for script in [
        "git bisect start HEAD HEAD~2 && git bisect run true; git bisect reset",
        "git rebase -q HEAD~",
        "git revert --no-edit HEAD~ && git cherry-pick HEAD~~",
        "git checkout -q -- . && git switch -q work/task-1-users",
    ] {
        let (passed, said) = scene.run("task-1", script, &users.path);
        assert!(passed, "{script}: {said}");
        scene.reset(&tip);
    }
    // A person does there what a person wants.
    for script in ["git switch -q --detach SIDE", "git cherry-pick SIDE~"] {
        let script = script.replace("SIDE", &scene.side);
        let output = scene.repo.shell(&script).current_dir(scene.at()).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        scene.reset(&tip);
    }
}
