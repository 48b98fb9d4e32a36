//! Azure Blob by azurite, which checks signatures.

use std::path::Path;

use domain::resources::{AzureBlobAccess, AzureBlobTarget};
use harness::azurite::{ACCOUNT, Azurite};
use targets::{ErrorKind, Method, ObjectStorage, Target};

use crate::either::{
    goes_on, keeps_what_stands_there, lists, race, refusal, refuses_what_was_not_sealed, stores_and_removes,
};

fn described(azurite: &Azurite) -> AzureBlobTarget {
    AzureBlobTarget {
        account: ACCOUNT.into(),
        container: "archive".into(),
        prefix: "callseal".into(),
        endpoint: Some(format!("http://127.0.0.1:{}/{ACCOUNT}", azurite.port())),
        access: AzureBlobAccess::Key(Azurite::key().into()),
        lock: false,
    }
}

async fn server(dir: &Path) -> Azurite {
    let azurite = Azurite::start(dir).await.unwrap();
    azurite.make_container("archive").unwrap();
    azurite
}

#[tokio::test]
async fn blobs_small_and_large_are_stored_verified_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let azurite = server(dir.path()).await;
    let target = ObjectStorage::azure_blob(&described(&azurite));
    target.test().await.unwrap();
    stores_and_removes(&target, Method::ReadBack).await;
}

#[tokio::test]
async fn another_blob_of_the_name_is_kept_and_what_is_replaced_is_so_on_purpose() {
    let dir = tempfile::tempdir().unwrap();
    let azurite = server(dir.path()).await;
    keeps_what_stands_there(&ObjectStorage::azure_blob(&described(&azurite))).await;
}

#[tokio::test]
async fn a_listing_shows_blobs_and_folders_of_one_level() {
    let dir = tempfile::tempdir().unwrap();
    let azurite = server(dir.path()).await;
    lists(&ObjectStorage::azure_blob(&described(&azurite))).await;
}

#[tokio::test]
async fn an_upload_that_was_interrupted_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let azurite = server(dir.path()).await;
    let description = described(&azurite);
    goes_on(&ObjectStorage::azure_blob(&description), &ObjectStorage::azure_blob(&description)).await;
}

#[tokio::test]
async fn a_blob_that_was_not_sealed_so_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let azurite = server(dir.path()).await;
    refuses_what_was_not_sealed(&ObjectStorage::azure_blob(&described(&azurite))).await;
}

#[tokio::test]
async fn of_two_files_of_one_name_at_one_time_none_takes_the_place_of_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let azurite = server(dir.path()).await;
    let description = described(&azurite);
    race(&ObjectStorage::azure_blob(&description), &ObjectStorage::azure_blob(&description)).await;
}

#[tokio::test]
async fn a_missing_container_and_a_wrong_key_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let azurite = server(dir.path()).await;
    let wrong = "d3Jvbmcga2V5IHRoYXQgaXMgbG9uZyBlbm91Z2g=";
    let elsewhere = AzureBlobTarget { container: "not-there".into(), ..described(&azurite) };
    let error = refusal(&ObjectStorage::azure_blob(&elsewhere), wrong).await;
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
    let access = AzureBlobAccess::Key(wrong.into());
    let stranger = AzureBlobTarget { access, ..described(&azurite) };
    let error = refusal(&ObjectStorage::azure_blob(&stranger), wrong).await;
    // AuthorizationFailure; Azure itself says AuthenticationFailed.
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
}
