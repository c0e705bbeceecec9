//! Where an MCP client's description of a server holds secrets. Some can be moved into a file of their own; what
//! stands in an argument or an address cannot, and such a description is not taken over.

use serde_json::Value;

/// Said anywhere in a name, they make its value a secret.
const WORDS: [&str; 8] = ["apikey", "accesskey", "privatekey", "token", "secret", "password", "passwd", "credential"];
/// The same where a name is made of words and this is one of them.
const ALONE: [&str; 8] = ["key", "pass", "pwd", "auth", "authorization", "bearer", "pat", "sig"];
/// How keys of well-known services begin.
const BEGIN: [&str; 12] =
    ["sk-", "sk_", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "AKIA", "eyJ", "rk_"];

/// The headers and variables of a server that hold a secret, name and value: these can be moved.
pub(super) fn movable(server: &Value) -> Vec<(&str, &str)> {
    let texts = |of: &'static str| {
        let members = server[of].as_object().into_iter().flatten();
        members.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    };
    let variables = texts("env").filter(|(name, value)| says(name) || shaped(value));
    texts("headers").chain(variables).collect()
}

/// Where a server has something that looks like a secret and cannot be moved. The text never holds it.
pub(super) fn stuck(server: &Value) -> Option<String> {
    if let Some(place) = server["url"].as_str().and_then(in_address) {
        return Some(format!("{place} of its `url`"));
    }
    let command = server["command"].as_str().into_iter();
    let arguments = command.chain(server["args"].as_array().into_iter().flatten().filter_map(Value::as_str));
    let mut before = "";
    for (at, argument) in arguments.enumerate() {
        let (name, value) = match argument
            .split_once('=')
            .or_else(|| argument.split_once(": "))
            .filter(|(name, _)| word(name) && says(name))
        {
            Some((name, value)) => (name, value.trim()),
            None => (before, argument),
        };
        let option = name.starts_with('-') || name != before;
        if option && says(name) && !harmless(name, value) {
            return Some(format!("`{}` in its `args`", name.trim()));
        }
        if shaped(argument) || in_address(argument).is_some() {
            return Some(format!("number {at} of its `args`"));
        }
        before = argument;
    }
    None
}

/// Whether this can be the name of an option, a variable or a header.
fn word(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// In which part of an address something looks like a secret.
fn in_address(text: &str) -> Option<&'static str> {
    let (_, rest) = text.split_once("://")?;
    if rest.split(['/', '?', '#']).next().unwrap_or_default().contains('@') {
        return Some("the user or password");
    }
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let mut members = query.split(['&', ';', '#']).filter_map(|member| member.split_once('='));
    members.any(|(name, value)| !value.is_empty() && (says(name) || shaped(value))).then_some("the query")
}

/// Whether a name says that its value is a secret: `API_KEY`, `--authToken`, `x-pat`.
fn says(name: &str) -> bool {
    let mut words = vec![String::new()];
    let mut small = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && small) {
            words.push(String::new());
        }
        small = c.is_ascii_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    let whole = words.concat();
    WORDS.iter().any(|word| whole.contains(word)) || words.iter().any(|word| ALONE.contains(&word.as_str()))
}

/// `--max-tokens 4096` and `--key-file x` hold none.
fn harmless(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let elsewhere = ["file", "path", "dir", "env", "id", "name"].iter().any(|end| name.ends_with(end));
    let number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let bounds = name.contains("max") || name.contains("limit") || name.contains("count");
    elsewhere || value.starts_with('-') || value.is_empty() || (number && bounds)
}

/// Whether a value looks like a key of a known service, or holds a password in an address.
fn shaped(value: &str) -> bool {
    let value = value.strip_prefix("Bearer ").unwrap_or(value);
    let authority = value.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let password = authority.and_then(|authority| authority.rsplit_once('@')).is_some_and(|(who, _)| who.contains(':'));
    password || (value.len() >= 20 && !value.contains(['/', ' ']) && BEGIN.iter().any(|begin| value.starts_with(begin)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_moved_is_found_and_not_said() {
        for (server, place) in [
            (json!({"command": "c", "args": ["--token", "sekret"]}), Some("`--token` in its `args`")),
            (json!({"command": "c", "args": ["--apiKey=sekret"]}), Some("`--apiKey` in its `args`")),
            (
                json!({"command": "c", "args": ["-H", "Authorization: Bearer sekret"]}),
                Some("`Authorization` in its `args`"),
            ),
            (json!({"command": "env", "args": ["GITHUB_TOKEN=sekret", "c"]}), Some("`GITHUB_TOKEN` in its `args`")),
            (json!({"command": "c", "args": ["postgres://u:sekret@h/db"]}), Some("number 1 of its `args`")),
            (json!({"command": "c", "args": ["ghp_0123456789sekret0123"]}), Some("number 1 of its `args`")),
            (json!({"url": "http://h/mcp?api_key=sekret"}), Some("the query of its `url`")),
            (json!({"url": "http://h/mcp?x=1&key=sekret"}), Some("the query of its `url`")),
            (json!({"url": "http://user:sekret@h/mcp"}), Some("the user or password of its `url`")),
            (
                json!({"command": "c", "args": ["--max-tokens", "4096", "--key-file", "/x", "--token", "--verbose"]}),
                None,
            ),
            (json!({"command": "npx", "args": ["-y", "@scope/server-keyboard", "/home/ada/notes"]}), None),
            (json!({"command": "c", "args": ["https://u:sekret@h/?token=sekret"]}), Some("number 1 of its `args`")),
            (json!({"command": "docker", "args": ["run", "-e", "API_TOKEN", "ghcr.io/a/auth:1.2"]}), None),
            (json!({"command": "npx", "args": ["@scope/server-auth", "/home/ada"]}), None),
            (json!({"url": "https://h/mcp?team=a", "headers": {"Authorization": "Bearer sekret"}}), None),
        ] {
            let found = stuck(&server);
            assert_eq!(found.as_deref(), place, "{server}");
            assert!(!found.is_some_and(|found| found.contains("sekret")));
        }
    }

    #[test]
    fn what_can_be_moved_is() {
        let server = json!({"command": "c", "env": {
            "DATABASE_URL": "postgres://u:sekret@h/db", "LANG": "C", "HOME_PAGE": "https://a.example/@x",
        }});
        assert_eq!(movable(&server), [("DATABASE_URL", "postgres://u:sekret@h/db")]);
        assert_eq!(movable(&json!({"env": {"GH_PAT": "x", "MONKEY": "y"}})), [("GH_PAT", "x")]);
    }
}
