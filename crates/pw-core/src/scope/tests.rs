use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use proptest::prelude::*;

use super::*;

fn scope(globs: &[&str]) -> Scope {
    Scope::parse(globs).unwrap()
}

fn meeting(a: &[&str], b: &[&str]) -> Option<Meeting> {
    overlaps(&[&scope(a), &scope(b)]).pop()
}

fn witness(a: &[&str], b: &[&str]) -> Option<String> {
    meeting(a, b).map(|meeting| meeting.witness.to_string())
}

#[test]
fn literal_paths_own_what_lies_below() {
    let scope =
        scope(&["docs", "src/api/", "*.toml", "src/*/mod.rs", "!docs/private", "a{b,c}.rs"]);
    for path in ["docs", "docs/a/b", "src/api/x", "Cargo.toml", "src/core/mod.rs", "ab.rs", "ac.rs"]
    {
        assert!(scope.owns(&path.into()), "{path}");
    }
    for path in
        ["docs2", "src/api", "x/Cargo.toml", "src/a/b/mod.rs", "docs/private/x", "ad.rs", "Docs"]
    {
        assert!(!scope.owns(&path.into()), "{path}");
    }
    assert!(scope.owns(&RepoPath::new(b"docs/caf\xe9".to_vec())));
}

#[test]
fn scopes_that_meet_name_a_path() {
    for (a, b, path) in [
        (&["api/mod.rs"][..], &["api/*.rs"][..], "api/mod.rs"),
        (&["src/**"], &["**/x.rs"], "src/x.rs"),
        (&["src"], &["src/a/b.rs"], "src/a/b.rs"),
        (&["a*c"], &["*b*"], "abc"),
        (&["[a-f]x"], &["[e-z]x"], "fx"),
        (&["{a,b}/**"], &["b/c"], "b/c"),
        (&["src/*"], &["src/x"], "src/x"),
        (&["src/**", "!src/gen/**"], &["src/gen/**", "!src/gen/a*"], ""),
        (&["src/**", "!src/gen/**"], &["src/g*/x"], "src/ga/x"),
    ] {
        match witness(a, b) {
            Some(found) => {
                assert!(!path.is_empty() && found.len() <= path.len(), "{a:?} {b:?}: {found}")
            }
            None => assert!(path.is_empty(), "{a:?} {b:?} should meet"),
        }
    }
    assert_eq!(witness(&["api/mod.rs"], &["api/*.rs"]).unwrap(), "api/mod.rs");
}

#[test]
fn disjoint_scopes_stay_disjoint() {
    for (a, b) in [
        (&["src/a/**"][..], &["src/b/**"][..]),
        (&["*.rs"], &["*.py"]),
        (&["src/*.rs"], &["src/*/x.rs"]),
        (&["**/a.rs"], &["**/b.rs"]),
        (&["tests/users/**"], &["tests/users.py"]),
        (&["src/**", "!src/api/**"], &["src/api/**"]),
        (&["**/*.rs", "!**/*_test.rs"], &["**/*_test.rs"]),
    ] {
        assert_eq!(witness(a, b), None, "{a:?} {b:?}");
    }
}

#[test]
fn names_that_only_some_systems_tell_apart_meet() {
    assert!(meeting(&["README.md"], &["readme.md"]).unwrap().folded);
    assert!(meeting(&["caf\u{e9}/x"], &["cafe\u{301}/**"]).unwrap().folded);
    assert!(meeting(&["[A-C]x"], &["bx"]).unwrap().folded);
    // Excluding README.md leaves readme.md, which the other worker owns.
    assert!(meeting(&["*.md", "!README.md"], &["readme.md"]).is_some());
}

