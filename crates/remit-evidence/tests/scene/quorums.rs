//! A call that takes two people, and the votes on it.

use super::passkeys::{Passkey, definition, statement_of, vote_of};
use super::records::{rewritten, taking};
use super::*;

/// One vote: who is disclosed, whom the gateway commits to, and the key that signs, if one does.
#[derive(Clone, Copy)]
pub struct Ballot<'a> {
    pub who: &'a str,
    pub people: &'a [&'a str],
    pub choice: &'a str,
    pub key: Option<&'a Passkey>,
}

/// The delegation, what was asked, the votes, and the call that was admitted with the first `linked` of them.
pub fn records(ballots: &[Ballot<'_>], linked: usize) -> Vec<SignedRecord> {
    let (root, pen) = (writer(1, "acme"), writer(2, "acme"));
    let key = record(&root, 0, Kind::Key, Vec::new(), |body| {
        body.text("delegate", &hex(pen.public_key())).text("software", "remit/0.1.0");
    });
    let asked = taking(&pen, 1, ("ask", 2), "shop/refund", &[]);
    let vote = |at: u8, ballot: &Ballot<'_>| {
        let said = statement_of(ballot.who, "q_1", ballot.choice);
        let answer = ballot.key.map(|key| key.answer(&said, 0x05));
        vote_of((ballot.who, ballot.people), (&pen, at), &asked, &said, answer.as_ref())
    };
    let votes: Vec<SignedRecord> = (2..).zip(ballots).map(|(at, ballot)| vote(at, ballot)).collect();
    let named: Vec<&SignedRecord> = votes.iter().take(linked).collect();
    let admitted = taking(&pen, 30, ("allow-approved", 2), "shop/refund", &named);
    [vec![key, asked], votes, vec![admitted]].concat()
}

/// The same, but that the decision does not say how many people it takes.
pub fn unstated(ballots: &[Ballot<'_>]) -> Vec<SignedRecord> {
    let mut records = records(ballots, ballots.len());
    let last = records.len() - 1;
    let rules = format!("\"rules\":[{{\"definition\":\"{}\"", definition());
    records[last] = rewritten(&records[last], 2, &rules, &rules.replace("rules", "rolls"));
    records
}

/// The same, but that the last vote was logged after the call.
pub fn late(ballots: &[Ballot<'_>]) -> Vec<SignedRecord> {
    let mut records = records(ballots, ballots.len());
    let last = records.len() - 1;
    records.swap(last - 1, last);
    records
}
