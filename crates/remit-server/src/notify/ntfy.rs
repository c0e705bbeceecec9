//! Push messages by ntfy: a POST to the topic, with everything but the text in headers.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use remit_app::message::Message;
use remit_app::tell::NotSent;

use super::outbound::{post, secret, value};
use crate::upstream::http::HttpClient;
use crate::vault::Source;

/// Longest text, in bytes: ntfy makes a file of what is longer than 4,096.
const TEXT_BYTES_MAX: usize = 3_900;

/// A topic.
#[derive(Debug)]
pub struct Ntfy {
    /// Its URL.
    pub url: String,
    /// Where an access token stands.
    pub token: Option<Source>,
}

impl Ntfy {
    pub(super) fn check(&self) -> Result<(), String> {
        self.token.as_ref().map_or(Ok(()), |token| token.read().map(drop).map_err(|error| error.0))
    }

    pub(super) async fn send(&self, http: &HttpClient, message: &Message, arguments: bool) -> Result<(), NotSent> {
        let mut headers = HeaderMap::new();
        let mut add = |name: &'static str, text: &str| headers.insert(HeaderName::from_static(name), value(text));
        add("title", &message.title);
        add("priority", priority(message));
        // Whoever is told twice sees it once.
        add("x-sequence-id", &message.id);
        if let Some(link) = &message.link {
            add("click", link);
            // A comma or semicolon would end the action; no link of ours holds one, and then there is no button.
            if !link.contains([',', ';', '"', '\'']) {
                add("actions", &format!("view, Look at it, {link}"));
            }
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if let Some(source) = &self.token {
            let token = secret(source)?;
            let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
            let mut bearer = bearer.map_err(|_| NotSent::Later("the token cannot stand in a header".into()))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        post(http, &self.url, headers, bounded(message.text(arguments))).await
    }
}

/// 1 to 5; 3 is the usual one.
fn priority(message: &Message) -> &'static str {
    match message.kind.as_str() {
        "question.escalated" | "question.lapsing" | "glass.broken" => "5",
        "question.asked" | "change.proposed" => "4",
        "reviews.due" => "3",
        _ => "2",
    }
}

fn bounded(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str(" …\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_bounded_between_characters() {
        assert_eq!(bounded("short".into()), "short");
        let long = bounded("ü".repeat(3_000));
        assert!(long.len() <= 4_096 && long.ends_with(" …\n"));
    }
}
