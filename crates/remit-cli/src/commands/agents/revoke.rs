//! `remit agents revoke`: takes a key back, and leaves every other line of keys.yaml as it is.

use std::path::Path;
use std::process::ExitCode;

use remit_core::ids::Digest;

use super::replace;
use crate::folder;
use crate::terminal::{Failure, Outcome, say};

/// Where the keys stand.
const FILE: &str = "keys.yaml";

pub(super) fn revoke(folder: &Path, name: &str) -> Outcome {
    let read = folder::read(folder)?;
    let mut meant = folder::check(&read)?.keys;
    let names = meant.agents.iter().map(|key| key.id.as_str()).collect::<Vec<_>>().join(", ");
    let unknown = || Failure::said(format!("no agent's key is named `{name}`; there are: {names}"));
    let key = meant.agents.iter_mut().find(|key| key.id == name).ok_or_else(unknown)?;
    if key.revoked {
        say(format!("`{name}` is revoked already"))?;
        return Ok(ExitCode::SUCCESS);
    }
    key.revoked = true;
    let (agent, written) = (key.agent.clone(), read.text(FILE).and_then(|text| marked(text, &key.sha256)));
    // Whatever way the file is written in: it is replaced only by what is read as this one key revoked, and nothing else.
    let as_meant = |text: &String| {
        let after = read.with([(FILE, text.as_str())]).and_then(|after| remit_config::load(&after));
        after.is_ok_and(|after| after.keys == meant)
    };
    let written = written.filter(as_meant).ok_or_else(|| {
        Failure::said(format!(
            "{FILE} is written in a way that this cannot change: write `revoked: true` there, beside `{name}`"
        ))
    })?;
    replace(&folder.join(FILE), &written)?;
    say(format!(
        "`{name}` of {agent} is revoked in {FILE}. A gateway that runs takes that up by itself, within a second or two."
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The text with `revoked: true` behind the digest: on a line of its own, or within the braces that the digest stands in.
fn marked(text: &str, sha256: &Digest) -> Option<String> {
    let digest = sha256.to_string();
    let (before, after) = text.split_once(&digest)?;
    let quote = after.chars().next().filter(|first| matches!(first, '"' | '\'')).map_or(0, char::len_utf8);
    let (quote, after) = after.split_at(quote);
    let (rest, more) = after.split_once('\n').map_or((after, None), |(rest, more)| (rest, Some(more)));
    if matches!(rest.trim_start().chars().next(), Some('}' | ',')) {
        return Some(format!("{before}{digest}{quote}, revoked: true{after}"));
    }
    let line = before.rsplit('\n').next()?;
    let indent = " ".repeat(line.find("sha256")?);
    Some(format!("{before}{digest}{quote}{rest}\n{indent}revoked: true\n{}", more.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_marked_as_the_file_is_written() {
        let sha256 = Digest::of(b"key");
        for (before, after) in [
            ("  - id: a\n    sha256: D\n  - id: b\n", "  - id: a\n    sha256: D\n    revoked: true\n  - id: b\n"),
            ("  - sha256: \"D\" # mine\n    id: a", "  - sha256: \"D\" # mine\n    revoked: true\n    id: a"),
            ("  - { id: a, sha256: D }\n", "  - { id: a, sha256: D, revoked: true }\n"),
            ("  - { sha256: 'D', id: a }", "  - { sha256: 'D', revoked: true, id: a }"),
            ("    sha256: D", "    sha256: D\n    revoked: true\n"),
        ] {
            let [before, after] = [before, after].map(|text| text.replace('D', &sha256.to_string()));
            assert_eq!(marked(&before, &sha256).as_deref(), Some(after.as_str()));
        }
        assert_eq!(marked("agents: []\n", &sha256), None);
    }
}
