//! However a repository is laid out: the five steps end well, or in a refusal that says what to do.

use std::path::{Path, PathBuf};

use pw_testkit::plans::TWO;
use pw_testkit::repo::TestRepo;
use pw_testkit::rows::rows;
use serde_json::json;

use crate::repo;

/// Where a layout is worked in.
struct Place {
    /// The folder the user stands in.
    here: PathBuf,
    /// The folder the worktrees are made in.
    root: PathBuf,
    /// The branch the workflow forks from and lands on; `None` for a detached HEAD.
    base: Option<&'static str>,
}

fn at(folder: PathBuf) -> Place {
    Place { here: folder.clone(), root: folder, base: Some("main") }
}

/// Makes the layout of a project that is in `repo` with one commit.
type Make = fn(&TestRepo) -> Place;

fn clone(repo: &TestRepo, more: &[&str], to: &Path) {
    let url = format!("file://{}", repo.root().display());
    let words = [&["clone", "-q"], more, &[&url, to.to_str().unwrap()]].concat();
    repo.git(&words);
}

/// Sets whether git finds a bare repository where one stands in it: `all`, or, as git 3.0 does by
/// itself, only by its name, `explicit`.
fn find_bare(repo: &TestRepo, which: &str) {
    let settings = repo.beside("gitconfig").to_string_lossy().into_owned();
    repo.git(&["config", "--file", &settings, "safe.bareRepository", which]);
}

fn bare(repo: &TestRepo, name: &str, is_linked: bool) -> Place {
    let folder = repo.beside("project");
    clone(repo, &["--bare"], &folder.join(name));
    if is_linked {
        std::fs::write(folder.join(".git"), format!("gitdir: ./{name}\n")).unwrap();
    }
    find_bare(repo, "all");
    repo.git_in(&folder.join(name), &["worktree", "add", "-q", "../main", "main"]);
    find_bare(repo, "explicit");
    Place { here: folder.join("main"), root: folder, base: Some("main") }
}

const LAYOUTS: &[(&str, Make)] = &[
    ("plain", |repo| at(repo.root())),
    ("a folder below", |repo| {
        std::fs::create_dir(repo.root().join("below")).unwrap();
        Place { here: repo.root().join("below"), root: repo.root(), base: Some("main") }
    }),
    ("linked worktree", |repo| {
        repo.git(&["worktree", "add", "-q", "-b", "side", "../side"]);
        repo.git_in(&repo.beside("side"), &["commit", "-q", "--allow-empty", "-m", "side"]);
        Place { here: repo.beside("side"), root: repo.root(), base: Some("side") }
    }),
    ("bare clone with a link", |repo| bare(repo, ".bare", true)),
    ("bare clone without one", |repo| bare(repo, ".bare", false)),
    ("bare clone called .git", |repo| bare(repo, ".git", false)),
    ("bare clone of any name, with a link", |repo| bare(repo, "project.git", true)),
    ("the folder around a bare clone", |repo| {
        let place = bare(repo, ".bare", true);
        Place { here: place.root.clone(), ..place }
    }),
    ("separate git dir", |repo| {
        let apart = repo.beside("apart");
        repo.git(&["init", "-q", "--separate-git-dir", apart.to_str().unwrap()]);
        at(repo.root())
    }),
    ("submodule", |repo| {
        let outer = repo.beside("outer");
        repo.git(&["init", "-q", "-b", "main", outer.to_str().unwrap()]);
        let url = repo.root().to_string_lossy().into_owned();
        let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add"];
        repo.git_in(&outer, &[&add[..], &[&url, "inner"]].concat());
        at(outer.join("inner"))
    }),
    ("detached HEAD", |repo| {
        repo.git(&["checkout", "-q", "--detach"]);
        Place { base: None, ..at(repo.root()) }
    }),
    ("shallow", |repo| {
        repo.git(&["commit", "-q", "--allow-empty", "-m", "second"]);
        clone(repo, &["--depth", "1"], &repo.beside("shallow"));
        at(repo.beside("shallow"))
    }),
    ("blobless", |repo| {
        repo.git(&["config", "uploadpack.allowFilter", "true"]);
        repo.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        clone(repo, &["--filter=blob:none"], &repo.beside("blobless"));
        at(repo.beside("blobless"))
    }),
    ("sparse", |repo| {
        repo.git(&["sparse-checkout", "set", "docs"]);
        at(repo.root())
    }),
    ("SHA-256", |repo| fresh(repo, "--object-format=sha256")),
    ("reftable", |repo| fresh(repo, "--ref-format=reftable")),
    ("a link to the repository", |repo| {
        std::os::unix::fs::symlink(repo.root(), repo.beside("link")).unwrap();
        Place { here: repo.beside("link"), ..at(repo.root()) }
    }),
];

