//! `remit.yaml`, as it may be used. A missing security option is a fault, never a default.

use std::net::SocketAddr;
use std::path::PathBuf;

use remit_core::access::BreakGlass;
use remit_core::approval::ApprovalRule;
use remit_core::authority::remit::Limit;
use remit_core::authority::weakening::Needed;
use remit_core::authority::{Person, Tiers};
use remit_core::calendar::Calendar;
use remit_core::ids::{AgentId, TenantId};

use crate::at::At;
use crate::facet::Environments;
use crate::report::Report;
use crate::settings::file::approvals::FactorWord;
use crate::settings::file::{AuthenticationFile, ChangesFile, ReadsWord, RecordsFile, SettingsFile, StoreFile};
use crate::settings::{
    Authentication, Records, Settings, StorePlace, Transport, approvals, attention, calendar, ledger, notify,
    retention, risk, rules, sign_in,
};

const RUN_IDLE_SECS: u64 = 30 * 60;
const BATCH_MS: u64 = 100;
const BATCH_MS_MAX: u64 = 10_000;
/// Most people that a change may need.
const CHANGE_PEOPLE_MAX: u32 = 9;

/// What `remit.yaml` says about the organisation; other files are checked against it.
#[derive(Debug, Default)]
pub(crate) struct Organisation {
    pub calendar: Calendar,
    pub environments: Environments,
    pub rules: Vec<ApprovalRule>,
    pub limits: Vec<Limit>,
    pub people: Vec<Person>,
    pub break_glass: Vec<BreakGlass>,
    pub tiers: Tiers,
}

pub(crate) fn check(
    file: At<SettingsFile>,
    report: &mut Report<'_>,
    warnings: &mut Report<'_>,
) -> (Option<Settings>, Organisation) {
    let mut file = file.into_value();
    let organisation = organisation(&mut file, report);
    let tenant = report.id(&file.tenant, TenantId::parse);
    let help = "write an address and a port: `127.0.0.1:7420`";
    let listen = report.read(&file.listen, |text| text.parse::<SocketAddr>().ok(), "an address to listen on", help);
    let loopback = listen.is_none_or(|listen| listen.ip().is_loopback());
    let transport = transport(&file, loopback, report);
    let authentication = authentication(&file.authentication, loopback, report);
    let StoreFile::Sqlite(store) = &file.store;
    if store.is_empty() {
        report.fault(store, "the path is empty", "write `{sqlite: remit.db}`");
    }
    let ledger = ledger::check(file.ledger, &file.tenant, report);
    let port = listen.map_or(0, |listen| listen.port());
    let allowed_hosts = match file.allowed_hosts {
        Some(hosts) => hosts.iter().filter_map(|host| self::host(host, report)).collect(),
        None => {
            if !loopback {
                let message = "without `allowed_hosts` only the loopback names are answered";
                warnings.fault(&file.listen, message, "list the names under which clients reach the gateway");
            }
            ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")).to_vec()
        }
    };
    let allowed_origins = file.allowed_origins.iter().filter_map(|origin| self::origin(origin, report)).collect();
    let records = records(file.records, report);
    let retention = retention::check(file.retention, report);
    let run_idle_secs = file.runs.and_then(|runs| report.length_secs(&runs.idle)).unwrap_or(RUN_IDLE_SECS);
    let (hold_ms, questions_per_agent_max) = attention::wait(file.wait, report);
    let canaries = attention::canaries(file.canaries, report);
    let console = super::console::check(file.console, report);
    if file.sign_in.is_none() {
        let vouched = file.approvals.iter().filter(|(_, rule)| matches!(rule.factor, Some(FactorWord::Oidc)));
        for (name, _) in vouched {
            let message = "this rule takes another party's word, and no party is named: only passkeys count";
            warnings.fault(name, message, "add `sign_in: {oidc: …}`, or write `factor: passkey`");
        }
    }
    let oidc = sign_in::check(file.sign_in, &console, loopback, report);
    let changes = changes(file.changes, report);
    let rules: Vec<&str> = file.approvals.iter().map(|(name, _)| name.as_str()).collect();
    let notify = notify::check(file.notify, &rules, report, warnings);
    let settings = || {
        Some(Settings {
            tenant: tenant?,
            listen: listen?,
            transport,
            authentication: authentication?,
            store: StorePlace::Sqlite(PathBuf::from(&**store)),
            ledger,
            allowed_hosts,
            allowed_origins,
            records,
            retention,
            environments: organisation.environments.names().map(str::to_owned).collect(),
            run_idle_secs,
            hold_ms,
            questions_per_agent_max,
            canaries,
            console,
            oidc,
            changes,
            notify,
        })
    };
    (settings(), organisation)
}

