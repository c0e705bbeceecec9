//! The verbs of the command line, one file each.

mod agents;
mod check;
mod demo;
mod doctor;
mod explain;
mod halt;
mod init;
mod questions;
mod records;
mod runs;
mod schema;
mod serve;
mod test;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Deterministic authority for AI agents: decide, hold, count, record.
#[derive(Parser)]
#[command(name = "remit", version, max_term_width = 100)]
pub struct Cli {
    /// The configuration folder.
    #[arg(short = 'C', long, env = "REMIT_FOLDER", default_value = ".", global = true)]
    folder: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a working configuration folder, or take over an MCP client's configuration.
    Init(init::Init),
    /// Run the gateway.
    Serve(serve::Serve),
    /// Speak MCP on standard input and output, for clients that only spawn.
    Stdio(serve::Stdio),
    /// Play one agent's run against a gateway with two sample upstreams, and explain what happens.
    Demo(demo::Demo),
    /// Check the configuration folder.
    Check(check::Check),
    /// Play the folder's scenarios (tests/*.yaml) against its authority.
    Test(test::Test),
    /// Print the JSON Schema of a configuration file.
    Schema(schema::Schema),
    /// Say why a call was decided as it was.
    Explain(explain::Explain),
    /// List runs, or show one.
    Runs(runs::Runs),
    /// List the questions that wait for people, or show one.
    Questions(questions::Questions),
    /// Approve a held call.
    Approve(questions::Approve),
    /// Refuse a held call.
    Deny(questions::Deny),
    /// Stop a tenant, agent, tool, upstream, class or run at once; without a target, list what is stopped.
    Halt(halt::Halt),
    /// Lift a halt.
    Resume(halt::Resume),
    /// List tools and their pins; look at changed ones and approve them.
    Tools(tools::Tools),
    /// List agents, and issue or revoke their keys.
    Agents(agents::Agents),
    /// Export signed records, or verify exported ones.
    Evidence(records::Evidence),
    /// Look at a set-up and say what is wrong with it.
    Doctor(doctor::Doctor),
    /// A sample upstream, as the demo uses it.
    #[command(hide = true)]
    Sample(crate::sample::Sample),
}

/// What ends a command early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// In words, for the person at the terminal.
    #[error("{0}")]
    Said(String),
    /// Reading or writing failed.
    #[error("{0}: {1}")]
    Io(String, #[source] std::io::Error),
}

impl Failure {
    /// A failure in words.
    pub fn said(text: impl Into<String>) -> Self {
        Self::Said(text.into())
    }

    /// Whether the reader of our output went away.
    pub fn broken_pipe(&self) -> bool {
        matches!(self, Self::Io(_, error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

/// How a command ends.
pub type Outcome = Result<ExitCode, Failure>;

impl Cli {
    /// Runs the verb.
    pub fn run(self) -> Outcome {
        let folder = self.folder;
        match self.command {
            Command::Init(verb) => verb.run(&folder),
            Command::Serve(verb) => verb.run(&folder),
            Command::Stdio(verb) => verb.run(&folder),
            Command::Demo(verb) => verb.run(),
            Command::Check(verb) => verb.run(&folder),
            Command::Test(verb) => verb.run(&folder),
            Command::Schema(verb) => verb.run(),
            Command::Explain(verb) => verb.run(&folder),
            Command::Runs(verb) => verb.run(&folder),
            Command::Questions(verb) => verb.run(&folder),
            Command::Approve(verb) => verb.run(&folder),
            Command::Deny(verb) => verb.run(&folder),
            Command::Halt(verb) => verb.run(&folder),
            Command::Resume(verb) => verb.run(&folder),
            Command::Tools(verb) => verb.run(&folder),
            Command::Agents(verb) => verb.run(&folder),
            Command::Evidence(verb) => verb.run(&folder),
            Command::Doctor(verb) => verb.run(&folder),
            Command::Sample(verb) => verb.run(),
        }
    }
}

/// Runs something asynchronous on a runtime of its own.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.map_err(|error| Failure::Io("the runtime".into(), error))?.block_on(future))
}

/// Prints a line; a closed pipe ends the command quietly.
pub fn say(text: impl std::fmt::Display) -> Result<(), Failure> {
    use std::io::Write as _;
    writeln!(std::io::stdout().lock(), "{text}").map_err(|error| Failure::Io("standard output".into(), error))
}

/// A table without frames, as wide as its words.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(head.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    table
}
