//! The files a worker is started with.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::gap::{Gap, GapKind};
use pw_core::launcher::{HELPER, launcher};
use pw_core::next::CommandLine;
use pw_core::permissions;
use pw_core::plan::{Plan, Worker};
use pw_core::prompt;
use pw_core::setup::LaunchCommand;
use pw_git::{Repo, relative_path};

/// Returns the folder of our files about a worker, in no worktree and in no commit.
pub(crate) fn folder(repo: &Repo, plan: &Plan, worker: &Worker) -> PathBuf {
    repo.common().join("pw").join(plan.workflow.as_str()).join(worker.label())
}

/// Returns how a worker is started.
pub(crate) fn command(repo: &Repo, plan: &Plan, worker: &Worker) -> LaunchCommand {
    let script = folder(repo, plan, worker).join("launch.sh");
    let shown = script.strip_prefix(repo.root()).unwrap_or(&script);
    LaunchCommand {
        script: shown.to_string_lossy().into_owned(),
        command: CommandLine::of("sh").path(&script),
    }
}

/// Writes a worker's prompt, settings and launcher, and the link to the helper that hooks and
/// launcher need; the same again when they are there.
pub(crate) fn write(repo: &Repo, plan: &Plan, worker: &Worker, port: Option<u16>) -> Result<()> {
    let folder = folder(repo, plan, worker);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let place = place(repo, plan, worker);
    let settings =
        permissions::settings(plan, worker, &repo.root().to_string_lossy(), &place, port);
    let (file, text) = (folder.join("settings.json"), format!("{settings:#}\n"));
    let known = std::fs::read_to_string(&file);
    if let Some(known) = known.ok().filter(|known| *known != text) {
        // It may hold rules of the user's.
        replace(&folder.join("settings.old.json"), &known)?;
    }
    replace(&file, &text)?;
    replace(&folder.join("prompt.md"), &prompt::kickoff(plan, worker))?;
    replace(&folder.join(PLACE), &place)?;
    let (link, new) = (folder.join(HELPER), folder.join(".helper.new"));
    let _ = std::fs::remove_file(&new);
    let linked = std::os::unix::fs::symlink(helper()?, &new);
    linked.and_then(|()| std::fs::rename(&new, &link)).context("linking pw-worker")?;
    replace(&folder.join("launch.sh"), &script(repo, plan, worker, port)?)
}

/// Returns what of all that is not as it would be written.
pub(crate) fn gaps(repo: &Repo, plan: &Plan, worker: &Worker, port: Option<u16>) -> Vec<Gap> {
    let folder = folder(repo, plan, worker);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let (script, place) = (script(repo, plan, worker, port).ok(), place(repo, plan, worker));
    let message = if ["launch.sh", "settings.json", "prompt.md"].iter().any(|n| read(n).is_none()) {
        Some("its launcher, settings or prompt are gone")
    } else if read(PLACE).as_ref() != Some(&place) {
        Some("the settings of its session are for another place, or of another release")
    } else if let Some(lost) = read("settings.json").and_then(|text| {
        let root = repo.root().to_string_lossy();
        permissions::lost(&permissions::settings(plan, worker, &root, &place, port), &text)
    }) {
        Some(lost)
    } else if read("launch.sh") != script {
        Some("its launcher is not as this release makes it")
    } else {
        None
    };
    let launcher = message.map(|message| Gap::new(GapKind::Launcher, message));
    let link = folder.join(HELPER);
    let message = match link.is_file() {
        false => Some(format!("the link to pw-worker leads nowhere: {}", link.display())),
        true if !is_helper(&link) => {
            Some(format!("the link to pw-worker leads to another program: {}", link.display()))
        }
        true => None,
    };
    let helper = message.map(|message| Gap::new(GapKind::HelperGone, message));
    launcher.into_iter().chain(helper).collect()
}

/// Returns whether a link leads to the helper, be it that of another release or folder.
fn is_helper(link: &Path) -> bool {
    let is_ours = || Some(link.canonicalize().ok()? == helper().ok()?.canonicalize().ok()?);
    let is_named =
        || link.read_link().is_ok_and(|to| to.file_name().is_some_and(|name| name == HELPER));
    is_named() || is_ours() == Some(true)
}

/// The name of the file that says for which worktree the settings are: their rules are absolute.
const PLACE: &str = "place";

fn place(repo: &Repo, plan: &Plan, worker: &Worker) -> String {
    repo.root().join(plan.worktree(worker)).to_string_lossy().into_owned()
}

fn script(repo: &Repo, plan: &Plan, worker: &Worker, port: Option<u16>) -> Result<String> {
    let here = folder(repo, plan, worker).canonicalize().context("finding our own folder")?;
    let way = relative_path(&here, &repo.root().join(plan.worktree(worker)));
    Ok(launcher(plan, worker, &way.to_string_lossy(), port))
}

/// Returns the program that hooks and launchers ask: the one beside us, or where there is none, since
/// the user has put links to us elsewhere, ourselves: a link of that name makes us that helper.
fn helper() -> Result<PathBuf> {
    let here = std::env::current_exe().context("finding our own program")?;
    let beside = here.with_file_name(HELPER);
    let is_one_of_five = here.file_stem().is_some_and(|name| *name == *crate::called());
    Ok(if is_one_of_five || beside.exists() { beside } else { here })
}

/// Writes a file whole or not at all: a launcher may be read while it is written anew.
pub(crate) fn replace(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text).with_context(|| format!("writing {}", new.display()))?;
    std::fs::rename(&new, path).with_context(|| format!("replacing {}", path.display()))
}
