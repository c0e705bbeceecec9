//! A file tree behind three tools, over standard input and output.

use std::io::{BufRead as _, Write as _};
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use crate::sample::protocol::{Toolbox, answer, tool};
use crate::terminal::Failure;

/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

struct Files {
    root: PathBuf,
}

/// Serves until standard input ends.
pub fn serve(root: &Path) -> Result<(), Failure> {
    let root = root.canonicalize().map_err(|error| Failure::Io(root.display().to_string(), error))?;
    let files = Files { root };
    let gone = |error| Failure::Io("standard output".into(), error);
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Failure::Io("standard input".into(), error))?;
        let Ok(message) = remit_core::json::parse(line.as_bytes()) else { continue };
        if let Some(reply) = answer(&files, &message) {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{reply}").and_then(|()| out.flush()).map_err(gone)?;
        }
    }
    Ok(())
}

/// What it serves.
pub fn definitions() -> Vec<Value> {
    let path = || json!({"path": {"type": "string", "description": "Relative to the folder"}});
    vec![
        tool("list", "Lists the files of a folder.", path(), &[]),
        tool("read", "Reads a file.", path(), &["path"]),
        tool(
            "write",
            "Writes a file.",
            json!({"path": {"type": "string"}, "text": {"type": "string", "maxLength": 100_000}}),
            &["path", "text"],
        ),
    ]
}

impl Files {
    /// The place a relative path names inside the root. Links that lead out are refused.
    fn inside(&self, path: &str) -> Result<PathBuf, String> {
        let relative = Path::new(path);
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!("`{path}` is no path inside the folder"));
        }
        let whole = self.root.join(relative);
        let existing = whole.ancestors().find(|at| at.exists()).unwrap_or(&self.root);
        let real = existing.canonicalize().map_err(|error| error.to_string())?;
        if real.starts_with(&self.root) { Ok(whole) } else { Err(format!("`{path}` leads out of the folder")) }
    }
}

impl Toolbox for Files {
    fn name(&self) -> &'static str {
        "sample-files"
    }

    fn tools(&self) -> Vec<Value> {
        definitions()
    }

    fn call(&self, tool: &str, arguments: &Value) -> Result<Value, String> {
        let path = arguments["path"].as_str().unwrap_or_default();
        match tool {
            "list" => {
                let folder = if path.is_empty() { self.root.clone() } else { self.inside(path)? };
                let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
                let names =
                    entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
                let mut names: Vec<_> = names.take(1000).collect();
                names.sort();
                Ok(json!({"files": names}))
            }
            "read" => {
                let place = self.inside(path)?;
                let size = std::fs::metadata(&place).map_err(|error| error.to_string())?.len();
                if size > FILE_BYTES_MAX {
                    return Err("the file is too large".into());
                }
                Ok(json!({"text": std::fs::read_to_string(place).map_err(|error| error.to_string())?}))
            }
            _ => {
                let text = arguments["text"].as_str().unwrap_or_default();
                std::fs::write(self.inside(path)?, text).map_err(|error| error.to_string())?;
                Ok(json!({"written": text.len()}))
            }
        }
    }
}
