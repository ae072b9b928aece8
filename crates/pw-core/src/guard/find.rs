//! `find`: what it deletes, what it runs on the files it finds, and what it prints.

use super::arguments::{ANY_BELOW, Arguments, Known, UNKNOWN, Word};
use super::call::Call;
use super::decide::{self, Change};
use super::judge::Judge;
use super::surroundings::Target;
use crate::cache::is_cache;
use crate::path::RepoPath;

/// Judges `find`; returns what it prints, as far as that is known.
pub(super) fn judge(judge: &mut Judge<'_>, words: &[Word]) -> String {
    let is_test = |word: &&Word| word.text.starts_with(['-', '(', '!', ')']);
    let is_option = |word: &&Word| matches!(word.text.as_str(), "-L" | "-H" | "-P");
    let words = &words[words.iter().take_while(is_option).count()..];
    let (starts, tests) = words.split_at(words.iter().take_while(|word| !is_test(word)).count());
    below(judge, starts, tests)
}

/// Judges `fd`, which has the pattern first, and the name it finds last.
pub(super) fn fd(judge: &mut Judge<'_>, words: &[Word]) -> String {
    let runs = ["-x", "-X", "--exec", "--exec-batch"];
    let end = words.iter().position(|word| runs.contains(&word.text.as_str()));
    let (before, actions) = words.split_at(end.unwrap_or(words.len()));
    let long = ["--extension", "--type", "--exclude", "--max-depth", "--min-depth", "--size"];
    let given = Arguments::read(before, Known { short: "etEdSocj", long: &long });
    let mut actions = actions.to_vec();
    if !actions.is_empty() && !actions.iter().any(|word| word.text.contains("{}")) {
        actions.push(Word::new("{}"));
    }
    below(judge, given.operands.get(1..).unwrap_or_default(), &actions)
}

/// Judges what is done to the files below some folders; returns their names.
fn below(judge: &mut Judge<'_>, starts: &[Word], tests: &[Word]) -> String {
    let here = [Word::new(".")];
    let starts = if starts.is_empty() { &here } else { starts };
    let found: Vec<String> = starts
        .iter()
        .flat_map(|start| judge.files(start))
        .map(|start| {
            let folder = start.text.trim_end_matches('/');
            // Only a run tells which files the tests select: any of the folder, unless the tests
            // select only ignored files or empty folders.
            let any = UNKNOWN.to_string();
            let below = if finds_scratch(judge, folder, tests) { &any } else { ANY_BELOW };
            format!("{folder}/{below}")
        })
        .collect();
    for (at, word) in tests.iter().enumerate() {
        let next = tests.get(at + 1);
        match (word.text.as_str(), next) {
            ("-delete", _) => {
                found.iter().for_each(|file| judge.changes(Change::Removal, &Word::new(file)));
            }
            (
                "-exec" | "-execdir" | "-ok" | "-okdir" | "-x" | "-X" | "--exec" | "--exec-batch",
                _,
            ) => {
                let is_end = |word: &&Word| matches!(word.text.as_str(), ";" | "+");
                let words: Vec<&Word> =
                    tests[at + 1..].iter().take_while(|word| !is_end(word)).collect();
                for file in &found {
                    run(judge, word.text.ends_with("dir"), &words, file);
                }
            }
            ("-fprint" | "-fprintf" | "-fls" | "-fprint0", Some(file)) => {
                judge.changes(Change::Content, file);
            }
            _ => {}
        }
    }
    found.into_iter().map(|file| file + "\n").collect()
}

/// Judges what `-exec` runs on a file, or `-execdir` in its folder.
fn run(judge: &mut Judge<'_>, in_folder: bool, words: &[&Word], file: &str) {
    let folder = judge.shell.folder.clone();
    let mut name = file.to_owned();
    if in_folder {
        judge.shell.folder = judge.absolute(file);
        name = file.rsplit('/').next().map(|name| format!("./{name}")).unwrap_or_default();
    }
    let words = words.iter().map(|word| Word::new(word.text.replace("{}", &name))).collect();
    judge.call(&Call { words, ..Call::default() });
    judge.shell.folder = folder;
}

/// Returns whether the names that the tests ask for are such that no commit holds them.
fn finds_scratch(judge: &Judge<'_>, start: &str, tests: &[Word]) -> bool {
    let is_one_of = |word: &Word, known: &[&str]| known.contains(&word.text.as_str());
    let is_turned = tests.iter().any(|word| is_one_of(word, &["!", "-not"]));
    let mut ways = tests.split(|word| is_one_of(word, &["-o", "-or", ","]));
    !is_turned
        && ways.all(|way| {
            let is_empty = way.iter().any(|word| word.text == "-empty");
            way.windows(2).any(|pair| match pair[0].text.as_str() {
                "-name" | "-iname" => is_scratch(judge, &format!("{start}/{}", pair[1].text)),
                "-path" | "-ipath" | "-wholename" => is_scratch(judge, &pair[1].text),
                // Git knows no empty folder.
                "-type" => is_empty && pair[1].text == "d",
                _ => false,
            })
        })
}

/// Returns whether git ignores what a pattern matches, by an example of it, or whether that is what programs
/// keep for themselves: no work of a worker's, also where no .gitignore names it.
fn is_scratch(judge: &Judge<'_>, pattern: &str) -> bool {
    let mut example = pattern.replace(['*', '?'], "x");
    while let Some((before, (one, after))) =
        example.split_once('[').and_then(|(before, rest)| Some((before, rest.split_once(']')?)))
    {
        example = format!("{before}{}{after}", one.chars().next().unwrap_or('x'));
    }
    if is_cache(&RepoPath::from(example.as_str())) {
        return true;
    }
    // `name/` in .gitignore is a folder: only what is in it tells.
    [example.clone(), format!("{example}/x")].iter().any(|path| {
        let target = judge.target(path);
        matches!(target, Some((true, Target::Inside(path))) if decide::is_scratch(judge.plan, judge.around, &path))
    })
}
