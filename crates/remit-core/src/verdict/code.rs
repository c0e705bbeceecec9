//! The stable codes. `docs/errors.md` is generated from this table.

/// Whose doing a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller's: another call could pass.
    Caller,
    /// The operator's: configuration or a person's decision stands in the way.
    Operator,
    /// The upstream's.
    Upstream,
    /// Ours, or the machine's.
    Internal,
}

/// A stable code. Programs match on it; it never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The agent's remit does not let it ask for this.
    AccessNotOffered,
    /// A person has stopped this tenant, agent, tool, upstream, class or run.
    Halted,
    /// A person has refused exactly this call.
    ApprovalDenied,
    /// A person has put a call with other arguments in the place of exactly this one.
    ApprovalNarrowed,
    /// People must approve exactly this call first.
    ApprovalRequired,
    /// A limit on calls, money or objects leaves no room for this call.
    BudgetExhausted,
    /// The outcome of this call is on record already.
    CallSettled,
    /// Other calls changed the facts while this one was decided, three times in a row. Nothing was executed.
    Conflict,
    /// The upstream's credential could not be read. Nothing was executed.
    CredentialUnavailable,
    /// The call was started, and it is not known whether it took effect. It will not be repeated on its own.
    EffectUnknown,
    /// There is no such grant.
    GrantUnknown,
    /// The idempotency key was used for another call.
    IdempotencyMismatch,
    /// The first call under this idempotency key is still under way.
    IdempotencyPending,
    /// The arguments violate the tool's schema.
    InputInvalid,
    /// Remit contradicted itself. Nothing more was executed.
    Internal,
    /// Records have waited too long for the log. Nothing was executed.
    LedgerUnsealed,
    /// The request is not what its protocol says.
    Malformed,
    /// A policy could not be evaluated for this call; what cannot be evaluated denies.
    PolicyError,
    /// A guardrail of the organisation forbids it.
    PolicyGuardrail,
    /// No remit of somebody in the chain of callers covers this call.
    PolicyNoPermit,
    /// This agent has as many questions open as it may have.
    QuestionsTooMany,
    /// There is no such question, or it is not yours.
    QuestionUnknown,
    /// Something keeps the values of a record from being deleted.
    RecordKept,
    /// There is no such record, or it is not yours.
    RecordUnknown,
    /// No checkpoint of the log covers the record yet.
    RecordUnsealed,
    /// The remit that would cover this call has expired.
    RemitExpired,
    /// The request is larger than the limit.
    RequestTooLarge,
    /// The run was closed.
    RunClosed,
    /// There is no such run, or it is not yours.
    RunUnknown,
    /// The decision could not be recorded, so nothing was executed.
    StoreUnavailable,
    /// The upstream serves another definition of this tool than the one that was approved.
    ToolDrifted,
    /// There is no such tool for this caller.
    ToolUnknown,
    /// The credential is missing, unknown, expired or revoked.
    Unauthenticated,
    /// The upstream answered with something that is no valid answer. The call may have taken effect.
    UpstreamFailed,
    /// The upstream could not be reached. The call was not started.
    UpstreamUnavailable,
}

impl Code {
    /// Every code, in the order of the names.
    pub const ALL: [Self; 35] = [
        Self::AccessNotOffered,
        Self::Halted,
        Self::ApprovalDenied,
        Self::ApprovalNarrowed,
        Self::ApprovalRequired,
        Self::BudgetExhausted,
        Self::CallSettled,
        Self::Conflict,
        Self::CredentialUnavailable,
        Self::EffectUnknown,
        Self::GrantUnknown,
        Self::IdempotencyMismatch,
        Self::IdempotencyPending,
        Self::InputInvalid,
        Self::Internal,
        Self::LedgerUnsealed,
        Self::Malformed,
        Self::PolicyError,
        Self::PolicyGuardrail,
        Self::PolicyNoPermit,
        Self::QuestionsTooMany,
        Self::QuestionUnknown,
        Self::RecordKept,
        Self::RecordUnknown,
        Self::RecordUnsealed,
        Self::RemitExpired,
        Self::RequestTooLarge,
        Self::RunClosed,
        Self::RunUnknown,
        Self::StoreUnavailable,
        Self::ToolDrifted,
        Self::ToolUnknown,
        Self::Unauthenticated,
        Self::UpstreamFailed,
        Self::UpstreamUnavailable,
    ];

    /// The code itself.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// Whose doing it is.
    #[must_use]
    pub const fn fault(self) -> Fault {
        self.row().1
    }

