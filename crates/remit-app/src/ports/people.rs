//! People who sign in: how they prove themselves, and their sessions.

use async_trait::async_trait;
use jiff::Timestamp;
use remit_core::ids::{Digest, OperatorId};
use remit_evidence::writer::SignedRecord;

use crate::intent::{CommitError, Unavailable};
use crate::people::{Account, AccountChange, Invitation, Login, Passkey, Session, SessionId, SignIn};

/// People who sign in: how they prove themselves, and their sessions. Part of [`super::Store`]; the same promises hold.
#[async_trait]
pub trait People: Send + Sync {
    /// The account of this person; `None` when they were never invited.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn account(&self, operator: &OperatorId) -> Result<Option<Account>, Unavailable>;

    /// All accounts, by the person's name.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn accounts(&self) -> Result<Vec<Account>, Unavailable>;

    /// The passkey with this credential id, and whose it is.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn passkey(&self, id: &[u8]) -> Result<Option<(OperatorId, Passkey)>, Unavailable>;

    /// Whose login this is.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn whose_login(&self, login: &Login) -> Result<Option<OperatorId>, Unavailable>;

    /// The invitation with this digest, unused. It may have expired.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn invitation(&self, token: &Digest) -> Result<Option<Invitation>, Unavailable>;

    /// Changes an account and appends the record, both or neither.
    ///
    /// # Errors
    /// [`CommitError::Conflict`], and nothing is changed or recorded: `invitation` when the one that is named is
    /// used, expired or another person's; `passkey` when the one to be added is known already or one too many, or
    /// the one to be removed is not theirs; `login` when it is another person's, or there is none to be removed;
    /// `challenge` when it was answered before; `account` when they were never invited.
    async fn change_account(
        &self,
        operator: &OperatorId,
        change: AccountChange,
        now: Timestamp,
        record: SignedRecord,
    ) -> Result<(), CommitError>;

    /// Counts an attempt with a password before it is looked at, so that many at once are many. `Some`: it is not
    /// to be looked at before that moment, and was not counted. Somebody without an account is never told to wait.
    ///
    /// # Errors
    /// When the store is unavailable; no password is to be looked at then.
    async fn attempt(&self, operator: &OperatorId, now: Timestamp) -> Result<Option<Timestamp>, Unavailable>;

    /// Opens a session, and ends the one it replaces if that is the same person's. A password forgets earlier attempts.
    ///
    /// # Errors
    /// [`CommitError::Conflict`], and nothing is changed: `code` when a code of this step or a later one counted
    /// already; `challenge` when it was answered before; `passkey` when it is not theirs, or has not counted on;
    /// `login` when it is not theirs; `session` when the one that it rests on has ended, or is not theirs;
    /// `account` when they have no password.
    async fn sign_in(&self, sign_in: SignIn) -> Result<(), CommitError>;

    /// Notes that a passkey has signed something else than a sign-in.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] with `passkey` when it is unknown, or has not counted on.
    async fn use_passkey(&self, id: &[u8], sign_count: u32, now: Timestamp) -> Result<(), CommitError>;

    /// A session, whether or not it has ended by time.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Unavailable>;

    /// Somebody's sessions, newest first.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn sessions(&self, operator: &OperatorId) -> Result<Vec<Session>, Unavailable>;

    /// Notes that a session was used. One that ended stays ended.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn touch_session(&self, id: &SessionId, now: Timestamp) -> Result<(), Unavailable>;

    /// Ends a session; false when there was none.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn end_session(&self, id: &SessionId) -> Result<bool, Unavailable>;
}
