//! A time-stamp authority (RFC 3161): `openssl ts` behind HTTP, with a root, a CA in between and
//! certificates as a test wants them.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, ensure};

use crate::http_answers::{Answer, Asked, HttpAnswers};

/// The kind of all its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA-3072.
    Rsa,
    /// ECDSA P-256.
    P256,
    /// ECDSA P-384.
    P384,
}

/// How a certificate for stamping is to be.
#[derive(Debug, Clone)]
pub struct StampingCertificate {
    /// The value of extendedKeyUsage; empty: no such extension.
    pub usage: &'static str,
    /// `YYYYMMDDhhmmssZ`; `None`: since yesterday.
    pub from: Option<String>,
    /// `YYYYMMDDhhmmssZ`; `None`: for years.
    pub to: Option<String>,
    /// The hash by which a token names it: `sha256`, `sha1`.
    pub named_by: &'static str,
}

impl Default for StampingCertificate {
    fn default() -> Self {
        Self { usage: "critical,timeStamping", from: None, to: None, named_by: "sha256" }
    }
}

/// An authority with its keys in a temporary folder.
pub struct TimeStampAuthority {
    folder: tempfile::TempDir,
    answers: AtomicU64,
}

impl TimeStampAuthority {
    /// A good one.
    ///
    /// # Errors
    /// openssl is missing or refuses.
    pub fn new(kind: KeyKind) -> anyhow::Result<Self> {
        Self::with(kind, &StampingCertificate::default())
    }

    /// One whose stamping certificate is like this.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(kind: KeyKind, stamping: &StampingCertificate) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = folder.path();
        for name in ["root", "ca", "tsa"] {
            key(kind, name, at)?;
        }
        fs::write(at.join("openssl.cnf"), configuration(stamping))?;
        fs::write(at.join("index.txt"), "")?;
        fs::write(at.join("serial"), "1000\n")?;
        fs::write(at.join("tsa-serial"), "01\n")?;
        let root = "req -x509 -new -key root.key -subj /O=Callseal\\ test/CN=Root -days 7300 -sha256 \
                    -config openssl.cnf -extensions ca -out root.pem";
        openssl(root, at)?;
        let from = stamping.from.clone().unwrap_or_else(|| "20200101000000Z".into());
        let to = stamping.to.clone().unwrap_or_else(|| "20491231235959Z".into());
        openssl("req -new -key ca.key -subj /O=Callseal\\ test/CN=CA -config openssl.cnf -out ca.csr", at)?;
        openssl(
            "ca -batch -notext -config openssl.cnf -name issuing -extensions ca -cert root.pem -keyfile root.key \
             -in ca.csr -out ca.pem -startdate 20200101000000Z -enddate 20491231235959Z",
            at,
        )?;
        openssl(
            "req -new -key tsa.key -subj /O=Callseal\\ test/CN=Stamp -config openssl.cnf -out tsa.csr",
            at,
        )?;
        openssl(
            &format!(
                "ca -batch -notext -config openssl.cnf -name issuing -extensions stamping -cert ca.pem \
                 -keyfile ca.key -in tsa.csr -out tsa.pem -startdate {from} -enddate {to}"
            ),
            at,
        )?;
        Ok(Self { folder, answers: AtomicU64::new(0) })
    }

    /// The root's certificate, PEM.
    ///
    /// # Errors
    /// The folder is gone.
    pub fn root_pem(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("root.pem"))?)
    }

    /// Where its files lie: `root.pem`, `ca.pem`, `tsa.pem`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The `TimeStampResp` to a `TimeStampReq`.
    ///
    /// # Errors
    /// openssl refuses.
    pub fn answer(&self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        let number = self.answers.fetch_add(1, Ordering::SeqCst);
        let (asked, answered) = (format!("{number}.tsq"), format!("{number}.tsr"));
        fs::write(self.folder().join(&asked), request)?;
        openssl(
            &format!("ts -reply -config openssl.cnf -section tsa -queryfile {asked} -out {answered}"),
            self.folder(),
        )?;
        Ok(fs::read(self.folder().join(answered))?)
    }

    /// A token with the statement of `token`, signed by this authority's key, whatever its certificate
    /// is for: `openssl ts` itself would refuse to.
    ///
    /// # Errors
    /// openssl refuses.
    pub fn sign_anew(&self, token: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.sign_changed(token, |_| ())
    }

    /// As [`sign_anew`](Self::sign_anew), the statement (TSTInfo, DER) changed before.
    ///
    /// # Errors
    /// openssl refuses.
    pub fn sign_changed(&self, token: &[u8], change: impl FnOnce(&mut [u8])) -> anyhow::Result<Vec<u8>> {
        fs::write(self.folder().join("token.der"), token)?;
        openssl("cms -verify -noverify -inform DER -in token.der -out statement.der", self.folder())?;
        let mut statement = fs::read(self.folder().join("statement.der"))?;
        change(&mut statement);
        fs::write(self.folder().join("statement.der"), statement)?;
        openssl(
            "cms -sign -binary -nodetach -cades -md sha256 -econtent_type 1.2.840.113549.1.9.16.1.4 \
             -in statement.der -signer tsa.pem -inkey tsa.key -certfile ca.pem -outform DER -out anew.der",
            self.folder(),
        )?;
        Ok(fs::read(self.folder().join("anew.der"))?)
    }

    /// What `openssl ts -verify` says to a token over data with this SHA-256 (hexadecimal).
    ///
    /// # Errors
    /// It refuses.
    pub fn verified_by_openssl(&self, token: &[u8], sha256: &str) -> anyhow::Result<()> {
        fs::write(self.folder().join("verified.tsr"), token)?;
        openssl(
            &format!("ts -verify -token_in -in verified.tsr -digest {sha256} -CAfile root.pem"),
            self.folder(),
        )
    }

    /// Answers over HTTP as long as the value that comes back lives.
    ///
    /// # Errors
    /// There is no free port.
    pub fn serve(self: &Arc<Self>) -> anyhow::Result<HttpAnswers> {
        HttpAnswers::start(self.clone().answers())
    }

    /// The same over TLS, by a CA that is written to `folder` as `ca.pem`.
    ///
    /// # Errors
    /// There is no free port, or no `openssl`.
    pub fn serve_tls(self: &Arc<Self>, folder: &Path) -> anyhow::Result<HttpAnswers> {
        HttpAnswers::start_tls(folder, self.clone().answers())
    }

    fn answers(self: Arc<Self>) -> impl Fn(Asked) -> Answer + Send + 'static {
        move |asked| {
            if asked.method != "POST" || asked.content_type != "application/timestamp-query" {
                return Answer::status(400, Vec::new());
            }
            let answer = self.answer(&asked.body);
            let mut answer = answer.map_or_else(|_| Answer::status(500, Vec::new()), Answer::ok);
            answer.header.push("Content-Type: application/timestamp-reply".into());
            answer
        }
    }
}

