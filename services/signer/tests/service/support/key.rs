//! Real keys of OpenSSL, for tests that are not about the HSM.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use callseal_signer::key::KeySource;
use evidence::{Certificate, KeyId, Signature, log::LogPublicKey};
use keys::{KeyError, KeyName, KeySet, LogSigningKey, SigningKey};

/// Keys in a folder: `<label>` is made when a test asks for it with [`Keys::make`], never otherwise.
pub struct Keys {
    dir: PathBuf,
    keys: Mutex<BTreeMap<String, Arc<FileKey>>>,
    /// As if the HSM were unplugged.
    pub unplugged: Arc<AtomicBool>,
}

impl Keys {
    /// Keys in `dir`, with the one that the signer takes unless it is told otherwise.
    pub fn new(dir: &Path) -> Self {
        let keys = Self { dir: dir.to_owned(), keys: Mutex::default(), unplugged: Arc::default() };
        keys.make("callseal");
        keys
    }

    /// Makes a key.
    pub fn make(&self, label: &str) -> Arc<FileKey> {
        let key = Arc::new(FileKey::make(&self.dir, label, self.unplugged.clone()));
        self.keys.lock().unwrap().insert(label.to_owned(), key.clone());
        key
    }

    /// A key that was made.
    pub fn of(&self, label: &str) -> Arc<FileKey> {
        self.keys.lock().unwrap()[label].clone()
    }

    /// The key is gone for good.
    pub fn lose(&self, label: &str) {
        self.keys.lock().unwrap().remove(label).unwrap().is_lost.store(true, Ordering::SeqCst);
    }

    /// Certificates of all keys that there were, one PEM text.
    pub fn certificates(&self) -> String {
        self.keys.lock().unwrap().values().map(|key| key.certificate.clone()).collect()
    }
}

impl KeySource for Keys {
    fn open(&self, key: &KeyName) -> Result<KeySet, KeyError> {
        if self.unplugged.load(Ordering::SeqCst) {
            return Err(KeyError::TokenMissing("test".to_owned()));
        }
        let missing = || KeyError::KeyMissing { token: "test".to_owned(), key: key.to_string() };
        let key = self.keys.lock().unwrap().get(&key.to_string()).cloned().ok_or_else(missing)?;
        Ok(KeySet { signing: key.clone(), log: key })
    }
}

/// An RSA key and a log key in files.
pub struct FileKey {
    rsa: PathBuf,
    p256: PathBuf,
    certificate_file: PathBuf,
    certificate: String,
    id: KeyId,
    public: LogPublicKey,
    unplugged: Arc<AtomicBool>,
    is_lost: AtomicBool,
}

impl FileKey {
    fn make(dir: &Path, label: &str, unplugged: Arc<AtomicBool>) -> Self {
        let file = |ending: &str| dir.join(format!("{label}-{ending}"));
        let (rsa, public, p256, log) = (file("rsa.pem"), file("cert.pem"), file("p256.pem"), file("log.der"));
        if !log.exists() {
            let script = r#"set -e
                openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$5" -keyout "$1" -out "$2" 2>/dev/null
                openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$3" 2>/dev/null
                openssl pkey -in "$3" -pubout -outform DER -out "$4""#;
            let mut command = Command::new("sh");
            command.args(["-c", script, "sh"]).args([&rsa, &public, &p256, &log]).arg(label);
            let made = command.output().unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        let certificate = std::fs::read_to_string(&public).unwrap();
        let id = Certificate::from_pem(&certificate).unwrap().public_key().id();
        let public = LogPublicKey::P256(std::fs::read(log).unwrap());
        Self {
            rsa,
            p256,
            certificate_file: file("cert.pem"),
            certificate,
            id,
            public,
            unplugged,
            is_lost: AtomicBool::new(false),
        }
    }

    /// Lays another certificate of the same key into its file, as a CA would issue it.
    pub fn certify_anew(&self) -> String {
        let script =
            "openssl req -x509 -new -key \"$1\" -days 30 -subj /CN=issued-by-a-ca -out \"$2\" 2>/dev/null";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).args([&self.rsa, &self.certificate_file]);
        assert!(command.status().unwrap().success());
        std::fs::read_to_string(&self.certificate_file).unwrap()
    }

    /// Signs a checkpoint or another note with the log key.
    pub fn sign_note_by_hand(&self, message: &[u8]) -> Vec<u8> {
        openssl_signs(&self.p256, message)
    }

    /// Signs with RSA as its owner would, whatever the signer can do.
    pub fn sign_by_hand(&self, message: &[u8]) -> Signature {
        Signature::new(openssl_signs(&self.rsa, message))
    }

    fn there(&self) -> Result<(), KeyError> {
        let away = [&*self.unplugged, &self.is_lost].iter().any(|flag| flag.load(Ordering::SeqCst));
        if away { Err(KeyError::TokenMissing("test".to_owned())) } else { Ok(()) }
    }
}

fn openssl_signs(key: &Path, message: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(["dgst", "-sha256", "-sign"]).arg(key);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(message).unwrap();
    child.wait_with_output().unwrap().stdout
}

impl SigningKey for FileKey {
    fn key_id(&self) -> KeyId {
        self.id
    }

    fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    fn certificate_now(&self) -> Result<String, KeyError> {
        let missing = |_| KeyError::Certificate("the file is away".to_owned());
        std::fs::read_to_string(&self.certificate_file).map_err(missing)
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        self.there()?;
        Ok(self.sign_by_hand(message))
    }
}

impl LogSigningKey for FileKey {
    fn public(&self) -> LogPublicKey {
        self.public.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.there()?;
        Ok(openssl_signs(&self.p256, message))
    }
}
