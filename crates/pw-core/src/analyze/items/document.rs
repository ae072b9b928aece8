//! A Markdown document as the blocks that can be work: headings, list items, paragraphs.
//!
//! Quotes, code blocks, tables, comments and front matter are no worker's task; tables are counted, so
//! that the answer can say that they were not read.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Lists nested deeper than this count as this deep.
const DEEPEST: usize = 12;

/// What a document holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    /// In the order of the document.
    pub blocks: Vec<Block>,
    /// How many tables there are, which are not read.
    pub tables: usize,
}

/// One heading, list item or paragraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub form: Form,
    /// How many lists it lies in; 0 for headings and paragraphs.
    pub depth: usize,
    /// The number of an item of a numbered list.
    pub number: Option<u64>,
    /// Its own words on one line, code spans in backticks; nested lists are blocks of their own.
    pub text: String,
    /// What stands in backticks, and where relative links lead.
    pub spans: Vec<String>,
    /// Counted from 1.
    pub line: usize,
}

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A heading of this level, 1 to 6.
    Heading(usize),
    /// A list item with a box.
    Task { is_done: bool },
    /// An item without one.
    Bullet,
    /// A paragraph in no list.
    Paragraph,
}

impl Form {
    pub(super) fn is_item(self) -> bool {
        matches!(self, Self::Task { .. } | Self::Bullet)
    }
}

impl Document {
    pub(super) fn read(text: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        let options = Options::ENABLE_TASKLISTS
            | Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
        let mut reader = Reader { lines: Lines { text, at: 0, line: 1 }, ..Reader::new(text) };
        for (event, place) in Parser::new_ext(text, options).into_offset_iter() {
            reader.event(event, &place);
        }
        reader.document.blocks.retain(|block| !block.text.is_empty() || block.form.is_item());
        reader.document
    }
}

/// Counts lines on the way through a text.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn at(&mut self, offset: usize) -> usize {
        if let Some(passed) = self.text.as_bytes().get(self.at..offset) {
            self.line += passed.iter().filter(|byte| **byte == b'\n').count();
            self.at = offset;
        }
        self.line
    }
}

