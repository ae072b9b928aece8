//! Where an archive is made or unpacked; what is in it is not looked at.

use super::arguments::{Arguments, Known, Word};
use super::decide::Change::{Content, Removal, Within};
use super::judge::Judge;

/// Judges a program that makes or unpacks archives.
pub(super) fn judge(judge: &mut Judge<'_>, name: &str, words: &[Word]) {
    match name {
        "ar" => library(judge, words),
        "cpio" => cpio(judge, words),
        "unzip" => unzip(judge, words),
        "tar" | "bsdtar" => tar(judge, words),
        _ => seven_zip(judge, words),
    }
}

fn tar(judge: &mut Judge<'_>, words: &[Word]) {
    const LONG: &[&str] = &[
        "--directory",
        "--file",
        "--exclude",
        "--exclude-from",
        "--files-from",
        "--one-top-level",
        "--strip-components",
        "--transform",
    ];
    // `tar xzf FILE`: the letters in front have no dash.
    let mut words = words.to_vec();
    if let Some(first) = words.first_mut().filter(|word| !word.text.starts_with('-')) {
        first.text.insert(0, '-');
    }
    let given = Arguments::read(&words, Known { short: "CfTXbg", long: LONG });
    let folder = judge.shell.folder.clone();
    if given.has(&["-c", "--create", "-r", "--append", "-u", "--update", "-A", "--delete"]) {
        let files: Vec<Word> = given.values(&["-f", "--file"]).cloned().collect();
        let is_file = |file: &&Word| file.text != "-";
        if given.has(&["--remove-files"]) {
            given.operands.iter().for_each(|file| judge.changes(Removal, file));
        }
        return files.iter().filter(is_file).for_each(|file| judge.changes(Content, file));
    }
    if !given.has(&["-x", "--extract", "--get"]) || given.has(&["-O", "--to-stdout"]) {
        return;
    }
    for to in given.values(&["-C", "--directory"]) {
        judge.shell.folder = judge.absolute(&to.text).filter(|_| to.is_known());
        judge.changes(Within, &Word::new("."));
    }
    given.values(&["--one-top-level"]).for_each(|folder| judge.changes(Within, folder));
    unpacked(judge, &given.operands);
    judge.shell.folder = folder;
}

/// Judges what is unpacked here: the members that are named, or any.
fn unpacked(judge: &mut Judge<'_>, members: &[Word]) {
    if members.is_empty() {
        judge.changes(Within, &Word::new("."));
    }
    for member in members {
        // In an archive a name can be a pattern, and is no file here.
        let is_plain = !member.text.contains(['*', '?', '[']);
        judge.changes(if is_plain { Content } else { Within }, &Word::new(&member.text));
    }
}

fn unzip(judge: &mut Judge<'_>, words: &[Word]) {
    let given = Arguments::read(words, Known { short: "dxP", long: &[] });
    if given.has(&["-l", "-v", "-Z", "-z", "-t", "-p", "-c"]) {
        return;
    }
    let folder = judge.shell.folder.clone();
    if let Some(to) = given.values(&["-d"]).last() {
        judge.changes(Within, to);
        judge.shell.folder = judge.absolute(&to.text).filter(|_| to.is_known());
    }
    unpacked(judge, given.operands.get(1..).unwrap_or_default());
    judge.shell.folder = folder;
}

fn seven_zip(judge: &mut Judge<'_>, words: &[Word]) {
    let operands: Vec<&Word> = words.iter().filter(|word| !word.text.starts_with('-')).collect();
    let verb = operands.first().map(|word| word.text.as_str()).unwrap_or_default();
    match (verb, operands.get(1)) {
        ("a" | "u" | "d" | "rn", Some(file)) => {
            judge.changes(Content, file);
            if words.iter().any(|word| word.text == "-sdel") {
                operands[2..].iter().for_each(|file| judge.changes(Removal, file));
            }
        }
        ("x" | "e", _) => {
            let to = words.iter().find_map(|word| word.text.strip_prefix("-o")).unwrap_or(".");
            judge.changes(Within, &Word::new(to));
        }
        _ => {}
    }
}

fn cpio(judge: &mut Judge<'_>, words: &[Word]) {
    const LONG: &[&str] = &["--file", "--directory", "--format", "--pattern-file"];
    let given = Arguments::read(words, Known { short: "FOIDHEMRC", long: LONG });
    if given.has(&["-o", "--create"]) {
        let files: Vec<Word> = given.values(&["-F", "-O", "--file"]).cloned().collect();
        return files.iter().for_each(|file| judge.changes(Content, file));
    }
    if given.has(&["-p", "--pass-through"]) {
        return given.operands.iter().for_each(|folder| judge.changes(Within, folder));
    }
    if given.has(&["-i", "--extract"]) && !given.has(&["-t", "--list", "--to-stdout"]) {
        let here = Word::new(".");
        let to = given.values(&["-D", "--directory"]).last().unwrap_or(&here);
        judge.changes(Within, to);
    }
}

fn library(judge: &mut Judge<'_>, words: &[Word]) {
    let Some((verb, rest)) = words.split_first() else { return };
    let verb = verb.text.trim_start_matches('-');
    let writes = verb.starts_with(['r', 'd', 'm', 'q', 's']) || verb.contains('r');
    if let Some(file) = rest.first().filter(|_| writes) {
        judge.changes(Content, file);
    }
}
