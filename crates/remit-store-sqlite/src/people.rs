//! People who sign in: how they prove themselves, and their sessions.

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::intent::{CommitError, Unavailable};
use remit_app::people::{
    Account, AccountChange, Invitation, Login, PASSKEYS_MAX, Passkey, Password, Proof, Session, SessionId, SignIn,
    Spent, back_off, counts_on,
};
use remit_app::ports::People;
use remit_core::approval::Factor;
use remit_core::ids::{Digest, OperatorId};
use remit_evidence::webauthn::PublicKey;
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::columns::{amount, digest, int, malformed, micros, time};
use crate::failure::Failure;
use crate::records;
use crate::store::SqliteStore;

#[async_trait]
impl People for SqliteStore {
    async fn account(&self, operator: &OperatorId) -> Result<Option<Account>, Unavailable> {
        self.read(|db| account(db, operator)).await
    }

    async fn accounts(&self) -> Result<Vec<Account>, Unavailable> {
        self.read(|db| {
            let mut statement = db.prepare_cached("SELECT operator FROM accounts ORDER BY operator")?;
            let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            let accounts = names.iter().map(|name| account(db, &OperatorId::parse(name)?));
            Ok(accounts.collect::<Result<Vec<_>, Failure>>()?.into_iter().flatten().collect())
        })
        .await
    }

    async fn passkey(&self, id: &[u8]) -> Result<Option<(OperatorId, Passkey)>, Unavailable> {
        self.read(|db| passkey(db, id)).await
    }

    async fn whose_login(&self, login: &Login) -> Result<Option<OperatorId>, Unavailable> {
        self.read(|db| whose_login(db, login)).await
    }

    async fn invitation(&self, token: &Digest) -> Result<Option<Invitation>, Unavailable> {
        self.read(|db| invitation(db, token)).await
    }

    async fn change_account(
        &self,
        operator: &OperatorId,
        change: AccountChange,
        now: Timestamp,
        record: SignedRecord,
    ) -> Result<(), CommitError> {
        let operator = operator.clone();
        let deed = move |desk: &crate::writer::Desk<'_>| {
            self::change(desk.db, &operator, &change, now)?;
            records::append(desk.db, &record).map(drop)
        };
        Ok(self.write(deed).await?)
    }

    async fn attempt(&self, operator: &OperatorId, now: Timestamp) -> Result<Option<Timestamp>, Unavailable> {
        let operator = operator.clone();
        Ok(self.write(move |desk| attempt(desk.db, &operator, now)).await?)
    }

    async fn sign_in(&self, sign_in: SignIn) -> Result<(), CommitError> {
        Ok(self.write(move |desk| self::sign_in(desk.db, &sign_in)).await?)
    }

    async fn use_passkey(&self, id: &[u8], sign_count: u32, now: Timestamp) -> Result<(), CommitError> {
        let id = id.to_vec();
        Ok(self.write(move |desk| used(desk.db, &id, None, sign_count, now)).await?)
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Unavailable> {
        self.read(|db| {
            let mut statement = db.prepare_cached(&format!("SELECT {SESSION} FROM sessions WHERE id = ?1"))?;
            let mut rows = statement.query([id.0.as_bytes()])?;
            rows.next()?.map(session).transpose()
        })
        .await
    }

    async fn sessions(&self, operator: &OperatorId) -> Result<Vec<Session>, Unavailable> {
        self.read(|db| {
            let sql = format!("SELECT {SESSION} FROM sessions WHERE operator = ?1 ORDER BY created_at DESC, id");
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query([operator.as_str()])?;
            let mut list = Vec::new();
            while let Some(row) = rows.next()? {
                list.push(session(row)?);
            }
            Ok(list)
        })
        .await
    }

    async fn touch_session(&self, id: &SessionId, now: Timestamp) -> Result<(), Unavailable> {
        let id = *id;
        let deed = move |desk: &crate::writer::Desk<'_>| {
            let sql = "UPDATE sessions SET seen_at = max(seen_at, ?2) WHERE id = ?1";
            desk.db.prepare_cached(sql)?.execute(params![id.0.as_bytes(), micros(now)])?;
            Ok(())
        };
        Ok(self.write(deed).await?)
    }

    async fn end_session(&self, id: &SessionId) -> Result<bool, Unavailable> {
        let id = *id;
        let deed = move |desk: &crate::writer::Desk<'_>| {
            Ok(desk.db.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([id.0.as_bytes()])? > 0)
        };
        Ok(self.write(deed).await?)
    }
}

const PASSKEY: &str = "id, key, label, sign_count, added_at, used_at";
const SESSION: &str = "id, operator, factor, created_at, seen_at, expires_at, device, proved_at";

