//! Status, preview and run give one answer, and it is git's: random histories, merged by all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pw_testkit::dice::Dice;
use pw_testkit::repo::TestRepo;
use serde_json::Value;

const PLAN: &str = "workflow: w
goal: g
shared: [lib, lib2]
workers:
  - {id: a, name: a, owns: [a, a2]}
  - {id: b, name: b, owns: [b, b2]}
  - {id: c, name: c, owns: [c, c2]}
  - {id: d, name: d, owns: [d, d2], after: [a]}
";

/// How many histories are tried; `.ci/run` asks for several hundred.
fn cases() -> u64 {
    std::env::var("PW_CASES").ok().and_then(|number| number.parse().ok()).unwrap_or(4)
}

/// One repository in which a history after the other is played.
struct Stage {
    repo: TestRepo,
    refs: BTreeMap<String, String>,
    scratch: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let repo = crate::repo(PLAN);
        let lines: String = (0..8).map(|n| format!("line {n}\n")).collect();
        for folder in ["a", "b", "c", "d", "lib"] {
            for file in ["x", "y"] {
                repo.write(&format!("{folder}/{file}"), &lines);
            }
        }
        repo.commit("files");
        repo.pw("pw-setup create plan.yaml").data();
        let scratch = repo.beside("scratch");
        repo.git(&["worktree", "add", "-q", "--detach", scratch.to_str().unwrap()]);
        let refs = refs(&repo);
        Self { repo, refs, scratch }
    }

    /// Puts every branch, checkout and ref of ours back.
    fn reset(&self) {
        if refs(&self.repo).contains_key("refs/heads/work/d-d") {
            self.git_in("d", &["switch", "-q", "--detach"]);
            let place = self.place("d");
            self.repo.git(&["worktree", "unlock", place.to_str().unwrap()]);
            self.repo.git(&["worktree", "remove", "--force", place.to_str().unwrap()]);
        }
        for name in refs(&self.repo).keys().filter(|name| !self.refs.contains_key(*name)) {
            self.repo.git(&["update-ref", "-d", name]);
        }
        for (name, oid) in &self.refs {
            self.repo.git(&["update-ref", name, oid]);
        }
        for place in ["main", "a", "b", "c"].map(|name| self.place(name)) {
            self.repo.git_in(&place, &["reset", "-q", "--hard"]);
            self.repo.git_in(&place, &["clean", "-q", "-fd", "-e", "plan.yaml", "-e", "worktrees"]);
        }
    }

    /// Whether this git can be told whose `.gitattributes` a merge obeys.
    fn obeys_attributes(&self) -> bool {
        let asked = ["--attr-source=HEAD", "version"];
        self.repo.try_git(&self.repo.root(), &asked).status.success()
    }

    fn place(&self, name: &str) -> PathBuf {
        match name {
            "main" => self.repo.root(),
            worker => self.repo.worker(&format!("{worker}-{worker}")).path,
        }
    }

    fn git_in(&self, name: &str, args: &[&str]) -> String {
        self.repo.git_in(&self.place(name), args)
    }

    /// Runs git, and takes back what it left where it does not succeed.
    fn try_git(&self, name: &str, args: &[&str]) {
        if !self.repo.try_git(&self.place(name), args).status.success() {
            self.repo.try_git(&self.place(name), &[args[0], "--abort"]);
            self.repo.try_git(&self.place(name), &["reset", "-q", "--hard"]);
        }
    }

    fn commit(&self, name: &str, message: &str) {
        self.git_in(name, &["add", "--all", "--", ":!plan.yaml"]);
        self.git_in(name, &["commit", "-q", "--no-verify", "--allow-empty", "-m", message]);
    }

    /// Changes files of one of these folders in some way.
    fn change(&self, name: &str, folders: &[&str], dice: &mut Dice) {
        let there: Vec<&str> =
            folders.iter().copied().filter(|f| self.place(name).join(f).is_dir()).collect();
        let Some(folder) = there.first().map(|_| dice.of(&there)) else { return };
        let path = self.place(name).join(folder);
        let mut files: Vec<String> = std::fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        if files.is_empty() {
            return std::fs::write(path.join("new0"), format!("{name}\n")).unwrap();
        }
        let file = files[usize::try_from(dice.roll(files.len() as u64)).unwrap()].clone();
        match dice.roll(11) {
            10 if self.obeys_attributes() => {
                let how = dice.of(&["merge=union", "-merge", "-text"]);
                let line = format!("{} {how}\n", dice.of(&["x", "y", "*"]));
                std::fs::write(path.join(".gitattributes"), line).unwrap();
            }
            0 => std::fs::remove_file(path.join(&file)).unwrap(),
            1 => std::fs::write(path.join(format!("new{}", dice.roll(4))), format!("{name}\n"))
                .unwrap(),
            2 => std::fs::rename(path.join(&file), path.join(format!("moved{}", dice.roll(3))))
                .unwrap(),
            3 => {
                let other = folder.strip_suffix('2').map(str::to_owned);
                let other = other.unwrap_or_else(|| format!("{folder}2"));
                if !self.place(name).join(&other).exists() {
                    self.git_in(name, &["mv", folder, &other]);
                }
            }
            _ => {
                let text = std::fs::read_to_string(path.join(&file)).unwrap();
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                let at = usize::try_from(dice.roll(lines.len().max(1) as u64)).unwrap();
                lines.insert(at, format!("{name} {}", dice.roll(3)));
                std::fs::write(path.join(&file), lines.join("\n") + "\n").unwrap();
            }
        }
    }

    /// Plays one history; returns the workers that have a branch.
    fn play(&self, dice: &mut Dice) -> Vec<&'static str> {
        let mut open = vec!["a", "b", "c"];
        for step in 0..8 + dice.roll(8) {
            let worker = dice.of(&open);
            let own = [worker, &format!("{worker}2"), "lib", "lib", "lib2"];
            match dice.roll(12) {
                0 | 1 => {
                    self.change("main", &["a", "b", "lib", "lib2"], dice);
                    self.commit("main", &format!("main {step}"));
                }
                2 | 3 => {
                    let side = dice.of(&["ours", "theirs"]);
                    self.try_git(worker, &["merge", "-q", "--no-edit", "-X", side, "main"]);
                }
                4 | 5 => {
                    let other = dice.of(&open);
                    let branch = format!("work/{other}-{other}");
                    self.try_git(worker, &["merge", "-q", "--no-edit", "-X", "ours", &branch]);
                }
                6 => {
                    self.change(worker, &own, dice);
                    self.git_in(worker, &["add", "--all"]);
                    let amend = [
                        "commit",
                        "-q",
                        "--no-verify",
                        "--amend",
                        "--allow-empty",
                        "-m",
                        "amended",
                    ];
                    if self.git_in(worker, &["log", "-1", "--format=%s"]).starts_with(worker) {
                        self.git_in(worker, &amend);
                    } else {
                        self.commit(worker, &format!("{worker} {step}"));
                    }
                }
                7 => self.try_git(worker, &["rebase", "-q", "main"]),
                8 if open.len() == 3 => {
                    self.commit("a", "[COMPLETE] so far");
                    if self.repo.pw("pw-setup advance").code == Some(0) && self.place("d").exists()
                    {
                        open.push("d");
                    }
                }
                _ => {
                    self.change(worker, &own, dice);
                    self.commit(worker, &format!("{worker} {step}"));
                }
            }
        }
        open
    }

    /// Merges tips one after the other as a user would; returns who conflicts, and the tree at the end.
    fn merged_by_git(&self, tips: &[(String, String)], start: &str) -> (Vec<String>, String) {
        let mut conflicts = Vec::new();
        self.repo.git_in(&self.scratch, &["checkout", "-q", "--detach", "--force", start]);
        for (worker, tip) in tips {
            let merge = [
                "-c",
                "merge.directoryRenames=conflict",
                "merge",
                "-q",
                "--no-ff",
                "--no-edit",
                tip,
            ];
            if !self.repo.try_git(&self.scratch, &merge).status.success() {
                conflicts.push(worker.clone());
                self.repo.git_in(&self.scratch, &["merge", "--abort"]);
            }
        }
        (conflicts, self.repo.git_in(&self.scratch, &["rev-parse", "HEAD^{tree}"]))
    }
}

