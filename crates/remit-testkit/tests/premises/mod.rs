//! The folder of a gateway whose log is looked at: started in this process, looked into with the program.
#![allow(dead_code, reason = "each test uses a part of it")]

use remit_app::prove::{NoProof, Prover, Wanted};
use remit_cli::boot::Running;
use remit_core::halt::HaltTarget;
use remit_core::ids::OperatorId;
use remit_evidence::trust::Trust;
use remit_testkit::place::Place;
use remit_testkit::wire::Wire;
use serde_json::{Value, json};

/// The key of the agent `desk`, which works for Ada.
pub const DESK: &str = "premises-agent-desk";

/// The folder of the scenarios, with an agent's key, and this at the end of its `remit.yaml`.
pub fn with(more: &str) -> Place {
    let place = Place::base();
    place.admit(DESK, "ada@acme.example");
    place.append("remit.yaml", &format!("\n{more}"));
    place
}

pub async fn try_start(place: &Place) -> Result<Running, String> {
    let address = "127.0.0.1:0".parse().expect("an address");
    Running::start(place.path(), Some(address)).await.map_err(|error| error.to_string())
}

pub async fn start(place: &Place) -> Running {
    try_start(place).await.expect("it starts")
}

/// Runs the program: whether it ended well, and all that it said.
pub fn remit(place: &Place, arguments: &[&str]) -> (bool, String) {
    let told = place.remit(arguments);
    (told.well, told.out + &told.err)
}

/// What an auditor holds.
pub fn trust(place: &Place) -> Trust {
    Trust::parse(place.remit(&["ledger", "trust"]).out.as_bytes()).expect("a trust document")
}

/// Lets the gateway write so many records.
pub async fn records(running: &Running, count: usize) {
    let by = OperatorId::parse("olga").expect("an id");
    for _ in 0..count {
        running.edge.gate.halt(HaltTarget::Tenant, &by, "a test").await.expect("ordered");
    }
}

/// A call that the agent may make, decided, with its outcome reported; the answer.
pub async fn decided(running: &Running, run: Option<&str>) -> Value {
    let mut body = json!({"tool": "business/get_customer", "arguments": {"id": "c1"}});
    if let Some(run) = run {
        body["run"] = run.into();
    }
    let wire = Wire::to(&running.url);
    let answer = wire.done(DESK, "/v1/decisions", Some(&body)).await.expect("decided");
    let path = format!("/v1/decisions/{}/outcome", answer["record"].as_str().expect("a record"));
    wire.done(DESK, &path, Some(&json!({"state": "completed", "run": answer["run"]}))).await.expect("reported");
    answer
}

/// The bundle of what is wanted, once a checkpoint covers it.
pub async fn proved(prover: &Prover, wanted: &Wanted) -> Vec<u8> {
    for _ in 0..100 {
        let gathered = prover.gather(wanted).await.expect("gathered");
        match prover.prove(gathered, &["reason"], &[]) {
            Ok(bundle) => return bundle.to_json().to_string().into_bytes(),
            Err(NoProof::NotSealed) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("nothing is sealed");
}
