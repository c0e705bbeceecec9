//! What protects less, as people meet it in the console: the change with its lines, two people's votes, the history and
//! the way back, and a remit that grows by a proposal.

use serde_json::json;

use crate::house::{AGENT, CHIEF, House, SUE, VIEWER, has};

const GUARDRAIL: &str = "@id(\"restricted-stays-inside\")";

/// The folder with a guardrail that is only observed; the path of the change.
async fn weakened(house: &House) -> String {
    house.edit("guardrails/data.cedar", GUARDRAIL, &format!("@mode(\"observe\") {GUARDRAIL}"));
    let answer = house.wire.send(CHIEF, "/admin/v1/reload", Some(&json!({}))).await.expect("an answer").1;
    format!("/console/changes/{}", answer["pending"]["change"].as_str().expect("a change"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_shows_its_lines_and_two_people_put_it_into_force() {
    let house = House::start().await;
    has(&house.page(VIEWER, "/console/changes").await, &["No change waits, or has waited, for people"]);
    let path = weakened(&house).await;
    has(&house.page(VIEWER, "/console/changes").await, &[&path, "would only be observed", "0 of 2", "waits"]);
    has(&house.page(SUE, "/console").await, &[&path, "waits for your vote"]);
    assert!(!house.page(VIEWER, "/console").await.contains(&path), "they have no vote");
    let page = house.page(SUE, &path).await;
    has(
        &page,
        &[
            "guardrails/data.cedar",
            "<span class=\"sr\">comes: </span>@mode(&quot;observe&quot;)",
            "Approve this change",
        ],
    );
    let looked = house.page(VIEWER, &path).await;
    assert!(looked.contains("your roles let you look") && !looked.contains("Approve this change"));

    let votes = format!("{path}/votes");
    let refused = house.ask(Some(VIEWER), &votes, Some("choice=approve&reason=x")).await;
    assert_eq!(refused.status, 403);
    for wrong in ["choice=maybe", "choice=refuse&reason=+", "choice=approve&by=sue", "reason=x"] {
        assert_eq!(house.ask(Some(SUE), &votes, Some(wrong)).await.status, 400, "{wrong}");
    }
    assert_eq!(house.press(SUE, &votes, "choice=approve&reason=%3Cscript%3E+seen").await, path);
    let once = house.page(SUE, &path).await;
    has(&once, &["Votes so far: 1 of 2", "&lt;script&gt; seen", "has voted on the change already", "by key"]);
    assert_eq!(house.ask(Some(SUE), &votes, Some("choice=approve&reason=again")).await.status, 403, "one vote each");
    assert_eq!(house.press(CHIEF, &votes, "choice=approve&reason=").await, path);
    has(&house.page(CHIEF, &path).await, &["in force", "is not open any more", "Its texts are in force"]);
    assert_eq!(house.ask(Some(CHIEF), &votes, Some("choice=refuse&reason=late")).await.status, 409);
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_says_who_agreed_and_leads_back() {
    let house = House::start().await;
    let first = house.running.edge.gate.snapshot().digest().to_string();
    let path = weakened(&house).await;
    for key in [SUE, CHIEF] {
        house.press(key, &format!("{path}/votes"), "choice=approve&reason=x").await;
    }
    let history = house.page(VIEWER, "/console/history").await;
    has(
        &history,
        &[
            "people, who agreed to a change",
            &path,
            "changed <code>guardrails/data.cedar</code>",
            &first,
            "the first one",
        ],
    );
    assert_eq!(history.matches("tag good\">in force").count(), 1);
    let old = format!("/console/history/{first}");
    has(
        &house.page(VIEWER, &old).await,
        &["What bringing it back would change", "goes: </span>@mode", "Your roles do not let you"],
    );
    let restore = format!("{old}/restore");
    assert_eq!(house.ask(Some(VIEWER), &restore, Some("")).await.status, 403);
    assert_eq!(house.press(CHIEF, &restore, "").await, "/console/history", "narrowing needs nobody");
    assert_eq!(house.running.edge.gate.snapshot().digest().to_string(), first);
    let unknown = house.ask(Some(CHIEF), &format!("/console/history/{}", "0".repeat(64)), None).await;
    assert_eq!(unknown.status, 404);
    house.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remit_grows_by_a_proposal_that_people_agree_to() {
    let house = House::start().await;
    let refund = json!({"payment": "P-7", "amount": 200});
    let question = house.call("business/refund", refund.clone()).await.1["question"].as_str().expect("held").to_owned();
    let propose = format!("/console/questions/{question}/proposals");
    assert_eq!(house.ask(Some(VIEWER), &propose, Some("")).await.status, 403);
    assert!(!house.page(VIEWER, &format!("/console/questions/{question}")).await.contains("need nobody"));
    has(
        &house.page(CHIEF, &format!("/console/questions/{question}")).await,
        &["Propose that calls like this need nobody"],
    );
    assert_eq!(house.press(CHIEF, &propose, "").await, "/console/proposals");
    let page = house.page(CHIEF, "/console/proposals").await;
    has(&page, &["remits/desk.yaml", "args.amount == 200", "0 refusals, 1 holds", "Put it forward for a vote"]);
    let forward =
        page.split("action=\"/console/proposals/").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
    let forward = format!("/console/proposals/{forward}");
    assert_eq!(house.ask(Some(VIEWER), &forward, Some("")).await.status, 403);
    let change = house.press(CHIEF, &forward, "").await;
    let shown = house.page(SUE, &change).await;
    has(
        &shown,
        &[
            "desk would have more of trigger",
            "comes: </span>    when: &#39;args.payment",
            "How desk has fared",
            "0 of 1",
        ],
    );
    house.press(SUE, &format!("{change}/votes"), "choice=approve&reason=seen").await;
    assert_eq!(house.call("business/refund", refund).await.0, 200, "it needs nobody now");
    assert_eq!(
        house.call("business/refund", json!({"payment": "P-7", "amount": 201})).await.0,
        202,
        "and no other does"
    );
    let again = house.ask(Some(CHIEF), &forward, Some("")).await;
    assert_eq!(again.status, 409, "it would widen nothing: {}", again.text);

    let standing = house.page(VIEWER, "/console/agents/desk/standing").await;
    has(&standing, &["supervised", "<th scope=\"row\">trigger</th>", "Your roles do not let you propose"]);
    let raise = "/console/agents/desk/stage";
    assert_eq!(house.ask(Some(VIEWER), raise, Some("stage=autonomous")).await.status, 403);
    for wrong in ["stage=boundless", "stage=sandbox", "stage=supervised"] {
        assert_eq!(house.ask(Some(CHIEF), raise, Some(wrong)).await.status, 400, "{wrong}");
    }
    let change = house.press(CHIEF, raise, "stage=autonomous").await;
    has(&house.page(SUE, &change).await, &["would be autonomous instead of supervised", "stage: autonomous", "0 of 1"]);
    let stranger =
        house.wire.send(AGENT, "/admin/v1/agents/desk/widenings", Some(&json!({"stage": "autonomous"}))).await;
    assert_eq!(stranger.expect("an answer").0, 401, "an agent widens nothing");
    house.running.stop().await;
}
