//! Webhooks as Standard Webhooks 1.0 says: `webhook-id`, `webhook-timestamp`, and a signature over both and
//! the body with HMAC-SHA256 (specification, sections "Webhook headers" and "Signature scheme").

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use remit_app::message::Message;
use remit_app::tell::NotSent;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::outbound::{post, secret, value};
use crate::upstream::http::HttpClient;
use crate::vault::Source;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// A receiver of signed messages.
#[derive(Debug)]
pub struct Webhook {
    /// Where it is.
    pub url: String,
    /// Where the secret stands.
    pub secret: Source,
}

impl Webhook {
    pub(super) fn check(&self) -> Result<(), String> {
        let secret = self.secret.read().map_err(|error| error.0)?;
        key(secret.expose()).map(drop).map_err(|why| format!("the secret in {} {why}", self.secret))
    }

    pub(super) async fn send(&self, http: &HttpClient, message: &Message, arguments: bool) -> Result<(), NotSent> {
        let body = body(message, arguments).to_string();
        let read = secret(&self.secret)?;
        let key = key(read.expose()).map_err(|why| NotSent::Later(format!("the secret {why}")))?;
        let at = Timestamp::now().as_second();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("remit"));
        headers.insert(HeaderName::from_static("webhook-id"), value(&message.id));
        headers.insert(HeaderName::from_static("webhook-timestamp"), value(&at.to_string()));
        headers.insert(HeaderName::from_static("webhook-signature"), value(&signature(&key, &message.id, at, &body)));
        post(http, &self.url, headers, body).await
    }
}

/// `v1,` and the signature over id, time and body.
fn signature(key: &hmac::Key, id: &str, at: i64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag.as_ref()))
}

/// The key in a secret: 24 to 64 bytes in base64 after `whsec_`.
fn key(secret: &str) -> Result<hmac::Key, &'static str> {
    let text = secret.strip_prefix(PREFIX).ok_or("does not begin with `whsec_`")?;
    let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| "is no base64 after `whsec_`")?);
    if !(24..=64).contains(&bytes.len()) {
        return Err("is no key of 24 to 64 bytes");
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// Type, time and data, as the specification suggests. What an agent wrote stands apart, under `untrusted`.
fn body(message: &Message, arguments: bool) -> Value {
    let mut data = Map::new();
    data.insert("title".into(), json!(message.title));
    data.extend(message.facts.iter().map(|fact| (fact.name.to_owned(), json!(fact.text))));
    data.extend(message.link.iter().map(|link| ("link".to_owned(), json!(link))));
    if let Some(news) = &message.news {
        data.insert("question".into(), json!(news.question.as_str()));
        data.insert("event".into(), json!(news.event.to_string()));
        data.insert("state".into(), json!(news.state.as_str()));
        let mut untrusted = json!({"resource": news.resource.text});
        if arguments {
            untrusted["arguments"] = json!(news.arguments.text);
            untrusted["preview"] = json!(news.preview.as_ref().map(|preview| &preview.text));
        }
        data.insert("untrusted".into(), untrusted);
    }
    json!({"type": message.kind, "timestamp": message.at.to_string(), "data": data})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the specification's reference libraries.
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let found = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(found, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_has_one_form() {
        for bad in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_!"] {
            assert!(key(bad).is_err(), "{bad}");
        }
    }
}
