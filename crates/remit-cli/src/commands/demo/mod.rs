//! `remit demo`: one agent's run against a real gateway with two real upstreams, told step by step.
//! Every step says what was expected; the exit code is 0 only if every step went as told.

mod folder;
mod peer;
mod story;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::boot::Running;
use crate::sample;
use crate::terminal::{Failure, Outcome, block_on, say};

/// Play one agent's run and explain what happens.
#[derive(Args)]
pub struct Demo {
    /// End after the story; the exit code says whether every step went as told.
    #[arg(long)]
    once: bool,
    /// Where the demo keeps its folder; made anew each time.
    #[arg(long, default_value = ".demo")]
    into: std::path::PathBuf,
}

/// What the upstream wants to see; only the gateway's vault ever holds it.
pub(crate) const UPSTREAM_TOKEN: &str = "demo-upstream-credential-4f1c";

impl Demo {
    /// Runs the verb.
    pub fn run(self) -> Outcome {
        block_on(async {
            let (business, served) = sample::listen(([127, 0, 0, 1], 0).into(), UPSTREAM_TOKEN).await?;
            let served = tokio::spawn(served);
            let told = self.tell(&format!("http://{business}")).await;
            served.abort();
            told
        })?
    }

    async fn tell(&self, business: &str) -> Outcome {
        let furnished = folder::write(&self.into, business)?;
        let running = Running::start(&self.into, Some(([127, 0, 0, 1], 0).into())).await?;
        let story = story::Story::new(&running.url, business, &furnished);
        let failed = story.tell().await?;
        if self.once {
            running.stop().await;
        } else if failed == 0 {
            invite(&running.url, &self.into, &furnished)?;
            let _ = tokio::signal::ctrl_c().await;
            running.stop().await;
        }
        if failed > 0 {
            return Err(Failure::said(format!("{failed} steps did not go as told")));
        }
        // What is printed last must have left before the process does.
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(ExitCode::SUCCESS)
    }
}

fn invite(url: &str, folder: &std::path::Path, furnished: &folder::Furnished) -> Result<(), Failure> {
    let folder = folder.display();
    say(format!(
        "\nThe gateway goes on running. Try it:\n\n  \
         MCP clients      {url}/mcp   with  Authorization: Bearer {}\n  \
         What may I do    curl -s -H 'Authorization: Bearer {}' {url}/v1/me\n  \
         Operators        export REMIT_URL={url} REMIT_OPERATOR_KEY={}\n                   \
         target/debug/remit -C {folder} runs        and: questions, tools, halt, explain ID\n  \
         Metrics          {url}/metrics\n\nCtrl-C ends it.",
        furnished.agent_key, furnished.agent_key, furnished.operator_key
    ))
}
