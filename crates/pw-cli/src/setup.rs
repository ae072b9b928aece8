//! `pw-setup`: from a plan to branches, worktrees and launchers.

mod analyze;
mod create;
pub(crate) mod prepare;
mod repair;
mod start;
mod tmux;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Parser, Subcommand};
use pw_core::analyze::neighbours::neighbours;
use pw_core::failure::{Code, Failure};
use pw_core::graph;
use pw_core::id::{Oid, Slug, WorkerId};
use pw_core::launch::How;
use pw_core::path::RepoPath;
use pw_core::plan::{Plan, Problem, ProblemCode, Worker, refused};
use pw_core::record::{Record, Refs};
use pw_core::report::NextStep;
use pw_core::setup::{self, Check, List, SetupStatus, Taken, WorkerSetup, WorkflowLine};
use pw_core::status::Base;
use pw_core::time::rfc3339;
use pw_git::Repo;

use crate::identity;
use crate::launch;
use crate::schema;
use crate::shell::{Answer, Cli, Context, Globals};
use crate::view;
use crate::workflow::{read_refs, recorded};

/// Plans above this size are not read; a plan is a page or two.
const MAX_PLAN: u64 = 1 << 20;
/// How many of the newest commits `check` looks at for hot files.
const HOT_COMMITS: usize = 500;
/// How many hot files it lists.
const HOT_FILES: usize = 10;

/// How many files outside of scopes that change with those inside.
const NEIGHBOURS: usize = 6;

/// Checks plans, and makes a branch, a worktree and a launcher for every worker.
#[derive(Debug, Parser)]
#[command(name = "pw-setup", version, max_term_width = 100)]
pub struct Setup {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says everything that is wrong with a plan, and what create would do; changes nothing
    Check {
        /// The plan, a YAML file
        plan: PathBuf,
    },
    /// Makes what the plan's first wave needs; again when part of it is there
    Create {
        /// The plan, a YAML file
        plan: PathBuf,
    },
    /// Opens the workers whose dependencies are complete, from their results
    Advance {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
    },
    /// Starts sessions of workers that have none, or says how
    Launch {
        /// The workers; all that are neither done nor running when none is named
        workers: Vec<WorkerId>,
        /// The workflow; needed only when there are several
        #[arg(long)]
        workflow: Option<String>,
        /// How: print the commands, tmux, background, or custom (the plan's `launch`)
        #[arg(long = "with", value_name = "HOW", default_value = "print")]
        how: How,
    },
    /// Makes worktrees, git hooks and launchers whole again where they were moved, replaced or lost
    Repair {
        /// The workflow; needed only when there are several
        workflow: Option<String>,
    },
    /// Says which split the history speaks for, what it would bring, or to do it in one session
    Analyze(analyze::Options),
    /// Lists the workflows of this repository
    List,
    /// The JSON Schema of every answer
    Schema,
}

impl Cli for Setup {
    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn run(&self, context: &Context) -> Result<Answer> {
        match &self.command {
            Command::Check { plan } => check(context, plan),
            Command::Create { plan } => create::create(context, plan),
            Command::Advance { workflow } => create::advance(context, workflow.as_deref()),
            Command::Launch { workers, workflow, how } => {
                start::launch(context, workers, workflow.as_deref(), *how)
            }
            Command::Repair { workflow } => repair::repair(context, workflow.as_deref()),
            Command::Analyze(options) => analyze::analyze(context, options),
            Command::List => list(context),
            Command::Schema => schema::answer::<Self>(),
        }
    }
}

/// A plan as a file, and as rules see it.
struct PlanFile {
    text: String,
    plan: Plan,
}

impl PlanFile {
    fn read(context: &Context, path: &Path) -> Result<Self> {
        let full = context.directory.join(path);
        let unreadable = |message: String| {
            Failure::new(Code::PlanUnreadable, message)
                .hint("name a YAML file that exists and is UTF-8 text")
        };
        let failed = |error: std::io::Error| unreadable(format!("{}: {error}", path.display()));
        let about = std::fs::metadata(&full).map_err(failed)?;
        if !about.is_file() || about.len() > MAX_PLAN {
            let message = format!("{} is no file of at most {MAX_PLAN} bytes", path.display());
            return Err(unreadable(message).into());
        }
        let bytes = std::fs::read(&full).map_err(failed)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| unreadable(format!("{} is not UTF-8", path.display())))?;
        let again = |failure: Failure| {
            failure.next(format!(
                "pw-setup check {}",
                pw_core::report::shell_word(&path.to_string_lossy())
            ))
        };
        let plan = Plan::parse(&text).map_err(again)?;
        Ok(Self { text, plan })
    }
}

