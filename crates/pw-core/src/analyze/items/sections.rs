//! Which blocks of a document are work.
//!
//! A section's strongest form wins: boxes; else list items; else its heading, when it asks for
//! something; else its paragraphs that do. What is nested in an item belongs to it, unless the item
//! only introduces a list.

use super::document::{Block, Document, Form};
use super::words::{asks, is_action, is_background, is_item_heading, is_label};

/// One piece of work as it stands in a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    /// Its own words.
    pub text: String,
    /// What is nested in it: steps, and labels like `Files:`.
    pub steps: Vec<String>,
    pub spans: Vec<String>,
    /// The headings and introducing items above it, the outermost first.
    pub context: Vec<String>,
    /// Its number in a numbered list or a heading.
    pub number: Option<u64>,
    /// Which of the documents it stands in, and in which section there.
    pub document: usize,
    pub section: usize,
    pub line: usize,
    pub is_done: bool,
    is_task: bool,
}

/// The work of a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    pub drafts: Vec<Draft>,
    /// Headings below which something stands that was not taken for work.
    pub background: Vec<String>,
}

/// A heading, and the blocks up to the next one.
struct Section<'d> {
    titles: Vec<&'d str>,
    level: usize,
    line: usize,
    spans: &'d [String],
    blocks: &'d [Block],
}

impl Work {
    pub(super) fn of(document: &Document) -> Self {
        let sections = sections(&document.blocks);
        let mut work = Self::default();
        let mut at = 0;
        while at < sections.len() {
            let section = &sections[at];
            let title = section.titles.last().copied().unwrap_or_default();
            let deeper = sections[at + 1..].iter().take_while(|below| below.level > section.level);
            if section.titles.iter().any(|title| is_background(title)) {
                if !section.blocks.is_empty() {
                    work.background.push(title.to_owned());
                }
            } else if is_item_heading(title) {
                let below: Vec<&Section<'_>> = deeper.collect();
                let blocks = below.iter().flat_map(|below| below.blocks);
                work.drafts.push(heading(section, section.blocks.iter().chain(blocks), at));
                at += below.len();
            } else {
                work.drafts.extend(drafts(section, at));
            }
            at += 1;
        }
        if work.drafts.is_empty() {
            let is_read = |section: &&Section<'_>| !section.titles.iter().any(|t| is_background(t));
            let all = sections.iter().filter(is_read).flat_map(|section| {
                section.blocks.iter().map(|block| draft(block, &[], &section.context(), 0))
            });
            work.drafts = all.filter(|draft| !draft.text.ends_with(':')).collect();
        }
        work
    }
}

impl Section<'_> {
    fn context(&self) -> Vec<String> {
        self.titles.iter().map(|title| (*title).to_owned()).collect()
    }
}

fn sections(blocks: &[Block]) -> Vec<Section<'_>> {
    let is_heading = |block: &Block| matches!(block.form, Form::Heading(_));
    let mut sections = Vec::new();
    let mut titles: Vec<(usize, &str)> = Vec::new();
    let mut rest = blocks;
    while !rest.is_empty() {
        let (level, line, spans): (_, _, &[String]) = match &rest[0] {
            Block { form: Form::Heading(level), text, line, spans, .. } => {
                titles.retain(|(above, _)| above < level);
                titles.push((*level, text));
                rest = &rest[1..];
                (*level, *line, spans)
            }
            _ => (0, rest[0].line, &[]),
        };
        let end = rest.iter().position(is_heading).unwrap_or(rest.len());
        let titles = titles.iter().map(|(_, title)| *title).collect();
        sections.push(Section { titles, level, line, spans, blocks: &rest[..end] });
        rest = &rest[end..];
    }
    sections
}

/// Returns the work of one section.
fn drafts(section: &Section<'_>, at: usize) -> Vec<Draft> {
    let title = section.titles.last().copied().unwrap_or_default();
    let has_items = section.blocks.iter().any(|block| block.form.is_item());
    let tells_of_title =
        section.blocks.iter().any(|block| block.depth < 2 && is_label(&block.text));
    let is_one = tells_of_title || !has_items;
    if is_one && is_action(title) && section.level > 1 {
        return vec![heading(section, section.blocks.iter(), at)];
    }
    if !has_items {
        let work = section.blocks.iter().filter(|block| asks(&block.text));
        return work.map(|block| draft(block, &[], &section.context(), at)).collect();
    }
    let mut found = Vec::new();
    collect(section.blocks, 1, &section.context(), at, &mut found);
    if found.iter().any(|draft| draft.is_task) {
        found.retain(|draft| draft.is_task);
    }
    found
}

/// Adds the items of this depth, or what they introduce.
fn collect(blocks: &[Block], depth: usize, context: &[String], at: usize, found: &mut Vec<Draft>) {
    let mut rest = blocks;
    let mut introduction: Option<&str> = None;
    while let Some((block, behind)) = rest.split_first() {
        if block.depth < depth {
            introduction = block.text.strip_suffix(':');
            rest = behind;
            continue;
        }
        let end = behind.iter().position(|other| other.depth <= depth).unwrap_or(behind.len());
        let (nested, behind) = behind.split_at(end);
        rest = behind;
        if introduction.is_some_and(is_background) || is_label(&block.text) {
            continue;
        }
        if introduces(block, nested) {
            let text = block.text.trim_end_matches(':');
            let context = context.iter().map(String::as_str).chain([text]);
            let context: Vec<String> =
                context.filter(|t| !t.is_empty()).map(str::to_owned).collect();
            if !is_background(text) {
                collect(nested, depth + 1, &context, at, found);
            }
        } else if !block.text.is_empty() {
            found.push(draft(block, nested, context, at));
        }
    }
}

/// Returns whether an item only says what the list in it is about.
fn introduces(block: &Block, nested: &[Block]) -> bool {
    let is_task = |block: &Block| matches!(block.form, Form::Task { .. });
    let is_list = block.text.ends_with(':') || block.text.is_empty();
    !nested.is_empty() && (is_list || (!is_task(block) && nested.iter().any(is_task)))
}

fn draft(block: &Block, nested: &[Block], context: &[String], section: usize) -> Draft {
    Draft {
        text: block.text.clone(),
        steps: nested.iter().map(|block| block.text.clone()).collect(),
        spans: block.spans.iter().chain(nested.iter().flat_map(|b| &b.spans)).cloned().collect(),
        context: context.to_vec(),
        number: block.number,
        document: 0,
        section,
        line: block.line,
        is_done: block.form == Form::Task { is_done: true },
        is_task: matches!(block.form, Form::Task { .. }),
    }
}

/// Returns a heading as an item, what stands below it as its steps; done when all its boxes are.
fn heading<'d>(section: &Section<'d>, below: impl Iterator<Item = &'d Block>, at: usize) -> Draft {
    let below: Vec<&Block> = below.collect();
    let mut titles = section.context();
    let text = titles.pop().unwrap_or_default();
    let boxes = || below.iter().filter(|block| matches!(block.form, Form::Task { .. }));
    let is_done = |block: &&Block| block.form == Form::Task { is_done: true };
    let number = match is_item_heading(&text) {
        true => super::words::words(&text).nth(1),
        false => None,
    };
    Draft {
        steps: below.iter().map(|block| block.text.clone()).collect(),
        spans: section.spans.iter().chain(below.iter().flat_map(|b| &b.spans)).cloned().collect(),
        context: titles,
        number: number.and_then(|number| number.trim_start_matches('#').parse().ok()),
        document: 0,
        section: at,
        line: section.line,
        is_done: boxes().next().is_some() && boxes().all(is_done),
        is_task: false,
        text,
    }
}
