//! What a change of the folder weakens: every kind by name, and nothing for what only narrows.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use remit_config::{Config, Folder, load};
use remit_core::authority::weakening::{Section, Stand, Steering, Weakening, grows_at_once, weakenings};

fn base() -> Folder {
    let folder = Folder::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/base"));
    folder.expect("scenarios/base")
}

fn config(folder: &Folder) -> Config {
    load(folder).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn edited(folder: &Folder, edits: &[(&str, &str, &str)]) -> Folder {
    let mut folder = folder.clone();
    for (file, from, to) in edits {
        let text = folder.text(file).unwrap_or_default();
        assert!(from.is_empty() || text.contains(from), "{file} does not say `{from}`");
        let text = if from.is_empty() { format!("{text}{to}") } else { text.replacen(from, to, 1) };
        folder = folder.with([(*file, text)]).expect("a folder");
    }
    folder
}

fn listed(old: &Folder, new: &Folder) -> Vec<Weakening> {
    config(new).weakenings(&config(old))
}

fn codes(weakenings: &[Weakening]) -> Vec<&'static str> {
    weakenings.iter().map(|weakening| weakening.code).collect()
}

type Edit = (&'static str, &'static str, &'static str);

/// An edit, what it weakens, and what taking it back weakens.
const EDITS: &[(Edit, &[&str], &[&str])] = &[
    (("remit.yaml", "quorum: 2", "quorum: 1"), &["rule.loosened"], &[]),
    (
        ("upstreams/business.yaml", "cost: args.amount USD", "cost: args.amount USD\n    preview: list_tickets"),
        &[],
        &["tool.preview_changed"],
    ),
    (("remit.yaml", "from: [team:finance]", "from: [team:finance, user:eve@acme.example]"), &["rule.loosened"], &[]),
    (("remit.yaml", "within: 30m", "within: 31m"), &["rule.loosened"], &[]),
    (("remit.yaml", "distinct_from: [user]", "distinct_from: []"), &["rule.loosened"], &[]),
    (("remit.yaml", "  - 5000 USD per day\n", ""), &["limit.raised"], &[]),
    (("remit.yaml", "10000 per day", "10001 per day"), &["limit.raised"], &[]),
    (("remit.yaml", "\"08:00-18:00\"", "\"08:00-19:00\""), &["calendar.changed"], &["calendar.changed"]),
    (
        ("remit.yaml", "calendar:\n", "calendar:\n  freezes: [{from: 2026-12-20, until: 2027-01-02, kind: hard}]\n"),
        &[],
        &["calendar.freeze_removed"],
    ),
    (("remit.yaml", "teams: [support]", "teams: [support, finance]"), &["user.team_added"], &[]),
    (("remit.yaml", "wait:", "risk: {tiers: {medium: review}}\nwait:"), &[], &["risk.review_removed"]),
    (("remit.yaml", "wait:", "risk: {tiers: {high: {approval: two-person}}}\nwait:"), &[], &["guardrail.removed"]),
    (
        (
            "remit.yaml",
            "wait:",
            "break_glass:\n  outage: {agents: [desk], tools: [business/delete_customer], up_to: 1h, calls: 2, people: [team:finance], reviewers: [team:security]}\nwait:",
        ),
        &["break_glass.added"],
        &[],
    ),
    (
        (
            "remits/desk.yaml",
            "approve: none",
            "approve: none\nmay_request:\n  - {tools: [business/delete_customer], up_to: 1h, calls: 2, approval: two-person}",
        ),
        &["remit.may_request"],
        &[],
    ),
    (("remit.yaml", "wait:", "ledger: {unsealed: {within: 61s}}\nwait:"), &["ledger.unsealed_loosened"], &[]),
    (("remit.yaml", "wait:", "ledger: {unsealed: {then: reads}}\nwait:"), &["ledger.unsealed_loosened"], &[]),
    (("remit.yaml", "wait:", "ledger: {unsealed: {within: 5s}}\nwait:"), &[], &["ledger.unsealed_loosened"]),
    (("remit.yaml", "wait:", "changes: { people: 1, widening: 1 }\nwait:"), &["changes.people_lowered"], &[]),
    (("remit.yaml", "wait:", "changes: { widening: 0 }\nwait:"), &["changes.widening_lowered"], &[]),
    (("remit.yaml", "wait:", "changes: { factor: passkey }\nwait:"), &[], &["changes.factor_lowered"]),
    (
        (
            "remit.yaml",
            "wait:",
            "sign_in: {oidc: {issuer: \"https://id.acme.example\", client_id: remit, client_secret: env:OIDC}}\nwait:",
        ),
        &["settings.changed"],
        &["settings.changed"],
    ),
    (("remit.yaml", "authentication: keys", "authentication: {anonymous: desk}"), &["keys.anonymous"], &[]),
    (("guardrails/data.cedar", "@id(\"untrusted", "@mode(\"observe\") @id(\"untrusted"), &["guardrail.observed"], &[]),
    (("guardrails/data.cedar", "\"untrusted\"", "\"pii\""), &["guardrail.changed"], &["guardrail.changed"]),
    (("guardrails/data.cedar", "restricted data never leaves", "it never leaves"), &[], &[]),
    (("guardrails/data.cedar", "restricted-stays-inside", "stays-inside"), &[], &[]),
    (("upstreams/business.yaml", "risk: critical", "risk: high"), &["tool.risk_lowered"], &[]),
    (("upstreams/business.yaml", "class: expose", "class: trigger"), &["tool.class_changed"], &["tool.class_changed"]),
    (("upstreams/business.yaml", "labels: [internal, untrusted]", "labels: [internal]"), &["tool.labels_lowered"], &[]),
    (
        ("upstreams/business.yaml", "cost: args.amount USD", "cost: 0 USD"),
        &["tool.cost_changed"],
        &["tool.cost_changed"],
    ),
    (("remits/desk.yaml", "stage: supervised", "stage: autonomous"), &["remit.stage_raised"], &[]),
    (("remits/desk.yaml", "expires: 2099-01-01", "expires: 2099-01-02"), &["remit.extended"], &[]),
    (("remits/desk.yaml", "agent: desk", "agent: desk\nmode: observe"), &["remit.observed"], &[]),
    (("remits/desk.yaml", "args.amount <= 50\n", "args.amount <= 60\n"), &["remit.widened"], &["remit.widened"]),
    (("remits/desk.yaml", "    approval: finance-sign-off\n", ""), &["remit.widened"], &[]),
    (("remits/desk.yaml", "[business/update_ticket]", "[\"business/*\"]"), &["remit.widened"], &[]),
    (("remits/desk.yaml", "labels_up_to: internal", "labels_up_to: restricted"), &["remit.widened"], &[]),
    (("keys.yaml", "roles: [viewer, approver]", "roles: [viewer, approver, operator]"), &["steering.role_given"], &[]),
    (
        ("keys.yaml", "roles: [viewer, approver]", "roles: [security]"),
        &["steering.security_named"],
        &["steering.role_given", "steering.security_lost"],
    ),
    (("keys.yaml", "teams: [sales]", "teams: [sales, finance]"), &["steering.team_given"], &[]),
    (
        ("keys.yaml", "user: eve@acme.example", "user: evelyn@acme.example"),
        &["steering.user_changed"],
        &["steering.user_changed"],
    ),
    (("keys.yaml", "sha256: 7b56", "sha256: 7b57"), &["steering.key_changed"], &["steering.key_changed"]),
    // Who was sent away and comes back is named anew; it is not their key that changes.
    (("keys.yaml", "teams: [sales]", "teams: [sales]\n    revoked: true"), &[], &["steering.role_given"]),
    (
        ("keys.yaml", "teams: [operations]", "teams: [operations]\n    revoked: true"),
        &["steering.security_lost"],
        &["steering.security_named"],
    ),
];

#[test]
fn each_weakening_is_named_and_narrowing_is_not() {
    let base = base();
    let old = config(&base);
    assert_eq!(old.weakenings(&old), []);
    for (edit, forth, back) in EDITS {
        let new = config(&edited(&base, &[*edit]));
        assert_eq!(codes(&new.weakenings(&old)), *forth, "{edit:?}");
        assert_eq!(codes(&old.weakenings(&new)), *back, "{edit:?}, taken back");
        assert_eq!(new.weakenings(&new), [], "nothing is weakened by what stays the same");
    }
}

#[test]
fn adding_a_guardrail_weakens_nothing_and_removing_one_does() {
    let base = base();
    let added = edited(
        &base,
        &[("guardrails/a-new.cedar", "", "@id(\"new\") forbid (principal, action in [Action::\"write\"], resource);")],
    );
    assert_eq!(listed(&base, &added), []);
    assert_eq!(codes(&listed(&added, &base)), ["guardrail.removed"]);
    // Put before the others in one file: those without an id are only numbered anew.
    let numbered = edited(&base, &[("guardrails/data.cedar", "@id(\"untrusted-needs-two\")\n", "")]);
    let text = format!(
        "forbid (principal, action in [Action::\"write\"], resource);\n{}",
        numbered.text("guardrails/data.cedar").expect("text")
    );
    let before = numbered.with([("guardrails/data.cedar", text)]).expect("a folder");
    assert_eq!(listed(&numbered, &before), []);
}

#[test]
fn a_guardrail_that_moves_to_another_file_is_not_gone() {
    let base = base();
    let text = base.text("guardrails/data.cedar").expect("text").to_owned();
    let moved =
        base.with([("guardrails/other.cedar", text.as_str()), ("guardrails/data.cedar", "")]).expect("a folder");
    assert_eq!(listed(&base, &moved), []);
    let gone = base.with([("guardrails/data.cedar", "")]).expect("a folder");
    assert_eq!(codes(&listed(&base, &gone)), ["guardrail.removed", "guardrail.removed"]);
}

#[test]
fn what_a_comparison_knows_is_no_section() {
    assert_eq!(config(&base()).sections, [], "name it in sections.rs, if a change of it is compared or harmless");
}

#[test]
fn a_new_remit_is_listed_and_a_lost_one_is_not() {
    let base = base();
    let added = edited(&base, &[("remits/new.yaml", "", "agent: new\nread: [{tools: [business/get_customer]}]\n")]);
    assert_eq!(codes(&listed(&base, &added)), ["remit.added"]);
    assert_eq!(listed(&added, &base), []);
}

#[test]
fn a_grant_with_a_limit_does_not_stand_for_two() {
    let base = edited(
        &base(),
        &[("remits/desk.yaml", "[business/update_ticket]", "[business/update_ticket]\n    limits: [10 per day]")],
    );
    let twice = edited(
        &base,
        &[(
            "remits/desk.yaml",
            "    limits: [10 per day]\n",
            "    limits: [10 per day]\n  - tools: [business/update_ticket]\n    limits: [10 per day]\n",
        )],
    );
    assert_eq!(codes(&listed(&base, &twice)), ["remit.widened"]);
    let lower = edited(&base, &[("remits/desk.yaml", "10 per day", "9 per day")]);
    assert_eq!(listed(&base, &lower), []);
    assert_eq!(codes(&listed(&lower, &base)), ["remit.widened"]);
}

#[test]
fn one_category_of_one_remit_grows_at_a_time() {
    let base = base();
    let trigger = ("remits/desk.yaml", "args.amount <= 50\n", "args.amount <= 60\n");
    let write = ("remits/desk.yaml", "[business/update_ticket]", "[\"business/*\"]");
    let stage = ("remits/desk.yaml", "stage: supervised", "stage: autonomous");
    let end = ("remits/desk.yaml", "expires: 2099-01-01", "expires: 2099-01-02");
    let grows = |edits: &[Edit]| grows_at_once(&listed(&base, &edited(&base, edits))).map(ToString::to_string);
    assert_eq!(grows(&[trigger]), None);
    assert_eq!(grows(&[trigger, end]), None, "the end is no category");
    assert_eq!(grows(&[trigger, write]).as_deref(), Some("agent:desk"));
    assert_eq!(grows(&[trigger, stage]).as_deref(), Some("agent:desk"));
}

#[test]
fn two_people_are_needed_and_too_few_can_only_name_more() {
    let base = base();
    let steering = config(&base).steering();
    let must = |new: &Folder| steering.must_approve(&listed(&base, new), &config(new).steering());
    assert_eq!(steering.people_with_a_say(), 1, "only `rehearsal` is security");
    let weaker = edited(&base, &[("guardrails/data.cedar", "@id(\"untrusted", "@mode(\"observe\") @id(\"untrusted")]);
    assert_eq!(must(&weaker), Err((2, 1)));
    let wider = edited(&base, &[("remits/desk.yaml", "args.amount <= 50\n", "args.amount <= 60\n")]);
    assert_eq!(must(&wider), Ok(1));
    assert_eq!(must(&base), Ok(0));
    let security = ("keys.yaml", "roles: [viewer, approver]", "roles: [viewer, approver, security]");
    let named = edited(&base, &[security]);
    assert_eq!(must(&named), Ok(1), "whoever is there names the second");
    assert_eq!(must(&edited(&base, &[security, security])), Err((2, 1)), "and not more than are needed");
    let and_weaker =
        edited(&named, &[("guardrails/data.cedar", "@id(\"untrusted", "@mode(\"observe\") @id(\"untrusted")]);
    assert_eq!(must(&and_weaker), Err((2, 1)), "and does nothing else on the way");
}

#[test]
fn two_entries_of_one_user_are_one_person() {
    let twice = edited(
        &base(),
        &[
            (
                "keys.yaml",
                "user: bob@acme.example\n    teams: [finance]\n    roles: [viewer, approver]",
                "user: rehearsal@acme.example\n    teams: [finance]\n    roles: [security]",
            ),
            (
                "keys.yaml",
                "    user: carol@acme.example\n    teams: [security]\n    roles: [viewer, approver]",
                "    teams: [security]\n    roles: [security]",
            ),
        ],
    );
    let steering = config(&twice).steering();
    assert_eq!(steering.people_with_a_say(), 1, "one has two entries, and of another nobody says who they are");
    let alone = edited(&twice, &[("remit.yaml", "wait:", "changes: { people: 1 }\nwait:")]);
    assert_eq!(config(&alone).steering().people_with_a_say(), 2);
}

#[test]
fn what_nobody_compares_is_listed_however_it_changes() {
    let config = config(&base());
    let section = |says: &str| Section { holder: None, place: "remit.yaml: new".into(), says: says.into() };
    let with = |sections: Vec<Section>| Steering { sections, ..config.steering() };
    let between = |old: Vec<Section>, new: Vec<Section>| {
        let (old, new) = (with(old), with(new));
        let stand = |steering| Stand { snapshot: &config.snapshot, steering };
        codes(&weakenings(stand(&old), stand(&new)))
    };
    assert_eq!(between(vec![section("a")], vec![section("a")]), Vec::<&str>::new());
    assert_eq!(between(vec![], vec![section("a")]), ["settings.changed"]);
    assert_eq!(between(vec![section("a")], vec![section("b")]), ["settings.changed"]);
    assert_eq!(between(vec![section("a")], vec![]), ["settings.changed"]);
    let holder = Some(remit_core::authority::remit::Holder::AnyUser);
    let of_remit = Section { holder, ..section("a") };
    assert_eq!(between(vec![], vec![of_remit]), ["remit.section_changed"]);
}
