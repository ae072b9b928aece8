//! The verbs of git, one by one, where their words decide.

use super::arguments::{Arguments, Known, UNKNOWN, Word};
use super::call::Call;
use super::decide::Change;
use super::heads;
use super::judge::Judge;
use super::surroundings::Target;

use Verdict::{Denied, DeniedAnywhere, Own, Reads};

/// What is decided about one git command, before the worktree it runs in counts.
pub(super) enum Verdict {
    /// It changes nothing, but for the files that its options name.
    Reads,
    /// It changes the worktree it runs in, or that one's branch.
    Own,
    /// It is not for workers, here or in any other worktree of the repository.
    Denied(String),
    /// Not even for a repository elsewhere, whose remote could be this one.
    DeniedAnywhere(String),
}

fn denied(reason: &str) -> Verdict {
    Verdict::Denied(reason.to_owned())
}

/// Verbs that only read.
const READERS: &str = "\
    annotate blame cat-file check-attr check-ignore check-mailmap check-ref-format cherry \
    column count-objects describe diff diff-files diff-index diff-pairs diff-tree \
    fmt-merge-msg for-each-ref fsck get-tar-commit-id grep help last-modified log ls-files \
    ls-remote ls-tree merge-base merge-tree name-rev patch-id range-diff repo request-pull \
    rev-list rev-parse shortlog show show-branch show-index show-ref status stripspace \
    url-parse var verify-commit verify-pack verify-tag version whatchanged";

/// Verbs that change the worktree they run in and its branch, and nothing else.
const OWN: &str = "\
    add commit-tree hash-object merge-index mergetool mktag mktree \
    restore revert stage write-tree";

/// Verbs that send work away.
const SENDERS: &str = "\
    push send-pack http-push send-email svn p4 imap-send";

/// Verbs that rewrite or remove what all worktrees share.
const SHARED: &str = "\
    commit-graph daemon fast-import filter-branch filter-repo gc index-pack maintenance \
    multi-pack-index pack-objects pack-redundant pack-refs prune prune-packed quiltimport \
    receive-pack repack unpack-objects update-ref update-server-info";

