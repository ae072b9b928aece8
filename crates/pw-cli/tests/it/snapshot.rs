//! Snapshots: whatever a worktree held comes back, byte for byte.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use pw_testkit::plans::THREE;
use pw_testkit::repo::{TestRepo, Worker};
use serde_json::{Value, json};

use crate::created;

/// A workflow whose workers can be started by a command that does nothing.
fn startable() -> TestRepo {
    created(&format!("launch: \"true\"\ndisposable: [target, '*.tmp']\n{THREE}"))
}

/// Starts a worker anew; what was uncommitted is kept.
fn relaunch(repo: &TestRepo) -> Value {
    let data = repo.pw("pw-setup launch task-1 --with custom").data();
    data["workers"][0]["snapshot"].clone()
}

fn restore(repo: &TestRepo, snapshot: &str) -> std::path::PathBuf {
    let place = repo.beside("restored");
    let words =
        ["pw-integrate", "restore", "--snapshot", snapshot, "--into", place.to_str().unwrap()];
    repo.pw_in(&repo.root(), &words).data();
    place
}

/// Every file of a worktree but git's: mode and content, or what a link says.
fn files(folder: &Path) -> BTreeMap<Vec<u8>, (u32, Vec<u8>)> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let about = path.symlink_metadata().unwrap();
            if path == folder.join(".git") {
                continue;
            } else if about.is_dir() {
                folders.push(path);
                continue;
            }
            let content = match about.is_symlink() {
                true => path.read_link().unwrap().into_os_string().as_bytes().to_vec(),
                false => std::fs::read(&path).unwrap(),
            };
            let name = path.strip_prefix(folder).unwrap().as_os_str().as_bytes().to_vec();
            found.insert(name, (about.permissions().mode() & 0o777, content));
        }
    }
    found
}

/// What git says about a worktree, in full.
fn state(repo: &TestRepo, folder: &Path) -> [String; 3] {
    [
        &["status", "--porcelain=v2", "--ignored", "-uall"][..],
        &["ls-files", "--stage", "-v"],
        &["diff", "--binary"],
    ]
    .map(|args| repo.git_in(folder, args))
}

