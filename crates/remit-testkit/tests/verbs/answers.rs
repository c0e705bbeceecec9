//! `questions`, `approve`, `deny`, `ask-back`, `escalate`.

use serde_json::json;

use crate::world::{World, contains};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_seen_whole_before_it_is_answered() {
    let world = World::new().await;
    contains(&world.says("bob", &["questions"]), &["nothing waits for people"]);
    let question = world.held("P-1", 200).await;
    contains(&world.says("bob", &["questions"]), &[&question, "business/refund", "finance-sign-off 0/1"]);
    let shown = world.says("bob", &["questions", &question]);
    contains(&shown, &["For       ada@acme.example", "cannot be undone", "Costs     200.00 USD", "P-1"]);
    let told = world.says("bob", &["approve", &question, "--reason", "looked at it"]);
    assert!(told.starts_with(shown.trim_end()), "what was voted on is shown first: {told}");
    contains(&told, &["Your approval counts. The question is now approved."]);
    contains(&world.fails("bob", &["approve", &question]), &["\n  "]);
    assert_eq!(world.refund("P-1", 200).await.0, 200);
    let other = world.held("P-2", 200).await;
    contains(&world.fails("bob", &["deny", &other]), &["--reason"]);
    contains(&world.says("bob", &["deny", &other, "--reason", "not this one"]), &["The question is now denied."]);
    contains(&world.refund("P-2", 200).await.1.to_string(), &["approval.denied", "not this one"]);
    contains(&world.fails("bob", &["questions", "q_nothing"]), &["("]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_for_the_run_is_bounded() {
    let world = World::new().await;
    let question = world.held("P-1", 200).await;
    let approve = ["approve", question.as_str()];
    for (wrong, said) in [
        (&["--money", "100"][..], "--calls"),
        (&["--until", "30m"], "--calls"),
        (&["--calls", "2", "--money", "much"], "`much` is no amount of USD"),
        (&["--calls", "2", "--until", "soon"], "`soon` is no time: write `30m`, or `2026-11-21T11:00:00Z`"),
        (&["--calls", "0"], "an approval for a run is for"),
        (&["--calls", "2", "--until", "2099-01-01T00:00:00Z"], "an approval for a run is for"),
        (&["--calls", "2", "--arguments", "{}"], "cannot be used with"),
    ] {
        let told = world.fails("bob", &[&approve[..], wrong].concat());
        assert!(told.contains(said), "{wrong:?}: {told}");
    }
    assert_eq!(world.upstream.calls().len(), 0);
    let bounded = [&approve[..], &["--calls", "2", "--money", "400", "--until", "10m"]].concat();
    contains(&world.says("bob", &bounded), &["now approved"]);
    for _ in 0..2 {
        assert_eq!(world.refund("P-1", 200).await.0, 200);
    }
    assert_ne!(world.held("P-1", 200).await, question, "the third is asked anew");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_call_is_approved_in_its_place() {
    let world = World::new().await;
    let question = world.held("P-1", 400).await;
    let approve = |arguments: &str| ["approve", &question, "--arguments", arguments].map(str::to_owned);
    for (wrong, said) in [
        ("[1]", "[1]: No such file"),
        ("{\"payment\": \"P-1\", \"payment\": \"P-2\", \"amount\": 1}", "the arguments are no JSON object"),
        ("{\"payment\": \"P-1\"}", "amount"),
        ("{\"payment\": \"P-1\", \"amount\": 600}", "("),
    ] {
        let arguments = approve(wrong);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let told = world.fails("bob", &[&arguments[..], &["--reason", "less"]].concat());
        assert!(told.contains(said), "{wrong}: {told}");
    }
    let file = world.place.path().join("less.json");
    std::fs::write(&file, "{\"payment\": \"P-1\", \"amount\": 200}").expect("a file");
    let file = file.display().to_string();
    let told = world.says("bob", &["approve", &question, "--arguments", &file, "--reason", "half is enough"]);
    contains(&told, &["The agent is told to make that call, which is approved."]);
    let status = world.status(&question).await;
    contains(&status.to_string(), &["200", "half is enough"]);
    assert_eq!(world.refund("P-1", 200).await.0, 200);
    assert_eq!(world.upstream.calls(), [json!({"payment": "P-1", "amount": 200})]);
    // What nobody needs to be asked about is not asked about.
    let question = world.held("P-2", 400).await;
    let small = ["approve", &question, "--arguments", "{\"payment\":\"P-2\",\"amount\":20}"];
    contains(&world.fails("bob", &small), &["say why, with --reason: the agent is told"]);
    let told = world.says("bob", &[&small[..], &["--reason", "a fifth will do"]].concat());
    contains(&told, &["nothing needs to be asked about it"]);
    assert_eq!(world.refund("P-2", 20).await.0, 200);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn like_calls_are_approved_together_and_each_is_said() {
    let world = World::new().await;
    let (one, two) = (world.held("P-1", 200).await, world.held("P-2", 200).await);
    let both = [one.as_str(), two.as_str()];
    let bounded = [&["approve"], &both[..], &["--calls", "2"]].concat();
    contains(&world.fails("bob", &bounded), &["several questions can only be approved as they are"]);
    contains(&world.says("bob", &["deny", &two, "--reason", "no"]), &["denied"]);
    let told = world.run("bob", &[&["approve"], &both[..]].concat());
    assert!(!told.well, "one of them did not count: {told:?}");
    contains(&told.out, &[&format!("{one}: your approval counts; it is now approved"), &format!("{two}: not counted")]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agent_is_asked_and_others_are_called_in() {
    let world = World::new().await;
    let question = world.held("P-1", 200).await;
    contains(&world.fails("bob", &["ask-back", &question]), &["--text"]);
    contains(&world.fails("eve", &["ask-back", &question, "--text", "why?"]), &["policy.no_permit"]);
    let told = world.says("bob", &["ask-back", &question, "--text", "Which invoice is this?"]);
    contains(&told, &["The agent is asked. The question stays open, and its time goes on."]);
    assert_eq!(world.status(&question).await["asked"], "Which invoice is this?");
    contains(&world.says("bob", &["questions", &question]), &["Said by bob:\n    Which invoice is this?"]);
    contains(&world.fails("bob", &["escalate", &question, "--reason", "not mine"]), &["nobody"]);
    world.end().await;
}
