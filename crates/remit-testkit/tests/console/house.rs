//! A support desk whose console is looked at as a browser without scripts sees it.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use remit_cli::boot::Running;
use remit_config::Folder;
use remit_core::ids::Digest;
use remit_testkit::place::Place;
use remit_testkit::upstream::Upstream;
use remit_testkit::wire::Wire;
use serde_json::{Value, json};

pub const BOT: &str = "console-test-bot";
pub const BOB: &str = "console-test-bob";
pub const FAY: &str = "console-test-fay";
pub const VIC: &str = "console-test-vic";

/// What is taken from the example.
const FILES: [&str; 5] =
    ["remit.yaml", "pins/business.json", "remits/everyone.yaml", "remits/support-bot.yaml", "upstreams/business.yaml"];

pub struct House {
    pub running: Running,
    pub wire: Wire,
    pub client: Client<HttpConnector, Full<Bytes>>,
    _upstream: Upstream,
    _place: Place,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl House {
    /// A support desk where mail to outsiders needs two of finance.
    pub async fn open() -> Self {
        let desk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-desk");
        let text = |name: &str| std::fs::read_to_string(desk.join(name)).expect("example");
        let folder = Folder::from_texts(FILES.map(|name| (name, text(name)))).expect("a folder");
        let place = Place::holding(&folder);
        let upstream = Upstream::serve(&place.text("pins/business.json"), Duration::ZERO).await.expect("upstream");
        place.reaches(&upstream);
        place.edit("remit.yaml", "quorum: 1", "quorum: 2");
        // A preview comes when it comes, and changes what is voted on: previews have their own tests.
        let preview = "    preview: preview_refund           # what people are shown who are asked about a refund\n";
        place.edit("upstreams/business.yaml", preview, "");
        let more = "  - tools: [business/send_mail]\n    approval: finance-sign-off\napprove: none";
        place.edit("remits/support-bot.yaml", "approve: none", more);
        let sha = |key: &str| Digest::of(key.as_bytes()).to_string();
        let person = |id: &str, teams: &str, roles: &str, key: &str| {
            format!(
                "  - {{ id: {id}, user: {id}@acme.example, teams: [{teams}], roles: [{roles}], sha256: {}, expires: 2099-01-01 }}\n",
                sha(key)
            )
        };
        let keys = format!(
            "agents:\n  - {{ id: bot, agent: support-bot, may_declare: any, sha256: {}, expires: 2099-01-01 }}\noperators:\n{}{}{}",
            sha(BOT),
            person("bob", "finance", "approver", BOB),
            person("fay", "finance", "approver", FAY),
            person("vic", "support", "viewer", VIC),
        );
        place.write("keys.yaml", &keys);
        place.hide(".remit/business.token", "token");
        let running = Running::start(place.path(), Some("127.0.0.1:0".parse().expect("address"))).await;
        let running = running.unwrap_or_else(|error| panic!("{error}"));
        let wire = Wire::to(&running.url);
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { running, wire, client, _upstream: upstream, _place: place }
    }

    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let base = self.running.url.trim_end_matches('/');
        let mut request = Request::builder().method(method).uri(format!("{base}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).expect("request");
        let response = self.client.request(request).await.expect("answered");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("whole").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("text");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn page(&self, who: &str, path: &str) -> Answer {
        self.ask(Method::GET, path, &[(AUTHORIZATION.as_str(), &format!("Bearer {who}"))], "").await
    }

    /// A page that there is.
    pub async fn shown(&self, who: &str, path: &str) -> String {
        let answer = self.page(who, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    pub async fn form(&self, who: &str, path: &str, fields: &str) -> Answer {
        let who = format!("Bearer {who}");
        let kind = "application/x-www-form-urlencoded";
        self.ask(Method::POST, path, &[(AUTHORIZATION.as_str(), &who), (CONTENT_TYPE.as_str(), kind)], fields).await
    }

    /// Votes as a browser does: with what the page showed. `None` when there is no ballot on it.
    pub async fn vote(&self, who: &str, question: &str, fields: &str) -> Option<Answer> {
        let page = self.shown(who, &format!("/console/questions/{question}")).await;
        let (_, rest) = page.split_once("name=\"shown\" value=\"")?;
        let (shown, _) = rest.split_once('"')?;
        Some(self.form(who, &format!("/console/questions/{question}/votes"), &format!("shown={shown}&{fields}")).await)
    }

    pub async fn run(&self, intent: &str) -> String {
        let opened =
            self.wire.done(BOT, "/v1/runs", Some(&json!({"user": "ada@acme.example", "intent": intent}))).await;
        opened.expect("opened")["run"].as_str().expect("run").to_owned()
    }

    /// A held call; its question.
    pub async fn held(&self, run: &str, tool: &str, arguments: Value) -> String {
        let body = json!({"run": run, "tool": tool, "arguments": arguments});
        let (_, answer) = self.wire.send(BOT, "/v1/calls", Some(&body)).await.expect("answered");
        let question = answer.pointer("/error/question").or(answer.get("question")).and_then(Value::as_str);
        question.unwrap_or_else(|| panic!("held: {answer}")).to_owned()
    }

    pub async fn close(self) {
        self.running.stop().await;
    }
}

pub fn refund(amount: u32) -> Value {
    json!({"payment": format!("P-{amount}"), "amount": amount})
}
