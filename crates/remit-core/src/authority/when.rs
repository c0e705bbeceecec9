//! The conditions of a remit: `args.amount <= 50`, `args.to like "*@customer.example" and not
//! run.labels contains "pii"`. A product owner writes them; they compile to Cedar, knowing the
//! tool's types, so that a misspelt argument is refused when it is loaded.
//!
//! What is optional is guarded: a condition on an argument that a call leaves out is false.

use std::collections::BTreeSet;

use crate::registry::{Member, Shape};

/// Why a condition does not compile, and where in its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WhenError {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Zero-based offset in the text, in bytes.
    pub at: usize,
}

/// Compiles a condition to the text of a Cedar expression, for tools whose policy context has this shape.
///
/// # Errors
/// Names the place, what was expected there, and the nearest right name.
pub fn compile(text: &str, context: &Shape) -> Result<String, WhenError> {
    let tokens = lex(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, end: text.len(), context };
    let condition = parser.or()?;
    match parser.peek() {
        None => Ok(condition.guarded()),
        Some(token) => Err(fail(token.at, format!("unexpected `{}`", token.text))),
    }
}

fn fail(at: usize, message: impl Into<String>) -> WhenError {
    WhenError { message: message.into(), help: None, at }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Name,
    Text,
    Number,
    Mark,
}

#[derive(Clone, Debug)]
struct Token {
    kind: Kind,
    text: String,
    at: usize,
}

fn lex(text: &str) -> Result<Vec<Token>, WhenError> {
    const MARKS: [&str; 15] = ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "(", ")", "[", "]", ",", "."];
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (kind, length, word) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first == '"' || first == '\'' {
            let close = rest[1..].find(first).ok_or_else(|| fail(at, "the text is not closed"))?;
            let inner = &rest[1..=close];
            if inner.contains('\\') {
                return Err(fail(at, "backslashes are not allowed in a text"));
            }
            (Kind::Text, close + 2, inner)
        } else if first.is_ascii_digit() || (first == '-' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            let length = 1 + rest[1..].find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len() - 1);
            (Kind::Number, length, &rest[..length])
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Kind::Name, length, &rest[..length])
        } else {
            let mark = MARKS.into_iter().find(|mark| rest.starts_with(mark));
            let mark = mark.ok_or_else(|| fail(at, format!("unexpected `{first}`")))?;
            (Kind::Mark, mark.len(), mark)
        };
        tokens.push(Token { kind, text: word.to_owned(), at });
        at += length;
    }
    Ok(tokens)
}

/// A Cedar expression with its type and the `has` tests it rests on.
struct Expr {
    cedar: String,
    shape: Shape,
    guards: BTreeSet<String>,
    at: usize,
}

/// A boolean Cedar expression with the guards not yet applied, and all guards inside it.
struct Condition {
    cedar: String,
    guards: BTreeSet<String>,
    inside: BTreeSet<String>,
}

impl Condition {
    fn new(cedar: String, guards: BTreeSet<String>) -> Self {
        Self { cedar, inside: guards.clone(), guards }
    }