fn write_bytes(worker: &Worker<'_>, name: &[u8], bytes: &[u8]) {
    let path = worker.path.join(OsStr::from_bytes(name));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn everything_uncommitted_comes_back_byte_for_byte() {
    let repo = startable();
    // Filters, line ends and exports that would change bytes on their way through git.
    for (key, value) in [
        ("core.autocrlf", "true"),
        ("filter.rot.clean", "tr a-z b-za"),
        ("filter.rot.smudge", "tr b-za a-z"),
    ] {
        repo.git(&["config", key, value]);
    }
    let worker = repo.worker("task-1-users");
    worker.write(".gitattributes", "*.rot filter=rot\n*.id ident\n*.crlf eol=crlf\nsecret export-ignore\n*.u16 working-tree-encoding=UTF-16LE\n");
    worker.write(".gitignore", "*.log\ntarget/\n*.tmp\n");
    for name in ["a", "staged", "both", "gone", "mode", "hidden", "skipped", "typed", "index-only"]
    {
        worker.write(name, &format!("{name}\n"));
    }
    worker
        .write("same.rot", "abc\n")
        .write("v.id", "$Id$\n")
        .write("w.crlf", "1\r\n2\r\n")
        .write("secret", "s");
    write_bytes(&worker, b"x.u16", b"h\0i\0");
    worker.commit("[CHECKPOINT] all of it");

    worker.write("staged", "in the index\n").git(&["add", "staged"]);
    worker.write("both", "one\n").git(&["add", "both"]);
    worker.write("both", "two\n").write("new", "staged\n").git(&["add", "new"]);
    worker.write("new", "and more\r\nmixed\n");
    worker.git(&["rm", "-q", "--cached", "index-only"]);
    std::fs::remove_file(worker.path.join("gone")).unwrap();
    std::fs::set_permissions(worker.path.join("mode"), PermissionsExt::from_mode(0o755)).unwrap();
    // A key that only its owner may read, and a file that is read-only for all.
    for (name, bits) in [(".netrc", 0o600), ("run.secret", 0o700), ("fixed.key", 0o440)] {
        worker.write(name, name);
        std::fs::set_permissions(worker.path.join(name), PermissionsExt::from_mode(bits)).unwrap();
    }
    std::fs::remove_file(worker.path.join("typed")).unwrap();
    symlink("no/where \n", worker.path.join("typed")).unwrap();
    worker.git(&["update-index", "--assume-unchanged", "hidden"]);
    worker.git(&["update-index", "--skip-worktree", "skipped"]);
    worker.write("hidden", "edited\n").write("skipped", "edited, too\n");
    worker.write("run.log", "ignored\n").write("target/x", "built").write("deep/y.tmp", "built");
    worker.write("intended", "soon\n").git(&["add", "-N", "intended"]);
    write_bytes(&worker, b"caf\xe9\n\t\"\\ name", b"\0\xff\r\n");
    write_bytes(&worker, b"git~1", b"a name another system cannot have");
    write_bytes(&worker, b"big", &vec![7; 3 << 20]);

    let own = repo.root().join(".git/worktrees/task-1-users");
    let index = || {
        (
            std::fs::read(own.join("index")).unwrap(),
            own.join("index").metadata().unwrap().modified().unwrap(),
        )
    };
    let (expected, said, before) = (files(&worker.path), state(&repo, &worker.path), index());
    assert_eq!(relaunch(&repo), "task-1/1");
    assert_eq!(index(), before, "the worker's index was touched");
    assert_eq!(files(&worker.path), expected);

    let place = restore(&repo, "task-1/1");
    let kept = |name: &&[u8]| !name.starts_with(b"target/") && !name.ends_with(b".tmp");
    let expected: BTreeMap<_, _> =
        expected.into_iter().filter(|(name, _)| kept(&name.as_slice())).collect();
    assert_eq!(files(&place), expected);
    let without = |text: String| {
        text.lines()
            .filter(|line| !line.contains("target") && !line.contains(".tmp"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(state(&repo, &place).map(without), said.map(without));
    // Twice is once; something else there is never overwritten.
    restore(&repo, "task-1/1");
    std::fs::write(place.join("mine"), "mine").unwrap();
    let words =
        ["pw-integrate", "restore", "--snapshot", "task-1/1", "--into", place.to_str().unwrap()];
    let error = repo.pw_in(&repo.root(), &words).error(3, "in_the_way");
    assert!(error["details"]["paths"].as_array().unwrap().contains(&json!("mine")), "{error:#}");
    assert_eq!(std::fs::read(place.join("mine")).unwrap(), b"mine");
}

#[test]
fn a_stopped_merge_and_commits_that_nothing_else_knows_come_back() {
    let repo = startable();
    let worker = repo.worker("task-1-users");
    worker.write("a", "1\n").commit("[CHECKPOINT] a");
    worker.git(&["switch", "-q", "--detach"]);
    worker.write("lost", "never on a branch").commit("a detached thought");
    let lost = worker.git(&["rev-parse", "HEAD"]);
    worker.git(&[
        "update-ref",
        "refs/worktree/mine",
        &worker.write("b", "b").commit("also").git(&["rev-parse", "HEAD"]),
    ]);
    worker.git(&["switch", "-q", "work/task-1-users"]);
    worker.git(&["switch", "-q", "-c", "other", "HEAD~"]);
    worker.write("a", "2\n").commit("other");
    worker.git(&["switch", "-q", "work/task-1-users"]);
    assert!(!repo.try_git(&worker.path, &["merge", "other"]).status.success());
    worker.write("note", "what I think of it");
    let (expected, said) = (files(&worker.path), state(&repo, &worker.path));
    let id = relaunch(&repo);
    let data = repo.pw("pw-integrate restore").data();
    let listed = &data["snapshots"][0];
    assert_eq!((&listed["snapshot"], &listed["operation"]), (&id, &json!("merge")));
    assert_eq!(listed["unmerged"], json!({"count": 1, "paths": ["a"]}));
    assert_eq!(listed["untracked"], json!({"count": 1, "paths": ["note"]}));
    assert_eq!(listed["branch"], "work/task-1-users");
    assert_eq!(listed["commits"].as_array().unwrap().len(), 1, "{listed:#}");

    // The worker is gone altogether, with all that git would collect.
    repo.git(&["worktree", "remove", "-f", "-f", "worktrees/task-1-users"]);
    repo.git(&["branch", "-D", "work/task-1-users"]);
    repo.git(&["gc", "-q", "--prune=now"]);
    let place = restore(&repo, "task-1/1");
    assert_eq!(files(&place), expected);
    assert_eq!(state(&repo, &place), said);
    assert_eq!(repo.git_in(&place, &["show", &format!("{lost}:lost")]), "never on a branch");
    std::fs::write(place.join("a"), "both\n").unwrap();
    repo.git_in(&place, &["commit", "-qam", "goes on"]);
    assert_eq!(
        repo.git_in(&place, &["rev-list", "--parents", "-n1", "HEAD"]).split(' ').count(),
        3
    );
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_snapshot_is_taken_once_listed_brought_onto_a_branch_and_forgotten_on_request() {
    let repo = startable();
    let worker = repo.worker("task-1-users");
    assert_eq!(relaunch(&repo), Value::Null, "nothing to keep");
    worker.write("api/users.py", "half done");
    assert_eq!((relaunch(&repo), relaunch(&repo)), (json!("task-1/1"), json!("task-1/1")));
    worker.write("api/users.py", "three quarters");
    assert_eq!(relaunch(&repo), "task-1/2");

    let before = repo.fingerprint();
    let data = repo.pw("pw-integrate restore rest-api").data();
    assert_eq!(repo.fingerprint(), before, "listing writes nothing");
    let names: Vec<&Value> =
        data["snapshots"].as_array().unwrap().iter().map(|s| &s["snapshot"]).collect();
    assert_eq!(names, ["task-1/1", "task-1/2"]);
    assert_eq!(data["snapshots"][0]["ref"], "refs/pw/rest-api/snapshot/task-1/1");
    // What is offered runs as it is, from anywhere.
    let offered = data["next"][0]["command"].as_str().unwrap();
    assert!(
        repo.shell(&format!("cd / && {offered} -C {}", repo.root().display()))
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(repo.read("worktrees/_restored-task-1-2/api/users.py"), "three quarters");

    for _ in 0..2 {
        let data = repo.pw("pw-integrate restore --snapshot task-1/1 --branch half").data();
        assert_eq!(data["restored"]["branch"], "half");
    }
    assert_eq!(repo.git(&["show", "half:api/users.py"]), "half done");
    assert_eq!(repo.git(&["rev-parse", "half~"]), repo.git(&["rev-parse", "work/task-1-users"]));
    repo.pw("pw-integrate restore --snapshot task-1/1 --branch main").error(3, "in_the_way");
    repo.pw("pw-integrate restore --snapshot task-1/1 --branch ..").error(2, "usage");
    repo.pw("pw-integrate restore --snapshot task-1/9").error(3, "unknown_snapshot");

    repo.pw("pw-integrate forget").error(2, "usage");
    let data = repo.pw("pw-integrate forget --snapshot task-1/2").data();
    assert_eq!((&data["forgotten"][0]["changed"]["count"], &data["left"]), (&json!(0), &json!(1)));
    assert_eq!(data["forgotten"][0]["untracked"]["paths"], json!(["api/users.py"]));
    assert_eq!(repo.pw("pw-integrate forget --snapshot task-1/2").data()["forgotten"], json!([]));
    worker.write("api/users.py", "done");
    assert_eq!(relaunch(&repo), "task-1/3", "a number is given once");
    assert_eq!(
        repo.pw("pw-integrate forget --all").data()["forgotten"].as_array().unwrap().len(),
        2
    );
    assert_eq!(repo.pw("pw-integrate restore").data()["snapshots"], json!([]));
    assert_eq!(repo.read("worktrees/task-1-users/api/users.py"), "done");
}
