//! `init --from`: what holds a secret is moved or refused, and what fails leaves everything as it was.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use remit_testkit::place::{Told, program};
use serde_json::{Value, json};

use crate::world::contains;

/// A client's file, and where its folder would be.
struct Client(tempfile::TempDir);

impl Client {
    fn of(servers: &Value) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        std::fs::write(place.path().join("client.json"), json!({"mcpServers": servers}).to_string()).expect("a file");
        Self(place)
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("client.json")
    }

    fn over(&self) -> PathBuf {
        self.0.path().join("over")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).expect("a text")
    }

    fn read(&self) -> Value {
        serde_json::from_str(&self.text()).expect("a document")
    }

    fn write(&self, said: &Value) {
        std::fs::write(self.file(), said.to_string()).expect("written");
    }

    fn undo(&self) -> Told {
        let mut command = Command::new(program());
        command.arg("init").arg("--undo").arg(self.file());
        command.stdin(Stdio::null()).output().expect("it runs").into()
    }

    fn init(&self) -> Told {
        let mut command = Command::new(program());
        command.arg("-C").arg(self.over()).arg("init").arg("--from").arg(self.file());
        command.stdin(Stdio::null()).output().expect("it runs").into()
    }

    /// The names of all files and folders below.
    fn names(&self) -> Vec<String> {
        below(self.0.path())
            .iter()
            .map(|path| path.strip_prefix(self.0.path()).expect("below").display().to_string())
            .collect()
    }
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

#[test]
fn what_cannot_be_taken_over_changes_nothing() {
    for (servers, said) in [
        (json!({"c": {"command": "true", "args": ["--token", "sekret"]}}), "a secret in `--token` in its `args`"),
        (json!({"q": {"url": "http://127.0.0.1:1/mcp?api_key=sekret"}}), "a secret in the query of its `url`"),
        (json!({"p": {"url": "http://user:sekret@127.0.0.1:1/mcp"}}), "a secret in the user or password of its `url`"),
        // A fault that only the configuration finds.
        (json!({"o": {"url": "http://elsewhere.example/mcp", "headers": {"X": "sekret"}}}), "plain HTTP would carry"),
        (json!({}), "its `mcpServers` names no server"),
    ] {
        let client = Client::of(&servers);
        let before = client.text();
        // The second attempt meets nothing of the first one.
        for _ in 0..2 {
            let told = client.init();
            assert!(!told.well, "{servers}: {told:?}");
            contains(&told.err, &[said]);
            assert!(!told.err.contains("sekret") && !told.out.contains("sekret"), "{told:?}");
            assert_eq!(client.names(), ["client.json"]);
            assert_eq!(client.text(), before);
        }
    }
}

#[test]
fn secrets_are_moved_to_where_git_does_not_look() {
    let url = json!({"url": "http://127.0.0.1:1/mcp", "headers": {"Authorization": "Bearer sekret"}});
    let stdio = json!({"command": "false", "env": {"DATABASE_URL": "postgres://u:sekret@h/db", "LANG": "C"}});
    let client = Client::of(&json!({"web": url, "db": stdio}));
    let before = client.text();
    std::fs::create_dir(client.over()).expect("a folder");
    std::fs::write(client.over().join("NOTES"), "mine").expect("a file");
    let told = client.init();
    assert!(told.well, "{told:?}");
    let private = client.over().join(".remit");
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&private), 0o700);
    for path in below(&client.over()).into_iter().filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&path).expect("a text");
        if path.starts_with(&private) {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        } else {
            assert!(!text.contains("sekret"), "{}: {text}", path.display());
        }
    }
    assert_eq!(std::fs::read_to_string(private.join("db.secret")).expect("a secret"), "postgres://u:sekret@h/db");
    assert_eq!(std::fs::read_to_string(client.over().join("NOTES")).expect("a text"), "mine");
    assert!(!client.over().join(".remit-init").exists());
    assert_eq!(mode(&client.file()), 0o600, "it holds the agent's key");
    assert!(client.text().contains("rk_agent_") && !client.text().contains("sekret"));
    assert!(client.undo().well);
    assert_eq!(client.text(), before);
    contains(&client.undo().err, &["was not taken over"]);
}

#[test]
fn what_was_changed_after_the_take_over_stays() {
    let client = Client::of(&json!({"web": {"url": "http://127.0.0.1:1/mcp"}}));
    let servers = client.read()["mcpServers"].clone();
    assert!(client.init().well);
    let mut edited = client.read();
    edited["theme"] = json!("light");
    edited["mcpServers"]["later"] = json!({"url": "http://127.0.0.1:2/mcp"});
    client.write(&edited);
    contains(&client.undo().err, &["servers that came later (later)"]);
    assert_eq!(client.read(), edited, "and nothing was changed");
    edited["mcpServers"].as_object_mut().expect("servers").remove("later");
    client.write(&edited);
    contains(&client.undo().out, &["has its servers back"]);
    assert_eq!((&client.read()["mcpServers"], &client.read()["theme"]), (&servers, &json!("light")));
    let mode = std::fs::metadata(client.file()).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "it may hold secrets");
}

#[test]
fn what_is_there_already_is_not_written_over() {
    let client = Client::of(&json!({"web": {"url": "http://127.0.0.1:1/mcp"}}));
    std::fs::create_dir(client.over()).expect("a folder");
    std::fs::write(client.over().join("keys.yaml"), "mine").expect("a file");
    contains(&client.init().err, &["keys.yaml` is there already; nothing was changed"]);
    assert_eq!(client.names(), ["client.json", "over", "over/keys.yaml"]);
    std::fs::rename(client.over().join("keys.yaml"), client.over().join(".gitignore")).expect("moved");
    contains(&client.init().err, &["does not name `.remit/`"]);
    std::fs::write(client.over().join(".gitignore"), "target\n/.remit/\n").expect("a file");
    let told = client.init();
    assert!(told.well, "{told:?}");
    assert_eq!(std::fs::read_to_string(client.over().join(".gitignore")).expect("a text"), "target\n/.remit/\n");
}
