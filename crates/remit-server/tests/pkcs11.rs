//! A key in a token signs the head of a log. The token is SoftHSM's: `./test` installs it and names its driver
//! in REMIT_TEST_PKCS11. Without that there is nothing to test against, and this says so.
#![expect(clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking, and says what it skips")]

use std::path::{Path, PathBuf};
use std::process::Command;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use remit_app::secret::Secret;
use remit_core::ids::Digest;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::note::NoteSigner;
use remit_server::pkcs11::{Place, TokenKey};

const PIN: &str = "1234";
/// `edwards25519` as a DER printable string (PKCS#11 3.0, 2.3.5).
const CURVE: &[u8] = b"\x13\x0cedwards25519";

/// A token with the key pairs `log` and, twice, `double`.
fn furnish(driver: &Path) {
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "remit", "--pin", PIN, "--so-pin", "4321"])
        .output();
    assert!(made.expect("softhsm2-util").status.success());
    let pkcs11 = Pkcs11::new(driver).expect("the driver");
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).expect("initialised");
    let named = |slot: &Slot| pkcs11.get_token_info(*slot).is_ok_and(|token| token.label().trim_end() == "remit");
    let slot = pkcs11.get_slots_with_token().expect("slots").into_iter().find(named).expect("the token");
    let session = pkcs11.open_rw_session(slot).expect("a session");
    session.login(UserType::User, Some(&AuthPin::from(PIN.to_owned()))).expect("the login");
    for label in ["log", "double", "double"] {
        let label = Attribute::Label(label.as_bytes().to_vec());
        let public = [Attribute::Token(true), Attribute::EcParams(CURVE.to_vec()), label.clone()];
        let private = [Attribute::Token(true), Attribute::Private(true), Attribute::Sign(true), label];
        session.generate_key_pair(&Mechanism::EccEdwardsKeyPairGen, &public, &private).expect("a pair");
    }
}

#[test]
fn a_token_signs_checkpoints_and_refuses_what_it_should() {
    let Some(driver) = std::env::var_os("REMIT_TEST_PKCS11").map(PathBuf::from) else {
        return eprintln!("skipped: REMIT_TEST_PKCS11 names no driver");
    };
    furnish(&driver);
    let place = |token, label| Place { module: &driver, token, label };
    let pin = |text: &str| Secret::new(text.to_owned());
    let origin = "remit.example/log";
    for (token, label, code, why) in
        [("other", "log", PIN, "no token"), ("remit", "none", PIN, "no key"), ("remit", "double", PIN, "several keys")]
    {
        let refused = TokenKey::open(place(token, label), &pin(code), origin).err().expect("refused").to_string();
        assert!(refused.contains(why) && !refused.contains(PIN), "{refused}");
    }
    let key = TokenKey::open(place("remit", "log"), &pin(PIN), origin).expect("the key");
    let checkpoint = Checkpoint::new(origin, 1, Digest::of(b"root"));
    // `sign` verifies what a signer gives before it hands it on.
    let note = checkpoint.sign(&[&key], 1_795_255_200).expect("a signed checkpoint");
    let opened = Checkpoint::open(&note, [key.key()], []).expect("it opens under the token's public key");
    assert_eq!(opened.checkpoint, checkpoint);
}
