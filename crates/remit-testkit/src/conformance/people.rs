//! People who sign in.

use jiff::Timestamp;
use remit_app::people::{
    Account, AccountChange, FREE_ATTEMPTS, Invitation, Login, Passkey, Password, Proof, Session, SessionId, SignIn,
    Spent,
};
use remit_app::ports::Erasure;
use remit_core::approval::Factor;
use remit_core::ids::OperatorId;
use remit_evidence::record::Kind;
use remit_evidence::webauthn::PublicKey;

use super::trial::{Trial, conflict, digest, moment, user};

fn operator(id: &str) -> OperatorId {
    OperatorId::parse(id).expect("an operator")
}

fn invitation(who: &str, token: &str) -> AccountChange {
    let expires_at = moment(60);
    let invitation = Invitation { token: digest(token), operator: operator(who), by: operator("olga"), expires_at };
    AccountChange::Invited(invitation)
}

fn password(phc: &str, step: u64) -> Password {
    Password { phc: phc.into(), totp: vec![1, 2, 3], step }
}

fn password_set(token: Option<&str>, keeps: Option<SessionId>) -> AccountChange {
    AccountChange::PasswordSet { password: password("$argon2id$1", 7), invitation: token.map(digest), keeps }
}

fn key() -> PublicKey {
    PublicKey::parse("ed25519:6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw").expect("a key")
}

fn passkey(id: &str, sign_count: u32) -> Passkey {
    let (id, label) = (id.as_bytes().to_vec(), format!("the key {id}"));
    Passkey { id, key: key(), label, sign_count, added_at: moment(2), used_at: None }
}

fn spent(challenge: &str) -> Spent {
    Spent { challenge: digest(challenge), until: moment(120) }
}

fn added(id: &str, sign_count: u32, token: Option<&str>) -> AccountChange {
    let passkey = Box::new(passkey(id, sign_count));
    AccountChange::PasskeyAdded { passkey, invitation: token.map(digest), spent: spent(&format!("adding {id}")) }
}

fn session(who: &str, token: &str, factor: Factor, at: Timestamp) -> Session {
    Session {
        id: SessionId(digest(token)),
        operator: operator(who),
        factor,
        proved_at: Some(at),
        created_at: at,
        seen_at: at,
        expires_at: moment(600),
        device: "Firefox on Linux".into(),
    }
}

async fn change(t: &Trial, who: &str, change: AccountChange) -> Result<(), remit_app::intent::CommitError> {
    t.store.change_account(&operator(who), change, moment(3), t.record(Kind::Key, None)).await
}

async fn by_code(t: &Trial, who: &str, token: &str, step: u64) -> Result<(), remit_app::intent::CommitError> {
    let session = session(who, token, Factor::Password, moment(4));
    t.store.sign_in(SignIn { session, proof: Proof::Password { step }, replaces: None }).await
}

async fn by_passkey(
    t: &Trial,
    who: &str,
    token: &str,
    (id, sign_count, challenge): (&str, u32, &str),
) -> Result<(), remit_app::intent::CommitError> {
    let session = session(who, token, Factor::Passkey, moment(5));
    let proof = Proof::Passkey { id: id.as_bytes().to_vec(), sign_count, spent: spent(challenge) };
    t.store.sign_in(SignIn { session, proof, replaces: None }).await
}

async fn account(t: &Trial, who: &str) -> Option<Account> {
    t.store.account(&operator(who)).await.expect("read")
}

/// Bob, with a password and one passkey.
async fn settled(t: &Trial) {
    change(t, "bob", invitation("bob", "welcome")).await.expect("invited");
    change(t, "bob", password_set(Some("welcome"), None)).await.expect("a password");
    change(t, "bob", added("one", 5, None)).await.expect("a passkey");
}

async fn signed_in(t: &Trial, token: &str) -> bool {
    t.store.session(&SessionId(digest(token))).await.expect("read").is_some()
}

