//! What an upstream says the call would do: its own text, line by line. A line is coloured by its first characters, as
//! in a unified diff, and by nothing else.

use remit_app::preview::Preview;

use crate::console::plain::{Plain, line};

/// A preview as it is shown.
pub(super) struct PreviewShown {
    /// Whether it is still on its way.
    pub awaited: bool,
    /// Why there is none.
    pub absent: Option<Plain>,
    /// The tool that said it.
    pub tool: Plain,
    /// Whether that tool failed.
    pub failed: bool,
    pub lines: Vec<PreviewLine>,
    /// How many characters are not kept.
    pub left_out: u64,
    /// The decision record of the call that asked for it.
    pub record: String,
}

/// One line of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PreviewLine {
    /// How it is coloured: `came`, `went`, `place`, or not at all.
    pub kind: &'static str,
    pub text: Plain,
}

pub(super) fn shown(preview: &Preview) -> PreviewShown {
    let nothing = PreviewShown {
        awaited: false,
        absent: None,
        tool: line(""),
        failed: false,
        lines: Vec::new(),
        left_out: 0,
        record: String::new(),
    };
    match preview {
        Preview::Awaited => PreviewShown { awaited: true, ..nothing },
        Preview::Absent { why } => PreviewShown { absent: Some(line(why)), ..nothing },
        Preview::Shown { tool, text, left_out, failed, record } => PreviewShown {
            tool: line(tool),
            failed: *failed,
            lines: text.split('\n').map(one).collect(),
            left_out: *left_out,
            record: record.to_string(),
            ..nothing
        },
    }
}

fn one(text: &str) -> PreviewLine {
    let kind = match text.as_bytes() {
        [b'@', b'@', ..] => "place",
        [b'+', ..] => "came",
        [b'-', ..] => "went",
        _ => "",
    };
    PreviewLine { kind, text: line(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_coloured_by_their_first_characters_only() {
        let kinds = |text: &str| text.split('\n').map(|text| one(text).kind).collect::<Vec<_>>();
        assert_eq!(
            kinds("--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n same\n\n @@ +"),
            ["went", "came", "place", "went", "came", "", "", ""]
        );
        let hidden = one("+<script>\u{202e}\r");
        assert_eq!(hidden.text.to_string(), "+&lt;script&gt;<b class=\"cp\">⟨U+202E⟩</b><b class=\"cp\">⟨U+000D⟩</b>");
    }
}
