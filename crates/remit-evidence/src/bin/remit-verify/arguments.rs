//! The words of the command line, read by hand: a verifier drags nothing along that it does not need.

use crate::Unjudged;

pub(crate) const USAGE: &str = "\
Judges an evidence bundle under a trust document, offline.

usage: remit-verify BUNDLE --trust FILE [--next FILE]... [--fingerprint HEX] [--state DIR] [--json]

  --trust FILE        the trust document that you hold
  --next FILE         a signed document that follows it; may be given several times, in order
  --fingerprint HEX   refuse a trust document with another SHA-256 than this, from paper
  --state DIR         remember the heads of logs, and refuse another history or an older trust document
  --json              the report as one line of JSON

exit code: 0 VALID, 1 INVALID, 2 INDETERMINATE or wrong use, 3 DIVERGED";

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub bundle: String,
    pub trust: String,
    pub next: Vec<String>,
    pub fingerprint: Option<String>,
    pub state: Option<String>,
    pub json: bool,
}

impl Arguments {
    pub(crate) fn read(words: &[String]) -> Result<Self, Unjudged> {
        let bad = |what: String| Unjudged::Usage(what);
        let (mut bundle, mut trust, mut read) = (None, None, Self::default());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().cloned().ok_or_else(|| bad(format!("`{word}` needs a value")));
            let taken = match word.as_str() {
                "--trust" => trust.replace(value()?).is_some(),
                "--fingerprint" => read.fingerprint.replace(value()?).is_some(),
                "--state" => read.state.replace(value()?).is_some(),
                "--json" => std::mem::replace(&mut read.json, true),
                "--next" => {
                    read.next.push(value()?);
                    false
                }
                option if option.starts_with('-') => return Err(bad(format!("unknown option `{option}`"))),
                _ => bundle.replace(word.clone()).is_some(),
            };
            // Two of a kind: one of them would be passed over in silence.
            if taken {
                return Err(bad(format!("`{word}` is one too many")));
            }
        }
        read.bundle = bundle.ok_or_else(|| bad("no bundle is named".into()))?;
        read.trust = trust.ok_or_else(|| bad("`--trust` is missing: keys never come from the bundle".into()))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Arguments> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Arguments::read(&words).ok()
    }

    #[test]
    fn what_is_missing_unknown_or_double_is_wrong_use() {
        let good = read("b --trust t --next n --next m --fingerprint f --state s --json").expect("good");
        assert_eq!((good.next.len(), good.json, good.bundle.as_str()), (2, true, "b"));
        for line in
            ["", "b", "--trust t", "b --trust", "b c --trust t", "b --trust t --trust u", "b --trust t --keys k"]
        {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
