//! Admissions, the votes they rest on, and what is no such vote.

use super::*;

/// All of them.
pub(super) fn all() -> Vec<Case> {
    [votes(), signed_votes(), quorums()].concat()
}

/// Admissions and the votes they rest on.
fn votes() -> Vec<Case> {
    use Verdict::{Indeterminate, Invalid, Valid};
    let linked =
        forged(ADMITTED, |records| resting_on(&pen(), 5, "allow-approved", "shop/refund", &[&records[APPROVAL]]));
    let other =
        forged(ADMITTED, |records| resting_on(&pen(), 5, "allow-approved", "shop/delete", &[&records[APPROVAL]]));
    let unlinked = forged(ADMITTED, |_| decision(&pen(), 5, "allow-approved", "shop/refund"));
    let expired = forged(APPROVAL, |records| {
        let mut said = passkeys::statement("q_1", "approve");
        said["expires"] = "2026-11-21T09:00:00.000Z".into();
        passkeys::vote(&pen(), 4, &records[ASKED], &said, None)
    });
    let which = [KEY, ASKED, APPROVAL, ADMITTED];
    vec![
        case("approval_linked", &linked.bundle(&which).to_json(), Valid, None),
        case("approval_linked_missing", &linked.bundle(&[KEY, ADMITTED]).to_json(), Indeterminate, Step::Story),
        case("approval_linked_of_another_call", &other.bundle(&which).to_json(), Invalid, Step::Story),
        case("approval_not_linked", &unlinked.bundle(&which).to_json(), Invalid, Step::Story),
        case("approval_expired", &expired.bundle(&which).to_json(), Invalid, Step::Story),
    ]
}

