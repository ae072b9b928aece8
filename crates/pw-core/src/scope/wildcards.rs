//! Patterns in which some items match any number of items: `*` among characters, `**` among
//! segments. Both levels of a glob ask the same questions, so they are answered once, here.

pub(super) trait Wild {
    /// Returns whether this item matches any number of items.
    fn is_any(&self) -> bool;
}

/// Returns whether the pattern takes all of `items`: on a mismatch go back to the last any.
pub(super) fn matches<T: Wild, I>(
    pattern: &[T],
    items: &[I],
    accepts: impl Fn(&T, &I) -> bool,
) -> bool {
    let (mut at, mut item, mut back) = (0, 0, None);
    while item < items.len() {
        match pattern.get(at) {
            Some(any) if any.is_any() => {
                back = Some((at, item));
                at += 1;
            }
            Some(one) if accepts(one, &items[item]) => {
                at += 1;
                item += 1;
            }
            _ => {
                let Some((any, from)) = back else { return false };
                back = Some((any, from + 1));
                (at, item) = (any + 1, from + 1);
            }
        }
    }
    pattern[at..].iter().all(Wild::is_any)
}

/// Returns whether two patterns have something in common.
pub(super) fn meet<T: Wild>(a: &[T], b: &[T], meets: impl Fn(&T, &T) -> bool) -> bool {
    let Some((head, tail)) = ends(a, b, &meets) else { return false };
    let (a, b) = (&a[head..a.len() - tail], &b[head..b.len() - tail]);
    match (is_open(a), is_open(b)) {
        // Each takes with its any what the other has left.
        (true, true) => true,
        (true, false) => matches(a, b, meets),
        (false, _) => matches(b, a, meets),
    }
}

/// Returns pairs of items one after the other, as few as possible: a common item of each pair makes
/// what the two patterns have in common.
pub(super) fn common<'a, T: Wild>(
    a: &'a [T],
    b: &'a [T],
    meets: impl Fn(&T, &T) -> bool,
) -> Vec<(&'a T, &'a T)> {
    // For the rests of both patterns: the fewest pairs, and how far the first step goes.
    let mut best = vec![vec![None; b.len() + 1]; a.len() + 1];
    for i in (0..=a.len()).rev() {
        for j in (0..=b.len()).rev() {
            let (x, y) = (a.get(i), b.get(j));
            let (any_x, any_y) = (x.is_some_and(Wild::is_any), y.is_some_and(Wild::is_any));
            let both = x.zip(y).is_some_and(|(x, y)| !any_x && !any_y && meets(x, y));
            let steps = [
                (any_x, (1, 0), 0),
                (any_y, (0, 1), 0),
                (any_x && y.is_some() && !any_y, (0, 1), 1),
                (any_y && x.is_some() && !any_x, (1, 0), 1),
                (both, (1, 1), 1),
            ];
            let lengths = steps.into_iter().filter(|(is_open, ..)| *is_open);
            let lengths = lengths.filter_map(|(_, (di, dj), pairs)| {
                best[i + di][j + dj].map(|(rest, _)| (rest + pairs, (di, dj)))
            });
            let end = (x.is_none() && y.is_none()).then_some((0, (0, 0)));
            best[i][j] = lengths.min().or(end);
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while let Some((left, (di, dj))) = best[i][j].filter(|(_, step)| *step != (0, 0)) {
        if best[i + di][j + dj].is_some_and(|(rest, _)| rest < left) {
            let x = if di == 1 { &a[i] } else { &b[j] };
            pairs.push((x, if dj == 1 { &b[j] } else { x }));
        }
        (i, j) = (i + di, j + dj);
    }
    pairs
}

/// Returns how many items at the start and at the end pair up before an any; `None` where a pair
/// does not meet.
fn ends<T: Wild>(a: &[T], b: &[T], meets: impl Fn(&T, &T) -> bool) -> Option<(usize, usize)> {
    let pairs = |(x, y): &(&T, &T)| !x.is_any() && !y.is_any();
    let mut head = 0;
    for (x, y) in a.iter().zip(b).take_while(pairs) {
        head += 1;
        meets(x, y).then_some(())?;
    }
    let mut tail = 0;
    for (x, y) in a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(pairs) {
        tail += 1;
        meets(x, y).then_some(())?;
    }
    Some((head, tail))
}

fn is_open<T: Wild>(items: &[T]) -> bool {
    items.iter().any(Wild::is_any)
}
