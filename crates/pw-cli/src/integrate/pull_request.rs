//! A pull request for the integration branch, through `gh` where that is installed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use pw_core::branch::Branch;
use pw_core::details::RemoteSaid;
use pw_core::failure::{Code, Failure};
use pw_core::finish::{self, PullRequest, Share};
use pw_core::gate_report::GateReport;
use pw_core::next::{CommandLine, Next, NextStep, Way};
use pw_core::text::bounded;
use pw_git::Remote;

use crate::workflow::Workflow;
use crate::{command, launcher};

/// How much of what a program said is repeated, in characters.
const MAX_SAID: usize = 2000;
/// How long pushing the result may take; it may hold all of the work.
const PUSH_LIMIT: Duration = Duration::from_secs(600);

/// What is proposed.
pub(super) struct Proposal<'a> {
    pub(super) workflow: &'a Workflow,
    /// The branch it is to land on.
    pub(super) base: &'a Branch,
    pub(super) shares: &'a [Share<'a>],
    pub(super) gate: Option<&'a GateReport>,
}

/// The result.
pub(super) struct Proposed {
    pub(super) pull_request: PullRequest,
    pub(super) next: Vec<NextStep>,
}

/// Pushes the integration branch and opens a pull request, or says how to.
pub(super) fn open(proposal: &Proposal<'_>) -> Result<Proposed> {
    let (repo, plan) = (&proposal.workflow.repo, &proposal.workflow.plan);
    let branch = plan.integration_branch();
    let remote = remote(proposal)?;
    let (title, body) = finish::pull_request(plan, proposal.shares, proposal.gate);
    let file = repo.common().join("pw").join(plan.workflow.as_str()).join("pull-request.md");
    launcher::replace(&file, &body)?;
    let words = [
        "pr",
        "create",
        "--base",
        proposal.base.as_str(),
        "--head",
        branch.as_str(),
        "--title",
        &title,
        "--body-file",
        &file.to_string_lossy(),
    ]
    .map(str::to_owned);
    let mut pull_request = PullRequest { remote, pushed: false, url: None, title, body };
    let Ok(gh) = which::which("gh") else {
        let from =
            CommandLine::of("gh pr create --base").word(proposal.base).and("--head").word(&branch);
        let propose = from.and("--title").word(&pull_request.title).and("--body-file").path(&file);
        let push = CommandLine::of("git push").word(&pull_request.remote);
        let push = push.word(branch.full());
        let next = vec![NextStep::new("push", push), NextStep::new("propose", propose)];
        return Ok(Proposed { pull_request, next });
    };
    let to = Remote { name: pull_request.remote.clone(), limit: PUSH_LIMIT };
    let pushed = repo.push_branch(repo.place(), &to, &branch)?;
    if !pushed.ok {
        let message = format!("{} did not take {branch}", pull_request.remote);
        return Err(failed(proposal, &message, &pushed.message));
    }
    pull_request.pushed = true;
    let known = ["pr", "view", branch.as_str(), "--json", "url", "--jq", ".url"].map(str::to_owned);
    // An open pull request contains the push already; `gh` would refuse a second one.
    let url = match say(&gh, repo.place(), &known)? {
        (true, url) => url,
        (false, _) => match say(&gh, repo.place(), &words)? {
            (true, url) => url,
            (false, said) => return Err(failed(proposal, "gh opened no pull request", &said)),
        },
    };
    let next = vec![NextStep::new("look", CommandLine::of("gh pr view").word(&branch))];
    pull_request.url = url.lines().last().map(|line| bounded(line, MAX_SAID));
    Ok(Proposed { pull_request, next })
}

/// Returns the plan's remote, or `origin`, or the only one there is.
fn remote(proposal: &Proposal<'_>) -> Result<String> {
    let remotes = proposal.workflow.repo.remotes()?;
    let origin = || remotes.iter().find(|name| *name == "origin").cloned();
    let only = || (remotes.len() == 1).then(|| remotes[0].clone());
    let chosen = proposal.workflow.plan.remote.clone().or_else(origin).or_else(only);
    chosen.ok_or_else(|| {
        let message = format!("{} remotes, and the plan names none", remotes.len());
        Failure::new(Code::PushFailed, message)
            .hint("add a remote named origin, or name one as `remote` in the plan")
            .next(CommandLine::of("git remote --verbose"))
            .into()
    })
}

fn say(program: &Path, folder: &Path, words: &[String]) -> Result<(bool, String)> {
    let output = command::program(program).args(words).current_dir(folder).output();
    let output = output.with_context(|| format!("starting {}", program.display()))?;
    let done = output.status.success();
    let said = if done { output.stdout } else { output.stderr };
    Ok((done, String::from_utf8_lossy(&said).trim_end().to_owned()))
}

fn failed(proposal: &Proposal<'_>, message: &str, said: &str) -> anyhow::Error {
    let said = bounded(said, MAX_SAID);
    Failure::new(
        Code::PushFailed,
        format!("{message}: {}", said.lines().next().unwrap_or_default()),
    )
    .hint("read details.said; once the cause is gone, run the same command again")
    .next(Next::Finish { workflow: &proposal.workflow.plan.workflow, way: Some(Way::PullRequest) })
    .details(RemoteSaid { said, trouble: None })
    .into()
}
