//! The console as a browser without scripts sees it: a whole gateway, a folder, and pages over HTTP.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod house;
mod voting;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, ETAG, HOST, IF_NONE_MATCH, LOCATION};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;

use house::{BOB, BOT, House, VIC, refund};

/// Every page that needs nothing but a person.
const PAGES: [&str; 3] = ["/console", "/console/calls", "/console/runs"];

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
async fn a_question_reaches_an_open_console() {
    let house = House::open().await;
    let run = house.run("").await;
    let base = house.running.url.trim_end_matches('/');
    let request = Request::builder().uri(format!("{base}/console/live")).header(AUTHORIZATION, format!("Bearer {BOB}"));
    let request = request.body(Full::new(Bytes::new())).expect("request");
    let mut body = house.client.request(request).await.expect("answered").into_body();
    let hello = body.frame().await.expect("a frame").expect("whole").into_data().expect("data");
    assert!(hello.starts_with(b"retry:"));
    let question = house.held(&run, "business/refund", refund(420)).await;
    let wanted = format!("event: question\ndata: {question}\n\n");
    // How soon is measured in the browser, and written down in docs/performance.md.
    let heard = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let frame = body.frame().await.expect("a frame").expect("whole");
            if frame.into_data().is_ok_and(|data| data == wanted.as_bytes()) {
                break;
            }
        }
    });
    heard.await.expect("told");
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
