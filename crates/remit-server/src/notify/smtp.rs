//! E-mail. One message for each person, so that nobody sees who else was written to; the `Message-ID` is the
//! delivery's name, so a mail program that is told twice can tell.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{Address, AsyncTransport as _, Tokio1Executor};
use remit_app::message::Message;
use remit_app::tell::NotSent;
use remit_core::ids::Digest;

use super::outbound::secret;
use crate::vault::Source;

/// How long each command of an exchange may take.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(20);
/// How long one message may take altogether.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(60);
/// How many messages are remembered as sent, while others of the same delivery are tried again.
const REMEMBERED_MAX: usize = 10_000;

/// A mail server and how to write through it.
#[derive(Debug)]
pub struct Smtp {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// A file with the authority of its certificate, beside the public ones.
    pub ca: Option<PathBuf>,
    /// The name to sign in with, and where its password stands.
    pub sign_in: Option<(String, Source)>,
    /// The sender.
    pub from: String,
    /// Addresses that get every message.
    pub to: Vec<String>,
    /// Which persons have got which message already.
    pub sent: Sent,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// By STARTTLS, which must succeed.
    Starttls,
    /// From the first byte.
    Tls,
    /// Not. The configuration sees to it that this is the same machine.
    Plaintext,
}

/// Messages that one person of several has got. Losing it sends some twice.
#[derive(Debug, Default)]
pub struct Sent(Mutex<HashSet<Digest>>);

impl Sent {
    fn is(&self, mail: &Digest) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(mail)
    }

    fn note(&self, mail: Digest) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() >= REMEMBERED_MAX {
            sent.clear();
        }
        sent.insert(mail);
    }

    fn forget(&self, mails: &[Digest]) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.retain(|mail| !mails.contains(mail));
    }
}

impl Smtp {
    pub(super) fn check(&self) -> Result<(), String> {
        self.transport().map_err(|error| error.to_string())?;
        for address in self.to.iter().chain([&self.from]) {
            address.parse::<Address>().map_err(|error| format!("`{address}` is no address: {error}"))?;
        }
        Ok(())
    }

    pub(super) async fn send(&self, message: &Message, arguments: bool) -> Result<(), NotSent> {
        let mut to: Vec<&String> = message.to.iter().map(|person| &person.address).chain(&self.to).collect();
        to.sort();
        to.dedup();
        if to.is_empty() {
            return Err(NotSent::Never("nobody whose vote counts has an address, and the channel has none".into()));
        }
        let transport = self.transport()?;
        let (mut taken, mut refused, mut delayed) = (Vec::new(), None, None);
        for address in to {
            let mail = Digest::of(format!("{}\n{address}", message.id).as_bytes());
            if self.sent.is(&mail) {
                taken.push(mail);
                continue;
            }
            let letter = self.letter(message, address, arguments)?;
            let sent = tokio::time::timeout(MESSAGE_TIME_MAX, transport.send(letter)).await;
            match sent.map_or_else(
                |_| Err(NotSent::Later("the mail server took too long".into())),
                |sent| sent.map_err(failed),
            ) {
                Ok(_) => {
                    self.sent.note(mail);
                    taken.push(mail);
                }
                Err(NotSent::Later(why)) => delayed = Some(why),
                Err(NotSent::Never(why)) => refused = Some(why),
            }
        }
        match (delayed, refused) {
            (Some(why), _) => return Err(NotSent::Later(why)),
            (None, Some(why)) if taken.is_empty() => return Err(NotSent::Never(why)),
            // Somebody was told, and trying the others again would not help.
            (None, Some(why)) => {
                tracing::warn!(delivery = message.id, why, "some of the people could not be written to")
            }
            (None, None) => {}
        }
        self.sent.forget(&taken);
        Ok(())
    }

    fn letter(&self, message: &Message, to: &str, arguments: bool) -> Result<lettre::Message, NotSent> {
        let mailbox = |address: &str| -> Result<Mailbox, NotSent> {
            let address = address.parse::<Address>();
            Ok(Mailbox::new(None, address.map_err(|_| NotSent::Never("an address cannot be used".into()))?))
        };
        let domain = self.from.rsplit('@').next().unwrap_or("localhost");
        // RFC 3834: no machine answers this.
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into());
        let letter = lettre::Message::builder()
            .from(mailbox(&self.from)?)
            .to(mailbox(to)?)
            .subject(message.title.clone())
            .message_id(Some(format!("<{}@{domain}>", message.id)))
            .raw_header(automatic)
            .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(message.text(arguments)));
        letter.map_err(|_| NotSent::Never("the message could not be written".into()))
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, NotSent> {
        let tls = match self.security {
            Security::Plaintext => Tls::None,
            Security::Starttls => Tls::Required(self.tls()?),
            Security::Tls => Tls::Wrapper(self.tls()?),
        };
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.host.clone())
            .port(self.port)
            .tls(tls)
            .timeout(Some(COMMAND_TIME_MAX));
        let Some((user, source)) = &self.sign_in else { return Ok(transport.build()) };
        let password = secret(source)?;
        Ok(transport.credentials(Credentials::new(user.clone(), password.expose().to_owned())).build())
    }

    fn tls(&self) -> Result<TlsParameters, NotSent> {
        let mut tls = TlsParameters::builder(self.host.clone());
        if let Some(file) = &self.ca {
            let unreadable = |why: String| NotSent::Later(format!("`{}` cannot be used: {why}", file.display()));
            let pem = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
            tls = tls.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| unreadable(error.to_string()))?);
        }
        tls.build().map_err(|error| NotSent::Later(error.to_string()))
    }
}

/// What an error says without the server's own words: those may hold addresses.
fn failed(error: Error) -> NotSent {
    match error.status() {
        Some(code) if error.is_permanent() => NotSent::Never(format!("the mail server answered {code}")),
        Some(code) => NotSent::Later(format!("the mail server answered {code}")),
        None if error.is_tls() => NotSent::Later("the connection to the mail server could not be encrypted".into()),
        None if error.is_timeout() => NotSent::Later("the mail server took too long".into()),
        None => NotSent::Later("the mail server could not be reached, or the exchange broke off".into()),
    }
}
