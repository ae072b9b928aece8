//! What a plan says about the machines of engines.

use crate::time::Seconds;

/// What a plan says about the machines, as `engine`; each engine takes what is for it.
#[derive(Clone, Debug, Default)]
pub struct EngineSettings {
    /// The machines of `ssh`, as ssh knows them.
    pub hosts: Vec<String>,
    /// The folder there for clones; in the home folder's cache when absent.
    pub folder: Option<String>,
    /// The folder there that holds the helpers; on the search path when absent.
    pub path: Option<String>,
    /// The partition of `slurm`; the default one when absent.
    pub partition: Option<String>,
    /// How long one job may take; what the engine says when absent.
    pub time: Option<Seconds>,
    /// The shell command that is run there before all else, such as one that installs the client and
    /// the helpers.
    pub prepare: Option<String>,
    /// Whether a job that waits for those of a wave opens the next one; true when absent.
    pub advance: Option<bool>,
    /// The container image of `kubernetes`.
    pub image: Option<String>,
    /// The namespace of `kubernetes`; that of the context when absent.
    pub namespace: Option<String>,
    /// The secret of `kubernetes` or `github` that the worker's environment is filled from.
    pub secret: Option<String>,
    /// The runner of `github`; `ubuntu-latest` when absent.
    pub runner: Option<String>,
    /// The environment of `cloud` that an organisation hosts; Anthropic's when absent.
    pub environment: Option<String>,
}

/// Returns whether a name of a machine, partition or image is a plain word to every engine.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@:/".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_shell_or_ssh_would_read_more_into_are_no_names() {
        let table = [
            ("node1", true),
            ("me@node-1.example.com", true),
            ("-oProxyCommand=x", false),
            ("a b", false),
            ("$(id)", false),
            ("", false),
        ];
        for (name, expected) in table {
            assert_eq!(is_plain(name), expected, "{name}");
        }
    }
}