/// Returns what is decided about a verb of git; `None` when git has none of this name.
pub(super) fn verdict(judge: &mut Judge<'_>, verb: &str, args: &[Word]) -> Option<Verdict> {
    let plain = read(args, "", &[]);
    let first = plain.operands.first().map(|word| word.text.as_str());
    Some(match verb {
        verb if is_one_of(READERS, verb) => {
            let args = read(args, "", &["--output"]);
            outputs(judge, &args);
            match verb == "grep" && args.has(&["-O", "--open-files-in-pager"]) {
                true => denied("read what `git grep` prints, without a pager"),
                false => Reads,
            }
        }
        verb if is_one_of(OWN, verb) => Own,
        verb if is_one_of(SENDERS, verb) => {
            match verb == "push" && read(args, "o", &["--repo"]).has(&["-n", "--dry-run"]) {
                true => Reads,
                false => DeniedAnywhere(
                    "workers do not push: the user takes the branches together with pw-integrate"
                        .to_owned(),
                ),
            }
        }
        verb if is_one_of(SHARED, verb) => {
            Denied(format!("`git {verb}` can destroy what other workers are just committing"))
        }
        "apply" if plain.has(&["--unsafe-paths"]) => {
            denied("a patch changes files of your own worktree only")
        }
        "apply" => {
            let looks = ["--check", "--stat", "--numstat", "--summary"];
            if plain.has(&looks) && !plain.has(&["--apply"]) {
                return Some(Reads);
            }
            for folder in read(args, "pC", &["--directory"]).values(&["--directory"]) {
                judge.changes(Change::Within, folder);
            }
            Own
        }
        "checkout-index" => {
            for folder in plain.values(&["--prefix"]) {
                judge.changes(Change::Within, folder);
            }
            Own
        }
        "difftool" => {
            let args = read(args, "x", &["--extcmd"]);
            for script in args.values(&["-x", "--extcmd"]) {
                judge.subshell(&script.text);
            }
            Reads
        }
        "stash" => match args.first().map(|word| word.text.as_str()) {
            Some("list" | "show") => {
                outputs(judge, &read(args, "", &["--output"]));
                Reads
            }
            Some("create") => Reads,
            _ => denied("all worktrees share one stash: save with `pw-worker checkpoint` instead"),
        },
        "worktree" => reads_if(first == Some("list"), "worktrees are made and removed by the user"),
        "reflog" => reads_if(
            !matches!(first, Some("expire" | "delete" | "drop" | "write")),
            "lost work is found again with the reflog",
        ),
        "notes" => reads_if(
            matches!(
                read(args, "", &["--ref"]).operands.first().map(|w| w.text.as_str()),
                None | Some("list" | "show" | "get-ref")
            ),
            "all worktrees share the notes",
        ),
        "refs" => reads_if(
            matches!(first, Some("list" | "exists" | "verify")),
            "refs belong to the workflow",
        ),
        // Since git 2.54 and 2.53: both move every branch that holds what they write anew.
        "history" => reads_if(
            plain.has(&["--dry-run"]),
            "it rewrites the branches of all workers: commit on top with `pw-worker checkpoint`",
        ),
        "replay" => reads_if(
            read(args, "", &["--ref-action"])
                .values(&["--ref-action"])
                .any(|word| word.text == "print"),
            "it moves the branches of all workers: take their work in with `pw-worker sync` instead",
        ),
        "remote" => reads_if(
            matches!(first, None | Some("show" | "get-url")),
            "all worktrees share the remotes",
        ),
        "replace" => reads_if(
            plain.has(&["-l", "--list"]) || args.is_empty(),
            "`git replace` changes history for all workers",
        ),
        "rerere" => reads_if(
            matches!(first, None | Some("status" | "diff" | "remaining")),
            "all worktrees share what git remembers of conflicts",
        ),
        "symbolic-ref" => reads_if(
            !plain.has(&["-d", "--delete"]) && read(args, "m", &[]).operands.len() < 2,
            "refs belong to the workflow",
        ),
        // What it adds, this worktree alone has; anything else takes files away.
        "sparse-checkout" if first == Some("add") => Own,
        "sparse-checkout" => {
            reads_if(first == Some("list"), "which files a worktree has is decided by the user")
        }
        "bisect" => bisect(judge, args),
        "submodule" => submodule(judge, first, &plain),
        "lfs" => match first {
            None
            | Some("env" | "ls-files" | "status" | "version" | "logs" | "locks" | "pointer") => {
                Reads
            }
            Some("push") => DeniedAnywhere(
                "workers do not push: the user takes the branches together with pw-integrate"
                    .to_owned(),
            ),
            Some(
                "fetch" | "pull" | "checkout" | "track" | "untrack" | "smudge" | "clean"
                | "filter-process",
            ) => Own,
            _ => denied("all worktrees share what git-lfs keeps, and its hooks"),
        },
        "config" => config(args),
        "branch" => branch(judge, args),
        "tag" => {
            let args = read(
                args,
                "mFu",
                &[
                    "--contains",
                    "--no-contains",
                    "--points-at",
                    "--merged",
                    "--no-merged",
                    "--format",
                    "--sort",
                ],
            );
            let lists = args.has(&[
                "-l",
                "--list",
                "-n",
                "-v",
                "--verify",
                "--contains",
                "--no-contains",
                "--points-at",
                "--merged",
                "--no-merged",
            ]);
            let writes = args.has(&[
                "-d",
                "--delete",
                "-f",
                "--force",
                "-a",
                "--annotate",
                "-s",
                "--sign",
                "-m",
                "-F",
                "-u",
            ]);
            reads_if(!writes && (lists || args.operands.is_empty()), "all worktrees share the tags")
        }
        "fetch" => fetch(args),
        "pull" => {
            denied("take other work in with `pw-worker sync`, which looks whether it is ready")
        }
        "rebase" => sequence(
            &plain,
            "others may build upon your commits: take their work in with `pw-worker sync` instead",
        ),
        "subtree" => denied(
            "it brings others' files past the hooks: take their work in with `pw-worker sync` instead",
        ),
        "cherry-pick" | "am" => sequence(
            &plain,
            "it brings others' files past the hooks: take their work in with `pw-worker sync` instead",
        ),
        "commit" => commit(args),
        "merge" => match read(args, "mFsX", &["--strategy", "--strategy-option", "--file"])
            .has(&["--no-verify"])
        {
            true => denied(PAST_HOOKS),
            false => Own,
        },
        "checkout" | "switch" | "reset" => match heads::leaves(judge, verb, args) {
            Some(reason) => Denied(reason),
            None => Own,
        },
        "clean" => reads_if(
            read(args, "e", &["--exclude"]).has(&["-n", "--dry-run"]),
            "it also removes ignored files of your worktree: remove files by their names",
        ),
        "rm" => {
            if !plain.has(&["--cached"]) {
                plain.operands.iter().for_each(|file| judge.changes(Change::Removal, file));
            }
            Own
        }
        "mv" => moved(judge, &plain),
        "merge-file" | "interpret-trailers" => {
            if !plain.has(&["-p", "--stdout"])
                && (verb == "merge-file" || plain.has(&["--in-place"]))
            {
                let files =
                    plain.operands.iter().take(if verb == "merge-file" { 1 } else { usize::MAX });
                files.for_each(|file| judge.changes(Change::Content, file));
            }
            Reads
        }
        "update-index" => match plain.has(&[
            "--assume-unchanged",
            "--skip-worktree",
            "--index-info",
            "--cacheinfo",
        ]) {
            true => denied("git would no longer show changes of these files"),
            false => Own,
        },
        "read-tree" => denied("it replaces the index: get files back with `git restore`"),
        "init" | "clone" => repository(judge, verb, args),
        "archive" | "format-patch" | "bundle" => files_made(judge, verb, args),
        "bugreport" | "diagnose" | "fast-export" | "mailinfo" | "mailsplit" => {
            report_made(judge, verb, args)
        }
        _ => return None,
    })
}

