//! Every command that the pages show is one that the program takes.

use std::path::{Path, PathBuf};

use clap::Parser as _;
use clap::error::ErrorKind;
use remit_cli::commands::Cli;

/// The pages that people copy commands from.
fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join("docs"), root.join("examples")];
    let mut found = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let read = |path: PathBuf| (path.clone(), std::fs::read_to_string(path).expect("text"));
    found.into_iter().map(read).collect()
}

/// The words of a command as a shell would see them: up to a comment, a pipe, or what a page says beside it.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '|' | '>' | '<' | ';' | '&') => break,
            (None, '#') if word.is_none() => break,
            (None, '$') if rest.peek() == Some(&'(') => {
                // What another command prints; that one is looked at by itself.
                rest.by_ref().find(|c| *c == ')');
                word.get_or_insert_default().push('x');
            }
            (None, ' ') => {
                words.extend(word.take());
                let mut wide = 1;
                while rest.next_if_eq(&' ').is_some() {
                    wide += 1;
                }
                if wide > 2 && rest.peek() != Some(&'-') {
                    break;
                }
            }
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The commands in blocks, which must be whole, and those within a sentence, which may leave things out.
fn commands(page: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut whole, mut mentioned, mut block) = (Vec::new(), Vec::new(), false);
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
        } else if block {
            let line = line.trim_start().trim_start_matches("$ ");
            whole.extend(line.starts_with("remit ").then_some(line));
            let inner = line.split("$(").skip(1).filter_map(|rest| rest.split(')').next());
            whole.extend(inner.filter(|inner| inner.starts_with("remit ")));
        } else {
            mentioned.extend(line.split('`').skip(1).step_by(2).filter(|code| code.starts_with("remit ")));
        }
    }
    (whole, mentioned)
}

#[test]
fn every_command_on_a_page_is_taken() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (path, page) in pages() {
        let (whole, mentioned) = commands(&page);
        let lines = whole.into_iter().map(|line| (line, true)).chain(mentioned.into_iter().map(|line| (line, false)));
        for (line, whole) in lines {
            count += 1;
            let Err(error) = Cli::try_parse_from(words(line)) else { continue };
            let left_out = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    | ErrorKind::DisplayVersion
                    | ErrorKind::DisplayHelp
            );
            if whole || !left_out {
                wrong.push(format!("{}: `{line}`: {error}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "the program takes no such command:\n{}", wrong.join("\n"));
    assert!(count > 60, "only {count} commands were found on the pages");
}
