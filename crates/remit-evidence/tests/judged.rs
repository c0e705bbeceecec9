//! What a bundle must be refused for. Each test is one sentence; most were mistakes of somebody's.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use proptest::prelude::*;
use remit_core::json;
use remit_evidence::bundle::Bundle;
use remit_evidence::judge::{Level, Outcome, Report, Step, Verdict, judge};
use remit_evidence::trust::Trust;
use scene::cases::{Case, all};
use serde_json::Value;

mod scene;

fn judged(case: &Case) -> Report {
    judge(&case.bundle, &Trust::parse(&case.trust).expect("trust"), &case.memory)
}

fn cases() -> &'static [Case] {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(all);
    &CASES
}

fn named(name: &str) -> Case {
    cases().iter().find(|case| case.name == name).expect("case").clone()
}

/// The case gets its verdict, and by the check that is meant.
fn check(case: &Case) {
    let report = judged(case);
    assert_eq!(report.verdict, case.expect, "{}: {:#?}", case.name, report.checks);
    let by = |step| report.checks.iter().any(|check| check.step == step && check.outcome != Outcome::Holds);
    assert!(case.by.is_none_or(by), "{}: {:#?}", case.name, report.checks);
}

#[test]
fn every_case_gets_its_verdict() {
    cases().iter().for_each(check);
}

#[test]
fn one_token_is_not_two_witnesses() {
    check(&named("witness_twice"));
    check(&named("witness_of_another_tree"));
}

#[test]
fn no_key_is_taken_from_inside_the_bundle() {
    check(&named("key_out_of_the_bundle"));
    check(&named("log_of_the_forger"));
    check(&named("unknown_root"));
}

#[test]
fn no_proof_is_checked_against_a_root_that_stands_beside_it() {
    check(&named("root_of_the_document"));
    check(&named("growth_of_another_log"));
}

#[test]
fn an_empty_path_or_a_tree_of_one_leaf_proves_no_place() {
    check(&named("empty_path"));
    check(&named("single_leaf"));
}

#[test]
fn a_signature_covers_all_fields_or_none() {
    check(&named("payload_changed"));
    check(&named("type_changed"));
    check(&named("member_added"));
    check(&named("line_outside_the_signature"));
}

#[test]
fn a_disclosure_belongs_to_its_own_record() {
    check(&named("disclosure_swapped"));
}

#[test]
fn a_receipt_is_of_its_own_decision_and_the_only_one() {
    check(&named("receipt_of_another_decision"));
    check(&named("two_receipts"));
    check(&named("receipt_without_decision"));
}

#[test]
fn the_records_of_a_call_name_one_call() {
    check(&named("approval_of_another_call"));
    check(&named("approval_that_covers_another_call"));
    check(&named("approval_linked_of_another_call"));
    check(&named("receipt_of_another_call"));
}

#[test]
fn a_quorum_is_of_different_people() {
    check(&named("quorum_by_one_person_twice"));
    check(&named("quorum_by_one_name_twice"));
    check(&named("quorum_by_one_user_under_two_names"));
    check(&named("quorum_by_one_key_twice"));
    check(&named("quorum_by_somebody_and_who_stands_in"));
    check(&named("quorum_of_one_too_few"));
    check(&named("quorum_unstated"));
}

#[test]
fn a_verdict_says_who_signed_and_for_whom_a_login_vouches() {
    let report = judged(&named("quorum_of_two_signed_and_attested"));
    let told = "admitted under `large` by 2 people of 2 needed: 1 signed, for 1 a login vouches";
    assert!(report.checks.iter().any(|check| check.step == Step::Story && check.detail == told), "{report:#?}");
    assert!(report.limits.iter().any(|limit| limit.contains("that people are different")));
    assert!(report.limits.iter().any(|limit| limit.contains("no passkey was taken away")));
}

#[test]
fn a_removed_passkey_counts_before_its_removal_and_not_after() {
    check(&named("vote_by_a_removed_key"));
    check(&named("vote_by_a_key_that_an_invitation_took"));
    check(&named("vote_by_a_key_that_a_login_took_the_place_of"));
    check(&named("vote_before_its_key_was_removed"));
    check(&named("vote_by_a_key_that_came_back"));
}

#[test]
fn no_record_was_written_after_a_checkpoint_that_holds_it() {
    check(&named("seen_before_itself"));
    check(&named("seen_itself"));
    check(&named("seen_beyond_itself"));
    check(&named("seen_another_tree"));
}

