//! Quoting: a text as one word of a POSIX shell command.

/// Returns `text` as one word of a POSIX shell command.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    let ordinary = !text.is_empty() && !text.starts_with('~') && text.chars().all(plain);
    if ordinary { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn words_are_quoted_only_where_a_shell_would_read_more_into_them() {
        assert_eq!(shell_word("/a/b-c.sh"), "/a/b-c.sh");
        assert_eq!(shell_word("it's $(id)"), r"'it'\''s $(id)'");
        assert_eq!(shell_word(""), "''");
        // A program reads it as an option with quotes and without.
        assert_eq!(shell_word("--quiet"), "--quiet");
    }
}
