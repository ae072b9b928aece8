//! What else the run could have been: another number of workers, other owners of its files.

use maud::{Markup, html};
use pw_core::retro::{Hindsight, Retro};
use pw_core::time::about;

use super::parts::{percent, said, wide};

pub(super) fn section(retro: &Retro) -> Markup {
    html! {
        @if !retro.counterfactuals.is_empty() {
            section aria-labelledby="otherwise" {
                h2 id="otherwise" { "Another number of workers" }
                ul { @for one in &retro.counterfactuals { li { (said(&one.text)) } } }
                p.soft {
                    "From the busy times of this run: at best without any pause, at worst with as much lost around the work \
                     as here, or nothing gained."
                }
            }
        }
        @if let Some(found) = &retro.hindsight { (hindsight(found)) }
    }
}

fn hindsight(found: &Hindsight) -> Markup {
    html! {
        section aria-labelledby="hindsight" {
            h2 id="hindsight" { "The split that hindsight suggests" }
            @if found.moves.is_empty() {
                p { "No other owner of a folder or file would have made the run clearly faster." }
            } @else {
                p {
                    "With these owners " strong { (about(found.least_seconds)) " to " (about(found.most_seconds)) }
                    ". Without any pause the run as it was would have taken " (about(found.own_seconds)) "."
                }
                (wide("What other workers should have owned", &moves(found)))
                @if !found.owns.is_empty() { (owns(found)) }
                p.soft {
                    "The work of each commit is played again with other owners of its files: at best without any pause, at \
                     worst with as much lost around the work as in this run. When each piece takes half to twice as long, \
                     this is the faster one in " (percent(found.sure)) " of the trials."
                    @if let Some(past) = &found.past {
                        " Of " (past.changes) " past changes of several of these files " (past.crossing) " crossed workers; \
                         with these owners " (past.would_cross) " would."
                    }
                }
            }
        }
    }
}

fn moves(found: &Hindsight) -> Markup {
    html! {
        table {
            thead { tr {
                @for name in ["folder or file", "from", "to"] { th scope="col" { (name) } }
                @for name in ["files", "work"] { th.n scope="col" { (name) } }
                th scope="col" { "seen in" }
            } }
            tbody {
                @for one in &found.moves {
                    tr {
                        th scope="row" { code { (said(&one.glob)) } } td { (one.from) } td { (one.to) }
                        td.n { (one.files) } td.n { (about(one.seconds)) }
                        td { @for (at, commit) in one.commits.iter().enumerate() { @if at > 0 { ", " } code { (commit.short()) } } }
                    }
                }
            }
        }
    }
}

fn owns(found: &Hindsight) -> Markup {
    html! {
        p { "In the plan:" }
        ul {
            @for new in &found.owns {
                li {
                    "to " code { "owns" } " of " (new.worker) " add "
                    @for (at, glob) in new.add.iter().enumerate() { @if at > 0 { ", " } code { (said(glob)) } }
                }
            }
        }
    }
}
