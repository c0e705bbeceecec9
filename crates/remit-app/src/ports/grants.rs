//! Access requests, and the grants that came of them.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use remit_core::access::{AccessGrant, Terms};
use remit_core::ids::{GrantId, QuestionId};
use remit_evidence::writer::SignedRecord;

use crate::access::{AccessRequest, End, Given, Review};
use crate::intent::{CommitError, Unavailable};
use crate::question::Question;

/// Access requests, and the grants that came of them. Part of [`super::Store`]; the same promises hold.
///
/// Each deed that gives or ends a grant counts as a change of them: an admission that was decided on the
/// grants before it is a conflict.
#[async_trait]
pub trait Grants: Send + Sync {
    /// Stores a request with its question and its record, all of it or none. When exactly the same is asked
    /// already and still open, nothing is stored and that request is answered.
    async fn open_request(
        &self,
        request: AccessRequest,
        question: Question,
        record: SignedRecord,
    ) -> Result<AccessRequest, CommitError>;
    /// Puts narrower terms and their question in the place of an open request's, and ends the question that
    /// stood there. It is a conflict when the request, or the question given, is not what is open.
    async fn narrow_request(
        &self,
        id: &QuestionId,
        from: &QuestionId,
        terms: Terms,
        question: Question,
        record: SignedRecord,
    ) -> Result<AccessRequest, CommitError>;
    /// Makes a grant of a request and uses its question up; all of it or none. It is a conflict when the
    /// request is not open, or its question is not approved at this moment. So a request is granted once.
    async fn grant_request(&self, id: &QuestionId, given: Given, record: SignedRecord) -> Result<(), CommitError>;
    /// Ends an open request that was refused or has lapsed, as its question says at this moment; false when
    /// it is not open, or its question may still be answered.
    async fn end_request(&self, id: &QuestionId, at: Timestamp, record: SignedRecord) -> Result<bool, Unavailable>;
    /// One request.
    async fn request(&self, id: &QuestionId) -> Result<Option<AccessRequest>, Unavailable>;
    /// The request that this question decides, or once decided.
    async fn request_of(&self, question: &QuestionId) -> Result<Option<AccessRequest>, Unavailable>;
    /// Requests, the newest first, at most 1,000; with `open` only those that wait.
    async fn requests(&self, open: bool) -> Result<Vec<AccessRequest>, Unavailable>;

    /// Stores a grant that came of no request. One of the same id is a conflict.
    async fn put_grant(&self, given: Given, record: SignedRecord) -> Result<(), CommitError>;
    /// Ends a grant; false when it has ended, or never was.
    async fn end_grant(&self, id: &GrantId, end: End, record: SignedRecord) -> Result<bool, Unavailable>;
    /// Adds what a second person says of an emergency. It is a conflict when there was none, when it was
    /// reviewed already, or when the reviewer is the one who broke the glass.
    async fn review_grant(&self, id: &GrantId, review: Review, record: SignedRecord) -> Result<Given, CommitError>;
    /// One grant.
    async fn grant(&self, id: &GrantId) -> Result<Option<Given>, Unavailable>;
    /// Grants, the newest first, at most 1,000; with `live` only those that have not ended, all of them.
    async fn grants(&self, live: bool) -> Result<Vec<Given>, Unavailable>;
    /// Emergencies that nobody has reviewed, the oldest first.
    async fn unreviewed(&self) -> Result<Vec<Given>, Unavailable>;
    /// The grants that have not ended, oldest first, and how often they have changed. Read before every
    /// decision.
    async fn live_grants(&self) -> Result<(u64, Arc<Vec<AccessGrant>>), Unavailable>;
}
