//! The pages of the console over a real gateway: what they show, that nothing which others wrote does anything
//! on them, and that who may not press a button cannot.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod care;
mod changes;
mod house;

use std::time::Duration;

use http::header::LOCATION;
use remit_core::ids::Digest;
use serde_json::json;

use house::{AGENT, CHIEF, House, VIEWER, has, sound};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_shows_what_is_there() {
    let house = House::start().await;
    assert_eq!(house.call("business/get_customer", json!({"id": "C-1"})).await.0, 200);
    assert_eq!(house.call("business/refund", json!({"payment": "P-1", "amount": 20})).await.0, 200);
    assert_ne!(
        house.call("business/send_mail", json!({"to": "eve@elsewhere.example", "subject": "s", "text": "t"})).await.0,
        200
    );

    let agents = house.page(VIEWER, "/console/agents").await;
    has(&agents, &["/console/agents/desk", "support", "supervised", "enforce", "every user"]);
    let none = house.page(VIEWER, "/console/agents?q=nobody&stage=sandbox").await;
    has(&none, &["No such agents", "value=\"nobody\"", "<option selected>sandbox"]);
    let desk = house.page(CHIEF, "/console/agents/desk").await;
    has(
        &desk,
        &[
            "May read business/get_customer and business/list_tickets, up to internal.",
            "May trigger business/refund, when args.amount &lt;= 500, after approval under finance-sign-off.",
            "/console/halts/new?target=agent%3Adesk",
            "policy.no_permit",
            "ada@acme.example",
        ],
    );
    assert!(!house.page(VIEWER, "/console/agents/desk").await.contains("Halt this agent"), "they may not");

    let tools = house.page(VIEWER, "/console/tools?class=trigger").await;
    has(&tools, &["/console/tools/business/refund", "high risk", "cannot be undone"]);
    assert!(!tools.contains("/console/tools/business/get_customer"), "it reads");
    let refund = house.page(CHIEF, "/console/tools/business/refund").await;
    has(&refund, &["agent desk", "May trigger business/refund", "team finance", "Halt this tool"]);

    let authority = house.page(VIEWER, "/console/authority").await;
    has(
        &authority,
        &[
            "guardrails/data.cedar#untrusted-needs-two",
            "Satisfied by approval under two-person",
            "2 different people of team security must approve within 60 min",
            "at most 5000.00 USD per day",
            "how it came into force",
        ],
    );
    let some = house.page(VIEWER, "/console/authority?q=restricted").await;
    assert!(some.contains("#restricted-stays-inside") && !some.contains("#untrusted-needs-two"));

    let budgets = house.page(VIEWER, "/console/budgets").await;
    has(&budgets, &["the whole organisation", "20.00 of 5000.00 USD used", "<svg class=\"meter\" role=\"img\""]);
    let one = house.page(VIEWER, "/console/budgets?budget=tenant/micro_usd/day").await;
    has(&one, &["20.00 of 5000.00 USD used", "Spans in which anything was counted"]);

    let people = house.page(VIEWER, "/console/people").await;
    has(&people, &["rehearsal@acme.example", "viewer, approver, operator, security", "close run"]);
    has(&house.page(VIEWER, "/console/halts").await, &["Nothing is halted", "Your roles do not let you stop anything"]);

    for unknown in [
        "agents/nobody",
        "agents/%3Cscript%3E",
        "tools/business/nothing",
        "tools/x",
        "budgets?budget=nothing",
        "nowhere",
    ] {
        let answer = house.ask(Some(VIEWER), &format!("/console/{unknown}"), None).await;
        assert_eq!(answer.status, 404, "{unknown}");
        sound(unknown, &answer);
    }
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_a_page_without_a_persons_key() {
    let house = House::start().await;
    for path in [
        "agents",
        "agents/desk",
        "tools",
        "authority",
        "budgets",
        "halts",
        "halts/new?target=tenant",
        "ledger",
        "ledger/trust",
        "people",
        "access",
        "reviews",
        "changes",
        "changes/chg_1",
        "history",
        "history/0000",
        "proposals",
        "agents/desk/standing",
        "approvers",
        "delegations",
    ] {
        for key in [None, Some(AGENT), Some("wrong")] {
            let answer = house.ask(key, &format!("/console/{path}"), None).await;
            assert_eq!(answer.status, 303, "{path}");
            let door = answer.headers[LOCATION].to_str().expect("text");
            assert!(door.starts_with("/console/sign-in?next=/console/"), "{path}: {door}");
            assert!(!answer.text.contains("desk"), "{path}");
        }
    }
    for path in ["/console/halts", "/console/halts/lift"] {
        let answer = house.ask(Some(AGENT), path, Some("target=tenant&reason=x")).await;
        assert_eq!(answer.status, 303, "{path}");
        assert!(answer.headers[LOCATION].to_str().expect("text").starts_with("/console/sign-in"));
    }
    assert!(house.page(VIEWER, "/console/halts").await.contains("Nothing is halted"));
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_tool_shows_both_texts_and_neither_does_anything() {
    let house = House::start().await;
    house.wire.done(CHIEF, "/admin/v1/tools/survey", Some(&json!({}))).await.expect("surveyed");
    has(&house.page(VIEWER, "/console/tools").await, &["1 tool is</b> served differently", "changed"][1..]);
    has(&house.page(VIEWER, "/console/tools?state=changed").await, &["/console/tools/business/update_ticket"]);
    let tool = house.page(CHIEF, "/console/tools/business/update_ticket").await;
    has(
        &tool,
        &[
            "What changed since it was approved",
            "<code>/description</code>",
            "&lt;script&gt;alert(1)&lt;/script&gt;",
            "⟨U+202E⟩",
            "remit tools approve business/update_ticket --pin ",
        ],
    );
    let (_, served) = tool.split_once("Served now").expect("both sides");
    assert!(served.contains("<ins>"), "what came is marked");
    has(&house.page(VIEWER, "/console/authority").await, &["&lt;b&gt;Approved&lt;/b&gt; &lt;img src=x onerror"]);
    for path in ["agents?q=", "tools?q=", "tools?class=", "authority?q=", "budgets?q=", "ledger?record="] {
        let page = house.page(VIEWER, &format!("/console/{path}%22%3E%3Cscript%3Ealert(1)%3C/script%3E")).await;
        assert!(!page.contains("\"><script"), "{path}");
    }
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halt_is_shown_before_it_is_ordered_and_only_by_who_may() {
    let house = House::start().await;
    let allowed = async |house: &House| house.call("business/get_customer", json!({"id": "C-1"})).await.0 == 200;
    assert!(allowed(&house).await);
    let confirm = house.page(CHIEF, "/console/halts/new?kind=agent&id=desk").await;
    has(&confirm, &["Halt agent desk", "<b>1</b> agent<", "<b>5</b> tools", "<b>1</b> open run<", "name=\"csrf\""]);
    has(
        &house.page(CHIEF, "/console/halts/new?kind=tenant").await,
        &["Halt everything", "<b>1</b> agent<", "<b>6</b> tools"],
    );
    let class = house.page(CHIEF, "/console/halts/new?target=class:trigger").await;
    has(&class, &["every trigger tool", "<b>1</b> tool<", "/console/tools/business/refund"]);
    assert!(allowed(&house).await, "looking stops nothing");
    for wrong in
        ["kind=agent&id=deks", "target=tool:business/refnd", "target=planet:earth", "target=", "kind=class&id=all"]
    {
        let answer = house.ask(Some(CHIEF), &format!("/console/halts/new?{wrong}"), None).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
    assert!(!house.page(VIEWER, "/console/halts/new?kind=tenant").await.contains("<button class=\"danger\""));

    let refused = house.ask(Some(VIEWER), "/console/halts", Some("target=tenant&reason=because")).await;
    assert_eq!(refused.status, 403);
    has(&refused.text, &["no role of bob lets them do this: halt", "policy.no_permit"]);
    for wrong in ["target=agent:desk", "target=agent:desk&reason=+", "reason=x", "target=agent:deks&reason=x", "{}"] {
        assert_eq!(house.ask(Some(CHIEF), "/console/halts", Some(wrong)).await.status, 400, "{wrong}");
    }
    assert!(allowed(&house).await, "nothing was halted");

    let reason = "target=agent%3Adesk&reason=%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE";
    let ordered = house.ask(Some(CHIEF), "/console/halts", Some(reason)).await;
    assert_eq!((ordered.status, ordered.headers[LOCATION].to_str().expect("text")), (303, "/console/halts"));
    assert!(!allowed(&house).await, "it stands still");
    for path in ["/console/halts", "/console/agents/desk", "/console/halts/new?target=agent:desk"] {
        has(&house.page(CHIEF, path).await, &["&lt;script&gt;alert(1)", "⟨U+202E⟩"]);
    }
    let lift = "target=agent%3Adesk&reason=looked+at";
    assert_eq!(house.ask(Some(VIEWER), "/console/halts/lift", Some(lift)).await.status, 403);
    assert!(!allowed(&house).await);
    assert_eq!(house.ask(Some(CHIEF), "/console/halts/lift", Some(lift)).await.status, 303);
    assert!(allowed(&house).await, "it goes on");
    let reach = house.wire.done(VIEWER, "/admin/v1/halts/reach?target=upstream:business", None).await.expect("reach");
    assert_eq!((&reach["agents"], &reach["open_runs"]), (&json!(["desk"]), &json!(1)));
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_judged_on_the_page_and_the_page_says_by_whom() {
    let house = House::start().await;
    let (_, done) = house.call("business/refund", json!({"payment": "P-1", "amount": 20})).await;
    let record = done["record"].as_str().expect("a record").to_owned();
    let path = format!("/console/ledger?record={record}");
    let mut page = String::new();
    for _ in 0..200 {
        page = house.page(VIEWER, &path).await;
        if page.contains(">VALID<") {
            break;
        }
        assert!(page.contains("Not verified"), "nothing is shown as verified before it is sealed: {page}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    has(
        &page,
        &[
            ">VALID<",
            "Every check holds",
            "gateway's own word",
            "remit-verify",
            "Did the log sign its head?",
            "no witness has seen it",
            "none must: the trust document asks for none",
            "What this does not prove",
            "not every record is witnessed",
            "Nobody else has seen this log",
        ],
    );
    assert!(!page.contains("Download the bundle"), "a viewer takes no evidence out");
    has(&house.page(CHIEF, &path).await, &["Download the bundle", &format!("/admin/v1/evidence?record={record}")]);
    for unknown in ["rec-unknown", "..", "%3Cscript%3E"] {
        let page = house.page(VIEWER, &format!("/console/ledger?record={unknown}")).await;
        assert!(page.contains("Not verified") && !page.contains(">VALID<"), "{unknown}");
    }
    let trust = house.ask(Some(VIEWER), "/console/ledger/trust", None).await;
    let fingerprint = Digest::of(trust.text.as_bytes()).to_string();
    assert!(page.contains(&fingerprint), "the fingerprint on the page is that of the document");
    let trust = remit_evidence::trust::Trust::parse(trust.text.as_bytes()).expect("a trust document");
    let bundle = house.ask(Some(CHIEF), &format!("/admin/v1/evidence?record={record}"), None).await;
    let report = remit_evidence::judge::judge(bundle.text.as_bytes(), &trust, &[]);
    assert_eq!(report.verdict.as_str(), "VALID");
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_is_looked_at_and_taken_back_on_its_page() {
    let house = House::start().await;
    has(
        &house.page(VIEWER, "/console/access").await,
        &["Nobody asks for anything", "No grant is in force", "remit break-glass leak"],
    );
    let asked = json!({"tools": ["business/delete_customer"], "for_secs": 7200, "calls": 2, "reason": "<script>alert(3)</script>\u{202E}"});
    let request = house.wire.done(AGENT, "/v1/access-requests", Some(&asked)).await.expect("asked");
    let question = request["question"].as_str().expect("a question").to_owned();
    let waiting = house.page(VIEWER, "/console/access?agent=desk").await;
    has(
        &waiting,
        &[
            "at most 2 calls",
            "ends early if unused for 60 min",
            &format!("/console/questions/{question}"),
            "Give less",
            "&lt;script&gt;alert(3)",
            "⟨U+202E⟩",
        ],
    );
    let (ours, theirs) = waiting.split_once("agent-words").expect("what the agent wrote is marked");
    assert!(!ours.contains("alert(3)") && theirs.contains("alert(3)"), "and stands last");
    assert!(!house.page(VIEWER, "/console/access?agent=other").await.contains(&question));

    // Granted, it says so of itself, until it is used.
    let page = house.page(VIEWER, &format!("/console/questions/{question}")).await;
    let shown = page.split("name=\"shown\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a digest");
    let form = format!("choice=approve&shown={shown}&rule=finance-sign-off&reason=yes");
    house.press(VIEWER, &format!("/console/questions/{question}/votes"), &form).await;
    has(&house.page(VIEWER, "/console/access").await, &["0 of 2 calls used", "if still unused, <time"]);
    let grants = house.wire.done(VIEWER, "/admin/v1/grants", None).await.expect("grants");
    let given = grants["grants"][0]["grant"].as_str().expect("a grant").to_owned();
    house.press(CHIEF, &format!("/console/access/grants/{given}/revoke"), "reason=enough").await;

    let broken = json!({"name": "leak", "incident": "INC-7", "reason": "<b>the list leaks</b>"});
    let broken = house.wire.done(CHIEF, "/admin/v1/break-glass", Some(&broken)).await.expect("broken");
    let grant = broken["grant"].as_str().expect("a grant").to_owned();
    let live = house.page(CHIEF, "/console/access").await;
    has(&live, &["must review", "INC-7: &lt;b&gt;the list leaks", "0 of 1 call used", "Take back"]);
    assert!(!house.page(VIEWER, "/console/access").await.contains("Take back"));
    let (revoke, review) =
        (format!("/console/access/grants/{grant}/revoke"), format!("/console/access/grants/{grant}/review"));
    assert_eq!(house.ask(Some(VIEWER), &revoke, Some("reason=because")).await.status, 403);
    assert_eq!(house.ask(Some(CHIEF), &revoke, Some("reason=+")).await.status, 400);
    assert_eq!(house.ask(Some(CHIEF), "/console/access/grants/g-1/revoke", Some("reason=x")).await.status, 404);
    assert_eq!(house.ask(Some(CHIEF), &revoke, Some("reason=it+is+over")).await.status, 303);
    assert_ne!(
        house.ask(Some(CHIEF), &review, Some("justified=yes&note=fine")).await.status,
        303,
        "not by who broke it"
    );
    let over = house.page(CHIEF, "/console/access?all=1").await;
    has(&over, &["No grant is in force", "revoked", "by rehearsal: it is over", "must review"]);
    house.running.stop().await;
}
