//! The operator's key: to whom the program shows it, and where it may lie.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use remit_testkit::place::{Place, Told, program};

use crate::world::{World, contains};

fn told(place: &Place, arguments: &[&str], environment: &[(&str, &str)]) -> Told {
    let mut command = Command::new(program());
    command.arg("-C").arg(place.path()).args(arguments).envs(environment.iter().copied());
    command.env_remove("REMIT_OPERATOR_KEY").stdin(Stdio::null()).output().expect("it runs").into()
}

#[test]
fn the_key_is_shown_to_no_network() {
    let place = Place::base();
    place.hide(".remit/operator.key", "rk_operator_x");
    for url in [
        "http://192.0.2.1:80",
        "http://gateway.example",
        "http://127.0.0.1@gateway.example",
        "http://127.0.0.1.gateway.example:7420",
        "http://localhost.example",
        "http://[2001:db8::1]:7420",
    ] {
        let by_option = told(&place, &["questions", "--url", url], &[]);
        let by_variable = told(&place, &["questions"], &[("REMIT_URL", url)]);
        let signing_in = told(&place, &["login", "--url", url], &[]);
        for told in [by_option, by_variable, signing_in] {
            assert!(!told.well, "{url}: {told:?}");
            contains(&told.err, &["to the network: use https"]);
        }
    }
    for here in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://localhost:1"] {
        contains(&told(&place, &["questions", "--url", here], &[]).err, &["no gateway answers"]);
    }
    for (wrong, said) in
        [("nonsense", "`nonsense` is no URL"), ("ftp://127.0.0.1", "is no URL"), ("http://", "is no URL")]
    {
        contains(&told(&place, &["questions", "--url", wrong], &[]).err, &[said, "http://127.0.0.1:7420"]);
    }
}

#[test]
fn no_key_is_issued_that_proves_nothing() {
    let place = Place::base();
    let before = place.text("keys.yaml");
    contains(&told(&place, &["agents", "key", "desk", "--expires", "2020-01-31"], &[]).err, &["is not after today"]);
    assert_eq!(place.text("keys.yaml"), before);
    let issued = told(&place, &["agents", "key", "nobody", "--expires", "2099-01-31"], &[]);
    assert!(issued.well, "{issued:?}");
    contains(&issued.out, &["warning: no remit is held by `nobody`", "rk_agent_"]);
    assert!(!told(&place, &["agents", "key", "desk", "--expires", "2099-01-31"], &[]).out.contains("warning"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_taken_back_opens_nothing_and_the_others_stay() {
    let world = World::new().await;
    let own = |arguments: &[&str]| told(&world.place, arguments, &[]);
    assert!(own(&["agents", "key", "desk", "--expires", "2099-01-31", "--name", "spare"]).well);
    assert_eq!(world.refund("p-1", 5).await.0, 200);
    contains(&own(&["agents", "revoke", "nobody"]).err, &["no agent's key is named `nobody`", "verbs-agent", "spare"]);
    for (key, said) in [("spare", "`spare` of desk is revoked"), ("verbs-agent", "`verbs-agent` of desk is revoked")] {
        contains(&own(&["agents", "revoke", key]).out, &[said]);
        contains(&own(&["agents", "revoke", key]).out, &["already"]);
    }
    contains(&own(&["agents"]).out, &["verbs-agent (revoked)", "spare (revoked)"]);
    contains(&world.place.text("keys.yaml"), &[", revoked: true }\n", "\n    revoked: true\n"]);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while world.refund("p-2", 5).await.0 != 401 {
        assert!(std::time::Instant::now() < end, "the gateway takes it up by itself");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.end().await;
}

#[test]
fn a_key_that_others_can_read_is_not_used() {
    let place = Place::base();
    place.hide(".remit/operator.key", "rk_operator_x");
    let file = place.path().join(".remit/operator.key");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let url = "http://127.0.0.1:1";
    contains(&told(&place, &["questions", "--url", url], &[]).err, &["can be read by others (mode 644); use 600"]);
    let named = ["questions", "--url", url, "--key-file", &file.display().to_string()].map(str::to_owned);
    let named: Vec<_> = named.iter().map(String::as_str).collect();
    contains(&told(&place, &named, &[]).err, &["can be read by others (mode 644); use 600"]);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    contains(&told(&place, &named, &[]).err, &["no gateway answers"]);
}
