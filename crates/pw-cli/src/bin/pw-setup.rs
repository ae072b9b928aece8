//! See `pw_cli::setup`.

fn main() -> std::process::ExitCode {
    pw_cli::main::<pw_cli::Setup>()
}
