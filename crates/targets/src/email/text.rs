//! What mails say, in German, English and French. Numbers and names stand in none: they are attached.

use std::fmt::Write as _;

use domain::resources::tenant::notifications::Language;

use super::letter::Reason;
use crate::{Kept, Parcel};

/// A subject and a text.
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) body: String,
}

/// The sentences of a language. `{}` is filled in.
struct Words {
    /// Of `jiff`'s `strtime`.
    when: &'static str,
    subject: &'static str,
    recording: &'static str,
    length: &'static str,
    attached: &'static str,
    too_big: &'static str,
    too_big_for_server: &'static str,
    kept: &'static str,
    kept_nowhere: &'static str,
    folder: &'static str,
}

const EN: Words = Words {
    when: "%-d %B %Y, %H:%M:%S",
    subject: "Call recording of {}",
    recording: "Recording",
    length: "Length",
    attached: "Attached: the audio, what is known of the call, the list of hashes and its signature.",
    too_big: "The audio is not attached: the recording has {} MB, and mails may carry {} MB.",
    too_big_for_server: "The audio is not attached: the recording has {} MB, and the mail server does not take a mail of that size.",
    kept: "The recording is kept here:",
    kept_nowhere: "No target keeps the recording: it lies in Callseal's staging folder alone.",
    folder: "folder",
};

const DE: Words = Words {
    when: "%d.%m.%Y, %H:%M:%S",
    subject: "Gesprächsaufzeichnung vom {}",
    recording: "Aufzeichnung",
    length: "Länge",
    attached: "Angehängt: der Ton, die Angaben zum Gespräch, die Liste der Prüfsummen und ihre Signatur.",
    too_big: "Der Ton ist nicht angehängt: Die Aufzeichnung hat {} MB, und Mails dürfen {} MB mitnehmen.",
    too_big_for_server: "Der Ton ist nicht angehängt: Die Aufzeichnung hat {} MB, und der Mailserver nimmt keine so große Mail an.",
    kept: "Hier wird die Aufzeichnung aufbewahrt:",
    kept_nowhere: "Kein Ziel bewahrt die Aufzeichnung auf: Sie liegt allein im Staging-Ordner von Callseal.",
    folder: "Ordner",
};

const FR: Words = Words {
    when: "%d/%m/%Y, %H:%M:%S",
    subject: "Enregistrement d’appel du {}",
    recording: "Enregistrement",
    length: "Durée",
    attached: "En pièces jointes : le son, les données de l’appel, la liste des empreintes et sa signature.",
    too_big: "Le son n’est pas joint : l’enregistrement fait {} Mo, et un message peut en porter {}.",
    too_big_for_server: "Le son n’est pas joint : l’enregistrement fait {} Mo, et le serveur de messagerie n’accepte pas un message de cette taille.",
    kept: "L’enregistrement est conservé ici :",
    kept_nowhere: "Aucune cible ne conserve l’enregistrement : il se trouve uniquement dans le dossier de transit de Callseal.",
    folder: "dossier",
};

const fn words(language: Language) -> &'static Words {
    match language {
        Language::En => &EN,
        Language::De => &DE,
        Language::Fr => &FR,
    }
}

/// The mail of a recording.
pub(super) fn of_recording(parcel: &Parcel, max_megabytes: u32, without_audio: Option<Reason>) -> Text {
    let words = words(parcel.language);
    let local = parcel.start.to_zoned(parcel.zone.clone());
    let when = local.strftime(words.when).to_string();
    let seconds = parcel.duration_ms.div_ceil(1000);
    let length = format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let megabytes = parcel.files.iter().map(|file| file.content.size()).sum::<u64>().div_ceil(1_000_000);
    let why = match without_audio {
        None => words.attached.to_owned(),
        Some(Reason::TooBig) => fill(words.too_big, &[megabytes.to_string(), max_megabytes.to_string()]),
        Some(Reason::TooBigForServer) => fill(words.too_big_for_server, &[megabytes.to_string()]),
    };
    let mut body = format!(
        "{} {}\n{when} ({})\n{} {length}\n\n{why}\n",
        words.recording,
        parcel.recording,
        local.time_zone().iana_name().unwrap_or("UTC"),
        words.length
    );
    // Writing to a String cannot fail.
    if parcel.kept.is_empty() {
        let _ = writeln!(body, "{}", words.kept_nowhere);
    } else {
        let _ = writeln!(body, "{}", words.kept);
    }
    for Kept { target, folder } in &parcel.kept {
        let _ = match folder.as_str() {
            "" => writeln!(body, "- {target}"),
            folder => writeln!(body, "- {target}, {} {folder}", words.folder),
        };
    }
    Text { subject: fill(words.subject, &[when]), body }
}