#[test]
fn folding_is_full_and_letter_by_letter() {
    for (a, b) in [
        ("[\u{c9}]", "\u{e9}"),
        ("ΟΔΟΣ/*", "οδοσ/x"),
        ("ΟΔΟΣ/*", "οδος/x"),
        ("straße", "STRASSE"),
        ("stra\u{1e9e}e", "Strasse/x"),
        ("K/x", "\u{212a}/x"),
        ("[Α-Ω]/x", "ς/x"),
        ("[a-c]/x", "[A-Z]/x"),
    ] {
        assert!(meeting(&[a], &[b]).is_some_and(|meeting| meeting.folded), "{a} {b}");
    }
    // One name, though folding makes it longer than the `?` allows.
    for (a, b) in [("stra?e", "straße"), ("stra?e/X", "straße/x"), ("caf??", "cafe\u{301}")] {
        assert!(meeting(&[a], &[b]).is_some(), "{a} {b}");
    }
}

#[test]
fn exclusions_hold_for_the_spelling_they_name() {
    for (a, b) in [
        (&["Src/**", "!src/x"][..], &["src/x"][..]),
        (&["[Ss]rc/**", "!src/x"], &["src/x"]),
        (&["**/Src/**", "!src/**"], &["src/**"]),
        (&["src/x"], &["Src/**", "!src/**"]),
        (&["straße/**", "!strasse/**"], &["STRASSE/x"]),
    ] {
        assert!(meeting(a, b).is_some_and(|meeting| meeting.folded), "{a:?} {b:?}");
    }
    for (a, b) in [
        (&["src/**", "!src/api/**"][..], &["src/api/**"][..]),
        (&["src/**", "!src/gen/**"], &["src/gen/**"]),
        (&["Src/**", "!Src/Api/**"], &["Src/Api/**"]),
        (&["Src/**", "!Src/api/**", "!src/api/**"], &["src/api/**"]),
        (&["**/*.java", "!**/*Test.java"], &["**/*Test.java"]),
        (&["straße/**", "!straße/x/**"], &["straße/x/**"]),
    ] {
        assert_eq!(witness(a, b), None, "{a:?} {b:?}");
    }
}

#[test]
fn unusable_globs_say_why() {
    for glob in [
        "",
        "/abs",
        "a\\b",
        "../x",
        "a/../b",
        "a**b",
        ".git/config",
        "x/.GIT",
        "{a",
        "a}",
        "[a",
        "[z-a]",
        "a\nb",
    ] {
        assert!(Scope::parse(&[glob]).is_err(), "{glob:?}");
    }
    let many = format!("{{{}}}", vec!["a"; 300].join(","));
    assert!(Scope::parse(&[many]).is_err());
    let wide = vec!["{a,b}/".repeat(8) + "x"; 5];
    assert!(Scope::parse(&wide[..4]).is_ok());
    assert_eq!(Scope::parse(&wide).unwrap_err()[0].0, 4);
}

#[test]
fn harmless_spellings_are_understood() {
    for (glob, path, text) in [
        ("./src/**", "src/a", "src/**"),
        ("src//x", "src/x", "src/x"),
        ("src/./x", "src/x", "src/x"),
        ("src/.", "src/x", "src/"),
        ("././/src/", "src/x", "src/"),
        (".", "a/b", "**"),
        ("./", "a", "**"),
        ("./**", "a", "**"),
    ] {
        let scope = scope(&[glob]);
        assert!(scope.owns(&path.into()), "{glob}");
        assert_eq!(scope.globs().collect::<Vec<_>>(), [text]);
    }
    assert!(!scope(&["**", "!./gen//"]).owns(&"gen/x".into()));
}

