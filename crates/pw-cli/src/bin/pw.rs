//! All helpers in one program, which is what is packaged: it is the one whose name it is called by.

use pw_cli::{Integrate, Monitor, RetroCli, Setup, WorkerCli, main as run};

fn main() -> std::process::ExitCode {
    match pw_cli::called().as_str() {
        "pw-setup" => run::<Setup>(),
        "pw-monitor" => run::<Monitor>(),
        "pw-integrate" => run::<Integrate>(),
        "pw-worker" => run::<WorkerCli>(),
        "pw-retro" => run::<RetroCli>(),
        _ => pw_cli::unknown(),
    }
}
