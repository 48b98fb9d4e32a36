//! Uploads that are broken off, and gone on with.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use harness::{
    graph::{Graph, Instead, USER_DRIVE},
    wait,
};
use sha2::{Digest as _, Sha256};
use targets::{Content, ErrorKind, Outcome, Reader, Source, Target};

use crate::{
    content::{Breaking, bytes, content_of},
    world::{LARGE, Memory, RANGE, World, of_user},
};

const FILE: &str = "Recordings/a.wav";

fn is_whole(world: &World) -> bool {
    world.graph.file(USER_DRIVE, FILE).is_some_and(|file| file.content == bytes(LARGE) && file.versions == 1)
}

/// Where the ranges begin that were sent since the last call, whatever became of them.
fn begins(world: &World) -> Vec<usize> {
    let ranges = world.graph.seen().into_iter().filter_map(|seen| seen.range);
    ranges.map(|range| range["bytes ".len()..].split('-').next().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_midst_of_a_range_costs_that_range_only() {
    let world = World::start().await;
    world.graph.instead("PUT /uploads", Instead::HangUpAfter(RANGE));
    world.graph.instead("PUT /uploads", Instead::HangUpAfter(1_000_000));
    let put = world.recordings().put("", "a.wav", &content_of(LARGE)).await.unwrap();
    assert_eq!(put.outcome, Outcome::Stored);
    assert!(is_whole(&world));
    assert_eq!(begins(&world), [0, 0, 0, RANGE, 2 * RANGE]);
}

/// A source that arranges something when it is read from a place on the second time: the first time is
/// for its hashes.
struct Arranging {
    graph: Arc<Graph>,
    at: usize,
    instead: Mutex<Option<Instead>>,
    opened: AtomicUsize,
}

impl Arranging {
    fn content(graph: &Arc<Graph>, at: usize, instead: Instead) -> Content {
        let (graph, instead) = (Arc::clone(graph), Mutex::new(Some(instead)));
        let source = Arc::new(Self { graph, at, instead, opened: AtomicUsize::new(0) });
        Content::new(LARGE as u64, Sha256::digest(bytes(LARGE)).into(), source)
    }
}

#[async_trait::async_trait]
impl Source for Arranging {
    async fn open(&self, offset: u64) -> io::Result<Reader> {
        if self.opened.fetch_add(1, Ordering::Relaxed) > 0
            && offset as usize == self.at
            && let Some(instead) = self.instead.lock().unwrap().take()
        {
            self.graph.end_tokens();
            self.graph.instead("PUT /uploads", instead);
        }
        Ok(Box::pin(io::Cursor::new(bytes(LARGE).split_off(offset as usize))))
    }
}

#[tokio::test]
async fn an_answer_that_got_lost_doubles_nothing_also_that_to_the_last_range_and_with_the_token_at_its_end() {
    for (range, outcome) in [(0, Outcome::Stored), (1, Outcome::Stored), (2, Outcome::AlreadyThere)] {
        let world = World::start().await;
        let content = Arranging::content(&world.graph, range * RANGE, Instead::LoseAnswer);
        let put = world.recordings().put("", "a.wav", &content).await.unwrap();
        assert_eq!((put.name.as_str(), put.outcome), ("a.wav", outcome), "{range}");
        assert!(is_whole(&world), "{range}");
        assert_eq!(begins(&world), [0, RANGE, 2 * RANGE]);
        assert_eq!((world.graph.files(USER_DRIVE).len(), world.graph.unfinished()), (1, 0));
    }
}

#[tokio::test]
async fn a_small_file_whose_answer_got_lost_is_found_by_the_next_attempt() {
    let world = World::start().await;
    let (target, content) = (world.recordings(), content_of(1_000));
    world.graph.instead("PUT /v1.0", Instead::LoseAnswer);
    assert_eq!(target.put("", "a.wav", &content).await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(target.put("", "a.wav", &content).await.unwrap().outcome, Outcome::AlreadyThere);
    assert_eq!(world.graph.files(USER_DRIVE), [FILE]);
}

#[tokio::test]
async fn a_range_that_the_server_has_already_makes_us_ask_where_to_go_on() {
    let world = World::start().await;
    world.graph.instead("PUT /uploads", Instead::Refuse(416, "invalidRange", None));
    world.recordings().put("", "a.wav", &content_of(LARGE)).await.unwrap();
    assert!(is_whole(&world));
    let target = world.recordings();
    target.remove("", "a.wav").await.unwrap();
    for _ in 0..3 {
        world.graph.instead("PUT /uploads", Instead::Refuse(416, "invalidRange", None));
    }
    let error = target.put("", "a.wav", &content_of(LARGE)).await.unwrap_err();
    assert!(!error.is_permanent() && !error.concerns_record(), "{error}");
}

#[tokio::test]
async fn a_server_that_says_it_takes_ranges_and_keeps_none_is_not_fed_for_ever() {
    let world = World::start().await;
    for _ in 0..2 {
        world.graph.instead("PUT /uploads", Instead::TakeAndForget);
    }
    let target = world.recordings();
    target.put("", "a.wav", &content_of(LARGE)).await.unwrap();
    assert!(is_whole(&world));
    target.remove("", "a.wav").await.unwrap();
    let _so_far = begins(&world);
    for _ in 0..20 {
        world.graph.instead("PUT /uploads", Instead::TakeAndForget);
    }
    let error = target.put("", "a.wav", &content_of(LARGE)).await.unwrap_err();
    assert_eq!((error.kind(), begins(&world)), (ErrorKind::Unreachable, vec![0; 3]), "{error}");
}

#[tokio::test]
async fn a_new_process_goes_on_where_the_last_one_was_killed() {
    let world = World::start().await;
    let memory = Arc::new(Memory::default());
    // The second range stands still, so that the process is certainly in its midst.
    let content = Arranging::content(&world.graph, RANGE, Instead::StandStillAfter(3_000_000));
    let content = content.with_bookmark(memory.clone());
    let killed = {
        let target = world.open_with(of_user(), Duration::from_secs(600));
        let content = content.clone();
        tokio::spawn(async move { target.put("", "a.wav", &content).await.map(drop) })
    };
    wait::until("the second range to stand still", Duration::from_secs(60), async || {
        world.graph.seen().into_iter().find(|seen| seen.range.is_some() && seen.status == 0)
    })
    .await
    .unwrap();
    killed.abort();
    let _aborted = killed.await;
    assert!(world.graph.files(USER_DRIVE).is_empty());
    assert!(memory.text().is_some_and(|text| text.contains("uploads/")));
    let put = world.recordings().put("", "a.wav", &content).await.unwrap();
    assert_eq!(put.outcome, Outcome::Stored);
    assert!(is_whole(&world));
    assert_eq!(begins(&world), [RANGE, 2 * RANGE]);
    assert_eq!((memory.text(), world.graph.unfinished()), (None, 0));
}

#[tokio::test]
async fn what_was_sent_before_the_source_broke_is_not_sent_again() {
    let world = World::start().await;
    let memory = Arc::new(Memory::default());
    // All of it is read once for its hashes; it breaks when it is read to be sent.
    let source = Arc::new(BreakingLater(Breaking::never(LARGE).0, RANGE as u64));
    let sha256 = Sha256::digest(bytes(LARGE)).into();
    let content = Content::new(LARGE as u64, sha256, source).with_bookmark(memory.clone());
    let error = world.recordings().put("", "a.wav", &content).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source, "{error}");
    assert_eq!(begins(&world)[0], 0);
    let content = content_of(LARGE).with_bookmark(memory);
    world.recordings().put("", "a.wav", &content).await.unwrap();
    assert!(is_whole(&world));
    assert_eq!(begins(&world), [RANGE, 2 * RANGE]);
}

/// A source that cannot be opened at one place.
struct BreakingLater(Arc<Breaking>, u64);

#[async_trait::async_trait]
impl Source for BreakingLater {
    async fn open(&self, offset: u64) -> io::Result<Reader> {
        if offset == self.1 { Err(io::Error::other("a bad sector")) } else { self.0.open(offset).await }
    }
}

#[tokio::test]
async fn an_upload_that_ran_out_is_begun_again() {
    let world = World::start().await;
    let memory = Arc::new(Memory::default());
    let content = content_of(LARGE).with_bookmark(memory.clone());
    for _ in 0..3 {
        world.graph.instead("PUT /uploads", Instead::Refuse(500, "generalException", None));
    }
    let error = world.recordings().put("", "a.wav", &content).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(memory.text().is_some() && world.graph.unfinished() == 1);
    world.graph.forget_uploads();
    world.recordings().put("", "a.wav", &content).await.unwrap();
    assert!(is_whole(&world));
    // And one that is forgotten while it is being sent.
    let target = world.recordings();
    target.remove("", "a.wav").await.unwrap();
    world.graph.instead("PUT /uploads", Instead::Refuse(404, "itemNotFound", None));
    target.put("", "a.wav", &content).await.unwrap();
    assert!(is_whole(&world));
}

#[tokio::test]
async fn a_bookmark_of_another_file_or_of_nothing_is_not_used() {
    let world = World::start().await;
    let memory = Arc::new(Memory::default());
    for text in [
        "rubbish",
        r#"{"url":"http://contoso-my.sharepoint.com/uploads/1","path":"Recordings/a.wav","sha256":""}"#,
        r#"{"url":"https://evil.example/","path":"Recordings/b.wav","sha256":""}"#,
    ] {
        targets::Bookmark::keep(&*memory, Some(text)).await;
        let target = world.recordings();
        target.put("", "a.wav", &content_of(LARGE).with_bookmark(memory.clone())).await.unwrap();
        assert!(is_whole(&world));
        target.remove("", "a.wav").await.unwrap();
    }
}

#[tokio::test]
async fn a_name_that_is_taken_while_the_file_is_on_its_way_leads_to_the_next_name() {
    let world = World::start().await;
    world.graph.instead("PUT /uploads", Instead::Refuse(409, "nameAlreadyExists", None));
    let target = world.recordings();
    // Whoever took it has let it go again.
    let put = target.put("", "a.wav", &content_of(LARGE)).await.unwrap();
    assert_eq!(put.name, "a (2).wav");
    assert_eq!((world.graph.files(USER_DRIVE).len(), world.graph.unfinished()), (1, 0));
}

#[tokio::test]
async fn a_connection_that_stands_still_is_given_up_and_gone_on_with() {
    let world = World::start().await;
    let target = world.open_with(of_user(), Duration::from_secs(3));
    world.graph.instead("PUT /uploads", Instead::StandStillAfter(100_000));
    target.put("", "a.wav", &content_of(LARGE)).await.unwrap();
    assert!(is_whole(&world));
    world.graph.instead("PUT /v1.0", Instead::StandStillAfter(0));
    let error = target.put("", "small.wav", &content_of(1_000)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn a_folder_that_somebody_removes_is_made_again() {
    let world = World::start().await;
    let target = world.recordings();
    for (name, length) in [("small.wav", 1_000), ("large.wav", LARGE)] {
        target.put("2026/11", name, &content_of(length)).await.unwrap();
        world.graph.remove(USER_DRIVE, "Recordings");
        target.put("2026/11", name, &content_of(length)).await.unwrap();
        assert!(world.graph.file(USER_DRIVE, &format!("Recordings/2026/11/{name}")).is_some());
    }
    world.graph.put_file(USER_DRIVE, "Recordings/file", b"x");
    let error = target.put("file/2026", "a.wav", &content_of(9)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
}

#[tokio::test]
async fn a_source_that_is_not_what_was_sealed_is_not_sent() {
    let world = World::start().await;
    for length in [1_000, LARGE] {
        let source = Breaking::never(length).0;
        let content = Content::new(length as u64, [7; 32], source);
        let error = world.recordings().put("", "a.wav", &content).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source, "{error}");
    }
    assert_eq!((world.graph.files(USER_DRIVE).len(), world.graph.unfinished()), (0, 0));
}

#[tokio::test]
async fn what_a_proxy_brings_twice_stands_there_once() {
    let world = World::start().await;
    // A session twice, a range twice, the last range twice, a small file twice.
    for request in ["POST /v1.0", "PUT /uploads", "PUT /v1.0"] {
        world.graph.instead(request, Instead::Twice);
    }
    let put = world.recordings().put("", "a.wav", &content_of(LARGE)).await.unwrap();
    assert_eq!(put.name, "a.wav");
    let small = content_of(300);
    let put = world.recordings().put("", "b.txt", &small).await.unwrap();
    assert_eq!(put.name, "b.txt");
    assert!(is_whole(&world));
    assert_eq!(world.graph.files(USER_DRIVE), ["Recordings/a.wav", "Recordings/b.txt"]);
    assert_eq!(world.graph.file(USER_DRIVE, "Recordings/b.txt").unwrap().versions, 1);
}
