//! The live view: a row for each worker, and everything about the selected one.
//!
//! Pure: what was seen, keys and the time come in, cells go out.

mod detail;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use pw_core::history::Commit;
use pw_core::id::WorkerId;
use pw_core::status::{Status, WorkerStatus};
use pw_core::time::Seconds;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table, TableState};

use super::condition::{Tone, age, condition, said};
use super::monitor::used;
use super::table::plain;

/// What one poll found.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The answer of `pw-monitor status` at that moment.
    pub status: Status,
    /// Each worker's own commits, the newest first.
    pub commits: BTreeMap<WorkerId, Vec<Commit>>,
    /// When it was.
    pub at: Seconds,
    /// Why changes may be seen late.
    pub notes: Vec<String>,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing but a new drawing.
    Stay,
    /// A poll now.
    Refresh,
    /// The end of the view.
    Quit,
}

/// The live view of one workflow.
#[derive(Debug)]
pub struct Watch {
    picture: Picture,
    table: TableState,
    /// Whether the details have the screen to themselves.
    is_wide: bool,
    /// First line of the details that is shown.
    scroll: u16,
    /// Why the newest look failed.
    trouble: Option<String>,
    /// A look was asked for and is not there yet.
    is_looking: bool,
    has_colour: bool,
}

/// Height of the details below which only the table is shown.
const MIN_DETAIL: u16 = 6;

impl Watch {
    /// Begins with a first picture; the first worker is selected.
    pub fn new(picture: Picture, has_colour: bool) -> Self {
        let table = TableState::new().with_selected(0);
        let (scroll, trouble) = (0, None);
        Self { picture, table, is_wide: false, scroll, trouble, is_looking: false, has_colour }
    }

    /// Takes over what a look found.
    pub fn show(&mut self, picture: Picture) {
        let selected = self.selected().map(|worker| worker.id.clone());
        self.picture = picture;
        let workers = &self.picture.status.workers;
        let same = workers.iter().position(|worker| Some(&worker.id) == selected.as_ref());
        self.table.select(same.or(Some(0)));
        (self.trouble, self.is_looking) = (None, false);
    }

    /// Shows that a poll failed; the previous picture stays.
    pub fn fail(&mut self, trouble: String) {
        (self.trouble, self.is_looking) = (Some(trouble), false);
    }

