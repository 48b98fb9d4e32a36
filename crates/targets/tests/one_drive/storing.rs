//! Files in drives: stored, found again, kept apart.

use domain::resources::{Drive, MicrosoftLogin, OneDriveTarget};
use harness::graph::{Instead, LABEL, LIBRARY, LIBRARY_DRIVE, USER_DRIVE};
use targets::{Content, ErrorKind, Kind, Method, Outcome, Put, Target};

use crate::{
    content::{bytes, content_of, read, replaced_while_read},
    world::{LARGE, World, app, described, of_site, of_user},
};

#[tokio::test]
async fn small_and_large_files_are_stored_in_nested_folders_and_verified_by_the_servers_hash() {
    let world = World::start().await;
    let target = world.recordings();
    for (name, length) in [("empty.txt", 0), ("small.wav", 300_000), ("large.wav", LARGE)] {
        let content = content_of(length);
        let put = target.put("2026/Gespräche #1 50%", name, &content).await.unwrap();
        assert_eq!(put, Put { name: name.into(), outcome: Outcome::Stored, compared_by: None });
        let path = format!("Recordings/2026/Gespräche #1 50%/{name}");
        assert!(world.graph.file(USER_DRIVE, &path).unwrap().content == bytes(length), "{name}");
        let (size, sha256) = (content.size(), content.sha256());
        let verified = target.verify("2026/Gespräche #1 50%", name, size, sha256).await.unwrap();
        assert_eq!(verified.method, Method::ServerHash("quickXorHash"));
        let again = target.put("2026/Gespräche #1 50%", name, &content).await.unwrap();
        assert_eq!(again.outcome, Outcome::AlreadyThere, "{name}");
    }
    let seen = world.graph.seen();
    let at_graph = |host: &str| host == "graph.microsoft.com";
    assert!(
        seen.iter()
            .filter(|seen| !seen.host.starts_with("login."))
            .all(|s| s.authorized == at_graph(&s.host)),
        "a token goes to Graph, and nowhere else: {seen:?}"
    );
    let ranges = seen.iter().filter_map(|seen| seen.range.as_deref());
    let expected =
        ["bytes 0-5242879/11485760", "bytes 5242880-10485759/11485760", "bytes 10485760-11485759/11485760"];
    assert!(ranges.eq(expected));
    let folders =
        seen.iter().filter(|seen| seen.request.starts_with("POST") && seen.request.ends_with("children"));
    assert_eq!(folders.count(), 3, "each level is made once");
}

#[tokio::test]
async fn a_library_of_a_site_is_found_by_its_title_and_by_its_address() {
    let world = World::start().await;
    let content = content_of(1_000);
    for (library, drive) in
        [(Some(LIBRARY), LIBRARY_DRIVE), (Some("calls"), LIBRARY_DRIVE), (None, "b!documents")]
    {
        let name = format!("{library:?}.txt").replace(['"', '(', ')'], "");
        world.open(of_site(library)).put("", &name, &content).await.unwrap();
        assert!(world.graph.file(drive, &format!("Recordings/{name}")).is_some(), "{library:?}");
    }
    let by_id = described(MicrosoftLogin::App(app()), Drive::Id(LIBRARY_DRIVE.into()));
    let put =
        world.open(by_id).put("", "Some(Gespräche).txt".replace(['(', ')'], "").as_str(), &content).await;
    assert_eq!(put.unwrap().outcome, Outcome::AlreadyThere);
}

