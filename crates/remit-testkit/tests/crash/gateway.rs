//! The program as a process of its own, that can be killed.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use remit_testkit::place::program;
use remit_testkit::wire::Wire;
use serde_json::Value;
use tokio::process::{Child, Command};

/// Whoever looks and votes here.
pub const OPERATOR: &str = "scenario-operator-rehearsal";

pub struct Gateway {
    child: Child,
    /// Where it listens.
    pub wire: Wire,
    log: PathBuf,
}

impl Gateway {
    /// Starts the program on this folder.
    pub fn spawn(place: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let log = place.join("log");
        let child = Command::new(program())
            .arg("-C")
            .arg(place)
            .args(["serve", "--listen", &free.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).expect("log"))
            .kill_on_drop(true)
            .spawn()
            .expect("spawn");
        Self { child, wire: Wire::to(&format!("http://{free}")), log }
    }

    /// Waits until it answers.
    pub async fn ready(&mut self) {
        let began = Instant::now();
        while self.wire.done(OPERATOR, "/admin/v1/budgets", None).await.is_err() {
            let gone = self.child.try_wait().expect("wait");
            let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(gone.is_none(), "the gateway does not start after a crash: {}", log());
            assert!(began.elapsed() < Duration::from_secs(20), "the gateway is not ready: {}", log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// SIGKILL, and gone.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("kill");
    }

    /// What an operator is answered.
    pub async fn get(&self, path: &str) -> Value {
        self.wire.done(OPERATOR, path, None).await.expect("an answer")
    }
}