fn fresh(repo: &TestRepo, option: &str) -> Place {
    let folder = repo.beside("fresh");
    repo.git(&["init", "-q", "-b", "main", option, folder.to_str().unwrap()]);
    std::fs::write(folder.join("README.md"), "a project\n").unwrap();
    repo.git_in(&folder, &["add", "README.md"]);
    repo.git_in(&folder, &["commit", "-q", "-m", "first"]);
    at(folder)
}

#[test]
fn in_every_layout_the_five_steps_end_well() {
    // A thread's name is in what it says of a panic.
    let play = |(name, make): &'static (&str, Make)| {
        let thread = std::thread::Builder::new().name((*name).to_owned());
        thread.spawn(|| five_steps(name, *make)).unwrap()
    };
    let played: Vec<_> = rows(LAYOUTS).map(play).collect();
    let failed = played
        .into_iter()
        .zip(rows(LAYOUTS))
        .filter_map(|(thread, (name, _))| thread.join().is_err().then_some(*name));
    assert_eq!(failed.collect::<Vec<_>>(), [""; 0]);
}

fn five_steps(name: &str, make: Make) {
    let repo = repo("");
    std::fs::remove_file(repo.root().join("plan.yaml")).unwrap();
    let Place { here, root, base } = make(&repo);
    let plan = repo.beside("plan.yaml").to_string_lossy().into_owned();
    std::fs::write(&plan, format!("{TWO}copy: [.env]\n")).unwrap();
    let pw = |folder: &Path, words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        repo.pw_in(folder, &words)
    };
    let checkout = if base == Some("main") && here == root && !here.join("README.md").exists() {
        root.join("main")
    } else {
        here.clone()
    };
    let top = PathBuf::from(repo.git_in(&checkout, &["rev-parse", "--show-toplevel"]));
    std::fs::write(top.join(".env"), "secret").unwrap();
    let exclude = repo
        .git_in(&checkout, &["rev-parse", "--path-format=absolute", "--git-path", "info/exclude"]);
    std::fs::create_dir_all(Path::new(&exclude).parent().unwrap()).unwrap();
    std::fs::write(&exclude, "/.env\n").unwrap();

    let check = pw(&here, &format!("pw-setup check {plan}")).data();
    assert_eq!(check["base"]["branch"], json!(base), "{name}: {check:#}");
    let said = check["warnings"].to_string();
    assert_eq!(said.contains("HEAD is on no branch"), base.is_none(), "{name}: {said}");
    assert_eq!(said.contains("main checkout is on main"), base == Some("side"), "{name}: {said}");
    pw(&here, &format!("pw-setup create {plan}")).data();
    let workers = ["a-x", "b-y"].map(|label| root.join("worktrees").join(label));
    let launch = pw(&here, "pw-setup launch a --with print").data();
    let command = launch["workers"][0]["command"].as_str().unwrap().to_owned();
    assert!(repo.shell(&format!("sh -n {}", &command[3..])).status().unwrap().success(), "{name}");
    for (worker, file) in workers.iter().zip(["a", "b"]) {
        assert_eq!(std::fs::read_to_string(worker.join(".env")).unwrap(), "secret", "{name}");
        std::fs::write(worker.join(file), name).unwrap();
        pw(worker, "pw-worker checkpoint one").data();
        pw(worker, "pw-worker complete all").data();
    }
    // The guard's hooks are there.
    let [one, _] = &workers;
    std::fs::write(one.join("stray"), "x").unwrap();
    repo.git_in(one, &["add", "stray"]);
    assert!(!repo.try_git(one, &["commit", "-qm", "stray"]).status.success(), "{name}");
    repo.git_in(one, &["rm", "-qf", "stray"]);
    // From the inside and the outside the same picture.
    for folder in [&here, one] {
        let status = pw(folder, "pw-monitor status").data();
        for worker in status["workers"].as_array().unwrap() {
            assert_eq!(worker["ready"], true, "{name}: {status:#}");
        }
    }
    assert_eq!(pw(&here, "pw-setup repair").data()["workers"], json!([]), "{name}");
    pw(&here, "pw-integrate run").data();
    if let Some(base) = base {
        pw(&workers[0], "pw-integrate finish").data();
        assert_eq!(repo.git_in(&checkout, &["show", &format!("{base}:b")]), *name, "{name}");
        assert_eq!(
            repo.git_in(&checkout, &["status", "--porcelain", "--untracked-files=no"]),
            "",
            "{name}"
        );
    } else {
        let error = pw(&here, "pw-integrate finish").error(3, "no_base");
        assert!(error["hint"].as_str().unwrap().contains("by hand"), "{name}");
        let next = error["next"].as_str().unwrap();
        assert!(repo.shell(next).current_dir(&here).status().unwrap().success(), "{name}");
    }
    let cleaned = pw(&here, "pw-integrate cleanup").data();
    assert_eq!(cleaned["removed"].as_array().unwrap().len(), 2, "{name}: {cleaned:#}");
    assert!(!root.join("worktrees").exists(), "{name}");
}

