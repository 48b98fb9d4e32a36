//! Requests that a proxy brings twice: nothing is doubled, nothing lost, nothing overwritten, whichever of the
//! two answers is heard.

use domain::resources::{AzureBlobAccess, AzureBlobTarget, GcsTarget, S3Target};
use harness::{
    azurite::{ACCOUNT, Azurite},
    gcs::{BUCKET, Gcs},
    moto::Moto,
    repeater::{Heard, Repeater},
};
use targets::{ObjectStorage, Target};

use crate::{
    bookmark::Memory,
    content::{bytes, content_of, read},
    either::LARGE,
};

/// Small and large files come whole and once, beside what stands there already.
async fn comes_once(target: &ObjectStorage, plain: &ObjectStorage, repeater: &Repeater) {
    plain.put("calls", "taken.wav", &content_of(10)).await.unwrap();
    for (name, length) in [("small.wav", 300_000), ("large.wav", LARGE), ("taken.wav", 300_000)] {
        let (memory, before) = (Memory::new(), repeater.repeated());
        let content = content_of(length).with_bookmark(memory.clone());
        let put = target.put("calls", name, &content).await.unwrap();
        assert_eq!(put.name == name, name != "taken.wav", "{put:?}");
        assert!(repeater.repeated() > before);
        plain.verify("calls", &put.name, content.size(), content.sha256()).await.unwrap();
        assert_eq!(memory.text(), None);
    }
    assert_eq!(read(plain, "calls", "taken.wav").await.unwrap(), bytes(10));
    let mut names: Vec<String> =
        plain.list("calls").await.unwrap().into_iter().map(|listed| listed.name).collect();
    names.sort();
    assert_eq!(names, ["large.wav", "small.wav", "taken (2).wav", "taken.wav"]);
    target.replace("calls", "taken.wav", &content_of(20)).await.unwrap();
    assert_eq!(read(plain, "calls", "taken.wav").await.unwrap(), bytes(20));
    for name in names {
        target.remove("calls", &name).await.unwrap();
    }
    assert!(plain.list("calls").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_comes_to_s3_twice_stands_there_once() {
    let dir = tempfile::tempdir().unwrap();
    let moto = Moto::start(dir.path()).await.unwrap();
    moto.make_bucket("acme-archive", false).await.unwrap();
    let described = |port| S3Target {
        bucket: "acme-archive".into(),
        prefix: String::new(),
        region: Some("us-east-1".into()),
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        path_style: true,
        keys: Some(("AKIAEXAMPLE".into(), "hunter2".into())),
        lock: None,
    };
    let plain = ObjectStorage::s3(&described(moto.s3_port()));
    for heard in [Heard::First, Heard::Second] {
        let repeater = Repeater::to(moto.s3_port(), heard).await.unwrap();
        comes_once(&ObjectStorage::s3(&described(repeater.port())), &plain, &repeater).await;
    }
}

#[tokio::test]
async fn what_comes_to_azure_blob_twice_stands_there_once() {
    let dir = tempfile::tempdir().unwrap();
    let azurite = Azurite::start(dir.path()).await.unwrap();
    azurite.make_container("archive").unwrap();
    let described = |port| AzureBlobTarget {
        account: ACCOUNT.into(),
        container: "archive".into(),
        prefix: String::new(),
        endpoint: Some(format!("http://127.0.0.1:{port}/{ACCOUNT}")),
        access: AzureBlobAccess::Key(Azurite::key().into()),
        lock: false,
    };
    let plain = ObjectStorage::azure_blob(&described(azurite.port()));
    for heard in [Heard::First, Heard::Second] {
        let repeater = Repeater::to(azurite.port(), heard).await.unwrap();
        comes_once(&ObjectStorage::azure_blob(&described(repeater.port())), &plain, &repeater).await;
    }
}

#[tokio::test]
async fn what_comes_to_google_twice_stands_there_once() {
    let dir = tempfile::tempdir().unwrap();
    let gcs = Gcs::start(dir.path()).await.unwrap();
    let key = gcs.key_file().unwrap();
    let described = |port| GcsTarget {
        bucket: BUCKET.into(),
        prefix: String::new(),
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        service_account_key: Some(key.as_str().into()),
    };
    let plain = ObjectStorage::gcs(&described(gcs.port()));
    for heard in [Heard::First, Heard::Second] {
        let repeater = Repeater::to(gcs.port(), heard).await.unwrap();
        comes_once(&ObjectStorage::gcs(&described(repeater.port())), &plain, &repeater).await;
    }
}
