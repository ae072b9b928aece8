//! Trailers of a commit message, as `git interpret-trailers` reads and adds them: the last
//! paragraph, when it is not the only one and holds nothing else.

/// What git itself writes between trailers, so that other lines may stand beside these.
const BY_GIT: [&str; 2] = ["Signed-off-by: ", "(cherry picked from commit "];
/// How long a line of a trailer may be before it goes on in the next one: rules for messages, such
/// as those of commitlint, allow a hundred characters at most.
const WIDTH: usize = 72;

/// Returns the values of the trailers with this key, the first one first.
pub fn values(message: &str, key: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    let mut is_wanted = false;
    for line in block(message).unwrap_or_default() {
        if line.starts_with([' ', '\t']) {
            if let Some(value) = values.last_mut().filter(|_| is_wanted) {
                *value = format!("{value} {}", line.trim()).trim().to_owned();
            }
            continue;
        }
        let trailer = split(line).filter(|(found, _)| found.eq_ignore_ascii_case(key));
        is_wanted = trailer.is_some();
        values.extend(trailer.map(|(_, value)| value.to_owned()));
    }
    values
}

/// Returns the message with these trailers at its end.
pub fn add(message: &str, trailers: &[(&str, String)]) -> String {
    let message = message.trim_end();
    let gap = if block(message).is_some() { "\n" } else { "\n\n" };
    let lines: Vec<String> = trailers.iter().map(|(key, value)| folded(key, value)).collect();
    if lines.is_empty() {
        return format!("{message}\n");
    }
    format!("{message}{gap}{}\n", lines.join("\n"))
}

/// Splits a line into key and value, if it is a trailer.
pub fn split(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let key = key.trim_end_matches([' ', '\t']);
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_key.then_some((key, value.trim()))
}

/// Returns the lines of the last paragraph, if they are trailers.
fn block(message: &str) -> Option<Vec<&str>> {
    let lines: Vec<&str> = message.lines().map(str::trim_end).collect();
    // What git strips from the end of a message that an editor wrote.
    let is_over = |line: &&str| line.is_empty() || line.starts_with('#');
    let end = lines.iter().rposition(|line| !is_over(&line))? + 1;
    let begin = lines[..end].iter().rposition(|line| line.is_empty())? + 1;
    // The first paragraph is the subject, whatever it looks like.
    lines[..begin].iter().find(|line| !line.is_empty())?;
    let (mut trailers, mut others, mut by_git) = (0, 0, false);
    let mut after_trailer = false;
    for line in lines[begin..end].iter().filter(|line| !line.starts_with('#')) {
        if line.starts_with([' ', '\t']) {
            others += usize::from(!after_trailer);
            continue;
        }
        let is_gits = BY_GIT.iter().any(|start| line.starts_with(start));
        by_git |= is_gits;
        after_trailer = is_gits || split(line).is_some();
        if after_trailer { trailers += 1 } else { others += 1 }
    }
    let is_block = if by_git { trailers * 3 >= others } else { trailers > 0 && others == 0 };
    is_block.then(|| lines[begin..end].to_vec())
}

/// Returns a trailer, in several lines where it is long.
fn folded(key: &str, value: &str) -> String {
    let mut text = format!("{key}:");
    let mut width = text.len();
    for word in value.split(' ') {
        let length = word.chars().count() + 1;
        // The value begins on the line of its key.
        if width + length > WIDTH && width > key.len() + 1 {
            text.push('\n');
            width = 0;
        }
        text.push(' ');
        text.push_str(word);
        width += length;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_what_git_takes_for_trailers() {
        for (message, expected) in [
            ("a\n\nPw: x\n", &["x"][..]),
            ("a\n\nbody\n\nPw:x\nOther: y\n", &["x"]),
            ("a\n\npW : x\n\n# a comment\n", &["x"]),
            ("a\n\nPw: long\n  and on\n", &["long and on"]),
            ("a\n\nPw: x\nPw: y\n", &["x", "y"]),
            ("a\n\nSome text\nPw: x\nSigned-off-by: me\n", &["x"]),
            ("a\n\nPw: x\n(cherry picked from commit 1234)\n", &["x"]),
            // Not the last paragraph, not alone in it, or the only one.
            ("a\n\nPw: x\n\nmore\n", &[]),
            ("a\n\nSome text\nPw: x\n", &[]),
            ("a\n\n1\n2\n3\n4\n5\n6\n7\nPw: x\nSigned-off-by: me\n", &[]),
            ("Pw: x\n", &[]),
            ("\n\nPw: x\n", &[]),
            ("a\n\n    Pw: x\n", &[]),
            ("a\n\nno key: x\n", &[]),
            ("", &[]),
        ] {
            assert_eq!(values(message, "Pw"), expected, "{message:?}");
        }
    }

    #[test]
    fn trailers_are_added_to_those_there_are_and_long_ones_go_on() {
        let one = [("Pw", "x".to_owned())];
        assert_eq!(add("a", &one), "a\n\nPw: x\n");
        assert_eq!(add("a\n\nbody\n\n", &one), "a\n\nbody\n\nPw: x\n");
        assert_eq!(add("a\n\nRefs: 1\n", &one), "a\n\nRefs: 1\nPw: x\n");
        assert_eq!(add("fix: a", &one), "fix: a\n\nPw: x\n");
        assert_eq!(add("a", &[]), "a\n");
        let long = "BLOCKED:".to_owned() + &"word ".repeat(39) + "end";
        let message = add("a", &[("Pw-Signal", long.clone())]);
        assert!(message.lines().all(|line| line.chars().count() <= WIDTH), "{message}");
        assert_eq!(values(&message, "Pw-Signal"), [long]);
    }
}