#[test]
fn a_record_of_another_tenant_is_none_of_ours() {
    check(&named("another_tenant"));
}

#[test]
fn a_revoked_key_counts_before_its_position_and_not_after() {
    check(&named("revoked_before"));
    check(&named("revoked_after"));
}

#[test]
fn a_history_that_was_rewritten_is_noticed_by_memory_alone() {
    check(&named("another_tree"));
    check(&named("smaller_tree"));
    check(&named("two_trees_of_one_size"));
}

#[test]
fn a_good_bundle_is_witnessed_and_says_what_it_does_not_prove() {
    let report = judged(&named("good_chain"));
    assert!(report.claims.iter().all(|claim| claim.level == Level::Witnessed { seen: 2, known: 3 }));
    assert!(report.limits.iter().any(|limit| limit.contains("no other records")));
}

#[test]
fn a_time_is_anchored_by_those_who_are_named_and_by_nobody_else() {
    let levels = |name: &str| {
        let report = judged(&named(name));
        report.claims.iter().map(remit_evidence::judge::Finding::level_words).collect::<Vec<_>>()
    };
    let (plain, anchored) = ("witnessed 2 of 3", "witnessed 2 of 3, time anchored");
    assert_eq!(levels("stamped"), [anchored; 3]);
    assert_eq!(levels("stamped_when_it_was_smaller"), [anchored, anchored, plain]);
    for name in ["stamp_of_nobody_named", "stamp_of_the_forger", "stamp_by_an_expired_certificate"] {
        assert_eq!(levels(name), [plain; 3]);
        assert!(judged(&named(name)).limits.iter().any(|limit| limit.contains("tokens of time")), "{name}");
    }
    let report = judged(&named("stamped"));
    // A witness's time is another one, and stays apart.
    let anchor = report.claims[1].anchor.as_ref().expect("anchor");
    assert_eq!((anchor.by.as_str(), anchor.at_text().as_str()), ("stamps.example", "2026-11-21T10:04:01.500Z"));
    assert_eq!(report.claims[1].existed_by_text().as_deref(), Some("2026-11-21T10:01:41.000Z"));
}

/// The fields of a bundle that nothing authenticates: where to look for a trust document, and signatures of
/// keys that the trust document does not know. Here: the hint, and the line of a witness nobody knows.
#[test]
fn every_byte_of_a_bundle_flipped_is_noticed_or_in_a_field_that_nothing_authenticates() {
    let good = named("good_one_algorithm");
    let text = String::from_utf8(good.bundle.clone()).expect("text");
    let stranger = ranges(&text, "\u{2014} witness.example/w77", "\\n");
    let free = [stranger, ranges(&text, "https://example.com/trust.json", "\"")].concat();
    assert_eq!((free.len(), judged(&good).verdict), (4, Verdict::Valid));
    let known = flips(&good, 0..text.len());
    assert!(known.iter().all(|at| free.iter().any(|range| range.contains(at))), "{known:?}");
}

/// The other test's bundle has no post-quantum signature: they are long, and slow to verify.
#[test]
fn every_part_of_a_post_quantum_signature_flipped_is_noticed() {
    let mut bundle = Bundle::parse(&named("good_chain").bundle).expect("bundle");
    bundle.claims.truncate(1);
    let good = Case { bundle: bundle.to_json().to_string().into_bytes(), ..named("good_chain") };
    let text = String::from_utf8(good.bundle.clone()).expect("text");
    let lines = ranges(&text, "\u{2014} log.example/remit", "\\n");
    let long = lines.into_iter().find(|line| line.len() > 3000).expect("line");
    assert_eq!(judged(&good).verdict, Verdict::Valid);
    assert_eq!(flips(&good, long.step_by(23)), [0; 0]);
}

fn ranges(text: &str, from: &str, to: &str) -> Vec<std::ops::Range<usize>> {
    let starts = text.match_indices(from).map(|(at, _)| at);
    starts.map(|at| at..at + text[at..].find(to).expect("end")).collect()
}

/// Where a flipped bit is not noticed.
fn flips(good: &Case, places: impl Iterator<Item = usize>) -> Vec<usize> {
    let trust = Trust::parse(&good.trust).expect("trust");
    let mut unnoticed = Vec::new();
    for at in places {
        let mut bad = good.bundle.clone();
        bad[at] ^= 1 << (at % 8);
        if judge(&bad, &trust, &good.memory).verdict == Verdict::Valid {
            unnoticed.push(at);
        }
    }
    unnoticed
}

