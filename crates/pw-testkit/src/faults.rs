//! What can go wrong at one call of git, and what must not be lost by it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::repo::TestRepo;

/// What happens at one call of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and git says so.
    Fails,
    /// The helper is killed instead of it.
    KilledBefore,
    /// The helper is killed, and git goes on alone.
    KilledMeanwhile,
    /// The helper is killed when git is done.
    KilledAfter,
    /// Both are killed when git is about to write this file of a checkout, counted from one.
    BothKilled(usize),
    /// Nothing is done, and git claims it was.
    Claims,
    /// All is done, and git denies it.
    Denies,
    /// All is done, and what git printed is lost.
    Mute,
    /// Another process does this just before. In the script `$GIT` is git, and the objects whose
    /// ids it writes to `$KEEP` must not be lost.
    Raced(&'static str),
}

impl Fault {
    /// All that are not another process's doing.
    pub const ALONE: &[Self] = &[
        Self::Fails,
        Self::KilledBefore,
        Self::KilledMeanwhile,
        Self::KilledAfter,
        Self::BothKilled(1),
        Self::BothKilled(2),
        Self::Claims,
        Self::Denies,
        Self::Mute,
    ];

    /// Whether this can happen at a call of git, by its command line.
    pub fn is_possible(self, call: &str) -> bool {
        let mut writes =
            ["merge", "worktree add", "checkout", "checkout-index", "reset", "restore"].into_iter();
        !matches!(self, Self::BothKilled(_))
            || writes.any(|verb| call.contains(&format!(" {verb} ")))
    }

    fn script(self) -> String {
        match self {
            Self::Fails => "echo 'fatal: out of luck' >&2; exit 128".into(),
            Self::KilledBefore => "kill -9 $PPID; exit 1".into(),
            Self::KilledMeanwhile => "kill -9 $PPID; sleep 0.05; exec $GIT \"$@\"".into(),
            Self::KilledAfter => "$GIT \"$@\"; kill -9 $PPID; exit 1".into(),
            // The filter's parent is git.
            Self::BothKilled(at) => format!(
                "echo '* filter=dies' > $AT/attributes; HELPER=$PPID; export HELPER\n\
                 exec $GIT -c core.attributesFile=$AT/attributes -c filter.dies.smudge='\n\
                 n=1; while ! mkdir '$AT'/file-$n 2>/dev/null; do n=$((n + 1)); done\n\
                 [ $n != {at} ] || kill -9 $HELPER $PPID; cat' \"$@\""
            ),
            Self::Claims => "exit 0".into(),
            Self::Denies => "$GIT \"$@\"; exit 1".into(),
            Self::Mute => "exec $GIT \"$@\" >/dev/null".into(),
            Self::Raced(script) => {
                // The other process must not inherit what this git is to use.
                let own = "unset GIT_LITERAL_PATHSPECS $($GIT rev-parse --local-env-vars)";
                format!("({own}; cd $ROOT; {script}) </dev/null >&2; exec $GIT \"$@\"")
            }
        }
    }
}

impl TestRepo {
    /// Lets `fault` happen at call number `call` of git, counted from one.
    pub fn break_git(&mut self, fault: Fault, call: usize) {
        let calls = self.beside("calls");
        let _ = std::fs::remove_dir_all(&calls);
        std::fs::create_dir(&calls).unwrap();
        // Calls may run side by side: the one that makes the file has the number.
        self.shim_git(&format!(
            "set -C; n=1\n\
             while ! {{ echo \" $* \" > {calls}/$n; }} 2>/dev/null; do n=$((n + 1)); done\n\
             set +C\n\
             [ $n = {call} ] || exec $GIT \"$@\"\n\
             echo \"$@\" > {calls}/fault\n\
             AT={calls} KEEP={calls}/keep ROOT={root}\n\
             {}",
            fault.script(),
            calls = calls.display(),
            root = self.root().display(),
        ));
    }

    /// Returns the command lines of the calls since [`Self::break_git`], in their order.
    pub fn calls(&self) -> Vec<String> {
        let read = |number| std::fs::read_to_string(self.beside(&format!("calls/{number}"))).ok();
        (1..).map_while(read).collect()
    }

    /// Returns the command line of the call that went wrong; empty when it did not come to that.
    pub fn broken_call(&self) -> String {
        std::fs::read_to_string(self.beside("calls/fault")).unwrap_or_default()
    }

    /// Fails when an object that another process made meanwhile is in no ref and no file.
    pub fn assert_kept_meanwhile(&self) {
        let Ok(made) = std::fs::read_to_string(self.beside("calls/keep")) else { return };
        let kept = self.git(&["rev-list", "--objects", "--glob=refs/*"]);
        let Belongings { checkout, worktrees, .. } = Belongings::of(self, &[]);
        let files: Vec<Vec<u8>> = checkout.into_values().chain(worktrees.into_values()).collect();
        for object in made.lines().filter(|object| !kept.contains(object)) {
            let is_it =
                |text: &Vec<u8>| feed(self, &["hash-object", "--stdin"], text).trim() == object;
            assert!(files.iter().any(is_it), "{object}, made meanwhile, is lost");
        }
    }