fn account(db: &Connection, operator: &OperatorId) -> Result<Option<Account>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT password, totp, step, failures, not_before, signed_in_at FROM accounts WHERE operator = ?1",
    )?;
    let mut rows = statement.query([operator.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let password = match (row.get(0)?, row.get(1)?) {
        (Some(phc), Some(totp)) => Some(Password { phc, totp, step: amount(row.get(2)?) }),
        _ => None,
    };
    let moment = |at: Option<i64>| at.map(time).transpose();
    let sql = format!("SELECT {PASSKEY} FROM passkeys WHERE operator = ?1 ORDER BY added_at, id");
    let mut theirs = db.prepare_cached(&sql)?;
    let mut keys = theirs.query([operator.as_str()])?;
    let mut passkeys = Vec::new();
    while let Some(key) = keys.next()? {
        passkeys.push(passkey_of(key)?);
    }
    Ok(Some(Account {
        operator: operator.clone(),
        password,
        passkeys,
        login: login(db, operator)?,
        failures: u32::try_from(amount(row.get(3)?)).unwrap_or(u32::MAX),
        not_before: moment(row.get(4)?)?,
        signed_in_at: moment(row.get(5)?)?,
    }))
}

fn passkey_of(row: &Row<'_>) -> Result<Passkey, Failure> {
    let key: String = row.get(1)?;
    Ok(Passkey {
        id: row.get(0)?,
        key: PublicKey::parse(&key).map_err(|error| malformed("passkey", error.0))?,
        label: row.get(2)?,
        sign_count: row.get(3)?,
        added_at: time(row.get(4)?)?,
        used_at: row.get::<_, Option<i64>>(5)?.map(time).transpose()?,
    })
}

fn passkey(db: &Connection, id: &[u8]) -> Result<Option<(OperatorId, Passkey)>, Failure> {
    let mut statement = db.prepare_cached(&format!("SELECT {PASSKEY}, operator FROM passkeys WHERE id = ?1"))?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let owner: String = row.get(6)?;
    Ok(Some((OperatorId::parse(&owner)?, passkey_of(row)?)))
}

fn login(db: &Connection, operator: &OperatorId) -> Result<Option<Login>, Failure> {
    let sql = "SELECT issuer, subject FROM logins WHERE operator = ?1";
    let read = |row: &Row<'_>| Ok(Login { issuer: row.get(0)?, subject: row.get(1)? });
    Ok(db.prepare_cached(sql)?.query_row([operator.as_str()], read).optional()?)
}

fn whose_login(db: &Connection, login: &Login) -> Result<Option<OperatorId>, Failure> {
    let sql = "SELECT operator FROM logins WHERE issuer = ?1 AND subject = ?2";
    let whose = db.prepare_cached(sql)?.query_row([&login.issuer, &login.subject], |row| row.get::<_, String>(0));
    Ok(whose.optional()?.map(|operator| OperatorId::parse(&operator)).transpose()?)
}

/// Makes it theirs, in the place of an earlier one.
fn set_login(db: &Connection, operator: &OperatorId, login: &Login) -> Result<(), Failure> {
    if whose_login(db, login)?.is_some_and(|owner| owner != *operator) {
        return Err(Failure::Conflict("login"));
    }
    db.prepare_cached("DELETE FROM logins WHERE operator = ?1")?.execute([operator.as_str()])?;
    let sql = "INSERT INTO logins (issuer, subject, operator) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute([&login.issuer, &login.subject, operator.as_str()])?;
    Ok(())
}

fn invitation(db: &Connection, token: &Digest) -> Result<Option<Invitation>, Failure> {
    let sql = "SELECT operator, made_by, expires_at FROM invitations WHERE token = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([token.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (operator, by): (String, String) = (row.get(0)?, row.get(1)?);
    let (operator, by) = (OperatorId::parse(&operator)?, OperatorId::parse(&by)?);
    Ok(Some(Invitation { token: *token, operator, by, expires_at: time(row.get(2)?)? }))
}

fn session(row: &Row<'_>) -> Result<Session, Failure> {
    let (operator, factor): (String, String) = (row.get(1)?, row.get(2)?);
    Ok(Session {
        id: SessionId(digest(row.get(0)?)?),
        operator: OperatorId::parse(&operator)?,
        factor: Factor::parse(&factor).ok_or_else(|| malformed("factor", "unknown"))?,
        created_at: time(row.get(3)?)?,
        seen_at: time(row.get(4)?)?,
        expires_at: time(row.get(5)?)?,
        device: row.get(6)?,
        proved_at: row.get::<_, Option<i64>>(7)?.map(time).transpose()?,
    })
}

/// Any refusal undoes the whole deed, so changes may come before the last check.
fn change(db: &Connection, operator: &OperatorId, change: &AccountChange, now: Timestamp) -> Result<(), Failure> {
    let name = operator.as_str();
    match change {
        AccountChange::Invited(invitation) => {
            forget(db, name)?;
            db.prepare_cached("INSERT INTO accounts (operator) VALUES (?1)")?.execute([name])?;
            db.prepare_cached(
                "INSERT INTO invitations (token, operator, made_by, expires_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                invitation.token.as_bytes(),
                name,
                invitation.by.as_str(),
                micros(invitation.expires_at)
            ])?;
            Ok(())
        }
        AccountChange::PasswordSet { password, invitation, keeps } => {
            take_invitation(db, name, invitation.as_ref(), now)?;
            let changed = db
                .prepare_cached(
                    "UPDATE accounts SET password = ?2, totp = ?3, step = ?4, failures = 0, not_before = NULL
                     WHERE operator = ?1",
                )?
                .execute(params![name, password.phc, password.totp, int(password.step)])?;
            if changed == 0 {
                return Err(Failure::Conflict("account"));
            }
            end_others(db, name, keeps.as_ref())
        }
        AccountChange::PasskeyAdded { passkey: added, invitation, spent } => {
            take_invitation(db, name, invitation.as_ref(), now)?;
            spend(db, spent, now)?;
            let theirs = account(db, operator)?.ok_or(Failure::Conflict("account"))?;
            if theirs.passkeys.len() >= PASSKEYS_MAX || passkey(db, &added.id)?.is_some() {
                return Err(Failure::Conflict("passkey"));
            }
            db.prepare_cached(
                "INSERT INTO passkeys (id, operator, key, label, sign_count, added_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                added.id,
                name,
                added.key.to_string(),
                added.label,
                added.sign_count,
                micros(added.added_at)
            ])?;
            Ok(())
        }
        AccountChange::LoginGiven(login) => {
            forget(db, name)?;
            db.prepare_cached("INSERT INTO accounts (operator) VALUES (?1)")?.execute([name])?;
            set_login(db, operator, login)
        }
        AccountChange::LoginAdded { login, invitation, spent, keeps } => {
            take_invitation(db, name, invitation.as_ref(), now)?;
            spend(db, spent, now)?;
            let theirs = account(db, operator)?.ok_or(Failure::Conflict("account"))?;
            set_login(db, operator, login)?;
            match theirs.login {
                Some(before) if before != *login => end_others(db, name, keeps.as_ref()),
                _ => Ok(()),
            }
        }
        AccountChange::LoginRemoved { keeps } => {
            if db.prepare_cached("DELETE FROM logins WHERE operator = ?1")?.execute([name])? == 0 {
                return Err(Failure::Conflict("login"));
            }
            end_others(db, name, keeps.as_ref())
        }
        AccountChange::PasskeyRemoved { id, keeps } => {
            let sql = "DELETE FROM passkeys WHERE id = ?1 AND operator = ?2";
            if db.prepare_cached(sql)?.execute(params![id, name])? == 0 {
                return Err(Failure::Conflict("passkey"));
            }
            end_others(db, name, keeps.as_ref())
        }
        AccountChange::SignedOut { keeps } => end_others(db, name, keeps.as_ref()),
    }
}

