//! People who sign in: what an account holds, and how it changes. Every change that decides who can act as
//! somebody is signed and recorded. Knows no password and no code: the edge checks those, and hands in digests.

use jiff::{SignedDuration, Timestamp};
use remit_core::approval::Factor;
use remit_core::authority::weakening::Steering;
use remit_core::ids::{Digest, OperatorId};
use remit_core::json::quoted;
use remit_evidence::webauthn::PublicKey;

use crate::gate::Gate;
use crate::intent::{CommitError, Unavailable};

/// How many wrong passwords or codes in a row cost nothing.
pub const FREE_ATTEMPTS: u32 = 4;
/// The longest wait after wrong ones. Nobody is locked out for good: that would be a weapon.
pub const BACK_OFF_MAX: SignedDuration = SignedDuration::from_mins(15);
/// Most passkeys of one person.
pub const PASSKEYS_MAX: usize = 16;
/// Longest label of a passkey and description of a device, in characters.
pub const LABEL_CHARS_MAX: usize = 64;

/// How somebody signs in. An account without a password and without passkeys lets nobody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whose it is.
    pub operator: OperatorId,
    /// Their password and the secret of their codes, which go together.
    pub password: Option<Password>,
    /// Their passkeys, oldest first.
    pub passkeys: Vec<Passkey>,
    /// Their login with another party, who vouches for them.
    pub login: Option<Login>,
    /// Attempts since a password was last right.
    pub failures: u32,
    /// No password is looked at before this moment.
    pub not_before: Option<Timestamp>,
    /// When they signed in last.
    pub signed_in_at: Option<Timestamp>,
}

/// A password with its one-time codes (RFC 6238).
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    /// Argon2id, as a PHC text.
    pub phc: String,
    /// The secret of the codes, sealed by the edge.
    pub totp: Vec<u8>,
    /// The step of the last code that counted. No code of it or before counts again.
    pub step: u64,
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// A login with another party (OpenID Connect Core 1.0, section 2): the two names together are one person's, for ever.
/// Both are compared letter for letter. An address of mail is no part of it: whoever has it next year is another person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Login {
    /// The party, `iss` of its tokens.
    pub issuer: String,
    /// What it calls the person, `sub` of its tokens.
    pub subject: String,
}

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// The credential's id, as the authenticator chose it.
    pub id: Vec<u8>,
    /// Its public key.
    pub key: PublicKey,
    /// What its owner calls it.
    pub label: String,
    /// How often it had signed when it was last seen; zero for ever, when it does not count.
    pub sign_count: u32,
    /// Since when it counts.
    pub added_at: Timestamp,
    /// When it signed last.
    pub used_at: Option<Timestamp>,
}

/// Names a session without opening it: the SHA-256 of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub Digest);

/// Somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// Who.
    pub operator: OperatorId,
    /// How they proved it.
    pub factor: Factor,
    /// When they proved it, as far as anybody says: another party may have known them for hours.
    pub proved_at: Option<Timestamp>,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was used last, within a minute.
    pub seen_at: Timestamp,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
    /// What they signed in with, for themselves to recognise. Nothing is decided on it.
    pub device: String,
}

/// Lets somebody choose how they sign in, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// SHA-256 of its token.
    pub token: Digest,
    /// Who is invited.
    pub operator: OperatorId,
    /// Who invited them.
    pub by: OperatorId,
    /// From this moment on it invites nobody.
    pub expires_at: Timestamp,
}

/// A challenge that was answered and may not be answered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Its SHA-256.
    pub challenge: Digest,
    /// From this moment on nobody would take it anyway.
    pub until: Timestamp,
}