pub(super) async fn are_invited_once(t: Trial) {
    assert_eq!(account(&t, "bob").await, None);
    assert_eq!(conflict(change(&t, "bob", password_set(Some("welcome"), None)).await), "invitation");
    change(&t, "bob", invitation("bob", "welcome")).await.expect("invited");
    let waiting = t.store.invitation(&digest("welcome")).await.expect("read").expect("waiting");
    assert_eq!((waiting.operator, waiting.by, waiting.expires_at), (operator("bob"), operator("olga"), moment(60)));
    // Another person's invitation is none.
    change(&t, "eve", invitation("eve", "for eve")).await.expect("invited");
    assert_eq!(conflict(change(&t, "eve", password_set(Some("welcome"), None)).await), "invitation");
    change(&t, "bob", password_set(Some("welcome"), None)).await.expect("a password");
    assert_eq!(t.store.invitation(&digest("welcome")).await.expect("read"), None);
    assert_eq!(conflict(change(&t, "bob", password_set(Some("welcome"), None)).await), "invitation");
    assert_eq!(conflict(change(&t, "bob", added("one", 0, Some("welcome"))).await), "invitation");
    let bob = account(&t, "bob").await.expect("bob");
    assert_eq!(bob.password, Some(password("$argon2id$1", 7)));
    let names: Vec<_> = t.store.accounts().await.expect("read").into_iter().map(|a| a.operator).collect();
    assert_eq!(names, [operator("bob"), operator("eve")]);
}

pub(super) async fn an_invitation_resets_an_account(t: Trial) {
    settled(&t).await;
    by_code(&t, "bob", "s1", 8).await.expect("signed in");
    change(&t, "bob", invitation("bob", "first")).await.expect("invited");
    change(&t, "bob", invitation("bob", "second")).await.expect("invited again");
    let bob = account(&t, "bob").await.expect("bob");
    assert_eq!((bob.password, bob.passkeys), (None, vec![]));
    assert!(!signed_in(&t, "s1").await);
    assert_eq!(t.store.invitation(&digest("first")).await.expect("read"), None, "the newer one replaces it");
    assert_eq!(conflict(by_code(&t, "bob", "s2", 9).await), "account");
    assert_eq!(conflict(by_passkey(&t, "bob", "s3", ("one", 6, "c")).await), "passkey");
}

pub(super) async fn an_invitation_lapses(t: Trial) {
    change(&t, "bob", invitation("bob", "welcome")).await.expect("invited");
    let (bob, record) = (operator("bob"), t.record(Kind::Key, None));
    let late = t.store.change_account(&bob, password_set(Some("welcome"), None), moment(60), record);
    assert_eq!(conflict(late.await), "invitation");
}

pub(super) async fn a_code_counts_once(t: Trial) {
    settled(&t).await;
    // The code that proved the enrolment has counted already.
    assert_eq!(conflict(by_code(&t, "bob", "s0", 7).await), "code");
    by_code(&t, "bob", "s1", 8).await.expect("signed in");
    assert_eq!(conflict(by_code(&t, "bob", "s2", 8).await), "code");
    assert_eq!(conflict(by_code(&t, "bob", "s3", 6).await), "code");
    assert!(signed_in(&t, "s1").await && !signed_in(&t, "s2").await);
    assert_eq!(account(&t, "bob").await.expect("bob").signed_in_at, Some(moment(4)));
    assert_eq!(conflict(by_code(&t, "nobody", "s4", 9).await), "account");
}

pub(super) async fn wrong_passwords_cost_time(t: Trial) {
    settled(&t).await;
    let bob = operator("bob");
    let attempt = async |at| t.store.attempt(&bob, moment(at)).await.expect("counted");
    for _ in 0..FREE_ATTEMPTS {
        assert_eq!(attempt(10).await, None);
    }
    assert_eq!(attempt(10).await, None, "this one is looked at, and the next one waits");
    assert_eq!(attempt(11).await, Some(moment(40)));
    assert_eq!(attempt(39).await, Some(moment(40)), "waiting does not make it longer");
    assert_eq!(attempt(40).await, None);
    assert_eq!(attempt(41).await, Some(moment(100)));
    by_code(&t, "bob", "s1", 8).await.expect("the right one");
    assert_eq!(attempt(42).await, None, "a right one forgets the wrong ones");
    assert_eq!(account(&t, "bob").await.expect("bob").failures, 1);
    assert_eq!(t.store.attempt(&operator("nobody"), moment(1)).await, Ok(None));
}

pub(super) async fn many_attempts_at_once_are_many(t: Trial) {
    settled(&t).await;
    let tries = (0..20).map(|_| {
        let store = t.store.clone();
        tokio::spawn(async move { store.attempt(&operator("bob"), moment(10)).await.expect("counted") })
    });
    let mut looked_at = 0;
    for tried in tries.collect::<Vec<_>>() {
        looked_at += u32::from(tried.await.expect("it ends").is_none());
    }
    assert_eq!(looked_at, FREE_ATTEMPTS + 1);
}