    /// Conjoins the guards, in path order, so that `a.b` is tested before `a.b.c`.
    fn guarded(self) -> String {
        if self.guards.is_empty() {
            return self.cedar;
        }
        let guards: Vec<_> = self.guards.into_iter().collect();
        format!("({} && {})", guards.join(" && "), self.cedar)
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    end: usize,
    context: &'a Shape,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn eat(&mut self, words: &[&str]) -> bool {
        let found = self.peek().is_some_and(|t| t.kind != Kind::Text && words.contains(&t.text.as_str()));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), WhenError> {
        if self.eat(&[word]) { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    fn unexpected(&self, expected: &str) -> WhenError {
        match self.peek() {
            Some(token) => fail(token.at, format!("expected {expected}, found `{}`", token.text)),
            None => fail(self.end, format!("expected {expected} at the end")),
        }
    }

    fn or(&mut self) -> Result<Condition, WhenError> {
        let mut sides = vec![self.and()?];
        while self.eat(&["or", "||"]) {
            sides.push(self.and()?);
        }
        Ok(join(sides, " || "))
    }

    fn and(&mut self) -> Result<Condition, WhenError> {
        let mut sides = vec![self.not()?];
        while self.eat(&["and", "&&"]) {
            sides.push(self.not()?);
        }
        Ok(join(sides, " && "))
    }

    /// A negation is guarded by all that is read inside it: `not args.x == 1` is false too when
    /// `x` is missing, and so is `not (args.x == 1 or args.y == 1)`.
    fn not(&mut self) -> Result<Condition, WhenError> {
        if self.eat(&["not", "!"]) {
            let Condition { cedar, inside, .. } = self.not()?;
            return Ok(Condition::new(format!("!({cedar})"), inside));
        }
        if self.eat(&["("]) {
            let inner = self.or()?;
            self.expect(")")?;
            return Ok(Condition { cedar: format!("({})", inner.cedar), ..inner });
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition, WhenError> {
        let left = self.operand()?;
        let Some(operator) = self.operator() else {
            if left.shape == Shape::Bool {
                return Ok(Condition::new(left.cedar, left.guards));
            }
            return Err(self.unexpected("a comparison: == != < <= > >= like, in, contains"));
        };
        if operator == "like" {
            let Some(pattern) = self.peek().filter(|t| t.kind == Kind::Text).cloned() else {
                return Err(self.unexpected("a pattern in quotes"));
            };
            self.at += 1;
            require(&left, &Shape::String)?;
            // In a Cedar pattern `*` is the only wildcard, and quoting leaves it as it is.
            let cedar = format!("{} like {}", left.cedar, crate::registry::quoted(&pattern.text));
            return Ok(Condition::new(cedar, left.guards));
        }
        if operator == "in" {
            let items = self.list(&left.shape)?;
            let cedar = format!("[{}].contains({})", items.join(", "), left.cedar);
            return Ok(Condition::new(cedar, left.guards));
        }
        let wanted = match (operator.as_str(), &left.shape) {
            ("contains", Shape::Set(of)) => (**of).clone(),
            ("contains", other) => return Err(fail(left.at, format!("`contains` needs a list, not {}", name(other)))),
            (_, shape) => shape.clone(),
        };
        let right = self.operand_like(&wanted)?;
        require(&right, &wanted)?;
        let guards = left.guards.into_iter().chain(right.guards).collect();
        Ok(Condition::new(compare(&operator, &left.cedar, &right.cedar, &wanted, left.at)?, guards))
    }

    fn operator(&mut self) -> Option<String> {
        let token = self.peek()?;
        let known = ["==", "!=", "<", "<=", ">", ">=", "like", "in", "contains"];
        let text = (token.kind != Kind::Text && known.contains(&token.text.as_str())).then(|| token.text.clone())?;
        self.at += 1;
        Some(text)
    }

    fn list(&mut self, of: &Shape) -> Result<Vec<String>, WhenError> {
        self.expect("[")?;
        let mut items = Vec::new();
        loop {
            let item = self.operand_like(of)?;
            require(&item, of)?;
            items.push(item.cedar);
            if self.eat(&["]"]) {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }

    fn operand(&mut self) -> Result<Expr, WhenError> {
        self.operand_like(&Shape::Long)
    }

    /// An operand; a number literal takes the type its other side has.
    fn operand_like(&mut self, wanted: &Shape) -> Result<Expr, WhenError> {
        let Some(token) = self.peek().cloned() else { return Err(self.unexpected("a value")) };
        let plain = |cedar: String, shape: Shape| Expr { cedar, shape, guards: BTreeSet::new(), at: token.at };
        match (token.kind, token.text.as_str()) {
            (Kind::Text, text) => {
                self.at += 1;
                Ok(plain(crate::registry::quoted(text), Shape::String))
            }
            (Kind::Number, text) => {
                self.at += 1;
                if *wanted == Shape::Decimal {
                    let decimal = crate::registry::decimal_text(text).ok_or_else(|| {
                        fail(token.at, format!("`{text}` has more than four decimals or is too large"))
                    })?;
                    return Ok(plain(format!("decimal(\"{decimal}\")"), Shape::Decimal));
                }
                let number: i64 = text.parse().map_err(|_| {
                    fail(token.at, format!("`{text}` is no whole number, and a whole number is compared here"))
                })?;
                Ok(plain(number.to_string(), Shape::Long))
            }
            (Kind::Name, "true" | "false") => {
                self.at += 1;
                Ok(plain(token.text.clone(), Shape::Bool))
            }
            (Kind::Name, _) => self.path(),
            (Kind::Mark, _) => Err(self.unexpected("a value")),
        }
    }

    fn path(&mut self) -> Result<Expr, WhenError> {
        let start = self.peek().map_or(self.end, |t| t.at);
        let mut shape = self.context.clone();
        let mut cedar = "context".to_owned();
        let mut guards = BTreeSet::new();
        loop {
            let Some(token) = self.peek().filter(|t| t.kind == Kind::Name).cloned() else {
                return Err(self.unexpected("a name"));
            };
            let Shape::Record(members) = &shape else {
                return Err(fail(token.at, format!("`{}` has no parts", cedar.trim_start_matches("context."))));
            };
            let Some(Member { shape: next, required }) = members.get(&token.text).cloned() else {
                let names = members.keys().map(String::as_str);
                let help = crate::nearest(&token.text, names.clone())
                    .map(|near| format!("did you mean `{near}`?"))
                    .or_else(|| Some(format!("known here: {}", names.collect::<Vec<_>>().join(", "))));
                return Err(WhenError { help, ..fail(token.at, format!("unknown name `{}`", token.text)) });
            };
            self.at += 1;
            if !required {
                guards.insert(format!("{cedar} has {}", token.text));
            }
            cedar = format!("{cedar}.{}", token.text);
            shape = next;
            if !self.eat(&["."]) {
                return Ok(Expr { cedar, shape, guards, at: start });
            }
        }
    }
}

/// Each side applies its own guards.
fn join(mut sides: Vec<Condition>, operator: &str) -> Condition {
    if sides.len() == 1 {
        return sides.remove(0);
    }
    let inside = sides.iter().flat_map(|side| side.inside.iter().cloned()).collect();
    let cedar: Vec<_> = sides.into_iter().map(|side| format!("({})", side.guarded())).collect();
    Condition { cedar: format!("({})", cedar.join(operator)), guards: BTreeSet::new(), inside }
}

fn require(expr: &Expr, shape: &Shape) -> Result<(), WhenError> {
    if expr.shape == *shape {
        return Ok(());
    }
    Err(fail(expr.at, format!("expected {}, found {}", name(shape), name(&expr.shape))))
}

fn compare(operator: &str, left: &str, right: &str, of: &Shape, at: usize) -> Result<String, WhenError> {
    Ok(match (operator, of) {
        ("contains", _) => format!("{left}.contains({right})"),
        ("==" | "!=", _) | ("<" | "<=" | ">" | ">=", Shape::Long) => format!("{left} {operator} {right}"),
        ("<", Shape::Decimal) => format!("{left}.lessThan({right})"),
        ("<=", Shape::Decimal) => format!("{left}.lessThanOrEqual({right})"),
        (">", Shape::Decimal) => format!("{left}.greaterThan({right})"),
        (">=", Shape::Decimal) => format!("{left}.greaterThanOrEqual({right})"),
        (_, other) => return Err(fail(at, format!("`{operator}` does not order {}", name(other)))),
    })
}

fn name(shape: &Shape) -> &'static str {
    match shape {
        Shape::Bool => "true or false",
        Shape::Long => "a whole number",
        Shape::Decimal => "a number",
        Shape::String => "a text",
        Shape::Set(_) => "a list",
        Shape::Record(_) => "a record",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context() -> Shape {
        let args = Shape::of_object(&json!({
            "properties": {
                "amount": {"type": "number"}, "count": {"type": "integer"}, "to": {"type": "string"},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["amount", "count"],
        }));
        let member = |shape| Member { shape, required: true };
        Shape::Record([("args".to_owned(), member(args))].into())
    }

    fn cedar(text: &str) -> String {
        compile(text, &context()).expect(text)
    }

    fn refused(text: &str) -> (String, usize) {
        let error = compile(text, &context()).expect_err(text);
        (format!("{}{}", error.message, error.help.map(|h| format!("; {h}")).unwrap_or_default()), error.at)
    }

    #[test]
    fn conditions_become_cedar() {
        assert_eq!(cedar("args.amount <= 50"), "context.args.amount.lessThanOrEqual(decimal(\"50.0\"))");
        assert_eq!(cedar("args.count < 3"), "context.args.count < 3");
        assert_eq!(cedar("args.count in [1, 2]"), "[1, 2].contains(context.args.count)");
        assert_eq!(
            cedar("args.to like '*@customer.example'"),
            "(context.args has to && context.args.to like \"*@customer.example\")"
        );
        assert_eq!(
            cedar("not args.tags contains 'x' or args.count == 1"),
            "(((context.args has tags && !(context.args.tags.contains(\"x\")))) || (context.args.count == 1))"
        );
    }

    #[test]
    fn a_negation_does_not_turn_a_missing_argument_into_a_yes() {
        assert_eq!(
            cedar("not (args.to == 'x' or args.count == 1)"),
            "(context.args has to && !(((((context.args has to && context.args.to == \"x\")) || (context.args.count == 1)))))"
        );
    }

    #[test]
    fn a_mistake_is_named_and_located() {
        assert_eq!(refused("args.amuont <= 50"), ("unknown name `amuont`; did you mean `amount`?".into(), 5));
        assert_eq!(refused("args.count <= 'x'"), ("expected a whole number, found a text".into(), 14));
        assert_eq!(refused("args.to < 'x'"), ("`<` does not order a text".into(), 0));
        assert_eq!(refused("args.count <="), ("expected a value at the end".into(), 13));
        assert_eq!(refused("args.to == \"a"), ("the text is not closed".into(), 11));
        assert_eq!(refused("args.count == 1.5").1, 14);
        assert_eq!(refused("args.count == 1 1"), ("unexpected `1`".into(), 16));
        assert_eq!(refused("args.to like args.to").0, "expected a pattern in quotes, found `args`");
    }

    #[test]
    fn a_text_cannot_break_out_of_its_quotes() {
        assert_eq!(
            cedar("args.to == 'a\" || true || \"'"),
            "(context.args has to && context.args.to == \"a\\\" || true || \\\"\")"
        );
        assert!(refused("args.to == 'a\\'").0.contains("backslashes"));
    }
}
