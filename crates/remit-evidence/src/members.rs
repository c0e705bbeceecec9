//! Objects read strictly: each has the members it may have and no others, each of the type it must
//! have. Owns no format; the documents that are read with it say what they hold.

use remit_core::ids::Digest;
use serde_json::{Map, Value};

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// The members of one object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Members<'v> {
    what: &'v str,
    map: &'v Map<String, Value>,
}

type Read<T> = Result<T, Malformed>;

impl<'v> Members<'v> {
    /// The members of this value, which may have these names only.
    pub(crate) fn of(what: &'v str, value: &'v Value, names: &[&str]) -> Read<Self> {
        let map = value.as_object().ok_or_else(|| Malformed(format!("{what} is no object")))?;
        match map.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(Malformed(format!("{what} has the unknown member `{}`", name.escape_default()))),
            None => Ok(Self { what, map }),
        }
    }

    /// The members of a record's predicate: kinds and versions add their own.
    pub(crate) fn any(what: &'v str, value: &'v Value) -> Read<Self> {
        let map = value.as_object().ok_or_else(|| Malformed(format!("{what} is no object")))?;
        Ok(Self { what, map })
    }

    pub(crate) fn wrong(&self, name: &str) -> Malformed {
        Malformed(format!("`{name}` of {} is missing or malformed", self.what))
    }

    pub(crate) fn value(&self, name: &str) -> Option<&'v Value> {
        self.map.get(name)
    }

    /// A member that may be missing, but not malformed.
    pub(crate) fn maybe<T>(&self, name: &str, read: impl FnOnce(&'v Value) -> Option<T>) -> Read<Option<T>> {
        self.value(name).map(|value| read(value).ok_or_else(|| self.wrong(name))).transpose()
    }

    pub(crate) fn member<T>(&self, name: &str, read: impl FnOnce(&'v Value) -> Option<T>) -> Read<T> {
        self.maybe(name, read)?.ok_or_else(|| self.wrong(name))
    }

    pub(crate) fn text(&self, name: &str) -> Read<&'v str> {
        self.member(name, Value::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Read<u64> {
        self.member(name, whole)
    }

    pub(crate) fn digest(&self, name: &str) -> Read<Digest> {
        self.member(name, digest)
    }

    /// A list; one that is missing is empty.
    pub(crate) fn list(&self, name: &str) -> Read<&'v [Value]> {
        Ok(self.maybe(name, |value| value.as_array().map(Vec::as_slice))?.unwrap_or_default())
    }
}

/// A whole number that every reader of JSON holds exactly.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    value.as_u64().filter(|number| *number < 1 << 53)
}

/// A digest, or another 32 bytes, in lower-case hex.
pub(crate) fn digest(value: &Value) -> Option<Digest> {
    value.as_str().and_then(Digest::from_hex)
}
