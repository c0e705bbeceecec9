//! The operators' API as the command line speaks it: with the operator's own key, never with a name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use remit_server::gateway::mcp::in_clear;
use remit_server::vault::Source;
use serde_json::Value;

use crate::terminal::{Failure, block_on};
use crate::tls;

/// How long a server may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

pub(crate) type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client for `http` and `https`. With a certificate in a file, that authority is trusted instead of the
/// public ones.
pub(crate) fn http(ca: Option<&Path>) -> Result<Http, Failure> {
    let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls::client(ca)?).https_or_http();
    Ok(Client::builder(TokioExecutor::new()).build(connector.enable_all_versions().build()))
}

/// How to reach a gateway as an operator.
#[derive(clap::Args, Clone, Debug)]
pub struct Access {
    /// The gateway's URL; by default where the folder's remit.yaml says it listens.
    #[arg(long, env = "REMIT_URL")]
    url: Option<String>,
    /// A file with the operator's key; by default what `remit login` left behind, or else `.remit/operator.key` in the
    /// folder. The variable REMIT_OPERATOR_KEY takes precedence.
    #[arg(long)]
    key_file: Option<PathBuf>,
    /// A file (PEM) with the certificate of the authority that signed the gateway's, when no public one did.
    #[arg(long, env = "REMIT_CA")]
    ca: Option<PathBuf>,
}

/// A gateway, seen as an operator.
pub struct Gateway {
    url: String,
    key: String,
    http: Http,
}

impl Access {
    /// Opens it.
    pub fn open(&self, folder: &Path) -> Result<Gateway, Failure> {
        let url = self.place(folder)?;
        if let Ok(key) = std::env::var("REMIT_OPERATOR_KEY") {
            return self.with(url, &key);
        }
        // Whoever signed in just now meant to act as themselves, and not with a key that lies there.
        let signed = Signed::find(folder).filter(|signed| self.key_file.is_none() && signed.url == url);
        if let Some(signed) = signed {
            return self.with(url, &signed.token);
        }
        let file = self.key_file.clone().unwrap_or_else(|| folder.join(".remit/operator.key"));
        let key = Source::File(file).read().map_err(|error| {
            Failure::said(format!(
                "no operator key: run `remit login`, set REMIT_OPERATOR_KEY or give --key-file ({error})"
            ))
        })?;
        self.with(url, key.expose())
    }

    /// Opens it as somebody who is not known yet.
    pub fn stranger(&self, folder: &Path) -> Result<Gateway, Failure> {
        self.with(self.place(folder)?, "")
    }

    /// Opens it as whoever has signed in.
    pub fn signed(&self, signed: &Signed) -> Result<Gateway, Failure> {
        self.with(signed.url.clone(), &signed.token)
    }

    fn place(&self, folder: &Path) -> Result<String, Failure> {
        match &self.url {
            Some(url) => Ok(url.trim_end_matches('/').to_owned()),
            None => crate::folder::url_of(folder),
        }
    }

    fn with(&self, url: String, key: &str) -> Result<Gateway, Failure> {
        Gateway::reach(url, key.trim(), http(self.ca.as_deref())?)
    }
}

/// What `remit login` leaves behind: a session of one gateway, which ends by itself.
pub struct Signed {
    /// The gateway. Nobody else is shown the token.
    pub url: String,
    /// What opens the session.
    pub token: String,
    /// When it ends at the latest.
    pub expires_at: String,
}

impl Signed {
    fn file(folder: &Path) -> PathBuf {
        folder.join(".remit/session.json")
    }

    /// The session that was left behind, unless it has ended.
    pub fn find(folder: &Path) -> Option<Self> {
        let said = remit_core::json::parse(&std::fs::read(Self::file(folder)).ok()?).ok()?;
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        let found = Self { url: text("url")?, token: text("token")?, expires_at: text("expires_at")? };
        let ends: jiff::Timestamp = found.expires_at.parse().ok()?;
        (jiff::Timestamp::now() < ends).then_some(found)
    }

    /// Leaves it behind, for its owner alone.
    pub fn keep(&self, folder: &Path) -> Result<(), Failure> {
        use std::io::Write as _;
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        let file = Self::file(folder);
        let failed = |error: std::io::Error| Failure::Io(file.display().to_string(), error);
        let parent = file.parent().unwrap_or(folder);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
        // Made anew: what lies there may be open to others.
        Self::forget(folder)?;
        let mut options = std::fs::OpenOptions::new();
        let mut made = options.write(true).create_new(true).mode(0o600).open(&file).map_err(failed)?;
        let text = serde_json::json!({"url": self.url, "token": self.token, "expires_at": self.expires_at});
        made.write_all(text.to_string().as_bytes()).map_err(failed)
    }

