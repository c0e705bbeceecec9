//! `remit login`, `remit logout`: people without a key of their own let their terminal in from the console, by whatever
//! they sign in with there.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::json;

use crate::client::{Access, Signed};
use crate::terminal::{Failure, Outcome, block_on, say, text};

/// Sign this terminal in for an hour: somebody who has signed in to the console types the code that this shows.
#[derive(Args)]
pub struct Login {
    #[command(flatten)]
    access: Access,
}

/// Sign this terminal out.
#[derive(Args)]
pub struct Logout {
    #[command(flatten)]
    access: Access,
}

impl Login {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        block_on(self.let_in(folder))?
    }

    async fn let_in(self, folder: &Path) -> Outcome {
        let gateway = self.access.stranger(folder)?;
        let begun = gateway.send(Method::POST, "/v1/terminals", Some(&json!({}))).await?;
        let number = |name: &str| begun[name].as_u64().unwrap_or(1);
        say(format!(
            "Open {} in a browser, sign in, and type this code:\n\n    {}\n\nIt is good for {} minutes. Nobody else should ask you to type one.",
            text(&begun["verification_uri"]),
            text(&begun["user_code"]),
            number("expires_in") / 60
        ))?;
        let asked = json!({"device_code": begun["device_code"]});
        let pause = Duration::from_secs(number("interval").clamp(1, 60));
        loop {
            tokio::time::sleep(pause).await;
            let answer = gateway.send(Method::POST, "/v1/terminals/session", Some(&asked)).await?;
            match answer["state"].as_str() {
                Some("waiting") => {}
                Some("signed_in") => {
                    let signed = Signed {
                        url: gateway.url().to_owned(),
                        token: text(&answer["token"]),
                        expires_at: text(&answer["expires_at"]),
                    };
                    signed.keep(folder)?;
                    let (who, by) = (text(&answer["operator"]), text(&answer["factor"]));
                    say(format!("\nsigned in as {who}, by {by}, until {} at the latest", signed.expires_at))?;
                    return Ok(ExitCode::SUCCESS);
                }
                _ => return Err(Failure::said("you refused it in the console")),
            }
        }
    }
}

impl Logout {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let Some(signed) = Signed::find(folder) else {
            say("this terminal was not signed in")?;
            return Ok(ExitCode::SUCCESS);
        };
        let gateway = self.access.signed(&signed)?;
        // Forgotten here whatever the gateway says: it may be gone.
        Signed::forget(folder)?;
        gateway.post("/v1/terminals/session/end", &json!({}))?;
        say("signed out")?;
        Ok(ExitCode::SUCCESS)
    }
}
