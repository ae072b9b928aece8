//! What the repository's own message hooks make of signals, before any worker starts: which message
//! they refuse or change, and which keys of the plan they leave alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{Plan, Worker};
use crate::signal::{self, Carrier, Signal, Subject, Template};
use crate::text::bounded;

/// The hooks of git that see or change a message, in the order in which git runs them.
pub const NAMES: [&str; 2] = ["prepare-commit-msg", "commit-msg"];

/// How much of what a hook printed is repeated, in characters.
const MAX_SAID: usize = 600;
/// What a shell exits with when there is no such program, or it cannot be run.
const NO_PROGRAM: [i32; 2] = [126, 127];

/// What was found out about message hooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageHooks {
    /// Those that the repository has.
    pub hooks: Vec<String>,
    /// What they make of signals as the plan has them.
    pub verdict: Verdict,
    /// The hook that refused, or that could not be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    /// The message that it refused or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it printed, or what it made of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// The keys of the plan that help; absent where none of those that were tried do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanKeys>,
}

/// What became of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All kinds of signals pass, and are what they were.
    Accepted,
    /// A hook lets no signal pass.
    Refused,
    /// The signal would be lost.
    Changed,
    /// A hook did not run here, or not in time: what it does is not known.
    Untried,
}

/// Keys of a plan that say where signals are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanKeys {
    /// The value of `signal`.
    pub signal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// The value of `signal_subject`, where it is needed.
    pub signal_subject: Option<String>,
}

impl PlanKeys {
    fn of(carrier: &Carrier) -> Self {
        let template = carrier.template().map(Template::as_str);
        Self {
            signal: template.map_or("subject", |_| "trailer").to_owned(),
            signal_subject: template.filter(|text| *text != "{text}").map(str::to_owned),
        }
    }

    fn words(&self) -> String {
        let subject = self.signal_subject.as_ref();
        let subject = subject.map(|text| format!(" and `signal_subject: {text:?}`"));
        format!("`signal: {}`{}", self.signal, subject.unwrap_or_default())
    }
}

/// How the hooks ended for one message.
#[derive(Clone, Debug)]
pub enum Ran {
    /// All let it pass; this is what it is then.
    Passed {
        /// The message after the last hook.
        message: String,
    },
    /// This hook did not; no code when its time was over, or a signal ended it.
    Failed {
        /// Its name.
        hook: String,
        /// Its exit code.
        code: Option<i32>,
        /// What it printed.
        said: String,
    },
}

/// What is wrong with one message.
struct Finding {
    verdict: Verdict,
    hook: Option<String>,
    message: String,
    said: String,
}

/// Tries the signals of a plan on hooks, and where these do not pass, other places for signals.
/// `subjects` are those of the newest commits, which the hooks may have let pass.
pub fn tried<E>(
    plan: &Plan,
    hooks: Vec<String>,
    subjects: &[String],
    run: &mut dyn FnMut(&str) -> Result<Ran, E>,
) -> Result<MessageHooks, E> {
    let mut report = MessageHooks {
        hooks,
        verdict: Verdict::Accepted,
        hook: None,
        message: None,
        said: None,
        plan: None,
    };
    let Some(worker) = plan.workers.first() else { return Ok(report) };
    let Some(finding) = finding(worker, &plan.carrier, run)? else { return Ok(report) };
    (report.verdict, report.hook) = (finding.verdict, finding.hook);
    report.message = Some(finding.message);
    report.said = Some(bounded(finding.said.trim(), MAX_SAID));
    for carrier in others(subjects) {
        if carrier != plan.carrier && self::finding(worker, &carrier, run)?.is_none() {
            report.plan = Some(PlanKeys::of(&carrier));
            break;
        }
    }
    // A program that is missing lets nothing pass; one that lets another message pass has run.
    if report.plan.is_some() && report.verdict == Verdict::Untried {
        report.verdict = Verdict::Refused;
    }
    Ok(report)
}