/// Most of these took minutes when every pair of globs filled a table.
#[test]
fn a_plan_of_many_globs_is_decided_at_once() {
    type Shape = fn(usize, usize) -> String;
    let shapes: [Shape; 7] = [
        |w, g| format!("src/area{}/w{w}/{g}*/**/*.rs", g % 5),
        |w, g| format!("src/mod_{w}_{g}_*.rs"),
        |w, g| format!("**/m{w}_{g}_*x"),
        |w, g| format!("src/**/w{w}_{g}_?.rs"),
        |w, g| format!("pkg/*/w{w}_{g}/*.py"),
        |w, g| format!("Src/**/Mod_{w}_{g}_[A-Z]*.rs"),
        |w, g| format!("{}w{w}_{g}/*", "{a,b}/".repeat(g % 4)),
    ];
    for shape in shapes {
        let scope = |w| Scope::parse(&(0..12).map(|g| shape(w, g)).collect::<Vec<_>>()).unwrap();
        let workers: Vec<Scope> = (0..64).map(scope).collect();
        assert_eq!(overlaps(&workers.iter().collect::<Vec<_>>()), []);
    }
}

#[test]
fn one_worker_may_own_the_rest() {
    let others: Vec<String> = (0..190).map(|g| format!("src/part{g}/**")).collect();
    let mut rest: Vec<String> = others.iter().map(|glob| format!("!{glob}")).collect();
    rest.push("src/**".to_owned());
    let (rest, others) = (Scope::parse(&rest).unwrap(), Scope::parse(&others).unwrap());
    assert_eq!(overlaps(&[&rest, &others]), []);
}

/// A monorepo: each package its worker, tests, generated code and stories theirs.
#[test]
fn packages_without_what_others_own_in_them_are_decided() {
    let not = ["!**/*.{test,spec}.{ts,tsx}", "!**/gen/**", "!**/*.snap", "!**/__mocks__/**"];
    let stories = ["packages/**/*.stories.tsx", "packages/p*/docs/**", "packages/*/*.mdx"];
    let without = ["!**/*.stories.tsx", "!packages/*/docs/**", "!**/*.mdx", "!**/README.md"];
    let tests = [
        "packages/*/**/*.{test,spec}.{ts,tsx}",
        "packages/**/*.snap",
        "packages/**/gen/**",
        "packages/*/src/**/__mocks__/**",
        "!**/*.stories.tsx",
        "!packages/*/docs/**",
        "!**/*.mdx",
    ];
    let mut scopes: Vec<Scope> = (0..120)
        .map(|n| {
            let own = format!("packages/p{n}/**");
            scope(&[&[own.as_str()], &not[..], &without[..]].concat())
        })
        .collect();
    scopes.push(scope(&tests));
    scopes.push(scope(&stories));
    let all: Vec<&Scope> = scopes.iter().collect();
    let meetings = overlaps(&all);
    assert_eq!(meetings, []);
    // What one forgets to take away is seen all the same.
    let careless = scope(&["packages/p7/**", "!**/gen/**", "!**/*.snap"]);
    let meeting = overlaps(&[&careless, &scopes[120]]).pop().unwrap();
    assert!(!meeting.undecided && meeting.witness.to_string().ends_with(".ts"), "{meeting:?}");
}

#[test]
fn a_witness_is_a_path_that_can_be() {
    // Together the exclusions have every name of one letter.
    let rest = scope(&["x/?", "!x/a", "!x/[!a]"]);
    assert_eq!(overlaps(&[&rest, &scope(&["x/?"])]), []);
    // Left are bytes that are no UTF-8, and no surrogates.
    for from in ['\u{d7ff}', '\u{e000}'] {
        let letters = format!("!x/[ -{from}]");
        let rest = scope(&["x/?", &letters, "!x/[\u{e000}-\u{10ffff}]"]);
        let witness = overlaps(&[&rest, &scope(&["x/?"])]).pop().unwrap().witness;
        assert!(rest.owns(&witness), "{witness:?}");
    }
}

#[test]
fn hostile_exclusions_end_undecided() {
    let later = "?".repeat(14);
    let globs =
        ["*a*", &format!("!*a{later}*"), &format!("!*[!b]{later}b"), "!*a", "!*a[!x]*", "!*ax*"];
    let workers = vec![Scope::parse(&globs).unwrap(); 16];
    let meetings = overlaps(&workers.iter().collect::<Vec<_>>());
    assert!(meetings.len() == 120 && meetings.iter().all(|meeting| meeting.undecided));
}

