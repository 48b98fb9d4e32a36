//! Mails to a real server, with each way to encrypt, and each refusal.

use domain::resources::{SmtpLogin, SmtpServer, SmtpTls};
use harness::mail_sink::{MailSink, PASSWORD, Tls, USER};
use mail::{Attachment, MailError, Mailer, Message};
use tempfile::TempDir;

struct World {
    dir: TempDir,
    sink: MailSink,
}

const KINDS: [(Tls, SmtpTls); 3] =
    [(Tls::Required, SmtpTls::Required), (Tls::StartTls, SmtpTls::StartTls), (Tls::Off, SmtpTls::Off)];

impl World {
    async fn start(tls: Tls) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sink = MailSink::start(dir.path(), tls, tls != Tls::Off).await.unwrap();
        Self { dir, sink }
    }

    fn server(&self, tls: SmtpTls) -> SmtpServer {
        let login = SmtpLogin { user: USER.into(), password: PASSWORD.into() };
        SmtpServer {
            host: "127.0.0.1".into(),
            port: self.sink.port(),
            tls,
            login: Some(login).filter(|_| tls != SmtpTls::Off),
            ca_certificate: Some(self.sink.ca_certificate().unwrap()).filter(|_| tls != SmtpTls::Off),
        }
    }

    async fn send(&self, message: &Message) -> Result<mail::Accepted, MailError> {
        Mailer::new(self.server(SmtpTls::Off)).send(message).await
    }
}

