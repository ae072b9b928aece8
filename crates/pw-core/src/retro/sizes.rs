//! Estimates against time, and how even the split was.

use super::{SizeRetro, Times};
use crate::plan::{Plan, Size};
use crate::time::Seconds;

const SIZES: [Size; 4] = [Size::S, Size::M, Size::L, Size::Xl];

/// How much work a size promises: each twice the one before.
fn weight(size: Size) -> f64 {
    match size {
        Size::S => 1.0,
        Size::M => 2.0,
        Size::L => 4.0,
        Size::Xl => 8.0,
    }
}

/// Returns `value` with two decimals.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a run are far below 2^52")]
pub(super) fn ratio(part: Seconds, whole: Seconds) -> Option<f64> {
    (part > 0 && whole > 0).then(|| part as f64 / whole as f64)
}

/// Returns what the busy times of workers of one size came to; `None` without any.
pub(super) fn size_retro(size: Size, mut busy: Vec<Seconds>) -> Option<SizeRetro> {
    busy.sort_unstable();
    Some(SizeRetro {
        size,
        workers: busy.len(),
        least_seconds: *busy.first()?,
        median_seconds: median(&busy)?,
        most_seconds: *busy.last()?,
    })
}

/// Returns busy times by size.
pub(super) fn sizes(plan: &Plan, times: &[Times]) -> Vec<SizeRetro> {
    let of = |size: Size| {
        let sized = plan.workers.iter().zip(times).filter(|(worker, _)| worker.size == Some(size));
        let mut busy: Vec<Seconds> = sized.map(|(_, times)| times.busy_seconds).collect();
        busy.retain(|seconds| *seconds > 0);
        size_retro(size, busy)
    };
    SIZES.into_iter().filter_map(of).collect()
}

/// Returns the middle of sorted numbers.
pub(super) fn median(sorted: &[Seconds]) -> Option<Seconds> {
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { (sorted[middle - 1] + upper) / 2 })
}

/// Returns each worker's busy time by what its size promised; `None` without a size or a time. What
/// a size is worth is measured by all sized workers together, so a run of one tells nothing.
pub(super) fn against_estimates(plan: &Plan, times: &[Times]) -> Vec<Option<f64>> {
    let sized = || {
        let pairs = plan.workers.iter().zip(times);
        pairs.filter_map(|(worker, times)| Some((weight(worker.size?), times.busy_seconds)))
    };
    let known = || sized().filter(|(_, busy)| *busy > 0);
    let promised: f64 = known().map(|(weight, _)| weight).sum();
    let took: Seconds = known().map(|(_, busy)| busy).sum();
    let unit = ratio(took, 1).filter(|_| known().count() > 1).map(|took| took / promised);
    let against = |(worker, times): (&crate::plan::Worker, &Times)| {
        Some(rounded(ratio(times.busy_seconds, 1)? / (unit? * weight(worker.size?))))
    };
    plan.workers.iter().zip(times).map(against).collect()
}

/// Returns the mean busy time by the longest, of at least two workers that were busy.
pub(super) fn balance(times: &[Times]) -> Option<f64> {
    let busy: Vec<Seconds> =
        times.iter().map(|times| times.busy_seconds).filter(|busy| *busy > 0).collect();
    let workers = Seconds::try_from(busy.len()).ok().filter(|workers| *workers > 1)?;
    let longest = *busy.iter().max()?;
    ratio(busy.iter().sum(), longest.saturating_mul(workers)).map(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_measured_by_each_other() {
        let plan = Plan::parse(
            "workflow: w\ngoal: g\nworkers:\n  - {id: a, name: a, owns: [a], size: S}\n  \
             - {id: b, name: b, owns: [b], size: L}\n  - {id: c, name: c, owns: [c]}\n",
        )
        .unwrap();
        let busy = |seconds| Times { busy_seconds: seconds, ..Times::default() };
        // 5 units took 1000 s: S promises 200, L 800.
        let times = [busy(600), busy(400), busy(900)];
        assert_eq!(against_estimates(&plan, &times), [Some(3.0), Some(0.5), None]);
        let found = sizes(&plan, &times);
        assert_eq!((found.len(), found[0].median_seconds), (2, 600));
        assert_eq!(balance(&times), Some(0.7));
        assert_eq!(against_estimates(&plan, &[busy(600), busy(0), busy(0)]), [None, None, None]);
        assert_eq!(balance(&[busy(600), busy(0)]), None);
        assert_eq!(median(&[1, 3]), Some(2));
    }
}