proptest! {
    #[test]
    fn any_text_is_judged_without_panic(at in 0_usize..9000, text in "[\\[\\]{}\",:0-9nA= ]{0,6}", cut in 0_usize..200) {
        let good = named("good_one_algorithm");
        let at = at % good.bundle.len();
        let behind = good.bundle.get(at + cut..).unwrap_or_default();
        let bad = Case { bundle: [&good.bundle[..at], text.as_bytes(), behind].concat(), ..good };
        let report = judged(&bad);
        prop_assert!(report.verdict == Verdict::Valid || report.checks.iter().any(|check| check.outcome != Outcome::Holds));
    }
}

#[test]
fn a_bundle_cut_anywhere_is_none() {
    let good = named("good_chain");
    for end in (0..good.bundle.len()).step_by(97) {
        let report = judged(&Case { bundle: good.bundle[..end].to_vec(), ..named("good_chain") });
        assert_eq!((report.verdict, report.checks[0].step), (Verdict::Invalid, Step::Form));
    }
}

/// Records are for ever. To add a vector: `--example evidence_bundles -- --vectors`; to change one is to break
/// whoever verifies, and takes a new version of its kind.
#[test]
fn the_bytes_of_every_kind_of_record_are_frozen() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    for (name, bytes) in scene::vectors::all() {
        let frozen = fs::read(folder.join(&name)).expect("vector");
        assert!(frozen == bytes, "{name} is not what it was");
        if name.ends_with(".json") {
            let value = json::parse(&frozen).expect("JSON");
            assert_eq!(format!("{value}\n").into_bytes(), frozen, "{name}");
        }
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("folder");
        Self(folder)
    }

    fn verify(&self, case: &Case, options: &[&str]) -> Output {
        fs::write(self.0.join("bundle"), &case.bundle).expect("write");
        fs::write(self.0.join("trust"), &case.trust).expect("write");
        let mut command = Command::new(env!("CARGO_BIN_EXE_remit-verify"));
        command.current_dir(&self.0).args(["bundle", "--trust", "trust"]).args(options);
        command.output().expect("run")
    }
}

#[test]
fn the_exit_code_is_the_verdict() {
    let folder = Folder::new("codes");
    for name in ["good_chain", "payload_changed", "no_proof"] {
        let (case, output) = (named(name), folder.verify(&named(name), &[]));
        assert_eq!(output.status.code(), Some(i32::from(case.expect.code())), "{output:?}");
        let last = String::from_utf8(output.stdout).expect("text");
        assert_eq!(last.lines().last(), Some(case.expect.as_str()));
    }
    let json = folder.verify(&named("good_chain"), &["--json"]).stdout;
    let report: Value = json::parse(&json).expect("JSON");
    assert_eq!((&report["verdict"], &report["claims"][1]["level"]), (&"VALID".into(), &"witnessed 2 of 3".into()));
    let wrong = folder.verify(&named("good_chain"), &["--keys", "x"]);
    assert_eq!((wrong.status.code(), wrong.stdout.len()), (Some(2), 0));
    let pinned = folder.verify(&named("good_chain"), &["--fingerprint", &"00".repeat(32)]);
    assert_eq!((pinned.status.code(), pinned.stdout.len()), (Some(2), 0));
}

#[test]
fn a_state_remembers_what_was_valid() {
    let folder = Folder::new("state");
    let code = |name: &str| folder.verify(&named(name), &["--state", "state"]).status.code();
    assert_eq!(code("payload_changed"), Some(1));
    assert!(!folder.0.join("state").exists(), "what was not valid is not remembered");
    assert_eq!((code("good_chain"), code("good_chain"), code("smaller_tree")), (Some(0), Some(0), Some(3)));
    // The same version of the trust document with other words in it.
    assert_eq!(code("revoked_after"), Some(2));
}

#[test]
fn a_trust_document_follows_the_one_that_is_held_and_none_comes_back() {
    let folder = Folder::new("succession");
    for version in [1, 2, 3] {
        fs::write(folder.0.join(format!("v{version}")), scene::succession(version)).expect("write");
    }
    let code = |options: &[&str]| folder.verify(&named("good_chain"), options).status.code();
    assert_eq!(code(&["--next", "v2", "--next", "v3"]), Some(0));
    assert_eq!(code(&["--next", "v3", "--next", "v2"]), Some(2));
    assert_eq!(code(&["--next", "v1"]), Some(2));
    assert_eq!(
        (code(&["--next", "v3", "--state", "state"]), code(&["--next", "v2", "--state", "state"])),
        (Some(0), Some(2))
    );
}