/// The ground a plan is to be set up on.
struct Ground {
    repo: Repo,
    plan: Plan,
    plan_text: String,
    refs: BTreeMap<String, Oid>,
    record: Record,
    /// The record's newest commit; `None` while the workflow is new.
    record_tip: Option<Oid>,
}

impl Ground {
    /// Reads the repository, and refuses whatever stands against the plan.
    fn survey(context: &Context, file: PlanFile) -> Result<Self> {
        let PlanFile { text, plan } = file;
        let repo = Repo::open(&context.directory)?;
        if repo.root().to_str().is_none() {
            return Err(Failure::new(Code::InTheWay, "the path of the repository is not UTF-8")
                .hint("move the repository to a folder whose name is; launchers could not find it")
                .details(serde_json::json!({ "problems": [] }))
                .into());
        }
        let refs = read_refs(&repo)?;
        let record_tip = refs.get(&Refs(&plan.workflow).record()).cloned();
        let record = match &record_tip {
            Some(tip) => {
                let (old_text, mut record) = repo.record(tip)?;
                identity::follow_base(&repo, &mut record, &refs)?;
                if old_text != text {
                    setup::require_compatible(&Plan::recorded(&old_text)?, &plan, &record)?;
                }
                record
            }
            None => {
                let (branch, base) = base(&repo, &plan)?;
                Record::new(branch, base, context.now)
            }
        };
        let ground = Self { repo, plan, plan_text: text, refs, record, record_tip };
        let new: Vec<&Worker> =
            ground.plan.workers.iter().filter(|worker| ground.is_new(worker)).collect();
        let root = ground.repo.root();
        let occupied = |folder: &str| {
            let path = root.join(folder);
            let entries = std::fs::read_dir(&path).map(|mut entries| entries.next().is_some());
            entries.unwrap_or_else(|_| path.symlink_metadata().is_ok())
        };
        let is_new = ground.record_tip.is_none();
        if is_new {
            ground.require_free_folder()?;
        }
        let held = |label: &str| ground.other_with(label);
        let taken = Taken { refs: &ground.refs, folder: &occupied, label: &held };
        let problems = setup::obstacles(&ground.plan, &new, is_new, &taken);
        if problems.is_empty() { Ok(ground) } else { Err(setup::in_the_way(problems).into()) }
    }

    /// Refuses a folder for worktrees that holds files of the repository: kept out of `git status`,
    /// new ones among them would never be committed.
    fn require_free_folder(&self) -> Result<()> {
        let folder = &self.plan.worktrees;
        let is_link = self.repo.root().join(folder).is_symlink();
        if !is_link && !self.repo.is_tracked(&self.record.base, folder)? {
            return Ok(());
        }
        let what = if is_link { "is a link" } else { "holds files of the repository" };
        let message = format!("the folder {folder} for worktrees {what}");
        let hint = "name another one with `worktrees:` in the plan";
        Err(setup::in_the_way(vec![Problem::new(ProblemCode::FolderExists, message, hint)]).into())
    }

    fn is_new(&self, worker: &Worker) -> bool {
        !self.record.placements.contains_key(&worker.id)
    }

    /// Returns the other workflow that has a worker of this label, whatever is left of it.
    fn other_with(&self, label: &str) -> Option<Slug> {
        let has = |name: &Slug| {
            let tip = self.refs.get(&Refs(name).record())?;
            let (text, record) = self.repo.record(tip).ok()?;
            let plan = Plan::recorded(&text).ok()?;
            plan.workers.iter().any(|w| w.label() == label && record.has(&w.id)).then_some(())
        };
        let others = identity::holders(&self.repo, label).into_iter();
        others.filter(|name| *name != self.plan.workflow).find(|name| has(name).is_some())
    }