#[test]
fn hostile_stars_do_not_explode() {
    let stars = "*a".repeat(30);
    assert!(meeting(&[&stars], &[&format!("{stars}b")]).is_none());
    let deep = "**/a/".repeat(40) + "x";
    assert!(meeting(&[&deep], &[&deep]).is_some());
    assert!(!scope(&[&deep]).owns(&"a/".repeat(200).as_str().trim_end_matches('/').into()));
}

/// A small alphabet makes random globs meet often.
fn glob() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        "[ab]{1,2}",
        Just("*".to_owned()),
        Just("**".to_owned()),
        "[ab]\\*",
        "\\*[ab]",
        "[ab]\\?",
        Just("[ab]".to_owned()),
        Just("[!a]".to_owned()),
        "\\{a,b[ab]\\}",
    ];
    prop::collection::vec(segment, 1..4).prop_map(|segments| segments.join("/"))
}

/// The same glob for the oracle: a literal end owns the tree below.
fn oracle(glob: &str) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    let build = |text: &str| GlobBuilder::new(text).literal_separator(true).build().unwrap();
    set.add(build(glob));
    let last = glob.rsplit('/').next().unwrap();
    if !last.contains(['*', '?', '[']) && !glob.contains("**") {
        set.add(build(&format!("{glob}/**")));
    }
    set.build().unwrap()
}

/// A path in two spellings, letter by letter.
type Spelled = Vec<[&'static str; 2]>;

fn spelled_twice() -> impl Strategy<Value = Spelled> {
    let letter = prop::sample::select(vec![
        ["a", "a"],
        ["a", "A"],
        ["A", "a"],
        ["A", "A"],
        ["b", "B"],
        ["é", "É"],
        ["é", "e\u{301}"],
        ["ς", "σ"],
        ["Σ", "ς"],
    ]);
    (letter.clone(), prop::collection::vec(prop_oneof![4 => letter, 1 => Just(["/", "/"])], 0..5))
        .prop_map(|(first, rest)| {
            let mut path = vec![first];
            path.extend(rest);
            path.dedup_by(|b, a| a == b && b[0] == "/");
            if path.ends_with(&[["/", "/"]]) {
                path.pop();
            }
            path
        })
}

/// A glob that matches one spelling of a path: `choices` say which letters become a class, and
/// with `wild` a `?`, a `*` or a whole `**`.
fn glob_of(path: &Spelled, side: usize, choices: &[u8], wild: bool) -> String {
    let letter = |(letter, choice): (&[&str; 2], &u8)| match (letter[side], choice) {
        ("/", _) => "/".to_owned(),
        (_, 0) if wild => "*".to_owned(),
        ("e\u{301}", _) => "e\u{301}".to_owned(),
        (_, 1) if wild => "?".to_owned(),
        ("a" | "b", 2) => "[a-c]".to_owned(),
        ("A" | "B", 2) => "[A-C]".to_owned(),
        (text, 3) => format!("[{text}x]"),
        ("A" | "B" | "é", 4) => "[!ab]".to_owned(),
        (text, _) => text.to_owned(),
    };
    let glob: String = path.iter().zip(choices).map(letter).collect();
    let name = |name: &str| {
        let mut letters: Vec<char> = name.chars().collect();
        letters.dedup_by(|b, a| *a == '*' && *b == '*');
        let is_any = name.len() > 1 && letters == ['*'];
        if is_any { "**".to_owned() } else { letters.into_iter().collect() }
    };
    glob.split('/').map(name).collect::<Vec<_>>().join("/")
}

fn text(path: &Spelled, side: usize) -> RepoPath {
    path.iter().map(|letter| letter[side]).collect::<String>().as_str().into()
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0_u8..9, 6)
}