/// What changes in an account.
#[derive(Clone, Debug)]
pub enum AccountChange {
    /// They are invited: password, passkeys, sessions and older invitations are gone.
    Invited(Invitation),
    /// They chose a password. All sessions but one end.
    PasswordSet {
        /// The password, and the code that proved its second half.
        password: Password,
        /// The invitation that is used up by it; none when they were signed in.
        invitation: Option<Digest>,
        /// The session that goes on.
        keeps: Option<SessionId>,
    },
    /// Somebody said which login is theirs: password, passkeys, sessions and invitations are gone.
    LoginGiven(Login),
    /// They proved a login with another party. Where it takes the place of an earlier one, all sessions but one end.
    LoginAdded {
        /// Which.
        login: Login,
        /// The invitation that is used up by it; none when they were signed in.
        invitation: Option<Digest>,
        /// What the other party answered.
        spent: Spent,
        /// The session that goes on.
        keeps: Option<SessionId>,
    },
    /// No login with another party is theirs any more. All sessions but one end.
    LoginRemoved {
        /// The session that goes on.
        keeps: Option<SessionId>,
    },
    /// They added a passkey.
    PasskeyAdded {
        /// Which.
        passkey: Box<Passkey>,
        /// The invitation that is used up by it; none when they were signed in.
        invitation: Option<Digest>,
        /// What the authenticator answered.
        spent: Spent,
    },
    /// A passkey is one no more. All sessions but one end.
    PasskeyRemoved {
        /// The credential's id.
        id: Vec<u8>,
        /// The session that goes on.
        keeps: Option<SessionId>,
    },
    /// All their sessions but one end.
    SignedOut {
        /// The session that goes on.
        keeps: Option<SessionId>,
    },
}

/// Somebody signs in.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The new session.
    pub session: Session,
    /// What was proven.
    pub proof: Proof,
    /// A session of the same browser, which ends.
    pub replaces: Option<SessionId>,
}

/// What somebody proved when they signed in.
#[derive(Clone, Debug)]
pub enum Proof {
    /// That they know the password, and have what makes the codes.
    Password {
        /// The step of the code.
        step: u64,
    },
    /// That they have a passkey.
    Passkey {
        /// The credential's id.
        id: Vec<u8>,
        /// How often it has signed.
        sign_count: u32,
        /// What it answered.
        spent: Spent,
    },
    /// That another party vouches for them.
    Login {
        /// By which login.
        login: Login,
        /// What the other party answered.
        spent: Spent,
    },
    /// That they are signed in elsewhere, and meant to be here: a session of theirs, which has not ended.
    Handed {
        /// Which session.
        by: SessionId,
        /// What they confirmed there.
        spent: Spent,
    },
}

impl Session {
    /// What this session is worth at this moment. Another party's word counts as fresh for so long; after that it
    /// says as much as a password given this morning.
    #[must_use]
    pub fn worth(&self, now: Timestamp, fresh: SignedDuration) -> Factor {
        let young = |at: Timestamp| at.duration_until(now) < fresh;
        match self.factor {
            Factor::Oidc if !self.proved_at.is_some_and(young) => Factor::OidcEarlier,
            factor => factor,
        }
    }
}

impl AccountChange {
    /// The word in records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Invited(_) => "invited",
            Self::PasswordSet { .. } => "password_set",
            Self::LoginGiven(_) => "login_given",
            Self::LoginAdded { .. } => "login_added",
            Self::LoginRemoved { .. } => "login_removed",
            Self::PasskeyAdded { .. } => "passkey_added",
            Self::PasskeyRemoved { .. } => "passkey_removed",
            Self::SignedOut { .. } => "signed_out",
        }
    }
}

