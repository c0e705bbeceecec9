//! One tool: the operator's classification beside the approved definition.

use remit_core::ids::{TeamId, ToolName, UpstreamId};
use remit_core::labels::{Labels, Sensitivity};
use remit_core::nearest;
use remit_core::registry::{
    Class, Cost, Definition, Dimension, Facet, Preview, ResourceMap, Risk, Schema, Shape, Tool, micro_usd,
};
use serde_json::Value;

use crate::at::At;
use crate::facet::{Environments, argument, facet, property};
use crate::report::Report;
use crate::upstream::ShowAs;
use crate::upstream::check::team;
use crate::upstream::file::{ClassWord, PreviewFile, ResourceFile, RiskWord, ToolFile, UpstreamFile};

/// Longest words about undoing.
const UNDO_CHARS_MAX: usize = 1_000;

/// What all tools of an upstream share.
pub(super) struct Classifier<'a> {
    pub id: &'a UpstreamId,
    pub owner: Option<TeamId>,
    pub timeout_ms: u64,
    pub show_as: ShowAs,
    pub environments: &'a Environments,
    pub file: &'a UpstreamFile,
    /// How the upstream's credential is called.
    pub credential: Option<String>,
}

impl Classifier<'_> {
    /// Checks a tool; `None` when something is wrong, or when its definition is not approved.
    pub fn tool<T>(
        &self,
        at: &At<T>,
        name: ToolName,
        file: &ToolFile,
        definition: Option<&Definition>,
        report: &mut Report<'_>,
    ) -> Option<Tool> {
        let schema = definition.map(Definition::input_schema);
        let class = file.class.class();
        let reversible = match (file.reversible, class) {
            (Some(reversible), _) => Some(reversible),
            (None, Class::Read) => Some(true),
            (None, _) => {
                let message = format!("`{}` does not say whether its effect can be undone", name.own());
                report.fault(at, message, "add `reversible: true` or `reversible: false`");
                None
            }
        };
        let undo = file.undo.as_ref().map(|at| undo(at, report));
        let preview = match &file.preview {
            Some(at) => self.preview(at, &name, schema.as_ref(), report).map(Some),
            None => Some(None),
        };
        let owner = file.owner.as_ref().and_then(|owner| team(owner, report)).or_else(|| self.owner.clone());
        let labels = labels(&file.labels, report);
        let resource = self.resource(file.resource.as_ref(), schema.as_ref(), report);
        let cost = file.cost.as_ref().map_or(Some(Cost::Free), |at| cost(at, schema.as_ref(), report));
        let timeout_ms = file.timeout.as_ref().map_or(Some(self.timeout_ms), |at| report.length_ms(at));
        let (definition, schema) = (definition?, schema?);
        let mut compiled = |what: &str, schema: &Value| {
            let help = "the upstream has to mend it; until then remove the tool here";
            Schema::compile(schema)
                .map_err(|error| report.fault(at, format!("the {what} schema of `{name}`: {error}"), help))
                .ok()
        };
        let input = compiled("input", &schema);
        let output = definition.output_schema().map(|schema| compiled("output", schema));
        Some(Tool {
            public: self.public(&name),
            owner,
            class,
            risk: file.risk.risk(),
            reversible: reversible?,
            undo,
            preview: preview?,
            labels,
            resource,
            cost: cost?,
            input: input?,
            output: match output {
                Some(output) => Some(output?),
                None => None,
            },
            shape: Shape::of_object(&schema),
            definition: definition.clone(),
            timeout_ms: timeout_ms?,
            credential: self.credential.clone(),
            name,
        })
    }

    /// The name that agents see.
    fn public(&self, name: &ToolName) -> String {
        let own = name.own();
        match self.show_as {
            ShowAs::Prefix if !own.contains('/') => format!("{}__{own}", self.id),
            ShowAs::Bare if !own.contains('/') => own.to_owned(),
            _ => name.to_string(),
        }
    }

    /// Another tool of this upstream, which must only look: it is called before anybody has approved anything.
    fn preview(
        &self,
        at: &At<PreviewFile>,
        previewed: &ToolName,
        schema: Option<&Value>,
        report: &mut Report<'_>,
    ) -> Option<Preview> {
        let (tool, arguments) = match &**at {
            PreviewFile::Same(tool) => (at.place().map(|()| tool.clone()), None),
            PreviewFile::With(with) => (with.tool.clone(), Some(&with.arguments)),
        };
        let arguments = arguments.map(|named| {
            let facets = named.iter().map(|(name, at)| Some(((**name).clone(), facet(at, schema, report)?)));
            facets.collect::<Vec<_>>().into_iter().collect::<Option<_>>()
        });
        let Some((_, shows)) = self.file.tools.iter().find(|(name, _)| **name == *tool) else {
            let names = self.file.tools.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
            report.unknown(&tool, "tool of this upstream", &tool, names);
            return None;
        };
        if *tool == previewed.own() {
            report.fault(&tool, "a tool cannot be its own preview", "name the tool that shows what this one would do");
        } else if shows.class.class() != Class::Read {
            let message =
                format!("`{}` does not only look, and a preview is called before anybody has approved", *tool);
            report.fault(&tool, message, "name a tool of class `read`");
        }
        let tool = ToolName::join(self.id, &tool).ok()?;
        Some(Preview { tool, arguments: arguments.map_or(Some(None), |found| found.map(Some))? })
    }

    /// The tool's own facets, and the upstream's where the tool says nothing.
    fn resource(&self, file: Option<&ResourceFile>, schema: Option<&Value>, report: &mut Report<'_>) -> ResourceMap {
        let mut map = ResourceMap::default();
        if let Some(file) = file {
            map.kind = file.kind.as_ref().map(|kind| (**kind).clone());
            if let Some(at) = file.kind.as_ref().filter(|kind| kind.is_empty() || argument(kind).is_some()) {
                report.fault(
                    at,
                    "the kind of a resource is a fixed word",
                    "write `payment`, and the argument under `id`",
                );
            }
            map.id = file.id.as_ref().and_then(|at| facet(at, schema, report));
        }
        for dimension in Dimension::ALL {
            let own = file.and_then(|file| file.dimension(dimension));
            let shared = own.is_none().then(|| self.file.dimension(dimension)).flatten();
            // What the whole upstream says has been checked once, with the upstream.
            let found = match (own, shared) {
                (Some(at), _) => {
                    let found = facet(at, schema, report);
                    if dimension == Dimension::Environment && matches!(found, Some(Facet::Fixed(_))) {
                        self.environments.check(at, report);
                    }
                    found
                }
                (None, Some(at)) => Some(Facet::Fixed((**at).clone())),
                (None, None) => None,
            };
            map.dimensions.extend(found.map(|facet| (dimension, facet)));
        }
        map
    }

    /// Checks what the upstream says of all its tools.
    pub fn check_shared(&self, report: &mut Report<'_>) {
        for dimension in Dimension::ALL {
            let Some(at) = self.file.dimension(dimension) else { continue };
            if at.is_empty() || argument(at).is_some() {
                report.fault(
                    at,
                    "what all tools share is a fixed name",
                    "write arguments under each tool's `resource:`",
                );
            } else if dimension == Dimension::Environment {
                self.environments.check(at, report);
            }
        }
    }
}