fn message() -> Message {
    let content = (0..=255).cycle().take(100_000).collect::<Vec<u8>>().into();
    Message {
        from: "callseal@acme.example".into(),
        to: vec!["a@acme.example".into(), "b@acme.example".into(), "c@acme.example".into()],
        subject: "Gespräch vom 22. November".into(),
        text: "Grüße.\n.\n..\nEine Zeile, die mit einem Punkt anfängt:\n.wav\n".into(),
        attachments: vec![Attachment {
            name: "20261122_+4970_ü.wav".into(),
            content_type: "audio/wav",
            content,
        }],
        message_id: "0193.archive@callseal".into(),
        date: "2026-11-22T10:00:00Z".parse().unwrap(),
    }
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written_however_the_connection_is_encrypted() {
    for (served, tls) in KINDS {
        let world = World::start(served).await;
        let mailer = Mailer::new(world.server(tls));
        mailer.log_in().await.unwrap();
        let accepted = mailer.send(&message()).await.unwrap();
        assert_eq!((accepted.recipients, accepted.refused), (vec![0, 1, 2], vec![]));
        let mails = world.sink.mails().unwrap();
        let [mail] = &mails[..] else { panic!("{} mails", mails.len()) };
        assert_eq!(mail.told["encrypted"], tls != SmtpTls::Off);
        assert_eq!(mail.field("user"), if tls == SmtpTls::Off { "" } else { USER });
        assert_eq!(
            (mail.field("from"), mail.field("subject")),
            ("callseal@acme.example", &*message().subject)
        );
        assert_eq!(mail.field("text").replace("\r\n", "\n").trim_end(), message().text.trim_end());
        assert_eq!(mail.field("messageId"), "<0193.archive@callseal>");
        let attached = message().attachments.remove(0);
        let expected = (attached.name, "audio/wav".to_owned(), attached.content.to_vec());
        assert_eq!(mail.attachments().unwrap(), [expected]);
    }
}

#[tokio::test]
async fn a_server_whose_certificate_nobody_vouches_for_gets_neither_password_nor_mail() {
    for (served, tls) in [(Tls::Required, SmtpTls::Required), (Tls::StartTls, SmtpTls::StartTls)] {
        let world = World::start(served).await;
        let strange = SmtpServer { ca_certificate: None, ..world.server(tls) };
        let error = Mailer::new(strange).send(&message()).await.unwrap_err();
        assert!(matches!(error, MailError::Tls { .. }) && !error.passes(), "{error:?}");
        assert!(world.sink.mails().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_mail_in_the_clear() {
    let world = World::start(Tls::Off).await;
    let ca_certificate = Some(world.sink.ca_certificate().unwrap());
    let insisting = SmtpServer { tls: SmtpTls::StartTls, ca_certificate, ..world.server(SmtpTls::Off) };
    let error = Mailer::new(insisting).send(&message()).await.unwrap_err();
    assert!(error.to_string().contains("it does not offer STARTTLS"), "{error}");
    assert!(world.sink.mails().unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_told_as_such_and_shown_nowhere() {
    let world = World::start(Tls::Required).await;
    let login = Some(SmtpLogin { user: USER.into(), password: "wrong-password".into() });
    let wrong = Mailer::new(SmtpServer { login, ..world.server(SmtpTls::Required) });
    let error = wrong.send(&message()).await.unwrap_err();
    assert!(matches!(&error, MailError::LoginRefused { reply: Some(reply), .. } if reply.code == 535));
    assert!(!format!("{wrong:?} {error:?} {error}").contains("wrong-password"));
    let none = Mailer::new(SmtpServer { login: None, ..world.server(SmtpTls::Required) });
    let error = none.send(&message()).await.unwrap_err();
    assert!(matches!(&error, MailError::SenderRefused { reply, .. } if reply.code == 530), "{error}");
    assert!(world.sink.mails().unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_recipient_does_not_keep_the_mail_from_the_others() {
    let world = World::start(Tls::Off).await;
    let orders = r#"{"recipients": {"b@acme.example": "550 5.1.1 <b@acme.example>: no such user", "c@acme.example": "450 4.2.1 c@acme.example: busy"}}"#;
    world.sink.behave(&orders.parse().unwrap()).unwrap();
    let accepted = world.send(&message()).await.unwrap();
    assert_eq!(accepted.recipients, [0]);
    let refused: Vec<_> =
        accepted.refused.iter().map(|r| (r.recipient, r.reply.to_string(), r.reply.is_temporary())).collect();
    assert_eq!(refused, [(1, "550 5.1.1".to_owned(), false), (2, "450 4.2.1".to_owned(), true)]);
    assert_eq!(world.sink.mails().unwrap()[0].to(), ["a@acme.example"]);

    let later = Mailer::new(world.server(SmtpTls::Off)).send_to(&message(), &[1]).await.unwrap_err();
    assert!(
        matches!(&later, MailError::RecipientsRefused { refused, .. } if refused.len() == 1)
            && !later.passes()
    );
    assert!(!later.to_string().contains('@'), "{later}");
}

#[tokio::test]
async fn each_refusal_says_whose_fault_it_is_and_whether_it_passes() {
    let world = World::start(Tls::Off).await;
    for (orders, kind, passes) in [
        (r#"{"sender": "550 5.7.1 callseal@acme.example may not"}"#, "SenderRefused", false),
        (r#"{"sender": "451 4.7.1 greylisted"}"#, "SenderRefused", true),
        (r#"{"data": "451 4.3.0 later"}"#, "Temporary", true),
        (r#"{"data": "554 5.6.0 never"}"#, "Permanent", false),
        (r#"{"data": "552 5.3.4 too big"}"#, "TooBig", false),
        (r#"{"size": 50000}"#, "TooBig", false),
        (r#"{"cut": "within"}"#, "Unreachable", true),
    ] {
        world.sink.behave(&orders.parse().unwrap()).unwrap();
        let error = world.send(&message()).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(kind), "{orders}: {error:?}");
        assert_eq!(error.passes(), passes, "{orders}: {error}");
        assert!(!format!("{error} {error:?}").contains("acme.example"), "{error:?}");
    }
    assert!(world.sink.mails().unwrap().is_empty());
    // The server has it, and could not say so any more.
    world.sink.behave(&r#"{"cut": "after"}"#.parse().unwrap()).unwrap();
    assert!(world.send(&message()).await.unwrap_err().passes());
    assert_eq!(world.sink.mails().unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_unreachable() {
    let world = World::start(Tls::Off).await;
    let server = SmtpServer { port: harness::ports::claim().unwrap(), ..world.server(SmtpTls::Off) };
    let error = Mailer::new(server).send(&message()).await.unwrap_err();
    assert!(matches!(error, MailError::Unreachable { .. }) && error.passes(), "{error:?}");
    drop(world.dir);
}
