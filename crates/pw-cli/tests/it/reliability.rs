//! What `docs/reliability.md` names is there.

use crate::markdown::root;

#[test]
fn every_test_that_the_page_names_is_one() {
    let page = std::fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let tests = root().join("crates/pw-cli/tests/it");
    let quoted: Vec<&str> = page.split('`').skip(1).step_by(2).collect();
    let named = quoted.iter().filter_map(|text| text.rsplit_once("::"));
    let mut number = 0;
    for (module, name) in named {
        let file = tests.join(module.replace("::", "/")).with_extension("rs");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("no {file:?}"));
        assert!(text.contains(&format!("fn {name}()")), "{module} has no {name}");
        number += 1;
    }
    assert!(number > 8, "{number}");
    for file in quoted.iter().filter(|text| text.ends_with(".rs")) {
        let places = [root().join(file), tests.join(file)];
        assert!(places.iter().any(|place| place.exists()), "no {file}");
    }
}