fn labels(words: &[At<String>], report: &mut Report<'_>) -> Labels {
    let known = || Sensitivity::ALL.into_iter().map(Sensitivity::as_str).chain(["untrusted", "trusted"]);
    for word in words {
        let shaped = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
        if word.is_empty() || !shaped {
            report.fault(word, format!("`{}` is not a label", **word), "use a-z 0-9 - _");
        } else if !known().any(|label| label == **word) {
            // A misspelt sensitivity would be taken for a mark, and the data for harmless.
            if let Some(near) = nearest(word, known()) {
                report.fault(word, format!("unknown label `{}`", **word), format!("did you mean `{near}`?"));
            }
        }
    }
    let mut labels = Labels::from_words(words.iter().map(|word| word.as_str()));
    if !words.iter().any(|word| Sensitivity::parse(word).is_some()) {
        labels.sensitivity = Sensitivity::default();
    }
    labels
}

/// The words about undoing, as approvers are to read them.
fn undo(at: &At<String>, report: &mut Report<'_>) -> String {
    if at.trim().is_empty() || at.chars().count() > UNDO_CHARS_MAX {
        let message = format!("the words about undoing have 1 to {UNDO_CHARS_MAX} characters");
        report.fault(at, message, "say in a sentence or two who undoes it, and how");
    }
    at.trim().to_owned()
}

fn cost(at: &At<String>, schema: Option<&Value>, report: &mut Report<'_>) -> Option<Cost> {
    let help = "write `0.02 USD`, or an argument: `args.amount USD`";
    let amount =
        report.read(at, |text| text.strip_suffix(" USD").map(str::trim_end).map(str::to_owned), "a cost", help)?;
    let Some(path) = argument(&amount) else {
        return report.read(at, |_| micro_usd(&amount), "a cost", help).map(Cost::Fixed);
    };
    if let Some(schema) = schema {
        let kind = property(at, &path, schema, report)?.get("type").and_then(Value::as_str);
        if kind.is_some_and(|kind| !matches!(kind, "number" | "integer")) {
            report.fault(at, format!("`{amount}` is not a number"), "name an argument that is an amount of US dollars");
            return None;
        }
    }
    Some(Cost::Argument(path))
}

impl UpstreamFile {
    const fn dimension(&self, dimension: Dimension) -> Option<&At<String>> {
        match dimension {
            Dimension::Environment => self.environment.as_ref(),
            Dimension::Product => self.product.as_ref(),
            Dimension::Service => self.service.as_ref(),
            Dimension::Repository => self.repository.as_ref(),
            Dimension::Branch => self.branch.as_ref(),
        }
    }
}

impl ResourceFile {
    const fn dimension(&self, dimension: Dimension) -> Option<&At<String>> {
        match dimension {
            Dimension::Environment => self.environment.as_ref(),
            Dimension::Product => self.product.as_ref(),
            Dimension::Service => self.service.as_ref(),
            Dimension::Repository => self.repository.as_ref(),
            Dimension::Branch => self.branch.as_ref(),
        }
    }
}

impl ClassWord {
    pub(crate) const fn class(self) -> Class {
        match self {
            Self::Read => Class::Read,
            Self::Write => Class::Write,
            Self::Trigger => Class::Trigger,
            Self::Approve => Class::Approve,
            Self::Expose => Class::Expose,
        }
    }
}

impl RiskWord {
    const fn risk(self) -> Risk {
        match self {
            Self::Low => Risk::Low,
            Self::Medium => Risk::Medium,
            Self::High => Risk::High,
            Self::Critical => Risk::Critical,
        }
    }
}
