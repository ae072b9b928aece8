//! `patch` and `git apply`: the files that a patch names, where the script holds it.

use super::arguments::{Arguments, Known, Word};
use super::call::Call;
use super::decide::Change::{Content, Within};
use super::judge::Judge;

/// Most files of one patch that are looked at.
const MAX_FILES: usize = 500;

/// Judges `patch`.
pub(super) fn judge(judge: &mut Judge<'_>, rest: &Call) {
    let long = ["--directory", "--input", "--output", "--strip", "--reject-file"];
    let given = Arguments::read(&rest.words, Known { short: "dipoFrBDVYz", long: &long });
    if given.has(&["--dry-run", "-C", "--check"]) {
        return;
    }
    let folder = judge.shell.folder.clone();
    for to in given.values(&["-d", "--directory"]) {
        judge.changes(Within, to);
        judge.shell.folder = judge.absolute(&to.text);
    }
    judge.changes(Within, &Word::new("."));
    let named = given.values(&["-o", "--output"]).chain(given.operands.first());
    let mut named: Vec<Word> = named.cloned().collect();
    if named.is_empty()
        && let Some(count) = given.values(&["-p", "--strip"]).last()
    {
        named.extend(files(rest.stdin.as_deref().unwrap_or_default(), &count.text));
    }
    named.iter().for_each(|file| judge.changes(Content, file));
    judge.shell.folder = folder;
}

/// Judges the patch that `git apply` reads.
pub(super) fn read(judge: &mut Judge<'_>, words: &[Word], patch: Option<&str>) {
    let Some(patch) = patch else { return };
    let given = Arguments::read(words, Known { short: "CpcU", long: &["--directory"] });
    let looks = ["--check", "--stat", "--numstat", "--summary"];
    if given.has(&looks) && !given.has(&["--apply"]) {
        return;
    }
    let count = given.values(&["-p"]).last().map_or("1", |word| word.text.as_str());
    files(patch, count).iter().for_each(|file| judge.changes(Content, file));
}

/// Returns the files that a patch changes, without so many folders in front.
fn files(patch: &str, strip: &str) -> Vec<Word> {
    let strip = strip.parse().unwrap_or(0);
    let name = |line: &str| {
        let marks = ["+++ ", "--- "].iter().find_map(|mark| line.strip_prefix(mark));
        let whole = ["rename to ", "rename from "].iter().find_map(|mark| line.strip_prefix(mark));
        let path = marks.or(whole)?.split('\t').next()?.trim();
        let strip = if whole.is_some() { 0 } else { strip };
        let file = path.splitn(strip + 1, '/').nth(strip)?;
        (path != "/dev/null" && !file.is_empty()).then(|| Word::new(file))
    };
    patch.lines().filter_map(name).take(MAX_FILES).collect()
}
