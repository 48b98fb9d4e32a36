//! Retention over the whole: what is deleted is deleted for an auditor, too, and not missing.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};
use harness::{log_by_hand::value, recordings, resources, wait};
use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};
use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::{
    PATIENCE,
    scene::{Scene, of_kind},
};

const DAYS: i64 = 3;

fn kept_a_day(dir: &Path) -> String {
    resources::record_everything(dir)
        .replace("channels: stereo", "channels: stereo\n  retention: {days: 1}")
        .replace("spec: {subFolder", "spec: {deletion: allowed, subFolder")
}

/// The shipper's index while nobody else has it open.
async fn index(scene: &Scene) -> anyhow::Result<SqliteConnection> {
    let folder = scene.path("data");
    let file = find(&folder, "shipper.sqlite").context("the shipper has no state")?;
    Ok(SqliteConnection::connect(&format!("sqlite:{}", file.display())).await?)
}

fn find(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .find_map(|path| if path.is_dir() { find(&path, name) } else { path.ends_with(name).then_some(path) })
}

/// Lets days go by for everything in the index, after a look that what was sealed is what the rule says.
async fn days_go_by(scene: &Scene) -> anyhow::Result<()> {
    let mut index = index(scene).await?;
    for row in sqlx::query("SELECT ended_at, keep_until, erasable FROM archive_recordings")
        .fetch_all(&mut index)
        .await?
    {
        let ended = Timestamp::from_millisecond(row.try_get("ended_at")?)?;
        let day = ended.to_zoned(TimeZone::get("Europe/Berlin")?).date();
        let expected = day.checked_add(2.days())?.to_zoned(TimeZone::get("Europe/Berlin")?)?;
        ensure!(expected.timestamp().as_millisecond() == row.try_get::<i64, _>("keep_until")?);
        ensure!(row.try_get::<i64, _>("erasable")? == 0);
    }
    let days = SignedDuration::from_hours(24 * DAYS).as_millis();
    sqlx::query(
        "UPDATE archive_recordings SET started_at = started_at - $1, ended_at = ended_at - $1, \
         keep_until = keep_until - $1, next_look_at = next_look_at - $1",
    )
    .bind(i64::try_from(days)?)
    .execute(&mut index)
    .await?;
    Ok(index.close().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_retention_deleted_is_lawfully_deleted_for_an_auditor() -> anyhow::Result<()> {
    let mut scene = Scene::start_with(kept_a_day).await?;
    scene.call().await?;
    scene.call().await?;
    let found = scene.settled().await?;
    let mut ids = Vec::new();
    for recording in &found {
        ids.push(recording.info()?["Recording"].clone());
    }
    let [goes, stays] = ids.as_slice() else { panic!("{ids:?}") };
    // Nobody can have it deleted now; a hold over the other one is there before its time is over.
    let asked = ["--tenant", "acme", "--reason", "no room", "--by", "anna"];
    let refused = scene.callseal(&[&["delete", goes.as_str()][..], &asked].concat())?;
    refused.wrong(&["refused: it has to be kept until"])?;
    let place = [
        "hold",
        "place",
        "--recording",
        stays,
        "--tenant",
        "acme",
        "--reason",
        "proceedings",
        "--by",
        "carla",
    ];
    let placed = scene.callseal(&place)?.good()?;
    ensure!(placed.contains("hold 1 of acme") && placed.contains("1 recording now"), "{placed}");

    scene.stop().await?;
    days_go_by(&scene).await?;
    scene.start_again().await?;
    wait::until("one of both to be deleted, and the log to say so", PATIENCE, || async {
        let left = recordings::find(&scene.archive()).ok()?;
        let entries = scene.log().entries().ok()?;
        (left.len() == 1 && of_kind(&entries, "deleted").len() == 1).then_some(())
    })
    .await
    .with_context(|| scene.output())?;
    let left = recordings::find(&scene.archive())?;
    ensure!(left[0].info()?["Recording"] == *stays);
    let entries = scene.log().entries()?;
    let deleted = of_kind(&entries, "deleted")[0];
    ensure!(value(deleted, "Recording") == Some(goes.as_str()), "{deleted}");
    ensure!(
        value(deleted, "Reason").is_some_and(|reason| reason.starts_with("retention ended 20")),
        "{deleted}"
    );

    let certificate = scene.certificate().to_string_lossy().into_owned();
    let judged = wait::until("the archive to be good", PATIENCE, || async {
        let strict = ["--certificate", &certificate, "--grace", "0", "--complete", "--target", "archive"];
        scene.verify(&strict).ok()?.good().ok()
    });
    let judged = judged.await.with_context(|| scene.verify(&[]).map(|said| said.text).unwrap_or_default())?;
    ensure!(judged.contains("deleted"), "{judged}");

    // Two people release the other one; its time is over, too.
    scene.callseal(&["hold", "release", "1", "--reason", "settled", "--by", "anna"])?.good()?;
    scene.callseal(&["hold", "confirm", "1", "--by", "Anna"])?.wrong(&["a second person has to confirm"])?;
    let released = scene.callseal(&["hold", "confirm", "1", "--by", "berta"])?.good()?;
    ensure!(released.contains("released"), "{released}");
    // Retention looks once a minute; people need not wait for it.
    let asked = scene.callseal(&[&["delete", stays.as_str()][..], &asked].concat())?;
    if asked.text.contains("deletion 2 of recording") {
        scene.callseal(&["delete", "confirm", "2", "--by", "berta"])?.good()?;
    }
    wait::until("the other one to be deleted", PATIENCE, || async {
        recordings::find(&scene.archive()).ok()?.is_empty().then_some(())
    })
    .await
    .with_context(|| scene.output())?;
    let listed = scene.callseal(&["delete", "list", "--all"])?.good()?;
    ensure!(listed.contains(goes.as_str()) && listed.contains(stays.as_str()), "{listed}");
    Ok(())
}
