//! The folder of a gateway whose log is looked at: started in this process, looked into with the program.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use remit_app::prove::{NoProof, Prover, Wanted};
use remit_cli::boot::Running;
use remit_core::halt::HaltTarget;
use remit_core::ids::{Digest, OperatorId};
use remit_evidence::trust::Trust;
use remit_testkit::wire::Wire;
use serde_json::{Value, json};

/// The key of the agent `desk`, which works for Ada.
pub const DESK: &str = "premises-agent-desk";

/// A gateway's folder, gone with it.
pub struct Premises(tempfile::TempDir);

impl Premises {
    /// The folder of the scenarios, with this at the end of its `remit.yaml`.
    pub fn with(more: &str) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/base");
        let folder = remit_config::Folder::read(&base).expect("scenarios/base");
        for (name, text) in folder.texts() {
            let file = place.path().join(name);
            std::fs::create_dir_all(file.parent().expect("parent")).expect("folder");
            let key =
                || format!("user: ada@acme.example, sha256: {}, expires: 2099-01-01", Digest::of(DESK.as_bytes()));
            let text = match &*name {
                "keys.yaml" => format!("{text}\nagents:\n  - {{id: desk, agent: desk, {}}}\n", key()),
                "remit.yaml" => format!("{text}\n{more}"),
                _ => text.to_owned(),
            };
            std::fs::write(file, text).expect("file");
        }
        std::fs::create_dir_all(place.path().join(".remit")).expect("folder");
        Self(place)
    }

    pub fn path(&self, inner: &str) -> PathBuf {
        self.0.path().join(inner)
    }

    /// Changes `remit.yaml`.
    pub fn edit(&self, from: &str, to: &str) {
        let file = self.path("remit.yaml");
        let text = std::fs::read_to_string(&file).expect("remit.yaml");
        assert!(text.contains(from), "{from}");
        std::fs::write(file, text.replacen(from, to, 1)).expect("remit.yaml");
    }

    pub async fn try_start(&self) -> Result<Running, String> {
        let address = "127.0.0.1:0".parse().expect("an address");
        Running::start(self.0.path(), Some(address)).await.map_err(|error| error.to_string())
    }

    pub async fn start(&self) -> Running {
        self.try_start().await.expect("it starts")
    }

    /// Runs the program: whether it succeeded, and what it said. It stands beside the folder of the test
    /// executables; `./test` builds it first.
    pub fn remit(&self, arguments: &[&str]) -> (bool, String) {
        let own = std::env::current_exe().expect("own path");
        let program: PathBuf = own.parent().and_then(Path::parent).expect("target folder").join("remit");
        assert!(program.is_file(), "{} is missing: run `cargo build -p remit-cli` first", program.display());
        let output = Command::new(program).arg("-C").arg(self.0.path()).args(arguments).output().expect("it runs");
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(told).expect("text"))
    }

    /// What an auditor holds.
    pub fn trust(&self) -> Trust {
        let (_, told) = self.remit(&["ledger", "trust"]);
        let document = told.lines().find(|line| line.starts_with('{')).expect("a document");
        Trust::parse(format!("{document}\n").as_bytes()).expect("a trust document")
    }
}

/// Lets the gateway write so many records.
pub async fn records(running: &Running, count: usize) {
    let by = OperatorId::parse("olga").expect("an id");
    for _ in 0..count {
        running.edge.gate.halt(HaltTarget::Tenant, &by, "a test").await.expect("ordered");
    }
}

/// A call that the agent may make, decided; the answer.
pub async fn decided(running: &Running, run: Option<&str>) -> Value {
    let mut body = json!({"tool": "business/get_customer", "arguments": {"id": "c1"}});
    if let Some(run) = run {
        body["run"] = run.into();
    }
    Wire::to(&running.url).done(DESK, "/v1/decisions", Some(&body)).await.expect("decided")
}

/// The bundle of what is wanted, once a checkpoint covers it.
pub async fn proved(prover: &Prover, wanted: &Wanted) -> Vec<u8> {
    for _ in 0..100 {
        let gathered = prover.gather(wanted).await.expect("gathered");
        match prover.prove(gathered, &["reason"]) {
            Ok(bundle) => return bundle.to_json().to_string().into_bytes(),
            Err(NoProof::NotSealed) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("nothing is sealed");
}
