//! `pw-monitor watch`: what it draws, into memory; and the program on a terminal of its own.

use std::io::{Read as _, Write as _};
use std::process::ExitStatus;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pty_process::Size;
use pty_process::blocking::{Command, Pty};
use pw_cli::{Picture, Step, Watch};
use pw_core::history::Commit;
use pw_core::next::CommandLine;
use pw_core::status::Status;
use pw_testkit::plans::THREE;
use pw_testkit::repo::{START, TestRepo};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use crate::{complete_all, created};

/// Three workers, in different states, seen an hour after the first commit.
fn picture() -> Picture {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("shared.txt", "a").commit("[CHECKPOINT] model");
    users.write("api/users.py", "1").commit("[COMPLETE] all routes");
    repo.worker("task-2-posts")
        .write("shared.txt", "b")
        .write("junk", "x")
        .commit("[NEEDS:task-1/UserModel] for authors")
        .write("api/posts.py", "open");
    repo.worker("task-3-docs").commit("[complete] written");
    let at = START + 3600;
    let now = at.to_string();
    let words = ["pw-monitor", "status", "--verbose", "--now", &now];
    let root = repo.root().display().to_string();
    let text = repo.pw_in(&repo.root(), &words).data().to_string().replace(&root, "/repo");
    let status: Status = serde_json::from_str(&text).unwrap();
    let commit = || Commit {
        oid: "0123456789".repeat(4).parse().unwrap(),
        parents: vec![],
        time: START + 600,
        message: "[CHECKPOINT] one of its commits\n\nwith a body".to_owned(),
        changes: vec![],
    };
    let commits = status.workers.iter().map(|worker| (worker.id.clone(), vec![commit()]));
    Picture { commits: commits.collect(), status, at, notes: vec![] }
}

fn cells(watch: &mut Watch, width: u16, height: u16, later: i64) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| watch.draw(frame, START + 3600 + later)).unwrap();
    terminal.backend().buffer().clone()
}

fn drawn(watch: &mut Watch, width: u16, height: u16) -> String {
    lines(&cells(watch, width, height, 0)).join("\n")
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let row = |cells: &[ratatui::buffer::Cell]| {
        cells.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()
    };
    buffer.content.chunks(usize::from(buffer.area.width)).map(row).collect()
}

