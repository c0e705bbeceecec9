//! People who sign in: how they prove themselves, and their sessions.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::intent::{CommitError, Unavailable};
use remit_app::people::{
    Account, AccountChange, Invitation, Login, PASSKEYS_MAX, Passkey, Proof, Session, SessionId, SignIn, Spent,
    back_off, counts_on,
};
use remit_app::ports::People;
use remit_core::ids::{Digest, OperatorId};
use remit_evidence::writer::SignedRecord;

use super::MemoryStore;

/// What is known of people.
#[derive(Clone, Default)]
pub(crate) struct Rooms {
    accounts: BTreeMap<OperatorId, Account>,
    invitations: Vec<Invitation>,
    sessions: Vec<Session>,
    challenges: HashMap<Digest, Timestamp>,
}

type Changed = Result<(), CommitError>;

fn conflict<T>(what: &'static str) -> Result<T, CommitError> {
    Err(CommitError::Conflict(what))
}

impl Rooms {
    fn passkey(&self, id: &[u8]) -> Option<(&OperatorId, &Passkey)> {
        let all =
            self.accounts.iter().flat_map(|(owner, account)| account.passkeys.iter().map(move |key| (owner, key)));
        all.into_iter().find(|(_, key)| key.id == id)
    }

    fn whose_login(&self, login: &Login) -> Option<&OperatorId> {
        let theirs = |account: &&Account| account.login.as_ref() == Some(login);
        self.accounts.values().find(theirs).map(|account| &account.operator)
    }

    fn set_login(&mut self, operator: &OperatorId, login: Login) -> Changed {
        if self.whose_login(&login).is_some_and(|owner| owner != operator) {
            return conflict("login");
        }
        self.account_mut(operator)?.login = Some(login);
        Ok(())
    }

    /// Everything of theirs goes, and an empty account is left.
    fn begin_anew(&mut self, operator: &OperatorId) {
        self.forget(operator.as_str());
        let account = Account {
            operator: operator.clone(),
            password: None,
            passkeys: Vec::new(),
            login: None,
            failures: 0,
            not_before: None,
            signed_in_at: None,
        };
        self.accounts.insert(operator.clone(), account);
    }

    fn account_mut(&mut self, operator: &OperatorId) -> Result<&mut Account, CommitError> {
        self.accounts.get_mut(operator).ok_or(CommitError::Conflict("account"))
    }

    pub(super) fn forget(&mut self, operator: &str) {
        self.accounts.retain(|owner, _| owner.as_str() != operator);
        self.sessions.retain(|session| session.operator.as_str() != operator);
        self.invitations.retain(|invitation| invitation.operator.as_str() != operator);
    }

    fn end_others(&mut self, operator: &OperatorId, keeps: Option<&SessionId>) {
        self.sessions.retain(|session| session.operator != *operator || keeps == Some(&session.id));
    }

    fn take_invitation(&mut self, operator: &OperatorId, token: Option<&Digest>, now: Timestamp) -> Changed {
        let Some(token) = token else { return Ok(()) };
        let named = |i: &Invitation| i.token == *token && i.operator == *operator && i.expires_at > now;
        let Some(at) = self.invitations.iter().position(named) else { return conflict("invitation") };
        self.invitations.remove(at);
        Ok(())
    }

    fn spend(&mut self, spent: &Spent, now: Timestamp) -> Changed {
        self.challenges.retain(|_, until| *until > now);
        match self.challenges.insert(spent.challenge, spent.until) {
            None => Ok(()),
            Some(_) => conflict("challenge"),
        }
    }

    fn change(&mut self, operator: &OperatorId, change: AccountChange, now: Timestamp) -> Changed {
        match change {
            AccountChange::Invited(invitation) => {
                self.begin_anew(operator);
                self.invitations.push(invitation);
            }
            AccountChange::PasswordSet { password, invitation, keeps } => {
                self.take_invitation(operator, invitation.as_ref(), now)?;
                let account = self.account_mut(operator)?;
                (account.password, account.failures, account.not_before) = (Some(password), 0, None);
                self.end_others(operator, keeps.as_ref());
            }
            AccountChange::PasskeyAdded { passkey, invitation, spent } => {
                self.take_invitation(operator, invitation.as_ref(), now)?;
                self.spend(&spent, now)?;
                let known = self.passkey(&passkey.id).is_some();
                let account = self.account_mut(operator)?;
                if known || account.passkeys.len() >= PASSKEYS_MAX {
                    return conflict("passkey");
                }
                account.passkeys.push(*passkey);
            }
            AccountChange::LoginGiven(login) => {
                self.begin_anew(operator);
                self.set_login(operator, login)?;
            }
            AccountChange::LoginAdded { login, invitation, spent, keeps } => {
                self.take_invitation(operator, invitation.as_ref(), now)?;
                self.spend(&spent, now)?;
                let before = self.account_mut(operator)?.login.clone();
                let replaced = before.is_some_and(|before| before != login);
                self.set_login(operator, login)?;
                if replaced {
                    self.end_others(operator, keeps.as_ref());
                }
            }
            AccountChange::LoginRemoved { keeps } => {
                let account = self.account_mut(operator).or(conflict("login"))?;
                account.login.take().ok_or(CommitError::Conflict("login"))?;
                self.end_others(operator, keeps.as_ref());
            }
            AccountChange::PasskeyRemoved { id, keeps } => {
                let account = self.account_mut(operator).or(conflict("passkey"))?;
                let Some(at) = account.passkeys.iter().position(|key| key.id == id) else {
                    return conflict("passkey");
                };
                account.passkeys.remove(at);
                self.end_others(operator, keeps.as_ref());
            }
            AccountChange::SignedOut { keeps } => self.end_others(operator, keeps.as_ref()),
        }
        Ok(())
    }

