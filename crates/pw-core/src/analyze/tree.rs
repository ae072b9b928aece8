//! All paths of a log as one tree of folders, and who owns which part of it.

use std::collections::HashMap;

use super::log::{Log, PathId};

/// A folder or file of the tree; the root is 0, and every folder comes before what lies in it.
pub(super) type Node = usize;

/// A worker, counted from 0.
pub(super) type Owner = u8;

/// The root.
pub(super) const ROOT: Node = 0;

/// The folders and files of a log.
#[derive(Clone, Debug)]
pub struct Tree {
    parent: Vec<Node>,
    path: Vec<Vec<u8>>,
    is_file: Vec<bool>,
    node: Vec<Node>,
}

impl Tree {
    pub fn of(log: &Log) -> Self {
        let mut tree =
            Self { parent: vec![ROOT], path: vec![Vec::new()], is_file: vec![false], node: vec![] };
        let mut known = HashMap::from([(Vec::new(), ROOT)]);
        for path in &log.paths {
            let mut at = ROOT;
            let bytes = path.as_bytes();
            let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            for end in ends.map(|(end, _)| end).chain([bytes.len()]) {
                at = tree.below(at, &bytes[..end], &mut known);
            }
            // A name that was a file once and a folder later is a folder.
            tree.node.push(at);
        }
        for node in 1..tree.parent.len() {
            let parent = tree.parent[node];
            tree.is_file[parent] = false;
        }
        tree
    }

    fn below(&mut self, at: Node, path: &[u8], known: &mut HashMap<Vec<u8>, Node>) -> Node {
        if let Some(node) = known.get(path) {
            return *node;
        }
        let node = self.parent.len();
        self.parent.push(at);
        self.path.push(path.to_vec());
        self.is_file.push(true);
        known.insert(path.to_vec(), node);
        node
    }

    /// Returns how many folders and files there are, the root among them.
    pub fn size(&self) -> usize {
        self.parent.len()
    }

    pub fn node(&self, path: PathId) -> Node {
        self.node[path as usize]
    }

    pub fn parent(&self, node: Node) -> Node {
        self.parent[node]
    }

    pub fn path(&self, node: Node) -> &[u8] {
        &self.path[node]
    }

    pub fn is_file(&self, node: Node) -> bool {
        self.is_file[node]
    }

    /// Returns the node and the folders above it up to the root.
    pub fn upward(&self, node: Node) -> impl Iterator<Item = Node> {
        std::iter::successors(Some(node), |at| (*at != ROOT).then(|| self.parent[*at]))
    }

    /// Returns the folder at this depth above a node (1: in the root), or the node itself.
    pub fn at_depth(&self, node: Node, depth: usize) -> Node {
        let way: Vec<Node> = self.upward(node).collect();
        way[(way.len() - 1).saturating_sub(depth)]
    }
}

/// Who owns what: each known node has an owner, and what appears in a known folder later is its
/// owner's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    pub workers: usize,
    /// By node; `None` where a node was not known.
    pub owner: Vec<Option<Owner>>,
}

impl Split {
    /// Returns who owns a node: what is new belongs to the owner of its folder, and a new folder at
    /// the top to no worker.
    pub fn owner(&self, tree: &Tree, node: Node) -> Option<Owner> {
        let above = tree.upward(node).find(|at| self.owner[*at].is_some())?;
        let is_new_at_top = above == ROOT && tree.parent(node) != ROOT;
        let is_new_folder = above == ROOT && !tree.is_file(node);
        self.owner[above].filter(|_| !is_new_at_top && !is_new_folder)
    }
}
