//! Announcements as people upload them: every WAV that SoX writes is read, and what is no
//! announcement is refused with the reason.

mod sound;

use std::time::Duration;

use media::announcement::{
    self, ACTIVE_LEVEL_DBM0, FRAME_BYTES, MAX_FILE_BYTES, Pcm, active_level_dbm0, decode, level, resample,
};
use media::{Announcement, AnnouncementError, Codec, g711};
use proptest::prelude::*;
use sound::run;

/// A WAV file from SoX: format options such as `-b 24`, then effects.
fn wav(format: &str, effects: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("made.wav");
    let mut arguments = vec!["-V1", "-D", "-R", "-n"];
    arguments.extend(format.split_whitespace());
    arguments.push(file.to_str().unwrap());
    arguments.extend(effects.split_whitespace());
    run("sox", &arguments);
    std::fs::read(&file).unwrap()
}

/// A second of 440 Hz at half of full scale.
fn second_of_tone() -> Vec<u8> {
    wav("-r 8000 -c 1 -b 16", "synth 1 sine 440 vol 0.5")
}

fn refused(bytes: &[u8]) -> AnnouncementError {
    Announcement::from_file(bytes).expect_err("this is no announcement")
}

/// Level of one frequency against full scale, in dB, in samples at 8 kHz.
fn level_of_db(samples: &[f32], hz: f64) -> f64 {
    let step = std::f64::consts::TAU * hz / 8_000.0;
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        real += f64::from(*sample) * (step * index as f64).cos();
        imaginary += f64::from(*sample) * (step * index as f64).sin();
    }
    20.0 * (2.0 * real.hypot(imaginary) / samples.len() as f64).max(1e-12).log10()
}

fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs()))
}

#[test]
fn every_coding_that_sox_writes_is_read_at_its_own_loudness() {
    for (format, resolution) in [
        ("-b 8", 1.0 / 64.0),
        ("-b 16", 1e-4),
        ("-b 24", 1e-5),
        ("-b 32", 1e-5),
        ("-b 32 -e floating-point", 1e-5),
        ("-b 64 -e floating-point", 1e-5),
        ("-e a-law", 1.0 / 64.0),
        ("-e mu-law", 1.0 / 64.0),
    ] {
        for rate in [8_000, 11_025, 44_100, 96_000] {
            for channels in [1, 2] {
                let file = wav(&format!("-r {rate} -c {channels} {format}"), "synth 0.5 sine 440 vol 0.5");
                let pcm = decode(&file).unwrap_or_else(|error| panic!("{format} {rate} {channels}: {error}"));
                assert_eq!(pcm.rate_hz, rate, "{format}");
                assert_eq!(pcm.samples.len(), rate as usize / 2, "{format} {rate} {channels}");
                let peak = peak(&pcm.samples);
                assert!((peak - 0.5).abs() <= 0.005 + resolution, "{format} {rate} {channels}: {peak}");
            }
        }
    }
}

#[test]
fn stereo_becomes_the_mean_of_both_sides() {
    let file = wav("-r 8000 -c 2 -b 16", "synth 0.5 sine 440 sine 440 vol 0.5 remix 1 0");
    assert!((peak(&decode(&file).unwrap().samples) - 0.25).abs() < 0.001);
}

#[test]
fn what_8_khz_cannot_hold_vanishes_and_speech_stays() {
    for rate in [16_000, 22_050, 44_100, 48_000, 96_000] {
        let at_8_khz = |hz: u32| {
            let file = wav(&format!("-r {rate} -c 1 -b 24"), &format!("synth 2 sine {hz} vol 0.5"));
            let samples = resample(decode(&file).unwrap());
            assert!((15_990..=16_010).contains(&samples.len()), "{rate}: {} samples", samples.len());
            // Without the first and last tenth of a second, where the tone begins and ends.
            samples[800..15_200].to_vec()
        };
        for hz in [200, 1_000, 3_400] {
            let level = level_of_db(&at_8_khz(hz), f64::from(hz)) + 6.02;
            assert!(level.abs() < 1.0, "{hz} Hz at {rate} Hz comes out with {level} dB");
        }
        for hz in [4_600, 6_000, 7_500] {
            let level = level_of_db(&at_8_khz(hz), 8_000.0 - f64::from(hz)) + 6.02;
            assert!(level < -40.0, "{hz} Hz at {rate} Hz is folded back with {level} dB");
            assert!(peak(&at_8_khz(hz)) < 0.005);
        }
    }
}

