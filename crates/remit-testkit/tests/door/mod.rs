//! A gateway with people, a browser without scripts, and an authenticator without a device.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use minicbor::Encoder;
use p256::ecdsa::signature::Signer as _;
use remit_app::ports::RecordFilter;
use remit_cli::boot::Running;
use remit_core::ids::Digest;
use remit_evidence::record::Kind;
use remit_evidence::trust::Trust;
use remit_evidence::verify::Trust as Roots;
use remit_evidence::writer::{Sign as _, SignedRecord};
use remit_server::keys::Ed25519;
use remit_testkit::place::Place;
use remit_testkit::wire::Wire;
use serde_json::{Value, json};

/// The key of Olga, who is responsible for security.
pub const OLGA: &str = "door-operator-olga";

/// A gateway.
pub struct World {
    pub wire: Wire,
    /// Where its pages stand.
    pub origin: String,
    running: Running,
    place: Place,
}

impl World {
    /// With this at the end of its `remit.yaml`.
    pub async fn new(more: &str) -> Self {
        Self::set_up(|place| place.append("remit.yaml", &format!("\n{more}"))).await
    }

    /// With a folder that was changed so.
    pub async fn set_up(change: impl FnOnce(&Place)) -> Self {
        let place = Place::base();
        place.write("keys.yaml", &Self::keys_text());
        change(&place);
        let address = "127.0.0.1:0".parse().expect("an address");
        let running = Running::start(place.path(), Some(address)).await;
        let running = running.map_err(|error| error.to_string()).expect("it starts");
        let origin = running.url.replace("127.0.0.1", "localhost");
        Self { wire: Wire::to(&running.url), origin, running, place }
    }

    /// `keys.yaml`: Olga has a key, Bob and Grace only sign in.
    pub fn keys_text() -> String {
        format!(
            "operators:\n  - {{id: olga, teams: [security], roles: [security], expires: 2099-01-01, sha256: {}}}\n  \
             - {{id: bob, user: bob@acme.example, teams: [finance], roles: [viewer, approver]}}\n  \
             - {{id: grace, roles: [operator]}}\n",
            Digest::of(OLGA.as_bytes())
        )
    }

    /// Puts another `keys.yaml` into force.
    pub async fn keys(&self, text: &str) {
        assert_ne!(text, Self::keys_text(), "nothing was changed");
        self.place.write("keys.yaml", text);
        let taken = self.wire.done(OLGA, "/admin/v1/reload", Some(&json!({}))).await.expect("it is taken");
        // What protects less waits for a person.
        if let Some(change) = taken["pending"]["change"].as_str() {
            let (path, vote) = (format!("/admin/v1/changes/{change}/votes"), json!({"choice": "approve"}));
            self.wire.done(OLGA, &path, Some(&vote)).await.expect("in force");
        }
    }

    /// The path of a new invitation.
    pub async fn invite(&self, id: &str) -> String {
        let path = format!("/admin/v1/people/{id}/invitations");
        let answer = self.wire.done(OLGA, &path, Some(&json!({}))).await.expect("invited");
        let link = answer["invitation"].as_str().expect("a link");
        link.strip_prefix(&self.origin).expect("a link to here").to_owned()
    }

    pub fn browser(&self) -> Browser {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut browser =
            Browser { origin: self.origin.clone(), client, cookie: None, set: None, from: (None, None), extra: None };
        browser.home();
        browser
    }

    /// How people's keys changed, from records that all verify.
    pub async fn verified_key_events(&self) -> Vec<String> {
        let root = Ed25519::in_file(&self.place.path().join(".remit/gateway.key")).expect("a key");
        let mut trust = Roots::in_roots([root.public_key()]).expect("a root");
        let mut events = Vec::new();
        for record in self.records(Kind::Key).await {
            let verified = trust.verify(&record.envelope).expect("it verifies");
            verified.check_disclosures(record.disclosures.iter().map(String::as_str)).expect("what was signed");
            if let Some(event) = verified.predicate.get("event").and_then(Value::as_str) {
                let keyed = verified.predicate.get("key").and_then(Value::as_str).is_some_and(|key| key.contains(':'));
                assert_eq!(keyed, event.starts_with("passkey"), "{event}");
                events.push(event.to_owned());
            }
        }
        events
    }

    /// The records of this kind, oldest first.
    pub async fn records(&self, kind: Kind) -> Vec<SignedRecord> {
        let filter = RecordFilter { kind: Some(kind), limit: 1000, ..RecordFilter::default() };
        self.running.edge.gate.ports().store.records(&filter).await.expect("read")
    }

