//! The terminal while a view has it to itself: taken over, drawn on, and given back as it was.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use crossterm::event::{self, Event};
use pw_core::failure::{Code, Failure};
use ratatui::{DefaultTerminal, Frame};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// A view that lives on the screen until the user leaves it.
pub trait Live: std::fmt::Debug {
    /// Draws and answers keys; returns when the user is done or [`Screen::is_over`].
    fn show(&mut self, screen: &mut Screen) -> Result<()>;
}

/// The terminal, taken over.
#[derive(Debug)]
pub struct Screen {
    terminal: DefaultTerminal,
    /// The signal that asked the process to end; 0 for none.
    signal: Arc<AtomicUsize>,
}

/// Refuses unless stdout is a terminal that can be drawn on.
pub(super) fn require_terminal(hint: &str) -> Result<(), Failure> {
    let refusal = |message: &str| Failure::new(Code::Usage, message).hint(hint);
    if !std::io::stdout().is_terminal() {
        return Err(refusal("a live view needs a terminal, and stdout is none"));
    }
    if crossterm::terminal::size().is_ok_and(|(width, height)| width == 0 || height == 0) {
        return Err(refusal("the terminal does not say how large it is: stty rows 24 cols 80"));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(refusal("a live view needs a terminal that can move its cursor: TERM is dumb"));
    }
    Ok(())
}

impl Screen {
    /// Takes the terminal over. A panic gives it back before its message is printed.
    pub(super) fn open() -> Result<Self> {
        let signal = Arc::new(AtomicUsize::new(0));
        for number in [SIGTERM, SIGINT] {
            let value = usize::try_from(number).unwrap_or_default();
            signal_hook::flag::register_usize(number, Arc::clone(&signal), value)
                .context("asking for signals")?;
        }
        // Ends the process at once, even where it was started to ignore that: there is no terminal
        // left to give back, and crossterm never returns from reading one that is gone.
        let at_once = Arc::new(AtomicBool::new(true));
        signal_hook::flag::register_conditional_default(SIGHUP, at_once)
            .context("asking for signals")?;
        let terminal = ratatui::try_init().context("taking the terminal over")?;
        Ok(Self { terminal, signal })
    }

    pub(crate) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        self.terminal.draw(view).context("drawing").map(drop)
    }

    /// Returns what the user did, if it happens within `limit`.
    pub(crate) fn event(&self, limit: Duration) -> Result<Option<Event>> {
        let is_there = event::poll(limit).context("waiting for a key")?;
        is_there.then(event::read).transpose().context("reading a key")
    }

    /// Returns whether the process was asked to end.
    pub(crate) fn is_over(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// Gives the terminal back; returns the signal that asked the process to end.
    pub(super) fn close(mut self) -> Option<i32> {
        // One that went away needs nothing.
        let _ = self.terminal.show_cursor();
        let _ = ratatui::try_restore();
        // It would complain of a terminal that is gone, and panic for want of a terminal.
        std::mem::forget(self.terminal);
        i32::try_from(self.signal.load(Ordering::Relaxed)).ok().filter(|signal| *signal != 0)
    }
}
