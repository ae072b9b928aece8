//! See `pw_cli::integrate`.

fn main() -> std::process::ExitCode {
    pw_cli::main::<pw_cli::Integrate>()
}
