//! People's time and care in the console: reviews afterwards, approvers' figures, and stand-ins.

use serde_json::json;

use crate::house::{AGENT, CHIEF, House, VIEWER, has};

const REVIEWED: &str = "\nrisk:\n  tiers: { medium: review }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_looked_at_afterwards_and_an_objection_stands_as_evidence() {
    let house = House::with(REVIEWED).await;
    has(&house.page(VIEWER, "/console/reviews").await, &["Nothing waits to be looked at"]);
    house.edit("upstreams/business.yaml", "risk: low", "risk: medium");
    house.wire.done(CHIEF, "/admin/v1/reload", Some(&json!({}))).await.expect("a higher risk needs nobody");
    for id in ["C-1", "C-2"] {
        assert_eq!(house.call("business/get_customer", json!({ "id": id })).await.0, 200);
    }
    has(&house.page(CHIEF, "/console").await, &["2 calls</a> went through before anybody looked"]);
    let page = house.page(CHIEF, "/console/reviews").await;
    has(&page, &["<b>2</b> calls went through", "business/get_customer", "ada@acme.example", "I object"]);
    assert!(!house.page(VIEWER, "/console/reviews").await.contains("I object"), "they may not");
    let forms: Vec<_> =
        page.split("action=\"/console/reviews/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let (first, second) = (format!("/console/reviews/{}", forms[0]), format!("/console/reviews/{}", forms[1]));
    assert_eq!(house.ask(Some(VIEWER), &first, Some("finding=confirmed&note=x")).await.status, 403);
    for wrong in ["finding=confirmed&note=+", "finding=fine&note=x", "note=x", "finding=confirmed&note=x&by=bob"] {
        assert_eq!(house.ask(Some(CHIEF), &first, Some(wrong)).await.status, 400, "{wrong}");
    }
    assert_eq!(house.press(CHIEF, &first, "finding=confirmed&note=as+it+should+be").await, "/console/reviews");
    assert_eq!(house.press(CHIEF, &second, "finding=objected&note=%3Cb%3Ewrong+ticket").await, "/console/reviews");
    assert_eq!(house.ask(Some(CHIEF), &first, Some("finding=objected&note=again")).await.status, 404, "closed once");
    let closed = house.page(VIEWER, "/console/reviews?closed=1").await;
    has(&closed, &["in order", "objected to", "by rehearsal", "&lt;b&gt;wrong ticket", "Nothing waits"]);
    let standing = house.wire.done(VIEWER, "/admin/v1/agents/desk/standing", None).await.expect("standing");
    assert_eq!(standing["classes"][0]["objections"], 1, "{standing}");
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_approvers_are_for_those_who_steer_people() {
    let house = House::start().await;
    let (_, held) = house.call("business/refund", json!({"payment": "P-1", "amount": 90})).await;
    let question = held["question"].as_str().expect("held").to_owned();
    has(&house.page(CHIEF, "/console/approvers").await, &["bob", "data-label=\"open now\">1<"]);
    let refused = house.ask(Some(VIEWER), "/console/approvers", None).await;
    assert_eq!(refused.status, 403);
    let page = house.page(VIEWER, &format!("/console/questions/{question}")).await;
    let shown = page.split("name=\"shown\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a digest");
    let form = format!("choice=approve&shown={shown}&rule=finance-sign-off&reason=yes");
    house.press(VIEWER, &format!("/console/questions/{question}/votes"), &form).await;
    has(&house.page(CHIEF, "/console/approvers").await, &["100 % of 1", "data-label=\"votes\">1<"]);
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vote_is_lent_for_a_while_and_taken_back() {
    let house = House::start().await;
    let path = "/console/delegations";
    has(
        &house.page(VIEWER, path).await,
        &["Nobody stands in for anybody", "<option>eve</option>", "<option>finance-sign-off"],
    );
    for wrong in [
        "to=nobody&days=1",
        "to=bob&days=1",
        "to=eve&days=31",
        "to=eve&days=0",
        "to=eve&days=1&rule=none",
        "to=eve&days=1&from=ada",
    ] {
        assert_eq!(house.ask(Some(VIEWER), path, Some(wrong)).await.status, 400, "{wrong}");
    }
    let refused = house.ask(Some(AGENT), path, Some("to=eve&days=1")).await;
    assert_eq!(refused.status, 303, "an agent is sent to the door");
    assert_eq!(house.press(VIEWER, path, "to=eve&days=2&rule=finance-sign-off").await, path);
    assert_eq!(house.ask(Some(VIEWER), path, Some("to=eve&days=2&rule=finance-sign-off")).await.status, 409);
    let page = house.page(VIEWER, path).await;
    has(&page, &["<th scope=\"row\">bob</th>", "data-label=\"votes\">eve<", "<code>finance-sign-off</code>"]);
    let form =
        page.split("action=\"/console/delegations/").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
    let revoke = format!("{path}/{form}");
    let other = house.ask(Some("scenario-operator-carol"), &revoke, Some("")).await;
    assert_eq!(other.status, 404, "it is neither's");
    assert!(!house.page("scenario-operator-carol", path).await.contains("Take back that"));
    assert_eq!(house.press(VIEWER, &revoke, "").await, path);
    has(&house.page(VIEWER, path).await, &["Nobody stands in for anybody"]);
    house.running.stop().await;
}
