//! Every parser takes what is kept in `fuzz/corpus`, whole, cut and bent, the same each time.

use std::collections::BTreeSet;
use std::fs;

use pw_testkit::dice::Dice;
use pw_testkit::parsers::PARSERS;

use crate::markdown::root;

/// How many bent copies of each text are tried.
const BENT: usize = 60;
/// Bytes that mean something to a parser.
const ODD: &[u8] = b"\0\xff'\"`$()[]{}<>|&;#\n\r\t \\/:-";

#[test]
fn every_parser_takes_its_corpus() {
    let corpus = root().join("fuzz/corpus");
    let folders = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().file_name());
    let folders: BTreeSet<String> = folders.map(|name| name.into_string().unwrap()).collect();
    let named: BTreeSet<String> = PARSERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(folders, named);
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for (name, parse) in PARSERS {
        assert!(manifest.contains(&format!("targets/{name}.rs")), "{name} has no target");
        let mut texts: Vec<Vec<u8>> = fs::read_dir(corpus.join(name))
            .unwrap()
            .map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .collect();
        assert!(texts.len() >= 3, "{name}");
        texts.sort();
        let mut dice = Dice(7);
        for text in &texts {
            parse(text);
            for _ in 0..BENT {
                parse(&bent(&mut dice, text, &texts));
            }
        }
    }
}

/// A copy that is cut, doubled, or has bytes of another text or of none in it.
fn bent(dice: &mut Dice, text: &[u8], all: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..=dice.below(3) {
        let (at, to) = (dice.below(bytes.len() + 1), dice.below(bytes.len() + 1));
        let (at, to) = (at.min(to), at.max(to));
        let other = &all[dice.below(all.len())];
        let part = match dice.below(5) {
            0 => Vec::new(),
            1 => bytes[at..to].repeat(2),
            2 => other[dice.below(other.len().max(1)).min(other.len())..].to_vec(),
            3 => vec![ODD[dice.below(ODD.len())]],
            _ => "ü\u{202e}\u{0}".into(),
        };
        bytes.splice(at..to, part);
    }
    bytes
}
