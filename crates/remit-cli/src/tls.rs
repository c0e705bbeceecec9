//! TLS: for the listener, and for this program as a client.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt as _;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::terminal::Failure;

/// An acceptor for this chain and key, both PEM.
pub fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, Failure> {
    let said = |path: &Path, error: &dyn std::fmt::Display| Failure::said(format!("{}: {error}", path.display()));
    let chain = CertificateDer::pem_file_iter(cert).map_err(|error| said(cert, &error))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| said(cert, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| said(key, &error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| said(cert, &error))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| said(cert, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What a client trusts: the public authorities, or instead of them that of this certificate (PEM).
pub fn client(ca: Option<&Path>) -> Result<ClientConfig, Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::said(format!("TLS cannot be set up: {error}"));
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| broken(&error))?;
    let Some(file) = ca else { return Ok(builder.with_webpki_roots().with_no_client_auth()) };
    let said = |error: &dyn std::fmt::Display| Failure::said(format!("{}: {error}", file.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| said(&error))? {
        roots.add(certificate.map_err(|error| said(&error))?).map_err(|error| said(&error))?;
    }
    if roots.is_empty() {
        return Err(said(&"there is no certificate in it"));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
