//! Recordings as mails.

use domain::resources::{EmailTarget, SmtpServer, SmtpTls};
use harness::mail_sink::{MailSink, Tls};
use serde_json::json;
use targets::{Dispatch, Email, ErrorKind};
use tempfile::TempDir;

use crate::parcel::{audio, parcel};

struct World {
    _dir: TempDir,
    sink: MailSink,
    target: EmailTarget,
}

impl World {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sink = MailSink::start(dir.path(), Tls::Off, false).await.unwrap();
        let target = EmailTarget {
            to: ["a", "b", "c"].map(|name| format!("{name}@acme.example")).to_vec(),
            from: "callseal@acme.example".into(),
            subject: None,
            max_megabytes: 20,
            smtp: SmtpServer {
                host: "127.0.0.1".into(),
                port: sink.port(),
                tls: SmtpTls::Off,
                login: None,
                ca_certificate: None,
            },
            at: None,
        };
        Self { _dir: dir, sink, target }
    }

    fn email(&self) -> Email {
        Email::new(self.target.clone())
    }
}

#[tokio::test]
async fn f85_a_recording_comes_with_all_its_files_and_says_where_it_is_kept() {
    let world = World::start().await;
    let handed_over = world.email().dispatch(&parcel()).await.unwrap();
    assert_eq!((handed_over.how.as_str(), handed_over.complaint), ("handed to the mail server", None));
    let mails = world.sink.mails().unwrap();
    let [mail] = &mails[..] else { panic!("{} mails", mails.len()) };
    assert_eq!(mail.to(), world.target.to);
    assert_eq!(mail.field("subject"), "Call recording of 22 November 2026, 09:15:30");
    assert_eq!(mail.field("messageId"), "<01936f5e-9a3b-7c4d-8e2f-0a1b2c3d4e5f.mail.acme@callseal>");
    assert!(mail.field("text").contains("- archive, folder 2026/11"), "{}", mail.field("text"));
    let attached = mail.attachments().unwrap();
    let bytes: Vec<_> = attached.iter().map(|(_, kind, bytes)| (kind.as_str(), bytes.clone())).collect();
    assert_eq!(bytes, [("audio/wav", audio()), ("text/plain", b"hashes".to_vec())]);
    for text in ["+4970", "4970"] {
        assert!(!mail.field("subject").contains(text) && !mail.field("text").contains(text));
    }
}

#[tokio::test]
async fn a_recording_that_is_too_big_comes_without_its_audio_and_says_so() {
    let mut world = World::start().await;
    let mut large = parcel();
    large.files[0].content = targets::Content::from_bytes(vec![1; 1_500_000]);
    world.target.max_megabytes = 1;
    let how = world.email().dispatch(&large).await.unwrap().how;
    assert_eq!(how, "handed to the mail server without its audio");
    // One that the server says is too big goes without, too; and without being asked again.
    world.target.max_megabytes = 20;
    world.sink.behave(&json!({"size": 1_000_000})).unwrap();
    let again = targets::Parcel { target: "other".parse().unwrap(), memory: parcel().memory, ..large };
    world.email().dispatch(&again).await.unwrap();
    let mails = world.sink.mails().unwrap();
    assert_eq!(mails.len(), 2);
    for (mail, why) in mails.iter().zip(["mails may carry 1 MB", "does not take a mail of that size"]) {
        assert_eq!(mail.attachments().unwrap().len(), 1);
        assert!(mail.field("text").contains(why), "{}", mail.field("text"));
    }
}

#[tokio::test]
async fn whoever_has_the_mail_does_not_get_it_again_and_refusals_are_told() {
    let world = World::start().await;
    let parcel = parcel();
    let gone = "550 5.1.1 <b@acme.example> unknown";
    world
        .sink
        .behave(&json!({"recipients": {"b@acme.example": gone, "c@acme.example": "450 4.2.1 busy"}}))
        .unwrap();
    let error = world.email().dispatch(&parcel).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(
        error.to_string().contains("1 of 3 recipients") && error.to_string().contains("email.to[2]"),
        "{error}"
    );
    world.sink.behave(&json!({"recipients": {"b@acme.example": gone}})).unwrap();
    // As after a restart: only the memory is the same.
    let handed_over = world.email().dispatch(&parcel).await.unwrap();
    let complaint = handed_over.complaint.unwrap();
    assert!(complaint.contains("email.to[1] (550 5.1.1)") && !complaint.contains('@'), "{complaint}");
    let mails = world.sink.mails().unwrap();
    let to: Vec<_> = mails.iter().map(|mail| mail.to().join(" ")).collect();
    assert_eq!(to, ["a@acme.example", "c@acme.example"]);
    assert_eq!(mails[0].field("messageId"), mails[1].field("messageId"));
    // Everybody has it or never will: nothing more is sent.
    world.email().dispatch(&parcel).await.unwrap();
    assert_eq!(world.sink.mails().unwrap().len(), 2);
}

#[tokio::test]
async fn a_mail_whose_answer_was_lost_is_sent_again_under_the_same_id() {
    let world = World::start().await;
    let parcel = parcel();
    world.sink.behave(&json!({"cut": "after"})).unwrap();
    assert_eq!(world.email().dispatch(&parcel).await.unwrap_err().kind(), ErrorKind::Unreachable);
    world.sink.behave(&json!({})).unwrap();
    world.email().dispatch(&parcel).await.unwrap();
    let mails = world.sink.mails().unwrap();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].field("messageId"), mails[1].field("messageId"));
}

#[tokio::test]
async fn what_is_not_what_was_sealed_is_not_mailed() {
    let world = World::start().await;
    let mut wrong = parcel();
    let other = targets::Content::from_bytes(b"other!".to_vec());
    wrong.files[1].content = targets::Content::new(6, *other.sha256(), std::sync::Arc::new(Changed));
    assert_eq!(world.email().dispatch(&wrong).await.unwrap_err().kind(), ErrorKind::Source);
    assert!(world.sink.mails().unwrap().is_empty());
}

struct Changed;

#[async_trait::async_trait]
impl targets::Source for Changed {
    async fn open(&self, _offset: u64) -> std::io::Result<targets::Reader> {
        Ok(Box::pin(&b"changed"[..]))
    }
}

#[tokio::test]
async fn a_test_mail_goes_to_everybody_and_names_who_is_refused_by_position() {
    let world = World::start().await;
    world.email().test(false).await.unwrap();
    assert_eq!(world.sink.mails().unwrap()[0].to(), world.target.to);
    world.sink.behave(&json!({"recipients": {"b@acme.example": "550 5.1.1 no"}})).unwrap();
    let error = world.email().test(false).await.unwrap_err();
    assert!(error.to_string().ends_with("email.to[1] (550 5.1.1)"), "{error}");
}
