//! Where a bucket is and by which key we may use it: the client of the object store, its limits, and the
//! key, read anew for every request. The key is wiped here; the copy that one request is signed with is
//! the client's, and lives as long as that request.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, Error, ObjectStore, RetryConfig};
use remit_app::ledger::LedgerError;

use crate::vault::Source;

const CONNECT_MAX: Duration = Duration::from_secs(5);
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// How often a request is tried again, and until when.
const RETRIES_MAX: usize = 3;
const RETRIES_WITHIN: Duration = Duration::from_secs(20);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// A bucket, and the key to it by reference.
#[derive(Clone, Debug)]
pub struct Access {
    /// The object store: `https://s3.example`. Plain HTTP only when it is written here.
    pub endpoint: String,
    /// Its region.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// What the names of its objects begin with; may be empty.
    pub prefix: String,
    /// Where the id of the access key stands.
    pub access_key: Source,
    /// Where its secret stands.
    pub secret_key: Source,
}

impl Access {
    pub(super) fn client(&self) -> Result<Arc<dyn ObjectStore>, LedgerError> {
        let key = Key { id: self.access_key.clone(), secret: self.secret_key.clone() };
        key.read().map_err(|error| LedgerError::Failed(error.0))?;
        let limits = ClientOptions::new()
            .with_connect_timeout(CONNECT_MAX)
            .with_timeout(REQUEST_MAX)
            .with_allow_http(self.endpoint.starts_with("http://"));
        let patience = RetryConfig {
            backoff: BackoffConfig { max_backoff: BACKOFF_MAX, ..BackoffConfig::default() },
            max_retries: RETRIES_MAX,
            retry_timeout: RETRIES_WITHIN,
        };
        // Not from the environment, where other tools keep their keys. A proxy that stands there is taken:
        // it sees what everybody may read, and no secret.
        let client = AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_region(&self.region)
            .with_bucket_name(&self.bucket)
            .with_credentials(Arc::new(key))
            .with_client_options(limits)
            .with_retry(patience)
            .build();
        Ok(Arc::new(client.map_err(|error| LedgerError::Failed(format!("`{}`: {error}", self.endpoint)))?))
    }
}

/// The access key, by reference.
#[derive(Debug)]
struct Key {
    id: Source,
    secret: Source,
}

impl Key {
    fn read(&self) -> Result<AwsCredential, remit_app::ports::CredentialUnavailable> {
        let (id, secret) = (self.id.read()?, self.secret.read()?);
        Ok(AwsCredential { key_id: id.expose().to_owned(), secret_key: secret.expose().to_owned(), token: None })
    }
}

#[async_trait]
impl CredentialProvider for Key {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> Result<Arc<AwsCredential>, Error> {
        let unread = |error: remit_app::ports::CredentialUnavailable| Error::Generic {
            store: "the access key",
            source: error.0.into(),
        };
        self.read().map(Arc::new).map_err(unread)
    }
}