#[tokio::test]
async fn a_drive_that_is_not_there_is_named_by_what_is_wrong_about_it() {
    let world = World::start().await;
    let app = || MicrosoftLogin::App(app());
    let (host, path) = ("contoso.sharepoint.com".to_owned(), "sites/other".to_owned());
    for (target, expected) in [
        (described(app(), Drive::User("bob@contoso.example".into())), "no such user"),
        (described(app(), Drive::Id("b!none".into())), "drive.id"),
        (described(app(), Drive::Site { host, path, library: None }), "drive.site"),
        (of_site(Some("Other")), "drive.library"),
    ] {
        let error = world.open(target).test().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
        assert!(error.is_permanent() && error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn another_file_of_the_name_is_kept_and_the_new_one_stands_beside_it() {
    let world = World::start().await;
    let target = world.recordings();
    for (name, length) in [("small.wav", 10), ("large.wav", LARGE)] {
        // Case makes no difference there.
        let theirs = format!("Recordings/{}", name.to_uppercase());
        world.graph.put_file(USER_DRIVE, &theirs, b"somebody else's");
        let put = target.put("", name, &content_of(length)).await.unwrap();
        assert_eq!(put.outcome, Outcome::StoredAside);
        assert_eq!(put.name, name.replace('.', " (2)."));
        assert_eq!(world.graph.file(USER_DRIVE, &theirs).unwrap().content, b"somebody else's");
    }
    assert_eq!(world.graph.files(USER_DRIVE).len(), 4);
}

#[tokio::test]
async fn a_file_that_was_forged_to_the_same_checksum_is_not_taken_for_ours() {
    let world = World::start().await;
    let ours = bytes(1_000);
    let mut forged = ours.clone();
    // Bytes that lie 160 apart meet in the same place of the hash.
    forged.swap(0, 160);
    assert_ne!(forged, ours);
    world.graph.put_file(USER_DRIVE, "Recordings/a.wav", &forged);
    let put = world.recordings().put("", "a.wav", &Content::from_bytes(ours.clone())).await.unwrap();
    assert_eq!((put.name.as_str(), put.outcome), ("a (2).wav", Outcome::StoredAside));
    let hash = |name: &str| world.graph.file(USER_DRIVE, &format!("Recordings/{name}")).unwrap().hash;
    assert_eq!(hash("a.wav"), hash("a (2).wav"));
}

#[tokio::test]
async fn a_file_that_was_changed_or_lost_does_not_verify_and_a_new_process_reads_it_back() {
    let world = World::start().await;
    let content = content_of(300_000);
    world.recordings().put("", "a.wav", &content).await.unwrap();
    let (size, sha256) = (content.size(), content.sha256());
    let target = world.recordings();
    assert_eq!(target.verify("", "a.wav", size, sha256).await.unwrap().method, Method::ReadBack);
    let mut changed = bytes(300_000);
    changed[150_000] ^= 1;
    world.graph.put_file(USER_DRIVE, "Recordings/a.wav", &changed);
    for name in ["a.wav", "b.wav"] {
        let error = target.verify("", name, size, sha256).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
}

#[tokio::test]
async fn what_the_server_stored_wrongly_is_removed_again_and_stored_anew() {
    let world = World::start().await;
    let target = world.recordings();
    for (request, length) in [("PUT /v1.0/drives", 1_000), ("PUT /uploads", LARGE)] {
        world.graph.instead(request, Instead::Spoil);
        let error = target.put("", "a.wav", &content_of(length)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert!(world.graph.files(USER_DRIVE).is_empty());
        let put = target.put("", "a.wav", &content_of(length)).await.unwrap();
        assert_eq!(put.outcome, Outcome::Stored);
        target.remove("", "a.wav").await.unwrap();
    }
}

#[tokio::test]
async fn a_file_whose_hash_the_server_has_not_yet_computed_is_read_back() {
    let world = World::start().await;
    world.graph.tells_hashes(false);
    let (target, content) = (world.recordings(), content_of(LARGE));
    target.put("", "a.wav", &content).await.unwrap();
    let verified = target.verify("", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(verified.method, Method::ReadBack);
}

#[tokio::test]
async fn a_file_is_replaced_in_one_step_also_a_large_one() {
    let world = World::start().await;
    let target = world.recordings();
    replaced_while_read(&target).await;
    let large = content_of(LARGE);
    target.replace("log/acme", "checkpoint", &large).await.unwrap();
    assert!(read(&target, "log/acme", "checkpoint").await.unwrap() == bytes(LARGE));
    assert_eq!(world.graph.files(USER_DRIVE).len(), 1);
}

#[tokio::test]
async fn folders_are_listed_read_from_and_linked_to() {
    let world = World::start().await;
    let target = world.recordings();
    assert!(target.list("").await.unwrap().is_empty(), "the target's own folder is not there yet");
    for number in 0..1_001 {
        world.graph.put_file(USER_DRIVE, &format!("Recordings/many calls/{number}.wav"), b"x");
    }
    world.graph.put_file(USER_DRIVE, "Recordings/many calls/2026/a.wav", &bytes(300));
    let listed = target.list("many calls").await.unwrap();
    assert_eq!(listed.iter().filter(|listed| listed.kind == Kind::Folder).count(), 1);
    let file = |kind: &Kind| matches!(kind, Kind::File { size: 1, modified: Some(_) });
    assert_eq!(listed.iter().filter(|listed| file(&listed.kind)).count(), 1_001);
    assert_eq!(read(&target, "many calls/2026", "a.wav").await.unwrap(), bytes(300));
    assert_eq!(read(&target, "many calls/2026", "b.wav").await, None);
    assert_eq!(read(&target, "none", "b.wav").await, None);
    let link = target.web_link("many calls").await.unwrap().unwrap();
    assert!(link.starts_with("https://contoso-my.sharepoint.com/") && link.ends_with("many calls"), "{link}");
    assert_eq!(target.web_link("none").await.unwrap(), None);
}

#[tokio::test]
async fn a_name_or_path_that_the_drive_cannot_have_is_the_records_fault_and_nothing_is_sent() {
    let world = World::start().await;
    let target = world.recordings();
    // The library's own path has 38 characters, the target's folder 10, and there are three slashes.
    let (folder, just_fits) = ("x".repeat(200), "y".repeat(400 - 38 - 10 - 200 - 3));
    target.put(&folder, &just_fits, &content_of(9)).await.unwrap();
    world.graph.seen();
    for (folder, name) in [
        ("", "a:b.wav"),
        ("", "a.wav."),
        ("CON", "a.wav"),
        ("", &"ü".repeat(256)),
        (&folder, &format!("{just_fits}y")),
    ] {
        let error = target.put(folder, name, &content_of(9)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Name, "{error}");
    }
    assert!(world.graph.seen().is_empty());
}

#[tokio::test]
async fn a_whole_recording_gets_the_retention_label_which_then_keeps_it() {
    let world = World::start().await;
    let labelled = |label: &str| OneDriveTarget { retention_label: Some(label.into()), ..of_user() };
    let target = world.open(labelled(LABEL));
    let names = ["a.wav".to_owned(), "a_hash.sig".to_owned()];
    for name in &names {
        target.put("2026", name, &content_of(100)).await.unwrap();
        let label = world.graph.file(USER_DRIVE, &format!("Recordings/2026/{name}")).unwrap().label;
        assert_eq!(label, None, "not before the signature is there");
    }
    for _ in 0..2 {
        target.complete("2026", &names).await.unwrap();
    }
    for name in &names {
        let label = world.graph.file(USER_DRIVE, &format!("Recordings/2026/{name}")).unwrap().label;
        assert_eq!(label.as_deref(), Some(LABEL));
        let error = target.remove("2026", name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    }
    let error = world.open(labelled("None such")).complete("2026", &names).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(error.to_string().contains("retentionLabel"), "{error}");
    world.recordings().complete("2026", &names).await.unwrap();
}

#[tokio::test]
async fn a_test_leaves_nothing_behind() {
    let world = World::start().await;
    let target = world.recordings();
    target.test().await.unwrap();
    target.remove("", "never there.txt").await.unwrap();
    assert!(world.graph.files(USER_DRIVE).is_empty());
}
