//! The folder as a whole: the good one, what is wrong with bad ones, and what editors are told.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bad;
mod house;

use std::path::PathBuf;

use house::{FILES, changed, folder};
use remit_config::keys::Role;
use remit_config::settings::notify::{ChannelKind, Security};
use remit_config::settings::{Authentication, LedgerFiles, LogKey, Records, StorePlace, Transport};
use remit_config::upstream::{CredentialSlot, CredentialSource, ShowAs, ToolStanding, UpstreamTransport};
use remit_config::{Config, Deed, Effect, FileKind, Folder, Verdict, load, scenarios, schema};
use remit_core::approval::{Distinct, Factor, Voter};
use remit_core::identity::MayDeclare;
use remit_core::ids::{RuleId, ToolName, UserId};
use remit_core::labels::Sensitivity;
use remit_core::registry::{Class, Dimension};
use remit_core::unsealed::{Then, Unsealed};
use serde_json::{Value, json};

fn good() -> Config {
    load(&folder()).unwrap_or_else(|faults| panic!("{}", lines(&faults)))
}

fn lines(faults: &[remit_core::authority::Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn faults(folder: &Folder) -> String {
    lines(&load(folder).err().unwrap_or_default())
}

#[test]
fn a_good_folder_becomes_settings() {
    let settings = good().settings;
    assert_eq!(settings.tenant.as_str(), "acme");
    assert_eq!(settings.listen.to_string(), "127.0.0.1:7420");
    assert_eq!(settings.transport, Transport::Plaintext);
    assert_eq!(settings.authentication, Authentication::Keys);
    assert_eq!(settings.store, StorePlace::Sqlite("remit.db".into()));
    assert_eq!(settings.records, Records::Batched { within_ms: 100 });
    let ledger = &settings.ledger;
    assert_eq!((ledger.origin.as_str(), ledger.quorum), ("acme.example/remit/2026", 1));
    assert_eq!(ledger.files, LedgerFiles::Folder(".remit/ledger".into()));
    assert_eq!(ledger.guard, PathBuf::from("/mnt/guard/last_signed"));
    assert_eq!(ledger.witnesses[0].url, "https://witness.example");
    let (day, kept) = (86_400, &settings.retention);
    assert_eq!(kept.classes.get(&Class::Read), Some(&(30 * day)));
    assert_eq!((kept.classes.len(), kept.other), (5, Some(90 * day)));
    assert_eq!((kept.outcomes, kept.budget_spans), (Some(7 * day), Some(400 * day)));
    assert_eq!((settings.run_idle_secs, settings.hold_ms), (1800, 45_000));
    assert_eq!(settings.allowed_hosts, ["127.0.0.1:7420", "remit.acme.example:443"]);
}

#[test]
fn a_rule_may_say_everything() {
    let config = load(&changed("remit.yaml", house::RULE, house::RULE_WHOLE));
    let config = config.unwrap_or_else(|faults| panic!("{}", lines(&faults)));
    let rule = config.snapshot.rule(&RuleId::parse("finance-sign-off").expect("id")).expect("rule");
    assert_eq!((rule.deny, rule.reason_required, rule.factor), (2, true, Some(Factor::Passkey)));
    assert_eq!(rule.distinct_from.last(), Some(&Distinct::ApproverDelegates));
    let after: Vec<_> = rule.escalate.iter().map(|step| step.after_secs).collect();
    assert_eq!(after, [600, 1200]);
    let names = |steps| rule.voters(steps).map(Voter::text).collect::<Vec<_>>().join(" ");
    assert_eq!(names(0), "team:finance user:bob@acme.example");
    assert_eq!(names(2), "team:finance user:bob@acme.example on_call:finance user:carol@acme.example");
    let Some(Voter::OnCall(schedule)) = rule.voters(1).last() else { panic!("{rule:?}") };
    let at = |text: &str| schedule.at(text.parse().expect("time")).map(|user| user.as_str().to_owned());
    assert_eq!(at("2026-11-23T14:00:00Z").as_deref(), Some("bob@acme.example"));
    assert_eq!(at("2026-11-30T14:00:00Z").as_deref(), Some("alice@acme.example"));
    let value: Value = serde_saphyr::from_str(&house::REMIT.replace(house::RULE, house::RULE_WHOLE)).expect("yaml");
    assert!(jsonschema::is_valid(&schema(FileKind::Settings), &value), "the schema accepts it too");
}

#[test]
fn a_rule_that_cannot_be_satisfied_is_refused_where_it_stands() {
    let mut wrong = Vec::new();
    for (from, to, expected) in bad::people::RULES {
        let text = house::REMIT.replace(house::RULE, house::RULE_WHOLE).replacen(from, to, 1);
        let found = faults(&changed("remit.yaml", house::REMIT, &text));
        if found != *expected {
            wrong.push(format!("expected {expected}\n   found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The house with a second rule, and with tiers and canaries.
fn careful(from: &str, to: &str) -> String {
    let text = house::REMIT.replace(
        "  finance-sign-off:\n",
        "  by-passkey: {from: [team:finance], within: 30m, factor: passkey}\n  finance-sign-off:\n",
    );
    let text = text.replace(house::WAIT, house::RISK);
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn risk_becomes_tiers_and_attention_has_bounds() {
    let text = careful("", "");
    let config =
        load(&changed("remit.yaml", house::REMIT, &text)).unwrap_or_else(|faults| panic!("{}", lines(&faults)));
    let tiers = config.snapshot.tiers();
    let named = |rule: &Option<RuleId>| rule.as_ref().map(ToString::to_string);
    assert!(tiers.review_medium);
    assert_eq!(named(&tiers.high).as_deref(), Some("finance-sign-off"));
    assert_eq!(named(&tiers.irreversible).as_deref(), Some("by-passkey"));
    assert_eq!((config.settings.questions_per_agent_max, config.settings.hold_ms), (7, 45_000));
    let canaries = config.settings.canaries.expect("canaries");
    assert_eq!((canaries.every_votes, canaries.targets), (50, vec!["nobody.example".to_owned()]));
    let value: Value = serde_saphyr::from_str(&text).expect("yaml");
    assert!(jsonschema::is_valid(&schema(FileKind::Settings), &value), "the schema accepts it too");
    let plain = good();
    assert_eq!((plain.settings.questions_per_agent_max, plain.settings.canaries), (100, None));
    assert_eq!(*plain.snapshot.tiers(), Default::default());
}

#[test]
fn tiers_that_ask_for_nothing_better_are_refused_where_they_stand() {
    let mut wrong = Vec::new();
    for (from, to, expected) in bad::people::CARE {
        let found = faults(&changed("remit.yaml", house::REMIT, &careful(from, to)));
        if found != *expected {
            wrong.push(format!("expected {expected}\n   found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_ledger_may_be_in_a_bucket() {
    let folder = changed("remit.yaml", house::LEDGER_FOLDER, house::LEDGER_BUCKET);
    let config = load(&folder).unwrap_or_else(|faults| panic!("{}", lines(&faults)));
    let LedgerFiles::Bucket(bucket) = config.settings.ledger.files else { panic!("{:?}", config.settings.ledger) };
    assert_eq!((bucket.name.as_str(), bucket.prefix.as_str()), ("acme-ledger", "2026/eu"));
    assert_eq!(bucket.endpoint, "https://s3.eu-central-1.amazonaws.com");
    assert_eq!(bucket.region, "eu-central-1");
    assert_eq!(bucket.access_key, CredentialSource::Env("LEDGER_ACCESS_KEY".into()));
    assert_eq!(bucket.secret_key, CredentialSource::File("/run/secrets/ledger".into()));
    let value: Value =
        serde_saphyr::from_str(&house::REMIT.replace(house::LEDGER_FOLDER, house::LEDGER_BUCKET)).expect("yaml");
    assert!(jsonschema::is_valid(&schema(FileKind::Settings), &value), "the schema accepts it too");
}

#[test]
fn how_long_records_may_wait_for_the_log_is_chosen_or_strict() {
    let unsealed = |to: &str| {
        let from = "  guard: /mnt";
        let config = load(&changed("remit.yaml", from, &format!("{to}{from}")));
        config.unwrap_or_else(|faults| panic!("{}", lines(&faults))).settings.ledger.unsealed
    };
    assert_eq!(unsealed(""), Unsealed { within_secs: 60, then: Then::Refuse });
    assert_eq!(unsealed("  unsealed: {within: 24h}\n"), Unsealed { within_secs: 86_400, then: Then::Refuse });
    assert_eq!(unsealed("  unsealed: {then: reads}\n"), Unsealed { within_secs: 60, then: Then::Reads });
    assert_eq!(unsealed("  unsealed: {within: 5s, then: go_on}\n"), Unsealed { within_secs: 5, then: Then::GoOn });
}

#[test]
fn a_faulty_bucket_is_said_where_it_stands() {
    let mut wrong = Vec::new();
    for (from, to, expected) in bad::ledger::BUCKETS {
        let bucket = house::LEDGER_BUCKET.replacen(from, to, 1);
        assert_ne!(bucket, house::LEDGER_BUCKET, "{from}");
        let found = faults(&changed("remit.yaml", house::LEDGER_FOLDER, &bucket));
        if found != *expected {
            wrong.push(format!("expected {expected}\n   found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_key_of_a_log_may_be_in_a_token() {
    assert_eq!(good().settings.ledger.key, LogKey::Files);
    let config = load(&changed("remit.yaml", house::LEDGER_FOLDER, house::LEDGER_TOKEN));
    let config = config.unwrap_or_else(|faults| panic!("{}", lines(&faults)));
    let LogKey::Token(token) = config.settings.ledger.key else { panic!("{:?}", config.settings.ledger) };
    assert_eq!((token.token.as_str(), token.label.as_str()), ("remit", "log 2026"));
    assert_eq!(token.module, PathBuf::from("/usr/lib/softhsm/libsofthsm2.so"));
    assert_eq!(token.pin, CredentialSource::File("/run/secrets/ledger-pin".into()));
    for text in [house::LEDGER_TOKEN, "  key: files\n"] {
        let value: Value = serde_saphyr::from_str(&house::REMIT.replace(house::LEDGER_FOLDER, text)).expect("yaml");
        assert!(jsonschema::is_valid(&schema(FileKind::Settings), &value), "the schema accepts it too");
        load(&changed("remit.yaml", house::LEDGER_FOLDER, text)).unwrap_or_else(|faults| panic!("{}", lines(&faults)));
    }
    let mut wrong = Vec::new();
    for (from, to, expected) in bad::ledger::TOKENS {
        let found = faults(&changed("remit.yaml", house::LEDGER_FOLDER, &house::LEDGER_TOKEN.replacen(from, to, 1)));
        if found != *expected {
            wrong.push(format!("expected {expected}\n   found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_ledger_may_be_stamped() {
    let config = load(&changed("remit.yaml", house::QUORUM, house::STAMPED)).expect("no fault");
    let timestamps = config.settings.ledger.timestamps.expect("timestamps");
    assert_eq!((timestamps.url.as_str(), timestamps.every_secs), ("https://timestamps.example/tsr", 1800));
    assert_eq!(timestamps.certificate, PathBuf::from("tsa.pem"));
    let hourly = house::STAMPED.replace(", every: 30m", "");
    let config = load(&changed("remit.yaml", house::QUORUM, &hourly)).expect("no fault");
    assert_eq!(config.settings.ledger.timestamps.map(|timestamps| timestamps.every_secs), Some(3600));
    let value: Value = serde_saphyr::from_str(&house::REMIT.replace(house::QUORUM, house::STAMPED)).expect("yaml");
    assert!(jsonschema::is_valid(&schema(FileKind::Settings), &value), "the schema accepts it too");
    let mut wrong = Vec::new();
    for (from, to, expected) in bad::ledger::TIMESTAMPS {
        let found = faults(&changed("remit.yaml", house::QUORUM, &house::STAMPED.replacen(from, to, 1)));
        if found != *expected {
            wrong.push(format!("expected {expected}\n   found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_good_folder_becomes_channels() {
    let notify = good().settings.notify;
    let names: Vec<_> = notify.channels.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["chat", "hook", "mail", "push"]);
    let kind = |name: &str| &notify.channels.iter().find(|(id, _)| id.as_str() == name).expect("it is there").1.kind;
    let ChannelKind::Smtp(smtp) = kind("mail") else { panic!("mail is mail") };
    assert_eq!((smtp.host.as_str(), smtp.port, smtp.security), ("smtp.acme.example", 587, Security::Starttls));
    assert_eq!(smtp.sign_in, Some(("remit".into(), CredentialSource::File("/run/secrets/smtp".into()))));
    let ChannelKind::Slack { callback: Some(callback), .. } = kind("chat") else { panic!("a chat with answers") };
    assert_eq!(callback.people["U012AB"].as_str(), "bob");
    let shown: Vec<_> = notify.channels.values().map(|channel| channel.arguments).collect();
    assert_eq!(shown, [false, false, true, false], "arguments leave only where the file says so");
    assert_eq!(notify.routes[0].rules.as_ref().map(Vec::len), Some(1));
    assert_eq!((notify.routes[1].rules.as_ref(), notify.routes[1].to[0].as_str()), (None, "hook"));
    assert_eq!(notify.retry.map(|retry| (retry.attempts, retry.first_ms, retry.longest_ms)), Some((4, 2_000, 60_000)));
}

#[test]
fn a_good_folder_becomes_keys() {
    let keys = good().keys;
    let alice = UserId::parse("alice@acme.example").expect("id");
    assert_eq!(keys.agents[0].may_declare, MayDeclare::These(vec![alice.clone()]));
    // A date begins when the day does in the organisation's time zone.
    assert_eq!(keys.agents[0].expires.to_string(), "2026-12-31T23:00:00Z");
    assert_eq!((keys.agents[1].user.as_ref(), keys.agents[1].revoked), (Some(&alice), true));
    assert_eq!(keys.operators[0].roles, [Role::Viewer, Role::Approver]);
    assert_eq!(keys.operators[0].email.as_deref(), Some("bob@acme.example"));
    assert!(keys.agent(&keys.agents[0].sha256).is_some_and(|key| key.id == "k1"));
}

#[test]
fn a_good_folder_becomes_upstreams() {
    let config = good();
    let [crm, payments] = config.upstreams.as_slice() else { panic!("two upstreams") };
    let UpstreamTransport::Stdio { argv, pass_env, memory_bytes_max, restarts_per_minute, .. } = &crm.transport else {
        panic!("{:?}", crm.transport)
    };
    assert_eq!((argv.len(), pass_env.len(), *memory_bytes_max, *restarts_per_minute), (3, 2, Some(512 << 20), 3));
    assert_eq!((crm.show_as, crm.timeout_ms), (ShowAs::Bare, 30_000));
    let credential = payments.credential.as_ref().expect("credential");
    assert_eq!(credential.source, CredentialSource::Env("PAYMENTS_TOKEN".into()));
    assert_eq!(credential.slot, CredentialSlot::Header { name: "Authorization".into(), prefix: "Bearer ".into() });
}

#[test]
fn a_tool_is_callable_when_it_is_classified_and_pinned() {
    let config = good();
    let standing: Vec<_> = config.tools.iter().map(|tool| (tool.name.as_str(), tool.standing)).collect();
    assert_eq!(
        standing,
        [
            ("crm/completion/complete", ToolStanding::Callable),
            ("crm/get_customer", ToolStanding::Callable),
            ("crm/prompts/get", ToolStanding::Callable),
            ("crm/resources/read", ToolStanding::Callable),
            ("payments/lookup", ToolStanding::Unpinned),
            ("payments/refund", ToolStanding::Callable),
            ("payments/void", ToolStanding::Unclassified),
        ]
    );
    let public: Vec<_> = config.snapshot.registry().tools().iter().map(|tool| tool.public.clone()).collect();
    assert_eq!(
        public,
        ["crm/completion/complete", "get_customer", "crm/prompts/get", "crm/resources/read", "payments__refund"]
    );
    let refund = config.snapshot.registry().tool(&ToolName::parse("payments/refund").expect("name")).expect("tool");
    assert_eq!((refund.timeout_ms, refund.labels.sensitivity), (5000, Sensitivity::Confidential));
    let arguments = json!({"amount": 12.5, "payment": {"id": "p-1"}});
    let resource = refund.resource.resolve(refund.class, &arguments).expect("canonical");
    assert_eq!(resource.name(), "payment:p-1");
    assert_eq!(resource.dimensions[&Dimension::Product], "billing");
    assert_eq!(refund.cost.of(&arguments), Ok(12_500_000));
    assert_eq!(
        lines(&config.warnings),
        "upstreams/payments.yaml:17:3: `payments/lookup` cannot be called: its definition is not approved (review it with `remit tools diff payments/lookup`)\n\
         upstreams/payments.yaml:1:11: `payments/void` cannot be called: it is approved, but not classified (say under `tools: void:` what it does to the world)\n\
         remits/support-bot.yaml:8:5: the grant does not cover `crm/resources/read`: its output is `confidential` (grant it under its own class and sensitivity)"
    );
}

#[test]
fn the_digest_is_of_authority_only() {
    let digest = folder().digest();
    assert_eq!(digest, changed("tests/refunds.yaml", "refunds", "refund").digest());
    for (file, from) in
        [("keys.yaml", "k1"), ("remit.yaml", "acme"), ("pins/crm.json", "bob"), ("guardrails/data.cedar", "pii")]
    {
        assert_ne!(digest, changed(file, from, "x").digest(), "{file}");
    }
    let renamed = Folder::from_texts([("remits/a.yaml", "x")]).expect("folder");
    assert_ne!(renamed.digest(), Folder::from_texts([("remits/b.yaml", "x")]).expect("folder").digest());
}

#[test]
fn each_fault_says_where_what_and_what_to_do() {
    let mut wrong = Vec::new();
    for (file, from, to, expected) in bad::FOLDERS.into_iter().flatten() {
        let found = faults(&changed(file, from, to));
        if found != *expected {
            wrong.push(format!("expected {expected}\n   found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_faults_of_all_files_are_found_at_once() {
    let folder = changed("remits/support-bot.yaml", "args.amount <= 50\n", "args.amuont <= 50\n");
    let folder = folder.with([("guardrails/x.cedar", "permit(principal, action, resource);")]).expect("folder");
    let folder =
        folder.with([("keys.yaml", house::KEYS.replace("k2", "k 2").replace("bob\n", "b b\n"))]).expect("folder");
    let found = faults(&folder);
    assert_eq!(
        found.lines().map(|line| line.split(": ").next().unwrap_or_default()).collect::<Vec<_>>(),
        ["guardrails/x.cedar", "keys.yaml:7:10", "keys.yaml:9:9", "remits/support-bot.yaml:14:16"],
        "{found}"
    );
}

#[test]
fn a_broken_file_does_not_make_others_look_broken() {
    let folder = changed("remit.yaml", "approvals:", "aprovals:");
    assert_eq!(faults(&folder), "remit.yaml:15:1: unknown key `aprovals` (did you mean `approvals`?)");
}

#[test]
fn two_tools_of_one_name_are_found_where_the_second_stands() {
    let other = "upstream: crm2\ncommand: [x]\nshow_as: bare\ntools:\n  get_customer: {class: read, risk: low}\n";
    let pins = house::CRM_PINS.replace("\"crm\"", "\"crm2\"");
    let folder = folder().with([("upstreams/crm2.yaml", other), ("pins/crm2.json", &pins)]).expect("folder");
    assert_eq!(
        faults(&folder),
        "upstreams/crm2.yaml:5:3: tools `crm/get_customer` and `crm2/get_customer` would both be shown to agents as `get_customer` (use `show_as: prefix` for one of the upstreams)"
    );
}

#[test]
fn scenarios_are_read() {
    let found = scenarios(&folder()).unwrap_or_else(|faults| panic!("{}", lines(&faults)));
    let [scenario] = found.as_slice() else { panic!("one scenario") };
    assert_eq!((scenario.name.as_str(), scenario.steps.len()), ("refunds", 6));
    assert_eq!(scenario.files, [("remits/x.yaml".to_owned(), "agent: other\n".to_owned())]);
    let Deed::Call(call) = &scenario.steps[0].deed else { panic!("{:?}", scenario.steps[0]) };
    assert_eq!(call.arguments, json!({"amount": 200, "payment": {"id": "p-1"}}));
    assert_eq!(call.effect, Effect::Result(json!({"ok": true})));
    assert_eq!(scenario.steps[0].expect.verdict, Some(Verdict::Ask));
    assert_eq!((scenario.steps[1].locus.line, scenario.steps[1].locus.column), (14, 5));
    assert!(matches!(&scenario.steps[3].deed, Deed::Deny { reason, .. } if reason == "not today"));
}

#[test]
fn faults_of_scenarios_are_located() {
    for (from, to, expected) in [
        (
            "code: approval.required",
            "code: approval.requird",
            "13:34: unknown code `approval.requird` (did you mean `approval.required`?)",
        ),
        ("verdict: ask", "verdict: asks", "13:23: unknown word `asks` (did you mean `ask`?)"),
        ("    by: bob\n  - call", "  - call", "14:14: nobody does this (add `by:`, an operator of keys.yaml)"),
        (
            "  - halt: tool:payments/refund",
            "  - halt: payments/refund",
            "21:11: `payments/refund` is not something that can be halted (write `tenant`, `agent:a`, `tool:u/t`, `upstream:u`, `class:write` or `run:r`)",
        ),
        (
            "    by: bob\n  - call",
            "    deny: {by: bob, reason: x}\n  - call",
            "15:11: a second deed in one step (a step does one of `call`, `approve`, `deny`, `halt`, `resume`, `request`, `grant`, `revoke`, `break_glass`, `delegate`)",
        ),
        (
            "    by: bob\n  - call",
            "    by: bob\n  - revoke: bot\n  - call",
            "16:13: nobody does this (add `by:`, an operator of keys.yaml)",
        ),
        (
            "    by: bob\n  - call",
            "    by: bob\n  - request: {tools: [a/b], for: ever}\n    as: {agent: bot}\n  - call",
            "16:34: `ever` is not a length of time in whole seconds (write a whole number and a unit: `45s`, `30m`, `2h`, `7d`)",
        ),
        (
            "    by: bob\n  - call",
            "    by: bob\n  - grant: {tools: [a/b]}\n    by: bob\n  - call",
            "16:12: this is for no agent (add `as: {agent: …}`)",
        ),
        (
            "    by: bob\n  - call",
            "    by: bob\n    as: {agent: bot}\n  - call",
            "16:9: `as` belongs to a `call`, a `request` or a `grant` (remove it)",
        ),
    ] {
        let found = scenarios(&changed("tests/refunds.yaml", from, to)).expect_err(from);
        assert_eq!(lines(&found), format!("tests/refunds.yaml:{expected}"));
    }
}

#[test]
fn what_the_schemas_accept_is_what_is_read() {
    for (name, text) in FILES {
        let Some(kind) = FileKind::of(name) else { continue };
        let value: Value = serde_saphyr::from_str(text).expect(name);
        let validator = jsonschema::validator_for(&schema(kind)).expect("schema");
        let errors: Vec<_> = validator.iter_errors(&value).map(|e| format!("{e} at {}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    for (kind, bad) in [
        (FileKind::Settings, json!({"tenant": "acme"})),
        (FileKind::Keys, json!({"agents": [{"id": "k", "agent": "a", "sha256": "x"}]})),
        (FileKind::Upstream, json!({"upstream": "a", "tools": {"t": {"class": "reed", "risk": "low"}}})),
        (FileKind::Remit, json!({"agent": "a", "read": "nothing"})),
        (FileKind::Remit, json!({"agent": "a", "cost": {"llm": "1 USD per day"}})),
        (FileKind::Scenario, json!({"name": "n", "steps": [{"cal": "x"}]})),
    ] {
        assert!(!jsonschema::is_valid(&schema(kind), &bad), "{bad}");
    }
}

#[test]
fn every_key_is_explained_to_editors() {
    fn silent(path: &str, schema: &Value, out: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if property["description"].is_null() {
                out.push(path.clone());
            }
            silent(&path, property, out);
        }
        for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
            silent(&format!("{path}/{name}"), definition, out);
        }
    }
    let mut out = Vec::new();
    FileKind::ALL.into_iter().for_each(|kind| silent(kind.as_str(), &schema(kind), &mut out));
    assert!(out.is_empty(), "{out:?}");
}

#[test]
fn a_folder_is_read_from_disk() {
    let root = tempfile::tempdir().expect("folder");
    for (name, text) in FILES {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        std::fs::write(path, text).expect("file");
    }
    std::fs::write(root.path().join("remits/.support-bot.yaml.swp"), "x").expect("file");
    std::fs::write(root.path().join("README.md"), "x").expect("file");
    assert_eq!(Folder::read(root.path()).expect("folder"), folder());

    std::fs::write(root.path().join("remits/other.yml"), "x").expect("file");
    std::fs::create_dir(root.path().join("tests/deep.yaml")).expect("folder");
    std::fs::write(root.path().join("guardrails/large.cedar"), vec![b' '; 1024 * 1024 + 1]).expect("file");
    std::fs::write(root.path().join("pins/x.json"), [0xff]).expect("file");
    let found = lines(&Folder::read(root.path()).expect_err("faults"));
    assert_eq!(
        found,
        "guardrails/large.cedar: more than 1048576 bytes, or more than 10000 files (split it)\n\
         pins/x.json: the file is not UTF-8\n\
         remits/other.yml: this file would not be read (files here end in `.yaml`; move or rename it)\n\
         tests/deep.yaml: this is no regular file"
    );
    assert!(Folder::read(&root.path().join("nowhere")).is_err());
}
