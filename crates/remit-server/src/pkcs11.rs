//! Keys that stay in a token (PKCS#11): a hardware module, a smart card, or a cloud's key service behind its
//! driver. Remit signs with such a key and never sees it. Fit for the head of a log, once a second; a
//! token is far too slow for records.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use remit_app::secret::Secret;
use remit_evidence::log::note::NoteSigner;
use remit_evidence::log::vkey::{Algorithm, VerifierKey};

/// Why a key in a token cannot be used. The text is for operators, and never holds the PIN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("PKCS#11: {0}")]
pub struct TokenUnusable(String);

/// Which key is meant.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The driver, a shared library.
    pub module: &'a Path,
    /// The label of the token.
    pub token: &'a str,
    /// The label of the key pair in it.
    pub label: &'a str,
}

/// An Ed25519 key in a token.
pub struct TokenKey {
    key: VerifierKey,
    private: ObjectHandle,
    /// Used by one thread at a time, as the interface demands. Logged in as long as this lives.
    session: Mutex<Session>,
}

impl TokenKey {
    /// Finds the pair in the token and logs in. `name` is the name under which it signs notes: the origin of
    /// a log.
    ///
    /// # Errors
    /// When driver, token, key or PIN are not what they should be, and when the pair is no Ed25519 key.
    pub fn open(place: Place<'_>, pin: &Secret, name: &str) -> Result<Self, TokenUnusable> {
        let Place { module, token, label } = place;
        let failed = |what: &str, error: &dyn std::fmt::Display| TokenUnusable(format!("{what}: {error}"));
        if !module.is_file() {
            return Err(TokenUnusable(format!("there is no driver at `{}`", module.display())));
        }
        let driver = Pkcs11::new(module).map_err(|error| failed(&module.display().to_string(), &error))?;
        match driver.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another key of this process uses the same driver.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(failed(&module.display().to_string(), &error)),
        }
        let slots = driver.get_slots_with_token().map_err(|error| failed("the driver", &error))?;
        let named = |slot: &cryptoki::slot::Slot| {
            driver.get_token_info(*slot).is_ok_and(|found| found.label().trim_end() == token)
        };
        let slot = slots.into_iter().find(named);
        let slot = slot.ok_or_else(|| TokenUnusable(format!("there is no token `{token}`")))?;
        let session = driver.open_ro_session(slot).map_err(|error| failed("a session", &error))?;
        let login = session.login(UserType::User, Some(&AuthPin::from(pin.expose().to_owned())));
        match login {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            // Trying again would lock the token.
            Err(Error::Pkcs11(RvError::PinIncorrect, _)) => {
                return Err(TokenUnusable(format!("the PIN is not that of the token `{token}`")));
            }
            Err(error) => return Err(failed("the login", &error)),
        }
        let public = only(&session, ObjectClass::PUBLIC_KEY, label)?;
        let private = only(&session, ObjectClass::PRIVATE_KEY, label)?;
        let wanted = [AttributeType::KeyType, AttributeType::EcPoint];
        let found = session.get_attributes(public, &wanted).map_err(|error| failed("the public key", &error))?;
        let edwards = found.contains(&Attribute::KeyType(KeyType::EC_EDWARDS));
        let point = found.iter().filter(|_| edwards).find_map(|attribute| match attribute {
            Attribute::EcPoint(point) => raw(point),
            _ => None,
        });
        let point = point.ok_or_else(|| TokenUnusable(format!("`{label}` is no Ed25519 key")))?;
        let key = VerifierKey::new(name, Algorithm::Ed25519, point).map_err(|error| failed(label, &error))?;
        Ok(Self { key, private, session: Mutex::new(session) })
    }
}

impl NoteSigner for TokenKey {
    fn key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
        session.sign(&mechanism, self.private, message).map_err(|error| format!("the token did not sign: {error}"))
    }
}

/// The one object of this class and label. Two would make it a matter of chance which of them signs.
fn only(session: &Session, class: ObjectClass, label: &str) -> Result<ObjectHandle, TokenUnusable> {
    let sought = [Attribute::Class(class), Attribute::Label(label.as_bytes().to_vec())];
    let found = session.find_objects(&sought).map_err(|error| TokenUnusable(format!("`{label}`: {error}")))?;
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(TokenUnusable(format!("the token has no key `{label}`"))),
        _ => Err(TokenUnusable(format!("the token has several keys `{label}`"))),
    }
}

/// The 32 bytes of the point: drivers give them bare, or as a DER octet string (PKCS#11 3.0, 2.3.5).
fn raw(point: &[u8]) -> Option<&[u8]> {
    match point {
        [0x04, 32, bare @ ..] if bare.len() == 32 => Some(bare),
        bare if bare.len() == 32 => Some(bare),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_bare_or_an_octet_string() {
        let bare = [7; 32];
        let wrapped = [&[0x04, 32][..], &bare].concat();
        assert_eq!((raw(&bare), raw(&wrapped)), (Some(&bare[..]), Some(&bare[..])));
        assert_eq!((raw(&bare[1..]), raw(&[&[0x04, 31][..], &bare].concat())), (None, None));
    }
}
