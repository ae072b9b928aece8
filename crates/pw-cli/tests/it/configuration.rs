//! Configurations of users that would change what git says or does.

use pw_testkit::plans::TWO;
use pw_testkit::repo::write_program;

use crate::repo;

const PLACE: &str = "worktrees/_integration-b-y";

/// All at once; in the repository's own file, which everything of git reads. A split index is left
/// out: with `feature.manyFiles`, git itself makes worktrees with an empty one.
const SETTINGS: &str = r#"
[advice]
	detachedHead = true
	statusHints = true
[apply]
	whitespace = error-all
[branch]
	autoSetupMerge = always
	autoSetupRebase = always
[checkout]
	guess = false
	workers = 4
[color]
	ui = always
[column]
	ui = always
[commit]
	gpgSign = true
	status = false
	template = /nonexistent/template
	verbose = 2
[core]
	abbrev = 4
	autocrlf = true
	commentChar = ";"
	editor = false
	fsmonitor = /nonexistent/fsmonitor
	hooksPath = HOOKS
	ignoreStat = true
	pager = false
	preferSymlinkRefs = true
	quotePath = true
	untrackedCache = true
	whitespace = tab-in-indent
[diff]
	external = false
	ignoreSubmodules = all
	mnemonicPrefix = true
	noprefix = true
	orderFile = /nonexistent/order
	relative = true
	renames = false
[feature]
	experimental = true
	manyFiles = true
[fetch]
	writeCommitGraph = true
[format]
	pretty = oneline
[gc]
	auto = 1
[gpg]
	program = SIGNER
[grep]
	lineNumber = true
[help]
	autocorrect = 1
[i18n]
	commitEncoding = ISO-8859-1
	logOutputEncoding = ISO-8859-1
[index]
	sparse = true
	version = 4
[init]
	defaultBranch = trunk
[log]
	abbrevCommit = true
	date = relative
	decorate = full
	follow = true
	showRoot = false
	showSignature = true
[merge]
	autoStash = true
	conflictStyle = zdiff3
	directoryRenames = true
	ff = only
	log = 5
	renames = false
	verifySignatures = true
[notes]
	displayRef = *
[pull]
	rebase = true
[push]
	default = nothing
	gpgSign = true
[rebase]
	autoStash = true
[rerere]
	autoUpdate = true
	enabled = true
[status]
	branch = true
	relativePaths = true
	short = true
	showStash = true
	showUntrackedFiles = no
[submodule]
	recurse = true
[tag]
	gpgSign = true
[transfer]
	fsckObjects = true
[user]
	signingKey = nokey
[worktree]
	guessRemote = true
	useRelativePaths = true
"#;

/// Signs everything, like gpg.
const SIGNER: &str = "#!/bin/sh
cat > /dev/null
echo '[GNUPG:] SIG_CREATED D 1 8 00 1 F' >&2
printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nx\\n-----END PGP SIGNATURE-----\\n'
";

/// Fail where git has done its work already.
const HOOKS: [&str; 4] = ["post-checkout", "post-commit", "post-index-change", "post-merge"];