    /// What it means.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.row().2
    }

    /// What helps, unless the case knows better.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.row().3
    }

    const fn row(self) -> (&'static str, Fault, &'static str, &'static str) {
        match self {
            Self::AccessNotOffered => (
                "access.not_offered",
                Fault::Caller,
                "The agent's remit does not let it ask for this.",
                "Ask `remit__request_access` without tools: it lists what may be asked for.",
            ),
            Self::Halted => (
                "halt.active",
                Fault::Operator,
                "A person has stopped this tenant, agent, tool, upstream, class or run.",
                "Wait until an operator resumes it; a repetition will not pass before.",
            ),
            Self::ApprovalDenied => (
                "approval.denied",
                Fault::Operator,
                "A person has refused exactly this call.",
                "Do not repeat the call; tell the user that it was refused.",
            ),
            Self::ApprovalNarrowed => (
                "approval.narrowed",
                Fault::Operator,
                "A person has put a call with other arguments in the place of exactly this one.",
                "Do not repeat this call; make the one with exactly the arguments in `narrowed`.",
            ),
            Self::ApprovalRequired => (
                "approval.required",
                Fault::Caller,
                "People must approve exactly this call first.",
                "Repeat the call with exactly the same arguments once it is approved.",
            ),
            Self::BudgetExhausted => (
                "budget.exhausted",
                Fault::Caller,
                "A limit on calls, money or objects leaves no room for this call.",
                "Wait until the budget resets, or make the call smaller.",
            ),
            Self::CallSettled => (
                "call.settled",
                Fault::Caller,
                "The outcome of this call is on record already.",
                "Nothing is left to report; what was recorded first stands.",
            ),
            Self::Conflict => (
                "store.conflict",
                Fault::Internal,
                "Other calls changed the facts while this one was decided, three times in a row. Nothing was executed.",
                "Repeat the call.",
            ),
            Self::CredentialUnavailable => (
                "credential.unavailable",
                Fault::Operator,
                "The upstream's credential could not be read. Nothing was executed.",
                "An operator has to mend the credential reference; `remit doctor` names it.",
            ),
            Self::EffectUnknown => (
                "effect.unknown",
                Fault::Upstream,
                "The call was started, and it is not known whether it took effect. It will not be repeated on its own.",
                "Find out whether the effect happened before you do anything else. Unless it only reads, people are shown this call.",
            ),
            Self::GrantUnknown => {
                ("grant.unknown", Fault::Caller, "There is no such grant.", "Check the id; `remit grants` lists them.")
            }
            Self::IdempotencyMismatch => (
                "idempotency.mismatch",
                Fault::Caller,
                "The idempotency key was used for another call.",
                "Use a new key for a new call.",
            ),
            Self::IdempotencyPending => (
                "idempotency.pending",
                Fault::Caller,
                "The first call under this idempotency key is still under way.",
                "Repeat the call with the same key a little later.",
            ),
            Self::InputInvalid => (
                "input.invalid",
                Fault::Caller,
                "The arguments violate the tool's schema.",
                "Correct the arguments as the reason says.",
            ),
            Self::Internal => (
                "internal.bug",
                Fault::Internal,
                "Remit contradicted itself. Nothing more was executed.",
                "Report the record id to the operator.",
            ),
            Self::LedgerUnsealed => (
                "ledger.unsealed",
                Fault::Internal,
                "Records have waited too long for the log. Nothing was executed.",
                "Repeat the call later; an operator has to look at `remit ledger head`.",
            ),
            Self::Malformed => (
                "request.malformed",
                Fault::Caller,
                "The request is not what its protocol says.",
                "Correct the request as the reason says.",
            ),
            Self::PolicyError => (
                "policy.error",
                Fault::Operator,
                "A policy could not be evaluated for this call; what cannot be evaluated denies.",
                "An operator has to mend the policy; `remit explain` names it.",
            ),
            Self::PolicyGuardrail => (
                "policy.guardrail",
                Fault::Caller,
                "A guardrail of the organisation forbids it.",
                "This is final for this call; do not try to reach the same effect another way.",
            ),
            Self::PolicyNoPermit => (
                "policy.no_permit",
                Fault::Caller,
                "No remit of somebody in the chain of callers covers this call.",
                "Ask the owner for a wider remit, or call within the present one.",
            ),
            Self::QuestionsTooMany => (
                "question.too_many",
                Fault::Caller,
                "This agent has as many questions open as it may have.",
                "Wait until people have answered some of them, or until they lapse; then repeat the call.",
            ),
            Self::QuestionUnknown => {
                ("question.unknown", Fault::Caller, "There is no such question, or it is not yours.", "Check the id.")
            }
            Self::RecordKept => (
                "record.kept",
                Fault::Caller,
                "Something keeps the values of a record from being deleted.",
                "Lift the hold, or wait until what is under way is over.",
            ),
            Self::RecordUnknown => {
                ("record.unknown", Fault::Caller, "There is no such record, or it is not yours.", "Check the id.")
            }
            Self::RecordUnsealed => (
                "record.unsealed",
                Fault::Internal,
                "No checkpoint of the log covers the record yet.",
                "Ask again in two seconds; if that does not help, an operator has to look at `remit ledger head`.",
            ),
            Self::RemitExpired => (
                "remit.expired",
                Fault::Operator,
                "The remit that would cover this call has expired.",
                "The remit's owner has to renew it.",
            ),
            Self::RequestTooLarge => {
                ("request.too_large", Fault::Caller, "The request is larger than the limit.", "Send less at once.")
            }
            Self::RunClosed => ("run.closed", Fault::Caller, "The run was closed.", "Open another run."),
            Self::RunUnknown => (
                "run.unknown",
                Fault::Caller,
                "There is no such run, or it is not yours.",
                "Open a run, or leave the run's id out.",
            ),
            Self::StoreUnavailable => (
                "store.unavailable",
                Fault::Internal,
                "The decision could not be recorded, so nothing was executed.",
                "Repeat the call later.",
            ),
            Self::ToolDrifted => (
                "tool.drifted",
                Fault::Operator,
                "The upstream serves another definition of this tool than the one that was approved.",
                "An operator has to look at the change; `remit tools` shows it.",
            ),
            Self::ToolUnknown => {
                ("tool.unknown", Fault::Caller, "There is no such tool for this caller.", "List the tools.")
            }
            Self::Unauthenticated => (
                "auth.unauthenticated",
                Fault::Caller,
                "The credential is missing, unknown, expired or revoked.",
                "Get a new key from the operator.",
            ),
            Self::UpstreamFailed => (
                "upstream.failed",
                Fault::Upstream,
                "The upstream answered with something that is no valid answer. The call may have taken effect.",
                "Find out whether the effect happened before you repeat it.",
            ),
            Self::UpstreamUnavailable => (
                "upstream.unavailable",
                Fault::Upstream,
                "The upstream could not be reached. The call was not started.",
                "Repeat the call later.",
            ),
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