/// Everything that is held of how somebody signs in goes.
pub(crate) fn forget(db: &Connection, name: &str) -> Result<(), Failure> {
    for table in ["sessions", "passkeys", "logins", "invitations", "accounts"] {
        db.prepare_cached(&format!("DELETE FROM {table} WHERE operator = ?1"))?.execute([name])?;
    }
    Ok(())
}

fn end_others(db: &Connection, name: &str, keeps: Option<&SessionId>) -> Result<(), Failure> {
    let keeps = keeps.map(|id| id.0.as_bytes().to_vec());
    let sql = "DELETE FROM sessions WHERE operator = ?1 AND (?2 IS NULL OR id <> ?2)";
    db.prepare_cached(sql)?.execute(params![name, keeps])?;
    Ok(())
}

fn take_invitation(db: &Connection, name: &str, token: Option<&Digest>, now: Timestamp) -> Result<(), Failure> {
    let Some(token) = token else { return Ok(()) };
    let taken = db
        .prepare_cached("DELETE FROM invitations WHERE token = ?1 AND operator = ?2 AND expires_at > ?3")?
        .execute(params![token.as_bytes(), name, micros(now)])?;
    if taken == 0 { Err(Failure::Conflict("invitation")) } else { Ok(()) }
}

fn spend(db: &Connection, spent: &Spent, now: Timestamp) -> Result<(), Failure> {
    db.prepare_cached("DELETE FROM challenges WHERE until <= ?1")?.execute([micros(now)])?;
    let new = db
        .prepare_cached("INSERT INTO challenges (digest, until) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![spent.challenge.as_bytes(), micros(spent.until)])?;
    if new == 0 { Err(Failure::Conflict("challenge")) } else { Ok(()) }
}

fn attempt(db: &Connection, operator: &OperatorId, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let sql = "SELECT failures, not_before FROM accounts WHERE operator = ?1";
    let row = db
        .prepare_cached(sql)?
        .query_row([operator.as_str()], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, Option<i64>>(1)?)));
    let Some((failures, not_before)) = row.optional()? else { return Ok(None) };
    let not_before = not_before.map(time).transpose()?;
    if let Some(until) = not_before.filter(|until| *until > now) {
        return Ok(Some(until));
    }
    let failures = failures.saturating_add(1);
    let until = now.checked_add(back_off(failures)).unwrap_or(now);
    db.prepare_cached("UPDATE accounts SET failures = ?2, not_before = ?3 WHERE operator = ?1")?.execute(params![
        operator.as_str(),
        failures,
        (until > now).then(|| micros(until))
    ])?;
    Ok(None)
}

