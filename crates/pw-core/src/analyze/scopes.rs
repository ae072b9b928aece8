//! A split said in globs, and proved: no path has two owners.

use std::collections::BTreeMap;

use super::tree::{Node, Owner, ROOT, Split, Tree};
use crate::scope::{MAX_GLOBS, Meeting, Scope, overlaps};

/// Why a split cannot be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unsaid {
    /// A worker would need more globs than a plan takes, or one that no glob can be.
    TooMany,
    /// Two workers would own a path: two names that are one on some systems.
    Overlap(Box<Meeting>),
}

/// Returns the globs of each worker. A folder is its owner's with what will ever be in it, but for
/// what is excluded; files at the top that no scope names are the owner's of most of them.
pub(super) fn globs(
    tree: &Tree,
    split: &Split,
    known: &[Node],
) -> Result<Vec<Vec<String>>, Unsaid> {
    let mut globs: Vec<Vec<String>> = vec![Vec::new(); split.workers];
    let mut nodes: BTreeMap<&[u8], Node> = BTreeMap::new();
    for node in known.iter().flat_map(|node| tree.upward(*node)).filter(|node| *node != ROOT) {
        nodes.insert(tree.path(node), node);
    }
    let of = |node: Node| tree.upward(node).find_map(|at| split.owner[at]).unwrap_or(0);
    let top = of(ROOT);
    if nodes.values().any(|node| tree.is_file(*node) && tree.parent(*node) == ROOT) {
        globs[usize::from(top)].push("*".to_owned());
    }
    for (path, node) in nodes {
        let (own, folder) = (of(node), tree.parent(node));
        let is_file = tree.is_file(node);
        let above = match folder {
            ROOT if is_file => Some(top),
            ROOT => None,
            folder => Some(of(folder)),
        };
        if above == Some(own) {
            continue;
        }
        let glob = glob(path, is_file).ok_or(Unsaid::TooMany)?;
        if let Some(above) = above {
            globs[usize::from(above)].push(format!("!{glob}"));
        }
        globs[usize::from(own)].push(glob);
    }
    prove(&globs)?;
    Ok(globs)
}

pub(super) fn prove(globs: &[Vec<String>]) -> Result<(), Unsaid> {
    let read = |globs: &Vec<String>| match globs.len() <= MAX_GLOBS {
        true => Scope::parse(globs).map_err(|_| Unsaid::TooMany),
        false => Err(Unsaid::TooMany),
    };
    let scopes: Vec<Scope> = globs.iter().map(read).collect::<Result<_, _>>()?;
    let meetings = overlaps(&scopes.iter().collect::<Vec<_>>());
    match meetings.into_iter().next() {
        Some(meeting) => Err(Unsaid::Overlap(Box::new(meeting))),
        None => Ok(()),
    }
}

/// Returns a glob for one path; characters that mean something in globs become `?`.
pub(crate) fn glob(path: &[u8], is_file: bool) -> Option<String> {
    let text = std::str::from_utf8(path).ok()?;
    if text.chars().any(|c| c.is_control() || c == '\\') {
        return None;
    }
    let special = |c: char| "*?[]{}".contains(c);
    let mut glob = text.replace(special, "?");
    if glob.starts_with('!') {
        glob.replace_range(..1, "?");
    }
    Some(if is_file { glob } else { glob + "/**" })
}

/// Returns names for workers, each after the folder that holds more than half of its weight;
/// `weights` are those of each file.
pub(super) fn names(tree: &Tree, split: &Split, weights: &[(Node, f64)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for worker in 0..split.workers {
        let is_own = |node: Node| split.owner(tree, node).map(usize::from) == Some(worker);
        let own: Vec<&(Node, f64)> = weights.iter().filter(|(node, _)| is_own(*node)).collect();
        let total: f64 = own.iter().map(|(_, weight)| weight).sum();
        let mut held: BTreeMap<Node, f64> = BTreeMap::new();
        for (node, weight) in own {
            tree.upward(*node).for_each(|at| *held.entry(at).or_default() += weight);
        }
        let holds = |(_, weight): &(&Node, &f64)| **weight > total / 2.0;
        let most = held.iter().filter(holds).max_by_key(|(node, _)| tree.upward(**node).count());
        let name = slug(most.map_or(&[][..], |(node, _)| tree.path(*node)));
        let name = if name.is_empty() { format!("part-{}", worker + 1) } else { name };
        let is_taken = names.contains(&name);
        names.push(if is_taken { format!("{name}-{}", worker + 1) } else { name });
    }
    names
}

/// Returns the last name of a path as a worker may be called.
pub(super) fn slug(path: &[u8]) -> String {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let stem = String::from_utf8_lossy(name).to_lowercase();
    let stem = stem.trim_start_matches('.').split('.').next().unwrap_or_default().to_owned();
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let name: String = stem.chars().map(plain).take(28).collect();
    name.trim_matches('-').to_owned()
}

/// Returns how many of the known files each worker owns.
pub(super) fn files(tree: &Tree, split: &Split, known: &[Node]) -> Vec<usize> {
    let mut files = vec![0; split.workers];
    let owners = known.iter().filter_map(|node| split.owner(tree, *node));
    owners.for_each(|owner: Owner| files[usize::from(owner)] += 1);
    files
}