fn key(kind: KeyKind, name: &str, at: &Path) -> anyhow::Result<()> {
    let kind = match kind {
        KeyKind::Rsa => "RSA -pkeyopt rsa_keygen_bits:3072",
        KeyKind::P256 => "EC -pkeyopt ec_paramgen_curve:P-256",
        KeyKind::P384 => "EC -pkeyopt ec_paramgen_curve:P-384",
    };
    openssl(&format!("genpkey -algorithm {kind} -out {name}.key"), at)
}

fn configuration(stamping: &StampingCertificate) -> String {
    let usage = match stamping.usage {
        "" => String::new(),
        usage => format!("extendedKeyUsage = {usage}"),
    };
    format!(
        "[req]\n\
         distinguished_name = name\n\
         prompt = no\n\
         [name]\n\
         CN = unused\n\
         [ca]\n\
         basicConstraints = critical,CA:TRUE\n\
         keyUsage = critical,keyCertSign,cRLSign\n\
         [stamping]\n\
         basicConstraints = CA:FALSE\n\
         keyUsage = critical,digitalSignature\n\
         {usage}\n\
         [issuing]\n\
         database = index.txt\n\
         serial = serial\n\
         new_certs_dir = .\n\
         default_md = sha256\n\
         policy = policy\n\
         unique_subject = no\n\
         [policy]\n\
         O = optional\n\
         CN = supplied\n\
         [tsa]\n\
         serial = tsa-serial\n\
         signer_cert = tsa.pem\n\
         certs = ca.pem\n\
         signer_key = tsa.key\n\
         signer_digest = sha256\n\
         default_policy = 1.2.3.4.1\n\
         digests = sha256\n\
         accuracy = secs:1, millisecs:500\n\
         ordering = no\n\
         tsa_name = yes\n\
         ess_cert_id_chain = no\n\
         ess_cert_id_alg = {}\n",
        stamping.named_by
    )
}

/// Runs openssl; arguments are separated by spaces, `\ ` is a space within one.
fn openssl(arguments: &str, at: &Path) -> anyhow::Result<()> {
    let arguments = arguments.replace("\\ ", "\0");
    let arguments = arguments.split_ascii_whitespace().map(|argument| argument.replace('\0', " "));
    let arguments: Vec<_> = arguments.collect();
    let output = Command::new("openssl").args(&arguments).current_dir(at).output();
    let output = output.context("openssl is missing: install Debian's openssl")?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "openssl {arguments:?}: {words}");
    Ok(())
}