#[test]
#[ignore = "long; .ci/run runs it"]
fn no_configuration_changes_what_happens() {
    let plan = format!("{TWO}  - {{id: c, name: z, owns: [ü c]}}\n");
    let repo = repo(&format!("{plan}verify: test -f a && grep -q one shared.txt\n"));
    repo.write("shared.txt", "one\ntwo\nthree\n");
    repo.git(&["add", "shared.txt"]);
    repo.git(&["commit", "-q", "-m", "first"]);
    let [hooks, signer] = ["hooks", "signer"].map(|name| repo.beside(name));
    std::fs::create_dir(&hooks).unwrap();
    for hook in HOOKS {
        write_program(&hooks.join(hook), "#!/bin/sh\necho no >&2; exit 1\n");
    }
    let [hooks, signer] = [hooks, signer].map(|path| path.display().to_string());
    let settings = SETTINGS.replace("HOOKS", &hooks).replace("SIGNER", &signer);
    repo.write(".git/config", &(repo.read(".git/config") + &settings));
    repo.pw("pw-setup create plan.yaml").data();

    let [a, b, c] = ["a-x", "b-y", "c-z"].map(|label| repo.worker(label));
    a.write("a", "1\n").write("shared.txt", "one\r\na\r\nthree\r\n");
    let error = a.pw(&["checkpoint", "é"]).error(1, "program_failed");
    assert!(error["message"].as_str().unwrap().contains("cannot be signed"), "{error:#}");
    write_program(&repo.beside("signer"), SIGNER);
    b.write("b", "1\n").write("shared.txt", "one\r\nb\r\nthree\r\n");
    c.write("ü c", "1\n");
    for worker in [&a, &b, &c] {
        worker.pw(&["checkpoint", "é"]).data();
        worker.pw(&["complete", "œuvre"]).data();
    }
    c.pw(&["sync", "a"]).data();
    c.pw(&["complete", "with a"]).data();

    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["workers"][0]["signal"]["text"], "œuvre");
    for worker in status["workers"].as_array().unwrap() {
        assert_eq!(
            (&worker["ready"], &worker["uncommitted"]),
            (&true.into(), &serde_json::json!([]))
        );
    }
    let preview = repo.pw("pw-integrate preview").data();
    assert_eq!(preview["steps"].to_string().matches("\"content\"").count(), 1, "{preview:#}");
    let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert_eq!(error["details"]["conflicts"][0]["hunks"][0]["ours"], "a\n");
    let place = repo.read(&format!("{PLACE}/shared.txt"));
    assert!(place.starts_with("one\r\n<<<<<<< ") && !place.contains("|||||||"), "{place}");
    repo.write(&format!("{PLACE}/shared.txt"), "one\r\nboth\r\nthree\r\n");
    let add = ["-c", "core.fsmonitor=false", "add", "shared.txt"];
    repo.try_git(&repo.root().join(PLACE), &add);
    let data = repo.pw("pw-integrate continue").data();
    assert_eq!(data["gate"]["gates"][0]["passed"], true);
    repo.pw("pw-integrate finish").data();
    assert_eq!(repo.read("shared.txt"), "one\r\nboth\r\nthree\r\n");
    let plain = ["-c", "core.fsmonitor=false", "-c", "status.short=false", "-c", "color.ui=false"];
    let status = |folder: &std::path::Path| {
        let args = [&plain[..], &["status", "--porcelain", "--untracked-files=all"]].concat();
        repo.git_in(folder, &args)
    };
    assert_eq!(status(&repo.root()), "?? plan.yaml");
    assert_eq!(repo.git(&["cat-file", "blob", "main:shared.txt"]), "one\nboth\nthree");
    let told = repo.git(&["-c", "log.showSignature=false", "log", "--format=%B", "main"]);
    assert!(told.contains("[CHECKPOINT] é") || !told.contains("Ã"), "{told}");

    b.write("new", "not committed\n");
    let data = repo.pw("pw-integrate cleanup").data();
    assert_eq!(data["removed"].as_array().unwrap().len(), 2, "{data:#}");
    assert_eq!(data["kept"][0]["reasons"][0]["paths"], serde_json::json!(["new"]));
    repo.pw("pw-integrate cleanup --snapshot").data();
    repo.pw("pw-integrate restore --snapshot b/1 --into worktrees/back").data();
    assert_eq!(status(&repo.root().join("worktrees/back")), "?? new");
    assert_eq!(repo.pw("pw-retro report").data()["workers"].as_array().unwrap().len(), 3);
}

