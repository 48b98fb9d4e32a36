//! A time-stamp authority of openssl alone: its answers are files.

use std::{fs, path::Path};

use evidence::timestamp::{Authorities, token_of_response};

use crate::signed::run;

const CONFIGURATION: &str = "
[tsa]
default_tsa = stamps
[stamps]
serial = serial
signer_cert = tsa.pem
certs = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
[stamping]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[issuing]
database = index.txt
new_certs_dir = .
serial = certificates
default_md = sha256
policy = any
[any]
commonName = supplied
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[req]
distinguished_name = name
[name]
";

pub struct Authority(tempfile::TempDir);

impl Authority {
    /// One whose certificate is valid until `end` (`YYYYMMDDhhmmssZ`).
    pub fn valid_until(end: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        for (name, text) in [
            ("openssl.cnf", CONFIGURATION),
            ("serial", "01\n"),
            ("certificates", "1000\n"),
            ("index.txt", ""),
        ] {
            fs::write(at.join(name), text).unwrap();
        }
        for name in ["root", "tsa"] {
            let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
            let out = format!("{name}.key");
            run("openssl", &[&["genpkey", "-out", &out], &curve[..]].concat(), at);
        }
        openssl(
            "req -x509 -new -key root.key -subj /CN=Root -days 7300 -sha256 -config openssl.cnf -extensions root -out root.pem",
            at,
        );
        openssl("req -new -key tsa.key -subj /CN=Stamp -config openssl.cnf -out tsa.csr", at);
        openssl(
            &format!(
                "ca -batch -notext -config openssl.cnf -name issuing -extensions stamping -cert root.pem -keyfile root.key \
                 -in tsa.csr -out tsa.pem -startdate 20200101000000Z -enddate {end}"
            ),
            at,
        );
        Self(folder)
    }

    pub fn trusted(&self) -> Authorities {
        Authorities::from_pem(&fs::read_to_string(self.0.path().join("root.pem")).unwrap()).unwrap()
    }

    /// Stamps the file now; writes the token to `token`.
    pub fn stamp(&self, file: &Path, token: &Path) {
        let at = self.0.path();
        let file = file.to_str().unwrap();
        run("openssl", &["ts", "-query", "-data", file, "-sha256", "-cert", "-out", "query"], at);
        openssl("ts -reply -config openssl.cnf -queryfile query -out response", at);
        let response = fs::read(at.join("response")).unwrap();
        crate::logged::write(token, token_of_response(&response).unwrap().as_der());
    }
}

fn openssl(arguments: &str, folder: &Path) {
    run("openssl", &arguments.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>(), folder);
}