    /// The bundle of each record that says how people's keys changed, and the document to trust it under.
    pub async fn bundles(&self) -> (Trust, Vec<Vec<u8>>) {
        let trust = self.place.remit(&["ledger", "trust"]);
        let trust = Trust::parse(trust.out.as_bytes()).expect("a trust document");
        let mut bundles = Vec::new();
        for record in self.records(Kind::Key).await {
            let path = format!("/admin/v1/evidence?record={}&show=", record.id);
            let began = std::time::Instant::now();
            // It is proved as soon as the log has sealed it.
            let bundle = loop {
                match self.wire.done(OLGA, &path, None).await {
                    Ok(bundle) => break bundle,
                    Err(error) => assert!(began.elapsed().as_secs() < 30, "{error}"),
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            };
            bundles.push(bundle.to_string().into_bytes());
        }
        (trust, bundles)
    }

    pub async fn end(self) {
        self.running.stop().await;
    }
}

/// A browser, as far as the gateway can tell.
#[derive(Clone)]
pub struct Browser {
    origin: String,
    client: Client<HttpConnector, Full<Bytes>>,
    /// What it sends as its cookie.
    pub cookie: Option<String>,
    /// The last cookie that was set.
    pub set: Option<String>,
    /// What it says of the page a request comes from: `Origin`, `Sec-Fetch-Site`.
    pub from: (Option<String>, Option<String>),
    extra: Option<(String, String)>,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub set: Option<String>,
    pub text: String,
}

impl Answer {
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }
}

impl Browser {
    /// On our own pages again.
    pub fn home(&mut self) {
        self.from = (Some(self.origin.clone()), Some("same-origin".into()));
    }

    /// The same browser, with one header more.
    pub fn with(&self, name: &str, value: &str) -> Self {
        Self { extra: Some((name.to_owned(), value.to_owned())), ..self.clone() }
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: String, csrf: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method.clone()).uri(format!("{}{path}", self.origin));
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        if let (Some(origin), true) = (&self.from.0, method == Method::POST) {
            request = request.header(ORIGIN, origin);
        }
        if let Some(site) = &self.from.1 {
            request = request.header("sec-fetch-site", site);
        }
        if let Some((name, value)) = &self.extra {
            request = request.header(name, value);
        }
        if let Some(csrf) = csrf {
            request = request.header("x-csrf-token", csrf);
        }
        let request = request.header(CONTENT_TYPE, kind).body(Full::from(body)).expect("a request");
        let response = self.client.request(request).await.expect("an answer");
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, location, set) = (response.status().as_u16(), header(LOCATION), header(SET_COOKIE));
        let bytes = response.into_body().collect().await.expect("a whole answer").to_bytes();
        Answer { status, location, set, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub fn keep(&mut self, answer: Answer) -> Answer {
        if let Some(set) = &answer.set {
            self.set = Some(set.clone());
            self.cookie = set.split(';').next().filter(|pair| !pair.ends_with('=')).map(str::to_owned);
        }
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "text/html", String::new(), None).await
    }

    pub async fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let written = |text: &str| if plain(text) { text.to_owned() } else { escaped(text) };
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", written(value))).collect();
        let answer = self.send(Method::POST, path, "application/x-www-form-urlencoded", fields.join("&"), None).await;
        self.keep(answer)
    }

    pub async fn json(&mut self, path: &str, body: &Value, csrf: Option<&str>) -> Answer {
        let answer = self.send(Method::POST, path, "application/json", body.to_string(), csrf).await;
        self.keep(answer)
    }

    /// The secret of this session, as the pages carry it.
    pub async fn csrf(&self) -> String {
        field(&self.get("/console/account").await.text, "csrf")
    }

    pub async fn sign_in(&mut self, name: &str, password: &str, code: &str) -> Answer {
        self.form("/console/sign-in", &[("name", name), ("password", password), ("code", code)]).await
    }

    /// Takes an invitation with this password and the code of this moment; returns the secret of the codes.
    pub async fn accept(&mut self, link: &str, password: &str) -> Vec<u8> {
        let page = self.get(link).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let secret = page.text.split_once("secret=").expect("a secret").1.split('&').next().expect("a secret");
        let (secret, sealed) = (base32(secret), field(&page.text, "sealed"));
        let wrong = [("password", password), ("again", password), ("code", "000000"), ("sealed", &sealed)];
        let refused = self.form(link, &wrong).await;
        assert_eq!((refused.status, refused.set.is_none()), (422, true), "{}", refused.text);
        let now = code(&secret, 0);
        let chosen = [("password", password), ("again", password), ("code", &now), ("sealed", &sealed)];
        let taken = self.form(link, &chosen).await;
        assert_eq!((taken.status, taken.location.as_deref()), (303, Some("/console")), "{}", taken.text);
        secret
    }

    /// What the page's script does when somebody makes a passkey.
    pub async fn add_passkey(
        &mut self,
        ask: &str,
        add: &str,
        device: &mut Authenticator,
        csrf: Option<&str>,
    ) -> Answer {
        let asked = self.json(ask, &json!({}), csrf).await;
        if asked.status != 200 {
            return asked;
        }
        let origin = self.origin.clone();
        let mut made = device.create(&asked.value(), &origin);
        made["label"] = json!("A device");
        self.json(add, &made, csrf).await
    }
}

