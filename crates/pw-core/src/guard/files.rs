//! Which files a program changes that is given them by name.

use super::arguments::{Arguments, Known, UNKNOWN, Word};
use super::decide::Change;
use super::judge::Judge;

/// What a program does with its operands.
#[derive(Clone, Copy)]
enum Operands {
    All(Change),
    /// All behind the first so many.
    Behind(usize, Change),
    First(Change),
    /// The last argument is where the files before it go.
    Destination,
}

use Change::{Content, Deep, Folder, Removal, Within};
use Operands::{All, Behind, Destination, First};

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
    ("zip", NONE, First(Content)),
    ("zstd", NONE, All(Content)),
];

const NONE: Known<'_> = Known { short: "", long: &[] };

/// Programs that write what an option names, and those options.
const OUTPUTS: &[(&str, &str, &[&str])] = &[
    ("bison", "o", &["--output"]),
    ("cc", "o", &[]),
    ("clang", "o", &[]),
    ("curl", "oDcAHdXuebFTm", &["--output", "--dump-header", "--cookie-jar", "--header", "--data"]),
    ("gcc", "o", &[]),
    ("go", "o", &[]),
    ("iconv", "oft", &["--output"]),
    ("pandoc", "o", &["--output"]),
    ("protoc", "", &["--python_out", "--go_out", "--js_out", "--java_out", "--cpp_out"]),
    ("rustc", "o", &["--out-dir"]),
    ("sort", "okStT", &["--output"]),
    ("wget", "OoP", &["--output-document", "--output-file", "--directory-prefix"]),
];

/// Programs that rewrite whole trees unless told only to look: the words that make them write, and
/// those that make them look. Without operands they take the folder.
const FORMATTERS: &[(&str, &[&str], &[&str])] = &[
    ("autopep8", &["-i", "--in-place"], &[]),
    ("black", &[], &["--check", "--diff", "--version", "-"]),
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
    ("terraform fmt", &[], &["-check", "-diff"]),
    ("yapf", &["-i", "--in-place"], &[]),
];

/// Returns whether a program of this name changes the files it is given.
pub(super) fn is_known(name: &str) -> bool {
    PROGRAMS.iter().any(|(known, ..)| *known == name)
}

/// Judges the files that a program is given.
pub(super) fn judge(judge: &mut Judge<'_>, name: &str, words: &[Word]) {
    if let Some((_, known, role)) = PROGRAMS.iter().find(|(known, ..)| *known == name) {
        program(judge, name, Arguments::read(words, *known), *role);
    }
    if let Some((_, short, long)) = OUTPUTS.iter().find(|(known, ..)| *known == name) {
        let given = Arguments::read(words, Known { short, long });
        for (option, value) in &given.options {
            let names_output = option.contains("out")
                || matches!(
                    option.as_str(),
                    "-o" | "-O"
                        | "-D"
                        | "-c"
                        | "-P"
                        | "--dump-header"
                        | "--cookie-jar"
                        | "--directory-prefix"
                );
            let is_output = names_output
                && !(name != "wget" && option == "-O")
                && !(matches!(name, "cc" | "gcc" | "clang" | "sort" | "iconv" | "go")
                    && option == "-c");
            if let Some(file) = value.as_ref().filter(|file| is_output && file.text != "-") {
                judge.changes(if option == "-P" { Within } else { Content }, file);
            }
        }
    }
    match name {
        "dd" => words.iter().filter_map(|word| word.text.strip_prefix("of=")).for_each(|file| {
            judge.changes(Content, &Word::new(file));
        }),
        "sed" | "gsed" | "perl" | "ruby" | "gawk" | "awk" | "yq" => in_place(judge, name, words),
        "patch" => patch(judge, words),
        "tar" | "bsdtar" | "unzip" | "7z" => archive(judge, name, words),
        _ => formatter(judge, name, words),
    }
}

fn program(judge: &mut Judge<'_>, name: &str, given: Arguments, role: Operands) {
    let is_recursive = given.has(&["-R", "--recursive"]);
    if name.starts_with("ch") && given.has(&["--reference"]) {
        return given.operands.iter().for_each(|file| judge.changes(Deep, file));
    }
    if matches!(name, "gzip" | "gunzip" | "xz" | "unxz" | "bzip2" | "zstd")
        && given.has(&["-c", "--stdout", "-l", "-t"])
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
        First(change) => operands.iter().take(1).for_each(|file| judge.changes(change, file)),
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
    let change = if is_deep { Deep } else { Content };
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
        "sed" | "gsed" => {
            Known { short: "efl", long: &["--expression", "--file", "--line-length"] }
        }
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
                    && name != "awk"
                    && name != "gawk"
                    && !word.text[..at].contains(['e', 'f', 'E']) =>
            {
                Word::new(&word.text[..=at])
            }
            _ => word.clone(),
        })
        .collect();
    let given = Arguments::read(&words, known);
    let is_awk = matches!(name, "awk" | "gawk");
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

fn patch(judge: &mut Judge<'_>, words: &[Word]) {
    let long = ["--directory", "--input", "--output", "--strip", "--reject-file"];
    let given = Arguments::read(words, Known { short: "dipoFrBDVYz", long: &long });
    if given.has(&["--dry-run"]) {
        return;
    }
    let folder = judge.shell.folder.clone();
    for to in given.values(&["-d", "--directory"]) {
        judge.changes(Within, to);
        judge.shell.folder = judge.absolute(&to.text);
    }
    judge.changes(Within, &Word::new("."));
    let named = given.values(&["-o", "--output"]).chain(given.operands.first());
    for file in named {
        judge.changes(Content, file);
    }
    judge.shell.folder = folder;
}

/// Judges where an archive is made or unpacked; what is in it is not looked at.
fn archive(judge: &mut Judge<'_>, name: &str, words: &[Word]) {
    let first = words.first().map(|word| word.text.trim_start_matches('-')).unwrap_or_default();
    let given = Arguments::read(words, Known { short: "CfdTX", long: &["--directory", "--file"] });
    let into = given
        .values(&["-C", "--directory"])
        .chain(given.values(&["-d"]).filter(|_| name == "unzip"));
    let into: Vec<Word> = into.cloned().collect();
    if name == "tar" && first.contains('c') && !first.contains("lude") {
        let bundled = words.get(1).filter(|_| first.ends_with('f'));
        let files: Vec<Word> = given.values(&["-f", "--file"]).chain(bundled).cloned().collect();
        return files
            .iter()
            .filter(|file| file.text != "-")
            .for_each(|file| judge.changes(Content, file));
    }
    let is_listing = given.has(&["-t", "--list", "-l", "-v", "-Z", "-p"]) && !first.contains('x');
    if into.is_empty() && !is_listing {
        judge.changes(Within, &Word::new("."));
    }
    into.iter().for_each(|folder| judge.changes(Within, folder));
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
    let files: Vec<&Word> = words.iter().filter(|word| !word.text.starts_with('-')).collect();
    let is_filter = files.is_empty() && !writing.is_empty();
    if files.is_empty() && !is_filter && name != "rustfmt" {
        judge.changes(Deep, &Word::new("."));
    }
    let file = |word: &&&Word| {
        known != &"cargo fmt" && !word.text.contains(UNKNOWN) && !word.text.starts_with("./...")
    };
    files.iter().filter(file).for_each(|file| judge.changes(Deep, file));
}
