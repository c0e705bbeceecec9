//! A provider of OpenID Connect that does what it is told, also what none should.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{get, post};
use axum::{Form, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use remit_core::ids::Digest;
use serde_json::{Value, json};

/// What the gateway is called there.
pub const CLIENT: &str = "remit";
/// What goes with it.
pub const SECRET: &str = "a secret of the client";

/// A provider.
#[derive(Clone)]
pub struct Provider {
    pub url: String,
    house: Arc<Mutex<House>>,
}

/// How it behaves from now on. By default well.
#[derive(Default)]
pub struct House {
    /// Claims that stand in tokens besides or instead; null takes one out.
    pub claims: Value,
    /// Members of the head of tokens, the same way.
    pub head: Value,
    /// What stands in its metadata besides or instead.
    pub metadata: Value,
    /// Signs with another key than the one it shows.
    pub forges: bool,
    /// Signs nothing.
    pub unsigned: bool,
    /// The seed and the name of its key.
    pub key: (u8, String),
    /// Which of its paths leads elsewhere.
    pub redirects: Option<&'static str>,
    /// Which of its paths answers without end.
    pub floods: Option<&'static str>,
    /// Which of its paths does not answer.
    pub silent: Option<&'static str>,
    /// How often it was asked, by path.
    pub asked: HashMap<String, u32>,
    codes: HashMap<String, Code>,
}

struct Code {
    asked: HashMap<String, String>,
    subject: String,
    auth_time: i64,
}

type Shared = State<Provider>;

impl Provider {
    /// One that listens on this machine.
    pub async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let house = House { key: (7, "first".into()), ..House::default() };
        let provider = Self { url, house: Arc::new(Mutex::new(house)) };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        provider
    }

    /// For `remit.yaml`. The secret stands in `.remit/oidc`.
    pub fn section(&self, more: &str) -> String {
        let Self { url, .. } = self;
        format!(
            "\nsign_in:\n  oidc: {{ issuer: \"{url}\", client_id: {CLIENT}, client_secret: file:.remit/oidc, name: Acme ID{more} }}\n"
        )
    }

    pub fn house(&self) -> MutexGuard<'_, House> {
        self.house.lock().expect("nobody panicked in it")
    }

    /// Somebody who was sent here proves who they are, and is sent back: with what stands in the address then.
    pub fn sends_back(&self, way: &str, subject: &str) -> String {
        let asked = self.asks(way);
        let now = jiff::Timestamp::now().as_second();
        // Whoever need not prove themselves again has been signed in for an hour.
        let auth_time = if asked.get("prompt").is_some_and(|prompt| prompt == "login") { now } else { now - 3_600 };
        let mut house = self.house();
        let code = format!("code-{}", house.codes.len());
        let state = asked.get("state").cloned().unwrap_or_default();
        house.codes.insert(code.clone(), Code { asked, subject: subject.to_owned(), auth_time });
        format!("code={code}&state={state}&iss={}", self.url.replace(':', "%3A").replace('/', "%2F"))
    }

    /// What somebody was sent here with.
    pub fn asks(&self, way: &str) -> HashMap<String, String> {
        let query = way.strip_prefix(&format!("{}/authorize?", self.url)).expect("here is where they are sent");
        query.split('&').filter_map(|pair| pair.split_once('=')).map(|(n, v)| (n.to_owned(), plain(v))).collect()
    }

    /// Notes that it was asked, and perhaps does not answer as it should.
    async fn odd(&self, path: &'static str) -> Option<Response<Body>> {
        let (redirects, floods, silent) = {
            let mut house = self.house();
            *house.asked.entry(path.to_owned()).or_default() += 1;
            (house.redirects == Some(path), house.floods == Some(path), house.silent == Some(path))
        };
        if silent {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        if redirects {
            let moved = Response::builder().status(StatusCode::FOUND).header("location", format!("{}/keys", self.url));
            return moved.body(Body::empty()).ok();
        }
        floods.then(|| Response::new(Body::from(format!("{{\"keys\":[], \"x\": \"{}\"}}", "x".repeat(1 << 20)))))
    }
}

async fn metadata(State(provider): Shared) -> Response<Body> {
    if let Some(odd) = provider.odd("metadata").await {
        return odd;
    }
    let url = &provider.url;
    let mut said = json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"), "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    overlay(&mut said, &provider.house().metadata);
    Response::new(Body::from(said.to_string()))
}

async fn keys(State(provider): Shared) -> Response<Body> {
    if let Some(odd) = provider.odd("keys").await {
        return odd;
    }
    let (seed, kid) = provider.house().key.clone();
    let point = signing(seed).verifying_key().to_sec1_point(false);
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point.as_bytes()[1..33]), URL_SAFE_NO_PAD.encode(&point.as_bytes()[33..]));
    let key = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig", "alg": "ES256"});
    Response::new(Body::from(json!({"keys": [key]}).to_string()))
}

async fn token(
    State(provider): Shared,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response<Body> {
    if let Some(odd) = provider.odd("token").await {
        return odd;
    }
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{}", SECRET.replace(' ', "%20"))));
    assert_eq!(headers.get("authorization").and_then(|value| value.to_str().ok()), Some(basic.as_str()));
    let said = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    // A code is good once, and for whoever asked for it.
    let code = provider.house().codes.remove(said("code"));
    let verifier = URL_SAFE_NO_PAD.encode(Digest::of(said("code_verifier").as_bytes()).as_bytes());
    let Some(code) = code.filter(|code| code.asked["code_challenge"] == verifier) else {
        let refused = Response::builder().status(StatusCode::BAD_REQUEST);
        return refused.body(Body::from("{\"error\":\"invalid_grant\"}")).expect("an answer");
    };
    assert_eq!(code.asked["redirect_uri"], said("redirect_uri"));
    let token = provider.token(&code);
    Response::new(Body::from(json!({"id_token": token, "access_token": "x", "token_type": "Bearer"}).to_string()))
}

impl Provider {
    fn token(&self, code: &Code) -> String {
        let house = self.house();
        let now = jiff::Timestamp::now().as_second();
        let mut claims = json!({
            "iss": self.url, "sub": code.subject, "aud": CLIENT, "exp": now + 300, "iat": now,
            "nonce": code.asked["nonce"], "auth_time": code.auth_time, "email": "bob@acme.example",
        });
        overlay(&mut claims, &house.claims);
        let mut head = json!({"alg": "ES256", "kid": house.key.1, "typ": "JWT"});
        overlay(&mut head, &house.head);
        let signed = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let key = signing(if house.forges { 99 } else { house.key.0 });
        let signature: Signature = key.sign(signed.as_bytes());
        let signature = if house.unsigned { String::new() } else { URL_SAFE_NO_PAD.encode(signature.to_bytes()) };
        format!("{signed}.{signature}")
    }
}

fn signing(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).expect("a key")
}

fn overlay(value: &mut Value, with: &Value) {
    let Some(members) = value.as_object_mut() else { return };
    for (name, with) in with.as_object().into_iter().flatten() {
        if with.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), with.clone());
        }
    }
}

/// A value of a query, without its escapes.
fn plain(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let escaped = |rest: &mut std::str::Bytes<'_>| {
            let two = [rest.next()?, rest.next()?];
            u8::from_str_radix(std::str::from_utf8(&two).ok()?, 16).ok()
        };
        bytes.push(if byte == b'%' { escaped(&mut rest).expect("an escape") } else { byte });
    }
    String::from_utf8(bytes).expect("text")
}
