//! See `pw_cli::monitor`.

fn main() -> std::process::ExitCode {
    pw_cli::main::<pw_cli::Monitor>()
}
