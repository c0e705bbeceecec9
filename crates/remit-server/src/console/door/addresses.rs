//! How often somebody may try to come in from one address. Beside the bound for each person: that one does not hold back
//! whoever tries one password on everybody.
//!
//! An address is that of the connection. Behind a proxy it is the proxy's, for all together; what a header says about it
//! anybody can write.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

/// Most failed attempts from one address within a window.
const FAILURES_MAX: u32 = 50;
/// How long a window is.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Most addresses remembered; further ones push out those that tried longest ago.
const KNOWN_MAX: usize = 10_000;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer(pub IpAddr);

/// What is remembered of failed attempts, until the next start.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Mutex<HashMap<IpAddr, (Timestamp, u32)>>);

impl Peer {
    /// What counts as one address: of IPv6 the network that one customer has.
    fn network(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
            v4 @ IpAddr::V4(_) => v4,
        }
    }
}

impl Addresses {
    /// Whether an attempt from here is looked at. It counts as failed until [`Addresses::came_in`] takes it back, so that
    /// many at once are many.
    pub(crate) fn may_try(&self, peer: Peer, now: Timestamp) -> bool {
        let Ok(mut known) = self.0.lock() else { return false };
        let network = peer.network();
        if known.len() >= KNOWN_MAX && !known.contains_key(&network) {
            known.retain(|_, (since, _)| since.duration_until(now) < WINDOW);
            if known.len() >= KNOWN_MAX {
                let oldest = known.iter().min_by_key(|(_, (since, _))| *since).map(|(network, _)| *network);
                oldest.map(|network| known.remove(&network));
            }
        }
        let (since, failures) = known.entry(network).or_insert((now, 0));
        if since.duration_until(now) >= WINDOW {
            (*since, *failures) = (now, 0);
        }
        *failures = failures.saturating_add(1);
        *failures <= FAILURES_MAX
    }

    /// Somebody came in from here: that attempt was none that failed.
    pub(crate) fn came_in(&self, peer: Peer) {
        if let Ok(mut known) = self.0.lock()
            && let Some((_, failures)) = known.get_mut(&peer.network())
        {
            *failures = failures.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + secs).expect("time")
    }

    fn peer(text: &str) -> Peer {
        Peer(text.parse().expect("an address"))
    }

    #[test]
    fn one_password_tried_on_everybody_ends_and_others_come_in() {
        let addresses = Addresses::default();
        let (them, us) = (peer("203.0.113.7"), peer("203.0.113.8"));
        assert!((0..FAILURES_MAX).all(|_| addresses.may_try(them, at(0))));
        assert!(!addresses.may_try(them, at(1)));
        assert!(!addresses.may_try(peer("::ffff:203.0.113.7"), at(1)), "the same one, written otherwise");
        for _ in 0..1_000 {
            assert!(addresses.may_try(us, at(1)), "whoever comes in is not held back");
            addresses.came_in(us);
        }
        assert!(addresses.may_try(them, at(600)), "after a while it is looked at again");
    }

    #[test]
    fn a_customer_of_many_addresses_is_one() {
        let addresses = Addresses::default();
        let each = |at: u32| peer(&format!("2001:db8:1:2::{at:x}"));
        assert!((0..FAILURES_MAX).all(|one| addresses.may_try(each(one), at(0))));
        assert!(!addresses.may_try(each(9_999), at(0)));
        assert!(addresses.may_try(peer("2001:db8:1:3::1"), at(0)));
    }

    #[test]
    fn many_addresses_are_forgotten_and_not_kept() {
        let addresses = Addresses::default();
        for one in 0..u32::try_from(KNOWN_MAX).expect("fits") + 100 {
            assert!(addresses.may_try(Peer(IpAddr::from(one.to_be_bytes())), at(i64::from(one) / 100)));
        }
        assert!(addresses.0.lock().expect("a lock").len() <= KNOWN_MAX);
    }
}
