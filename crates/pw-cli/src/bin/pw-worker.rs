//! See `pw_cli::worker`.

fn main() -> std::process::ExitCode {
    pw_cli::main::<pw_cli::WorkerCli>()
}