struct Reader<'t> {
    document: Document,
    lines: Lines<'t>,
    /// The open blocks, the innermost last.
    open: Vec<usize>,
    /// The number that the next item of each open list has; `None` in lists without numbers.
    lists: Vec<Option<u64>>,
    /// How many quotes, code blocks, tables and the like are open.
    skipped: usize,
    /// Whether what comes is struck through: an item of such words only is done.
    struck: bool,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            document: Document::default(),
            lines: Lines { text, at: 0, line: 1 },
            open: Vec::new(),
            lists: Vec::new(),
            skipped: 0,
            struck: false,
        }
    }

    fn event(&mut self, event: Event<'_>, place: &Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, place),
            Event::End(tag) => self.end(tag),
            _ if self.skipped > 0 => {}
            Event::TaskListMarker(is_done) => self.form(Form::Task { is_done }),
            Event::Text(text) => self.write(&text),
            Event::Code(code) => {
                self.write(&format!("`{code}`"));
                self.span(&code);
            }
            Event::SoftBreak | Event::HardBreak => self.write(" "),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, place: &Range<usize>) {
        match tag {
            Tag::BlockQuote(_)
            | Tag::CodeBlock(_)
            | Tag::MetadataBlock(_)
            | Tag::HtmlBlock
            | Tag::FootnoteDefinition(_) => self.skipped += 1,
            Tag::Table(_) => {
                self.document.tables += usize::from(self.skipped == 0);
                self.skipped += 1;
            }
            _ if self.skipped > 0 => {}
            Tag::Heading { level, .. } => self.begin(Form::Heading(level as usize), None, place),
            Tag::List(first) => self.lists.push(first),
            Tag::Item => {
                let next = self.lists.last_mut().and_then(Option::as_mut);
                let number = next.map(|next| std::mem::replace(next, next.saturating_add(1)));
                self.begin(Form::Bullet, number, place);
            }
            // A second paragraph of an item goes on with it.
            Tag::Paragraph if self.lists.is_empty() => self.begin(Form::Paragraph, None, place),
            Tag::Paragraph => self.write(" "),
            Tag::Link { dest_url, .. } if !dest_url.contains(':') && !dest_url.starts_with('#') => {
                self.span(dest_url.split('#').next().unwrap_or_default());
            }
            Tag::Strikethrough => self.struck = true,
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::BlockQuote(_)
            | TagEnd::CodeBlock
            | TagEnd::MetadataBlock(_)
            | TagEnd::HtmlBlock
            | TagEnd::FootnoteDefinition
            | TagEnd::Table => self.skipped -= 1,
            _ if self.skipped > 0 => {}
            TagEnd::List(_) => drop(self.lists.pop()),
            TagEnd::Paragraph if !self.lists.is_empty() => {}
            TagEnd::Heading(_) | TagEnd::Item | TagEnd::Paragraph => self.close(),
            TagEnd::Strikethrough => {
                self.struck = false;
                let is_all = self.block().is_some_and(|block| block.text.is_empty());
                if is_all {
                    self.form(Form::Task { is_done: true });
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, form: Form, number: Option<u64>, place: &Range<usize>) {
        let line = self.lines.at(place.start);
        self.open.push(self.document.blocks.len());
        let depth = self.lists.len().min(DEEPEST);
        let (text, spans) = (String::new(), Vec::new());
        self.document.blocks.push(Block { form, depth, number, text, spans, line });
    }

    fn close(&mut self) {
        if let Some(block) = self.open.pop().and_then(|at| self.document.blocks.get_mut(at)) {
            block.text = block.text.split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }

    fn block(&mut self) -> Option<&mut Block> {
        self.open.last().and_then(|at| self.document.blocks.get_mut(*at))
    }

    fn form(&mut self, form: Form) {
        if let Some(block) = self.block().filter(|block| block.form.is_item()) {
            block.form = form;
        }
    }

    fn write(&mut self, text: &str) {
        if self.struck {
            return;
        }
        if let Some(block) = self.block() {
            block.text += text;
        }
    }

    fn span(&mut self, text: &str) {
        if let Some(block) = self.block().filter(|_| !text.is_empty()) {
            block.spans.push(text.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_headings_items_and_paragraphs_each_with_its_line() {
        let text = "---\ntitle: t\n---\n# Plan\n\nSome words\nin `a.rs`.\n\n- [ ] one\n\n  more\n  \
                    - nested\n- [x] two\n\n3. three [x](docs/y.md#z)\n\n> - quoted\n\n```\n- code\n```\n\n\
                    <!-- - hidden -->\n\n| a |\n|---|\n| b |\n\n- ~~dropped~~\n";
        let document = Document::read(text);
        let told: Vec<(Form, usize, &str, usize)> = document
            .blocks
            .iter()
            .map(|block| (block.form, block.depth, block.text.as_str(), block.line))
            .collect();
        let open = Form::Task { is_done: false };
        let done = Form::Task { is_done: true };
        assert_eq!(
            told,
            [
                (Form::Heading(1), 0, "Plan", 4),
                (Form::Paragraph, 0, "Some words in `a.rs`.", 6),
                (open, 1, "one more", 9),
                (Form::Bullet, 2, "nested", 12),
                (done, 1, "two", 13),
                (Form::Bullet, 1, "three x", 15),
                (done, 1, "", 29),
            ]
        );
        assert_eq!((&document.blocks[1].spans, document.tables), (&vec!["a.rs".to_owned()], 1));
        assert_eq!(document.blocks[5].number, Some(3));
        assert_eq!(document.blocks[5].spans, ["docs/y.md"]);
    }
}