    /// Keeps the whole repository, to be brought back any number of times.
    pub fn save(&self) {
        let _ = std::fs::remove_dir_all(self.beside("saved"));
        copy(&self.root(), &self.beside("saved"));
    }

    /// Brings the saved repository back.
    pub fn restore(&self) {
        std::fs::remove_dir_all(self.root()).unwrap();
        copy(&self.beside("saved"), &self.root());
    }
}

/// Everything in a repository that must not get lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belongings {
    /// Commits that refs, and HEADs of worktrees, point to, by name.
    pub refs: BTreeMap<String, String>,
    /// Files of the main checkout, with git's own that are not ours to write.
    pub checkout: BTreeMap<PathBuf, Vec<u8>>,
    /// Files in worktrees.
    pub worktrees: BTreeMap<PathBuf, Vec<u8>>,
    /// The shared configuration without the line we document.
    config: String,
    /// The lines that are not about our worktrees.
    exclude: String,
    changes: &'static [&'static str],
}

impl Belongings {
    /// Returns all there is but `changes`, which a command is there to change: files of the main
    /// checkout or of worktrees, and refs whose names begin so.
    pub fn of(repo: &TestRepo, changes: &'static [&'static str]) -> Self {
        let root = repo.root();
        let mut checkout = BTreeMap::new();
        let mut worktrees = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let about = path.symlink_metadata().unwrap();
                if about.is_dir() && path.file_name().is_some_and(|name| name != ".git") {
                    folders.push(path);
                } else if about.is_symlink() {
                    let target = std::fs::read_link(&path).unwrap();
                    checkout.insert(path, target.into_os_string().into_encoded_bytes());
                } else if about.is_file() && path.file_name().is_some_and(|name| name != ".git") {
                    let inside = path.starts_with(root.join("worktrees"));
                    let files = if inside { &mut worktrees } else { &mut checkout };
                    files.insert(path.clone(), std::fs::read(&path).unwrap());
                }
            }
        }
        for name in [".git/HEAD", ".git/index"] {
            checkout.insert(root.join(name), std::fs::read(root.join(name)).unwrap());
        }
        for files in [&mut checkout, &mut worktrees] {
            files.retain(|path, _| !changes.iter().any(|change| *path == root.join(change)));
        }
        let config = repo.read(".git/config");
        let ours = |line: &&str| !["[extensions]", "\tworktreeConfig = true"].contains(line);
        let mut refs = refs(repo);
        refs.retain(|name, _| !changes.iter().any(|change| name.starts_with(change)));
        let exclude = std::fs::read_to_string(root.join(".git/info/exclude")).unwrap_or_default();
        Self {
            refs,
            checkout,
            worktrees,
            config: config.lines().filter(ours).collect::<Vec<_>>().join("\n"),
            exclude: exclude.replace("/worktrees/\n", ""),
            changes,
        }
    }

    /// Fails when anything of this is gone from the repository.
    pub fn assert_kept(&self, repo: &TestRepo) {
        let now = Self::of(repo, self.changes);
        let differs = |path: &&PathBuf| self.checkout.get(*path) != now.checkout.get(*path);
        let touched: Vec<&PathBuf> =
            self.checkout.keys().chain(now.checkout.keys()).filter(differs).collect();
        assert!(touched.is_empty(), "the user's checkout was touched: {touched:?}");
        assert_eq!(self.config, now.config, "the shared configuration was touched");
        assert_eq!(now.exclude, self.exclude, "info/exclude was touched");

        let tips: String = self.refs.values().map(|tip| format!("{tip}\n")).collect();
        let asked = ["rev-list", "--stdin", "--not", "--glob=refs/*"];
        let lost = feed(repo, &asked, tips.as_bytes());
        assert!(lost.is_empty(), "commits are reachable from no ref:\n{lost}\n{:?}", self.refs);

        let is_gone = |(path, text): &(&PathBuf, &Vec<u8>)| {
            now.worktrees.get(*path) != Some(*text) && !now.worktrees.values().any(|t| t == *text)
        };
        let gone: Vec<_> = self.worktrees.iter().filter(is_gone).collect();
        if !gone.is_empty() {
            let kept = repo.git(&["rev-list", "--objects", "--glob=refs/*"]);
            for (path, text) in gone {
                let blob = feed(repo, &["hash-object", "--stdin"], text);
                assert!(kept.contains(blob.trim()), "{} is lost", path.display());
            }
        }
    }
}

/// Returns what all refs and all HEADs point to.
fn refs(repo: &TestRepo) -> BTreeMap<String, String> {
    let refs = repo.git(&["for-each-ref", "--format=%(refname) %(objectname)"]);
    let line = |line: &str| line.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()));
    refs.lines().filter_map(line).collect()
}

fn feed(repo: &TestRepo, args: &[&str], input: &[u8]) -> String {
    let mut git = repo.command(&crate::repo::real_git(), &repo.root());
    let mut git = git.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    git.stdin.take().unwrap().write_all(input).unwrap();
    let output = git.wait_with_output().unwrap();
    assert!(output.status.success(), "git {args:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "cp keeps modes, links and times")]
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}
