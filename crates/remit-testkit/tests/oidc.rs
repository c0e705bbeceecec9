//! Another party vouches for people, or lies about them. What an attacker would try is named after what they would try.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "passkeys are tried elsewhere")]
mod door;
mod provider;

use door::{Answer, Browser, OLGA, World};
use provider::{Provider, SECRET};
use remit_core::ids::Digest;
use remit_evidence::record::{Kind, disclosed};
use serde_json::{Value, json};

const BACK: &str = "/console/sign-in/oidc/callback";
const DESK: &str = "door-agent-desk";

/// A gateway that asks this provider.
async fn world(provider: &Provider, more: &str) -> World {
    World::set_up(|place| {
        place.append("remit.yaml", &provider.section(more));
        place.hide(".remit/oidc", SECRET);
        place.edit("remit.yaml", "from: [team:finance]\n", "from: [team:finance]\n    factor: oidc\n");
        let keys = format!(
            "agents:\n  - {{id: desk-key, agent: desk, user: ada@acme.example, expires: 2099-01-01, sha256: {}}}\n",
            Digest::of(DESK.as_bytes())
        );
        place.append("keys.yaml", &keys);
    })
    .await
}

/// Bob's login there is `sub-of-bob`.
async fn bobs(world: &World, provider: &Provider) {
    let login = json!({"issuer": provider.url, "subject": "sub-of-bob"});
    world.wire.done(OLGA, "/admin/v1/people/bob/login", Some(&login)).await.expect("given");
}