/// The subject and the text of a mail that tries a target.
pub(super) const fn of_test(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::En => (
            "Callseal: test mail",
            "This mail was sent to try a target: recordings will come to this mailbox. Nothing needs to be done.\n",
        ),
        Language::De => (
            "Callseal: Testmail",
            "Diese Mail wurde gesendet, um ein Ziel zu prüfen: An dieses Postfach gehen Aufzeichnungen. Es ist nichts zu tun.\n",
        ),
        Language::Fr => (
            "Callseal : message d’essai",
            "Ce message a été envoyé pour vérifier une cible : des enregistrements arriveront dans cette boîte. Il n’y a rien à faire.\n",
        ),
    }
}

fn fill(sentence: &str, values: &[String]) -> String {
    values.iter().fold(sentence.to_owned(), |text, value| text.replacen("{}", value, 1))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::{Bookmark, Content, Enclosed};

    struct Nothing;

    #[async_trait]
    impl Bookmark for Nothing {
        async fn load(&self) -> Option<String> {
            None
        }

        async fn keep(&self, _text: Option<&str>) {}
    }

    fn parcel(language: Language, kept: Vec<Kept>) -> Parcel {
        let name = "20261122-091530_in_+4970_x.wav".to_owned();
        let content = Content::from_bytes(vec![0; 2_500_000]);
        Parcel {
            tenant: "acme".parse().unwrap(),
            target: "mail".parse().unwrap(),
            recording: "01936f5e-9a3b-7c4d-8e2f-0a1b2c3d4e5f".parse().unwrap(),
            start: "2026-11-22T08:15:30Z".parse().unwrap(),
            duration_ms: 61_001,
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            language,
            files: vec![Enclosed { name, ending: ".wav".into(), content }],
            journal: "{}".into(),
            kept,
            memory: Arc::new(Nothing),
        }
    }

    fn shown(language: Language, kept: Vec<Kept>, without_audio: Option<Reason>) -> String {
        let text = of_recording(&parcel(language, kept), 2, without_audio);
        assert!(!text.body.contains("4970") && !text.subject.contains("4970"));
        format!("{}\n\n{}", text.subject, text.body)
    }

    #[test]
    fn a_mail_says_which_recording_it_is_and_where_it_is_kept_in_each_language() {
        let kept = || {
            vec![
                Kept { target: "archive".into(), folder: "2026/11".into() },
                Kept { target: "vault".into(), folder: String::new() },
            ]
        };
        insta::assert_snapshot!(shown(Language::En, kept(), None), @r"
        Call recording of 22 November 2026, 09:15:30

        Recording 01936f5e-9a3b-7c4d-8e2f-0a1b2c3d4e5f
        22 November 2026, 09:15:30 (Europe/Berlin)
        Length 0:01:02

        Attached: the audio, what is known of the call, the list of hashes and its signature.
        The recording is kept here:
        - archive, folder 2026/11
        - vault
        ");
        insta::assert_snapshot!(shown(Language::De, kept(), Some(Reason::TooBig)), @r"
        Gesprächsaufzeichnung vom 22.11.2026, 09:15:30

        Aufzeichnung 01936f5e-9a3b-7c4d-8e2f-0a1b2c3d4e5f
        22.11.2026, 09:15:30 (Europe/Berlin)
        Länge 0:01:02

        Der Ton ist nicht angehängt: Die Aufzeichnung hat 3 MB, und Mails dürfen 2 MB mitnehmen.
        Hier wird die Aufzeichnung aufbewahrt:
        - archive, Ordner 2026/11
        - vault
        ");
        insta::assert_snapshot!(shown(Language::Fr, vec![], Some(Reason::TooBigForServer)), @r"
        Enregistrement d’appel du 22/11/2026, 09:15:30

        Enregistrement 01936f5e-9a3b-7c4d-8e2f-0a1b2c3d4e5f
        22/11/2026, 09:15:30 (Europe/Berlin)
        Durée 0:01:02

        Le son n’est pas joint : l’enregistrement fait 3 Mo, et le serveur de messagerie n’accepte pas un message de cette taille.
        Aucune cible ne conserve l’enregistrement : il se trouve uniquement dans le dossier de transit de Callseal.
        ");
    }
}
