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
fn unusable_globs_say_why() {
    for glob in [
        "",
        "/abs",
        "a\\b",
        "../x",
        "a/../b",
        "./a",
        "a//b",
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
}

/// Without the ends of names, each of these shapes takes minutes.
#[test]
fn a_plan_of_many_globs_is_decided_at_once() {
    let shapes: [fn(usize, usize) -> String; 5] = [
        |w, g| format!("src/area{}/w{w}/{g}*/**/*.rs", g % 5),
        |w, g| format!("src/mod_{w}_{g}_*.rs"),
        |w, g| format!("**/m{w}_{g}_*x"),
        |w, g| format!("src/**/w{w}_{g}.rs"),
        |w, g| format!("pkg/*/w{w}_{g}/*.py"),
    ];
    for shape in shapes {
        let globs = |w| (0..50).map(|g| shape(w, g)).collect::<Vec<_>>();
        let workers: Vec<Scope> = (0..32).map(|w| Scope::parse(&globs(w)).unwrap()).collect();
        assert_eq!(overlaps(&workers.iter().collect::<Vec<_>>()), []);
    }
    let braces = "{a,b}".repeat(8);
    assert!(Scope::parse(&vec![braces; 5]).is_err());
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
}
