//! `pw-setup explain`: what a word of an answer means and what to do about it. Reads nothing.

use anyhow::Result;
use pw_core::remedy;

use crate::shell::Answer;
use crate::view;

pub(super) fn explain(word: &str) -> Result<Answer> {
    Answer::of(&remedy::explain(word)?, view::explained)
}