/// Votes that a passkey signed, and what is no such vote.
fn signed_votes() -> Vec<Case> {
    use Verdict::{Indeterminate, Invalid, Valid};
    const VERIFIED: u8 = 0x05;
    let (grace, mallory) = (passkeys::es256(21), passkeys::ed25519(22));
    let which = [KEY, ASKED, APPROVAL, ADMITTED];
    let pinned = |trust: &mut Value| trust["approvers"] = json!([{"id": "grace", "key": passkeys::es256(21).public()}]);
    let said = passkeys::statement("q_1", "approve");
    let good = grace.answer(&said, VERIFIED);
    let vote = |statement: &Value, answer: Option<&Value>| {
        forged(APPROVAL, |records| passkeys::vote(&pen(), 4, &records[ASKED], statement, answer)).bundle(&which)
    };
    let with = |name: &str, value: Value, answer: &Value| {
        let mut other = passkeys::statement("q_1", "approve");
        other[name] = value;
        vote(&other, Some(answer)).to_json()
    };
    let by = |key: &str| {
        let mut answer = good.clone();
        answer["key"] = key.into();
        vote(&said, Some(&answer)).to_json()
    };
    let other = Digest::of(b"other").to_string();
    // The record says another thing than what was signed.
    let swapped = |from: &str, to: &str| {
        let log = forged(APPROVAL, |records| {
            let denied = passkeys::statement("q_1", if from.contains("deny") { "deny" } else { "approve" });
            let answer = passkeys::es256(21).answer(&denied, VERIFIED);
            rewritten(&passkeys::vote(&pen(), 4, &records[ASKED], &denied, Some(&answer)), 2, from, to)
        });
        log.bundle(&which).to_json()
    };
    let mut dressed = passkeys::vote(&pen(), 4, &history()[ASKED], &said, None);
    dressed = rewritten(&dressed, 2, "operator_attested", "passkey");
    let dressed = forged(APPROVAL, |_| dressed);
    let undressed = forged(APPROVAL, |records| {
        let signed = passkeys::vote(&pen(), 4, &records[ASKED], &said, Some(&good));
        rewritten(&signed, 2, "\"assurance\":\"passkey\"", "\"assurance\":\"operator_attested\"")
    });
    let twice = forged(10, |records| passkeys::vote(&pen(), 10, &records[ASKED], &said, Some(&good)));
    let mut records = twice.records;
    records[APPROVAL] = passkeys::vote(&writer_at(200), 4, &records[ASKED], &said, Some(&good));
    let twice = relinked(records);
    let announced = |key: &passkeys::Passkey, answer: &Value| {
        let mut records = history();
        records[1] = passkeys::announced(&writer_at(300), 1, key);
        records[APPROVAL] = passkeys::vote(&pen(), 4, &records[ASKED], &said, Some(answer));
        relinked(records).bundle(&[KEY, 1, ASKED, APPROVAL, ADMITTED]).to_json()
    };
    // What records say became of Grace's key, by their places.
    let became = |events: &[(usize, &str)]| {
        let mut records = history();
        for (at, event) in events {
            let seq = 300 + *at as u64;
            records[*at] = passkeys::told(&writer_at(seq), u8::try_from(*at).expect("small"), event, &grace);
        }
        records[APPROVAL] = passkeys::vote(&pen(), 4, &records[ASKED], &said, Some(&good));
        let which = [vec![KEY, ASKED, APPROVAL, ADMITTED], events.iter().map(|(at, _)| *at).collect()].concat();
        relinked(records).bundle(&which).to_json()
    };
    let for_run = |bounds: &str| {
        let mut said = passkeys::statement("q_1", "approve");
        said["bounds"] = bounds.into();
        said
    };
    let bounded = |bounds: &str| vote(&for_run(bounds), Some(&grace.answer(&for_run(bounds), VERIFIED)));
    let somebody =
        |trust: &mut Value| trust["approvers"] = json!([{"id": "alan", "key": passkeys::es256(21).public()}]);
    let story = Step::Story;
    vec![
        case("vote_attested", &vote(&said, None).to_json(), Valid, None),
        case("vote_signed", &vote(&said, Some(&good)).to_json(), Valid, None).under(pinned),
        case("vote_for_a_run", &bounded("2 calls").to_json(), Valid, None).under(pinned),
        case(
            "vote_for_a_longer_run",
            &forged(APPROVAL, |records| {
                let said = for_run("2 calls");
                let vote = passkeys::vote(&pen(), 4, &records[ASKED], &said, Some(&grace.answer(&said, VERIFIED)));
                rewritten(&vote, 2, "\"bounds\":\"2 calls\",\"choice\"", "\"bounds\":\"9 calls\",\"choice\"")
            })
            .bundle(&which)
            .to_json(),
            Invalid,
            story,
        )
        .under(pinned),
        case("vote_signed_by_an_announced_key", &announced(&mallory, &mallory.answer(&said, VERIFIED)), Valid, None),
        case("vote_by_a_removed_key", &became(&[(1, "passkey_removed")]), Invalid, story).under(pinned),
        case(
            "vote_by_an_announced_key_that_was_removed",
            &became(&[(1, "passkey_added"), (2, "passkey_removed")]),
            Invalid,
            story,
        ),
        case("vote_by_a_key_that_an_invitation_took", &became(&[(1, "invited")]), Invalid, story).under(pinned),
        case("vote_by_a_key_that_a_login_took_the_place_of", &became(&[(1, "login_given")]), Invalid, story)
            .under(pinned),
        case("vote_by_a_key_that_went_with_its_person", &became(&[(1, "person_removed")]), Invalid, story)
            .under(pinned),
        case("vote_before_its_key_was_removed", &became(&[(1, "passkey_added"), (10, "passkey_removed")]), Valid, None),
        case("vote_by_a_person_who_came_back", &became(&[(1, "person_removed"), (2, "person_returned")]), Valid, None),
        case("vote_after_signing_out", &became(&[(1, "passkey_added"), (2, "signed_out")]), Valid, None),
        case("vote_by_a_key_that_came_back", &became(&[(1, "passkey_removed"), (2, "passkey_added")]), Valid, None),
        case("vote_before_its_key_was_announced", &became(&[(10, "passkey_added")]), Indeterminate, story),
        case("vote_signed_by_an_unknown_key", &vote(&said, Some(&good)).to_json(), Indeterminate, story),
        case("vote_of_another_person", &vote(&said, Some(&good)).to_json(), Invalid, story).under(somebody),
        case("vote_on_something_else_shown", &with("shown", other.clone().into(), &good), Invalid, story).under(pinned),
        case("vote_under_another_rule", &with("definition", other.into(), &good), Invalid, story).under(pinned),
        case("vote_replayed_on_another_question", &with("question", "q_2".into(), &good), Invalid, story).under(pinned),
        case("vote_with_more_members", &with("also", "x".into(), &good), Invalid, story).under(pinned),
        case("vote_under_another_key", &by(&mallory.public()), Invalid, story).under(pinned),
        case("vote_under_no_key", &by("es256:AAAA"), Invalid, story).under(pinned),
        case(
            "vote_swapped",
            &swapped("\"choice\":\"deny\",\"expires\"", "\"choice\":\"approve\",\"expires\""),
            Invalid,
            story,
        )
        .under(pinned),
        case(
            "vote_moved",
            &swapped("\"question\":\"q_1\",\"record_id\"", "\"question\":\"q_2\",\"record_id\""),
            Invalid,
            story,
        )
        .under(pinned),
        case("vote_unverified", &vote(&said, Some(&grace.answer(&said, 0x01))).to_json(), Invalid, story).under(pinned),
        case("vote_dressed_as_signed", &dressed.bundle(&which).to_json(), Invalid, story).under(pinned),
        case("vote_undressed", &undressed.bundle(&which).to_json(), Invalid, story).under(pinned),
        case("vote_written_down_twice", &twice.bundle(&[KEY, ASKED, APPROVAL, 10]).to_json(), Invalid, story)
            .under(pinned),
    ]
}

