//! The grade: completion 30, blocks 20, conflicts 20, conventions 15, timing 15.

use super::sizes::{ratio, rounded};
use super::{Grade, GradeName, GradePart, Times};
use crate::text::counted;

/// What the rubric looks at.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    /// Workers of the plan, and those that are complete.
    pub(super) workers: usize,
    pub(super) complete: usize,
    pub(super) times: Times,
    /// Workers with something to merge, and those of them that collided or stopped.
    pub(super) merging: usize,
    pub(super) colliding: usize,
    /// What was agreed of signals, scopes and checkpoints, and how much of it held.
    pub(super) agreed: usize,
    pub(super) held: usize,
    pub(super) efficiency: Option<f64>,
}

/// The efficiency that deserves all points: starting, merging and testing take time, too.
const GOOD_EFFICIENCY: f64 = 0.7;

pub(super) fn grade(marks: &Marks) -> Grade {
    let parts =
        vec![completion(marks), blocks(marks), conflicts(marks), conventions(marks), timing(marks)];
    let known = || parts.iter().filter_map(|part| Some((part.points?, part.of)));
    let (points, of): (f64, f64) =
        known().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    let letter = (of > 0.0).then(|| letter(points / of * 100.0));
    Grade { letter, points: rounded(points), of, parts }
}

fn letter(percent: f64) -> char {
    let scale = [(90.0, 'A'), (80.0, 'B'), (70.0, 'C'), (60.0, 'D')];
    scale.into_iter().find(|(from, _)| percent >= *from).map_or('F', |(_, letter)| letter)
}

fn part(name: GradeName, of: f64, share: Option<f64>, verdict: String) -> GradePart {
    GradePart { name, points: share.map(|share| rounded(share * of)), of, verdict }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of workers")]
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn completion(marks: &Marks) -> GradePart {
    let verdict = format!("{} of {} complete", marks.complete, counted(marks.workers, "worker"));
    part(GradeName::Completion, 30.0, share(marks.complete, marks.workers), verdict)
}

fn blocks(marks: &Marks) -> GradePart {
    let Times { lifetime_seconds, blocked_seconds, waiting_seconds, .. } = marks.times;
    if lifetime_seconds == 0 {
        let verdict = "no time is known".to_owned();
        return part(GradeName::Blocks, 20.0, None, verdict);
    }
    let of_all = |seconds| ratio(seconds, lifetime_seconds).unwrap_or_default();
    let stood = of_all(blocked_seconds + waiting_seconds);
    let (points, word) = match stood {
        share if share < 0.1 => (1.0, "excellent"),
        share if share <= 0.3 => (0.5, "acceptable"),
        _ => (0.0, "one after the other might have been faster"),
    };
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let verdict = format!(
        "{} of the workers' time blocked, {} waiting for each other: {word}",
        percent(of_all(blocked_seconds)),
        percent(of_all(waiting_seconds))
    );
    part(GradeName::Blocks, 20.0, Some(points), verdict)
}

fn conflicts(marks: &Marks) -> GradePart {
    let clean = marks.merging.saturating_sub(marks.colliding);
    let verdict = match marks.merging {
        0 => "nothing to merge yet".to_owned(),
        merging => format!("{} of {} conflicted", marks.colliding, counted(merging, "worker")),
    };
    part(GradeName::Conflicts, 20.0, share(clean, marks.merging), verdict)
}

fn conventions(marks: &Marks) -> GradePart {
    let verdict = match marks.agreed {
        0 => "no worker has committed anything".to_owned(),
        agreed => format!(
            "{} of {agreed} held: signals as agreed, files inside the scope, all checkpoints, complete at the end",
            marks.held
        ),
    };
    part(GradeName::Conventions, 15.0, share(marks.held, marks.agreed), verdict)
}

fn timing(marks: &Marks) -> GradePart {
    let verdict = match marks.efficiency {
        None => "no time is known".to_owned(),
        Some(efficiency) => {
            let percent = efficiency * 100.0;
            format!("{percent:.0} % of the run was its critical path; all points from 70 %")
        }
    };
    let points = marks.efficiency.map(|efficiency| (efficiency / GOOD_EFFICIENCY).min(1.0));
    part(GradeName::Timing, 15.0, points, verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks() -> Marks {
        Marks {
            workers: 4,
            complete: 4,
            times: Times { lifetime_seconds: 1_000, busy_seconds: 1_000, ..Times::default() },
            merging: 4,
            colliding: 0,
            agreed: 16,
            held: 16,
            efficiency: Some(0.8),
        }
    }

    #[test]
    fn the_rubric_is_what_it_says() {
        let points = |marks: &Marks| {
            let grade = grade(marks);
            (grade.points, grade.of, grade.letter)
        };
        assert_eq!(points(&marks()), (100.0, 100.0, Some('A')));
        let mut half = marks();
        half.complete = 2;
        assert_eq!(points(&half), (85.0, 100.0, Some('B')));
        for (blocked, expected) in [(99, 100.0), (100, 90.0), (300, 90.0), (301, 80.0)] {
            let mut marks = marks();
            marks.times.blocked_seconds = blocked;
            assert_eq!(points(&marks).0, expected, "{blocked}");
        }
        let collided = Marks { colliding: 2, held: 8, efficiency: Some(0.35), ..marks() };
        assert_eq!(points(&collided), (75.0, 100.0, Some('C')));
        // Of a pair that conflicts, one was merged as it was; the other was not, because of it.
        let said =
            grade(&collided).parts.into_iter().find(|part| part.name == GradeName::Conflicts);
        assert_eq!(said.unwrap().verdict, format!("2 of {} workers conflicted", collided.merging));
    }

    #[test]
    fn what_is_not_known_is_not_counted() {
        let begun = Marks { workers: 2, ..Marks::default() };
        let grade = grade(&begun);
        assert_eq!((grade.points, grade.of, grade.letter), (0.0, 30.0, Some('F')));
        assert_eq!(grade.parts.iter().filter(|part| part.points.is_none()).count(), 4);
        assert_eq!(super::grade(&Marks::default()).letter, None);
    }
}