fn is_one_of(verbs: &str, verb: &str) -> bool {
    verbs.split(' ').any(|known| known == verb)
}

const PAST_HOOKS: &str = "the hooks check your scope: commit with `pw-worker checkpoint`";

fn reads_if(reads: bool, reason: &str) -> Verdict {
    if reads { Reads } else { denied(reason) }
}

/// Allows what ends or continues an operation that is under way.
fn sequence(args: &Arguments, reason: &str) -> Verdict {
    let on = ["--abort", "--continue", "--skip", "--quit", "--show-current-patch"];
    if args.has(&on) { Own } else { denied(reason) }
}

fn bisect(judge: &mut Judge<'_>, args: &[Word]) -> Verdict {
    if let Some((_, rest)) = args.split_first().filter(|(first, _)| first.text == "run") {
        judge.call(&Call { words: rest.to_vec(), ..Call::default() });
    }
    Own
}

fn submodule(judge: &mut Judge<'_>, first: Option<&str>, args: &Arguments) -> Verdict {
    match first {
        None | Some("status" | "summary") => Reads,
        Some("foreach") => {
            let words = args.operands.iter().skip(1).map(|word| word.text.as_str());
            judge.subshell(&words.collect::<Vec<_>>().join(" "));
            Own
        }
        Some("init" | "update" | "sync") => Own,
        _ => denied("which submodules there are is decided by the user"),
    }
}

fn config(args: &[Word]) -> Verdict {
    let args = read(
        args,
        "f",
        &["--file", "--blob", "--type", "--default", "--value", "--comment", "--url"],
    );
    let writes = [
        "--unset",
        "--unset-all",
        "--add",
        "--replace-all",
        "--rename-section",
        "--remove-section",
        "--edit",
        "-e",
        "--append",
    ];
    let reads = [
        "--get",
        "--get-all",
        "--get-regexp",
        "--get-urlmatch",
        "--get-color",
        "--get-colorbool",
        "--list",
        "-l",
        "--name-only",
    ];
    let first = args.operands.first().map(|word| word.text.as_str());
    let is_read = match first {
        Some("get" | "list") => true,
        Some("set" | "unset" | "rename-section" | "remove-section" | "edit") => false,
        _ => args.has(&reads) || args.operands.len() < 2,
    };
    reads_if(is_read && !args.has(&writes), "all worktrees share one configuration")
}

fn branch(judge: &Judge<'_>, args: &[Word]) -> Verdict {
    let lists = [
        "--list",
        "-l",
        "--contains",
        "--no-contains",
        "--merged",
        "--no-merged",
        "--points-at",
        "--show-current",
        "-a",
        "--all",
        "-r",
        "--remotes",
    ];
    let writes = [
        "-d",
        "-D",
        "--delete",
        "-m",
        "-M",
        "--move",
        "-c",
        "-C",
        "--copy",
        "-f",
        "--force",
        "-u",
        "--set-upstream-to",
        "--unset-upstream",
        "--edit-description",
        "-t",
        "--track",
        "--create-reflog",
    ];
    let args = read(
        args,
        "u",
        &[
            "--contains",
            "--no-contains",
            "--merged",
            "--no-merged",
            "--points-at",
            "--sort",
            "--format",
            "--set-upstream-to",
        ],
    );
    let is_list = !args.has(&writes) && (args.operands.is_empty() || args.has(&lists));
    let reason = format!("the branches belong to the workflow; yours is {}", judge.worker.branch());
    reads_if(is_list, &reason)
}

fn fetch(args: &[Word]) -> Verdict {
    let args = read(
        args,
        "jo",
        &[
            "--depth",
            "--deepen",
            "--refmap",
            "--server-option",
            "--upload-pack",
            "--jobs",
            "--negotiation-tip",
            "--filter",
        ],
    );
    let writes = args.operands.iter().skip(1).any(|word| word.text.contains([':', UNKNOWN]));
    let reshapes = [
        "--depth",
        "--deepen",
        "--unshallow",
        "--shallow-since",
        "--shallow-exclude",
        "--update-shallow",
        "--refmap",
        "--update-head-ok",
        "-u",
        "--upload-pack",
    ];
    match writes || args.has(&reshapes) {
        true => denied(
            "all worktrees share refs and history: fetch without `from:to` and without a depth",
        ),
        false => Own,
    }
}

