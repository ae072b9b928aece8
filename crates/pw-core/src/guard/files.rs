//! Which files a program changes that is given them by name.

use super::arguments::{Arguments, Known, UNKNOWN, Word};
use super::call::Call;
use super::decide::Change;
use super::judge::Judge;
use super::{archives, awk, options, patch, sed};

/// What a program does with its operands.
#[derive(Clone, Copy)]
enum Operands {
    All(Change),
    /// All behind the first so many.
    Behind(usize, Change),
    First(Change),
    /// The second, if there is one.
    Second(Change),
    /// The last argument is where the files before it go.
    Destination,
}

use Change::{Content, Deep, Folder, Link, Removal};
use Operands::{All, Behind, Destination, First, Second};

/// Programs whose operands are files to change: options that take a value, and what is done.
const PROGRAMS: &[(&str, Known<'_>, Operands)] = &[
    ("bzip2", NONE, All(Content)),
    ("chgrp", NONE, Behind(1, Content)),
    ("chmod", NONE, Behind(1, Content)),
    ("chown", NONE, Behind(1, Content)),
    ("cp", Known { short: "St", long: &["--target-directory", "--suffix"] }, Destination),
    ("dos2unix", NONE, All(Content)),
    ("ed", Known { short: "p", long: &["--prompt"] }, All(Content)),
    ("ex", Known { short: "c", long: &[] }, All(Content)),
    ("gunzip", Known { short: "S", long: &[] }, All(Content)),
    ("gzip", Known { short: "S", long: &[] }, All(Content)),
    (
        "install",
        Known {
            short: "gmoSt",
            long: &["--target-directory", "--group", "--mode", "--owner", "--suffix"],
        },
        Destination,
    ),
    ("link", NONE, Destination),
    ("ln", Known { short: "St", long: &["--target-directory", "--suffix"] }, Destination),
    ("mkdir", Known { short: "m", long: &["--mode"] }, All(Folder)),
    ("mkfifo", Known { short: "m", long: &["--mode"] }, All(Content)),
    ("mknod", Known { short: "m", long: &["--mode"] }, First(Content)),
    ("mv", Known { short: "St", long: &["--target-directory", "--suffix"] }, Destination),
    ("prename", NONE, Behind(1, Content)),
    ("rename", NONE, Behind(1, Content)),
    ("rimraf", NONE, All(Removal)),
    ("rm", NONE, All(Removal)),
    ("rmdir", NONE, All(Removal)),
    (
        "rsync",
        Known {
            short: "eBfMT",
            long: &[
                "--exclude",
                "--include",
                "--rsh",
                "--filter",
                "--exclude-from",
                "--include-from",
                "--files-from",
                "--log-file",
                "--backup-dir",
                "--temp-dir",
            ],
        },
        Destination,
    ),
    ("scp", Known { short: "cFiJloPS", long: &[] }, Destination),
    ("shred", Known { short: "ns", long: &["--iterations", "--size"] }, All(Removal)),
    ("sponge", NONE, All(Content)),
    ("tee", NONE, All(Content)),
    ("touch", Known { short: "drt", long: &["--date", "--reference", "--time"] }, All(Content)),
    ("trash", NONE, All(Removal)),
    ("trash-put", NONE, All(Removal)),
    ("truncate", Known { short: "rs", long: &["--reference", "--size"] }, All(Content)),
    ("unix2dos", NONE, All(Content)),
    ("unlink", NONE, All(Removal)),
    ("unxz", NONE, All(Content)),
    ("xz", Known { short: "T", long: &["--threads"] }, All(Content)),
    (
        "zip",
        Known { short: "bnPt", long: &["--temp-path", "--suffixes", "--password"] },
        First(Content),
    ),
    ("zstd", Known { short: "oDT", long: &[] }, All(Content)),
    ("bunzip2", NONE, All(Content)),
    ("chattr", NONE, Behind(1, Content)),
    ("convert", NONE, Destination),
    ("magick", NONE, Destination),
    ("ffmpeg", Known { short: "ifcbrt", long: &[] }, Destination),
    ("fallocate", Known { short: "lo", long: &["--length", "--offset"] }, All(Content)),
    ("nvim", EDITOR, All(Content)),
    ("vi", EDITOR, All(Content)),
    ("vim", EDITOR, All(Content)),
    ("nano", NONE, All(Content)),
    ("objcopy", Known { short: "IOFBjR", long: &[] }, Destination),
    ("ranlib", NONE, All(Content)),
    ("script", Known { short: "cBIOTEm", long: &["--command"] }, First(Content)),
    ("setfacl", Known { short: "mxM", long: &["--modify", "--remove"] }, All(Content)),
    ("strip", Known { short: "oKNR", long: &[] }, All(Content)),
    (
        "uniq",
        Known { short: "fsw", long: &["--skip-fields", "--skip-chars", "--check-chars"] },
        Second(Content),
    ),
    ("unzstd", NONE, All(Content)),
    ("xxd", Known { short: "clgso", long: &[] }, Second(Content)),
];

const NONE: Known<'_> = Known { short: "", long: &[] };
const EDITOR: Known<'_> = Known { short: "cSuUw", long: &["--cmd"] };

/// Programs that rewrite whole trees unless told only to look: the words that make them write, and
/// those that make them look. Without operands they take the folder.
const FORMATTERS: &[(&str, &[&str], &[&str])] = &[
    ("autopep8", &["-i", "--in-place"], &[]),
    ("black", &[], &["--check", "--diff", "--version", "-"]),
    ("cargo clippy", &["--fix"], &["-p", "--package"]),
    ("cargo fix", &[], &["-p", "--package"]),
    ("cargo fmt", &[], &["--check", "-p", "--package", "--version"]),
    ("clang-format", &["-i"], &[]),
    ("eslint", &["--fix"], &[]),
    ("go fmt", &[], &["-n"]),
    ("gofmt", &["-w"], &[]),
    ("goimports", &["-w"], &[]),
    ("isort", &[], &["--check", "--check-only", "--diff", "-c", "--version"]),
    ("prettier", &["--write", "-w"], &[]),
    ("ruff check", &["--fix"], &[]),
    ("ruff format", &[], &["--check", "--diff"]),
    ("rustfmt", &[], &["--check", "--version", "-V"]),
    ("shfmt", &["-w", "--write"], &[]),
    ("swift-format", &["-i", "--in-place"], &[]),
    ("terraform fmt", &[], &["-check", "-diff"]),
    ("yapf", &["-i", "--in-place"], &[]),
];

/// Options of theirs with a value, which is no file to be rewritten; none of them has another meaning to any.
const VALUED: &[&str] = &[
    "--config",
    "--exclude",
    "--ext",
    "--extend-exclude",
    "--extend-ignore",
    "--extend-select",
    "--fixable",
    "--ignore",
    "--ignore-path",
    "--ignore-pattern",
    "--include",
    "--line-length",
    "--max-line-length",
    "--parser",
    "--plugin",
    "--print-width",
    "--profile",
    "--rule",
    "--select",
    "--style",
    "--tab-width",
    "--target-version",
    "--unfixable",
];

/// Returns whether a program of this name changes the files it is given.
pub(super) fn is_known(name: &str) -> bool {
    PROGRAMS.iter().any(|(known, ..)| *known == name)
}

/// Judges the files that a program is given.
pub(super) fn judge(judge: &mut Judge<'_>, name: &str, rest: &Call) {
    let words = &rest.words[..];
    if let Some((_, known, role)) = PROGRAMS.iter().find(|(known, ..)| *known == name) {
        program(judge, name, Arguments::read(words, *known), *role);
    }
    options::judge(judge, name, words);
    match name {
        "dd" => words.iter().filter_map(|word| word.text.strip_prefix("of=")).for_each(|file| {
            judge.changes(Content, &Word::new(file));
        }),
        "sed" | "gsed" => {
            in_place(judge, name, words);
            sed::judge(judge, rest);
        }
        "awk" | "gawk" | "mawk" | "nawk" => {
            in_place(judge, name, words);
            awk::judge(judge, rest);
        }
        "perl" | "ruby" | "yq" => in_place(judge, name, words),
        "patch" => patch::judge(judge, rest),
        "split" => split(judge, words),
        "sqlite3" => database(judge, words),
        "ar" | "bsdtar" | "cpio" | "tar" | "unzip" | "7z" | "7za" | "7zz" => {
            archives::judge(judge, name, words);
        }
        _ => formatter(judge, name, words),
    }
}

fn program(judge: &mut Judge<'_>, name: &str, given: Arguments, role: Operands) {
    let is_recursive = given.has(&["-R", "--recursive"]);
    if name == "rsync" && given.has(&["-n", "--dry-run"]) {
        return;
    }
    if name == "strip" && given.has(&["-o"]) {
        return;
    }
    if name.starts_with("ch") && given.has(&["--reference"]) {
        return given.operands.iter().for_each(|file| judge.changes(Deep, file));
    }
    if matches!(name, "gzip" | "gunzip" | "xz" | "unxz" | "bzip2" | "bunzip2" | "zstd" | "unzstd")
        && given.has(&["-c", "--stdout", "-l", "-t", "-o"])
    {
        return;
    }
    // `chmod -x file`: the mode looks like an option.
    let is_mode =
        |(option, _): &(String, _)| matches!(option.as_str(), "-x" | "-w" | "-r" | "-X" | "-s");
    let skips_mode = name == "chmod" && given.options.iter().any(is_mode);
    let operands = &given.operands;
    match role {
        All(change) => operands.iter().for_each(|file| judge.changes(change, file)),
        Second(change) => {
            operands.iter().skip(1).take(1).for_each(|file| judge.changes(change, file))
        }
        First(change) => {
            operands.iter().take(1).for_each(|file| judge.changes(change, file));
            if name == "zip" && given.has(&["-m", "--move"]) {
                operands.iter().skip(1).for_each(|file| judge.changes(Removal, file));
            }
        }
        Behind(count, change) => {
            let change = if is_recursive { Deep } else { change };
            let count = if skips_mode { 0 } else { count };
            operands.iter().skip(count).for_each(|file| judge.changes(change, file));
        }
        Destination => copied(judge, name, &given),
    }
}

/// Judges `cp`, `mv` and their like.
fn copied(judge: &mut Judge<'_>, name: &str, given: &Arguments) {
    let is_deep = given.has(&["-r", "-R", "-a", "--recursive", "--archive", "--delete"]);
    let makes_link = matches!(name, "ln" | "link");
    let change = match is_deep {
        true => Deep,
        false if makes_link => Link,
        false => Content,
    };
    if name == "install" && given.has(&["-d", "--directory"]) {
        return given.operands.iter().for_each(|folder| judge.changes(Folder, folder));
    }
    let named = given.values(&["-t", "--target-directory"]).last().cloned();
    let (to, from) = match (named, given.operands.split_last()) {
        (Some(folder), _) => (Word::new(folder.text + "/"), &given.operands[..]),
        // `ln -s ../x` makes `x` here.
        (None, Some((only, []))) if name == "ln" => (Word::new("./"), std::slice::from_ref(only)),
        (None, Some((to, from))) => (to.clone(), from),
        (None, None) => return,
    };
    if name == "mv" || given.has(&["--remove-source-files"]) {
        from.iter().for_each(|file| judge.changes(Removal, file));
    }
    let is_remote = to.text.split('/').next().is_some_and(|start| start.contains(':'));
    if !is_remote {
        destination(judge, &to, from, change);
        if makes_link || (name == "cp" && given.has(&["-l", "--link", "-s", "--symbolic-link"])) {
            let is_soft = given.has(&["-s", "--symbolic", "--symbolic-link"]);
            linked(judge, &to, from, is_soft);
        }
    }
}

/// Notes where links lead that the script makes, so that what is written through them is seen.
fn linked(judge: &mut Judge<'_>, to: &Word, from: &[Word], is_soft: bool) {
    let is_folder = to.text.ends_with('/') || from.len() > 1 || judge.is_folder(&to.text);
    for file in from {
        let name = file.text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let link = match is_folder {
            true => format!("{}/{name}", to.text.trim_end_matches('/')),
            false => to.text.clone(),
        };
        // A symbolic link starts from the folder it is in.
        let start = match link.rsplit_once('/') {
            Some((folder, _)) if is_soft && !file.text.starts_with('/') => format!("{folder}/"),
            _ => String::new(),
        };
        judge.links_to(&link, &format!("{start}{}", file.text));
    }
}

/// Judges the destinations of copied or moved files.
pub(super) fn destination(judge: &mut Judge<'_>, to: &Word, from: &[Word], change: Change) {
    let is_folder = to.text.ends_with('/') || from.len() > 1 || judge.is_folder(&to.text);
    if !is_folder {
        return judge.changes(change, to);
    }
    let folder = to.text.trim_end_matches('/');
    for file in from {
        // `dir/` of rsync and `dir/.` of cp are what is in it.
        let name = file.text.trim_end_matches("/.").rsplit('/').next().unwrap_or_default();
        let path = if name.is_empty() || name == "." {
            folder.to_owned()
        } else {
            format!("{folder}/{name}")
        };
        let known = if file.pattern.is_some() { format!("{folder}/{UNKNOWN}") } else { path };
        judge.changes(change, &Word::new(known));
    }
}

/// Judges what `sed -i` and its like edit.
fn in_place(judge: &mut Judge<'_>, name: &str, words: &[Word]) {
    let known = match name {
        "sed" | "gsed" => sed::OPTIONS,
        "perl" => Known { short: "eEIMm", long: &[] },
        "ruby" => Known { short: "eIr", long: &[] },
        "yq" => Known { short: "ofp", long: &["--output-format", "--from-file"] },
        _ => {
            Known { short: "fvFi", long: &["--include", "--assign", "--field-separator", "--file"] }
        }
    };
    // The suffix of a backup is attached to `-i`; in a cluster what follows is no option.
    let words: Vec<Word> = words
        .iter()
        .map(|word| match word.text.find('i') {
            Some(at)
                if word.text.starts_with('-')
                    && !word.text.starts_with("--")
                    && !name.ends_with("awk")
                    && !word.text[..at].contains(['e', 'f', 'E']) =>
            {
                Word::new(&word.text[..=at])
            }
            _ => word.clone(),
        })
        .collect();
    let given = Arguments::read(&words, known);
    let is_awk = name.ends_with("awk");
    let edits = match is_awk {
        true => given.values(&["-i", "--include"]).any(|word| word.text == "inplace"),
        false => given.has(&["-i", "--in-place", "--inplace"]),
    };
    if !edits {
        return;
    }
    let has_script = given.has(&["-e", "-E", "-f", "--expression", "--file"]);
    // BSD's `sed -i '' …` has an empty word there.
    let operands: Vec<&Word> =
        given.operands.iter().skip_while(|word| word.text.is_empty()).collect();
    let scripts = usize::from(!has_script);
    for file in operands.into_iter().skip(scripts) {
        judge.changes(Content, file);
    }
}

/// Judges `split`, whose files begin with a name, and whose filter is a script.
fn split(judge: &mut Judge<'_>, words: &[Word]) {
    let long = ["--bytes", "--lines", "--number", "--suffix-length", "--line-bytes", "--filter"];
    let given = Arguments::read(words, Known { short: "bClnat", long: &long });
    for script in given.values(&["--filter"]) {
        judge.subshell(&script.text);
    }
    if let Some(prefix) = given.operands.get(1) {
        options::prefixed(judge, prefix);
    }
}

/// Judges statements of a database that change it.
fn database(judge: &mut Judge<'_>, words: &[Word]) {
    let mut operands = words.iter().filter(|word| !word.text.starts_with('-'));
    let Some(file) = operands.next() else { return };
    let writing = ["insert", "update", "delete", "create", "drop", "alter", "replace", "vacuum"];
    let is_writing = |word: &Word| {
        let text = word.text.to_ascii_lowercase();
        text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| writing.contains(&word))
    };
    if operands.any(is_writing) {
        judge.changes(Content, file);
    }
}