/// Off to the provider from this form; where it leads.
async fn leave(browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> String {
    browser.home();
    let left = browser.form(path, fields).await;
    assert_eq!(left.status, 200, "{}", left.text);
    let way = left.text.split_once("content=\"0;url=").expect("a way").1;
    unescaped(way.split('"').next().expect("its end"))
}

fn unescaped(text: &str) -> String {
    text.replace("&#38;", "&").replace("&amp;", "&")
}

/// Back from the provider, as a browser comes back from elsewhere: with the cookie that may come along, and no other.
async fn back(browser: &mut Browser, query: &str) -> Answer {
    browser.from = (None, Some("cross-site".into()));
    let came = browser.get(&format!("{BACK}?{query}")).await;
    let came = browser.keep(came);
    browser.home();
    came
}

/// The whole way, for whoever the provider says they are.
async fn enter(browser: &mut Browser, provider: &Provider, subject: &str, fields: &[(&str, &str)]) -> Answer {
    let way = leave(browser, "/console/sign-in/oidc", fields).await;
    back(browser, &provider.sends_back(&way, subject)).await
}

async fn is_in(browser: &Browser) -> bool {
    browser.get("/admin/v1/questions").await.status == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_signs_in_where_they_are_known() {
    let provider = Provider::open().await;
    let world = world(&provider, "").await;
    bobs(&world, &provider).await;
    let mut bob = world.browser();
    assert!(bob.get("/console/sign-in").await.text.contains("Sign in with Acme ID"));
    let way = leave(&mut bob, "/console/sign-in/oidc", &[("next", "/console/calls?agent=desk")]).await;
    let set = bob.set.clone().expect("a cookie");
    assert!(set.starts_with("remit-sent=") && set.contains("; HttpOnly; SameSite=Lax; Max-Age=300"), "{set}");
    let asked = provider.asks(&way);
    for (name, value) in [("response_type", "code"), ("client_id", "remit"), ("code_challenge_method", "S256")] {
        assert_eq!(asked[name], value);
    }
    assert_eq!((asked["scope"].as_str(), asked["redirect_uri"].clone()), ("openid", format!("{}{BACK}", world.origin)));
    let entered = back(&mut bob, &provider.sends_back(&way, "sub-of-bob")).await;
    assert_eq!(entered.status, 200, "{}", entered.text);
    assert!(entered.text.contains("content=\"0;url=/console/calls?agent=desk\""), "{}", entered.text);
    assert!(entered.set.expect("a cookie").contains("SameSite=Strict"));
    assert!(is_in(&bob).await);
    // An hour ago is not just now, and the page says so.
    let page = bob.get("/console/account").await;
    assert!(page.text.contains("signed in by oidc-earlier"), "{}", page.text);
    assert!(page.text.contains("sub-of-bob"), "{}", page.text);
    // Whoever lost the login is out.
    world.wire.done(OLGA, "/admin/v1/people/bob/login/remove", Some(&json!({}))).await.expect("removed");
    assert!(!is_in(&bob).await);
    assert_eq!(enter(&mut bob, &provider, "sub-of-bob", &[]).await.status, 403);
    assert_eq!(world.verified_key_events().await, ["login_given", "login_removed"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_binds_whoever_comes_back_from_the_provider() {
    let provider = Provider::open().await;
    let world = world(&provider, "").await;
    let link = world.invite("bob").await;
    let mut bob = world.browser();
    assert!(bob.get(&link).await.text.contains("Sign in with Acme ID"));
    let way = leave(&mut bob, &format!("{link}/oidc"), &[]).await;
    let query = provider.sends_back(&way, "sub-of-bob");
    let entered = back(&mut bob, &query).await;
    assert_eq!(entered.status, 200, "{}", entered.text);
    assert!(is_in(&bob).await);
    // The invitation is used up, and the login is nobody else's.
    assert_eq!(world.browser().get(&link).await.status, 404);
    let other = world.invite("grace").await;
    let mut grace = world.browser();
    let way = leave(&mut grace, &format!("{other}/oidc"), &[]).await;
    let refused = back(&mut grace, &provider.sends_back(&way, "sub-of-bob")).await;
    assert_eq!((refused.status, refused.text.contains("another person")), (409, true), "{}", refused.text);
    assert!(!is_in(&grace).await);
    assert_eq!(world.browser().get(&other).await.status, 200, "and her invitation is not used up by it");
    let login = json!({"issuer": provider.url, "subject": "sub-of-bob"});
    let (status, _) = world.wire.send(OLGA, "/admin/v1/people/grace/login", Some(&login)).await.expect("sent");
    assert_eq!(status, 409);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_is_linked_and_removed_by_its_owner() {
    let provider = Provider::open().await;
    let world = world(&provider, "").await;
    let mut bob = world.browser();
    bob.accept(&world.invite("bob").await, "four words at random").await;
    let (session, csrf) = (bob.cookie.clone(), bob.csrf().await);
    assert_eq!(bob.form("/console/account/login", &[]).await.status, 403, "a page of somebody else cannot");
    let way = leave(&mut bob, "/console/account/login", &[("csrf", &csrf)]).await;
    let done = back(&mut bob, &provider.sends_back(&way, "sub-of-bob")).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let mut other = world.browser();
    assert_eq!(enter(&mut other, &provider, "sub-of-bob", &[]).await.status, 200);
    assert!(is_in(&other).await);
    bob.cookie = session;
    let removed = bob.form("/console/account/login/remove", &[("csrf", &csrf)]).await;
    assert_eq!(removed.location.as_deref(), Some("/console/account?done=unlinked"), "{}", removed.text);
    assert!(!is_in(&other).await && is_in(&bob).await);
    // Sent for a link, and signed out meanwhile: nothing becomes anybody's.
    let way = leave(&mut bob, "/console/account/login", &[("csrf", &csrf)]).await;
    world.wire.done(OLGA, "/admin/v1/people/bob/sessions/end", Some(&json!({}))).await.expect("signed out");
    assert_eq!(back(&mut bob, &provider.sends_back(&way, "sub-of-bob")).await.status, 403);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_linked_is_nobody_whatever_their_mail_says() {
    let provider = Provider::open().await;
    let world = world(&provider, "").await;
    bobs(&world, &provider).await;
    // The token carries Bob's address of mail, and his name.
    provider.house().claims = json!({"email_verified": true, "preferred_username": "bob", "name": "bob"});
    for subject in ["sub-of-eve", "bob", "SUB-OF-BOB", "sub-of-bob "] {
        let mut eve = world.browser();
        let refused = enter(&mut eve, &provider, subject, &[]).await;
        assert_eq!((refused.status, eve.cookie.clone()), (403, None), "{subject}: {}", refused.text);
    }
    world.end().await;
}

/// Makes a provider answer something that is not so.
type Lie = Box<dyn Fn(&mut provider::House) + Send>;

/// What a provider, or somebody in its place, may answer; and no answer of these lets anybody in.
fn lies() -> Vec<(&'static str, Lie)> {
    let claims = |claims: Value| -> Lie { Box::new(move |house| house.claims = claims.clone()) };
    let head = |head: Value| -> Lie { Box::new(move |house| house.head = head.clone()) };
    let now = jiff::Timestamp::now().as_second();
    vec![
        ("an unsigned token", Box::new(|house| (house.head, house.unsigned) = (json!({"alg": "none"}), true))),
        ("no algorithm in other letters", head(json!({"alg": "nOnE"}))),
        ("an algorithm whose key both share", head(json!({"alg": "HS256"}))),
        ("another algorithm of the same kind", head(json!({"alg": "RS256"}))),
        ("a signature by another key", Box::new(|house| house.forges = true)),
        ("no signature", Box::new(|house| house.unsigned = true)),
        ("a key that the token brings along", head(json!({"kid": "mine", "jwk": {"kty": "EC"}}))),
        ("a key that nobody shows", head(json!({"kid": "unknown"}))),
        ("a demand that nobody here knows", head(json!({"crit": ["b64"], "b64": false}))),
        ("a token of another kind", head(json!({"typ": "at+jwt"}))),
        ("another issuer", claims(json!({"iss": "https://evil.example"}))),
        ("the issuer with a slash", claims(json!({"iss": "http://127.0.0.1/"}))),
        ("no issuer", claims(json!({"iss": null}))),
        ("a token for somebody else", claims(json!({"aud": "another"}))),
        ("a token for us and somebody else", claims(json!({"aud": ["remit", "another"]}))),
        ("a token for nobody", claims(json!({"aud": []}))),
        ("a token that was handed to somebody else", claims(json!({"azp": "another"}))),
        ("an answer to another request", claims(json!({"nonce": "planted"}))),
        ("an answer to no request", claims(json!({"nonce": null}))),
        ("an expired token", claims(json!({"exp": now - 61}))),
        ("a token without an end", claims(json!({"exp": null}))),
        ("a token of yesterday", claims(json!({"iat": now - 86_400}))),
        ("a token of tomorrow", claims(json!({"iat": now + 86_400, "exp": now + 90_000}))),
        ("a token that does not count yet", claims(json!({"nbf": now + 3_600}))),
        ("a proof of tomorrow", claims(json!({"auth_time": now + 86_400}))),
        ("a time that is none", claims(json!({"exp": "tomorrow"}))),
        ("nobody's name", claims(json!({"sub": ""}))),
        ("no name", claims(json!({"sub": null}))),
        ("a name that is a number", claims(json!({"sub": 7}))),
        ("a token without end", claims(json!({"x": "x".repeat(20_000)}))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lie_of_a_provider_lets_anybody_in() {
    let provider = Provider::open().await;
    let world = world(&provider, "").await;
    bobs(&world, &provider).await;
    assert_eq!(enter(&mut world.browser(), &provider, "sub-of-bob", &[]).await.status, 200);
    for (what, lie) in lies() {
        lie(&mut provider.house());
        let mut browser = world.browser();
        let refused = enter(&mut browser, &provider, "sub-of-bob", &[]).await;
        assert_eq!((refused.status, browser.cookie.clone()), (401, None), "{what}: {}", refused.text);
        assert!(refused.text.contains("With a password and a code"), "another way stays open");
        let mut house = provider.house();
        (house.claims, house.head, house.forges, house.unsigned) = (Value::Null, Value::Null, false, false);
    }
    assert_eq!(enter(&mut world.browser(), &provider, "sub-of-bob", &[]).await.status, 200);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_back_counts_once_and_for_the_browser_that_was_sent() {
    let provider = Provider::open().await;
    let world = world(&provider, "").await;
    bobs(&world, &provider).await;
    let refused = async |browser: &mut Browser, query: &str, what: &str| {
        let answer = back(browser, query).await;
        let text = answer.text;
        assert!(matches!(answer.status, 400 | 401) && browser.cookie.is_none(), "{what}: {} {text}", answer.status);
    };
    // Somebody else's answer, in a browser that was sent for nothing, or for something else (login CSRF).
    let mut mallory = world.browser();
    let way = leave(&mut mallory, "/console/sign-in/oidc", &[]).await;
    let hers = provider.sends_back(&way, "sub-of-bob");
    refused(&mut world.browser(), &hers, "a browser that was not sent").await;
    let mut bob = world.browser();
    let way = leave(&mut bob, "/console/sign-in/oidc", &[]).await;
    let (his, sent) = (provider.sends_back(&way, "sub-of-bob"), bob.cookie.clone());
    refused(&mut bob, &hers, "another's state").await;
    for (what, from, to) in [
        ("no state", "state=", "stat="),
        ("another provider's word", "iss=http", "iss=https"),
        ("nobody's word", "&iss=", "&is="),
        ("no code", "code=", "cod="),
        ("a made-up code", "code=", "code=x"),
    ] {
        bob.cookie = sent.clone();
        refused(&mut bob, &his.replacen(from, to, 1), what).await;
    }
    bob.cookie = sent.clone();
    refused(&mut bob, &format!("{his}&state=twice"), "two states").await;
    bob.cookie = sent.clone();
    let state = his.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state");
    refused(&mut bob, &format!("error=access_denied&state={state}"), "a refusal").await;
    bob.cookie = sent.as_ref().map(|sent| format!("{sent}x"));
    refused(&mut bob, &his, "a changed cookie").await;
    bob.cookie = sent.clone();
    assert_eq!(back(&mut bob, &his).await.status, 200);
    // The same again, with another code that the provider would take: what was answered is answered.
    bob.cookie = sent.clone();
    refused(&mut bob, &his, "the code twice").await;
    bob.cookie = sent;
    refused(&mut bob, &provider.sends_back(&way, "sub-of-bob"), "the state twice").await;
    // A token for Mallory's request does not become Bob's by her code in his answer.
    let way = leave(&mut bob, "/console/sign-in/oidc", &[]).await;
    let his = provider.sends_back(&way, "sub-of-bob");
    let code = hers.split('&').next().expect("a code");
    let mixed = his.split_once('&').map(|(_, rest)| format!("{code}&{rest}")).expect("a state");
    refused(&mut bob, &mixed, "a stolen code").await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_none_is_a_clear_page_and_other_ways_stay_open() {
    for (what, odd) in [
        ("discovery leads elsewhere", (|house| house.redirects = Some("metadata")) as fn(&mut provider::House)),
        ("discovery has no end", |house| house.floods = Some("metadata")),
        ("another issuer's metadata", |house| house.metadata = json!({"issuer": "https://evil.example"})),
        ("keys at a bare address", |house| house.metadata = json!({"jwks_uri": "https://169.254.169.254/keys"})),
        ("keys in the clear", |house| house.metadata = json!({"jwks_uri": "http://keys.example/"})),
        ("codes in the clear", |house| house.metadata = json!({"token_endpoint": "http://10.0.0.7/token"})),
        ("people led astray", |house| house.metadata = json!({"authorization_endpoint": "javascript:alert(1)"})),
        ("no PKCE", |house| house.metadata = json!({"code_challenge_methods_supported": ["plain"]})),
        ("no metadata", |house| house.metadata = json!({"token_endpoint": null})),
    ] {
        let provider = Provider::open().await;
        odd(&mut provider.house());
        let world = world(&provider, "").await;
        let mut bob = world.browser();
        let answer = bob.form("/console/sign-in/oidc", &[]).await;
        assert_eq!((answer.status, bob.cookie.clone()), (503, None), "{what}: {}", answer.text);
        assert!(answer.text.contains("cannot be asked") && answer.text.contains("With a password"), "{what}");
        bob.accept(&world.invite("bob").await, "four words at random").await;
        assert!(is_in(&bob).await, "{what}");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_and_keys_without_end_or_from_elsewhere_are_not_read() {
    let provider = Provider::open().await;
    let world = world(&provider, "").await;
    bobs(&world, &provider).await;
    for (what, odd) in [
        ("a token from elsewhere", (|house| house.redirects = Some("token")) as fn(&mut provider::House)),
        ("a token without end", |house| house.floods = Some("token")),
        ("keys from elsewhere", |house| house.redirects = Some("keys")),
    ] {
        odd(&mut provider.house());
        let mut bob = world.browser();
        let answer = enter(&mut bob, &provider, "sub-of-bob", &[]).await;
        assert_eq!((answer.status, bob.cookie.clone()), (503, None), "{what}: {}", answer.text);
        let mut house = provider.house();
        (house.redirects, house.floods) = (None, None);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_silent_holds_nobody_for_long() {
    let provider = Provider::open().await;
    provider.house().silent = Some("metadata");
    let world = world(&provider, "").await;
    let began = std::time::Instant::now();
    let (mut bob, mut grace) = (world.browser(), world.browser());
    let (one, two) = tokio::join!(bob.form("/console/sign-in/oidc", &[]), grace.form("/console/sign-in/oidc", &[]));
    assert_eq!((one.status, two.status), (503, 503));
    assert!(began.elapsed().as_secs() < 20, "the second does not wait for a silence of its own");
    assert_eq!(provider.house().asked["metadata"], 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_found_and_nobody_makes_us_ask_in_a_circle() {
    let provider = Provider::open().await;
    let world = world(&provider, "").await;
    bobs(&world, &provider).await;
    assert_eq!(enter(&mut world.browser(), &provider, "sub-of-bob", &[]).await.status, 200);
    assert_eq!(provider.house().asked["keys"], 1);
    provider.house().head = json!({"kid": "made up"});
    for _ in 0..5 {
        assert_eq!(enter(&mut world.browser(), &provider, "sub-of-bob", &[]).await.status, 401);
    }
    assert_eq!(provider.house().asked["keys"], 1, "within a minute it is not asked again");
    world.end().await;
}

/// A refund that needs somebody from finance; its question.
async fn held(world: &World) -> String {
    let call = json!({"tool": "business/refund", "arguments": {"payment": "P-1", "amount": 200}});
    let (_, answer) = world.wire.send(DESK, "/v1/calls", Some(&call)).await.expect("an answer");
    let found = world.wire.done(OLGA, "/admin/v1/questions", None).await.expect("listed");
    let question = found["questions"][0]["question"].as_str();
    question.unwrap_or_else(|| panic!("{answer} {found}")).to_owned()
}

async fn vote(browser: &mut Browser, question: &str) -> (u16, String) {
    let path = format!("/admin/v1/questions/{question}");
    let shown = browser.get(&path).await.value()["shown"].clone();
    let csrf = browser.csrf().await;
    let vote = json!({"choice": "approve", "shown": shown});
    let answer = browser.json(&format!("{path}/votes"), &vote, Some(&csrf)).await;
    (answer.status, answer.text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vote_takes_a_word_that_was_given_just_now() {
    let provider = Provider::open().await;
    let world = world(&provider, "").await;
    bobs(&world, &provider).await;
    let question = held(&world).await;
    let mut bob = world.browser();
    // Known there for an hour: that lets him in, and counts for no vote.
    assert_eq!(enter(&mut bob, &provider, "sub-of-bob", &[]).await.status, 200);
    let (status, text) = vote(&mut bob, &question).await;
    assert_eq!((status, text.contains("counts no vote by `oidc-earlier`; sign in by `oidc`")), (403, true), "{text}");
    let page = bob.get(&format!("/console/questions/{question}")).await;
    assert!(page.text.contains("Confirm with Acme ID"), "{}", page.text);
    // Nor does it make a passkey for whoever sits down at his browser, or let a terminal in.
    assert!(bob.get("/console/account").await.text.contains("Confirm with Acme ID"));
    let csrf = bob.csrf().await;
    let passkey = bob.json("/console/account/passkeys/challenge", &json!({}), Some(&csrf)).await;
    assert_eq!((passkey.status, passkey.text.contains("proved yourself a while ago")), (403, true), "{}", passkey.text);
    assert_eq!(bob.form("/console/terminal/look", &[("csrf", &csrf), ("code", "BCDF-GHJK")]).await.status, 403);
    let old = bob.cookie.clone();
    let fields = [("next", "/console"), ("anew", "1")];
    // A provider that does not ask him again, or does not say so, confirms nothing.
    let now = jiff::Timestamp::now().as_second();
    for claims in [json!({"auth_time": now - 3_600}), json!({"auth_time": null})] {
        provider.house().claims = claims;
        assert_eq!(enter(&mut bob, &provider, "sub-of-bob", &fields).await.status, 401);
        bob.cookie = old.clone();
    }
    provider.house().claims = Value::Null;
    let way = leave(&mut bob, "/console/sign-in/oidc", &fields).await;
    let asked = provider.asks(&way);
    assert_eq!((asked["prompt"].as_str(), asked["max_age"].as_str()), ("login", "0"));
    assert_eq!(back(&mut bob, &provider.sends_back(&way, "sub-of-bob")).await.status, 200);
    // The session before is over: no fixation, and no second one.
    let mut before = world.browser();
    before.cookie = old;
    assert!(!is_in(&before).await);
    let csrf = bob.csrf().await;
    assert_eq!(bob.json("/console/account/passkeys/challenge", &json!({}), Some(&csrf)).await.status, 200);
    let (status, text) = vote(&mut bob, &question).await;
    assert_eq!(status, 200, "{text}");
    // The record says who vouched, to whoever may see it, and signs nothing of it in clear.
    let record = world.records(Kind::Approval).await.pop().expect("a record");
    let signed = String::from_utf8(record.envelope.payload.clone()).expect("text");
    assert!(signed.contains("operator_attested") && signed.contains("\"factor\":\"oidc\""), "{signed}");
    assert!(!signed.contains("sub-of-bob") && !signed.contains(&provider.url), "{signed}");
    let told = disclosed(&record.disclosures);
    for said in [("subject", "sub-of-bob"), ("issuer", &provider.url)] {
        assert!(told.contains(&(said.0.to_owned(), json!(said.1))), "{told:?}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_word_grows_old() {
    let provider = Provider::open().await;
    let world = world(&provider, ", fresh: 1s").await;
    bobs(&world, &provider).await;
    let question = held(&world).await;
    let mut bob = world.browser();
    assert_eq!(enter(&mut bob, &provider, "sub-of-bob", &[("anew", "1")]).await.status, 200);
    let began = std::time::Instant::now();
    while !bob.get("/console/account").await.text.contains("signed in by oidc-earlier") {
        assert!(began.elapsed().as_secs() < 20, "it never grows old");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(vote(&mut bob, &question).await.0, 403);
    world.end().await;
}
