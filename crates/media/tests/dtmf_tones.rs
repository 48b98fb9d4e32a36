//! Keys as tones: found where ITU-T Q.24 wants them found, and nowhere in speech.

mod sound;

use std::time::Duration;

use media::dtmf::{Key, ToneDetector};
use media::rtp::RtpPacket;
use media::{Announcement, Codec};
use sound::{PACKET, Tone, amplitude, heard, mix, sox, speech, text};

const ALL_KEYS: &str = "0123456789*#ABCD";

/// All keys one after the other, after a silence of 100 ms.
fn dialled(tone: Tone) -> Vec<i16> {
    let mut sound = vec![0; 800];
    for key in Key::ALL {
        sound.extend(tone.of(key));
    }
    sound.extend([0; 800]);
    sound
}

fn nothing_lost(_: usize) -> bool {
    false
}

#[test]
fn every_key_is_heard_once_at_every_level_in_both_laws() {
    for dbm0 in [-3.0, -6.0, -10.0, -16.0, -20.0, -25.0] {
        let sound = dialled(Tone::at(dbm0));
        for codec in Codec::ALL.iter().copied() {
            assert_eq!(text(&heard(codec, &sound, nothing_lost)), ALL_KEYS, "{codec:?} at {dbm0} dBm0");
        }
    }
}

#[test]
fn the_twist_of_long_lines_is_tolerated() {
    for (low_dbm0, high_dbm0) in [(-8.0, -16.0), (-17.0, -25.0), (-12.0, -8.0), (-25.0, -21.0)] {
        let sound = dialled(Tone { low_dbm0, high_dbm0, ..Tone::at(0.0) });
        assert_eq!(text(&heard(Codec::Pcma, &sound, nothing_lost)), ALL_KEYS, "{low_dbm0} and {high_dbm0}");
    }
}

#[test]
fn tones_that_differ_too_much_are_no_key() {
    for (low_dbm0, high_dbm0) in [(-8.0, -20.0), (-20.0, -12.0), (-8.0, -90.0), (-90.0, -8.0)] {
        let sound = dialled(Tone { low_dbm0, high_dbm0, ..Tone::at(0.0) });
        assert_eq!(text(&heard(Codec::Pcma, &sound, nothing_lost)), "", "{low_dbm0} and {high_dbm0}");
    }
}

#[test]
fn frequencies_off_by_one_and_a_half_percent_are_heard_and_by_four_not() {
    for detuned in [0.985, 1.015] {
        let sound = dialled(Tone { detuned, ..Tone::at(-10.0) });
        assert_eq!(text(&heard(Codec::Pcma, &sound, nothing_lost)), ALL_KEYS, "{detuned}");
    }
    for detuned in [0.96, 1.04] {
        let sound = dialled(Tone { detuned, on_seconds: 0.1, ..Tone::at(-10.0) });
        let heard = heard(Codec::Pcma, &sound, nothing_lost);
        assert!(heard.len() <= 4, "{detuned}: {} keys", heard.len());
    }
}

#[test]
fn noise_15_db_below_the_tones_hides_none_and_adds_none() {
    for (low_dbm0, high_dbm0) in [(-6.0, -6.0), (-16.0, -16.0), (-8.0, -14.0), (-12.0, -8.0)] {
        let clean = dialled(Tone { low_dbm0, high_dbm0, ..Tone::at(0.0) });
        let power = (amplitude(low_dbm0).powi(2) + amplitude(high_dbm0).powi(2)) / 2.0;
        // SoX's white noise is uniform: its root mean square is 1/√3 of its peak.
        let rms = (power * 10.0_f64.powf(-15.0 / 10.0)).sqrt();
        let seconds = clean.len() as f64 / 8_000.0;
        let noise = sox(&format!("synth {seconds} whitenoise vol {}", rms * 3.0_f64.sqrt()));
        let sound = mix(&clean, &noise);
        for codec in Codec::ALL.iter().copied() {
            assert_eq!(
                text(&heard(codec, &sound, nothing_lost)),
                ALL_KEYS,
                "{codec:?} {low_dbm0} {high_dbm0}"
            );
        }
    }
}

