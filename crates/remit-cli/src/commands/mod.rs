//! The verbs of the command line, one file each.

mod agents;
mod bundle;
mod care;
mod changes;
mod check;
mod demo;
mod doctor;
mod erase;
mod explain;
mod export;
mod grants;
mod halt;
mod hold;
mod init;
pub(crate) mod ledger;
mod login;
mod notify;
mod people;
mod proposals;
mod questions;
mod records;
mod replay;
mod runs;
mod schema;
mod serve;
mod stdio;
mod test;
mod tools;
mod witness;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::terminal::Outcome;

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
    Stdio(stdio::Stdio),
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
    /// Ask the agent something about its held call.
    AskBack(questions::AskBack),
    /// Call in the next people of the rule now.
    Escalate(questions::Escalate),
    /// List what agents ask for, or show one request.
    Requests(grants::Requests),
    /// Give less than an agent asked for.
    Narrow(grants::Narrow),
    /// Give an agent for a while what its remit lets it ask for.
    Grant(grants::Grant),
    /// List what agents were given for a while, and how much of it they used.
    Grants(grants::Grants),
    /// Take a grant back at once.
    Revoke(grants::Revoke),
    /// Use authority that was declared for emergencies; without a name, list what is declared.
    BreakGlass(grants::BreakGlass),
    /// Say of an emergency whether it was right, as a second person.
    Review(grants::Review),
    /// Let somebody vote in your place for a while; without a name, list who stands in for whom.
    Delegate(care::Delegate),
    /// List the calls that went through and wait for somebody to look at them, or close a review.
    Reviews(care::Reviews),
    /// Show how much is asked of each approver, and how they answer.
    Approvers(care::Approvers),
    /// Stop a tenant, agent, tool, upstream, class or run at once; without a target, list what is stopped.
    Halt(halt::Halt),
    /// Lift a halt.
    Resume(halt::Resume),
    /// List tools and their pins; look at changed ones and approve them.
    Tools(tools::Tools),
    /// List agents, and issue their keys.
    Agents(agents::Agents),
    /// List changes of the folder that wait for people; show one, approve or refuse it.
    Changes(changes::Changes),
    /// List the authorities that were in force, and what changed.
    History(changes::History),
    /// Put an earlier authority forward again.
    Rollback(changes::Rollback),
    /// List proposed changes of remits, or make one from a question.
    Proposals(proposals::Proposals),
    /// Say how an agent has fared since its remit last changed.
    Standing(proposals::Standing),
    /// Put a remit forward with more in one place: a higher stage, or the lines of a proposal.
    Widen(proposals::Widen),
    /// Keep something from being deleted; without a verb, list what is kept.
    Hold(hold::Hold),
    /// List the people who steer the gateway; invite them, sign them out, remove their passkeys.
    People(people::People),
    /// Sign this terminal in, with a browser.
    Login(login::Login),
    /// Sign this terminal out.
    Logout(login::Logout),
    /// Export signed records, verify exported ones, or delete what is disclosed of a person.
    Evidence(records::Evidence),
    /// Decide recorded cases again, from the recorded facts and authority.
    Replay(replay::Replay),
    /// Cosign the logs of others, so that they cannot be rewritten unseen.
    Witness(witness::Witness),
    /// Look at the log over the records, offline: its head, its keys, every file, and what is missing.
    Ledger(ledger::Ledger),
    /// List what people were told, and whether it arrived.
    Deliveries(notify::Deliveries),
    /// Try the channels by which people are told.
    Notify(notify::Notify),
    /// Look at a set-up and say what is wrong with it.
    Doctor(doctor::Doctor),
    /// A sample upstream, as the demo uses it.
    #[command(hide = true)]
    Sample(crate::sample::Sample),
}

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
            Command::AskBack(verb) => verb.run(&folder),
            Command::Escalate(verb) => verb.run(&folder),
            Command::Requests(verb) => verb.run(&folder),
            Command::Narrow(verb) => verb.run(&folder),
            Command::Grant(verb) => verb.run(&folder),
            Command::Grants(verb) => verb.run(&folder),
            Command::Revoke(verb) => verb.run(&folder),
            Command::BreakGlass(verb) => verb.run(&folder),
            Command::Review(verb) => verb.run(&folder),
            Command::Delegate(verb) => verb.run(&folder),
            Command::Reviews(verb) => verb.run(&folder),
            Command::Approvers(verb) => verb.run(&folder),
            Command::Halt(verb) => verb.run(&folder),
            Command::Resume(verb) => verb.run(&folder),
            Command::Hold(verb) => verb.run(&folder),
            Command::People(verb) => verb.run(&folder),
            Command::Login(verb) => verb.run(&folder),
            Command::Logout(verb) => verb.run(&folder),
            Command::Changes(verb) => verb.run(&folder),
            Command::History(verb) => verb.run(&folder),
            Command::Rollback(verb) => verb.run(&folder),
            Command::Proposals(verb) => verb.run(&folder),
            Command::Standing(verb) => verb.run(&folder),
            Command::Widen(verb) => verb.run(&folder),
            Command::Tools(verb) => verb.run(&folder),
            Command::Agents(verb) => verb.run(&folder),
            Command::Evidence(verb) => verb.run(&folder),
            Command::Replay(verb) => verb.run(),
            Command::Witness(verb) => verb.run(),
            Command::Ledger(verb) => verb.run(&folder),
            Command::Deliveries(verb) => verb.run(&folder),
            Command::Notify(verb) => verb.run(&folder),
            Command::Doctor(verb) => verb.run(&folder),
            Command::Sample(verb) => verb.run(),
        }
    }
}
