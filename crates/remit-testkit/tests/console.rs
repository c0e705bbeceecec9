//! The console as a browser without scripts sees it: a whole gateway, a folder, and pages over HTTP.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use remit_cli::boot::Running;
use remit_core::ids::Digest;
use remit_testkit::upstream::Upstream;
use remit_testkit::wire::Wire;
use serde_json::{Value, json};

const BOT: &str = "console-test-bot";
const BOB: &str = "console-test-bob";
const FAY: &str = "console-test-fay";
const VIC: &str = "console-test-vic";

/// Every page that needs nothing but a person.
const PAGES: [&str; 3] = ["/console", "/console/calls", "/console/runs"];

struct House {
    running: Running,
    wire: Wire,
    client: Client<HttpConnector, Full<Bytes>>,
    _upstream: Upstream,
    _place: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

fn put(place: &Path, name: &str, text: &str) {
    let file = place.join(name);
    std::fs::create_dir_all(file.parent().expect("parent")).expect("folder");
    std::fs::write(file, text).expect("written");
}

impl House {
    /// A support desk where mail to outsiders needs two of finance.
    async fn open() -> Self {
        let desk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-desk");
        let read = |name: &str| std::fs::read_to_string(desk.join(name)).expect("example");
        let place = tempfile::tempdir().expect("place");
        let upstream = Upstream::serve(&read("pins/business.json"), Duration::ZERO).await.expect("upstream");
        let to = place.path();
        put(to, "remit.yaml", &read("remit.yaml").replace("quorum: 1", "quorum: 2"));
        put(to, "pins/business.json", &read("pins/business.json"));
        put(to, "remits/everyone.yaml", &read("remits/everyone.yaml"));
        let more = "  - tools: [business/send_mail]\n    approval: finance-sign-off\napprove: none";
        put(to, "remits/support-bot.yaml", &read("remits/support-bot.yaml").replace("approve: none", more));
        put(
            to,
            "upstreams/business.yaml",
            &read("upstreams/business.yaml").replace("http://127.0.0.1:7431/mcp", &upstream.url),
        );
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
        put(to, "keys.yaml", &keys);
        put(to, ".remit/business.token", "token");
        private(&to.join(".remit/business.token"));
        let running = Running::start(to, Some("127.0.0.1:0".parse().expect("address"))).await;
        let running = running.unwrap_or_else(|error| panic!("{error}"));
        let wire = Wire::to(&running.url);
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { running, wire, client, _upstream: upstream, _place: place }
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
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

    async fn page(&self, who: &str, path: &str) -> Answer {
        self.ask(Method::GET, path, &[(AUTHORIZATION.as_str(), &format!("Bearer {who}"))], "").await
    }

    /// A page that there is.
    async fn shown(&self, who: &str, path: &str) -> String {
        let answer = self.page(who, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    async fn form(&self, who: &str, path: &str, fields: &str) -> Answer {
        let who = format!("Bearer {who}");
        let kind = "application/x-www-form-urlencoded";
        self.ask(Method::POST, path, &[(AUTHORIZATION.as_str(), &who), (CONTENT_TYPE.as_str(), kind)], fields).await
    }

    /// Votes as a browser does: with what the page showed. `None` when there is no ballot on it.
    async fn vote(&self, who: &str, question: &str, fields: &str) -> Option<Answer> {
        let page = self.shown(who, &format!("/console/questions/{question}")).await;
        let (_, rest) = page.split_once("name=\"shown\" value=\"")?;
        let (shown, _) = rest.split_once('"')?;
        Some(self.form(who, &format!("/console/questions/{question}/votes"), &format!("shown={shown}&{fields}")).await)
    }

    async fn run(&self, intent: &str) -> String {
        let opened =
            self.wire.done(BOT, "/v1/runs", Some(&json!({"user": "ada@acme.example", "intent": intent}))).await;
        opened.expect("opened")["run"].as_str().expect("run").to_owned()
    }

    /// A held call; its question.
    async fn held(&self, run: &str, tool: &str, arguments: Value) -> String {
        let body = json!({"run": run, "tool": tool, "arguments": arguments});
        let (_, answer) = self.wire.send(BOT, "/v1/calls", Some(&body)).await.expect("answered");
        let question = answer.pointer("/error/question").or(answer.get("question")).and_then(Value::as_str);
        question.unwrap_or_else(|| panic!("held: {answer}")).to_owned()
    }

    async fn close(self) {
        self.running.stop().await;
    }
}

fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("private");
}

fn refund(amount: u32) -> Value {
    json!({"payment": format!("P-{amount}"), "amount": amount})
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_looks_without_being_known() {
    let house = House::open().await;
    for (path, back) in [
        ("/console", "/console/sign-in?next=/console"),
        ("/console/calls?agent=a&tool=b/c", "/console/sign-in?next=/console/calls%3Fagent%3Da%26tool%3Db/c"),
        ("/console/questions/q_1", "/console/sign-in?next=/console/questions/q_1"),
        ("/console/live", "/console/sign-in?next=/console/live"),
    ] {
        let answer = house.ask(Method::GET, path, &[], "").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert_eq!(answer.headers[LOCATION], back);
        // An agent's key is nobody's here.
        assert_eq!(house.page(BOT, path).await.status, StatusCode::SEE_OTHER, "{path}");
    }
    // A form that does not say from which page it comes is nobody's.
    let voted = house.ask(Method::POST, "/console/questions/q_1/votes", &[], "choice=approve").await;
    assert_eq!(voted.status, StatusCode::FORBIDDEN);
    let stranger = house.ask(Method::GET, "/console", &[(HOST.as_str(), "evil.example")], "").await;
    assert_eq!(stranger.status, StatusCode::FORBIDDEN, "a rebound name");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_dressed() {
    let house = House::open().await;
    let paths = [
        "/console",
        "/console/nowhere",
        "/console/questions/q_none",
        "/console/assets/console.css",
        "/console/assets/x",
    ];
    for path in paths {
        for who in [BOB, "nobody"] {
            let answer = house.page(who, path).await;
            let header =
                |name: &str| answer.headers.get(name).map_or("", |value| value.to_str().expect("text")).to_owned();
            let policy = header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"), "{path}: {policy}");
            assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"));
            assert!(!policy.contains("unsafe"));
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(header("referrer-policy"), "same-origin");
            assert_eq!(header("cross-origin-opener-policy"), "same-origin");
            let kept = if path.ends_with("console.css") { "no-cache" } else { "no-store" };
            assert_eq!(header("cache-control"), kept, "{path}");
        }
    }
    for path in [
        "/console/nowhere",
        "/console/questions/q_none",
        "/console/runs/run_none",
        "/console/records/rec_none",
        "/console/questions/%F0",
    ] {
        let answer = house.page(BOB, path).await;
        assert!(matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST), "{path}: {}", answer.status);
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_are_kept_under_their_digest() {
    let house = House::open().await;
    let page = house.shown(BOB, "/console").await;
    let (_, rest) = page.split_once("/console/assets/console.js?d=").expect("a script");
    let (digest, _) = rest.split_once('"').expect("quoted");
    let path = format!("/console/assets/console.js?d={digest}");
    let script = house.ask(Method::GET, &path, &[], "").await;
    assert_eq!(script.status, StatusCode::OK);
    assert_eq!(script.headers["cache-control"], "public, max-age=31536000, immutable");
    let tag = script.headers[ETAG].to_str().expect("text").to_owned();
    let again = house.ask(Method::GET, &path, &[(IF_NONE_MATCH.as_str(), &tag)], "").await;
    assert_eq!((again.status, again.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    let old = house.ask(Method::GET, "/console/assets/console.js?d=0000000000000000", &[], "").await;
    assert_eq!(old.headers["cache-control"], "no-cache", "another version is not kept under this name");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_script_in_a_tool_argument_is_inert() {
    let house = House::open().await;
    let run = house.run("</title><script>alert('intent')</script>").await;
    let text = "</pre></bdi><script>alert(1)</script>\"><img src=x onerror=alert(2)>\u{202E}exe.txt\u{200B}";
    let arguments = json!({"to": "press@news.example", "subject": text, "text": format!("line\n{text}")});
    let question = house.held(&run, "business/send_mail", arguments).await;
    // A name that nobody knows goes into a record, too.
    let body =
        json!({"run": run, "tool": "x/<script>alert(3)</script>", "arguments": {"<script>": "<script>alert(4)"}});
    let (_, refused) = house.wire.send(BOT, "/v1/calls", Some(&body)).await.expect("answered");
    let record = refused.pointer("/error/record").and_then(Value::as_str).expect("record").to_owned();
    let paths = [
        "/console".to_owned(),
        "/console/calls".into(),
        "/console/runs".into(),
        format!("/console/runs/{run}"),
        format!("/console/questions/{question}"),
        format!("/console/records/{record}"),
    ];
    for path in paths {
        let page = house.shown(BOB, &path).await;
        assert_eq!(page.matches("<script").count(), 1, "{path}: only our own");
        assert_eq!(page.matches("<img").count(), 1, "{path}: only our own");
        assert_eq!(page.matches("</title>").count(), page.matches("<title>").count(), "{path}");
        assert!(!page.contains('\u{202E}') && !page.contains('\u{200B}'), "{path}: nothing hidden");
    }
    let page = house.shown(BOB, &format!("/console/questions/{question}")).await;
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("⟨U+202E⟩</b>exe.txt"), "{page}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_imitates_the_console_stays_in_the_agents_block() {
    let house = House::open().await;
    let lie =
        "Your vote: already approved by security. <section class=\"notice good\">Approve this call, once</section>";
    let run = house.run(lie).await;
    let question = house.held(&run, "business/refund", refund(420)).await;
    let page = house.shown(BOB, &format!("/console/questions/{question}")).await;
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("`{text}` is missing"));
    let block = at("class=\"agent-words\"");
    assert!(at("already approved by security") > block, "inside the block that says whose words these are");
    assert!(block > at("value=\"approve\"") && block > at("Exact arguments"), "the block comes last");
    assert!(at("Nobody has checked it") > block);
    assert_eq!(page.matches("class=\"notice good\"").count(), 0);
    assert_eq!(page.matches("already approved by security").count(), 1, "and nowhere else");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_about_a_question_is_on_its_page() {
    let house = House::open().await;
    let run = house.run("Refund P-420.").await;
    let earlier = house.held(&run, "business/refund", refund(400)).await;
    let question = house.held(&run, "business/refund", refund(420)).await;
    house.vote(BOB, &earlier, "choice=deny&reason=too+much").await.expect("a ballot");
    let page = house.shown(FAY, &format!("/console/questions/{question}")).await;
    for text in [
        "ada@acme.example",
        "support-bot",
        "business/refund",
        "trigger",
        "high risk",
        "cannot be undone",
        "payment:P-420",
        "production",
        "420.00 USD",
        "finance-sign-off",
        "0 of 2",
        "from team:finance; not the user",
        "one payment",
        "stage supervised",
        "owned by support",
        "owned by finance",
        "left of 5000.00 USD",
        "agent:support-bot/trigger.1",
        &earlier,
        "denied",
        "Refund P-420.",
    ] {
        assert!(page.contains(text), "`{text}` is missing: {page}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_vote_by_form_and_the_body_names_nobody() {
    let house = House::open().await;
    let run = house.run("").await;
    let question = house.held(&run, "business/refund", refund(420)).await;
    let page = format!("/console/questions/{question}");
    let votes = format!("{page}/votes");
    let shown = Digest::of(b"something else").to_string();
    assert!(house.vote(VIC, &question, "choice=approve").await.is_none(), "a viewer has no ballot");
    assert_eq!(house.form(VIC, &votes, &format!("choice=approve&shown={shown}")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(house.form(BOB, &votes, "choice=approve").await.status, StatusCode::BAD_REQUEST, "nothing was shown");
    let other = house.form(BOB, &votes, &format!("choice=approve&shown={shown}")).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "something else was shown");
    for (fields, why) in [
        ("choice=deny&reason=+", "no reason"),
        ("choice=maybe", "no choice"),
        ("choice=approve&by=fay", "a forged approver"),
        ("choice=approve&approver=fay&operator=fay", "a forged approver"),
    ] {
        let refused = house.vote(BOB, &question, fields).await.expect("a ballot");
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{why}");
    }
    let asked = house.form(BOB, &format!("{page}/remarks"), "text=%3Cb%3EWhy+now%3F").await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.body);
    assert_eq!(house.form(VIC, &format!("{page}/remarks"), "text=x").await.status, StatusCode::FORBIDDEN);
    assert!(house.shown(FAY, &page).await.contains("&lt;b&gt;Why now?"));
    let nobody_else = house.form(BOB, &format!("{page}/escalations"), "text=x").await;
    assert_eq!(nobody_else.status, StatusCode::CONFLICT, "the rule knows nobody else");
    let voted = house.vote(BOB, &question, "choice=approve&reason=fine").await.expect("a ballot");
    assert_eq!((voted.status, voted.headers[LOCATION].to_str().expect("text")), (StatusCode::SEE_OTHER, page.as_str()));
    let shown = house.shown(BOB, &page).await;
    assert!(shown.contains("1 of 2") && shown.contains("<b>bob</b>") && !shown.contains("<b>fay</b>"), "{shown}");
    assert!(house.vote(BOB, &question, "choice=approve").await.is_none(), "nobody votes twice");
    // What one has voted on waits for others now.
    let waiting = house.shown(BOB, "/console").await;
    let (mine, others) = waiting.split_once("title-others\"").expect("two lists");
    assert!(mine.contains("Nothing waits for you.") && others.contains(&question));
    assert_eq!(house.vote(FAY, &question, "choice=approve").await.expect("a ballot").status, StatusCode::SEE_OTHER);
    assert!(house.shown(FAY, &page).await.contains("not open any more"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_arguments_are_put_in_a_calls_place_by_form() {
    let house = House::open().await;
    let run = house.run("").await;
    let question = house.held(&run, "business/refund", json!({"payment": "P\u{202e}-1", "amount": 420})).await;
    let page = format!("/console/questions/{question}");
    let shown = house.shown(BOB, &page).await;
    let (_, form) = shown.split_once("name=\"arguments\"").expect("a form");
    // What cannot be seen is written as JSON writes it, so that handing it in changes nothing.
    assert!(form.contains("P\\u202e-1") && !form.contains('\u{202e}'), "{form}");
    let (_, digest) = shown.split_once("name=\"shown\" value=\"").expect("a digest");
    let (digest, _) = digest.split_once('"').expect("quoted");
    let fields = |arguments: &str| format!("shown={digest}&reason=less&arguments={arguments}");
    let narrow = format!("{page}/narrow");
    for (arguments, status) in [
        ("none", StatusCode::BAD_REQUEST),
        ("%5B1%5D", StatusCode::BAD_REQUEST),
        ("%7B%22payment%22%3A%22P%5Cu202e-1%22%2C%22amount%22%3A420%7D", StatusCode::BAD_REQUEST),
        ("%7B%22payment%22%3A%22P-1%22%7D", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(house.form(BOB, &narrow, &fields(arguments)).await.status, status, "{arguments}");
    }
    let less = fields("%7B%22payment%22%3A%22P-1%22%2C%22amount%22%3A300%7D");
    assert_eq!(house.form(VIC, &narrow, &less).await.status, StatusCode::FORBIDDEN);
    let done = house.form(BOB, &narrow, &less).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    let next = done.headers[LOCATION].to_str().expect("text").to_owned();
    assert_ne!(next, page);
    let old = house.shown(FAY, &page).await;
    assert!(old.contains("narrowed") && old.contains(&next), "{old}");
    let new = house.shown(FAY, &next).await;
    assert!(new.contains("1 of 2") && new.contains("300") && new.contains("choice"), "{new}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_approved_for_its_run_by_form() {
    let house = House::open().await;
    let run = house.run("").await;
    let question = house.held(&run, "business/refund", refund(420)).await;
    let page = house.shown(BOB, &format!("/console/questions/{question}")).await;
    assert!(page.contains("name=\"money\" inputmode=\"decimal\" value=\"2100\""), "{page}");
    for (fields, why) in [
        ("choice=approve_run", "no bounds"),
        ("choice=approve_run&calls=0&money=2100&minutes=10", "no call"),
        ("choice=approve_run&calls=5&money=2100&minutes=0", "no time"),
        ("choice=approve_run&calls=5&money=419&minutes=10", "not one of them is paid"),
        ("choice=approve_run&calls=5&money=1e3&minutes=10", "no money"),
        ("choice=approve_run&calls=5&money=2100&minutes=10&until=2099-01-01T00:00:00Z", "another bound"),
    ] {
        let refused = house.vote(BOB, &question, fields).await.expect("a ballot");
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{why}");
    }
    for (who, minutes) in [(BOB, 10), (FAY, 100_000)] {
        let fields = format!("choice=approve_run&calls=2&money=2100&minutes={minutes}&reason=fine");
        assert_eq!(house.vote(who, &question, &fields).await.expect("a ballot").status, StatusCode::SEE_OTHER);
    }
    let call = json!({"run": run, "tool": "business/refund", "arguments": refund(420)});
    for _ in 0..2 {
        let (_, made) = house.wire.send(BOT, "/v1/calls", Some(&call)).await.expect("answered");
        assert_eq!(made.pointer("/error/code").unwrap_or(&made["code"]), &serde_json::Value::Null, "{made}");
    }
    assert_ne!(house.held(&run, "business/refund", refund(420)).await, question, "the third is asked anew");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_in_the_url_and_in_the_form() {
    let house = House::open().await;
    let run = house.run("").await;
    let mail = json!({"to": "press@news.example", "text": "x"});
    let (held, mailed) =
        (house.held(&run, "business/refund", refund(420)).await, house.held(&run, "business/send_mail", mail).await);
    for (path, there, gone) in [
        ("/console?tool=business/refund", &held, &mailed),
        ("/console?tool=business/send_mail&agent=support-bot", &mailed, &held),
        ("/console?rule=finance-sign-off&tool=business/refund&show=mine", &held, &mailed),
    ] {
        let page = house.shown(BOB, path).await;
        assert!(page.contains(there.as_str()) && !page.contains(gone.as_str()), "{path}");
    }
    let page = house.shown(BOB, "/console?agent=nobody&tool=%22%3E%3Cb%3E&rule=other").await;
    assert!(page.contains("value=\"nobody\"") && page.contains("value=\"&#34;&#62;&#60;b&#62;\""), "{page}");
    assert!(!page.contains(&held));
    for path in ["/console?agent=%00", "/console?after=x", "/console/calls?since=tomorrow", "/console/runs?before=-1"] {
        assert_eq!(house.page(BOB, path).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    let denied = house.shown(BOB, "/console/calls?verdict=deny&since=1h").await;
    assert!(denied.contains("No such calls"), "{denied}");
    let asked = house.shown(BOB, "/console/calls?verdict=ask&agent=support-bot&tool=business/refund").await;
    assert!(asked.contains("approval.required") && !asked.contains("business/send_mail</bdi>"));
    // Page by page, each call once.
    for amount in 60..115 {
        house.held(&run, "business/refund", refund(amount)).await;
    }
    let first = house.shown(BOB, "/console/calls?verdict=ask").await;
    let (_, older) = first.split_once("/console/calls?verdict=ask&#38;before=").expect("an older page");
    let (before, _) = older.split_once('"').expect("quoted");
    let second = house.shown(BOB, &format!("/console/calls?verdict=ask&before={before}")).await;
    let keys = |page: &str| page.matches("data-key=").count();
    assert_eq!((keys(&first), keys(&second)), (50, 7));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_in_words_and_drawn() {
    let house = House::open().await;
    let run = house.run("").await;
    for (tool, arguments) in [
        ("business/get_customer", json!({"id": "C-1"})),
        ("business/list_tickets", json!({})),
        ("business/refund", json!({"payment": "P-1", "amount": 20})),
        ("business/refund", json!({"payment": "P-2", "amount": 9000})),
    ] {
        let body = json!({"run": run, "tool": tool, "arguments": arguments});
        house.wire.send(BOT, "/v1/calls", Some(&body)).await.expect("answered");
    }
    house.held(&run, "business/refund", refund(420)).await;
    let page = house.shown(BOB, &format!("/console/runs/{run}")).await;
    assert!(page.contains("<svg class=\"timeline\"") && page.contains("aria-hidden=\"true\""));
    for shape in ["mark good", "mark wait", "mark bad"] {
        assert!(page.contains(shape), "{shape}");
    }
    for text in ["support-bot calls business/refund (policy.no_permit)", "completed", "untrusted", "20.00 USD"] {
        assert!(page.contains(text), "`{text}` is missing: {page}");
    }
    let (_, rest) = page.split_once("/console/records/").expect("a record");
    let (record, _) = rest.split_once('"').expect("quoted");
    let shown = house.shown(BOB, &format!("/console/records/{record}")).await;
    assert!(shown.contains("As it was signed") && shown.contains(&run));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_reaches_an_open_console_within_a_second() {
    let house = House::open().await;
    let run = house.run("").await;
    let base = house.running.url.trim_end_matches('/');
    let request = Request::builder().uri(format!("{base}/console/live")).header(AUTHORIZATION, format!("Bearer {BOB}"));
    let request = request.body(Full::new(Bytes::new())).expect("request");
    let mut body = house.client.request(request).await.expect("answered").into_body();
    let hello = body.frame().await.expect("a frame").expect("whole").into_data().expect("data");
    assert!(hello.starts_with(b"retry:"));
    let began = Instant::now();
    let question = house.held(&run, "business/refund", refund(420)).await;
    let wanted = format!("event: question\ndata: {question}\n\n");
    let heard = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            let frame = body.frame().await.expect("a frame").expect("whole");
            if frame.into_data().is_ok_and(|data| data == wanted.as_bytes()) {
                break began.elapsed();
            }
        }
    });
    let heard = heard.await.expect("told");
    assert!(heard < Duration::from_secs(1), "{heard:?}");
    assert!(house.shown(BOB, "/console").await.contains(&question));
    // An open console does not keep the gateway from ending.
    let began = Instant::now();
    house.close().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop(body);
}

#[tokio::test(flavor = "multi_thread")]
async fn halts_are_on_every_page() {
    let house = House::open().await;
    for page in PAGES {
        assert!(!house.shown(VIC, page).await.contains("class=\"banner\""));
    }
    let halts = remit_core::halt::HaltTarget::parse("tool:business/refund").expect("target");
    let by = remit_core::ids::OperatorId::parse("bob").expect("id");
    house.running.edge.gate.halt(halts, &by, "<b>fraud</b>").await.expect("halted");
    for page in PAGES {
        let page = house.shown(VIC, page).await;
        assert!(page.contains("Halted: tool:business/refund") && page.contains("&lt;b&gt;fraud&lt;/b&gt;"), "{page}");
    }
    house.close().await;
}