#[test]
fn a_bare_repository_without_a_folder_of_its_own_is_refused_with_a_way() {
    let repo = repo(TWO);
    let plan = repo.root().join("plan.yaml").to_string_lossy().into_owned();
    let served = repo.beside("served.git");
    clone(&repo, &["--bare"], &served);
    find_bare(&repo, "all");
    let create = ["pw-setup", "create", &plan];
    let error = repo.pw_in(&served, &create).error(3, "bare_repository");
    assert!(error["hint"].as_str().unwrap().contains(".bare in a folder of its own"), "{error:#}");
    // The main checkout cannot be told from a worktree elsewhere, until there is one in it.
    let apart = repo.beside("apart");
    repo.git(&["init", "-q", "--separate-git-dir", apart.to_str().unwrap()]);
    repo.git(&["worktree", "add", "-q", "-b", "side", "../side"]);
    let error = repo.pw_in(&repo.beside("side"), &create).error(3, "bare_repository");
    assert!(error["hint"].as_str().unwrap().contains("in the main checkout"), "{error:#}");
    repo.pw("pw-setup create plan.yaml").data();
    repo.pw_in(&repo.beside("side"), &["pw-monitor", "status"]).data();
    find_bare(&repo, "explicit");
    let error = repo.pw_in(&served, &create).error(3, "unsafe_repository");
    assert!(error["hint"].as_str().unwrap().contains("in one of its worktrees"), "{error:#}");
}

