//! A disk that has no room: as far as a test can tell, one where no file may grow.

use pw_testkit::plans::TWO;
use pw_testkit::repo::{Answer, TestRepo};

use crate::repo;

/// Runs a helper that, and whose git, cannot write more than 50 kB into a file.
fn cramped(repo: &TestRepo, command: &str) -> Answer {
    // The limit is in blocks of 512 or 1024 bytes, as the shell likes it.
    let line = format!("trap '' XFSZ; ulimit -f 50; exec {command}");
    repo.shell(&line).output().unwrap().into()
}

/// Text that stays large when compressed.
fn large(seed: u32) -> String {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'0' + u8::try_from(state >> 26).unwrap())
    };
    (0..200_000).map(|at| if at % 60 == 59 { '\n' } else { next() }).collect()
}

/// Without room a command says so and leaves everything as it was; with room it goes on.
fn tried(repo: &TestRepo, folder: &str, command: &str) {
    let folder = repo.root().join(folder);
    let state = || {
        let refs = repo.git(&["for-each-ref", "refs/heads/main", "refs/heads/integration"]);
        (refs, repo.git_in(&folder, &["status", "--porcelain"]), repo.git(&["worktree", "list"]))
    };
    let before = state();
    let error = cramped(repo, &format!("{command} -C '{}'", folder.display()));
    let error = error.error(1, "cannot_write");
    assert!(error["hint"].as_str().unwrap().contains("run the same command again"), "{error:#}");
    assert_eq!(state(), before, "{command}");
    let mut again = repo.shell(command);
    let again: Answer = again.current_dir(&folder).output().unwrap().into();
    again.data();
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_full_disk_is_named_and_the_same_command_later_reaches_the_goal() {
    let repo = repo(&format!("{TWO}verify: 'true'\n"));
    repo.write("big", &large(1));
    repo.write("old", "small");
    repo.write("tiny", "tiny");
    repo.git(&["add", "big", "old", "tiny"]);
    repo.git(&["commit", "-q", "-m", "large files"]);
    tried(&repo, ".", "pw-setup create plan.yaml");
    let a = repo.worker("a-x");
    a.write("a", &large(3));
    tried(&repo, "worktrees/a-x", "pw-worker checkpoint large");
    a.pw(&["complete", "large"]).data();
    // Adds one, changes one, and takes one away.
    a.write("shared.txt", "1").write("old", &large(4)).git(&["rm", "-q", "tiny"]);
    a.commit("[COMPLETE] others");
    repo.worker("b-y").write("b", "1").commit("[COMPLETE] b");
    tried(&repo, ".", "pw-integrate run --allow-out-of-scope");
    tried(&repo, ".", "pw-integrate finish");
    assert_eq!((repo.read("a"), repo.read("old")), (large(3), large(4)));
    assert!(!repo.root().join("tiny").exists());

    a.write("left", &large(5));
    let error = cramped(&repo, "pw-integrate cleanup --snapshot").error(1, "cannot_write");
    assert_eq!(std::fs::read_to_string(a.path.join("left")).unwrap(), large(5), "{error:#}");
    repo.pw("pw-integrate cleanup --snapshot").data();
    assert!(!a.path.exists());
    let restore = "pw-integrate restore --snapshot a/1 --into worktrees/back";
    cramped(&repo, restore).error(1, "cannot_write");
    repo.pw(restore).data();
    assert_eq!(repo.read("worktrees/back/left"), large(5));
    let back = repo.root().join("worktrees/back");
    assert_eq!(repo.git_in(&back, &["status", "--porcelain"]), "?? left");
    repo.git(&["fsck", "--no-dangling"]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn many_files_are_written_into_one_pack_or_not_at_all() {
    let repo = repo(TWO);
    repo.pw("pw-setup create plan.yaml").data();
    let a = repo.worker("a-x");
    std::fs::create_dir(repo.root().join("worktrees/a-x/a")).unwrap();
    for (at, text) in large(5).as_bytes().chunks(160).enumerate() {
        a.write(&format!("a/{at}"), std::str::from_utf8(text).unwrap());
    }
    a.write("a/.gitattributes", "1* text eol=crlf\n").write("a/1", "a\r\nb\r\n");
    tried(&repo, "worktrees/a-x", "pw-worker checkpoint many");
    assert_eq!(a.git(&["status", "--porcelain"]), "");
    assert_eq!(a.git(&["cat-file", "-s", "HEAD:a/1"]), "4", "line ends are converted");
    assert_eq!(a.git(&["show", "HEAD:a/777"]), repo.read("worktrees/a-x/a/777").trim_end());
    let counted = repo.git(&["count-objects", "-v"]);
    assert!(counted.contains("packs: 1\n"), "{counted}");
    repo.git(&["fsck", "--strict"]);
}
