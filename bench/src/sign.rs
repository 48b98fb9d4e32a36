//! Signatures a second: the way recordings are signed (session pool, each signature verified) against a
//! plain loop that does nothing but `C_Sign`, both with four sessions in the same SoftHSM.

use std::{
    fmt, iter,
    path::Path,
    process::{Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::Mechanism,
    object::{Attribute, KeyType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};
use evidence::{Certificate, PublicKey, Signature};
use keys::{
    CertificateSubject, KeyOptions, KeySet, NewKey, RsaBits, SigningKey,
    softhsm::{self, SoftHsmToken},
};

/// The environment variable with the folder of the token.
const TOKEN_FOLDER: &str = "CALLSEAL_BENCH_TOKEN_FOLDER";
/// Sessions, and threads, of each way.
const SESSIONS: u16 = 4;
/// How often each way takes its turn: short turns, so that what else the machine does hits all alike.
const ROUNDS: u32 = 40;
/// What is signed: as long as a hash list of three files.
pub(crate) const HASH_LIST: [u8; 420] = [b'a'; 420];
/// Of the plain loop, as many signatures have to be left.
const GOAL: f64 = 0.8;

/// Signatures a second.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// `C_Sign` in a loop, nothing else.
    pub plain: f64,
    /// The same, each signature verified.
    pub plain_verified: f64,
    /// By a key of the pool, each signature verified.
    pub pooled: f64,
}

impl Outcome {
    /// Whether the pool reaches the goal, verification included.
    pub fn is_fast_enough(&self) -> bool {
        self.pooled >= GOAL * self.plain
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plain, plain_verified, pooled } = self;
        writeln!(f, "signatures a second, RSA-3072 in SoftHSM, {SESSIONS} sessions")?;
        writeln!(f, "  plain loop               {plain:8.0}")?;
        writeln!(f, "  plain loop, verified     {plain_verified:8.0}")?;
        writeln!(f, "  as recordings are signed {pooled:8.0}")?;
        writeln!(
            f,
            "  verification included    {:7.1} % of the plain loop (goal {:.0} %)",
            100.0 * pooled / plain,
            100.0 * GOAL
        )?;
        write!(
            f,
            "  verification excluded    {:7.1} % (of the loop that verifies as well)",
            100.0 * pooled / plain_verified
        )
    }
}

/// Starts this program again with the environment that SoftHSM needs, its token in `dir`; `None` if it was
/// started so.
///
/// # Errors
/// The folder cannot be written, or the program not be started.
pub fn in_its_environment(dir: &Path) -> anyhow::Result<Option<ExitStatus>> {
    if std::env::var_os(TOKEN_FOLDER).is_some() {
        return Ok(None);
    }
    softhsm::write_conf(dir)?;
    let mut again = Command::new(std::env::current_exe()?);
    again.args(std::env::args_os().skip(1));
    again.env(softhsm::CONF_VARIABLE, softhsm::conf_path(dir)).env(TOKEN_FOLDER, dir);
    Ok(Some(again.status()?))
}

/// New keys in the token, RSA-3072, used by so many sessions.
///
/// # Errors
/// SoftHSM is not installed, or refuses.
pub(crate) fn new_keys(sessions: u16) -> anyhow::Result<(SoftHsmToken, KeySet)> {
    let folder = std::env::var_os(TOKEN_FOLDER).context("started without SoftHSM's environment")?;
    let token = softhsm::prepare(Path::new(&folder), "callseal")?;
    let options =
        KeyOptions { pkcs11_sessions: sessions.try_into()?, ..KeyOptions::default() }.in_softhsm(&token);
    let subject = CertificateSubject {
        holder: String::new(),
        installation: "bench".to_owned(),
        valid_from: "2026-01-01T00:00:00Z".parse()?,
        years: 30,
    };
    let keys = keys::create(&options, &options.key, &NewKey { subject, bits: RsaBits::Rsa3072 })?;
    Ok((token, keys))
}

