//! The keys of the log, from where the folder says they are.

use std::path::{Path, PathBuf};

use remit_config::settings::{LogKey, Settings, Token};
use remit_evidence::log::note::NoteSigner;
use remit_server::keys::KeyUnusable;
use remit_server::ledger::keys;
use remit_server::pkcs11::{Place, TokenKey};

use crate::terminal::Failure;
use crate::{place, upstreams};

/// A key that signs for the log.
pub type Key = Box<dyn NoteSigner + Send + Sync>;

/// Where the two keys of a log are.
pub struct LogKeys<'a> {
    origin: &'a str,
    folder: &'a Path,
    ed25519: Ed25519<'a>,
    ml_dsa_44: PathBuf,
}

enum Ed25519<'a> {
    File(PathBuf),
    Token(&'a Token),
}

impl<'a> LogKeys<'a> {
    /// Those of the log of this name, which is signed now.
    pub fn of(settings: &'a Settings, folder: &'a Path, origin: &'a str) -> Self {
        Self::at(&settings.ledger.key, settings, folder, origin)
    }

    /// Those of the log of this name, which is to come next.
    pub fn of_next(settings: &'a Settings, folder: &'a Path, origin: &'a str) -> Result<Self, Failure> {
        let key = match (&settings.ledger.next_key, &settings.ledger.key) {
            (Some(key), _) | (None, key @ LogKey::Files) => key,
            (None, LogKey::Token(_)) => {
                return Err(Failure::said(
                    "a log has a key of its own: make a new pair in the token, and name it in remit.yaml as `ledger: next_key:`",
                ));
            }
        };
        Ok(Self::at(key, settings, folder, origin))
    }

    fn at(key: &'a LogKey, settings: &'a Settings, folder: &'a Path, origin: &'a str) -> Self {
        let store = place::store_of(folder, settings);
        let later = origin.strip_prefix(&settings.ledger.origin).and_then(|rest| rest.strip_prefix('/'));
        let [ed25519, ml_dsa_44] = keys::files(later).map(|name| store.parent().unwrap_or(folder).join(name));
        let ed25519 = match key {
            LogKey::Files => Ed25519::File(ed25519),
            LogKey::Token(token) => Ed25519::Token(token),
        };
        Self { origin, folder, ed25519, ml_dsa_44 }
    }

    /// Both keys. A file that is missing is made; a key in a token has to be there.
    pub fn open(&self) -> Result<Vec<Key>, Failure> {
        let unusable = |error: KeyUnusable| Failure::said(error.to_string());
        let ed25519: Key = match &self.ed25519 {
            Ed25519::File(path) => Box::new(keys::ed25519(path, self.origin).map_err(unusable)?),
            Ed25519::Token(token) => Box::new(self.in_token(token)?),
        };
        Ok(vec![ed25519, Box::new(keys::ml_dsa_44(&self.ml_dsa_44, self.origin).map_err(unusable)?)])
    }

    /// Both keys, if they are there: looking makes none.
    pub fn look(&self) -> Result<Vec<Key>, Failure> {
        if let Some(missing) = self.missing() {
            return Err(Failure::said(format!("`{}` is missing: the log has no keys yet", missing.display())));
        }
        self.open()
    }

    /// Whether they can be used, and where they are. Makes none either.
    pub fn check(&self) -> Result<String, Failure> {
        if let Ed25519::Token(token) = &self.ed25519 {
            self.in_token(token)?;
        }
        let places = self.places().join(", ");
        match self.missing() {
            Some(missing) => Ok(format!("{places}; the first start makes `{}`", missing.display())),
            None => self.open().map(|_| places),
        }
    }

    /// A file that the first start has yet to make.
    fn missing(&self) -> Option<&Path> {
        let file = match &self.ed25519 {
            Ed25519::File(path) => Some(&**path),
            Ed25519::Token(_) => None,
        };
        file.into_iter().chain([&*self.ml_dsa_44]).find(|path| !path.exists())
    }

    /// Where each of them is, in words; in the order of [`LogKeys::open`].
    pub fn places(&self) -> [String; 2] {
        let ed25519 = match &self.ed25519 {
            Ed25519::File(path) => path.display().to_string(),
            Ed25519::Token(Token { module, token, label, .. }) => {
                format!("key `{label}` in token `{token}` ({})", module.display())
            }
        };
        [ed25519, self.ml_dsa_44.display().to_string()]
    }

    fn in_token(&self, token: &Token) -> Result<TokenKey, Failure> {
        let Token { module, token, label, pin } = token;
        let failed = |error: &dyn std::fmt::Display| Failure::said(format!("the key of the log: {error}"));
        let pin = upstreams::source(pin, self.folder).read().map_err(|error| failed(&error))?;
        TokenKey::open(Place { module, token, label }, &pin, self.origin).map_err(|error| failed(&error))
    }
}
