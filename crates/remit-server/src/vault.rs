//! The vault on environment variables and files. A credential is read when one call needs it,
//! never earlier, and forgotten when that call was sent.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use remit_app::permit::Permit;
use remit_app::ports::{CredentialUnavailable, Vault};
use remit_app::secret::Secret;
use remit_core::ids::UpstreamId;

/// Longest credential, in bytes.
const CREDENTIAL_BYTES_MAX: u64 = 64 * 1024;

/// Where a credential stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An environment variable of the gateway.
    Env(String),
    /// A file that only its owner can read.
    File(PathBuf),
}

/// References to credentials, by upstream.
#[derive(Debug, Default)]
pub struct References {
    sources: HashMap<UpstreamId, Source>,
}

impl References {
    /// These references. An upstream without one needs no credential.
    #[must_use]
    pub const fn new(sources: HashMap<UpstreamId, Source>) -> Self {
        Self { sources }
    }

    /// Reads the credential of an upstream.
    ///
    /// # Errors
    /// When it cannot be read; the text names the reference, never the credential.
    pub fn read(&self, upstream: &UpstreamId) -> Result<Option<Secret>, CredentialUnavailable> {
        self.sources.get(upstream).map(Source::read).transpose()
    }
}

impl Source {
    /// Reads the credential.
    ///
    /// # Errors
    /// When it is missing, empty, or readable by others.
    pub fn read(&self) -> Result<Secret, CredentialUnavailable> {
        let text = match self {
            Self::Env(name) => {
                std::env::var(name).map_err(|_| unavailable(format!("environment variable `{name}` is not set")))?
            }
            Self::File(path) => read_private(path)?,
        };
        let text = text.trim_end_matches(['\n', '\r']).to_owned();
        if text.is_empty() {
            return Err(unavailable(format!("{self} is empty")));
        }
        Ok(Secret::new(text))
    }
}

fn read_private(path: &Path) -> Result<String, CredentialUnavailable> {
    let fail = |error: std::io::Error| unavailable(format!("`{}` cannot be read: {error}", path.display()));
    let metadata = std::fs::metadata(path).map_err(fail)?;
    if metadata.mode() & 0o077 != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(unavailable(format!("`{}` can be read by others (mode {mode:o}); use 600", path.display())));
    }
    if metadata.len() > CREDENTIAL_BYTES_MAX {
        return Err(unavailable(format!("`{}` is too large for a credential", path.display())));
    }
    std::fs::read_to_string(path).map_err(fail)
}

const fn unavailable(text: String) -> CredentialUnavailable {
    CredentialUnavailable(text)
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable `{name}`"),
            Self::File(path) => write!(f, "file `{}`", path.display()),
        }
    }
}

#[async_trait]
impl Vault for References {
    async fn unlock(&self, permit: &Permit) -> Result<Option<Secret>, CredentialUnavailable> {
        let upstream = UpstreamId::parse(permit.tool().name.upstream());
        let upstream = upstream.map_err(|error| unavailable(error.to_string()))?;
        self.read(&upstream)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_that_others_can_read_is_no_secret() {
        let path = std::env::temp_dir().join(format!("remit-vault-{}", std::process::id()));
        std::fs::write(&path, "s3cret\n").expect("write");
        let read = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
            Source::File(path.clone()).read().map(|secret| secret.expose().to_owned())
        };
        assert_eq!(read(0o600).expect("private"), "s3cret");
        assert!(read(0o640).expect_err("group").0.contains("can be read by others"));
        std::fs::remove_file(&path).expect("remove");
        assert!(Source::File(path).read().err().expect("gone").0.contains("cannot be read"));
        assert!(Source::Env("REMIT_NO_SUCH_VARIABLE".into()).read().is_err());
    }
}