#[test]
fn odd_rates_and_short_files_are_resampled_to_the_length_they_had() {
    for (rate_hz, count) in [(4_000, 1), (44_101, 44_101), (191_999, 100), (7_999, 7_999), (16_000, 3)] {
        let samples = resample(Pcm { samples: vec![0.1; count], rate_hz });
        let expected = (count as f64 * 8_000.0 / f64::from(rate_hz)).ceil();
        assert!((samples.len() as f64 - expected).abs() <= 1.0, "{rate_hz}: {} samples", samples.len());
    }
}

#[test]
fn quiet_and_loud_files_come_out_at_the_level_of_speech_without_clipping() {
    for gain_db in [-40, -20, -6, 0] {
        let file = wav("-r 16000 -c 1 -b 24", &format!("synth 2 sine 440 gain {gain_db} pad 1 2"));
        let announcement = Announcement::from_file(&file).unwrap();
        let samples: Vec<f32> = announcement.samples().iter().map(|s| f32::from(*s) / 32_768.0).collect();
        let level = active_level_dbm0(&samples).unwrap();
        assert!((level - ACTIVE_LEVEL_DBM0).abs() < 0.3, "{gain_db} dB comes out at {level} dBm0");
        assert_eq!(announcement.duration(), Duration::from_secs(5));
    }
    for name in announcement::built_in_names() {
        let announcement = Announcement::from_file(announcement::built_in(name).unwrap()).unwrap();
        let samples: Vec<f32> = announcement.samples().iter().map(|s| f32::from(*s) / 32_768.0).collect();
        let level = active_level_dbm0(&samples).unwrap();
        assert!((level - ACTIVE_LEVEL_DBM0).abs() < 0.7, "{name} comes out at {level} dBm0");
        assert!(peak(&samples) < 0.86, "{name}");
    }
}

#[test]
fn a_single_loud_click_does_not_make_the_rest_quiet() {
    let mut samples: Vec<f32> =
        (0..16_000).map(|index| 0.02 * (f64::from(index) * 0.3).sin() as f32).collect();
    samples[8_000] = 1.0;
    level(&mut samples).unwrap();
    assert!(peak(&samples) <= 0.85);
    assert!(peak(&samples[..7_900]) > 0.05, "{}", peak(&samples[..7_900]));
}

#[test]
fn the_laws_are_those_of_sox_bit_by_bit() {
    let directory = tempfile::tempdir().unwrap();
    let [linear, coded] = ["linear.raw", "coded.raw"].map(|name| directory.path().join(name));
    let [linear_path, coded_path] = [&linear, &coded].map(|path| path.to_str().unwrap());
    for (codec, coding, grid) in [(Codec::Pcma, "al", 8), (Codec::Pcmu, "ul", 4)] {
        let every_code: Vec<u8> = (0..=255).collect();
        std::fs::write(&coded, &every_code).unwrap();
        let raw = ["-r", "8000", "-c", "1"];
        let decoded =
            run("sox", &[&["-V1", "-D", "-t", coding][..], &raw, &[coded_path, "-t", "s16", "-"]].concat());
        let ours: Vec<i16> = every_code.iter().map(|byte| g711::decode(codec, *byte)).collect();
        assert_eq!(ours, sound::samples(&decoded), "{codec:?} decoded");

        // SoX rounds to 13 and 14 bits before it looks at the law, G.191 does not: on the grid of
        // these bits both must agree. Negative samples mirror the positive ones bit by bit.
        let samples: Vec<i16> = (0..=i16::MAX).filter(|sample| sample % grid == 0).collect();
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        std::fs::write(&linear, bytes).unwrap();
        let encoded =
            run("sox", &[&["-V1", "-D", "-t", "s16"][..], &raw, &[linear_path, "-t", coding, "-"]].concat());
        assert_eq!(encoded.len(), samples.len());
        for (sample, theirs) in samples.iter().zip(encoded) {
            assert_eq!(g711::encode(codec, *sample), theirs, "{codec:?} {sample}");
            assert_eq!(g711::encode(codec, !sample), theirs ^ 0x80, "{codec:?} {}", !sample);
        }
    }
}

