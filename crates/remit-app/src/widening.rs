//! Widening a remit without the folder: the texts in force with one of them changed in one place. What comes of it is
//! put forward like every change, and people vote on exactly those texts. The folder is not touched: whoever keeps it
//! takes the same lines over, or its next change takes them back.
//!
//! Only plain texts are edited, by their lines, and only where a line says one thing. What stands there in another form
//! is left to a person.

use remit_core::authority::remit::Stage;
use remit_core::ids::{AgentId, ProposalId};
use remit_core::json;
use serde_json::Value;

use crate::change::last_in_force;
use crate::gate::Gate;
use crate::intent::Unavailable;

/// What is to grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wider {
    /// How far the agent is trusted.
    Stage(Stage),
    /// What it is granted in one class, as a proposal says.
    Proposal(ProposalId),
}

/// Why there are no texts in which it grows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWidened {
    /// The agent has no remit, or there is no such proposal for it.
    #[error("there is no such agent with a remit, or no such proposal for it")]
    Unknown,
    /// The agent is trusted so far already, or further.
    #[error("the agent is {0} already; trusting it less is a change of the folder, which needs nobody")]
    NotFurther(&'static str),
    /// The file cannot be edited by its lines.
    #[error("{0} is written in a form that only a person can change")]
    Shape(String),
    /// The texts in force, or what was proposed, are deleted.
    #[error("the texts are not there any more")]
    Gone,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Gate {
    /// The texts of the authority in force in which this agent's remit is wider, as canonical JSON.
    ///
    /// # Errors
    /// See [`NotWidened`].
    pub async fn widened(&self, agent: &AgentId, wider: &Wider) -> Result<String, NotWidened> {
        let snapshot = self.snapshot();
        let remit = snapshot.remit(agent).ok_or(NotWidened::Unknown)?;
        let in_force = last_in_force(&*self.ports.store).await?.filter(|(digest, _)| *digest == snapshot.digest());
        let sources = in_force.and_then(|(_, sources)| sources).ok_or(NotWidened::Gone)?;
        let mut sources = json::parse(sources.as_bytes()).map_err(|_| NotWidened::Gone)?;
        let file = &remit.locus.file;
        let text = sources.get(file).and_then(Value::as_str).ok_or(NotWidened::Gone)?;
        let edited = match wider {
            Wider::Stage(stage) if *stage <= remit.stage => return Err(NotWidened::NotFurther(remit.stage.as_str())),
            Wider::Stage(stage) => staged(text, *stage),
            Wider::Proposal(id) => {
                let proposal = self.ports.store.proposal(id).await?.filter(|known| known.agent == *agent);
                let proposal = proposal.ok_or(NotWidened::Unknown)?;
                let suggestion = self.suggestion(&proposal).await?.ok_or(NotWidened::Gone)?;
                granted(text, &suggestion.lines)
            }
        };
        let edited = edited.ok_or_else(|| NotWidened::Shape(file.clone()))?;
        if let Some(text) = sources.get_mut(file) {
            *text = Value::String(edited);
        }
        Ok(json::canonical(&sources))
    }
}

/// The text with another stage.
fn staged(text: &str, stage: Stage) -> Option<String> {
    let says = format!("stage: {}", stage.as_str());
    match heading(text, "stage") {
        Headings::One(at, value) => {
            let plain = value.split_once(" #").map_or(value, |(value, _)| value).trim();
            let known = [Stage::Sandbox, Stage::Supervised, Stage::Autonomous].iter().any(|one| one.as_str() == plain);
            let rest = value.split_once(" #").map(|(_, note)| format!(" #{note}")).unwrap_or_default();
            known.then(|| spliced(text, at, 1, &format!("{says}{rest}")))
        }
        // Without a word it stands at the first one.
        Headings::None => Some(spliced(text, text.lines().count(), 0, &says)),
        Headings::Several => None,
    }
}

/// The text with a grant, which stands before the others of its class: where two match, the earlier one counts. `lines`
/// are those of a proposal: the class, and the grant below it.
fn granted(text: &str, lines: &str) -> Option<String> {
    let (class, grant) = lines.trim_end().split_once(":\n")?;
    match heading(text, class) {
        Headings::One(at, value) => match value.split_once('#').map_or(value, |(value, _)| value).trim() {
            // A list below: the grant is its first member, as far to the right as the others.
            "" => {
                let first = text.lines().skip(at + 1).find(|line| {
                    let line = line.trim_start();
                    !line.is_empty() && !line.starts_with('#')
                })?;
                let depth = first.len() - first.trim_start_matches(' ').len();
                let member = first.trim_start().starts_with("- ");
                member.then(|| spliced(text, at + 1, 0, &indented(grant, depth)))
            }
            "none" | "[]" => Some(spliced(text, at, 1, &format!("{class}:\n{grant}"))),
            _ => None,
        },
        Headings::None => Some(spliced(text, text.lines().count(), 0, &format!("{class}:\n{grant}"))),
        Headings::Several => None,
    }
}

/// Where a member of the outermost mapping stands.
enum Headings<'t> {
    None,
    /// In this line, counted from zero, with what follows the colon.
    One(usize, &'t str),
    /// More than once, or in a text that is no mapping of lines.
    Several,
}

fn heading<'t>(text: &'t str, name: &str) -> Headings<'t> {
    // An anchor, a second document or a mapping in braces is nothing that is edited by its lines.
    if text.lines().any(|line| line.starts_with(['{', '[', '?', '%', '&']) || line == "---" || line == "...") {
        return Headings::Several;
    }
    let mut found = text.lines().enumerate().filter_map(|(at, line)| {
        let rest = line.strip_prefix(name)?.strip_prefix(':')?;
        (rest.is_empty() || rest.starts_with([' ', '\t'])).then_some((at, rest))
    });
    match (found.next(), found.next()) {
        (None, _) => Headings::None,
        (Some((at, rest)), None) => Headings::One(at, rest),
        (Some(_), Some(_)) => Headings::Several,
    }
}