pub(super) async fn a_passkey_is_one_persons(t: Trial) {
    settled(&t).await;
    change(&t, "eve", invitation("eve", "for eve")).await.expect("invited");
    assert_eq!(conflict(change(&t, "eve", added("one", 0, None)).await), "challenge");
    let again = AccountChange::PasskeyAdded {
        passkey: Box::new(passkey("one", 0)),
        invitation: Some(digest("for eve")),
        spent: spent("another"),
    };
    assert_eq!(conflict(change(&t, "eve", again).await), "passkey");
    assert!(t.store.invitation(&digest("for eve")).await.expect("read").is_some(), "and was not used up by it");
    assert_eq!(t.store.passkey(b"one").await, Ok(Some((operator("bob"), passkey("one", 5)))));
    assert_eq!(conflict(by_passkey(&t, "eve", "s1", ("one", 6, "c")).await), "passkey");
    assert_eq!(conflict(change(&t, "nobody", added("two", 0, None)).await), "account");
}

pub(super) async fn a_copied_passkey_signs_nobody_in(t: Trial) {
    settled(&t).await;
    by_passkey(&t, "bob", "s1", ("one", 6, "c1")).await.expect("signed in");
    assert_eq!(conflict(by_passkey(&t, "bob", "s2", ("one", 6, "c2")).await), "passkey");
    assert_eq!(conflict(by_passkey(&t, "bob", "s3", ("one", 0, "c3")).await), "passkey");
    t.store.use_passkey(b"one", 9, moment(9)).await.expect("used elsewhere");
    assert_eq!(conflict(t.store.use_passkey(b"one", 9, moment(9)).await), "passkey");
    assert_eq!(conflict(t.store.use_passkey(b"two", 9, moment(9)).await), "passkey");
    let (_, one) = t.store.passkey(b"one").await.expect("read").expect("known");
    assert_eq!((one.sign_count, one.used_at), (9, Some(moment(9))));
    // One that does not count is not held to it.
    change(&t, "bob", added("two", 0, None)).await.expect("another");
    by_passkey(&t, "bob", "s4", ("two", 0, "c4")).await.expect("signed in");
    by_passkey(&t, "bob", "s5", ("two", 0, "c5")).await.expect("signed in");
}

pub(super) async fn a_challenge_is_answered_once(t: Trial) {
    settled(&t).await;
    by_passkey(&t, "bob", "s1", ("one", 6, "c1")).await.expect("signed in");
    assert_eq!(conflict(by_passkey(&t, "bob", "s2", ("one", 7, "c1")).await), "challenge");
    assert!(!signed_in(&t, "s2").await);
    // What was refused for another reason has spent nothing.
    assert_eq!(conflict(by_passkey(&t, "bob", "s3", ("one", 6, "c2")).await), "passkey");
    by_passkey(&t, "bob", "s4", ("one", 7, "c2")).await.expect("signed in");
}

pub(super) async fn a_removed_passkey_signs_nobody_in(t: Trial) {
    settled(&t).await;
    by_passkey(&t, "bob", "s1", ("one", 6, "c1")).await.expect("signed in");
    by_code(&t, "bob", "s2", 8).await.expect("signed in");
    let remove =
        |keeps: &str| AccountChange::PasskeyRemoved { id: b"one".to_vec(), keeps: Some(SessionId(digest(keeps))) };
    assert_eq!(conflict(change(&t, "eve", remove("s2")).await), "passkey");
    change(&t, "bob", remove("s2")).await.expect("removed");
    assert!(!signed_in(&t, "s1").await && signed_in(&t, "s2").await);
    assert_eq!(conflict(by_passkey(&t, "bob", "s3", ("one", 7, "c2")).await), "passkey");
    assert_eq!(conflict(change(&t, "bob", remove("s2")).await), "passkey");
}

pub(super) async fn a_password_ends_other_sessions(t: Trial) {
    settled(&t).await;
    by_code(&t, "bob", "s1", 8).await.expect("signed in");
    by_code(&t, "bob", "s2", 9).await.expect("signed in");
    let newest: Vec<_> = t.store.sessions(&operator("bob")).await.expect("read").into_iter().map(|s| s.id).collect();
    assert_eq!(newest.len(), 2);
    change(&t, "bob", password_set(None, Some(SessionId(digest("s2"))))).await.expect("a new password");
    assert!(!signed_in(&t, "s1").await && signed_in(&t, "s2").await);
    change(&t, "bob", AccountChange::SignedOut { keeps: None }).await.expect("signed out");
    assert!(!signed_in(&t, "s2").await);
}

