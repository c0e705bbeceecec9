//! People at the door of a real gateway: invited, signed in, and nobody else. What an attacker would try is
//! named after what they would try.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod door;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use door::{Authenticator, Browser, OLGA, World, code};
use remit_evidence::bundle::Bundle;
use remit_evidence::judge::{Verdict, judge};
use serde_json::json;

const LONG: &str = "four words at random";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invited_person_signs_in_with_password_and_code() {
    let world = World::new("").await;
    let link = world.invite("bob").await;
    let mut bob = world.browser();
    let secret = bob.accept(&link, LONG).await;
    // The cookie is for this host alone, and for no script.
    let set = bob.set.clone().expect("a cookie");
    assert!(set.starts_with("remit=") && set.contains("; HttpOnly; SameSite=Strict; Max-Age=28800"), "{set}");
    let page = bob.get("/console/account").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("<b>bob</b>") && page.text.contains("signed in by password+totp"), "{}", page.text);
    // The same person by the operators' API, with the cookie: their own roles and no others.
    assert_eq!(bob.get("/admin/v1/questions").await.status, 200);
    let mine = bob.csrf().await;
    let reload = bob.json("/admin/v1/reload", &json!({}), Some(&mine)).await;
    assert_eq!((reload.status, reload.text.contains("no role of bob")), (403, true), "{}", reload.text);
    // Signed out is out, also for whoever kept the cookie.
    let kept = bob.cookie.clone();
    let out = bob.form("/console/sign-out", &[("csrf", &mine)]).await;
    assert_eq!((out.status, out.location.as_deref()), (303, Some("/console/sign-in?done=out")));
    assert!(out.set.expect("a cookie").contains("Max-Age=0"));
    bob.cookie = kept;
    assert_eq!(bob.get("/admin/v1/questions").await.status, 401);
    // The code that was used for the invitation counts no second time; the next one does, once.
    let mut again = world.browser();
    assert_eq!(again.sign_in("bob", LONG, &code(&secret, 0)).await.status, 401);
    let next = code(&secret, 1);
    let entered = again.sign_in("bob", LONG, &next).await;
    assert_eq!((entered.status, entered.location.as_deref()), (303, Some("/console")));
    assert_eq!(world.browser().sign_in("bob", LONG, &next).await.status, 401);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_used_twice_or_made_up_invites_nobody() {
    let world = World::new("").await;
    let link = world.invite("bob").await;
    let mut bob = world.browser();
    bob.accept(&link, LONG).await;
    for link in [link.as_str(), "/console/invitation/AAAA", &format!("/console/invitation/{}", "A".repeat(43))] {
        let page = world.browser().get(link).await;
        assert_eq!((page.status, page.text.contains("used already")), (404, true), "{}", page.text);
    }
    // A new one replaces the old one, and what Bob had is gone: his session, too.
    let old = world.invite("bob").await;
    let new = world.invite("bob").await;
    assert_eq!(bob.get("/admin/v1/questions").await.status, 401);
    assert_eq!(world.browser().get(&old).await.status, 404);
    assert_eq!(world.browser().get(&new).await.status, 200);
    // Nobody who is not in keys.yaml is invited, and nobody without the role invites.
    let (status, _) =
        world.wire.send(OLGA, "/admin/v1/people/mallory/invitations", Some(&json!({}))).await.expect("sent");
    assert_eq!(status, 404);
    let mut grace = world.browser();
    grace.accept(&world.invite("grace").await, LONG).await;
    let csrf = grace.csrf().await;
    assert_eq!(grace.json("/admin/v1/people/bob/invitations", &json!({}), Some(&csrf)).await.status, 403);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_the_person_did_not_mean_changes_nothing() {
    let world = World::new("").await;
    let (mut olga, mut bob) = (world.browser(), world.browser());
    olga.accept(&world.invite("olga").await, LONG).await;
    bob.accept(&world.invite("bob").await, LONG).await;
    let (mine, theirs) = (olga.csrf().await, bob.csrf().await);
    let halt = json!({"target": "tenant", "reason": "forged"});
    for csrf in [None, Some(""), Some("wrong"), Some(theirs.as_str())] {
        let forged = olga.json("/admin/v1/halts", &halt, csrf).await;
        assert_eq!(forged.status, 403, "{csrf:?}: {}", forged.text);
    }
    // The right secret, from a page that is not ours.
    for (origin, site) in [
        (Some("https://evil.example"), Some("cross-site")),
        (Some("null"), None),
        (None, Some("same-site")),
        (None, Some("none")),
        (None, None),
    ] {
        olga.from = (origin.map(str::to_owned), site.map(str::to_owned));
        let forged = olga.json("/admin/v1/halts", &halt, Some(&mine)).await;
        assert_eq!(forged.status, 403, "{origin:?} {site:?}: {}", forged.text);
        // Nor may anybody be signed in by a page of somebody else.
        let entry = [("name", "bob"), ("password", LONG), ("code", "000000")];
        assert_eq!(olga.form("/console/sign-in", &entry).await.status, 403);
    }
    olga.home();
    let halts = world.wire.done(OLGA, "/admin/v1/halts", None).await.expect("listed");
    assert_eq!(halts["halts"], json!([]));
    assert_eq!(olga.json("/admin/v1/halts", &halt, Some(&mine)).await.status, 200);
    // A header of ours that a client brings along is no proof.
    let token = olga.cookie.take().expect("a cookie");
    let token = token.split_once('=').expect("a value").1;
    assert_eq!(olga.with("remit-checked-session", token).get("/admin/v1/questions").await.status, 401);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_planted_before_signing_in_is_not_the_one_after() {
    let world = World::new("").await;
    let link = world.invite("bob").await;
    let mut bob = world.browser();
    // A token that an attacker knows, of the right form.
    let planted = format!("remit={}", "A".repeat(43));
    bob.cookie = Some(planted.clone());
    bob.accept(&link, LONG).await;
    assert_ne!(bob.cookie, Some(planted.clone()));
    let mut attacker = world.browser();
    attacker.cookie = Some(planted);
    assert_eq!(attacker.get("/admin/v1/questions").await.status, 401);
    assert_eq!(bob.get("/admin/v1/questions").await.status, 200);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_lost_a_role_lost_it_at_once() {
    let world = World::new("changes: { people: 1, widening: 0 }").await;
    let mut grace = world.browser();
    grace.accept(&world.invite("grace").await, LONG).await;
    let csrf = grace.csrf().await;
    let halt = json!({"target": "tenant", "reason": "a drill"});
    assert_eq!(grace.json("/admin/v1/halts", &halt, Some(&csrf)).await.status, 200);
    world.keys(&World::keys_text().replace("id: grace, roles: [operator]", "id: grace, roles: [viewer]")).await;
    let lift = grace.json("/admin/v1/halts/lift", &halt, Some(&csrf)).await;
    assert_eq!((lift.status, lift.text.contains("no role of grace")), (403, true), "{}", lift.text);
    assert_eq!(grace.get("/admin/v1/questions").await.status, 200);
    // Sent away is out, although the session would have lasted.
    world
        .keys(
            &World::keys_text().replace("id: grace, roles: [operator]", "id: grace, roles: [operator], revoked: true"),
        )
        .await;
    assert_eq!(grace.get("/admin/v1/questions").await.status, 401);
    // Whoever comes back comes in by the door.
    world.keys(&format!("{}# back\n", World::keys_text())).await;
    assert_eq!(grace.get("/admin/v1/questions").await.status, 401);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_passwords_costs_time_and_says_nothing() {
    let world = World::new("").await;
    let secret = world.browser().accept(&world.invite("bob").await, LONG).await;
    let right = code(&secret, 1);
    let wrong = world.browser().sign_in("bob", "not the password", &right).await;
    assert_eq!(wrong.status, 401);
    for (name, password, code) in [
        ("nobody", LONG, right.as_str()),
        ("bob", LONG, "000000"),
        ("bob", LONG, ""),
        ("b b", LONG, &right),
        ("grace", LONG, &right),
    ] {
        let answer = world.browser().sign_in(name, password, code).await;
        assert_eq!((answer.status, &answer.text), (401, &wrong.text), "{name}");
    }
    for _ in 0..2 {
        world.browser().sign_in("bob", "not the password", "000000").await;
    }
    // Even the right ones are not looked at now, and the answer is the same.
    let answer = world.browser().sign_in("bob", LONG, &right).await;
    assert_eq!((answer.status, &answer.text), (401, &wrong.text));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_on_after_signing_in_is_local() {
    let world = World::new("").await;
    let secret = world.browser().accept(&world.invite("bob").await, LONG).await;
    for next in
        ["//evil.example", "/\\evil.example", "https://evil.example", "https:evil", "/console//evil", "/console\\@evil"]
    {
        let page = world.browser().get(&format!("/console/sign-in?next={next}")).await;
        assert!(!page.text.contains("evil"), "{next}: {}", page.text);
    }
    let fields = [("name", "bob"), ("password", LONG), ("code", &code(&secret, 1)), ("next", "//evil.example/console")];
    let entered = world.browser().form("/console/sign-in", &fields).await;
    assert_eq!((entered.status, entered.location.as_deref()), (303, Some("/console")));
    // A link in a mail brings no cookie; the step in between stays local as well.
    let mut visitor = world.browser();
    visitor.from = (None, Some("cross-site".into()));
    let step = visitor.get("/console/sign-in?next=/console/calls").await;
    assert!(step.text.contains("content=\"0;url=/console/calls\""), "{}", step.text);
    let step = visitor.get("/console/sign-in?next=//evil.example").await;
    assert!(step.text.contains("content=\"0;url=/console\""), "{}", step.text);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_by_idleness_and_a_page_that_refreshes_itself_is_no_person() {
    let world = World::new("console: {session: 1h, idle: 5s}\n").await;
    let mut bob = world.browser();
    bob.accept(&world.invite("bob").await, LONG).await;
    assert_eq!(bob.get("/admin/v1/questions").await.status, 200);
    let refreshing = bob.with("x-remit-refresh", "1");
    let began = std::time::Instant::now();
    while refreshing.get("/admin/v1/questions").await.status == 200 {
        assert!(began.elapsed().as_secs() < 30, "it never ended");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(bob.get("/admin/v1/questions").await.status, 401);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_signs_in_and_nothing_else_does() {
    for mut device in [Authenticator::es256(), Authenticator::ed25519()] {
        let world = World::new("").await;
        let mut bob = world.browser();
        let link = world.invite("bob").await;
        let added = bob.add_passkey(&format!("{link}/challenge"), &format!("{link}/passkey"), &mut device, None).await;
        assert_eq!(added.status, 200, "{}", added.text);
        assert_eq!(bob.get(&link).await.status, 404, "the invitation is used up");
        let asked = bob.json("/console/sign-in/challenge", &json!({}), None).await.value();
        let origin = world.origin.clone();
        let answer = device.answer(&asked, &origin);
        // Each of these is signed by the right key, and is about something else.
        for (what, bad) in [
            ("another origin", device.answer(&asked, "http://localhost.evil.example")),
            ("an old challenge", device.answer(&json!({"challenge": "AAAA", "rpId": "localhost"}), &origin)),
            ("another site", device.answer(&json!({"challenge": asked["challenge"], "rpId": "evil.example"}), &origin)),
            ("nobody verified", device.unverified().answer(&asked, &origin)),
        ] {
            let refused = bob.json("/console/sign-in/passkey", &bad, None).await;
            assert!(refused.status >= 400 && refused.set.is_none(), "{what}: {}", refused.text);
        }
        let entered = bob.json("/console/sign-in/passkey", &answer, None).await;
        assert_eq!(entered.status, 200, "{}", entered.text);
        let replayed = world.browser().json("/console/sign-in/passkey", &answer, None).await;
        assert_eq!((replayed.status, replayed.set), (401, None), "{}", replayed.text);
        let page = bob.get("/console/account").await;
        assert!(page.text.contains("signed in by passkey"), "{}", page.text);
        // A second passkey takes the secret of this session, and no challenge of another purpose.
        let mut second = Authenticator::another();
        let (ask, add) = ("/console/account/passkeys/challenge", "/console/account/passkeys");
        assert_eq!(bob.add_passkey(ask, add, &mut second, None).await.status, 403);
        let csrf = bob.csrf().await;
        let mut foreign = second.create(&asked, &origin);
        foreign["label"] = json!("mine");
        assert_eq!(bob.json(add, &foreign, Some(&csrf)).await.status, 400);
        let added = bob.add_passkey(ask, add, &mut second, Some(&csrf)).await;
        assert_eq!(added.status, 200, "{}", added.text);
        // The records say so, with the key in clear, and verify as everything else does.
        let people = world.wire.done(OLGA, "/admin/v1/people", None).await.expect("listed");
        let bobs = people["people"].as_array().expect("a list").iter().find(|one| one["id"] == "bob").expect("bob");
        assert_eq!(bobs["passkeys"].as_array().map(Vec::len), Some(2), "{bobs}");
        let events = world.verified_key_events().await;
        assert_eq!(events, ["invited", "passkey_added", "passkey_added"]);
        // Removed by somebody responsible, it opens nothing any more, and its sessions end.
        for one in bobs["passkeys"].as_array().expect("a list") {
            let body = json!({"credential": one["credential"]});
            world.wire.done(OLGA, "/admin/v1/people/bob/passkeys/remove", Some(&body)).await.expect("removed");
        }
        assert_eq!(bob.get("/admin/v1/questions").await.status, 401);
        let asked = bob.json("/console/sign-in/challenge", &json!({}), None).await.value();
        let refused = bob.json("/console/sign-in/passkey", &device.answer(&asked, &origin), None).await;
        assert_eq!(refused.status, 401, "{}", refused.text);
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_let_in_and_out_on_a_page() {
    let world = World::new("").await;
    let (mut olga, mut bob) = (world.browser(), world.browser());
    olga.accept(&world.invite("olga").await, LONG).await;
    let csrf = olga.csrf().await;
    let (invite, out) = ("/console/people/bob/invitations", "/console/people/bob/sessions/end");
    assert_eq!(olga.form(invite, &[]).await.status, 403);
    let page = olga.form(invite, &[("csrf", &csrf)]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let link = page.text.split_once("/console/invitation/").expect("a link").1;
    let link = format!("/console/invitation/{}", link.get(..43).expect("a token"));
    bob.accept(&link, LONG).await;
    // Bob may do none of this, to nobody.
    let his = bob.csrf().await;
    for path in [invite, out, "/console/people/olga/sessions/end"] {
        assert_eq!(bob.form(path, &[("csrf", &his)]).await.status, 403, "{path}");
    }
    let done = olga.form(out, &[("csrf", &csrf)]).await;
    assert_eq!((done.status, done.location.as_deref()), (303, Some("/console/people")));
    assert_eq!(bob.get("/admin/v1/questions").await.status, 401);
    assert_eq!(olga.form("/console/people/mallory/sessions/end", &[("csrf", &csrf)]).await.status, 404);
    // The page lists everybody, and shows the deeds to whoever may do them.
    let page = olga.get("/console/people").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for shown in ["password and code", "/console/people/grace/invitations", "Sign bob out", "key, ends"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    // And a page that needs somebody leads to the door, and back.
    let lost = bob.get("/console/account").await;
    assert_eq!((lost.status, lost.location.as_deref()), (303, Some("/console/sign-in?next=/console/account")));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_was_taken_over_cannot_be_made_permanent() {
    let world = World::new("").await;
    let mut olga = world.browser();
    let secret = olga.accept(&world.invite("olga").await, LONG).await;
    let csrf = olga.csrf().await;
    // Nobody who signed in invites themselves over their own account.
    let refused = olga.json("/admin/v1/people/olga/invitations", &json!({}), Some(&csrf)).await;
    assert_eq!((refused.status, refused.text.contains("themselves")), (403, true), "{}", refused.text);
    // A new password takes the old one, and a code that was not used before.
    let fields = |current: &'static str, code: String| {
        vec![
            ("current", current.to_owned()),
            ("code", code),
            ("password", "another four words".to_owned()),
            ("again", "another four words".to_owned()),
        ]
    };
    let mut change = async |fields: Vec<(&'static str, String)>| {
        let mut fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.push(("csrf", &csrf));
        olga.form("/console/account/password", &fields).await
    };
    assert_eq!(change(fields("a wrong password", code(&secret, 1))).await.status, 422);
    assert_eq!(change(fields(LONG, code(&secret, 0))).await.status, 422);
    let mut elsewhere: Browser = world.browser();
    elsewhere.cookie = None;
    let done = change(fields(LONG, code(&secret, 1))).await;
    assert_eq!((done.status, done.location.as_deref()), (303, Some("/console/account?done=password")), "{}", done.text);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_somebody_came_by_a_passkey_is_proved_to_strangers() {
    let world = World::new("").await;
    let (mut bob, mut device) = (world.browser(), Authenticator::es256());
    let link = world.invite("bob").await;
    let added = bob.add_passkey(&format!("{link}/challenge"), &format!("{link}/passkey"), &mut device, None).await;
    assert_eq!(added.status, 200, "{}", added.text);
    let (trust, bundles) = world.bundles().await;
    let mut events = Vec::new();
    for bundle in bundles {
        let report = judge(&bundle, &trust, &[]);
        assert_eq!(report.verdict, Verdict::Valid, "{:?}", report.checks);
        let parsed = Bundle::parse(&bundle).expect("a bundle");
        for claim in &parsed.claims {
            let statement = remit_core::json::parse(&claim.envelope.payload).expect("a statement");
            let predicate = &statement["predicate"];
            events.extend(predicate["event"].as_str().map(str::to_owned));
            // Under another key for the same person nothing verifies.
            let Some(key) = predicate["key"].as_str() else { continue };
            let payload = String::from_utf8(claim.envelope.payload.clone()).expect("text");
            let (signed, forged) = (STANDARD.encode(&payload), STANDARD.encode(payload.replace(key, "es256:AAAA")));
            let forged = parsed.to_json().to_string().replace(&signed, &forged);
            assert_eq!(judge(forged.as_bytes(), &trust, &[]).verdict, Verdict::Invalid);
        }
    }
    events.dedup();
    assert!(events.contains(&"invited".to_owned()) && events.contains(&"passkey_added".to_owned()), "{events:?}");
    world.end().await;
}

/// What a terminal is told, that has shown its code.
async fn told(world: &World, device: &serde_json::Value) -> (u16, serde_json::Value) {
    let asked = json!({"device_code": device});
    world.wire.send("", "/v1/terminals/session", Some(&asked)).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_for_many_terminals_keeps_nobody_from_signing_in() {
    let world = World::new("").await;
    let secret = world.browser().accept(&world.invite("bob").await, LONG).await;
    let mut last = 200;
    for _ in 0..60 {
        last = world.wire.send("", "/v1/terminals", Some(&json!({}))).await.expect("an answer").0;
    }
    assert_eq!(last, 503, "there are bounds for them, too");
    assert_eq!(world.browser().sign_in("bob", LONG, &code(&secret, 1)).await.status, 303);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_is_let_in_by_whoever_types_its_code() {
    let world = World::new("").await;
    let mut bob = world.browser();
    bob.accept(&world.invite("bob").await, LONG).await;
    let csrf = bob.csrf().await;
    let begun = world.wire.done("", "/v1/terminals", Some(&json!({}))).await.expect("begun");
    assert_eq!(begun["verification_uri"], format!("{}/console/terminal", world.origin));
    let code = begun["user_code"].as_str().expect("a code").to_owned();
    assert_eq!(told(&world, &begun["device_code"]).await, (200, json!({"state": "waiting"})));
    assert_eq!(told(&world, &json!(code)).await.0, 404, "the code is not what the terminal knows");
    // A page of somebody else types nothing, and an address carries nothing.
    let typed = [("code", code.as_str()), ("choice", "let_in")];
    assert_eq!(bob.form("/console/terminal", &typed).await.status, 403);
    assert!(!bob.get(&format!("/console/terminal?code={code}")).await.text.contains(&code));
    let page = bob.form("/console/terminal/look", &[("csrf", &csrf), ("code", &code.to_lowercase())]).await;
    assert!(page.text.contains("127.0.0.1") && page.text.contains(&code), "{}", page.text);
    let other = bob.form("/console/terminal/look", &[("csrf", &csrf), ("code", "BCDF-GHJK")]).await;
    assert_eq!((other.status, other.text.contains("name=\"code\"")), (404, true), "and can be typed again");
    let yes = [("csrf", csrf.as_str()), ("code", &code), ("choice", "let_in")];
    assert_eq!(bob.form("/console/terminal", &yes).await.location.as_deref(), Some("/console/terminal?done=in"));
    assert_eq!(bob.form("/console/terminal", &yes).await.status, 404, "once");
    let (status, signed) = told(&world, &begun["device_code"]).await;
    assert_eq!(
        (status, signed["operator"].as_str(), signed["factor"].as_str()),
        (200, Some("bob"), Some("password+totp"))
    );
    assert_eq!(told(&world, &begun["device_code"]).await.0, 404, "the token is handed out once");
    // It acts as Bob, with his roles and no others; it is no cookie, and a cookie is none.
    let token = signed["token"].as_str().expect("a token");
    let status = async |key: &str, path: &str| world.wire.send(key, path, None).await.expect("an answer").0;
    assert_eq!(status(token, "/admin/v1/questions").await, 200);
    let refused = world.wire.send(token, "/admin/v1/reload", Some(&json!({}))).await.expect("an answer");
    assert_eq!((refused.0, refused.1.to_string().contains("no role of bob")), (403, true));
    let mut thief = world.browser();
    thief.cookie = Some(format!("remit={token}"));
    assert_eq!(thief.get("/admin/v1/questions").await.status, 401);
    let cookie = bob.cookie.clone().expect("a cookie");
    assert_eq!(status(cookie.split_once('=').expect("a value").1, "/admin/v1/questions").await, 401);
    // It decides nothing about how he signs in, and lets in no other.
    let as_terminal = world.browser().with("authorization", &format!("Bearer {token}"));
    for (path, fields) in [("/console/account/sessions/end", "id=x"), ("/console/terminal/look", "code=BCDF-GHJK")] {
        let (name, value) = fields.split_once('=').expect("a field");
        let answer = as_terminal.clone().form(path, &[(name, value)]).await;
        assert_eq!((answer.status, answer.text.contains("in a browser")), (400, true), "{path}: {}", answer.text);
    }
    assert!(bob.get("/console/account").await.text.contains("the command line at 127.0.0.1"));
    world.wire.done(token, "/v1/terminals/session/end", Some(&json!({}))).await.expect("ended");
    assert_eq!(status(token, "/admin/v1/questions").await, 401);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_that_nobody_lets_in_stays_out() {
    let world = World::new("").await;
    let mut bob = world.browser();
    bob.accept(&world.invite("bob").await, LONG).await;
    let csrf = bob.csrf().await;
    let begin = async || world.wire.done("", "/v1/terminals", Some(&json!({}))).await.expect("begun");
    let refused = begin().await;
    let no = [("csrf", csrf.as_str()), ("code", refused["user_code"].as_str().expect("a code")), ("choice", "refuse")];
    assert_eq!(bob.form("/console/terminal", &no).await.location.as_deref(), Some("/console/terminal?done=refused"));
    assert_eq!(told(&world, &refused["device_code"]).await, (200, json!({"state": "refused"})));
    assert_eq!(told(&world, &refused["device_code"]).await.0, 404);
    // Whoever has signed out before it was handed over hands over nothing.
    let late = begin().await;
    let yes = [("csrf", csrf.as_str()), ("code", late["user_code"].as_str().expect("a code")), ("choice", "let_in")];
    assert_eq!(bob.form("/console/terminal", &yes).await.status, 303);
    bob.form("/console/sign-out", &[("csrf", &csrf)]).await;
    assert_eq!(told(&world, &late["device_code"]).await.0, 401);
    // Nobody who has not signed in looks at one.
    let other = begin().await;
    let code = other["user_code"].as_str().expect("a code");
    assert_ne!(world.browser().form("/console/terminal/look", &[("code", code)]).await.status, 200);
    // One address asks only so often.
    let mut last = 200;
    for _ in 0..60 {
        last = world.wire.send("", "/v1/terminals", Some(&json!({}))).await.expect("an answer").0;
    }
    assert_eq!(last, 503);
    world.end().await;
}