#[test]
fn the_payload_is_whole_frames_made_once_and_the_same_each_time() {
    let file = wav("-r 44100 -c 2 -b 16", "synth 0.507 sine 440 vol 0.5");
    let one = Announcement::from_file(&file).unwrap();
    let other = Announcement::from_file(&file).unwrap();
    assert_eq!(one.sha256(), other.sha256());
    assert_eq!(one.sha256_hex().len(), 64);
    for codec in Codec::ALL.iter().copied() {
        let encoded = one.encoded(codec);
        assert!(std::ptr::eq(encoded, one.encoded(codec)), "made once");
        assert_eq!(encoded, other.encoded(codec));
        assert_eq!(encoded.frame_count(), 26, "0.507 s are 25 frames and a bit");
        assert_eq!(encoded.duration(), Duration::from_millis(520));
        assert_eq!(encoded.frames().len(), 26);
        let joined: Vec<u8> = encoded.frames().flat_map(|frame| frame.to_vec()).collect();
        assert_eq!(joined, encoded.payload().to_vec());
        let last = encoded.frame(25).unwrap();
        assert_eq!(last.len(), FRAME_BYTES);
        assert!(last[60..].iter().all(|byte| *byte == codec.silence()));
        assert_eq!(encoded.frame(26), None);
        assert_eq!(encoded.frame(usize::MAX), None);
    }
    assert_ne!(one.encoded(Codec::Pcma).payload(), one.encoded(Codec::Pcmu).payload());
    assert!(!format!("{one:?}").contains("samples"), "{one:?}");
}

#[test]
fn a_wav_file_cut_off_anywhere_is_refused() {
    let file = second_of_tone();
    for kept in 0..file.len() {
        if kept > 200 && kept % 97 != 0 {
            continue;
        }
        let error = refused(&file[..kept]);
        let expected = match kept {
            0..12 => AnnouncementError::NotAudio,
            12 => AnnouncementError::Empty,
            // Between two chunks, with none left for the audio.
            36 => AnnouncementError::Empty,
            _ => AnnouncementError::CutOff,
        };
        assert_eq!(error, expected, "{kept} bytes");
    }
}

#[test]
fn a_wav_file_from_a_pipe_whose_length_nobody_knew_is_read_to_its_end() {
    let mut file = second_of_tone();
    for length in [0x7FFF_FFDA_u32, u32::MAX] {
        file[40..44].copy_from_slice(&length.to_le_bytes());
        assert_eq!(decode(&file).unwrap().samples.len(), 8_000);
    }
}

#[test]
fn chunks_besides_the_audio_are_passed_over() {
    let mut file = second_of_tone();
    let odd = [b"LIST".as_slice(), &3_u32.to_le_bytes(), b"abc\0"].concat();
    file.splice(36..36, odd.iter().copied());
    file.splice(12..12, odd);
    assert_eq!(decode(&file).unwrap().samples.len(), 8_000);
}

#[test]
fn an_mp3_file_with_tags_is_read_and_one_cut_off_is_refused() {
    let file = announcement::built_in("en/granted").unwrap();
    let plain = decode(file).unwrap();
    assert_eq!(plain.rate_hz, 16_000);
    let picture = vec![0xFF; 5_000];
    let mut length = [0; 4];
    for (index, byte) in length.iter_mut().enumerate() {
        *byte = (picture.len() >> (7 * (3 - index)) & 0x7F) as u8;
    }
    let mut behind = b"TAG".to_vec();
    behind.resize(128, b' ');
    let tagged = [b"ID3\x04\0\0".as_slice(), &length, &picture, file, &behind].concat();
    assert!(decode(&tagged).unwrap() == plain);
    assert_eq!(refused(&tagged[..2_000]), AnnouncementError::CutOff, "within the tag");
    assert_eq!(refused(&tagged[..5_010]), AnnouncementError::Empty, "nothing but a tag");
    assert_eq!(refused(&file[..file.len() / 2]), AnnouncementError::CutOff);
}

