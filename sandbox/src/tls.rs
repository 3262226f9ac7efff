//! TLS, which the providers' official clients require.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::Error;

/// A certificate that clients trust, and its private key, both as PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate, followed by its issuers'.
    pub certificate: Vec<u8>,
    /// The private half of the certificate, as PEM.
    pub key: Vec<u8>,
}

impl Tls {
    pub(crate) fn server_config(&self) -> Result<ServerConfig, Error> {
        let unusable = |cause: String| Error::Certificate(cause);
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .map_err(|cause| unusable(cause.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|cause| unusable(cause.to_string()))?;
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|cause| unusable(cause.to_string()))
    }
}