    /// Takes a key; returns what it asks the caller for.
    pub fn on_key(&mut self, key: KeyEvent) -> Step {
        if key.kind == KeyEventKind::Release {
            return Step::Stay;
        }
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if is_control => return Step::Quit,
            KeyCode::Char('q') => return Step::Quit,
            KeyCode::Esc if !self.is_wide => return Step::Quit,
            KeyCode::Esc => self.is_wide = false,
            KeyCode::Enter | KeyCode::Tab => {
                (self.is_wide, self.scroll) = (!self.is_wide, 0);
            }
            KeyCode::Char('r') => {
                self.is_looking = true;
                return Step::Refresh;
            }
            KeyCode::Char('j') | KeyCode::Down => self.select(1),
            KeyCode::Char('k') | KeyCode::Up => self.select(-1),
            KeyCode::Char('g') | KeyCode::Home => self.select(isize::MIN),
            KeyCode::Char('G') | KeyCode::End => self.select(isize::MAX),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll = self.scroll.saturating_add(5),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(5),
            _ => {}
        }
        Step::Stay
    }

    fn select(&mut self, by: isize) {
        let last = self.picture.status.workers.len().saturating_sub(1);
        let at = self.table.selected().unwrap_or_default().saturating_add_signed(by).min(last);
        self.table.select(Some(at));
        self.scroll = 0;
    }

    fn selected(&self) -> Option<&WorkerStatus> {
        self.picture.status.workers.get(self.table.selected()?)
    }

    /// Draws everything as it is at `now`: ages go on by the clock.
    pub fn draw(&mut self, frame: &mut Frame<'_>, now: Seconds) {
        let passed = now.saturating_sub(self.picture.at).max(0);
        let head = [self.title(frame.area().width), self.notices()].concat();
        let height = u16::try_from(head.len()).unwrap_or(u16::MAX).saturating_add(1);
        let rows = [Constraint::Length(height), Constraint::Min(0), Constraint::Length(1)];
        let [top, body, foot] = Layout::vertical(rows).areas(frame.area());
        frame.render_widget(Paragraph::new(head), top);
        let (above, below) = self.split(body);
        if above.height > 0 {
            let table = self.rows(above.width, passed);
            frame.render_stateful_widget(table, above, &mut self.table);
        }
        if below.height > 0 {
            self.draw_detail(frame, below, passed);
        }
        frame.render_widget(self.footer(foot.width, passed), foot);
    }

    /// Returns the workflow's name and how it is, in two lines at most.
    fn title(&self, width: u16) -> Vec<Line<'static>> {
        let status = &self.picture.status;
        let name = format!(" {}  ", status.workflow);
        let room = usize::from(width).saturating_sub(name.len() + 1).max(20);
        let summary = line(&status.summary);
        let parts = textwrap::wrap(&summary, room).into_iter().map(Cow::into_owned);
        let indent = " ".repeat(name.len());
        let names = [Span::styled(name, Modifier::BOLD), Span::raw(indent)];
        parts.zip(names).map(|(part, name)| Line::from(vec![name, Span::raw(part)])).collect()
    }

    /// Divides the body between the table and the details of the selected worker.
    fn split(&self, body: Rect) -> (Rect, Rect) {
        let workers = u16::try_from(self.picture.status.workers.len()).unwrap_or(u16::MAX);
        let above = match (self.is_wide, body.height) {
            (true, _) => 0,
            (false, height) if height < MIN_DETAIL + 3 => height,
            (false, height) => workers.saturating_add(2).min((height - MIN_DETAIL).max(height / 2)),
        };
        let [above, below] =
            Layout::vertical([Constraint::Length(above), Constraint::Min(0)]).areas(body);
        (above, below)
    }

    /// Returns what concerns all workers: at most three lines.
    fn notices(&self) -> Vec<Line<'static>> {
        let status = &self.picture.status;
        let mut lines: Vec<Line<'_>> = Vec::new();
        for group in &status.deadlocks {
            let names: Vec<&str> = group.iter().map(WorkerId::as_str).collect();
            let text = format!(" {} wait for each other", names.join(", "));
            lines.push(Line::styled(text, self.tone(Tone::Needs)));
        }
        for step in status.next.iter().filter(|step| step.worker.is_none()) {
            lines.push(Line::from(vec![
                Span::styled(format!(" {}: ", step.action), Modifier::BOLD),
                Span::raw(plain(&step.command)),
            ]));
        }
        lines.truncate(3);
        lines
    }

    fn rows(&self, width: u16, passed: Seconds) -> Table<'static> {
        let longest = self.picture.status.workers.iter().map(|worker| worker.label.len()).max();
        let columns = Column::that_fit(
            width,
            longest.unwrap_or_default(),
            self.picture.status.usage.is_some(),
        );
        let cells = |worker: &WorkerStatus| {
            Row::new(
                columns
                    .iter()
                    .map(|(column, _)| self.cell(*column, worker, passed))
                    .collect::<Vec<_>>(),
            )
        };
        let head = columns.iter().map(|(column, _)| column.title());
        let widths = columns.iter().map(|(_, width)| *width);
        Table::new(self.picture.status.workers.iter().map(cells), widths)
            .header(Row::new(head).style(Modifier::DIM))
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
            .highlight_symbol(" ")
    }

    fn cell(&self, column: Column, worker: &WorkerStatus, passed: Seconds) -> Cell<'static> {
        let number = |number: usize| match number {
            // A default cell would span no column.
            0 => Cell::new(""),
            _ => Cell::from(Line::from(number.to_string()).right_aligned()),
        };
        match column {
            Column::Worker => Cell::from(plain(&worker.label)),
            Column::State => {
                let (word, tone) = condition(worker);
                Cell::from(word).style(self.tone(tone))
            }
            Column::Signal => self.signal(worker),
            Column::Age => {
                let age = worker.signal.as_ref().map(|signal| age(signal.age_seconds + passed));
                Cell::from(Line::from(age.unwrap_or_default()).right_aligned())
            }
            Column::Open => number(worker.uncommitted.len()),
            Column::Outside => number(worker.out_of_scope.len()).style(self.tone(Tone::Needs)),
            Column::Collide => {
                let conflicts = self.picture.status.conflicts.iter();
                number(conflicts.filter(|conflict| conflict.workers.contains(&worker.id)).count())
                    .style(self.tone(Tone::Waits))
            }
            Column::Tokens => {
                let [tokens, _] = used(worker.usage.as_ref());
                Cell::from(Line::from(tokens).right_aligned())
            }
        }
    }

    /// Returns what the worker says; what it meant to say, when that does not count.
    fn signal(&self, worker: &WorkerStatus) -> Cell<'static> {
        match (&worker.signal, worker.near_misses.first()) {
            (None, Some(miss)) => {
                Cell::from(format!("? {}", line(&miss.subject))).style(self.tone(Tone::Needs))
            }
            (Some(signal), _) => Cell::from(line(&said(signal))),
            (None, None) => Cell::new(""),
        }
    }

    fn draw_detail(&mut self, frame: &mut Frame<'_>, area: Rect, passed: Seconds) {
        let Some(worker) = self.selected() else { return };
        let title = Span::styled(format!(" {} ", plain(&worker.label)), Modifier::BOLD);
        let block = Block::new().borders(Borders::TOP).title(title).border_style(Modifier::DIM);
        let inner = block.inner(area);
        let lines = self.detail(worker, usize::from(inner.width), passed);
        let most = lines.len().saturating_sub(usize::from(inner.height));
        self.scroll = self.scroll.min(u16::try_from(most).unwrap_or(u16::MAX));
        frame.render_widget(block, area);
        frame.render_widget(Paragraph::new(lines).scroll((self.scroll, 0)), inner);
    }

    fn footer(&self, width: u16, passed: Seconds) -> Line<'static> {
        if let Some(trouble) = &self.trouble {
            let text = format!(" seen {} ago, since then: {}", age(passed), line(trouble));
            return Line::styled(text, self.tone(Tone::Needs));
        }
        let detail = if self.is_wide { "back" } else { "details" };
        let long = format!(" ↑↓ select  Enter {detail}  PgDn scroll  r refresh  q quit");
        let keys = match long.chars().count() > usize::from(width) {
            true => format!(" ↑↓  Enter {detail}  q quit"),
            false => long,
        };
        let state = match (self.is_looking, self.picture.notes.first()) {
            (true, _) => "looking…",
            (false, Some(_)) => "no notifications: looks every 5 s",
            (false, None) => "",
        };
        let gap =
            usize::from(width).saturating_sub(keys.chars().count() + state.chars().count() + 1);
        Line::styled(format!("{keys}{}{state}", " ".repeat(gap)), Modifier::DIM)
    }

    fn tone(&self, tone: Tone) -> Style {
        match (self.has_colour, tone) {
            // What red says must be seen without it.
            (false, Tone::Needs) => Style::new().add_modifier(Modifier::BOLD),
            (false, _) | (_, Tone::Works) => Style::new(),
            (true, Tone::Needs) => Style::new().fg(Color::Red),
            (true, Tone::Waits) => Style::new().fg(Color::Yellow),
            (true, Tone::Done) => Style::new().fg(Color::Green),
        }
    }
}

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Worker,
    State,
    Signal,
    Age,
    Open,
    Outside,
    Collide,
    Tokens,
}

