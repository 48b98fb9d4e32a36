//! TLS to a server with a certificate of an own authority, or with a pinned one.

use std::{io, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest as _, Sha256};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{error::DrdaError, options::Tls, transport::Stream};

/// Wraps `stream` in TLS as `tls` says, which is not [`Tls::Off`].
///
/// # Errors
/// The server offers none, or its certificate is not trusted; or the connection ended meanwhile, which says
/// nothing of either.
pub async fn wrap(
    stream: Box<dyn Stream>,
    host: &str,
    tls: &Tls,
) -> Result<TlsStream<Box<dyn Stream>>, DrdaError> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| DrdaError::Options("the host is neither a name nor an address"))?;
    let config = config(tls).map_err(|error| DrdaError::Tls(io::Error::other(error)))?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match error.kind() {
            // A server without TLS answers, though not in TLS.
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => DrdaError::Lost(error),
            _ => DrdaError::Tls(error),
        }
    })
}

fn config(tls: &Tls) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    Ok(match tls {
        Tls::Off => return Err(Error::General("TLS is off".to_owned())),
        Tls::Authorities(authorities) => {
            let mut roots = RootCertStore::empty();
            // Of a machine's authorities some are of kinds that are not known.
            roots.add_parsable_certificates(authorities.iter().cloned());
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Tls::Pinned(_) | Tls::Unverified => {
            let pins = if let Tls::Pinned(pins) = tls { Some(pins.clone()) } else { None };
            let pinned = Pinned { pins, provider };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(pinned)).with_no_client_auth()
        }
    })
}

/// Takes a certificate that is known, whatever is in it. That the server has its key is verified as ever.
#[derive(Debug)]
struct Pinned {
    /// `None`: any is taken.
    pins: Option<Vec<[u8; 32]>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let hash: [u8; 32] = Sha256::digest(end_entity).into();
        if self.pins.as_ref().is_none_or(|pins| pins.contains(&hash)) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
