//! What the demo holds its result against: our own verification, the auditor's plain tools and the
//! script in the archive, the journal, and the audio byte for byte.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};
use evidence::{
    Certificate,
    verify::{Folder, Keyring, ProofOutcome, verify},
};
use sqlx::{Connection, SqliteConnection};

use super::{call::SentAudio, log::Logged, resources::TENANT};

/// The files of one recording.
pub struct Files {
    folder: PathBuf,
    base: String,
}

impl Files {
    /// Finds the recording in the archive by its id, which ends its base name.
    pub fn find(archive: &Path, recording: &str) -> anyhow::Result<Self> {
        let ending = format!("_{recording}_hash.txt");
        let mut folders = vec![archive.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).context("the archive cannot be read")? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if name.ends_with(&ending) {
                    let base = name.trim_end_matches("_hash.txt").to_owned();
                    return Ok(Self { folder, base });
                }
            }
        }
        bail!("the archive holds no hash list of the recording {recording}")
    }

    /// The content of one of them.
    ///
    /// # Errors
    /// It is not there.
    pub fn read(&self, ending: &str) -> anyhow::Result<Vec<u8>> {
        let name = self.name(ending);
        fs::read(self.folder.join(&name)).with_context(|| format!("{name} cannot be read"))
    }

    fn name(&self, ending: &str) -> String {
        format!("{}{ending}", self.base)
    }
}

/// Checks everything that the demo promises.
///
/// # Errors
/// The first thing that is not true.
pub async fn check(data: &Path, recording: &str, sent: &SentAudio) -> anyhow::Result<()> {
    let files = Files::find(&data.join("archive"), recording)?;
    check_with_own_means(data, recording)?;
    check_with_plain_tools(data, &files)?;
    check_audio(&files, sent)?;
    check_journal(data, &files).await
}

fn check_with_own_means(data: &Path, recording: &str) -> anyhow::Result<()> {
    let pem = fs::read_to_string(data.join("callseal.pem")).context("the certificate is missing")?;
    let mut keys = Keyring::new();
    keys.add(Certificate::from_pem(&pem)?);
    let mut archive = Folder::new();
    archive.add(&data.join("archive"))?;
    let report = verify(&archive, &keys)?;
    ensure!(!report.recordings.is_empty(), "the archive is empty");
    ensure!(report.is_good(), "verification found faults: {report:?}");
    let of_call = report.recordings.iter().find(|one| one.recording.to_string() == recording);
    let proven = of_call.is_some_and(|one| matches!(one.proof, ProofOutcome::Logged(_)));
    ensure!(proven, "the recording has no proof that the log holds it");
    Ok(())
}

/// What an auditor does, with nothing of ours: the same lines that [`show`] prints.
fn check_with_plain_tools(data: &Path, files: &Files) -> anyhow::Result<()> {
    for line in plain_commands(data, files) {
        let shell = Command::new("sh").arg("-ec").arg(&line).current_dir(&files.folder).output()?;
        ensure!(
            shell.status.success(),
            "`{line}` failed: {}{}",
            String::from_utf8_lossy(&shell.stdout),
            String::from_utf8_lossy(&shell.stderr)
        );
    }
    Ok(())
}

fn plain_commands(data: &Path, files: &Files) -> [String; 4] {
    let (hashes, signature) = (files.name("_hash.txt"), files.name("_hash.SHA256withRSA.sig"));
    let (certificate, public) = (data.join("callseal.pem"), data.join("callseal-public.pem"));
    let (raw, archive) = (data.join("signature.bin"), data.join("archive"));
    let (certificate, public, raw, archive) =
        (certificate.display(), public.display(), raw.display(), archive.display());
    [
        format!("sha256sum -c '{hashes}'"),
        format!("openssl x509 -in '{certificate}' -noout -pubkey > '{public}'"),
        format!(
            "base64 -d '{signature}' > '{raw}' && openssl dgst -sha256 -verify '{public}' -signature '{raw}' '{hashes}'"
        ),
        // All of it, and chain and log as well; a script to read before it is trusted.
        format!("sh '{archive}/verify.sh' -c '{certificate}' '{archive}'"),
    ]
}

/// Every byte that was sent on a side stands in that side's channel, in one piece.
fn check_audio(files: &Files, sent: &SentAudio) -> anyhow::Result<()> {
    let path = files.folder.join(files.name(".wav"));
    let mut file = fs::File::open(&path).context("the audio file is missing")?;
    let (_, channels) = media::wav::read_channels(&mut file)?;
    ensure!(channels.len() == 2, "the audio has {} channels, not two", channels.len());
    for (side, channel, sent) in
        [("caller", &channels[0], &sent.caller), ("callee", &channels[1], &sent.callee)]
    {
        let found = channel.windows(sent.len().max(1)).any(|window| window == sent.as_slice());
        ensure!(!sent.is_empty() && found, "the {side}'s channel does not hold what the {side} said");
    }
    Ok(())
}

async fn check_journal(data: &Path, files: &Files) -> anyhow::Result<()> {
    let url = format!("sqlite:{}", data.join("journal.sqlite").display());
    let mut journal = SqliteConnection::connect(&url).await.context("the journal cannot be opened")?;
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT signature, setting FROM recordings WHERE basefilename = $1")
            .bind(&files.base)
            .fetch_all(&mut journal)
            .await
            .context("the journal cannot be read")?;
    ensure!(rows.len() == 1, "the journal has {} rows of the recording, not one", rows.len());
    let signature = fs::read_to_string(files.folder.join(files.name("_hash.SHA256withRSA.sig")))?;
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    ensure!(plain(&rows[0].0) == plain(&signature), "the journal's signature is not the file's");
    ensure!(rows[0].1 == super::resources::RULE, "the journal names another rule");
    Ok(())
}

/// Says where everything lies and how to check it by hand.
///
/// # Errors
/// The recording is not in the archive.
pub fn show(data: &Path, recording: &str, logged: Logged) -> anyhow::Result<()> {
    let files = Files::find(&data.join("archive"), recording)?;
    println!("\narchive      {}", files.folder.display());
    let mut names: Vec<_> = fs::read_dir(&files.folder)?.filter_map(Result::ok).collect();
    names.sort_by_key(fs::DirEntry::file_name);
    for entry in names {
        println!("  {:>9}  {}", entry.metadata()?.len(), entry.file_name().to_string_lossy());
    }
    let log = data.join("archive/log").join(TENANT);
    println!("log          {}, entry {} of {}", log.display(), logged.entry, logged.size);
    println!("journal      {}", data.join("journal.sqlite").display());
    println!("certificate  {}", data.join("callseal.pem").display());
    println!("\nCheck it yourself, with nothing of ours:\n  cd '{}'", files.folder.display());
    for line in plain_commands(data, &files) {
        println!("  {line}");
    }
    println!("or: callseal verify '{}'", data.join("archive").display());
    Ok(())
}