fn refs(repo: &TestRepo) -> BTreeMap<String, String> {
    let list =
        repo.git(&["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/pw"]);
    list.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(a, b)| (a.into(), b.into()))
        .collect()
}

fn names(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn status_preview_run_and_git_agree_in_every_history() {
    let stage = Stage::new();
    let (mut compared, mut conflicting) = (0, 0);
    let only = std::env::var("PW_CASE").ok().and_then(|number| number.parse::<u64>().ok());
    for case in 0..cases() {
        if only.is_some_and(|only| only != case) {
            continue;
        }
        stage.reset();
        let mut dice = Dice(case.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let open = stage.play(&mut dice);
        for worker in &open {
            stage.commit(worker, "[COMPLETE] all of it");
        }
        // What lies in the user's checkout is no part of any merge.
        match dice.roll(3) {
            _ if !stage.obeys_attributes() => {}
            0 => stage.repo.write(".gitattributes", "* merge=union\n"),
            1 => stage.repo.write(".gitattributes", "* -merge\n"),
            _ => {}
        }
        let left_out = if open.contains(&"d") { "" } else { " --without d" };
        let status = stage.repo.pw("pw-monitor status").data();
        let preview = stage.repo.pw("pw-integrate preview").data();
        let run = stage.repo.pw(&format!("pw-integrate run --allow-out-of-scope{left_out}"));

        let steps = preview["steps"].as_array().unwrap();
        let tip = |step: &Value| {
            let text = |key: &str| step[key].as_str().unwrap().to_owned();
            (text("worker"), text("tip"))
        };
        let tips: Vec<(String, String)> = steps.iter().map(tip).collect();
        let start = &stage.refs["refs/heads/main"];
        let (truth, tree) = stage.merged_by_git(&tips, start);

        let previewed: Vec<String> = steps
            .iter()
            .filter(|step| !step["conflicts"].as_array().unwrap().is_empty())
            .map(|step| step["worker"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(previewed, truth, "case {case}: preview and git");
        let stops = names(&status["trial"]["stops"], "worker");
        assert_eq!(stops, truth, "case {case}: status and git: {:#}", status["trial"]);
        agree_in_pairs(&stage, &tips, &status, case);

        let is_ready = |worker: &Value| {
            let reasons = names(&worker["reasons"], "kind");
            let known = ["out_of_scope", "unclaimed_commits", "outdated_commits"];
            worker["state"] == "complete"
                && reasons.iter().all(|kind| known.contains(&kind.as_str()))
        };
        let mut workers = status["workers"].as_array().unwrap().iter();
        if !workers.all(|worker| {
            ["planned", "integrated"].contains(&worker["state"].as_str().unwrap())
                || is_ready(worker)
        }) {
            run.error(3, "not_ready");
            continue;
        }
        compared += 1;
        conflicting += usize::from(!truth.is_empty());
        match truth.first() {
            None => {
                let commit = run.data()["commit"].as_str().unwrap().to_owned();
                let made = stage.repo.git(&["rev-parse", &format!("{commit}^{{tree}}")]);
                assert_eq!(made, tree, "case {case}: run and git");
            }
            Some(first) => {
                let error = run.error(4, "merge_conflict");
                assert_eq!(error["details"]["worker"], *first, "case {case}: run and git");
                stage.repo.pw("pw-integrate abort").data();
            }
        }
    }
    if only.is_none() {
        let cases = usize::try_from(cases()).unwrap();
        assert!(compared * 2 > cases, "{compared} of {cases} histories could be merged");
        assert!(conflicting > 0 && conflicting < compared, "{conflicting} of {compared} conflict");
    }
}

/// Every pair that status names conflicts when git merges it, and no other does.
fn agree_in_pairs(stage: &Stage, tips: &[(String, String)], status: &Value, case: u64) {
    let pair = |conflict: &Value| -> BTreeSet<String> {
        let workers = conflict["workers"].as_array().unwrap();
        workers.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let named: BTreeSet<BTreeSet<String>> =
        status["conflicts"].as_array().unwrap().iter().map(pair).collect();
    let mut real = BTreeSet::new();
    for (at, (first, ours)) in tips.iter().enumerate() {
        for (second, theirs) in &tips[at + 1..] {
            let (ours, theirs) = if first < second { (ours, theirs) } else { (theirs, ours) };
            let source = format!("--attr-source={ours}");
            let attributes = if stage.obeys_attributes() { &[source.as_str()][..] } else { &[] };
            let setting = ["-c", "merge.directoryRenames=conflict"];
            let merge = ["merge-tree", "--write-tree", ours, theirs];
            let merge = [attributes, &setting, &merge].concat();
            if !stage.repo.try_git(&stage.repo.root(), &merge).status.success() {
                real.insert(BTreeSet::from([first.clone(), second.clone()]));
            }
        }
    }
    assert_eq!(named, real, "case {case}: pairs");
}

/// Every worker is complete: what status says of the merges in a row is what git says, and it is this.
fn stops_as_git(stage: &Stage, wanted: &[&str]) {
    for worker in ["a", "b", "c"] {
        stage.commit(worker, "[COMPLETE] all of it");
    }
    let tip = |worker: &str| (worker.to_owned(), stage.git_in(worker, &["rev-parse", "HEAD"]));
    let (truth, _) = stage.merged_by_git(&["a", "b", "c"].map(tip), "main");
    let status = stage.repo.pw("pw-monitor status").data();
    assert_eq!(truth, wanted);
    assert_eq!(names(&status["trial"]["stops"], "worker"), wanted, "{:#}", status["trial"]);
}

#[test]
fn a_branch_that_took_its_own_change_back_is_still_the_merge_base_of_who_has_it() {
    let stage = Stage::new();
    let write = |worker: &str, text: &str| {
        std::fs::write(stage.place(worker).join("lib/new"), text).unwrap();
        stage.commit(worker, "new");
    };
    write("a", "one");
    stage.git_in("b", &["merge", "-q", "--no-edit", "work/a-a"]);
    stage.git_in("a", &["rm", "-q", "lib/new"]);
    write("c", "two");
    // To a's removal, b's copy of the file is no change: nothing is left for c to collide with.
    stops_as_git(&stage, &[]);
}

#[test]
fn a_rename_that_git_sees_only_in_everybodys_work_together_is_predicted() {
    let stage = Stage::new();
    stage.git_in("a", &["rm", "-q", "a/x"]);
    stage.git_in("b", &["mv", "b/y", "b/moved"]);
    stage.git_in("c", &["rm", "-q", "a/x"]);
    // All these files were alike: with a and b merged, git takes b/moved for a/x renamed.
    stops_as_git(&stage, &["c"]);
}