/// With these lines in the place of so many from this one on.
fn spliced(text: &str, at: usize, gone: usize, lines: &str) -> String {
    let before = text.lines().take(at);
    let after = text.lines().skip(at + gone);
    let all: Vec<_> = before.chain(lines.lines()).chain(after).collect();
    all.join("\n") + "\n"
}

/// A grant as proposals write it, moved to this depth.
fn indented(grant: &str, depth: usize) -> String {
    let moved = grant.lines().map(|line| format!("{:depth$}{}", "", line.strip_prefix("  ").unwrap_or(line)));
    moved.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMIT: &str = "agent: desk\nstage: supervised # since May\nread:\n  - tools: [a/*]\ntrigger:\n# few\n- tools: [b/c]\n  \
                         approval: two\nexpose: none\n";
    const LINES: &str = "trigger:\n  - tools: [b/c]\n    when: 'args.x == 1'\n";

    #[test]
    fn a_stage_is_one_word_of_one_line() {
        let text = staged(REMIT, Stage::Autonomous).expect("it is edited");
        assert_eq!(text, REMIT.replace("stage: supervised", "stage: autonomous"));
        let without = staged("agent: desk\n", Stage::Supervised);
        assert_eq!(without.as_deref(), Some("agent: desk\nstage: supervised\n"));
        for odd in
            ["stage: *anchor\n", "stage: sandbox\nstage: sandbox\n", "{stage: sandbox}\n", "---\nstage: sandbox\n"]
        {
            assert_eq!(staged(odd, Stage::Autonomous), None, "{odd}");
        }
    }

    #[test]
    fn a_grant_stands_first_in_its_class() {
        let text = granted(REMIT, LINES).expect("it is edited");
        let expected = REMIT.replace("trigger:\n", "trigger:\n- tools: [b/c]\n  when: 'args.x == 1'\n");
        assert_eq!(text, expected);
        let read = granted(REMIT, &LINES.replace("trigger", "read")).expect("it is edited");
        assert!(read.contains("read:\n  - tools: [b/c]\n    when: 'args.x == 1'\n  - tools: [a/*]\n"), "{read}");
        let none = granted(REMIT, &LINES.replace("trigger", "expose")).expect("it is edited");
        assert!(none.ends_with("expose:\n  - tools: [b/c]\n    when: 'args.x == 1'\n"), "{none}");
        let new = granted(REMIT, &LINES.replace("trigger", "write")).expect("it is edited");
        assert!(new.ends_with("expose: none\nwrite:\n  - tools: [b/c]\n    when: 'args.x == 1'\n"), "{new}");
        assert_eq!(granted("trigger: [{ tools: [\"*\"] }]\n", LINES), None);
        assert_eq!(granted("trigger: &t\n  - tools: [a/b]\n", LINES), None);
    }
}