fn organisation(file: &mut SettingsFile, report: &mut Report<'_>) -> Organisation {
    let environments = Environments::new(file.environments.take().unwrap_or_default(), report);
    let calendar = file.calendar.take().map(|calendar| calendar::check(calendar, report)).unwrap_or_default();
    let on_call = approvals::schedules(&file.on_call, &calendar.zone, report);
    let rules: Vec<_> =
        file.approvals.iter().filter_map(|(name, at)| approvals::rule(name, at, &on_call, report)).collect();
    Organisation {
        tiers: risk::tiers(file.risk.take(), &rules, report),
        rules,
        limits: rules::limits(&file.limits, None, report),
        people: rules::people(&file.people, report),
        break_glass: crate::access::emergencies(&file.break_glass, &environments, &on_call, report),
        calendar,
        environments,
    }
}

fn transport(file: &SettingsFile, loopback: bool, report: &mut Report<'_>) -> Transport {
    match (&file.tls, &file.plaintext) {
        (Some(_), Some(plaintext)) if **plaintext => {
            report.fault(plaintext, "`tls` and `plaintext: true` exclude each other", "remove one of them");
            Transport::Plaintext
        }
        (Some(tls), _) => Transport::Tls { cert: PathBuf::from(&tls.cert), key: PathBuf::from(&tls.key) },
        (None, plaintext) => {
            if !loopback && !plaintext.as_ref().is_some_and(|plaintext| **plaintext) {
                let message = format!("`{}` can be reached from other machines, unencrypted", *file.listen);
                let help = "add `tls: {cert: …, key: …}`, or `plaintext: true` behind a proxy that ends TLS";
                report.fault(&file.listen, message, help);
            }
            Transport::Plaintext
        }
    }
}

fn authentication(file: &AuthenticationFile, loopback: bool, report: &mut Report<'_>) -> Option<Authentication> {
    match file {
        AuthenticationFile::Keys => Some(Authentication::Keys),
        AuthenticationFile::Anonymous(agent) => {
            if !loopback {
                let message = "anonymous callers are accepted on the loopback interface only";
                report.fault(agent, message, "use `authentication: keys`");
            }
            report.id(agent, AgentId::parse).map(Authentication::Anonymous)
        }
    }
}

fn records(file: Option<RecordsFile>, report: &mut Report<'_>) -> Records {
    let Some(file) = file else { return Records::Batched { within_ms: BATCH_MS } };
    let within_ms = file.within_ms.as_ref().map_or(BATCH_MS, |within| **within);
    if let Some(at) = file.within_ms.as_ref().filter(|_| !(1..=BATCH_MS_MAX).contains(&within_ms)) {
        report.fault(at, format!("`{within_ms}` is out of bounds"), "write 1 to 10000 milliseconds");
    }
    match (file.reads, file.within_ms) {
        (Some(ReadsWord::Strict), Some(within)) => {
            report.fault(&within, "`within_ms` means nothing for strict records", "remove it, or use `reads: batched`");
            Records::Strict
        }
        (Some(ReadsWord::Strict), None) => Records::Strict,
        _ => Records::Batched { within_ms },
    }
}

fn changes(file: Option<ChangesFile>, report: &mut Report<'_>) -> Needed {
    let standard = Needed::default();
    let Some(file) = file else { return standard };
    let people = file.people.as_ref().map_or(standard.weakening, |people| **people);
    if let Some(at) = file.people.as_ref().filter(|_| !(1..=CHANGE_PEOPLE_MAX).contains(&people)) {
        report.fault(at, format!("`{people}` is out of bounds"), "write 1 to 9 people");
    }
    // One person who may weaken alone need not be asked more often for what weighs less.
    let widening = file.widening.as_ref().map_or(standard.widening.min(people), |widening| **widening);
    if let Some(at) = file.widening.as_ref().filter(|_| widening > people) {
        report.fault(
            at,
            format!("letting a remit grow would need {widening} people, and removing a guardrail {people}"),
            "write at most as many as under `people`",
        );
    }
    Needed { weakening: people, widening, factor: file.factor.and_then(FactorWord::least) }
}

/// A `Host` header: a name or address with an optional port, in lower case, as it is compared.
fn host(at: &At<String>, report: &mut Report<'_>) -> Option<String> {
    let plain = |text: &str| {
        let shaped = text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b));
        (shaped && !text.is_empty()).then(|| text.to_ascii_lowercase())
    };
    report.read(at, plain, "a host", "write a name with its port, and no scheme: `remit.acme.example:443`")
}

/// An `Origin` header: scheme and host, no path.
fn origin(at: &At<String>, report: &mut Report<'_>) -> Option<String> {
    let plain = |text: &str| {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let shaped = host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
        (shaped && !host.is_empty()).then(|| text.to_ascii_lowercase())
    };
    report.read(at, plain, "an origin", "write scheme and host, without a path: `https://console.acme.example`")
}