/// A field of the first form that has it.
fn field(page: &str, name: &str) -> String {
    let rest = page.split_once(&format!("name=\"{name}\" value=\"")).map(|(_, rest)| rest);
    let value = rest.and_then(|rest| rest.split('"').next());
    assert!(value.is_some(), "no {name} in {page}");
    value.unwrap_or_default().to_owned()
}

fn base32(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String = text.chars().map(|c| format!("{:05b}", alphabet.find(c).expect("base 32"))).collect();
    let whole = bits.len() / 8 * 8;
    (0..whole).step_by(8).map(|at| u8::from_str_radix(&bits[at..at + 8], 2).expect("bits")).collect()
}

/// The code of this moment, or of so many steps later (RFC 6238).
pub fn code(secret: &[u8], later: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let tag = sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret), &(now / 30 + later).to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().expect("four")) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// An authenticator in software.
#[derive(Clone)]
pub struct Authenticator {
    key: Pair,
    id: Vec<u8>,
    count: u32,
    flags: u8,
}

#[derive(Clone)]
enum Pair {
    Es256(Box<p256::ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

impl Authenticator {
    fn new(key: Pair, id: &[u8]) -> Self {
        Self { key, id: id.to_vec(), count: 0, flags: 0x05 }
    }

    pub fn es256() -> Self {
        let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("a key");
        Self::new(Pair::Es256(Box::new(key)), b"a credential on P-256")
    }

    pub fn ed25519() -> Self {
        Self::new(Pair::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&[8; 32]))), b"a credential on Ed25519")
    }

    /// One more device.
    pub fn another() -> Self {
        Self { id: b"another credential".to_vec(), ..Self::es256() }
    }

    /// The same, without having looked whose finger it was.
    pub fn unverified(&self) -> Self {
        Self { flags: 0x01, ..self.clone() }
    }

    fn data(&mut self, rp_id: &str, flags: u8) -> Vec<u8> {
        self.count += 1;
        let mut data = Digest::of(rp_id.as_bytes()).as_bytes().to_vec();
        data.push(flags);
        data.extend(self.count.to_be_bytes());
        data
    }

    fn client_data(kind: &str, asked: &Value, origin: &str) -> String {
        json!({"type": kind, "challenge": asked["challenge"], "origin": origin, "crossOrigin": false}).to_string()
    }

    /// Answers `navigator.credentials.create`.
    pub fn create(&mut self, asked: &Value, origin: &str) -> Value {
        let client = Self::client_data("webauthn.create", asked, origin);
        let rp_id = asked["rp"]["id"].as_str().unwrap_or("localhost").to_owned();
        let mut data = self.data(&rp_id, self.flags | 0x40);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).expect("short").to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose());
        let mut out = Encoder::new(Vec::new());
        out.map(3).and_then(|e| e.str("fmt")?.str("none")?.str("attStmt")?.map(0)).expect("cbor");
        out.str("authData").and_then(|e| e.bytes(&data)).expect("cbor");
        json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
            "attestationObject": URL_SAFE_NO_PAD.encode(out.into_writer()),
        })
    }

    fn cose(&self) -> Vec<u8> {
        let mut out = Encoder::new(Vec::new());
        match &self.key {
            Pair::Es256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let point = point.as_bytes();
                out.map(5).and_then(|e| e.i64(1)?.i64(2)?.i64(3)?.i64(-7)?.i64(-1)?.i64(1)).expect("cbor");
                out.i64(-2).and_then(|e| e.bytes(&point[1..33])?.i64(-3)?.bytes(&point[33..])).expect("cbor");
            }
            Pair::Ed25519(key) => {
                out.map(4).and_then(|e| e.i64(1)?.i64(1)?.i64(3)?.i64(-8)?.i64(-1)?.i64(6)).expect("cbor");
                out.i64(-2).and_then(|e| e.bytes(key.verifying_key().as_bytes())).expect("cbor");
            }
        }
        out.into_writer()
    }

    /// Answers `navigator.credentials.get`.
    pub fn answer(&mut self, asked: &Value, origin: &str) -> Value {
        let client = Self::client_data("webauthn.get", asked, origin);
        let data = self.data(asked["rpId"].as_str().expect("a site"), self.flags);
        let message = [&data[..], Digest::of(client.as_bytes()).as_bytes()].concat();
        let signature = match &self.key {
            Pair::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(&message);
                signature.to_der().as_bytes().to_vec()
            }
            Pair::Ed25519(key) => ed25519_dalek::Signer::sign(&**key, &message).to_bytes().to_vec(),
        };
        json!({
            "id": URL_SAFE_NO_PAD.encode(&self.id),
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
            "authenticatorData": URL_SAFE_NO_PAD.encode(&data),
            "signature": URL_SAFE_NO_PAD.encode(signature),
        })
    }
}