fn used(
    db: &Connection,
    id: &[u8],
    owner: Option<&OperatorId>,
    sign_count: u32,
    now: Timestamp,
) -> Result<(), Failure> {
    let known = passkey(db, id)?.filter(|(known, _)| owner.is_none_or(|owner| owner == known));
    let (_, passkey) = known.ok_or(Failure::Conflict("passkey"))?;
    if !counts_on(passkey.sign_count, sign_count) {
        return Err(Failure::Conflict("passkey"));
    }
    db.prepare_cached("UPDATE passkeys SET sign_count = ?2, used_at = ?3 WHERE id = ?1")?.execute(params![
        id,
        sign_count,
        micros(now)
    ])?;
    Ok(())
}

fn came_in(db: &Connection, name: &str, now: Timestamp) -> Result<(), Failure> {
    let sql = "UPDATE accounts SET signed_in_at = ?2 WHERE operator = ?1";
    db.prepare_cached(sql)?.execute(params![name, micros(now)])?;
    Ok(())
}

fn sign_in(db: &Connection, sign_in: &SignIn) -> Result<(), Failure> {
    let SignIn { session, proof, replaces } = sign_in;
    let (name, now) = (session.operator.as_str(), session.created_at);
    match proof {
        Proof::Password { step } => {
            let theirs = account(db, &session.operator)?.and_then(|account| account.password);
            let theirs = theirs.ok_or(Failure::Conflict("account"))?;
            if theirs.step >= *step {
                return Err(Failure::Conflict("code"));
            }
            db.prepare_cached(
                "UPDATE accounts SET step = ?2, failures = 0, not_before = NULL, signed_in_at = ?3 WHERE operator = ?1",
            )?
            .execute(params![name, int(*step), micros(now)])?;
        }
        Proof::Passkey { id, sign_count, spent } => {
            spend(db, spent, now)?;
            used(db, id, Some(&session.operator), *sign_count, now)?;
            came_in(db, name, now)?;
        }
        Proof::Login { login, spent } => {
            spend(db, spent, now)?;
            if whose_login(db, login)?.as_ref() != Some(&session.operator) {
                return Err(Failure::Conflict("login"));
            }
            came_in(db, name, now)?;
        }
        Proof::Handed { by, spent } => {
            spend(db, spent, now)?;
            let sql = "SELECT 1 FROM sessions WHERE id = ?1 AND operator = ?2 AND expires_at > ?3";
            if !db.prepare_cached(sql)?.exists(params![by.0.as_bytes(), name, micros(now)])? {
                return Err(Failure::Conflict("session"));
            }
            came_in(db, name, now)?;
        }
    }
    db.prepare_cached("DELETE FROM sessions WHERE expires_at <= ?1")?.execute([micros(now)])?;
    if let Some(replaced) = replaces {
        db.prepare_cached("DELETE FROM sessions WHERE id = ?1 AND operator = ?2")?
            .execute(params![replaced.0.as_bytes(), name])?;
    }
    db.prepare_cached(&format!("INSERT INTO sessions ({SESSION}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"))?.execute(
        params![
            session.id.0.as_bytes(),
            name,
            session.factor.as_str(),
            micros(session.created_at),
            micros(session.seen_at),
            micros(session.expires_at),
            session.device,
            session.proved_at.map(micros)
        ],
    )?;
    Ok(())
}