#[test]
fn an_mp3_file_that_does_not_say_its_length_is_read_to_its_end() {
    let file = announcement::built_in("en/opt-out").unwrap();
    let whole = decode(file).unwrap();
    // Frames of MPEG-2 layer III at 16 kHz: 72 bytes for each kbit/s and kHz.
    const KILOBITS: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let first = 72 * KILOBITS[usize::from(file[2] >> 4)] / 16 + usize::from(file[2] >> 1 & 1);
    let untold = &file[first..];
    let read = decode(untold).unwrap();
    assert!(read.samples.len() >= whole.samples.len(), "{} of {}", read.samples.len(), whole.samples.len());
    assert!(read.samples.len() < whole.samples.len() + 3 * 1_152);
    assert_eq!(refused(&untold[..untold.len() - 20]), AnnouncementError::CutOff);
}

#[test]
fn what_is_no_announcement_is_refused_with_the_reason() {
    for (bytes, reason) in [
        (Vec::new(), "is not a WAV or MP3 file"),
        (b"%PDF-1.7 this is an invoice".repeat(1_000), "is not a WAV or MP3 file"),
        (vec![0; 100_000], "is not a WAV or MP3 file"),
        (vec![0xFF; 100_000], "is not a WAV or MP3 file"),
        (b"OggS".repeat(1_000), "is not a WAV or MP3 file"),
        (vec![0; MAX_FILE_BYTES + 1], "is larger than 64 MiB"),
        (wav("-r 8000 -c 1 -b 16", "trim 0 0"), "holds no audio"),
        (wav("-r 8000 -c 1 -b 16", "trim 0 2"), "is silent"),
        (wav("-r 8000 -c 4 -b 16", "synth 1 sine 440"), "has 4 channels; mono and stereo can be read"),
        (
            wav("-r 2000 -c 1 -b 16", "synth 1 sine 440"),
            "has a sample rate of 2000 Hz; 4,000 to 192,000 Hz can be read",
        ),
        (wav("-r 8000 -c 1 -b 8", "synth 601 sine 440"), "is longer than 10 minutes"),
        (
            wav("-r 8000 -c 1 -e ima-adpcm", "synth 1 sine 440"),
            "is a WAV file with coding 0x0011 and 4 bits a sample; PCM with 8, 16, 24 or 32 bits, float, A-law and \
             µ-law can be read",
        ),
    ] {
        assert_eq!(refused(&bytes).to_string(), reason);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_audio_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..3_000)) {
        let _ = Announcement::from_file(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_wav_header_are_audio_or_an_error(
        format in prop::collection::vec(any::<u8>(), 16..48),
        claimed in any::<u32>(),
        tag in prop::sample::select(vec![1_u16, 3, 6, 7, 0xFFFE]),
        bytes in prop::collection::vec(any::<u8>(), 0..500),
    ) {
        let mut format = format;
        format[..2].copy_from_slice(&tag.to_le_bytes());
        let file = [
            b"RIFF\xFF\xFF\xFF\xFFWAVEfmt ".as_slice(), &(format.len() as u32).to_le_bytes(), &format,
            b"data", &claimed.to_le_bytes(), &bytes,
        ].concat();
        let _ = Announcement::from_file(&file);
    }

    #[test]
    fn any_damage_to_a_file_is_survived(
        mp3 in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        kept in any::<prop::sample::Index>(),
    ) {
        let mut file = if mp3 { announcement::built_in("notice-tone").unwrap().to_vec() } else { small_wav() };
        for (index, byte) in damage {
            let at = index.index(file.len());
            file[at] = byte;
        }
        file.truncate(kept.index(file.len()) + 1);
        let _ = Announcement::from_file(&file);
    }
}

/// A tenth of a second of samples, without SoX: property tests make it many times.
fn small_wav() -> Vec<u8> {
    let samples: Vec<u8> = (0..800_i16).flat_map(|index| (index * 37).to_le_bytes()).collect();
    let mut file =
        b"RIFF\x64\x06\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1F\0\0\x80\x3E\0\0\x02\0\x10\0data\x40\x06\0\0"
            .to_vec();
    file.extend(samples);
    file
}
