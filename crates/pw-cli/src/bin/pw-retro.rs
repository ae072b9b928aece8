//! See `pw_cli::retro`.

fn main() -> std::process::ExitCode {
    pw_cli::main::<pw_cli::RetroCli>()
}