    /// Leaves nothing behind.
    pub fn forget(folder: &Path) -> Result<(), Failure> {
        let file = Self::file(folder);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::Io(file.display().to_string(), error))
            }
            _ => Ok(()),
        }
    }
}

impl Gateway {
    /// A gateway at this URL, with this key.
    pub fn at(url: &str, key: &str) -> Result<Self, Failure> {
        Self::reach(url.to_owned(), key, http(None)?)
    }

    /// INVARIANT (no key in clear): every gateway is made here.
    fn reach(url: String, key: &str, http: Http) -> Result<Self, Failure> {
        let uri = url.parse::<Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
        let uri = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let uri = uri.ok_or_else(|| {
            Failure::said(format!("`{url}` is no URL of a gateway: write it like `http://127.0.0.1:7420`"))
        })?;
        if in_clear(&uri) {
            return Err(Failure::said(format!("`{url}` would show the operator's key to the network: use https")));
        }
        Ok(Self { url, key: key.to_owned(), http })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        block_on(self.send(Method::GET, path, None))?
    }

    /// `POST`.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        block_on(self.send(Method::POST, path, Some(body)))?
    }

    /// Sends, and reads the answer. A refusal becomes its reason and remedy.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if !self.key.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.key));
        }
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body.map(Value::to_string).unwrap_or_default()))
            .map_err(|error| Failure::said(format!("`{}`: {error}", self.url)))?;
        let unreachable = |error: String| Failure::said(format!("no gateway answers at {}: {error}", self.url));
        let response = self.http.request(request).await.map_err(|error| match chain(&error) {
            plain if plain.contains("InvalidContentType") => unreachable("what listens there speaks no TLS".into()),
            other => unreachable(other),
        })?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(|error| unreachable(chain(&error)))?.to_bytes();
        let value = remit_core::json::parse(&bytes).map_err(|error| {
            Failure::said(format!("the gateway answered {status} with something else than JSON: {error}"))
        })?;
        if status.is_success() {
            return Ok(value);
        }
        let error = &value["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        Err(Failure::said(format!("{} ({})\n  {}", text("reason"), text("code"), text("remedy"))))
    }
}

impl Gateway {
    /// `POST` of plain text, for what answers with nothing.
    pub async fn send_text(&self, path: &str, text: &str) -> Result<(), Failure> {
        let request = Request::post(format!("{}{path}", self.url))
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .body(Full::from(text.to_owned()))
            .map_err(|error| Failure::said(error.to_string()))?;
        let response = self.http.request(request).await.map_err(|error| Failure::said(error.to_string()))?;
        if response.status().is_success() { Ok(()) } else { Err(Failure::said(response.status().to_string())) }
    }
}

/// Another server that takes JSON.
pub struct Receiver {
    url: String,
    headers: Vec<String>,
    http: Http,
}

impl Receiver {
    /// The server at this URL; each request carries these headers, written `name: value`.
    pub fn at(url: &str, headers: &[String]) -> Result<Self, Failure> {
        Ok(Self { url: url.to_owned(), headers: headers.to_vec(), http: http(None)? })
    }

    /// Posts JSON. The inner error is one that another attempt may not meet.
    pub async fn send(&self, body: &Value) -> Result<Result<StatusCode, String>, Failure> {
        let Self { url, headers, http } = self;
        let mut request = Request::post(url).header(CONTENT_TYPE, "application/json");
        for header in headers {
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| Failure::said(format!("`{header}` is no header: write `name: value`")))?;
            request = request.header(name.trim(), value.trim());
        }
        let request = request.body(Full::from(body.to_string()));
        let request = request.map_err(|error| Failure::said(format!("`{url}`: {error}")))?;
        let exchange = async {
            let response = http.request(request).await;
            Ok(match response {
                // The connection can be used again, and a collector is not cut off, when the answer was read.
                Ok(response) => {
                    let status = response.status();
                    response.into_body().collect().await.map(|_| status).map_err(|error| error.to_string())
                }
                Err(error) => Err(chain(&error)),
            })
        };
        tokio::time::timeout(ANSWER_TIME_MAX, exchange).await.unwrap_or_else(|_| Ok(Err("no answer in time".into())))
    }
}

/// Percent-encodes what has a meaning of its own in a query (RFC 3986, 3.4).
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// An error with its causes: what matters, such as an unknown certificate, comes last.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