pub(super) async fn sessions_end(t: Trial) {
    settled(&t).await;
    by_code(&t, "bob", "s1", 8).await.expect("signed in");
    let id = SessionId(digest("s1"));
    t.store.touch_session(&id, moment(30)).await.expect("noted");
    t.store.touch_session(&id, moment(20)).await.expect("noted");
    let expected = Session { seen_at: moment(30), ..session("bob", "s1", Factor::Password, moment(4)) };
    assert_eq!(t.store.session(&id).await, Ok(Some(expected)));
    // A new session of the same browser replaces the old one; nobody else's.
    let replacing = |who: &str, token: &str| SignIn {
        session: session(who, token, Factor::Passkey, moment(6)),
        proof: Proof::Passkey { id: b"one".to_vec(), sign_count: 6, spent: spent(token) },
        replaces: Some(id),
    };
    t.store.sign_in(replacing("bob", "s2")).await.expect("signed in");
    assert!(!signed_in(&t, "s1").await && signed_in(&t, "s2").await);
    assert!(t.store.end_session(&SessionId(digest("s2"))).await.expect("ended"));
    assert!(!t.store.end_session(&SessionId(digest("s2"))).await.expect("it had ended"));
    t.store.touch_session(&SessionId(digest("s2")), moment(30)).await.expect("nothing");
    assert!(!signed_in(&t, "s2").await, "one that ended stays ended");
}

fn login(subject: &str) -> Login {
    Login { issuer: "https://id.acme.example".into(), subject: subject.into() }
}

fn login_added(subject: &str, token: Option<&str>) -> AccountChange {
    AccountChange::LoginAdded {
        login: login(subject),
        invitation: token.map(digest),
        spent: spent(subject),
        keeps: Some(SessionId(digest("kept"))),
    }
}

async fn by_login(
    t: &Trial,
    who: &str,
    token: &str,
    (subject, challenge): (&str, &str),
) -> Result<(), remit_app::intent::CommitError> {
    let session = Session { proved_at: None, ..session(who, token, Factor::Oidc, moment(5)) };
    let proof = Proof::Login { login: login(subject), spent: spent(challenge) };
    t.store.sign_in(SignIn { session, proof, replaces: None }).await
}

pub(super) async fn a_login_is_one_persons(t: Trial) {
    settled(&t).await;
    change(&t, "eve", invitation("eve", "for eve")).await.expect("invited");
    change(&t, "bob", login_added("sub", None)).await.expect("a login");
    assert_eq!(t.store.whose_login(&login("sub")).await, Ok(Some(operator("bob"))));
    assert_eq!(t.store.whose_login(&login("SUB")).await, Ok(None), "letter for letter");
    let elsewhere = Login { issuer: "https://id.acme.example/".into(), ..login("sub") };
    assert_eq!(t.store.whose_login(&elsewhere).await, Ok(None));
    let taken = AccountChange::LoginAdded {
        login: login("sub"),
        invitation: Some(digest("for eve")),
        spent: spent("2"),
        keeps: None,
    };
    assert_eq!(conflict(change(&t, "eve", taken).await), "login");
    assert!(t.store.invitation(&digest("for eve")).await.expect("read").is_some(), "and was not used up by it");
    assert_eq!(conflict(change(&t, "eve", AccountChange::LoginGiven(login("sub"))).await), "login");
    assert!(t.store.invitation(&digest("for eve")).await.expect("read").is_some(), "nor is she reset by it");
    assert_eq!(conflict(change(&t, "nobody", login_added("other", None)).await), "account");
    assert_eq!(conflict(by_login(&t, "eve", "s0", ("sub", "c0")).await), "login");
    by_login(&t, "bob", "s1", ("sub", "c1")).await.expect("signed in");
    assert_eq!(conflict(by_login(&t, "bob", "s2", ("sub", "c1")).await), "challenge");
    let read = t.store.session(&SessionId(digest("s1"))).await.expect("read").expect("a session");
    assert_eq!((read.factor, read.proved_at), (Factor::Oidc, None));
    // Another one takes its place, and nobody stays in by the old one.
    by_login(&t, "bob", "kept", ("sub", "c2")).await.expect("signed in");
    change(&t, "bob", login_added("newer", None)).await.expect("a login");
    assert!(signed_in(&t, "kept").await && !signed_in(&t, "s1").await);
    assert_eq!(account(&t, "bob").await.expect("bob").login, Some(login("newer")));
    change(&t, "eve", login_added("sub", Some("for eve"))).await.expect_err("that challenge was answered");
    assert_eq!(conflict(by_login(&t, "bob", "s3", ("sub", "c3")).await), "login");
}

