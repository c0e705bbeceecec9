//! A gateway whose log is signed by a key that never leaves its token. The token is SoftHSM's: `./test` installs
//! it and names its driver in REMIT_TEST_PKCS11. Without that there is nothing to test against, and this says so.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

mod premises;

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use premises::{decided, proved, records, remit, start, trust, try_start};
use remit_app::prove::Wanted;
use remit_core::ids::RecordId;
use remit_evidence::judge::{Level, Verdict, judge};
use remit_testkit::place::Place;

const PIN: &str = "1234";
const TOKEN: &str = "remit gateway";

fn util(arguments: &[&str]) {
    let made = Command::new("softhsm2-util").args(arguments).output().expect("softhsm2-util");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Puts an Ed25519 key of this seed into the token (PKCS #8, RFC 8410).
fn import(place: &Place, label: &str, seed: u8) {
    let der = [&b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..], &[seed; 32]].concat();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    let file = place.path().join("key.pem");
    std::fs::write(&file, pem).expect("written");
    let (file, id) = (file.display().to_string(), format!("{seed:02x}"));
    util(&["--import", &file, "--token", TOKEN, "--label", label, "--id", &id, "--pin", PIN]);
}

fn ledger(driver: &Path) -> String {
    let driver = driver.display();
    format!(
        "ledger:\n  key:\n    pkcs11: {{ module: {driver}, token: {TOKEN}, label: log 1, pin: \"file:.remit/pin\" }}\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_signs_the_log_and_what_it_signed_verifies() {
    let Some(driver) = std::env::var_os("REMIT_TEST_PKCS11").map(std::path::PathBuf::from) else {
        return eprintln!("skipped: REMIT_TEST_PKCS11 names no driver");
    };
    let place = premises::with(&ledger(&driver));
    util(&["--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", "4321"]);
    import(&place, "log 1", 0x11);
    import(&place, "another", 0x22);
    place.hide(".remit/pin", &format!("{PIN}\n"));

    let running = start(&place).await;
    let record = decided(&running, None).await["record"].as_str().expect("a record").to_owned();
    let prover = running.edge.prover.clone().expect("a log");
    let bundle = proved(&prover, &Wanted::Record(RecordId::parse(&record).expect("an id"))).await;
    running.stop().await;
    assert!(!place.path().join(".remit/log-ed25519.key").exists(), "the key is in the token and nowhere else");
    let report = judge(&bundle, &trust(&place), &[]);
    assert_eq!(report.verdict, Verdict::Valid, "{:?}", report.checks);
    assert!(report.claims.iter().all(|claim| claim.level == Level::Logged));

    let (sound, told) = remit(&place, &["ledger", "fsck"]);
    assert!(sound, "{told}");
    let (_, told) = remit(&place, &["ledger", "keys"]);
    assert!(told.contains(&format!("# Ed25519: key `log 1` in token `{TOKEN}`")), "{told}");
    assert!(told.contains("# ML-DSA-44: ") && told.contains("log-ml-dsa-44.key"), "{told}");
    let (_, told) = remit(&place, &["doctor"]);
    assert!(told.contains("ok    log keys: key `log 1`"), "{told}");

    // Each way in which it can be wrong, by its own words, and never with the PIN.
    let cases = [
        ("label: log 1", "label: none", "the token has no key `none`"),
        ("token: remit gateway", "token: other", "there is no token `other`"),
        ("pin: \"file:.remit/pin\"", "pin: \"env:REMIT_TEST_NO_PIN\"", "`REMIT_TEST_NO_PIN` is not set"),
        ("module: /", "module: /none/", "there is no driver at `/none/"),
    ];
    for (from, to, why) in cases {
        place.edit("remit.yaml", from, to);
        let refused = try_start(&place).await.err().expect("it does not start");
        let (sound, told) = remit(&place, &["doctor"]);
        assert!(refused.contains(why) && !refused.contains(PIN), "{refused}");
        assert!(!sound && told.contains("WRONG log keys") && told.contains(why), "{told}");
        place.edit("remit.yaml", to, from);
    }
    place.hide(".remit/pin", "99999\n");
    let refused = try_start(&place).await.err().expect("it does not start");
    assert!(refused.contains("the PIN is not that of the token") && !refused.contains("99999"), "{refused}");
    place.hide(".remit/pin", PIN);

    // A key that is not the one of the head signs nothing.
    let checkpoint = || std::fs::read(place.path().join(".remit/ledger/checkpoint")).expect("a checkpoint");
    let before = checkpoint();
    place.edit("remit.yaml", "label: log 1", "label: another");
    let running = start(&place).await;
    records(&running, 3).await;
    while !running.edge.metrics.text().contains("remit_ledger_stopped 1") {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    running.stop().await;
    assert_eq!(checkpoint(), before, "nothing was signed");
    place.edit("remit.yaml", "label: another", "label: log 1");
    start(&place).await.stop().await;
    assert!(remit(&place, &["ledger", "fsck"]).0, "the right key seals what came in between");
}