/// Returns the first message of a carrier that does not pass.
fn finding<E>(
    worker: &Worker,
    carrier: &Carrier,
    run: &mut dyn FnMut(&str) -> Result<Ran, E>,
) -> Result<Option<Finding>, E> {
    for signal in samples(worker) {
        let names = [&worker.id, &worker.name];
        let message = carrier.message(&signal, "try the hooks", names, &[]);
        let found = |verdict, hook, said| {
            Ok(Some(Finding { verdict, hook, message: message.trim_end().to_owned(), said }))
        };
        match run(&message)? {
            Ran::Passed { message: now } if gives(&now, &signal) => {}
            Ran::Passed { message } => return found(Verdict::Changed, None, message),
            Ran::Failed { hook, code, said } => {
                let ran = code.is_some_and(|code| !NO_PROGRAM.contains(&code));
                let verdict = if ran { Verdict::Refused } else { Verdict::Untried };
                return found(verdict, Some(hook), said);
            }
        }
    }
    Ok(None)
}

/// Returns one signal of each kind.
fn samples(worker: &Worker) -> [Signal; 4] {
    let item = worker.provides.first().cloned().unwrap_or_else(|| "the model".to_owned());
    [
        Signal::Checkpoint,
        Signal::Blocked { reason: "no key".to_owned() },
        Signal::Needs { worker: worker.id.clone(), item },
        Signal::Complete,
    ]
}

fn gives(message: &str, signal: &Signal) -> bool {
    matches!(signal::read(message), Subject::Signal { signal: found, .. } if found == *signal)
}

/// Returns other places for signals, the simplest first.
fn others(subjects: &[String]) -> Vec<Carrier> {
    let seen = subjects.iter().filter_map(|subject| begin_of(subject));
    let texts = ["{text}".to_owned()].into_iter().chain(seen).chain(["chore: {text}".to_owned()]);
    let mut carriers = vec![Carrier::Subject];
    for template in texts.filter_map(|text| Template::parse(&text)) {
        let carrier = Carrier::Trailer { template };
        if !carriers.contains(&carrier) {
            carriers.push(carrier);
        }
    }
    carriers.truncate(6);
    carriers
}

/// Returns how a subject begins that follows a rule: with a type, as conventional commits do, or
/// with the number of a ticket.
fn begin_of(subject: &str) -> Option<String> {
    let (first, rest) = subject.split_once(' ')?;
    let is_type = |text: &str| text.chars().all(|c| c.is_ascii_lowercase()) && text.len() > 1;
    let kind = first.strip_suffix(':').map(|kind| kind.split(['(', '!']).next().unwrap_or(kind));
    if kind.is_some_and(is_type) {
        return Some("chore: {text}".to_owned());
    }
    let bare = first.trim_matches(['[', ']', '(', ')', ':']);
    let (project, number) = bare.rsplit_once(['-', '#']).unwrap_or_default();
    let is_ticket = number.chars().all(|c| c.is_ascii_digit()) && !number.is_empty();
    let is_project = project.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let dash = if rest.starts_with("- ") { " -" } else { "" };
    (is_ticket && is_project).then(|| format!("{first}{dash} {{text}}"))
}

