//! What policies can speak about: the Cedar schema, generated from the registry, and the shape of
//! the context that conditions are compiled against. One definition serves both.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::registry::{Class, Dimension, Member, Registry, Shape, Tool, quoted};

/// The context of a tool's calls, as conditions in remits may read it.
pub(crate) fn context(tool: &Tool) -> Shape {
    let string_set = || Shape::Set(Box::new(Shape::String));
    record([
        ("args", tool.shape.clone(), true),
        ("origin", origins(tool), true),
        (
            "run",
            record([
                ("labels", string_set(), true),
                ("calls", Shape::Long, true),
                ("spend_micro_usd", Shape::Long, true),
            ]),
            true,
        ),
        (
            "now",
            record([
                ("epoch", Shape::Long, true),
                ("hour", Shape::Long, true),
                ("weekday", Shape::String, true),
                ("date", Shape::String, true),
            ]),
            true,
        ),
        (
            "calendar",
            record([
                ("business_hours", Shape::Bool, true),
                ("soft_freeze", Shape::Bool, true),
                ("hard_freeze", Shape::Bool, true),
            ]),
            true,
        ),
        ("environment", Shape::String, false),
        ("product", Shape::String, false),
        ("service", Shape::String, false),
        ("repository", Shape::String, false),
        ("branch", Shape::String, false),
        ("release_phase", Shape::String, false),
        ("workflow", Shape::String, false),
        ("risk", Shape::String, true),
        ("reversible", Shape::Bool, true),
        ("approved", string_set(), true),
    ])
}

/// Where the values of each argument came from, for those arguments that hold any.
fn origins(tool: &Tool) -> Shape {
    let Shape::Record(members) = &tool.shape else { return record([]) };
    let origin = |name: &String| (name.clone(), Member { shape: Shape::String, required: false });
    Shape::Record(members.keys().map(origin).collect())
}

fn record<const N: usize>(members: [(&str, Shape, bool); N]) -> Shape {
    let member = |(name, shape, required): (&str, Shape, bool)| (name.to_owned(), Member { shape, required });
    Shape::Record(members.into_iter().map(member).collect::<BTreeMap<_, _>>())
}

/// The Cedar schema of a registry, in Cedar's own schema language.
#[must_use]
pub fn cedar_schema(registry: &Registry) -> String {
    schema_of(registry.tools().iter().map(AsRef::as_ref))
}

/// The schema of some tools; those of one upstream have to stand together.
pub(crate) fn schema_of<'t>(tools: impl Iterator<Item = &'t Tool>) -> String {
    let mut out = String::from(
        "entity Tenant, Team;\n\
         entity User, Workflow in [Team, Tenant];\n\
         entity Agent in [Team, Tenant] { stage: String };\n",
    );
    for dimension in Dimension::ALL {
        let _ = writeln!(out, "entity {} in [Tenant];", dimension.entity());
    }
    let parents: Vec<_> = Dimension::ALL.into_iter().map(Dimension::entity).collect();
    let facets: Vec<_> = Dimension::ALL.into_iter().map(|d| format!("{}?: String", d.as_str())).collect();
    let _ = writeln!(
        out,
        "entity Resource in [{}, Tenant] {{ kind: String, id: String, {} }};",
        parents.join(", "),
        facets.join(", ")
    );
    for class in Class::ALL {
        let _ = writeln!(out, "action {};", quoted(class.as_str()));
    }
    let mut upstream = "";
    for tool in tools {
        if tool.name.upstream() != upstream {
            upstream = tool.name.upstream();
            let _ = writeln!(out, "action {};", quoted(&format!("{upstream}/*")));
        }
        let _ = writeln!(
            out,
            "action {} in [{}, {}] appliesTo {{ principal: [User, Agent, Workflow], resource: Resource, context: {} }};",
            quoted(tool.name.as_str()),
            quoted(tool.class.as_str()),
            quoted(&format!("{upstream}/*")),
            context(tool).cedar().replacen('{', "{\"agent\": Agent, \"user\"?: User, ", 1),
        );
    }
    out
}
