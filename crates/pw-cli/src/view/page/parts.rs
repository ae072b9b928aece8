//! What all parts of the page are made of: texts, and boxes that scroll.

use maud::{Markup, html};

use crate::view::table::plain_lines;

/// Returns a text for people to read: no control characters, and none that turn around what
/// follows.
pub(super) fn said(text: &str) -> String {
    plain_lines(text)
}

pub(super) fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

/// Returns a part of the page that can be wider than the screen, and is scrolled by keys as well.
pub(super) fn wide(label: &str, content: &Markup) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(label) { (content) }
    }
}