#[test]
fn a_scope_names_its_folders() {
    let folders = |globs: &[&str]| scope(globs).folders();
    let named = folders(&["docs", "src/{a,b}/*.rs", "*.md", "x y/**", "!docs/old"]);
    assert_eq!(named.unwrap(), ["docs", "src/a", "src/b", "x y"].map(RepoPath::from));
    for anywhere in ["**", "**/a", "*/mod.rs"] {
        assert_eq!(folders(&["docs", anywhere]), None, "{anywhere}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ownership_agrees_with_globset(glob in glob(), path in "[abc]{1,2}(/[abc]{1,2}){0,3}") {
        let braces_mix = glob.contains('{') && glob.rsplit('/').next().unwrap().contains('{');
        prop_assume!(!braces_mix);
        prop_assert_eq!(scope(&[&glob]).owns(&path.as_str().into()), oracle(&glob).is_match(&path), "{} {}", glob, path);
    }

    #[test]
    fn a_witness_is_owned_by_both_and_a_verdict_of_disjoint_has_no_counterexample(
        a in glob(), b in glob(), path in "[abc]{1,2}(/[abc]{1,2}){0,3}",
    ) {
        let (one, two) = (scope(&[&a]), scope(&[&b]));
        match overlaps(&[&one, &two]).pop() {
            Some(meeting) if !meeting.folded => {
                prop_assert!(one.owns(&meeting.witness) && two.owns(&meeting.witness), "{} {} {:?}", a, b, meeting);
            }
            Some(_) => {}
            None => prop_assert!(!(one.owns(&path.as_str().into()) && two.owns(&path.as_str().into())), "{} {} {}", a, b, path),
        }
    }

    #[test]
    fn exclusions_are_decided_exactly(
        a in glob(), b in glob(), not in glob(), path in "[abc]{1,2}(/[abc]{1,2}){0,3}",
    ) {
        let (one, two) = (scope(&[&a, &format!("!{not}")]), scope(&[&b]));
        match overlaps(&[&one, &two]).pop() {
            Some(meeting) if !meeting.undecided && !meeting.folded => {
                prop_assert!(one.owns(&meeting.witness) && two.owns(&meeting.witness), "{} {} !{} {:?}", a, b, not, meeting);
            }
            Some(_) => {}
            None => prop_assert!(!(one.owns(&path.as_str().into()) && two.owns(&path.as_str().into())), "{} {} !{} {}", a, b, not, path),
        }
    }

    #[test]
    fn disjoint_scopes_never_own_one_file_in_two_spellings(
        path in spelled_twice(), a in choices(), b in choices(),
    ) {
        let (a, b) = (glob_of(&path, 0, &a, true), glob_of(&path, 1, &b, true));
        if let (Ok(one), Ok(two)) = (Scope::parse(&[&a]), Scope::parse(&[&b])) {
            let is_one_file = one.owns(&text(&path, 0)) && two.owns(&text(&path, 1));
            prop_assert!(!is_one_file || !overlaps(&[&one, &two]).is_empty(), "{} {}", a, b);
        }
    }

    /// Where the patterns write every letter no wildcard takes the spelling of the other side.
    #[test]
    fn exclusions_never_hide_one_file_in_two_spellings(
        path in spelled_twice(), a in choices(), b in choices(), not in choices(), side in 0_usize..2,
    ) {
        let (a, b) = (glob_of(&path, 0, &a, false), glob_of(&path, 1, &b, false));
        let not = format!("!{}", glob_of(&path, side, &not, true));
        if let (Ok(one), Ok(two)) = (Scope::parse(&[&a, &not]), Scope::parse(&[&b])) {
            let is_one_file = one.owns(&text(&path, 0)) && two.owns(&text(&path, 1));
            for pair in [[&one, &two], [&two, &one]] {
                prop_assert!(!is_one_file || !overlaps(&pair).is_empty(), "{} {} {}", a, not, b);
            }
        }
    }
}
