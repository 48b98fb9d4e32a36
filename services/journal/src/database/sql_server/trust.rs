//! Whose certificate a SQL Server may show.

use std::sync::Arc;

use domain::resources::SqlServerEncryption;
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    version::{TLS12, TLS13},
};

use crate::database::{ErrorKind, JournalError};

/// The name by which TLS is told that TDS 8.0 is to be spoken.
const STRICT_ALPN: &[u8] = b"tds/8.0";

/// TLS to a server whose certificate is of `authorities` (PEM), or of those that this machine trusts. One that
/// is asked for no more than the encryption of the login may show any, as with Microsoft's own clients.
///
/// # Errors
/// There is no certificate in `authorities`.
pub(super) fn client(
    level: SqlServerEncryption,
    authorities: Option<&str>,
) -> Result<ClientConfig, JournalError> {
    let provider = Arc::new(ring::default_provider());
    // Inside of TDS there is no TLS 1.3: <https://learn.microsoft.com/sql/relational-databases/security/networking/tls-1-3>.
    let versions = if level == SqlServerEncryption::Strict { [&TLS13, &TLS12] } else { [&TLS12, &TLS12] };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| JournalError::new(ErrorKind::Other, "TLS cannot be set up").caused_by(error))?;
    let mut config = match (level, authorities) {
        (SqlServerEncryption::Off, None) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth(),
        (_, authorities) => builder.with_root_certificates(roots(authorities)?).with_no_client_auth(),
    };
    if level == SqlServerEncryption::Strict {
        config.alpn_protocols.push(STRICT_ALPN.to_vec());
    }
    Ok(config)
}

fn roots(authorities: Option<&str>) -> Result<RootCertStore, JournalError> {
    let mut roots = RootCertStore::empty();
    let certificates: Vec<CertificateDer<'static>> = match authorities {
        None => rustls_native_certs::load_native_certs().certs,
        Some(pem) => CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect(),
    };
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 && authorities.is_some() {
        let sentence = "caCertificate holds no certificate in PEM";
        return Err(JournalError::new(ErrorKind::Description, sentence));
    }
    Ok(roots)
}

/// Takes any certificate. That the server has its key is verified as ever.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