#[test]
fn the_main_checkout_keeps_its_settings_to_itself() {
    let repo = repo("");
    let plan = repo.beside("plan.yaml").to_string_lossy().into_owned();
    std::fs::write(&plan, TWO).unwrap();
    let layouts =
        LAYOUTS.iter().filter(|(name, _)| ["bare clone with a link", "submodule"].contains(name));
    for (name, make) in layouts {
        let Place { here, root, .. } = make(&repo);
        repo.git_in(&here, &["worktree", "add", "-q", "-b", "side", "../side"]);
        let side = here.parent().unwrap().join("side");
        let top = |folder: &Path| repo.git_in(folder, &["rev-parse", "--show-toplevel"]);
        let tops = [top(&here), top(&side)];
        let common =
            repo.git_in(&here, &["rev-parse", "--path-format=absolute", "--git-common-dir"]);
        let is_bare = || {
            repo.git_in(Path::new(&common), &["--git-dir=.", "rev-parse", "--is-bare-repository"])
        };
        let bare = is_bare();
        repo.pw_in(&here, &["pw-setup", "create", &plan]).data();
        // Neither the user's worktrees nor the repository itself are others than before.
        let is_as_before = || {
            assert_eq!([top(&here), top(&side)], tops, "{name}");
            assert_eq!(is_bare(), bare, "{name}");
            let worker = root.join("worktrees/a-x");
            assert_eq!(top(&worker), worker.to_string_lossy(), "{name}");
            assert_eq!(repo.git_in(&worker, &["status", "--porcelain"]), "", "{name}");
        };
        is_as_before();
        // `git submodule` writes the path again into what all worktrees share: said, and mended.
        let config = Path::new(&common).join("config");
        let set =
            if *name == "submodule" { ["core.worktree", &tops[0]] } else { ["core.bare", "true"] };
        repo.git(&["config", "--file", config.to_str().unwrap(), set[0], set[1]]);
        assert_eq!(repo.pw_in(&here, &["pw-setup", "repair"]).data()["left"], json!([]), "{name}");
        is_as_before();
    }
}

#[test]
fn a_clone_without_the_content_of_the_base_is_refused_with_the_command_that_fetches_it() {
    let repo = repo("");
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    repo.git(&["branch", "old"]);
    std::fs::write(repo.root().join("README.md"), "another\n").unwrap();
    repo.git(&["commit", "-qam", "second"]);
    let here = repo.beside("blobless");
    clone(&repo, &["--filter=blob:none"], &here);
    repo.git_in(&here, &["branch", "-q", "old", "origin/old"]);
    let plan = repo.beside("plan.yaml").to_string_lossy().into_owned();
    std::fs::write(&plan, format!("{TWO}base: old\n")).unwrap();
    let create = ["pw-setup", "create", &plan];
    let error = repo.pw_in(&here, &create).error(1, "objects_missing");
    assert_eq!(repo.git_in(&here, &["branch", "--list", "work/*"]), "");
    let fetch = error["next"].as_str().unwrap();
    assert!(repo.shell(fetch).current_dir(&here).status().unwrap().success());
    repo.pw_in(&here, &create).data();
}

#[test]
fn what_is_under_way_is_known_where_refs_are_a_table() {
    let repo = repo("");
    let Place { here, .. } = fresh(&repo, "--ref-format=reftable");
    let plan = repo.beside("plan.yaml").to_string_lossy().into_owned();
    std::fs::write(&plan, TWO).unwrap();
    repo.pw_in(&here, &["pw-setup", "create", &plan]).data();
    let worker = here.join("worktrees/a-x");
    for text in ["1", "2", "3"] {
        std::fs::write(worker.join("a"), text).unwrap();
        repo.pw_in(&worker, &["pw-worker", "checkpoint", text]).data();
    }
    repo.pw_in(&worker, &["pw-worker", "complete"]).data();
    for begin in [["cherry-pick", "HEAD~3"], ["revert", "HEAD~2"]] {
        assert!(!repo.try_git(&worker, &begin).status.success());
        repo.git_in(&worker, &["checkout", "-q", "--ours", "a"]);
        repo.git_in(&worker, &["add", "a"]);
        let status = repo.pw_in(&here, &["pw-monitor", "status"]).data();
        let reasons = &status["workers"][0]["reasons"];
        assert_eq!(reasons[0]["kind"], "operation_in_progress", "{reasons}");
        repo.pw_in(&worker, &["pw-worker", "checkpoint", "x"]).error(3, "wrong_branch");
        repo.git_in(&worker, &[begin[0], "--abort"]);
    }
}
