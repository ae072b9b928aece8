//! The client's files about its sessions, read and never written.

use std::fs::{self, DirEntry, File};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pw_core::session::{Job, Ledger, Registered, Tail, Usage, folder_name};

/// The longest entry that is read; the client's are far shorter.
const MAX_ENTRY: u64 = 1 << 20;
/// How much of a transcript's end is looked at; a request's shape in it takes 50 KB.
const TAIL: u64 = 512 << 10;
/// Transcripts of more than this are not counted: status is asked all the time.
const MAX_COUNTED: u64 = 512 << 20;

/// The client's folder.
pub(super) struct ClientFiles {
    root: PathBuf,
}

impl ClientFiles {
    /// Finds the folder the client would use from here; `None` when it has none.
    pub(super) fn find() -> Option<Self> {
        let named = std::env::var_os("CLAUDE_CONFIG_DIR").filter(|name| !name.is_empty());
        let default = || Some(std::env::home_dir()?.join(".claude"));
        let root = named.map(PathBuf::from).or_else(default)?;
        root.is_dir().then_some(Self { root })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the registry: it changes when a session begins to wait, or ends.
    pub(super) fn registry(&self) -> PathBuf {
        self.root.join("sessions")
    }

    pub(super) fn has_registry(&self) -> bool {
        self.registry().is_dir()
    }

    /// Returns every entry of the registry, those that killed sessions left behind, too.
    pub(super) fn registered(&self) -> Vec<Registered> {
        let entries = listed(&self.registry(), "json");
        entries.iter().filter_map(|path| Registered::parse(&small(path)?)).collect()
    }

    /// Returns the client's entry of a background session.
    pub(super) fn job(&self, id: &str) -> Option<Job> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_name = !id.is_empty() && id.chars().all(plain);
        let path = self.root.join("jobs").join(id).join("state.json");
        Job::parse(&small(&path).filter(|_| is_name)?)
    }

    /// Returns the transcripts of the sessions that worked in a folder, the newest last. A
    /// transcript last written before `since` is of another worker, which had the folder then.
    pub(super) fn transcripts(&self, folder: &Path, since: SystemTime) -> Vec<PathBuf> {
        let projects = self.root.join("projects");
        let (name, is_cut) = folder_name(&folder.to_string_lossy());
        let folders = match is_cut {
            false => vec![projects.join(name)],
            true => begun(&projects, &name),
        };
        let mut found: Vec<(SystemTime, PathBuf)> = folders
            .iter()
            .flat_map(|folder| listed(folder, "jsonl"))
            .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
            .filter(|(written, _)| *written >= since)
            .collect();
        found.sort();
        found.into_iter().map(|(_, path)| path).collect()
    }
}

/// Reads how a transcript ends.
pub(super) fn tail(path: &Path) -> Option<Tail> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    Some(Tail::parse(&String::from_utf8_lossy(&bytes)))
}

/// Counts what the sessions of these transcripts used, their subagents included; `None` when no
/// transcript tells, or there is too much to read.
pub(super) fn usage(transcripts: &[PathBuf]) -> Option<Usage> {
    let own = transcripts.iter().map(|path| (path.clone(), false));
    let subagents = transcripts.iter().flat_map(|path| below(&path.with_extension("")));
    let all: Vec<(PathBuf, bool)> = own.chain(subagents.map(|path| (path, true))).collect();
    let size = |(path, _): &(PathBuf, bool)| path.metadata().map_or(0, |about| about.len());
    if all.iter().map(size).sum::<u64>() > MAX_COUNTED {
        return None;
    }
    let mut ledger = Ledger::default();
    let mut line = Vec::new();
    for (path, is_subagent) in &all {
        ledger.begin(*is_subagent);
        let mut reader = BufReader::with_capacity(256 << 10, File::open(path).ok()?);
        while reader.read_until(b'\n', &mut line).ok()? > 0 {
            ledger.line(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    ledger.total()
}

fn small(path: &Path) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_ENTRY).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

fn listed(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = entries(folder).map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

fn begun(folder: &Path, name: &str) -> Vec<PathBuf> {
    let is_one = |entry: &DirEntry| entry.file_name().to_string_lossy().starts_with(name);
    entries(folder).filter(is_one).map(|entry| entry.path()).collect()
}

/// Returns the transcripts anywhere below a session's own folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = listed(folder, "jsonl");
    let is_folder = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let folders = entries(folder).filter(is_folder).map(|entry| entry.path());
    found.extend(folders.flat_map(|folder| below(&folder)));
    found
}