    /// Returns the tip of a worker's branch, unless it was cleaned up: then the name is free.
    fn branch(&self, worker: &Worker) -> Option<&Oid> {
        let tip = self.refs.get(&format!("refs/heads/{}", worker.branch()));
        tip.filter(|_| !self.record.cleaned.contains(&worker.id))
    }

    fn worktree(&self, worker: &Worker) -> PathBuf {
        self.repo.root().join(self.plan.worktree(worker))
    }

    /// Returns the answer, with what was or would be done for each worker.
    fn report(&self, status: &dyn Fn(&Worker) -> SetupStatus, next: Vec<NextStep>) -> setup::Setup {
        let base_tip = self
            .record
            .base_branch
            .as_ref()
            .and_then(|name| self.refs.get(&format!("refs/heads/{name}")));
        let workers = self.plan.workers.iter().map(|worker| WorkerSetup {
            id: worker.id.clone(),
            label: worker.label(),
            branch: worker.branch(),
            worktree: self.plan.worktree(worker),
            launch: launch::of(&self.repo, &self.plan, worker),
            status: status(worker),
            port: self.record.placements.get(&worker.id).and_then(|placement| placement.port),
            owns: worker.owns.globs().map(str::to_owned).collect(),
            after: worker.after.clone(),
            size: worker.size,
        });
        setup::Setup {
            workflow: self.plan.workflow.clone(),
            base: Base {
                branch: self.record.base_branch.clone(),
                commit: self.record.base.clone(),
                moved: base_tip.is_some_and(|tip| *tip != self.record.base),
            },
            waves: graph::waves(&self.plan),
            workers: workers.collect(),
            next,
        }
    }
}

/// Returns the branch and commit to fork from.
fn base(repo: &Repo, plan: &Plan) -> Result<(Option<String>, Oid)> {
    let head = repo.head()?;
    let Some(name) = &plan.base else { return Ok(head) };
    let unknown = || {
        let message = format!("`base` {name:?} is no branch, tag or commit here");
        refused(vec![Problem::new(
            ProblemCode::UnknownBase,
            message,
            "name a branch that exists, or leave `base` out",
        )])
    };
    let commit = repo.resolve(name)?.ok_or_else(unknown)?;
    // Only a local branch can be landed on later.
    let is_branch =
        repo.refs(&[&format!("refs/heads/{name}")])?.contains_key(&format!("refs/heads/{name}"));
    Ok((is_branch.then(|| name.clone()), commit))
}

fn check(context: &Context, path: &Path) -> Result<Answer> {
    let ground = Ground::survey(context, PlanFile::read(context, path)?)?;
    let status = |worker: &Worker| match (ground.is_new(worker), worker.after.is_empty()) {
        (false, _) => SetupStatus::Exists,
        (true, true) => SetupStatus::Created,
        (true, false) => SetupStatus::Waiting,
    };
    let command =
        format!("pw-setup create {}", pw_core::report::shell_word(&path.to_string_lossy()));
    let next = vec![NextStep { action: "create".to_owned(), worker: None, command }];
    let commits = ground.repo.recent(&ground.record.base, HOT_COMMITS)?;
    let folders: BTreeSet<RepoPath> =
        ground.repo.folders(&ground.record.base)?.into_iter().collect();
    let check = Check {
        setup: ground.report(&status, next),
        hot_files: setup::hot_files(&ground.plan, &commits, HOT_FILES),
        neighbours: neighbours(&ground.plan, &commits, NEIGHBOURS),
        warnings: setup::warnings(&ground.plan, &folders),
    };
    Answer::of(&check, view::check)
}

fn list(context: &Context) -> Result<Answer> {
    let repo = Repo::open(&context.directory)?;
    let refs = read_refs(&repo)?;
    let mut workflows = Vec::new();
    for (workflow, tip) in recorded(&refs) {
        let Ok((text, record)) = repo.record(&tip) else { continue };
        let Ok(plan) = Plan::recorded(&text) else { continue };
        workflows.push(WorkflowLine {
            workflow,
            goal: plan.goal.clone(),
            workers: plan.workers.len(),
            integrated: record.merged.len(),
            started_at: rfc3339(record.started),
        });
    }
    Answer::of(&List { workflows }, view::list)
}