#[test]
fn forty_milliseconds_are_a_press_and_a_pause_and_twenty_are_nothing() {
    let sound = dialled(Tone { on_seconds: 0.04, off_seconds: 0.04, ..Tone::at(-10.0) });
    assert_eq!(text(&heard(Codec::Pcmu, &sound, nothing_lost)), ALL_KEYS);
    let sound = dialled(Tone { on_seconds: 0.02, off_seconds: 0.08, ..Tone::at(-10.0) });
    assert_eq!(text(&heard(Codec::Pcmu, &sound, nothing_lost)), "");
    let twice = [Tone { off_seconds: 0.04, ..Tone::at(-10.0) }.of("5".parse().unwrap())].concat().repeat(2);
    assert_eq!(text(&heard(Codec::Pcmu, &twice, nothing_lost)), "55");
}

#[test]
fn a_press_is_told_while_it_lasts_with_the_time_at_which_it_began() {
    let mut sound = vec![0; 8_000];
    sound.extend(Tone { on_seconds: 2.0, ..Tone::at(-10.0) }.of("9".parse().unwrap()));
    let heard = heard(Codec::Pcma, &sound, nothing_lost);
    assert_eq!(text(&heard), "9");
    let began = sound::arrival_unix_us(0) - 20_000 + 1_000_000;
    let off = heard[0].pressed_at_unix_us - began;
    assert!(off.abs() <= 10_000, "{off} µs");
    assert!((Duration::from_millis(30)..Duration::from_millis(40)).contains(&heard[0].duration));
}

#[test]
fn one_lost_packet_anywhere_neither_hides_nor_doubles_a_press_of_100_ms() {
    for key in ["1", "6", "*", "#"] {
        let mut sound = vec![0; 500];
        sound.extend(Tone { on_seconds: 0.1, ..Tone::at(-12.0) }.of(key.parse().unwrap()));
        sound.extend([0; 800]);
        for lost in 0..sound.len().div_ceil(PACKET) {
            let heard = heard(Codec::Pcma, &sound, |index| index == lost);
            assert_eq!(text(&heard), key, "without packet {lost}");
        }
    }
}

#[test]
fn a_held_key_survives_one_lost_packet_in_five() {
    let sound = Tone { on_seconds: 3.0, ..Tone::at(-12.0) }.of("4".parse().unwrap());
    assert_eq!(text(&heard(Codec::Pcma, &sound, |index| index % 5 == 2)), "4");
}

#[test]
fn a_sender_that_is_silent_between_two_presses_is_understood() {
    let press = Tone { on_seconds: 0.1, off_seconds: 0.0, ..Tone::at(-10.0) }.of("3".parse().unwrap());
    let mut detector = ToneDetector::new(Codec::Pcmu);
    let mut keys = String::new();
    for repeat in 0..2_u32 {
        for (index, payload) in (0_u32..).zip(sound::payloads(Codec::Pcmu, &press)) {
            let packet = RtpPacket {
                ssrc: 1,
                sequence: (repeat * 5 + index) as u16,
                // 60 ms in which nothing is sent, and no sequence number is missing.
                timestamp: repeat * (5 * 160 + 480) + index * 160,
                marker: index == 0,
                payload_type: 0,
                payload: &payload,
            };
            keys.extend(detector.packet(&packet, 0).map(|press| press.key.character()));
            assert_eq!(detector.packet(&packet, 0), None, "a packet that comes twice is heard once");
        }
    }
    assert_eq!(keys, "33");
}