/// Measures each way `seconds` long, in turns.
///
/// # Errors
/// SoftHSM is not installed, or a signature fails.
pub fn run(seconds: u32) -> anyhow::Result<Outcome> {
    let (token, keys) = new_keys(SESSIONS)?;
    let certificate = Certificate::from_pem(keys.signing.certificate_pem())?;
    let mut plain = Plain::open(&token)?;
    let each = Duration::from_secs(seconds.into()) / ROUNDS;
    let mut sum = Outcome { plain: 0.0, plain_verified: 0.0, pooled: 0.0 };
    // The first turn opens sessions and fills caches; it does not count.
    for round in 0..=ROUNDS {
        let took = Outcome {
            plain: plain.rate(each, None)?,
            plain_verified: plain.rate(each, Some(certificate.public_key()))?,
            pooled: pooled(keys.signing.as_ref(), each)?,
        };
        if round > 0 {
            sum.plain += took.plain / f64::from(ROUNDS);
            sum.plain_verified += took.plain_verified / f64::from(ROUNDS);
            sum.pooled += took.pooled / f64::from(ROUNDS);
        }
    }
    Ok(sum)
}

fn pooled(key: &dyn SigningKey, during: Duration) -> anyhow::Result<f64> {
    rate(during, (0..SESSIONS).map(|_| || Ok(key.sign(&HASH_LIST).map(drop)?)))
}

/// Signatures a second of all `ways` together, each in a thread of its own.
fn rate<W>(during: Duration, ways: impl Iterator<Item = W>) -> anyhow::Result<f64>
where
    W: FnMut() -> anyhow::Result<()> + Send,
{
    let start = Instant::now();
    let counts = thread::scope(|scope| {
        let threads: Vec<_> = ways
            .map(|mut sign| {
                scope.spawn(move || -> anyhow::Result<u64> {
                    let mut count = 0;
                    while start.elapsed() < during {
                        sign()?;
                        count += 1;
                    }
                    Ok(count)
                })
            })
            .collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?);
        joined.sum::<anyhow::Result<u64>>()
    })?;
    Ok(counts as f64 / start.elapsed().as_secs_f64())
}

/// What a program would do that has one purpose: to sign.
struct Plain {
    sessions: Vec<(Session, ObjectHandle)>,
}

impl Plain {
    fn open(token: &softhsm::SoftHsmToken) -> anyhow::Result<Self> {
        let library = Pkcs11::new(&token.module)?;
        match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(error.into()),
        }
        let pin = AuthPin::from(std::fs::read_to_string(&token.pin_file)?);
        let slots = library.get_slots_with_initialized_token()?;
        let slot = *slots.first().context("there is no token")?;
        let template = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(KeyType::RSA),
            Attribute::Label(b"callseal".to_vec()),
        ];
        let open = || -> anyhow::Result<(Session, ObjectHandle)> {
            let session = library.open_ro_session(slot)?;
            match session.login(UserType::User, Some(&pin)) {
                Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
                Err(error) => return Err(error.into()),
            }
            let key = *session.find_objects(&template)?.first().context("there is no key")?;
            Ok((session, key))
        };
        let sessions = iter::repeat_with(open).take(SESSIONS.into()).collect::<anyhow::Result<_>>()?;
        Ok(Self { sessions })
    }

    fn rate(&mut self, during: Duration, verified_by: Option<&PublicKey>) -> anyhow::Result<f64> {
        // A session may be sent to another thread, not shared with it.
        let ways = self.sessions.iter_mut().map(|(session, key)| {
            move || {
                let signature = session.sign(&Mechanism::Sha256RsaPkcs, *key, &HASH_LIST)?;
                let Some(public) = verified_by else { return Ok(()) };
                Ok(public.verify(&HASH_LIST, &Signature::new(signature))?)
            }
        });
        rate(during, ways)
    }
}
