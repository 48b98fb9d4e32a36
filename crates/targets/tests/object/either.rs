//! What every kind of object storage must do, shown to all of them alike.

use targets::{Content, ErrorKind, Kind, Method, Outcome, Target, TargetError};

use crate::{
    bookmark::Memory,
    content::{self, bytes, content_of, read},
};

/// Five parts, the last of one byte.
pub const LARGE: usize = 4 * 8 * 1024 * 1024 + 1;

/// Small and large files are stored, verified by these methods, found again, and removed.
pub async fn stores_and_removes(target: &impl Target, small: Method) {
    for (length, method) in [(0, small), (300_000, small), (LARGE, Method::ReadBack)] {
        let (name, content) = (format!("+49 30 Zoë & Ünal {length}.wav"), content_of(length));
        let put = target.put("2026/Gespräche", &name, &content).await.unwrap();
        assert_eq!((put.name.as_str(), put.outcome), (name.as_str(), Outcome::Stored));
        let verified =
            target.verify("2026/Gespräche", &name, content.size(), content.sha256()).await.unwrap();
        assert_eq!(verified.method, method, "{length}");
        assert!(read(target, "2026/Gespräche", &name).await.unwrap() == bytes(length));
        let again = target.put("2026/Gespräche", &name, &content).await.unwrap();
        assert_eq!(again.outcome, Outcome::AlreadyThere);
        let other = target.verify("2026/Gespräche", &name, content.size(), &[1; 32]).await.unwrap_err();
        assert_eq!(other.kind(), ErrorKind::Conflict);
        target.remove("2026/Gespräche", &name).await.unwrap();
        target.remove("2026/Gespräche", &name).await.unwrap();
        assert_eq!(read(target, "2026/Gespräche", &name).await, None);
        let gone =
            target.verify("2026/Gespräche", &name, content.size(), content.sha256()).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::Conflict);
    }
}

/// Another file of the name is kept, whatever their lengths.
pub async fn keeps_what_stands_there(target: &impl Target) {
    for length in [1_000, LARGE] {
        let name = format!("{length}.wav");
        target.put("calls", &name, &content_of(10)).await.unwrap();
        let content = content_of(length);
        let put = target.put("calls", &name, &content).await.unwrap();
        assert_eq!((put.name, put.outcome), (format!("{length} (2).wav"), Outcome::StoredAside));
        assert_eq!(read(target, "calls", &name).await.unwrap(), bytes(10));
        let again = target.put("calls", &name, &content).await.unwrap();
        assert_eq!((again.name, again.outcome), (format!("{length} (2).wav"), Outcome::AlreadyThere));
        target.replace("calls", &name, &content).await.unwrap();
        assert!(read(target, "calls", &name).await.unwrap() == bytes(length));
    }
}

pub async fn lists(target: &impl Target) {
    target.put("calls", "a b+c.wav", &content_of(300)).await.unwrap();
    target.put("calls/2026", "b.wav", &content_of(3)).await.unwrap();
    target.put("calls2", "c.wav", &content_of(3)).await.unwrap();
    let mut listed = target.list("calls").await.unwrap();
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<&str> = listed.iter().map(|listed| listed.name.as_str()).collect();
    assert_eq!(names, ["2026", "a b+c.wav"]);
    assert_eq!(listed[0].kind, Kind::Folder);
    assert!(matches!(listed[1].kind, Kind::File { size: 300, modified: Some(_) }), "{listed:?}");
    assert_eq!(target.list("").await.unwrap().len(), 2);
    assert!(target.list("not/there").await.unwrap().is_empty());
}

/// An upload is dropped in its middle, as when the process dies, and gone on with by `second`.
pub async fn goes_on(first: &impl Target, second: &impl Target) {
    let memory = Memory::new();
    let (source, opened) = content::Breaking::never(LARGE);
    let content = content_of(LARGE);
    let content = Content::new(content.size(), *content.sha256(), source).with_bookmark(memory.clone());
    tokio::select! {
        biased;
        () = memory.kept(2) => {}
        put = first.put("calls", "a.wav", &content) => panic!("must not have come to its end: {put:?}"),
    }
    let kept = memory.parts();
    assert!((2..5).contains(&kept), "{kept}");
    assert!(first.list("calls").await.unwrap().is_empty());
    opened.lock().unwrap().clear();
    let put = second.put("calls", "a.wav", &content).await.unwrap();
    assert_eq!(put.outcome, Outcome::Stored);
    // Once to look at what is there already, once to go on behind it.
    assert_eq!(*opened.lock().unwrap(), [0, kept as u64 * 8 * 1024 * 1024]);
    second.verify("calls", "a.wav", content.size(), content.sha256()).await.unwrap();
    assert_eq!(memory.text(), None);
}

/// While a large file is brought by `one`, `other` stores a small one under the same name.
pub async fn race(one: &impl Target, other: &impl Target) {
    let (memory, small) = (Memory::new(), content_of(10));
    let large = content_of(LARGE).with_bookmark(memory.clone());
    let (first, second) = tokio::join!(one.put("calls", "a.wav", &large), async {
        memory.kept(1).await;
        other.put("calls", "a.wav", &small).await
    });
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!([first.outcome, second.outcome].iter().filter(|is| **is == Outcome::Stored).count(), 1);
    assert_ne!(first.name, second.name);
    one.verify("calls", &first.name, large.size(), large.sha256()).await.unwrap();
    one.verify("calls", &second.name, small.size(), small.sha256()).await.unwrap();
    assert_eq!(memory.text(), None);
}

/// A file in staging that is not what was sealed leaves nothing behind.
pub async fn refuses_what_was_not_sealed(target: &impl Target) {
    for length in [10, LARGE] {
        let memory = Memory::new();
        let (source, _) = content::Breaking::never(length);
        let wrong = Content::new(length as u64, [1; 32], source).with_bookmark(memory.clone());
        let error = target.put("wrong", "a.wav", &wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source, "{error}");
        assert_eq!(memory.text(), None);
    }
    assert!(target.list("wrong").await.unwrap().is_empty());
}

pub async fn refusal(target: &impl Target, secret: &str) -> TargetError {
    let error = target.test().await.expect_err("must be refused");
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(!error.to_string().contains(secret) && !source.contains(secret), "{error} {source}");
    error
}
