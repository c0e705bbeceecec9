//! `remit notify test` and `remit deliveries`.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::client::{Access, encoded};
use crate::terminal::{Listing, Outcome, columns, say, text};

/// Try the channels by which people are told.
#[derive(Args)]
pub struct Notify {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Send a harmless message through one channel, now.
    Test {
        /// The channel, as remit.yaml names it.
        channel: String,
        #[command(flatten)]
        access: Access,
    },
}

/// List what people were told, and whether it arrived.
#[derive(Args)]
pub struct Deliveries {
    /// Only those about this question.
    #[arg(long)]
    question: Option<String>,
    /// Only those that are `waiting`, `delivered` or `dead`.
    #[arg(long, value_parser = ["waiting", "delivered", "dead"])]
    state: Option<String>,
    /// At most this many, newest first.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl Notify {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let Verb::Test { channel, access } = self.verb;
        let answer = access.open(folder)?.post("/admin/v1/notify/test", &json!({"channel": channel}))?;
        say(format!("the channel {} ({}) has taken a test message", text(&answer["channel"]), text(&answer["kind"])))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Deliveries {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let mut path = format!("/admin/v1/deliveries?limit={}", self.limit);
        for (name, value) in [("question", &self.question), ("state", &self.state)] {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", encoded(value)));
            }
        }
        let answer = self.access.open(folder)?.get(&path)?;
        let head = &["SINCE", "ABOUT", "EVENT", "CHANNEL", "STATE", "TRIES", "ERROR"];
        Listing { of: "deliveries", none: "nobody was told anything", head }.say(&answer, self.json, |delivery| {
            columns(delivery, ["created_at", "about", "event", "channel", "state", "attempts", "error"])
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
