//! The witness' own key: Ed25519, in a file that nobody else can read.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use evidence::log::{NoteSignature, WitnessKey};
use jiff::Timestamp;
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair},
};
use zeroize::Zeroizing;

/// How Go's note package and its tools begin a private key: `PRIVATE+KEY+<name>+<hash>+<base64>`.
const PREFIX: &str = "PRIVATE+KEY+";

/// The type byte of a cosignature key (C2SP tlog-cosignature).
const COSIGNATURE: u8 = 0x04;

/// The private key.
pub struct CosigningKey {
    pair: Ed25519KeyPair,
    public: WitnessKey,
}

impl CosigningKey {
    /// Opens `<folder>/key`. Where there is none, one is made, with this name.
    ///
    /// # Errors
    /// The file cannot be read or is none of a key; its name is another one than `name`; or there is no
    /// key and no name to make one with.
    pub fn open(folder: &Path, name: Option<&str>) -> anyhow::Result<Self> {
        let path = folder.join("key");
        let shown = path.display();
        let text = match fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let Some(name) = name else {
                    bail!(
                        "{shown} is not there; to make a new key, say with --name how the witness is called"
                    );
                };
                let text = generate(name)?;
                write(&path, &text).with_context(|| format!("{shown} cannot be written"))?;
                text
            }
            Err(error) => return Err(error).with_context(|| format!("{shown} cannot be read")),
        };
        let key = Self::parse(text.trim_end())
            .with_context(|| format!("{shown} is not the key of a witness; bring it back from a backup"))?;
        let own = key.public.name();
        if let Some(name) = name {
            ensure!(name == own, "the key in {shown} is called {own:?}, not {name:?}: the name is fixed");
        }
        Ok(key)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(PREFIX)?.splitn(3, '+');
        let (name, hash, key) = (parts.next()?, parts.next()?, parts.next()?);
        let typed = Zeroizing::new(BASE64_STANDARD.decode(key).ok()?);
        let (&COSIGNATURE, seed) = typed.split_first()? else { return None };
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public = WitnessKey::new(name, pair.public_key().as_ref().try_into().ok()?).ok()?;
        (hash == format!("{:08x}", public.key_hash())).then_some(Self { pair, public })
    }

    /// The public key, with the witness' name.
    pub const fn public(&self) -> &WitnessKey {
        &self.public
    }

    /// A cosignature/v1 under the checkpoint with this body.
    pub fn cosign(&self, checkpoint_body: &str, at: Timestamp) -> NoteSignature {
        let message = WitnessKey::message(checkpoint_body, at);
        let signature = self.pair.sign(message.as_bytes());
        let signature = signature.as_ref().try_into().expect("Ed25519 signatures have 64 bytes (RFC 8032)");
        self.public.note_signature(at, signature)
    }
}

impl fmt::Debug for CosigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CosigningKey").field(&self.public).finish()
    }
}

fn generate(name: &str) -> anyhow::Result<Zeroizing<String>> {
    let mut typed = Zeroizing::new([COSIGNATURE; 33]);
    let filled = SystemRandom::new().fill(&mut typed[1..]);
    ensure!(filled.is_ok(), "this machine gives no random numbers");
    let pair = Ed25519KeyPair::from_seed_unchecked(&typed[1..]);
    let pair = pair.ok().context("no key can be made")?;
    let public = pair.public_key().as_ref().try_into().context("no key can be made")?;
    let public = WitnessKey::new(name, public)
        .with_context(|| format!("{name:?} cannot be a witness' name: no spaces and no '+'"))?;
    let key = Zeroizing::new(BASE64_STANDARD.encode(typed.as_slice()));
    Ok(Zeroizing::new(format!("{PREFIX}{name}+{:08x}+{}\n", public.key_hash(), *key)))
}

/// Makes the file (and its folder), never in place of another, readable by its owner alone, for good when this returns.
fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    // Whole or not at all: a key that was cut by a crash would block the next start.
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::hard_link(&beside, path)?;
    fs::remove_file(&beside)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