/// Calls that take two people.
fn quorums() -> Vec<Case> {
    use Verdict::{Indeterminate, Invalid, Valid};
    const ALL: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
    let story = Step::Story;
    let judged = |name, ballots: &[quorums::Ballot<'_>], linked: usize, expect, by: Option<Step>| {
        let log = Log::of(quorums::records(ballots, linked));
        case(name, &log.bundle(&ALL[..log.size()]).to_json(), expect, by)
    };
    let ballot = |who, people| quorums::Ballot { who, people, choice: "approve", key: None };
    let (grace, ada) = (ballot("grace", &["operator grace"]), ballot("ada", &["operator ada"]));
    let alias = ballot("gracie", &["operator gracie", "user grace"]);
    let known = ballot("grace", &["operator grace", "user grace"]);
    let lent = ballot("alan", &["operator alan", "operator grace"]);
    let denied = quorums::Ballot { choice: "deny", ..ballot("alan", &["operator alan"]) };
    let (one, two) = (passkeys::es256(21), passkeys::ed25519(22));
    let signed = |who, people, key| quorums::Ballot { key: Some(key), ..ballot(who, people) };
    let keys = |trust: &mut Value| {
        trust["approvers"] = json!([
            {"id": "grace", "key": passkeys::es256(21).public()}, {"id": "ada", "key": passkeys::ed25519(22).public()}
        ]);
    };
    let (by_grace, by_ada) = (signed("grace", &["operator grace"], &one), signed("ada", &["operator ada"], &two));
    // Both are said to be of other people, and one key has signed them.
    let same = |trust: &mut Value| trust["approvers"] = json!([]);
    let mut announced = quorums::records(&[by_grace, signed("ada", &["operator ada"], &one)], 2);
    announced.insert(1, passkeys::announced(&writer_at(300), 9, &one));
    let announced = Log::of(announced).bundle(&[0, 1, 2, 3, 4, 5]);
    let mut without = Log::of(quorums::records(&[grace, ada], 2)).bundle(&ALL[..5]);
    without.claims.remove(2);
    vec![
        judged("quorum_of_two", &[grace, ada], 2, Valid, None),
        judged("quorum_of_two_signed", &[by_grace, by_ada], 2, Valid, None).under(keys),
        judged("quorum_of_two_signed_and_attested", &[by_grace, ada], 2, Valid, None).under(keys),
        judged("quorum_of_one_too_few", &[grace], 1, Invalid, Some(story)),
        judged("quorum_that_names_one_of_two", &[grace, ada], 1, Invalid, Some(story)),
        judged("quorum_by_one_person_twice", &[grace, ballot("ada", &["operator grace"])], 2, Invalid, Some(story)),
        judged("quorum_by_one_name_twice", &[grace, ballot("grace", &["operator ada"])], 2, Invalid, Some(story)),
        judged("quorum_by_one_user_under_two_names", &[known, alias], 2, Invalid, Some(story)),
        judged("quorum_by_somebody_and_who_stands_in", &[grace, lent], 2, Invalid, Some(story)),
        judged("quorum_over_a_denial", &[grace, ada, denied], 2, Invalid, Some(story)),
        case("quorum_by_one_key_twice", &announced.to_json(), Invalid, story).under(same),
        case("quorum_with_a_vote_withheld", &without.to_json(), Indeterminate, story),
        case("quorum_unstated", &Log::of(quorums::unstated(&[grace, ada])).bundle(&ALL[..5]).to_json(), Invalid, story),
        case("quorum_later", &Log::of(quorums::late(&[grace, ada])).bundle(&ALL[..5]).to_json(), Invalid, story),
    ]
}