    fn used(&mut self, id: &[u8], owner: Option<&OperatorId>, count: u32, now: Timestamp) -> Changed {
        let accounts =
            self.accounts.values_mut().filter(|account| owner.is_none_or(|owner| account.operator == *owner));
        let found = accounts.flat_map(|account| &mut account.passkeys).find(|key| key.id == id);
        match found {
            Some(key) if counts_on(key.sign_count, count) => {
                (key.sign_count, key.used_at) = (count, Some(now));
                Ok(())
            }
            _ => conflict("passkey"),
        }
    }

    fn sign_in(&mut self, sign_in: SignIn) -> Changed {
        let SignIn { session, proof, replaces } = sign_in;
        let now = session.created_at;
        match proof {
            Proof::Password { step } => {
                let account = self.account_mut(&session.operator)?;
                let Some(password) = account.password.as_mut() else { return conflict("account") };
                if password.step >= step {
                    return conflict("code");
                }
                password.step = step;
                (account.failures, account.not_before) = (0, None);
            }
            Proof::Passkey { id, sign_count, spent } => {
                self.spend(&spent, now)?;
                self.used(&id, Some(&session.operator), sign_count, now)?;
            }
            Proof::Login { login, spent } => {
                self.spend(&spent, now)?;
                if self.whose_login(&login) != Some(&session.operator) {
                    return conflict("login");
                }
            }
            Proof::Handed { by, spent } => {
                self.spend(&spent, now)?;
                let live = |old: &Session| old.id == by && old.operator == session.operator && old.expires_at > now;
                if !self.sessions.iter().any(live) {
                    return conflict("session");
                }
            }
        }
        self.account_mut(&session.operator)?.signed_in_at = Some(now);
        self.sessions
            .retain(|old| old.expires_at > now && !(replaces == Some(old.id) && old.operator == session.operator));
        self.sessions.push(session);
        Ok(())
    }
}

#[async_trait]
impl People for MemoryStore {
    async fn account(&self, operator: &OperatorId) -> Result<Option<Account>, Unavailable> {
        Ok(self.open()?.people.accounts.get(operator).cloned())
    }

    async fn accounts(&self) -> Result<Vec<Account>, Unavailable> {
        Ok(self.open()?.people.accounts.values().cloned().collect())
    }

    async fn passkey(&self, id: &[u8]) -> Result<Option<(OperatorId, Passkey)>, Unavailable> {
        Ok(self.open()?.people.passkey(id).map(|(owner, key)| (owner.clone(), key.clone())))
    }

    async fn whose_login(&self, login: &Login) -> Result<Option<OperatorId>, Unavailable> {
        Ok(self.open()?.people.whose_login(login).cloned())
    }

    async fn invitation(&self, token: &Digest) -> Result<Option<Invitation>, Unavailable> {
        Ok(self.open()?.people.invitations.iter().find(|invitation| invitation.token == *token).cloned())
    }

    async fn change_account(
        &self,
        operator: &OperatorId,
        change: AccountChange,
        now: Timestamp,
        record: SignedRecord,
    ) -> Result<(), CommitError> {
        let mut state = self.open()?;
        // On a copy, so that what is refused half-way leaves nothing behind.
        let mut people = state.people.clone();
        people.change(operator, change, now)?;
        state.append(record)?;
        state.people = people;
        Ok(())
    }

    async fn attempt(&self, operator: &OperatorId, now: Timestamp) -> Result<Option<Timestamp>, Unavailable> {
        let mut state = self.open()?;
        let Some(account) = state.people.accounts.get_mut(operator) else { return Ok(None) };
        if let Some(until) = account.not_before.filter(|until| *until > now) {
            return Ok(Some(until));
        }
        account.failures = account.failures.saturating_add(1);
        account.not_before = now.checked_add(back_off(account.failures)).ok().filter(|until| *until > now);
        Ok(None)
    }

    async fn sign_in(&self, sign_in: SignIn) -> Result<(), CommitError> {
        let mut state = self.open()?;
        let mut people = state.people.clone();
        people.sign_in(sign_in)?;
        state.people = people;
        Ok(())
    }

    async fn use_passkey(&self, id: &[u8], sign_count: u32, now: Timestamp) -> Result<(), CommitError> {
        self.open()?.people.used(id, None, sign_count, now)
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Unavailable> {
        Ok(self.open()?.people.sessions.iter().find(|session| session.id == *id).cloned())
    }

    async fn sessions(&self, operator: &OperatorId) -> Result<Vec<Session>, Unavailable> {
        let state = self.open()?;
        let mut theirs: Vec<_> = state.people.sessions.iter().filter(|s| s.operator == *operator).cloned().collect();
        theirs.sort_by(|a, b| b.created_at.cmp(&a.created_at).then(a.id.cmp(&b.id)));
        Ok(theirs)
    }

    async fn touch_session(&self, id: &SessionId, now: Timestamp) -> Result<(), Unavailable> {
        if let Some(session) = self.open()?.people.sessions.iter_mut().find(|session| session.id == *id) {
            session.seen_at = session.seen_at.max(now);
        }
        Ok(())
    }

    async fn end_session(&self, id: &SessionId) -> Result<bool, Unavailable> {
        let mut state = self.open()?;
        let before = state.people.sessions.len();
        state.people.sessions.retain(|session| session.id != *id);
        Ok(state.people.sessions.len() < before)
    }
}