/// Returns whether a program of this name rewrites files in place.
pub(super) fn is_formatter(name: &str) -> bool {
    FORMATTERS.iter().any(|(known, ..)| *known == name)
}

fn formatter(judge: &mut Judge<'_>, name: &str, words: &[Word]) {
    let verb = words.first().map(|word| word.text.as_str()).unwrap_or_default();
    let both = format!("{name} {verb}");
    let found = FORMATTERS.iter().find(|(known, ..)| *known == name || *known == both);
    let Some((known, writing, looking)) = found else { return };
    let words = if *known == both { &words[1..] } else { words };
    let has = |options: &[&str]| {
        words.iter().any(|word| {
            options
                .iter()
                .any(|option| word.text == *option || word.text.starts_with(&format!("{option}=")))
        })
    };
    if has(looking) || (!writing.is_empty() && !has(writing)) {
        return;
    }
    let mut files: Vec<&Word> = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.text.as_str() {
            option if VALUED.contains(&option) => drop(rest.next()),
            "-l" | "-t" if matches!(*known, "black" | "isort") => drop(rest.next()),
            option if option.starts_with('-') => {}
            _ => files.push(word),
        }
    }
    let is_filter = files.is_empty() && !writing.is_empty() && name != "cargo";
    if files.is_empty() && !is_filter && name != "rustfmt" {
        judge.changes(Deep, &Word::new("."));
    }
    let file = |word: &&&Word| {
        known != &"cargo fmt" && Word::is_told(&word.text) && !word.text.starts_with("./...")
    };
    files.iter().filter(file).for_each(|file| judge.changes(Deep, file));
}
