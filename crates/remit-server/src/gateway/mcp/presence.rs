//! Presence: whether anybody still waits for an answer, and whether the client called a request off.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use remit_core::ids::Digest;
use serde_json::Value;
use tokio::sync::watch;

/// As long as this lives, somebody is there.
#[derive(Debug)]
pub(super) struct Stay {
    _sender: watch::Sender<()>,
}

/// Completes once the other half is dropped.
#[derive(Clone, Debug)]
pub(super) struct Gone(watch::Receiver<()>);

/// The two halves.
pub(super) fn presence() -> (Stay, Gone) {
    let (sender, receiver) = watch::channel(());
    (Stay { _sender: sender }, Gone(receiver))
}

impl Gone {
    /// Waits until nobody is there.
    pub async fn wait(mut self) {
        // Nothing is ever sent: the channel only ends.
        while self.0.changed().await.is_ok() {}
    }

    /// Whether nobody is there.
    pub fn is(&self) -> bool {
        self.0.has_changed().is_err()
    }
}

/// Requests under way that their client may call off by a notification, by session and id.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    next: u64,
    by_name: HashMap<(Digest, String), Vec<(u64, Stay)>>,
}

/// A request's place among those under way.
#[derive(Debug)]
pub(super) struct Place {
    name: (Digest, String),
    number: u64,
}

impl UnderWay {
    /// Enters a request. Two under the same id are two: only their client can mean both at once.
    pub fn enter(&self, session: Digest, id: &Value) -> (Place, Gone) {
        let (stay, gone) = presence();
        let name = (session, id.to_string());
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = entries.next;
        entries.next += 1;
        entries.by_name.entry(name.clone()).or_default().push((number, stay));
        (Place { name, number }, gone)
    }

    /// Strikes a finished request out.
    pub fn leave(&self, place: &Place) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = entries.by_name.get_mut(&place.name) {
            same.retain(|(number, _)| *number != place.number);
            if same.is_empty() {
                entries.by_name.remove(&place.name);
            }
        }
    }

    /// Calls off whatever is under way by this id.
    pub fn call_off(&self, session: Digest, id: &Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_name.remove(&(session, id.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_is_called_off_by_its_own_session_only() {
        let (one, other) = (Digest::of(b"1"), Digest::of(b"2"));
        let under_way = UnderWay::default();
        let (_, gone) = under_way.enter(one, &Value::from(1));
        let (place, finished) = under_way.enter(one, &Value::from(1));
        under_way.call_off(other, &Value::from(1));
        under_way.call_off(one, &Value::from("1"));
        // The end of one request is not the end of another that has the same id.
        under_way.leave(&place);
        assert_eq!((gone.is(), finished.is()), (false, true));
        under_way.call_off(one, &Value::from(1));
        assert!(gone.is());
        gone.wait().await;
        assert!(under_way.0.lock().expect("lock").by_name.is_empty());
    }
}
