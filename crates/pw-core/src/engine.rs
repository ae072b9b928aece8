//! Running workers on other machines: the script that is a worker there. The machine needs git, the helpers and a client that can sign in by itself; no secret is
//! in the script, and none in what it is started with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::{Code, Failure};
use crate::plan::{EngineSettings, Plan, Worker};
use crate::shell_word::shell_word;

/// One command that starts workers, with what it is given on its stdin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Submission {
    /// Its words.
    pub command: Vec<String>,
    /// Its stdin: the script that runs there.
    pub input: String,
}

/// Refuses an address that holds a password: it would be in the job's description.
///
/// # Errors
///
/// `usage`.
pub fn require_no_password(remote: &str, url: &str) -> Result<(), Failure> {
    let authority =
        url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    if !user.is_some_and(|user| user.contains(':')) {
        return Ok(());
    }
    let message = format!("the address of {remote} holds a password, which would be in every job");
    Err(Failure::new(Code::Usage, message).hint(
        "take it out with git remote set-url, and let the machines sign in by a credential helper or key of their own",
    ))
}

/// Returns the shell function that is a worker on another machine, called with id and label.
///
/// It goes on where the branch on the remote is, so that a job that was killed and queued again
/// loses nothing that was signalled. Each machine has a clone of its own, also in a home folder
/// that several share: whether a session lives there can be told on that machine alone.
pub fn worker_function(plan: &Plan, url: &str) -> String {
    let EngineSettings { folder, path, .. } = &plan.engine;
    let folder = match folder {
        Some(folder) => shell_word(folder),
        None => "\"${XDG_CACHE_HOME:-$HOME/.cache}/parallel-workflows\"".to_owned(),
    };
    let path =
        path.iter().map(|path| format!("  PATH={}:$PATH\n  export PATH\n", shell_word(path)));
    format!(
        r#"pw_worker() {{
  set -eu
  umask 077
  worker=$1 label=$2
{path}  command -v pw-setup >/dev/null || {{
    echo 'pw-setup is not on PATH on this machine: set `engine: path` in the plan' >&2
    exit 127
  }}
  clone={folder}/{workflow}/$label@$(uname -n)
  if ! [ -d "$clone" ]; then
    mkdir -p "${{clone%/*}}"
    new=$clone.$$
    git clone --quiet --no-checkout --filter=blob:none -- {url} "$new"
    mv "$new" "$clone"
  fi
  cd "$clone"
  pw-setup join "$worker" --workflow {workflow} >&2
  exec sh ".git/pw/{workflow}/$label/launch.sh" -p{mode}
}}
"#,
        path = path.collect::<String>(),
        workflow = plan.workflow,
        url = shell_word(url),
        // No user is there to answer a question.
        mode = if plan.skips_permissions { "" } else { " --permission-mode dontAsk" },
    )
}

/// Returns the words that call it for a worker.
pub fn call(worker: &Worker) -> String {
    format!("pw_worker {} {}", worker.id, worker.label())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_goes_into_no_job() {
        let table = [
            ("https://example.com/a.git", true),
            ("https://user@example.com/a.git", true),
            ("https://user:secret@example.com/a.git", false),
            ("https://:secret@example.com/a.git", false),
            ("ssh://git@example.com:22/a.git", true),
            ("git@example.com:a/b.git", true),
            ("/srv/a.git", true),
            ("https://example.com/a:b@c.git", true),
        ];
        for (url, is_free) in table {
            assert_eq!(require_no_password("origin", url).is_ok(), is_free, "{url}");
        }
    }
}
