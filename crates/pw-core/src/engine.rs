//! Running workers on other machines, by an engine that exists: a file for each renders what its
//! command is given, and reads what it answers. None of them schedules or retries: the engine does.
//!
//! The machine needs git, the helpers and a client that can sign in by itself; no secret is in the
//! script, and none in what it is started with.

mod cloud;
mod github;
mod interface;
mod kubernetes;
mod machine;
mod slurm;
mod ssh;

pub use self::interface::{Ask, Deployment, Engine, Polled, RepositoryFile, Said, Submission};
use crate::failure::{Code, Failure};
use crate::plan::Worker;
use crate::record::Record;
use crate::session::LaunchMode;

/// Returns the engine of a way to start workers; `None` when they run here.
pub fn of<'a>(how: LaunchMode, deployment: Deployment<'a>) -> Option<Box<dyn Engine + 'a>> {
    match how {
        LaunchMode::Ssh => Some(Box::new(ssh::Ssh(deployment))),
        LaunchMode::Slurm => Some(Box::new(slurm::Slurm(deployment))),
        LaunchMode::Github => Some(Box::new(github::GitHub(deployment))),
        LaunchMode::Kubernetes => Some(Box::new(kubernetes::Kubernetes(deployment))),
        LaunchMode::Cloud => Some(Box::new(cloud::Cloud(deployment))),
        LaunchMode::Print | LaunchMode::Tmux | LaunchMode::Background | LaunchMode::Custom => None,
    }
}

/// Returns what tells a launch of these workers from every other one: the same until one of them
/// was launched.
pub fn token(record: &Record, workers: &[&Worker]) -> String {
    let before = |worker: &&Worker| {
        let launch = record.launches.get(&worker.id);
        let launch = launch.map(|launch| format!("{:?} {}", launch.id, launch.at));
        format!("{} {}\n", worker.id, launch.unwrap_or_default())
    };
    let base = std::iter::once(format!("{} {}\n", record.base, record.started));
    let about: String = base.chain(workers.iter().map(before)).collect();
    format!("{:08x}", crc32fast::hash(about.as_bytes()))
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
