//! Forward: one admitted call to its upstream.

use async_trait::async_trait;
use remit_app::outcome::{Answer, Outcome};
use remit_app::permit::Permit;
use remit_app::ports::Upstreams;
use remit_app::secret::Secret;
use remit_core::registry::Tool;
use remit_core::verdict::Code;

use crate::fleet::Fleet;
use crate::upstream::{Failure, Operation, Request};

#[async_trait]
impl Upstreams for Fleet {
    async fn forward(&self, permit: Permit, secret: Option<Secret>) -> Outcome {
        let tool = permit.tool().clone();
        let not_started = |code, reason: String| Outcome::NotStarted { code, reason };
        let Some(member) = self.member(&tool) else {
            return not_started(Code::UpstreamUnavailable, format!("there is no upstream `{}`", tool.name.upstream()));
        };
        let Some(survey) = self.surveyed(&member).await else {
            return not_started(
                Code::UpstreamUnavailable,
                format!("upstream `{}` cannot be reached", member.recruit.spec.id),
            );
        };
        // The last look before the call: what is served must be what was approved.
        let operation = Operation::of(tool.name.own());
        if operation == Operation::Tool
            && survey.tools.get(tool.name.own()).is_none_or(|served| served.digest() != tool.definition.digest())
        {
            return not_started(Code::ToolDrifted, format!("`{}` is not served as it was approved", tool.name));
        }
        let request = Request {
            operation,
            name: tool.name.own(),
            arguments: permit.arguments(),
            definition: tool.definition.json(),
            timeout_ms: tool.timeout_ms,
            passage: permit.passage(),
        };
        match member.connection.request(request, secret.as_ref()).await {
            Ok(result) => Outcome::Completed(Answer::Result(result)),
            Err(failure) => {
                tracing::warn!(tool = %tool.name, intent = %permit.intent(), why = %failure, "an upstream failed");
                if matches!(failure, Failure::NotStarted { .. }) {
                    self.metrics.upstream(member.recruit.spec.id.as_str(), false);
                }
                outcome(&tool, failure)
            }
        }
    }

    fn drifted(&self, tool: &Tool) -> bool {
        if Operation::of(tool.name.own()) != Operation::Tool {
            return false;
        }
        let survey = self.member(tool).and_then(|member| member.survey.load_full());
        survey.is_some_and(|survey| {
            survey.tools.get(tool.name.own()).is_none_or(|served| served.digest() != tool.definition.digest())
        })
    }
}

/// What a failure says about the effect. An upstream's own words go to the log, never to the agent.
fn outcome(tool: &Tool, failure: Failure) -> Outcome {
    let upstream = tool.name.upstream();
    match failure {
        Failure::NotStarted { .. } => Outcome::NotStarted {
            code: Code::UpstreamUnavailable,
            reason: format!("upstream `{upstream}` could not be reached; nothing was sent"),
        },
        Failure::Unknown { .. } => Outcome::Unknown {
            code: Code::EffectUnknown,
            reason: format!("upstream `{upstream}` was called and did not answer in time or whole"),
        },
        Failure::Invalid { .. } => Outcome::Unknown {
            code: Code::UpstreamFailed,
            reason: format!("upstream `{upstream}` answered with something that is no valid answer"),
        },
        Failure::Rpc { code, message, data } => Outcome::Completed(Answer::Error { code, message, data }),
    }
}
