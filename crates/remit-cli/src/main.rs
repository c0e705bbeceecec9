//! The program `remit`. Everything it does is in the library beside it.

use std::process::ExitCode;

use clap::Parser as _;
use remit_cli::commands::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        // A closed pipe is how `remit … | head` ends, not a failure.
        Err(error) if error.broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("remit: {}", remit_core::plain::page(&error.to_string()));
            ExitCode::from(2)
        }
    }
}
