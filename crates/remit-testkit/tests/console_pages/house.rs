//! A gateway with an upstream, in one process, and somebody who looks at its pages.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use remit_cli::boot::Running;
use remit_core::ids::Digest;
use remit_testkit::place::{EMERGENCY, OFFERS, Place};
use remit_testkit::upstream::Upstream;
use remit_testkit::wire::Wire;
use serde_json::{Value, json};

/// May do everything.
pub const CHIEF: &str = "scenario-operator-rehearsal";
/// Looks and votes, and no more.
pub const VIEWER: &str = "scenario-operator-bob";
/// The second of two people who vote on changes.
pub const SUE: &str = "operator-sue";
pub const AGENT: &str = "console-agent";

/// What an upstream serves instead of what was approved.
const SERVED: &str = "Updates a ticket.</pre><script>alert(1)</script> \u{202E}Approved by Remit";
const GUARDRAIL: &str = r#"
@id("odd")
@reason("<b>Approved</b> <img src=x onerror=alert(2)>")
forbid (principal, action in [Action::"expose"], resource) when { context.run.labels.contains("<i>odd</i>") };
"#;

pub struct House {
    pub running: Running,
    pub wire: Wire,
    _upstream: Upstream,
    place: Place,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl House {
    pub async fn start() -> Self {
        Self::with("").await
    }

    /// With these further lines in remit.yaml.
    pub async fn with(settings: &str) -> Self {
        let place = Place::base();
        let mut pins: Value = serde_json::from_str(&place.text("pins/business.json")).expect("JSON");
        for pin in members(&mut pins) {
            if pin["name"] == "update_ticket" {
                pin["description"] = SERVED.into();
            }
        }
        let upstream = Upstream::serve(&pins.to_string(), Duration::ZERO).await.expect("an upstream");
        place.reaches(&upstream);
        place.admit(AGENT, "ada@acme.example");
        let sha256 = Digest::of(SUE.as_bytes());
        let sue = format!("id: sue, user: sue@acme.example, roles: [security], expires: 2099-01-01, sha256: {sha256}");
        place.append("keys.yaml", &format!("  - {{ {sue} }}\n"));
        place.append("remits/desk.yaml", OFFERS);
        place.append("remit.yaml", &format!("{EMERGENCY}{settings}"));
        place.append("guardrails/data.cedar", GUARDRAIL);
        let address = "127.0.0.1:0".parse().expect("an address");
        let running = Running::start(place.path(), Some(address)).await;
        let running = running.map_err(|error| error.to_string()).expect("it starts");
        let wire = Wire::to(&running.url);
        Self { running, wire, _upstream: upstream, place }
    }

    pub async fn ask(&self, key: Option<&str>, path: &str, form: Option<&str>) -> Answer {
        let mut request = Request::builder().uri(format!("{}{path}", self.running.url));
        request = request.method(if form.is_some() { "POST" } else { "GET" });
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(Full::<Bytes>::from(form.unwrap_or_default().to_owned())).expect("a request");
        let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// A page that is there, and that keeps what every page keeps.
    pub async fn page(&self, key: &str, path: &str) -> String {
        let answer = self.ask(Some(key), path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        sound(path, &answer);
        answer.text
    }

    /// A form that leads on to another page; where to.
    pub async fn press(&self, key: &str, path: &str, form: &str) -> String {
        let answer = self.ask(Some(key), path, Some(form)).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.text);
        answer.headers[LOCATION].to_str().expect("text").to_owned()
    }

    /// Writes the folder anew in one place.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        self.place.edit(name, from, to);
    }

    pub async fn call(&self, tool: &str, arguments: Value) -> (u16, Value) {
        let call = json!({"tool": tool, "arguments": arguments});
        self.wire.send(AGENT, "/v1/calls", Some(&call)).await.expect("an answer")
    }
}

/// The definitions in a file of pins, wherever they stand in it.
fn members(pins: &mut Value) -> Vec<&mut Value> {
    let tools = pins["tools"].as_object_mut().expect("tools");
    tools.values_mut().map(|pin| pin.get_mut("definition").expect("a definition")).collect()
}

/// The headers are on, nothing is inline, and no text of others became markup.
pub fn sound(path: &str, answer: &Answer) {
    let policy = answer.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
    assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
    for bad in
        ["<script>", "<img src=x", "onerror=alert(2)>", "<i>odd", " style=", " onclick", "javascript:", "\u{202E}"]
    {
        assert!(!answer.text.contains(bad), "{path} holds {bad}");
    }
    let ids: Vec<_> = answer.text.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "{path} gives an id twice: {ids:?}");
}

pub fn has(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "`{text}` is not on the page: {page}");
    }
}