impl Column {
    /// Returns the columns that there is room for, each with its width.
    fn that_fit(width: u16, longest: usize, has_usage: bool) -> Vec<(Self, Constraint)> {
        let name = u16::try_from(longest).unwrap_or(u16::MAX).clamp(6, 24);
        let mut columns = vec![
            (Self::Worker, name),
            (Self::State, 11),
            (Self::Signal, 12),
            (Self::Age, 6),
            (Self::Open, 4),
            (Self::Outside, 3),
            (Self::Collide, 5),
        ];
        if has_usage {
            columns.push((Self::Tokens, 6));
        }
        let needed =
            |columns: &[(Self, u16)]| columns.iter().map(|(_, width)| width + 1).sum::<u16>();
        for least in
            [Self::Tokens, Self::Collide, Self::Outside, Self::Open, Self::Age, Self::Signal]
        {
            if needed(&columns) >= width {
                columns.retain(|(column, _)| *column != least);
            }
        }
        let constraint = |(column, width)| match column {
            Self::Signal => (column, Constraint::Fill(1)),
            _ => (column, Constraint::Length(width)),
        };
        columns.into_iter().map(constraint).collect()
    }

    fn title(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::State => "state",
            Self::Signal => "last signal",
            Self::Age => "   age",
            Self::Open => "open",
            Self::Outside => "out",
            Self::Collide => "clash",
            Self::Tokens => "tokens",
        }
    }
}

/// Returns text as one line without control characters.
fn line(text: &str) -> String {
    plain(text).split_whitespace().collect::<Vec<_>>().join(" ")
}