impl Login {
    /// What records disclose of it, beside the person it is of: under salted digests, never in clear.
    pub(crate) fn disclosed(&self) -> [(&'static str, String); 2] {
        [("issuer", quoted(&self.issuer)), ("subject", quoted(&self.subject))]
    }
}

/// How long no password is looked at after so many wrong ones in a row.
#[must_use]
pub fn back_off(failures: u32) -> SignedDuration {
    let Some(over) = failures.checked_sub(FREE_ATTEMPTS).filter(|over| *over > 0) else {
        return SignedDuration::ZERO;
    };
    SignedDuration::from_secs(30 << (over - 1).min(5)).min(BACK_OFF_MAX)
}

/// Whether a passkey that had signed `before` times may say `now`: one that counts must have counted on,
/// and one that does not counts never (W3C WebAuthn Level 3, section 6.1.1). Otherwise there are two of it.
#[must_use]
pub const fn counts_on(before: u32, now: u32) -> bool {
    now > before || (now == 0 && before == 0)
}

impl Gate {
    /// Changes how somebody signs in, and records it. `by` is who did it.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] with `invitation`, `passkey`, `login`, `challenge` or `account` when what the change
    /// rests on is gone; nothing is changed then.
    pub async fn change_account(
        &self,
        operator: &OperatorId,
        by: &OperatorId,
        change: AccountChange,
    ) -> Result<(), CommitError> {
        let now = self.now();
        let mut gone = Vec::new();
        let key = match &change {
            AccountChange::PasskeyAdded { passkey, .. } => Some((Digest::of(&passkey.id), passkey.key.clone())),
            AccountChange::PasskeyRemoved { id, .. } => {
                let known = self.ports.store.passkey(id).await?.filter(|(owner, _)| owner == operator);
                let (_, passkey) = known.ok_or(CommitError::Conflict("passkey"))?;
                Some((Digest::of(id), passkey.key))
            }
            AccountChange::Invited(_) | AccountChange::LoginGiven(_) => {
                let account = self.ports.store.account(operator).await?;
                gone.extend(account.into_iter().flat_map(|account| account.passkeys).map(|passkey| passkey.key));
                None
            }
            _ => None,
        };
        let mut draft = self.account_draft((operator, by), change.as_str(), key, &gone, now);
        if let AccountChange::LoginGiven(login) | AccountChange::LoginAdded { login, .. } = &change {
            draft.disclosures.extend(login.disclosed());
        }
        let record = self.writer.sign(&self.writer.ticket(), draft, &self.randomness());
        self.ports.store.change_account(operator, change, now, record).await
    }

    /// Says who steers from now on. Whoever leaves or comes back with passkeys is recorded with them: a verifier knows by
    /// that when their votes counted.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub(crate) async fn steered_by(&self, after: &Steering) -> Result<(), Unavailable> {
        let before = self.steering();
        self.stand_on(after.clone());
        let among = |steering: &Steering, id: &OperatorId| {
            steering.people.iter().any(|person| person.id == *id && !person.revoked)
        };
        for account in self.ports.store.accounts().await? {
            let event = match (among(&before, &account.operator), among(after, &account.operator)) {
                (true, false) => "person_removed",
                (false, true) => "person_returned",
                _ => continue,
            };
            let keys: Vec<PublicKey> = account.passkeys.into_iter().map(|passkey| passkey.key).collect();
            if !keys.is_empty() {
                let of = (&account.operator, &account.operator);
                let draft = self.account_draft(of, event, None, &keys, self.now());
                let record = self.writer.sign(&self.writer.ticket(), draft, &self.randomness());
                self.ports.store.append(record).await?;
            }
        }
        Ok(())
    }

    /// The session, when it is one still. `used` says whether a person did something: a page that keeps itself
    /// fresh is no sign of one.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn session(
        &self,
        id: &SessionId,
        idle: SignedDuration,
        used: bool,
    ) -> Result<Option<Session>, Unavailable> {
        let now = self.now();
        let Some(session) = self.ports.store.session(id).await? else { return Ok(None) };
        let idle_since = session.seen_at.duration_until(now);
        if now >= session.expires_at || idle_since >= idle {
            self.ports.store.end_session(id).await?;
            return Ok(None);
        }
        // A use a minute is enough to know, and many requests come in one.
        if used && idle_since >= SignedDuration::from_mins(1) {
            self.ports.store.touch_session(id, now).await?;
        }
        Ok(Some(session))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_and_ends() {
        let secs: Vec<i64> = (0..12).map(|failures| back_off(failures).as_secs()).collect();
        assert_eq!(secs, [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900]);
        assert_eq!(back_off(u32::MAX), BACK_OFF_MAX);
    }

    #[test]
    fn a_copied_passkey_is_noticed() {
        assert!(counts_on(0, 0) && counts_on(0, 1) && counts_on(7, 8));
        assert!(!counts_on(7, 7) && !counts_on(7, 6) && !counts_on(7, 0));
    }
}
