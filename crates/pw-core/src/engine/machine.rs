//! The script that is a worker on another machine, or opens the next wave there. No secret is in it.

use crate::plan::{EngineSettings, Plan, Worker};
use crate::session::LaunchMode;
use crate::shell_word::shell_word;

/// Returns the shell function that is a worker on another machine, called with id and label.
///
/// It goes on where the branch on the remote is, so that a job that was killed and queued again
/// loses nothing that was signalled. Each machine has a clone of its own, also in a home folder
/// that several share: whether a session lives there can be told on that machine alone.
pub(super) fn worker_function(plan: &Plan, url: &str) -> String {
    let begin = format!("worker=$1 label=$2\n{}", clone_as(plan, url, "$label"));
    // No user is there to answer a question.
    let mode = if plan.skips_permissions { "" } else { " --permission-mode dontAsk" };
    let workflow = &plan.workflow;
    function(
        "pw_worker",
        &format!(
            "{begin}pw-setup join \"$worker\" --workflow {workflow} >&2\n\
             exec sh \".git/pw/{workflow}/$label/launch.sh\" -p{mode}\n"
        ),
    )
}

/// Returns the shell function that opens the next wave and starts it in the same way.
pub(super) fn advance_function(plan: &Plan, url: &str, how: LaunchMode) -> String {
    let (begin, how) = (clone_as(plan, url, "lead"), how.word());
    let workflow = &plan.workflow;
    function(
        "pw_advance",
        &format!("{begin}exec pw-setup advance {workflow} --fetch --with {how} --format json\n"),
    )
}

fn function(name: &str, body: &str) -> String {
    let body: String = body.lines().map(|line| format!("  {line}\n")).collect();
    format!("{name}() {{\n  set -eu\n  umask 077\n{body}}}\n")
}

/// Returns what goes into a clone on another machine that bears this name, made where it is not
/// there. `url` and `name` are words of a shell.
fn clone_as(plan: &Plan, url: &str, name: &str) -> String {
    let EngineSettings { path, prepare, .. } = &plan.engine;
    let prepare = prepare.iter().map(|command| format!("sh -c {} >&2\n", shell_word(command)));
    let path = path.iter().map(|path| format!("PATH={}:$PATH\nexport PATH\n", shell_word(path)));
    format!(
        "{prepare}{path}command -v pw-setup >/dev/null || {{\n  \
           echo 'pw-setup is not on PATH on this machine: set `engine: path` in the plan' >&2\n  \
           exit 127\n\
         }}\n\
         clone={folder}/{workflow}/{name}@$(uname -n)\n\
         if ! [ -d \"$clone\" ]; then\n  \
           mkdir -p \"${{clone%/*}}\"\n  \
           new=$clone.$$\n  \
           git clone --quiet --no-checkout --filter=blob:none -- {url} \"$new\"\n  \
           mv \"$new\" \"$clone\"\n\
         fi\n\
         cd \"$clone\"\n",
        prepare = prepare.collect::<String>(),
        path = path.collect::<String>(),
        folder = folder(plan),
        workflow = plan.workflow,
    )
}

/// Returns the folder for clones on another machine, as a word of a shell there.
pub(super) fn folder(plan: &Plan) -> String {
    match &plan.engine.folder {
        Some(folder) => shell_word(folder),
        None => "\"${XDG_CACHE_HOME:-$HOME/.cache}/parallel-workflows\"".to_owned(),
    }
}

/// Returns the words that call it for a worker.
pub(super) fn call(worker: &Worker) -> String {
    format!("pw_worker {} {}", worker.id, worker.label())
}

/// Returns the lines of a shell's `case` that call it for each worker, by number.
pub(super) fn calls_by_number(workers: &[&Worker]) -> String {
    let tasks = workers.iter().enumerate();
    tasks.map(|(number, worker)| format!("  {number}) {} ;;\n", call(worker))).collect()
}
