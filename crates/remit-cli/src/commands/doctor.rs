//! `remit doctor`: looks at a set-up and says what is wrong with it, and what to do.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use remit_config::Config;
use remit_config::settings::{Authentication, LedgerFiles, StorePlace};
use remit_store_sqlite::SqliteStore;

use crate::client::{Access, Gateway};
use crate::folder;
use crate::ledger;
use crate::log_keys::LogKeys;
use crate::logs::Logs;
use crate::notify;
use crate::place::{self, Place};
use crate::sign_in;
use crate::terminal::{Failure, Outcome, block_on, counted, say, text};
use crate::{trust, upstreams};

/// Look at a set-up and say what is wrong with it.
#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    access: Access,
}

/// What was found so far.
struct Chart {
    wrong: usize,
}

impl Chart {
    fn note(&mut self, what: &str, found: Result<String, String>) -> Result<(), Failure> {
        match found {
            Ok(text) => say(format!("ok    {what}: {text}")),
            Err(text) => {
                self.wrong += 1;
                say(format!("WRONG {what}: {text}"))
            }
        }
    }
}

impl Doctor {
    /// Runs the verb. Exit code 1: something is wrong.
    pub fn run(self, folder: &Path) -> Outcome {
        let mut chart = Chart { wrong: 0 };
        let config = match folder::load(folder) {
            Ok(config) => config,
            Err(error) => {
                chart.note("configuration", Err(error.to_string()))?;
                return Ok(ExitCode::FAILURE);
            }
        };
        let (remits, tools) = (config.snapshot.remits().count(), config.snapshot.registry().tools().len());
        chart.note(
            "configuration",
            Ok(format!(
                "{}, {}",
                counted(remits, "remit", "remits"),
                counted(tools, "callable tool", "callable tools")
            )),
        )?;
        for warning in &config.warnings {
            say(format!("      warning: {warning}"))?;
        }
        state(&mut chart, folder, &config)?;
        credentials(&mut chart, folder, &config)?;
        keys(&mut chart, &config)?;
        channels(&mut chart, folder, &config)?;
        provider(&mut chart, folder, &config)?;
        self.gateway(&mut chart, folder, &config)?;
        say(match chart.wrong {
            0 => "\nnothing is wrong".to_owned(),
            wrong => format!("\n{} wrong", counted(wrong, "thing is", "things are")),
        })?;
        Ok(if chart.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn gateway(&self, chart: &mut Chart, folder: &Path, config: &Config) -> Result<(), Failure> {
        let gateway = match self.access.open(folder) {
            Ok(gateway) => gateway,
            Err(error) => return chart.note("operator key", Err(error.to_string())),
        };
        match gateway.post("/admin/v1/tools/survey", &serde_json::json!({})) {
            Err(error) => say(format!("      gateway: {error}")),
            Ok(report) => {
                chart.note("gateway", Ok("answers, and takes this operator's key".into()))?;
                chart.note("in force", in_force(&gateway, config)?)?;
                let dead = gateway.get("/admin/v1/deliveries?state=dead&limit=1000")?;
                let dead = dead["deliveries"].as_array().map_or(0, Vec::len);
                if dead > 0 {
                    let messages = counted(dead, "message was", "messages were");
                    say(format!("      {messages} given up; see `remit deliveries --state dead`"))?;
                }
                for upstream in report["absent"].as_array().into_iter().flatten() {
                    let found = Err("was never reached; the gateway's log says why".to_owned());
                    chart.note(&format!("upstream {}", text(upstream)), found)?;
                }
                for tool in report["tools"].as_array().cloned().unwrap_or_default() {
                    let state = text(&tool["state"]);
                    let found = match state.as_str() {
                        "callable" => continue,
                        "changed" => Err("serves another definition than was approved; see `remit tools diff`".into()),
                        "missing" => Err("is approved, and not served any more".into()),
                        "unseen" => Err("its upstream could not be reached".into()),
                        _ => Ok("is new: classify and approve it, or leave it".into()),
                    };
                    chart.note(&format!("tool {}", text(&tool["tool"])), found)?;
                }
                Ok(())
            }
        }
    }
}

/// Whether the gateway that runs has this folder in force. One that waits for people, or was refused, is not.
fn in_force(gateway: &Gateway, config: &Config) -> Result<Result<String, String>, Failure> {
    let digest = config.snapshot.digest().to_string();
    if text(&gateway.get("/admin/v1/snapshots?limit=1")?["in_force"]) == digest {
        return Ok(Ok("this folder, as it is now".to_owned()));
    }
    let changes = gateway.get("/admin/v1/changes")?;
    let mut changes = changes["changes"].as_array().into_iter().flatten();
    let own = changes.find(|change| change["snapshot"] == *digest);
    Ok(Err(match own.map(|change| (text(&change["change"]), text(&change["state"]))) {
        Some((id, state)) if state == "open" => {
            format!("not this folder: it protects less and waits for people; `remit changes show {id}`")
        }
        Some((id, state)) if state != "in_force" => {
            format!("not this folder: people were asked, and it is {state}; `remit changes show {id}`")
        }
        _ => "not this folder: it was refused, or changed and not read again; `remit check`, then the gateway's log"
            .to_owned(),
    }))
}

fn state(chart: &mut Chart, folder: &Path, config: &Config) -> Result<(), Failure> {
    let StorePlace::Sqlite(file) = &config.settings.store;
    let place = folder.join(file);
    let place = place.parent().unwrap_or(folder);
    let found = match std::fs::metadata(place) {
        Err(_) => Ok("not there yet; the first start makes it".to_owned()),
        Ok(metadata) if metadata.mode() & 0o077 != 0 => Err(format!(
            "`{}` can be looked into by others (mode {:o}); chmod 700",
            place.display(),
            metadata.mode() & 0o777
        )),
        Ok(_) => Ok(place.display().to_string()),
    };
    chart.note("state", found)?;
    for secret in ["operator.key", "gateway.key", "session.key"] {
        // What is not there was never made: the operator's key only `remit init` makes.
        let Ok(metadata) = std::fs::metadata(folder::state_of(folder).join(secret)) else { continue };
        if metadata.mode() & 0o077 != 0 {
            let mode = metadata.mode() & 0o777;
            chart.note(secret, Err(format!("can be read by others (mode {mode:o}); chmod 600")))?;
        }
    }
    let guard = folder.join(&config.settings.ledger.guard);
    let volume = |path: &Path| std::fs::metadata(path).ok().map(|metadata| metadata.dev());
    match guard.parent().map(|guard| (volume(guard), volume(place))) {
        Some((Some(guard), Some(store))) if guard == store => {
            say(
                "      the ledger's guard is on the volume of the store: whoever restores both from one backup is not stopped",
            )?;
        }
        Some((None, Some(_))) if !config.settings.ledger.guard.starts_with(".remit") => {
            chart.note(
                "guard",
                Err(format!("the folder of `{}` is not there; nothing can be sealed", guard.display())),
            )?;
        }
        _ => {}
    }
    logs(chart, folder, config)?;
    if let Some(timestamps) = &config.settings.ledger.timestamps {
        let found = ledger::timestamper(timestamps, folder).map_err(|error| error.to_string());
        chart.note("timestamps", found.map(|timestamper| format!("{} by its certificate", timestamper.name)))?;
    }
    if let Authentication::Anonymous(agent) = &config.settings.authentication {
        say(format!("      everybody on this machine is agent `{agent}`: fine for a try, nothing else"))?;
    }
    Ok(())
}

fn logs(chart: &mut Chart, folder: &Path, config: &Config) -> Result<(), Failure> {
    let settings = &config.settings;
    let store = place::store_of(folder, settings);
    // Before the first start there is the first log.
    let logs = if store.exists() {
        let store = SqliteStore::inspect(&store).map_err(|error| Failure::said(error.to_string()));
        store.and_then(|store| {
            block_on(async {
                if let Err(error) = trust::vouching(&Place { folder, settings }, &store).await {
                    chart.note("gateway.key", Err(error.to_string()))?;
                }
                Logs::of(settings, folder, &store).await
            })?
        })
    } else {
        Ok(Logs::none(settings, folder))
    };
    let logs = match logs {
        Ok(logs) => logs,
        Err(error) => return chart.note("logs", Err(error.to_string())),
    };
    let checked = LogKeys::of(settings, folder, logs.origin()).check();
    chart.note("log keys", checked.map_err(|error| error.to_string()))?;
    if let LedgerFiles::Bucket(bucket) = &settings.ledger.files {
        let read = logs.tiles(logs.origin()).map_err(|error| error.to_string());
        let read = read.and_then(|tiles| tiles.published().map_err(|error| error.to_string()));
        chart.note("ledger", read.map(|_| format!("s3://{}/{} can be read", bucket.name, bucket.prefix)))?;
    }
    Ok(())
}

fn credentials(chart: &mut Chart, folder: &Path, config: &Config) -> Result<(), Failure> {
    let references = upstreams::references(&config.upstreams, folder);
    for upstream in &config.upstreams {
        let found = match references.read(&upstream.id) {
            Ok(Some(_)) => Ok("its credential can be read".to_owned()),
            Ok(None) => Ok("needs no credential".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        chart.note(&format!("upstream {}", upstream.id), found)?;
    }
    Ok(())
}

fn channels(chart: &mut Chart, folder: &Path, config: &Config) -> Result<(), Failure> {
    // Links are not looked at here.
    let plan = notify::plan(&config.settings, &config.keys, folder, "");
    for (name, channel) in &plan.channels {
        let found = channel.check().map(|()| format!("{}; `remit notify test {name}` sends something", channel.kind()));
        chart.note(&format!("channel {name}"), found)?;
    }
    Ok(())
}

fn provider(chart: &mut Chart, folder: &Path, config: &Config) -> Result<(), Failure> {
    // Where people are sent back to is not looked at here.
    let found = match sign_in::oidc(&config.settings, folder, "") {
        Ok(None) => return Ok(()),
        Ok(Some(oidc)) => block_on(async { oidc.check().await })?,
        Err(faults) => Err(faults.join("; ")),
    };
    chart.note("sign-in", found)
}

fn keys(chart: &mut Chart, config: &Config) -> Result<(), Failure> {
    let now = jiff::Timestamp::now();
    for key in &config.keys.agents {
        let remit = config.snapshot.remit(&key.agent);
        let found = match (key.revoked, key.expires <= now, remit) {
            (true, ..) => Ok("revoked".to_owned()),
            (_, true, _) => Err(format!("expired on {}", key.expires)),
            (_, _, None) => Err(format!("agent `{}` has no remit, so it may do nothing", key.agent)),
            (_, _, Some(remit)) if remit.expires.is_some_and(|at| at <= now) => {
                Err("its agent's remit has expired".into())
            }
            _ => Ok(format!("proves agent `{}`", key.agent)),
        };
        chart.note(&format!("key {}", key.id), found)?;
    }
    if config.keys.operators.iter().all(|key| key.revoked || key.proof.is_some_and(|proof| proof.expires <= now)) {
        chart.note("operators", Err("nobody can approve, halt or look: add an operator to keys.yaml".into()))?;
    }
    Ok(())
}
