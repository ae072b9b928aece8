//! Who comes after whom: waves, circles, and who waits for whom.

use std::collections::BTreeSet;

use crate::id::WorkerId;
use crate::plan::Plan;

/// Returns the workers that may run at once, wave after wave, each in the order of the plan.
pub fn waves(plan: &Plan) -> Vec<Vec<WorkerId>> {
    let mut waves: Vec<Vec<WorkerId>> = Vec::new();
    let mut done: BTreeSet<&WorkerId> = BTreeSet::new();
    while done.len() < plan.workers.len() {
        let free = |worker: &&crate::plan::Worker| {
            !done.contains(&worker.id) && worker.after.iter().all(|id| done.contains(id))
        };
        let wave: Vec<&WorkerId> =
            plan.workers.iter().filter(free).map(|worker| &worker.id).collect();
        // A valid plan has no circle, so every round frees a worker.
        if wave.is_empty() {
            break;
        }
        done.extend(wave.iter().copied());
        waves.push(wave.into_iter().cloned().collect());
    }
    waves
}

/// Returns the groups of nodes that reach each other, and nodes that point at themselves.
///
/// `edges[n]` lists the nodes that `n` waits for. Groups and their members are in ascending order.
pub fn cycles(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let reach: Vec<BTreeSet<usize>> = (0..edges.len()).map(|from| reachable(edges, from)).collect();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for node in (0..edges.len()).filter(|node| reach[*node].contains(node)) {
        if !groups.iter().any(|group| group.contains(&node)) {
            groups.push(
                (0..edges.len())
                    .filter(|n| reach[node].contains(n) && reach[*n].contains(&node))
                    .collect(),
            );
        }
    }
    groups
}

/// Returns the groups of at least two nodes that pairs connect, each in ascending order.
pub fn groups(pairs: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut groups: Vec<BTreeSet<usize>> = Vec::new();
    for (first, second) in pairs {
        let holds = |group: &BTreeSet<usize>| group.contains(first) || group.contains(second);
        let (touched, mut apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(holds);
        let both = BTreeSet::from([*first, *second]);
        apart.push(touched.into_iter().flatten().chain(both).collect());
        groups = apart;
    }
    groups.into_iter().map(|group| group.into_iter().collect()).collect()
}

/// Returns every node that can be reached from `from` by at least one step.
pub fn reachable(edges: &[Vec<usize>], from: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut stack: Vec<usize> = edges[from].clone();
    while let Some(node) = stack.pop() {
        if seen.insert(node) {
            stack.extend(&edges[node]);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_make_groups() {
        assert_eq!(
            groups(&[(0, 1), (2, 3), (1, 4), (5, 6), (6, 2)]),
            [vec![0, 1, 4], vec![2, 3, 5, 6]]
        );
    }

    #[test]
    fn circles_are_found_with_their_members() {
        assert_eq!(
            cycles(&[vec![1], vec![2], vec![0], vec![0], vec![4]]),
            [vec![0, 1, 2], vec![4]]
        );
        assert!(cycles(&[vec![1, 2], vec![2], vec![]]).is_empty());
    }
}