fn commit(args: &[Word]) -> Verdict {
    let args = read(
        args,
        "mFCctS",
        &[
            "--message",
            "--file",
            "--reuse-message",
            "--reedit-message",
            "--fixup",
            "--squash",
            "--author",
            "--date",
            "--template",
            "--cleanup",
            "--trailer",
            "--pathspec-from-file",
        ],
    );
    if args.has(&["--no-verify", "-n"]) {
        return denied(PAST_HOOKS);
    }
    if args.has(&["--amend"]) && !args.has(&["-m", "--message", "-F", "--file"]) {
        return denied("the new commit would have the old subject: give the message with -m");
    }
    Own
}

fn moved(judge: &mut Judge<'_>, args: &Arguments) -> Verdict {
    if let Some((to, from)) = args.operands.split_last() {
        from.iter().for_each(|file| judge.changes(Change::Removal, file));
        super::files::destination(judge, to, from, Change::Content);
    }
    Own
}

/// Judges the repository that `git init` or `git clone` makes.
fn repository(judge: &mut Judge<'_>, verb: &str, args: &[Word]) -> Verdict {
    let args = read(
        args,
        "bcoju",
        &[
            "--branch",
            "--config",
            "--origin",
            "--depth",
            "--initial-branch",
            "--template",
            "--reference",
            "--separate-git-dir",
            "--object-format",
            "--filter",
            "--jobs",
        ],
    );
    let folder = match (verb, &args.operands[..]) {
        ("init", [folder, ..]) | ("clone", [_, folder, ..]) => folder.clone(),
        ("clone", [from]) => {
            let name = from.text.trim_end_matches('/').trim_end_matches(".git");
            Word::new(name.rsplit(['/', ':']).next().unwrap_or_default())
        }
        _ => Word::new("."),
    };
    match judge.target(&folder.text) {
        None | Some((_, Target::Temporary | Target::Outside(_))) => Reads,
        _ => denied(
            "no commit holds what is in a repository inside of another: make it in a temporary folder",
        ),
    }
}

/// Judges the files that `archive`, `format-patch` and `bundle` write.
fn files_made(judge: &mut Judge<'_>, verb: &str, args: &[Word]) -> Verdict {
    let args = read(args, "o", &["--output", "--output-directory", "--format", "--prefix"]);
    for file in args.values(&["-o", "--output", "--output-directory"]) {
        let change = if verb == "format-patch" { Change::Deep } else { Change::Content };
        judge.changes(change, file);
    }
    let has_place = args.has(&["-o", "--output-directory", "--stdout"]);
    match (verb, &args.operands[..]) {
        ("format-patch", _) if !has_place => {
            judge.changes(Change::Content, &Word::new("0001-patch.patch"))
        }
        ("bundle", [first, file, ..]) if first.text == "create" => {
            judge.changes(Change::Content, file)
        }
        ("bundle", [first, ..]) if first.text == "unbundle" => {
            return denied("take other work in with `pw-worker sync`");
        }
        _ => {}
    }
    Reads
}

/// Judges the files that readers write which name them by themselves: into a folder, or here.
fn report_made(judge: &mut Judge<'_>, verb: &str, args: &[Word]) -> Verdict {
    let long = ["--output-directory", "--suffix", "--mode", "--export-marks", "--import-marks"];
    let args = read(args, if verb == "mailinfo" { "" } else { "osdf" }, &long);
    let folder = args.values(&["-o", "--output-directory"]).last();
    let folder = folder.map_or(String::new(), |folder| format!("{}/", folder.text));
    match verb {
        "mailinfo" => args.operands.iter().for_each(|file| judge.changes(Change::Content, file)),
        "fast-export" => {
            args.values(&["--export-marks"]).for_each(|file| judge.changes(Change::Content, file))
        }
        "mailsplit" => judge.changes(Change::Within, &Word::new(folder + ".")),
        _ => judge.changes(Change::Content, &Word::new(format!("{folder}git-{verb}.txt"))),
    }
    Reads
}

/// Judges the files that a reader's options name.
fn outputs(judge: &mut Judge<'_>, args: &Arguments) {
    for (option, value) in &args.options {
        if !option.starts_with("--ou") || option.starts_with("--output-indicator") {
            continue;
        }
        match value {
            Some(file) if option == "--output-directory" => judge.changes(Change::Within, file),
            Some(file) => judge.changes(Change::Content, file),
            None => judge.deny("write `--output=FILE` out, so that the guard sees the file"),
        }
    }
}

/// Reads the words behind a verb.
fn read(args: &[Word], short: &str, long: &[&str]) -> Arguments {
    Arguments::read(args, Known { short, long })
}