#[test]
fn a_name_that_is_known_in_the_checkout_alone_is_asked_for_before_anybody_starts() {
    let repo = repo(TWO);
    repo.write("me", "[user]\nname = N\nemail = n@x.invalid\n");
    repo.write(".git/info/exclude", "me\n");
    let include = format!("includeIf.onbranch:main.path={}", repo.root().join("me").display());
    let nameless = |words: &[&str], folder: &std::path::Path| {
        let mut helper = repo.helper(folder, words);
        let names = ["AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"];
        for name in names {
            helper.env_remove(format!("GIT_{name}"));
        }
        let (key, value) = include.split_once('=').unwrap();
        helper.env("EMAIL", "").env("GIT_CONFIG_COUNT", "2");
        helper.env("GIT_CONFIG_KEY_0", key).env("GIT_CONFIG_VALUE_0", value);
        helper.env("GIT_CONFIG_KEY_1", "user.useConfigOnly").env("GIT_CONFIG_VALUE_1", "true");
        pw_testkit::repo::Answer::from(helper.output().unwrap())
    };
    let created = nameless(&["pw-setup", "create", "plan.yaml"], &repo.root()).data();
    assert!(created["warnings"].to_string().contains("user.name NAME"), "{created:#}");
    let worker = repo.worker("a-x");
    worker.write("a", "1\n");
    let error = nameless(&["pw-worker", "checkpoint", "x"], &worker.path).error(1, "no_identity");
    assert!(error["hint"].as_str().unwrap().contains("git config user.email"), "{error:#}");
    repo.git(&["config", "user.name", "N"]);
    repo.git(&["config", "user.email", "n@x.invalid"]);
    nameless(&["pw-worker", "checkpoint", "x"], &worker.path).data();
}

#[test]
fn where_the_folder_for_temporary_files_is_missing_another_serves() {
    let repo = repo(TWO);
    let missing = repo.beside("missing");
    let run = |words: &[&str], folder: &std::path::Path| {
        let output = repo.helper(folder, words).env("TMPDIR", &missing).output();
        pw_testkit::repo::Answer::from(output.unwrap()).data()
    };
    run(&["pw-setup", "create", "plan.yaml"], &repo.root());
    let worker = repo.worker("a-x");
    worker.write("a", "1\n");
    run(&["pw-worker", "checkpoint", "x"], &worker.path);
    run(&["pw-integrate", "preview"], &repo.root());
    assert!(!missing.exists());
}

#[test]
fn a_signer_that_cannot_sign_is_named_before_anybody_starts() {
    let repo = repo(TWO);
    let signer = repo.beside("signer");
    repo.git(&["config", "commit.gpgSign", "true"]);
    repo.git(&["config", "gpg.program", signer.to_str().unwrap()]);
    for (script, is_named) in
        [("#!/bin/sh\necho 'no secret key' >&2; exit 2\n", true), (SIGNER, false)]
    {
        write_program(&signer, script);
        let before = repo.fingerprint();
        let warned = repo.pw("pw-setup check plan.yaml").data()["warnings"].to_string();
        assert_eq!(warned.contains("no commit can be signed here"), is_named, "{warned}");
        assert!(before == repo.fingerprint(), "check left a trace");
    }
}

#[test]
fn options_for_merges_into_one_branch_change_no_merge_of_ours() {
    let repo = crate::created(pw_testkit::plans::TWO);
    let [a, b] = ["a-x", "b-y"].map(|label| repo.worker(label));
    for (name, value) in [
        ("branch.work/b-y.mergeOptions", "--squash -s ours"),
        ("branch.main.mergeOptions", "--squash"),
        ("pull.twohead", "ours"),
    ] {
        repo.git(&["config", name, value]);
    }
    a.write("a", "1\n").commit("[COMPLETE] a");
    b.write("b", "1\n").commit("[CHECKPOINT] b");
    let data = b.pw(&["sync", "a"]).data();
    assert_eq!(data["files"][0]["path"], "a", "{data:#}");
    b.pw(&["complete", "with a"]).data();
    repo.pw("pw-integrate run").data();
    let landed = repo.pw("pw-integrate finish").data();
    assert_eq!(landed["landed"], "fast_forward", "{landed:#}");
    assert_eq!(
        (repo.read("a"), repo.git(&["status", "--porcelain"])),
        ("1\n".into(), "?? plan.yaml".into())
    );
}
