//! TLS on loopback by a CA of its own, as an installation has it that no public CA knows.

use std::{fs, path::Path, process::Command, sync::Arc};

use anyhow::ensure;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

const SCRIPT: &str = "
ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
openssl req -x509 $ec -keyout ca.key -out ca.pem -days 2 -subj '/CN=CA of a test' \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
openssl req $ec -keyout server.key -out server.csr -subj /CN=loopback
echo subjectAltName=IP:127.0.0.1,DNS:localhost > server.ext
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem
";

/// Makes a CA (`ca.pem`) and a certificate (`server.pem`, `server.key`) for `127.0.0.1` and `localhost` in
/// `dir`.
///
/// # Errors
/// `openssl` is missing or refuses.
pub fn certify(dir: &Path) -> anyhow::Result<()> {
    let made = Command::new("sh").args(["-ec", SCRIPT]).current_dir(dir).output()?;
    ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

/// The same; what a server needs of them.
///
/// # Errors
/// `openssl` is missing or refuses.
pub fn server_config(dir: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    certify(dir)?;
    let certificate = CertificateDer::from_pem_slice(&fs::read(dir.join("server.pem"))?)?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(dir.join("server.key"))?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key)?))
}
