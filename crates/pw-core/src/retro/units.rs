//! What hindsight gives to another worker as a whole: folders and files that a run changed; and what touches each
//! file.

use std::collections::BTreeMap;

use super::pieces::Work;
use crate::analyze::scopes::glob;
use crate::time::Seconds;

/// A folder with all that the run changed below it, or one file: a range of [`Work::files`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) files: std::ops::Range<usize>,
    pub(super) glob: String,
    pub(super) seconds: Seconds,
}

/// What touches a file, by index.
#[derive(Clone, Default)]
pub(super) struct Touching {
    pub(super) pieces: Vec<usize>,
    pub(super) past: Vec<usize>,
}

/// Returns for each file what touches it.
pub(super) fn touching(work: &Work, past: &[Vec<usize>]) -> Vec<Touching> {
    let mut all = vec![Touching::default(); work.files.len()];
    for (at, piece) in work.pieces.iter().enumerate() {
        piece.files.iter().for_each(|file| all[*file].pieces.push(at));
    }
    for (at, files) in past.iter().enumerate() {
        files.iter().for_each(|file| all[*file].past.push(at));
    }
    all
}

/// Returns the folders with several files, and the files of several pieces, that a glob can name. A file that one piece
/// alone changed says nothing about the next plan.
pub(super) fn units(work: &Work) -> Vec<Unit> {
    let (mut spent, mut pieces) = (vec![0; work.files.len()], vec![0; work.files.len()]);
    for piece in &work.pieces {
        let count = Seconds::try_from(piece.files.len()).unwrap_or(1);
        for file in &piece.files {
            spent[*file] += piece.seconds / count;
            pieces[*file] += 1;
        }
    }
    let mut ranges: BTreeMap<(&[u8], bool), std::ops::Range<usize>> = BTreeMap::new();
    for (at, path) in work.files.iter().enumerate() {
        ranges.insert((path.as_bytes(), true), at..at + 1);
        // What lies below a folder is one range in the order of bytes.
        for folder in path.ancestors().filter(|folder| !folder.is_empty()) {
            ranges.entry((folder, false)).or_insert(at..at).end = at + 1;
        }
    }
    let unit = |((path, is_file), files): ((&[u8], bool), std::ops::Range<usize>)| {
        let seconds = spent[files.clone()].iter().sum();
        Some(Unit { glob: glob(path, is_file)?, files, seconds })
    };
    let is_telling = |((_, is_file), files): &((&[u8], bool), std::ops::Range<usize>)| {
        if *is_file { pieces[files.start] > 1 } else { files.len() > 1 }
    };
    ranges.into_iter().filter(is_telling).filter_map(unit).collect()
}