fn press(watch: &mut Watch, code: KeyCode) -> Step {
    watch.on_key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn a_row_for_each_worker_and_everything_about_one() {
    let mut watch = Watch::new(picture(), true);
    insta::assert_snapshot!("eighty", drawn(&mut watch, 80, 24));
    assert_eq!(press(&mut watch, KeyCode::Char('j')), Step::Stay);
    insta::assert_snapshot!("sixty", drawn(&mut watch, 60, 24));
    press(&mut watch, KeyCode::End);
    press(&mut watch, KeyCode::Enter);
    insta::assert_snapshot!("details", drawn(&mut watch, 80, 14));

    assert_eq!(press(&mut watch, KeyCode::Esc), Step::Stay);
    assert_eq!(press(&mut watch, KeyCode::Char('r')), Step::Refresh);
    assert!(drawn(&mut watch, 80, 24).contains("looking"));
    watch.fail("git status failed\nwith code 128".to_owned());
    let later = lines(&cells(&mut watch, 80, 24, 120));
    assert_eq!(later[23], " seen 2m ago, since then: git status failed with code 128");
    assert!(later.iter().any(|line| line.contains("task-1-users") && line.contains("55m")));
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(watch.on_key(control_c), Step::Quit);
    assert_eq!(press(&mut watch, KeyCode::Esc), Step::Quit);
}

#[test]
fn twenty_workers_scroll_and_the_selected_one_stays_selected() {
    let mut picture = picture();
    let first = picture.status.workers[0].clone();
    picture.status.workers = (1..=20)
        .map(|number| {
            let mut worker = first.clone();
            worker.id = format!("w{number}").parse().unwrap();
            worker.label = format!("w{number}-part");
            worker
        })
        .collect();
    let mut watch = Watch::new(picture.clone(), true);
    assert!(!drawn(&mut watch, 80, 24).contains("w20-part"));
    press(&mut watch, KeyCode::Char('G'));
    let text = drawn(&mut watch, 80, 24);
    assert!(text.contains(" w20-part ─") && !text.contains("w1-part"), "{text}");
    picture.status.workers.remove(3);
    watch.show(picture);
    assert!(drawn(&mut watch, 80, 24).contains(" w20-part ─"));
}

#[test]
fn no_size_and_no_text_breaks_the_view() {
    let mut picture = picture();
    let hostile = format!("\u{1b}]0;owned\u{7}\u{1b}[2J\r\n\t{}\u{9b}31m漢字", "x".repeat(3000));
    let worker = &mut picture.status.workers[1];
    worker.label = format!("task-2-{hostile}");
    worker.signal.as_mut().unwrap().text = hostile.clone();
    worker.signal.as_mut().unwrap().item = Some(hostile.clone());
    picture.status.workers[2].near_misses[0].subject = hostile.clone();
    picture.status.summary = hostile.clone();
    picture.status.next[0].command = CommandLine::of(&hostile);
    picture.commits.values_mut().for_each(|commits| commits[0].message = hostile.clone());
    let mut watch = Watch::new(picture.clone(), false);
    for (width, height) in [(80, 24), (60, 10), (20, 5), (10, 3), (3, 1), (1, 1), (200, 60)] {
        for _ in 0..6 {
            press(&mut watch, KeyCode::Char('j'));
            press(&mut watch, KeyCode::PageDown);
            press(&mut watch, KeyCode::Tab);
            let buffer = cells(&mut watch, width, height, 0);
            let has_control =
                |cell: &ratatui::buffer::Cell| cell.symbol().chars().any(char::is_control);
            assert!(!buffer.content.iter().any(has_control));
        }
    }
    picture.status.workers.clear();
    let mut watch = Watch::new(picture, true);
    press(&mut watch, KeyCode::Down);
    drawn(&mut watch, 80, 24);
}

#[test]
fn without_colour_there_is_none() {
    let has_colour = |is_wanted| {
        let mut watch = Watch::new(picture(), is_wanted);
        let is_plain = |cell: &ratatui::buffer::Cell| {
            cell.fg == ratatui::style::Color::Reset && cell.bg == ratatui::style::Color::Reset
        };
        !cells(&mut watch, 80, 24, 0).content.iter().all(is_plain)
    };
    assert_eq!((has_colour(true), has_colour(false)), (true, false));
}

/// `pw-monitor watch` on a terminal.
struct Live {
    /// Ends the program when the test has not dropped this after a minute: a read has no time limit.
    _guard: mpsc::Sender<()>,
    pty: Pty,
    child: std::process::Child,
    seen: String,
}

impl Live {
    /// Starts it from elsewhere.
    fn start(repo: &TestRepo) -> Self {
        let (pty, pts) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(24, 80)).unwrap();
        let model = repo.helper(&repo.root(), &["pw-monitor"]);
        let envs = model.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let command = Command::new(model.get_program())
            .arg("-C")
            .arg(repo.root())
            .arg("watch")
            .env_clear()
            .envs(envs)
            .env("TERM", "xterm-256color")
            .current_dir(repo.beside(""));
        let child = command.spawn(pts).unwrap();
        let (guard, dropped) = mpsc::channel();
        let mut kill = repo.shell(&format!("kill -KILL {}", child.id()));
        std::thread::spawn(move || {
            if dropped.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
                kill.status().unwrap();
            }
        });
        Self { _guard: guard, pty, child, seen: String::new() }
    }

    /// Reads until this word was drawn (a blank may be left as it is); forgets what came before.
    #[track_caller]
    fn until(&mut self, text: &str) {
        let mut bytes = [0; 4096];
        while !self.seen.contains(text) {
            let count = self.pty.read(&mut bytes).unwrap_or_default();
            assert!(count > 0, "it ended without {text:?}: {:?}", self.seen);
            self.seen += &String::from_utf8_lossy(&bytes[..count]);
        }
        self.seen = self.seen.split_off(self.seen.find(text).unwrap());
    }

    /// Reads all the rest; returns it with how the program ended.
    fn ended(mut self) -> (String, ExitStatus) {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = self.pty.read(&mut bytes) {
            self.seen += &String::from_utf8_lossy(&bytes[..count]);
        }
        (self.seen, self.child.wait().unwrap())
    }
}

/// Leaves the other screen, and shows the cursor.
fn is_left_clean(rest: &str) -> bool {
    rest.contains("\u{1b}[?1049l") && rest.rfind("\u{1b}[?25h") > rest.rfind("\u{1b}[?25l")
}

#[test]
fn on_a_terminal_it_follows_the_workers_and_leaves_everything_as_it_was() {
    use std::os::unix::process::ExitStatusExt as _;
    let repo = created(THREE);
    let before = repo.fingerprint();
    let mut live = Live::start(&repo);
    live.until("\u{1b}[?1049h");
    live.until("task-1-users");
    assert!(repo.fingerprint() == before, "watching changed something");
    repo.worker("task-3-docs").commit("[BLOCKED:no style guide] which one?");
    live.until("guide");
    live.pty.write_all(b"\x03").unwrap();
    let (rest, status) = live.ended();
    assert!(is_left_clean(&rest) && status.success(), "{status:?} {rest:?}");

    // A process that ends it with a signal finds it ended by that signal, and the terminal as it was.
    let mut live = Live::start(&repo);
    live.until("guide");
    let kill = format!("kill -TERM {}", live.child.id());
    assert!(repo.shell(&kill).status().unwrap().success());
    let (rest, status) = live.ended();
    assert!(is_left_clean(&rest) && status.signal() == Some(15), "{status:?} {rest:?}");

    // Without its terminal it does not go on.
    complete_all(&repo);
    let mut live = Live::start(&repo);
    // What is to be run next runs from there, too.
    live.until("-C");
    let Live { pty, mut child, _guard, .. } = live;
    drop(pty);
    let status = child.wait().unwrap();
    assert!(status.signal() == Some(1) || status.code() == Some(1), "{status:?}");
}

#[test]
fn without_a_terminal_it_says_what_does_without() {
    let repo = created(THREE);
    let error = repo.pw("pw-monitor watch").error(2, "usage");
    assert!(error["hint"].as_str().unwrap().contains("pw-monitor wait"), "{error}");
    let answer = repo.pw("pw-monitor watch --format human");
    assert!(answer.code == Some(2) && answer.stderr.contains("stdout is none"), "{answer:?}");
}