/// Says what hooks do that keep signals from getting through.
pub fn warning(found: &MessageHooks) -> Option<String> {
    let hook = found.hook.as_deref().unwrap_or("of messages");
    let said = found.said.as_deref().unwrap_or_default();
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    let first = bounded(first.trim(), 200);
    let message = found.message.as_deref().and_then(|text| text.lines().next()).unwrap_or_default();
    let what = match found.verdict {
        Verdict::Accepted => return None,
        Verdict::Refused => {
            format!("the repository's hook {hook} refuses `{message}`, and so each signal: {first}")
        }
        Verdict::Changed => {
            format!(
                "the repository's message hooks make `{first}` of `{message}`: no signal counts"
            )
        }
        Verdict::Untried => {
            let text =
                "so whether signals pass it is not known; try one commit in a worktree first";
            return Some(format!("the repository's hook {hook} did not run here: {first}; {text}"));
        }
    };
    let helps = match &found.plan {
        Some(keys) => format!("write {} into the plan", keys.words()),
        None => format!(
            "no place for signals that was tried passes: let it take `{message}`, or add `signal: trailer` \
             and a `signal_subject` that it takes"
        ),
    };
    Some(format!("{what}; {helps}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(keys: &str) -> Plan {
        Plan::parse(&format!("{keys}workflow: w\nworkers: [{{id: a, name: b, owns: [c]}}]\n"))
            .unwrap()
    }

    /// Tries hooks of one rule: a subject that passes, and what becomes of it.
    fn tried_on(
        keys: &str,
        subjects: &[&str],
        rule: &dyn Fn(&str) -> Option<String>,
    ) -> MessageHooks {
        let mut run = |message: &str| -> Result<Ran, ()> {
            Ok(match rule(message) {
                Some(message) => Ran::Passed { message },
                None => Ran::Failed {
                    hook: "commit-msg".to_owned(),
                    code: Some(1),
                    said: "\nno\n".to_owned(),
                },
            })
        };
        let subjects: Vec<String> = subjects.iter().map(|text| (*text).to_owned()).collect();
        tried(&plan(keys), vec!["commit-msg".to_owned()], &subjects, &mut run).unwrap()
    }

    #[test]
    fn the_simplest_place_for_signals_that_hooks_leave_alone_is_named() {
        let trailer = "signal: trailer\n";
        type Rule<'a> = &'a dyn Fn(&str) -> Option<String>;
        let all: Rule<'_> = &|text| Some(text.to_owned());
        let type_first: Rule<'_> = &|text| {
            (text.starts_with("feat: ") || text.starts_with("chore: ")).then(|| text.to_owned())
        };
        let ticket: Rule<'_> = &|text| text.starts_with("AB-").then(|| text.to_owned());
        let prefix: Rule<'_> = &|text| Some(format!("AB-1 {text}"));
        let no_brackets: Rule<'_> = &|text| (!text.starts_with('[')).then(|| text.to_owned());
        let no_trailers: Rule<'_> = &|text| Some(format!("{text}\nthe end\n"));
        let no_needs: Rule<'_> = &|text| (!text.contains("NEEDS")).then(|| text.to_owned());
        for (keys, subjects, rule, verdict, helps) in [
            ("", &[][..], all, Verdict::Accepted, None),
            (trailer, &[], all, Verdict::Accepted, None),
            ("", &["first"], type_first, Verdict::Refused, Some((trailer, Some("chore: {text}")))),
            ("", &["AB-7 first"], ticket, Verdict::Refused, Some((trailer, Some("AB-7 {text}")))),
            ("", &["first"], ticket, Verdict::Refused, None),
            ("", &[], prefix, Verdict::Changed, Some((trailer, None))),
            ("", &[], no_brackets, Verdict::Refused, Some((trailer, None))),
            (trailer, &[], no_trailers, Verdict::Changed, Some(("signal: subject\n", None))),
            ("", &[], no_needs, Verdict::Refused, None),
        ] {
            let found = tried_on(keys, subjects, rule);
            let helps = helps.map(|(signal, subject)| PlanKeys {
                signal: signal["signal: ".len()..].trim().to_owned(),
                signal_subject: subject.map(str::to_owned),
            });
            assert_eq!((found.verdict, &found.plan), (verdict, &helps), "{keys} {subjects:?}");
            let warned = warning(&found);
            assert_eq!(warned.is_none(), verdict == Verdict::Accepted);
            assert!(helps.is_none() || warned.unwrap().contains("`signal: "), "{found:?}");
        }
    }

    #[test]
    fn a_hook_that_does_not_run_is_no_rule() {
        for code in [None, Some(126), Some(127)] {
            let mut run = |_: &str| -> Result<Ran, ()> {
                let (hook, said) = ("commit-msg".to_owned(), "npx: not found".to_owned());
                Ok(Ran::Failed { hook, code, said })
            };
            let found = tried(&plan(""), vec![], &[], &mut run).unwrap();
            assert_eq!(found.verdict, Verdict::Untried);
            assert!(warning(&found).unwrap().contains("npx: not found"));
        }
    }

    #[test]
    fn subjects_that_follow_a_rule_show_how_ours_may_begin() {
        for (subject, begin) in [
            ("feat: a", Some("chore: {text}")),
            ("fix(api)!: a", Some("chore: {text}")),
            ("AB-12 a", Some("AB-12 {text}")),
            ("[AB-12] a", Some("[AB-12] {text}")),
            ("AB-12: a", Some("AB-12: {text}")),
            ("#12 a", Some("#12 {text}")),
            ("AB-12 - a", Some("AB-12 - {text}")),
            ("first", None),
            ("add a thing", None),
            ("well-known a", None),
        ] {
            assert_eq!(begin_of(subject).as_deref(), begin, "{subject}");
        }
    }
}