/// What people say on the telephone, digits included.
const SENTENCES: &[(&str, &str)] = &[
    ("en", "Good morning, this is Harold speaking, I am calling about the invoice you sent me last week."),
    ("en", "Yes. No. Yes, please. One, two, three, four, five, six, seven, eight, nine, zero."),
    ("en", "The quick brown fox jumps over the lazy dog while we are moving through the blue room."),
    ("en", "Hmm, ooh, aah, eee. Who are you? We knew a few. Moo. Zoom. Loose shoes."),
    ("de", "Guten Tag, hier spricht Müller, ich rufe wegen der Überweisung vom siebzehnten Oktober an."),
    ("de", "Ja. Nein. Ja, bitte. Eins, zwei, drei, vier, fünf, sechs, sieben, acht, neun, null."),
    ("de", "Im Übrigen müssen wir die fünf kühnen Prüfungen über Zürich früh genügend üben."),
    ("de", "Wir hören Möwen, sehen Seen, gehen zu Fuß und rufen: Juhu, hurra, aha, oho, hihi."),
    ("fr", "Bonjour, je vous appelle au sujet du contrat que nous avons signé au mois de juillet."),
    ("fr", "Oui. Non. Oui, merci. Un, deux, trois, quatre, cinq, six, sept, huit, neuf, zéro."),
    ("fr", "Une nouvelle ruelle où la lune luit sur les murs, plus une rue qui remue."),
];

/// Speaks all sentences of a language with many voices and hears no key.
fn nobody_presses_a_key_speaking(language: &str) {
    let said: Vec<&str> =
        SENTENCES.iter().filter(|(known, _)| *known == language).map(|(_, text)| *text).collect();
    let mut seconds = 0.0;
    for variant in ["", "+m1", "+m3", "+m7", "+f2", "+f3", "+f4", "+f5", "+klatt"] {
        for pitch in [10, 35, 50, 65, 95] {
            let sound = speech(&format!("{language}{variant}"), pitch, &said.join(" "));
            seconds += sound.len() as f64 / 8_000.0;
            let heard = heard(Codec::Pcma, &sound, nothing_lost);
            assert_eq!(text(&heard), "", "{language}{variant} at pitch {pitch}: {heard:?}");
        }
    }
    assert!(seconds > 600.0, "only {seconds} s of speech");
}

#[test]
fn nobody_presses_a_key_by_speaking_english() {
    nobody_presses_a_key_speaking("en");
}

#[test]
fn nobody_presses_a_key_by_speaking_german() {
    nobody_presses_a_key_speaking("de");
}

#[test]
fn nobody_presses_a_key_by_speaking_french() {
    nobody_presses_a_key_speaking("fr");
}

#[test]
fn no_built_in_announcement_sounds_like_a_key() {
    for name in media::announcement::built_in_names() {
        let announcement = Announcement::from_file(media::announcement::built_in(name).unwrap()).unwrap();
        for codec in Codec::ALL.iter().copied() {
            assert_eq!(text(&heard(codec, announcement.samples(), nothing_lost)), "", "{name}");
        }
    }
}

#[test]
fn tones_of_the_network_and_music_are_no_keys() {
    for effects in [
        "synth 3 sine 425 vol 0.3",
        "synth 3 sine 1100 vol 0.3",
        "synth 3 sine 2100 vol 0.3",
        "synth 5 sine 500-2000 vol 0.5",
        "synth 3 square 697 vol 0.3",
        "synth 3 sawtooth 220 vol 0.3",
        "synth 5 pinknoise vol 0.5",
        "synth 5 whitenoise vol 0.5",
        "synth 3 pluck 440 vol 0.5",
    ] {
        assert_eq!(text(&heard(Codec::Pcma, &sox(effects), nothing_lost)), "", "{effects}");
    }
    // The American dial tone, ringing tone and busy tone.
    for (low, high) in [(350, 440), (440, 480), (480, 620)] {
        let tone = |hz| sox(&format!("synth 3 sine {hz} vol 0.2"));
        assert_eq!(text(&heard(Codec::Pcmu, &mix(&tone(low), &tone(high)), nothing_lost)), "");
    }
}

#[test]
fn a_key_pressed_while_somebody_speaks_softly_is_heard() {
    let sentence: Vec<i16> = speech("en", 50, SENTENCES[0].1).iter().map(|sample| sample / 16).collect();
    let mut presses = vec![0; 8_000];
    presses.extend(Tone { on_seconds: 0.2, ..Tone::at(-8.0) }.of("1".parse().unwrap()));
    assert_eq!(text(&heard(Codec::Pcma, &mix(&sentence, &presses), nothing_lost)), "1");
}