pub(super) async fn a_login_that_was_given_resets_an_account(t: Trial) {
    settled(&t).await;
    by_code(&t, "bob", "s1", 8).await.expect("signed in");
    change(&t, "bob", AccountChange::LoginGiven(login("sub"))).await.expect("given");
    let bob = account(&t, "bob").await.expect("bob");
    assert_eq!((bob.password, bob.passkeys, bob.login), (None, vec![], Some(login("sub"))));
    assert!(!signed_in(&t, "s1").await);
    change(&t, "grace", AccountChange::LoginGiven(login("hers"))).await.expect("also to who was never invited");
    by_login(&t, "bob", "s2", ("sub", "c")).await.expect("signed in");
    change(&t, "bob", AccountChange::LoginRemoved { keeps: None }).await.expect("removed");
    assert!(!signed_in(&t, "s2").await);
    assert_eq!(t.store.whose_login(&login("sub")).await, Ok(None));
    assert_eq!(conflict(change(&t, "bob", AccountChange::LoginRemoved { keeps: None }).await), "login");
    assert_eq!(conflict(change(&t, "nobody", AccountChange::LoginRemoved { keeps: None }).await), "login");
    // Whoever is invited again, or erased, has none.
    change(&t, "bob", AccountChange::LoginGiven(login("sub"))).await.expect("given");
    change(&t, "bob", invitation("bob", "welcome")).await.expect("invited");
    assert_eq!(account(&t, "bob").await.expect("bob").login, None);
}

pub(super) async fn a_session_is_handed_on_by_one_that_lasts(t: Trial) {
    settled(&t).await;
    by_code(&t, "bob", "s1", 8).await.expect("signed in");
    let handed = |who: &str, token: &str, by: &str, at, challenge: &str| SignIn {
        session: Session { created_at: moment(at), ..session(who, token, Factor::Password, moment(4)) },
        proof: Proof::Handed { by: SessionId(digest(by)), spent: Spent { until: moment(9_000), ..spent(challenge) } },
        replaces: None,
    };
    t.store.sign_in(handed("bob", "s2", "s1", 6, "c1")).await.expect("handed on");
    assert!(signed_in(&t, "s1").await && signed_in(&t, "s2").await);
    assert_eq!(conflict(t.store.sign_in(handed("bob", "s3", "s1", 6, "c1")).await), "challenge");
    assert_eq!(conflict(t.store.sign_in(handed("eve", "s4", "s1", 6, "c2")).await), "session");
    assert_eq!(conflict(t.store.sign_in(handed("bob", "s5", "none", 6, "c3")).await), "session");
    assert_eq!(conflict(t.store.sign_in(handed("bob", "s6", "s1", 600, "c4")).await), "session");
    assert!(!signed_in(&t, "s4").await && !signed_in(&t, "s6").await);
}

pub(super) async fn what_is_refused_is_not_recorded(t: Trial) {
    settled(&t).await;
    let before = t.count().await;
    let refused = [password_set(Some("none"), None), added("one", 0, None)];
    for refused in refused {
        assert!(change(&t, "bob", refused).await.is_err());
    }
    assert_eq!(t.count().await, before);
    change(&t, "bob", AccountChange::SignedOut { keeps: None }).await.expect("signed out");
    assert_eq!(t.count().await, before + 1);
}

pub(super) async fn erasure_forgets_how_they_sign_in(t: Trial) {
    settled(&t).await;
    by_code(&t, "bob", "s1", 8).await.expect("signed in");
    let erasure = Erasure { person: user("bob"), positions: Vec::new(), also_open: false, now: moment(9) };
    t.store.erase(erasure, t.record(Kind::Erasure, None)).await.expect("erased");
    assert_eq!(account(&t, "bob").await, None);
    assert_eq!(t.store.passkey(b"one").await, Ok(None));
    assert!(!signed_in(&t, "s1").await);
}
