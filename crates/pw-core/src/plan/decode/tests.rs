use super::*;

fn gates(verify: &str) -> Result<Vec<Gate>, Vec<Problem>> {
    let text = format!("verify: {verify}\nworkflow: w\nworkers: [{{id: a, name: a, owns: [a]}}]\n");
    let mut problems = Vec::new();
    let draft = draft(&crate::yaml::read(&text).unwrap(), &mut problems);
    if problems.is_empty() { Ok(draft.verify) } else { Err(problems) }
}

#[test]
fn signals_are_in_the_subject_unless_the_plan_moves_them_into_a_trailer() {
    let read = |keys: &str| {
        let text = format!("{keys}workflow: w\nworkers: [{{id: a, name: a, owns: [a]}}]\n");
        let mut problems = Vec::new();
        let draft = draft(&crate::yaml::read(&text).unwrap(), &mut problems);
        let template = draft.carrier.template().map(|template| template.as_str().to_owned());
        if problems.is_empty() { Ok(template) } else { Err(problems.len()) }
    };
    assert_eq!((read(""), read("signal: subject\n")), (Ok(None), Ok(None)));
    assert_eq!(read("signal: trailer\n"), Ok(Some("{text}".to_owned())));
    let chore = read("signal: trailer\nsignal_subject: \"chore({name}): {text}\"\n");
    assert_eq!(chore, Ok(Some("chore({name}): {text}".to_owned())));
    for wrong in [
        "signal: trailers\n",
        "signal: true\n",
        "signal_subject: \"{text}\"\n",
        "signal: subject\nsignal_subject: \"{text}\"\n",
        "signal: trailer\nsignal_subject: chore\n",
        "signal: trailer\nsignal_subject: \"{ticket} {text}\"\n",
    ] {
        assert_eq!(read(wrong), Err(1), "{wrong}");
    }
}

#[test]
fn one_command_is_one_gate_and_each_of_several_has_a_name_and_a_limit() {
    let only = gates("cargo test").unwrap();
    assert_eq!((only[0].name.as_str(), only[0].timeout_seconds), (gate::ONLY, 3600));
    // What runs nothing is no gate, which `check` says.
    for none in ["''", "' '", "'# later'", "|\n  # one\n\n  # two"] {
        assert_eq!(gates(none).unwrap(), [], "{none}");
    }
    let two = gates("[{name: lint, run: x, timeout: 1h30m}, {name: test, run: y}]").unwrap();
    let limits: Vec<Seconds> = two.iter().map(|gate| gate.timeout_seconds).collect();
    assert_eq!(limits, [5400, 3600]);
    for wrong in [
        "[{name: a, run: x, timeout: soon}]",
        "[{name: a, run: x, timeout: 600}]",
        "[{name: a, run: x, timeout: 0s}]",
        "[{name: a, run: x, timeout: 25h}]",
        "[{name: a, run: x}, {name: a, run: y}]",
        "[{name: A b, run: x}]",
        "[{name: a}]",
        "[{run: x}]",
        "[{name: a, run: x, when: now}]",
        "[make]",
        "[{name: a, run: ''}]",
        "[{name: a, run: ' # later'}]",
        r#"[{name: a, run: "\n# later\n"}]"#,
    ] {
        assert_eq!(gates(wrong).unwrap_err().len(), 1, "{wrong}");
    }
}
