//! The page of a question, and votes by its forms.

use http::StatusCode;
use http::header::LOCATION;
use remit_core::ids::Digest;
use serde_json::{Value, json};

use crate::house::{BOB, BOT, FAY, House, VIC, refund};

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
