//! Two at once: one works, the other is told who does.

use std::process::Stdio;

use pw_testkit::plans::TWO;

use crate::{created, repo};

/// Every command that changes more than a worker's own worktree.
const WRITERS: &[&str] = &[
    "pw-setup create plan.yaml",
    "pw-setup advance",
    "pw-setup launch --with custom",
    "pw-integrate run",
    "pw-integrate continue",
    "pw-integrate abort",
    "pw-integrate finish",
    "pw-integrate cleanup",
    "pw-integrate restore --snapshot b/1 --into worktrees/back",
    "pw-integrate forget two --snapshot b/1",
];

#[test]
#[ignore = "long; .ci/run runs it"]
fn while_a_setup_or_a_gate_runs_every_other_writer_is_told_who_works() {
    // Both say that they run, then wait to be let go on.
    let hold = "echo > \"$HOME/started\"; read go < \"$HOME/go\"";
    let repo = repo(&format!("{TWO}launch: 'true {{script}}'\nverify: {hold}\nsetup: {hold}\n"));
    let fifos = repo.shell("mkfifo \"$HOME/started\" \"$HOME/go\"").status();
    assert!(fifos.unwrap().success());
    // No reader at the other end is a failure, and no reason to wait for ever.
    let soon = |line: &str| {
        let status = repo.shell(&format!("timeout 60 sh -c '{line}'")).status();
        assert!(status.unwrap().success(), "{line}");
    };
    let started = || soon("read started < \"$HOME/started\"");
    let go = || soon("echo > \"$HOME/go\"");
    let start = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = repo.helper(&repo.root(), &words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let are_told = |others: &[&str], command: &str, process: u32| {
        let state = || (repo.git(&["for-each-ref"]), repo.git(&["worktree", "list"]));
        let before = state();
        for other in others {
            let details = repo.pw(other).error(3, "locked")["details"].clone();
            assert_eq!(
                (&details["command"], &details["process"]),
                (&command.into(), &process.into())
            );
            let since = details["since"].as_str().unwrap();
            assert!(since.starts_with("20") && since.ends_with('Z'), "{since}");
        }
        assert_eq!(state(), before);
    };

    let create = start("pw-setup create plan.yaml --no-trial");
    started();
    are_told(&WRITERS[..2], "pw-setup create plan.yaml", create.id());
    go();
    started();
    go();
    pw_testkit::repo::Answer::from(create.wait_with_output().unwrap()).data();

    let [a, b] = ["a-x", "b-y"].map(|label| repo.worker(label));
    a.write("a", "1").commit("[COMPLETE] a");
    b.write("b", "1").commit("[COMPLETE] b");
    let run = start("pw-integrate run");
    // The gate's worktree is set up first.
    started();
    go();
    started();
    are_told(WRITERS, "pw-integrate run", run.id());
    // No lock keeps a worker from its own work, nor a reader from looking.
    a.write("a", "2").pw(&["checkpoint", "meanwhile"]).data();
    b.pw(&["sync", "a"]).error(3, "not_ready");
    a.pw(&["complete", "meanwhile"]).data();
    b.pw(&["sync", "a"]).data();
    for reader in ["pw-monitor status", "pw-integrate preview", "pw-integrate cleanup --dry-run"] {
        repo.pw(reader).data();
    }
    // Two in one worktree: git itself keeps them apart.
    a.write("a", "3");
    let index = a.git(&["rev-parse", "--git-path", "index.lock"]);
    std::fs::write(&index, "").unwrap();
    let error = a.pw(&["checkpoint", "both"]).error(3, "locked");
    assert_eq!(error["details"]["lock"], index);
    std::fs::remove_file(&index).unwrap();
    a.pw(&["checkpoint", "both"]).data();
    go();
    let data = pw_testkit::repo::Answer::from(run.wait_with_output().unwrap()).data();
    assert_eq!(
        (data["merged"].as_array().unwrap().len(), &data["newer"]),
        (2, &serde_json::json!(["a", "b"]))
    );
}

/// Exit 3 says that nothing was changed: what a lock of git's stops later exits otherwise, and goes on
/// once the lock is gone.
#[test]
#[ignore = "long; .ci/run runs it"]
fn a_lock_of_gits_that_stops_a_command_half_way_is_no_refusal() {
    let locks = [
        "config",
        "packed-refs",
        "index",
        "HEAD",
        "ORIG_HEAD",
        "refs/heads/main",
        "refs/heads/work/b-y",
        "refs/pw/two/record",
    ];
    let story = ["pw-setup create plan.yaml", "pw-integrate run", "pw-integrate finish"];
    for lock in locks {
        let repo = repo(TWO);
        for command in story {
            let path = repo.root().join(".git").join(format!("{lock}.lock"));
            let ask = [&["for-each-ref"][..], &["worktree", "list"], &["status", "--porcelain"]];
            let state = || ask.map(|words| repo.git(words));
            let before = state();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            let answer = repo.pw(command);
            std::fs::remove_file(&path).unwrap();
            if answer.code == Some(3) {
                assert_eq!(state(), before, "{lock}: {command} said that nothing was changed");
            }
            if answer.code != Some(0) {
                repo.pw(command).data();
            }
            if command == story[0] {
                for (label, file) in [("a-x", "a"), ("b-y", "b")] {
                    repo.worker(label).write(file, "1").commit("[COMPLETE] done");
                }
            }
        }
        assert_eq!(repo.git(&["show", "main:b"]), "1", "{lock}");
    }
}

/// Commands that delete a ref, what comes before them, and which ref.
const DELETIONS: &[(&str, &[&str], &str)] = &[
    ("pw-integrate cleanup --snapshot", &[], "refs/heads/work/a-x"),
    ("pw-integrate cleanup --snapshot", &["pw-integrate finish"], "refs/heads/integration/two"),
    (
        "pw-integrate forget --snapshot a/1",
        &["pw-integrate cleanup --snapshot"],
        "refs/pw/two/snapshot/a/1",
    ),
];

/// Git is about to delete the ref when another process moves it: what that made must not go with it.
#[test]
#[ignore = "long; .ci/run runs it"]
fn a_ref_that_moved_at_the_last_moment_is_not_deleted() {
    for (command, before, name) in DELETIONS {
        let mut repo = created(TWO);
        repo.worker("a-x").write("a", "1").commit("[COMPLETE] a");
        repo.worker("b-y").write("b", "1").commit("[COMPLETE] b");
        repo.pw("pw-integrate run").data();
        // A reason for a snapshot.
        repo.worker("a-x").write("note", "untracked");
        for words in *before {
            repo.pw(words).data();
        }
        let (input, moved) = (repo.beside("input"), repo.beside("moved"));
        repo.shim_git(&format!(
            "case \"$*\" in *'update-ref --stdin'*) ;; *) exec $GIT \"$@\" ;; esac\n\
             cat > {input}\n\
             if grep -aq 'delete {name}' {input} && ! [ -e {moved} ]; then\n\
             new=$($GIT -C {root} commit-tree -p {name} -m theirs {name}^{{tree}})\n\
             $GIT -C {root} update-ref {name} $new && echo $new > {moved}\n\
             fi\n\
             exec $GIT \"$@\" < {input}",
            input = input.display(),
            moved = moved.display(),
            root = repo.root().display(),
        ));
        repo.pw(command);
        repo.unshim_git();
        let theirs =
            std::fs::read_to_string(&moved).unwrap_or_else(|_| panic!("{command}: {name}"));
        assert_eq!(repo.git(&["for-each-ref", "--format=%(objectname)", name]), theirs.trim());
    }
}

#[test]
fn refs_that_may_not_be_written_are_not_told_as_moved() {
    let mut repo = crate::repo(pw_testkit::plans::TWO);
    let refused = "fatal: prepare: cannot lock ref 'refs/pw/two/record': Unable to create \
                   '/r/.git/refs/pw/two/record.lock': Permission denied";
    repo.shim_git(&format!(
        "case \" $* \" in *' update-ref --stdin '*) cat >/dev/null; echo \"{refused}\" >&2; exit 128 ;; esac\n\
         exec \"$GIT\" \"$@\""
    ));
    let error = repo.pw("pw-setup create plan.yaml").error(1, "cannot_write");
    assert!(error["hint"].as_str().unwrap().contains("right to write"), "{error:#}");
}
