//! Short texts, found by the rare words that they have in common.

use std::collections::{BTreeMap, HashMap};

use super::log::share;

/// The words of a text, each with what it weighs there before its rarity is known.
pub(super) type Words = BTreeMap<String, f64>;

/// What `router` in `fix(router): …` weighs: more than a word behind the colon.
const AREA: f64 = 1.5;

/// Up to how many characters stand before the colon of such a subject.
const AREA_ENDS: usize = 40;

/// What a folder of a path weighs beside the file's own name.
const FOLDER: f64 = 0.6;

/// Least rarity: what stands in every text tells a little, too.
const COMMON: f64 = 0.05;

/// Okapi BM25: how much the weight of a word in a text counts, and how much a long text is held against it.
const SATURATION: f64 = 1.2;
const LENGTH: f64 = 0.5;

/// Texts by their words.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    number: usize,
    /// By word: its rarity, and the texts that have it with what it weighs there.
    words: HashMap<String, (f64, Vec<(usize, f64)>)>,
}

impl Texts {
    pub(super) fn of(texts: impl Iterator<Item = Words>) -> Self {
        let texts: Vec<Words> = texts.collect();
        let mut words: HashMap<String, (f64, Vec<(usize, f64)>)> = HashMap::new();
        for (at, text) in texts.iter().enumerate() {
            for (word, weight) in text {
                words.entry(word.clone()).or_default().1.push((at, *weight));
            }
        }
        let mut found = Self { number: texts.len(), words };
        let number = found.number;
        found.words.values_mut().for_each(|(rare, of)| *rare = rarity(number, of.len()));
        let lengths: Vec<f64> = texts.iter().map(|text| text.values().sum()).collect();
        let usual = lengths.iter().sum::<f64>() / share(number.max(1), 1);
        for (rare, of) in found.words.values_mut() {
            for (at, weight) in of {
                let long = 1.0 - LENGTH + LENGTH * lengths[*at] / usual;
                *weight *= *rare * (SATURATION + 1.0) / (*weight + SATURATION * long);
            }
        }
        found
    }

    /// Returns by text how alike it is; 0 for no word in common, about 1 for all words.
    pub(super) fn alike(&self, text: &Words) -> Vec<f64> {
        let rare = |word| self.words.get(word).map_or_else(|| rarity(self.number, 0), |of| of.0);
        let all: f64 = text.iter().map(|(word, weight)| weight * rare(word)).sum();
        let mut alike = vec![0.0; self.number];
        for (word, weight) in text {
            let of = self.words.get(word).into_iter().flat_map(|(_, of)| of);
            of.for_each(|(at, other)| alike[*at] += weight * other / all);
        }
        alike
    }
}

fn rarity(texts: usize, with: usize) -> f64 {
    f64::max(COMMON, ((share(texts, 1) + 1.0) / (share(with, 1) + 0.5)).ln())
}

/// Returns the words of a commit's subject, or of an item.
pub(super) fn of_subject(text: &str) -> Words {
    let area = text.find(':').filter(|at| *at < AREA_ENDS).unwrap_or(0);
    let mut found = Words::new();
    add(&mut found, &text[area..], 1.0);
    add(&mut found, &text[..area], AREA);
    found
}

/// Returns the words of a path, its ending left out.
pub(super) fn of_path(path: &[u8]) -> Words {
    let path = String::from_utf8_lossy(path);
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let mut found = Words::new();
    add(&mut found, folder, FOLDER);
    add(&mut found, name.split('.').find(|stem| !stem.is_empty()).unwrap_or_default(), 1.0);
    found
}

fn add(found: &mut Words, text: &str, weight: f64) {
    let joined = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    for name in text.split(|c| !joined(c)) {
        let parts = parts(name);
        let whole = Some(parts.concat()).filter(|_| parts.len() > 1);
        for word in parts.into_iter().chain(whole).map(|word| stem(&word)) {
            if word.chars().count() > 1 && !word.chars().all(|c| c.is_ascii_digit()) {
                let own = found.entry(word).or_default();
                *own = f64::max(*own, weight);
            }
        }
    }
}

/// Returns the words that a name is joined of, in lower case: `RateLimiter`, `rate_limiter`, `rate-limiter`.
fn parts(name: &str) -> Vec<String> {
    let (mut parts, mut was_lower) = (vec![String::new()], false);
    for c in name.chars() {
        let is_join = matches!(c, '_' | '-');
        if is_join || (was_lower && c.is_uppercase()) {
            parts.push(String::new());
        }
        was_lower = c.is_lowercase();
        let last = parts.last_mut().into_iter();
        last.for_each(|word| word.extend(c.to_lowercase().filter(|_| !is_join)));
    }
    parts.retain(|word| !word.is_empty());
    parts
}

/// Takes endings of English words away, so that `fixes`, `fixed` and `fixing` are one.
fn stem(word: &str) -> String {
    const ENDINGS: &[(&str, &str)] =
        &[("ies", "y"), ("ss", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", "")];
    let is_long = |rest: &str| word.is_ascii() && rest.len() >= 3 && word.len() >= 5;
    let cut = ENDINGS.iter().find_map(|(ending, new)| {
        let rest = word.strip_suffix(ending).filter(|rest| is_long(rest))?;
        Some((rest, *new))
    });
    let Some((rest, new)) = cut else { return word.to_owned() };
    let mut last = rest.chars().rev();
    let doubled = last.next().filter(|c| Some(*c) == last.next() && new.is_empty());
    let is_doubled = doubled.is_some_and(|c| !matches!(c, 'l' | 's'));
    rest[..rest.len() - usize::from(is_doubled)].to_owned() + new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_word_in_common_is_worth_more_than_a_frequent_one() {
        let subjects = ["fix(router): slow", "fix mail", "fix lists", "docs: Router guide"];
        let texts = Texts::of(subjects.iter().map(|text| of_subject(text)));
        let alike = texts.alike(&of_subject("Fixing the routers"));
        assert!(alike[0] > alike[3] && alike[3] > alike[1], "{alike:?}");
        let same = texts.alike(&of_subject(subjects[1]))[1];
        assert!((same - 1.0).abs() < 0.1, "{same}");
        assert_eq!(texts.alike(&of_subject("dark mode")), [0.0; 4]);
        assert_eq!(Texts::default().alike(&of_subject("a b c")), [0.0; 0]);
    }

    #[test]
    fn words_of_names_and_paths() {
        let words = |text: &str| of_subject(text).into_keys().collect::<Vec<_>>().join(" ");
        for (text, wanted) in [
            ("Limit `RateLimiter` (#123)", "limit limiter rate ratelimiter"),
            ("stopped stopping stops", "stop"),
            ("lists listing listed", "list"),
            ("policies, policy; class", "class policy"),
            ("Ärger überall", "ärger überall"),
        ] {
            assert_eq!(words(text), wanted, "{text}");
        }
        assert_eq!(words("caches caching"), words("cache"));
        let of = of_path(b"src/http/rate_limits.test.ts");
        assert_eq!((of.get("http"), of.get("rat"), of.get("ts")), (Some(&0.6), None, None));
        assert!(of.contains_key("rate") && of.contains_key("limit"), "{of:?}");
    }
}
