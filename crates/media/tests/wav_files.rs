//! WAVE files as other programs and our own reader see them.

use std::{io::Read, process::Command};

use media::{
    Codec,
    wav::{LaidReader, WavError, WavHeader, read_channels, read_header, write_interleaved},
};
use proptest::prelude::*;

fn file(header: &WavHeader, channels: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut inputs: Vec<&[u8]> = channels.iter().map(Vec::as_slice).collect();
    write_interleaved(header, &mut inputs, &mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, header.file_bytes());
    bytes
}

#[test]
fn sox_reads_coding_channels_rate_and_length() {
    for (codec, name) in [(Codec::Pcma, "A-law"), (Codec::Pcmu, "u-law")] {
        for channels in 1..=2_u16 {
            // An odd number of frames: a mono data chunk then needs its padding byte.
            let header = WavHeader::new(codec, channels, 12_001);
            let path = tempfile::Builder::new().suffix(".wav").tempfile().unwrap();
            let audio = vec![vec![0x2A; 12_001]; usize::from(channels)];
            std::fs::write(path.path(), file(&header, &audio)).unwrap();
            let soxi = |flag: &str| {
                let run =
                    Command::new("soxi").arg(flag).arg(path.path()).output().expect("soxi of Debian's sox");
                assert!(
                    run.status.success() && run.stderr.is_empty(),
                    "{}",
                    String::from_utf8_lossy(&run.stderr)
                );
                String::from_utf8(run.stdout).unwrap().trim().to_owned()
            };
            assert_eq!(soxi("-e"), name);
            assert_eq!(soxi("-c"), channels.to_string());
            assert_eq!(soxi("-r"), "8000");
            assert_eq!(soxi("-s"), "12001");
        }
    }
}

#[test]
fn a_shorter_channel_ends_in_silence_and_a_longer_one_is_refused() {
    let header = WavHeader::new(Codec::Pcmu, 2, 5);
    let bytes = file(&header, &[b"abcde".to_vec(), b"xy".to_vec()]);
    let (read, channels) = read_channels(&mut bytes.as_slice()).unwrap();
    assert_eq!(read, header);
    assert_eq!(channels, [b"abcde".to_vec(), b"xy\xFF\xFF\xFF".to_vec()]);

    let error = write_interleaved(&header, &mut [&b"abcdef"[..], b""], &mut Vec::new()).unwrap_err();
    assert!(matches!(error, WavError::TooLong { channel: 1, frames: 5 }), "{error}");
    let error = write_interleaved(&header, &mut [&b"a"[..]], &mut Vec::new()).unwrap_err();
    assert!(matches!(error, WavError::Channels { expected: 2, actual: 1 }), "{error}");
}

#[test]
fn the_header_of_an_rf64_file_is_read_back_with_its_real_length() {
    for codec in [Codec::Pcma, Codec::Pcmu] {
        for frames in [2_147_483_621, 2_147_483_622, 2_147_483_623, 10_u64.pow(11)] {
            let header = WavHeader::new(codec, 2, frames);
            let mut bytes = Vec::new();
            header.write_to(&mut bytes).unwrap();
            assert_eq!(read_header(&mut bytes.as_slice()).unwrap(), header);
        }
    }
}

#[test]
fn an_rf64_file_takes_its_length_from_ds64() {
    // A short file in the long form, as a recorder writes it that cannot know the length before.
    let short = file(&WavHeader::new(Codec::Pcma, 1, 4), &[b"abcd".to_vec()]);
    let mut bytes = b"RF64\xFF\xFF\xFF\xFFWAVEds64".to_vec();
    bytes.extend(32_u32.to_le_bytes());
    for size in [98_u64, 4, 4, 0] {
        bytes.extend(size.to_le_bytes());
    }
    bytes.extend(&short[12..]);
    let data = bytes.len() - 4;
    bytes[data - 4..data].copy_from_slice(&[0xFF; 4]);
    let (header, channels) = read_channels(&mut bytes.as_slice()).unwrap();
    assert_eq!((header.frames, channels), (4, vec![b"abcd".to_vec()]));
}

#[test]
fn files_that_lie_about_themselves_are_errors() {
    let good = file(&WavHeader::new(Codec::Pcma, 1, 100), &[vec![1; 100]]);
    assert!(matches!(read_channels(&mut &good[..good.len() - 1]), Err(WavError::Truncated)));
    assert!(matches!(read_header(&mut &b"RIFFxxxxAIFF"[..]), Err(WavError::NotWave(_))));
    let mut other = good.clone();
    other[20] = 0x55;
    assert!(matches!(read_header(&mut other.as_slice()), Err(WavError::Unsupported { tag: 0x55, .. })));
    let mut none = good;
    none[22] = 0;
    assert!(matches!(read_header(&mut none.as_slice()), Err(WavError::NotWave(_))));
}

#[test]
fn parts_of_a_channel_are_written_at_their_samples() {
    let parts = [(3_u64, &b"abc"[..]), (8, b"d")];
    let left = LaidReader::new(Codec::Pcma, parts.into_iter().map(Ok));
    let right = LaidReader::new(Codec::Pcma, [(0_u64, &b"zz"[..])].into_iter().map(Ok));
    let mut bytes = Vec::new();
    let mut inputs: [Box<dyn Read>; 2] = [Box::new(left), Box::new(right)];
    write_interleaved(&WavHeader::new(Codec::Pcma, 2, 10), &mut inputs, &mut bytes).unwrap();
    let (_, channels) = read_channels(&mut bytes.as_slice()).unwrap();
    assert_eq!(channels[0], b"\xD5\xD5\xD5abc\xD5\xD5d\xD5");
    assert_eq!(channels[1], b"zz\xD5\xD5\xD5\xD5\xD5\xD5\xD5\xD5");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_interleaved_comes_apart_again(
        audio in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40_000), 1..5)
    ) {
        let frames = audio.iter().map(Vec::len).max().unwrap_or(0) as u64;
        let header = WavHeader::new(Codec::Pcma, audio.len() as u16, frames);
        let bytes = file(&header, &audio);
        let (read, channels) = read_channels(&mut bytes.as_slice()).unwrap();
        prop_assert_eq!(read, header);
        for (channel, mut expected) in channels.into_iter().zip(audio) {
            expected.resize(frames as usize, 0xD5);
            prop_assert!(channel == expected);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), rf64: bool) {
        let mut file = if rf64 { b"RF64\xFF\xFF\xFF\xFFWAVE".to_vec() } else { b"RIFF\0\0\0\0WAVE".to_vec() };
        file.extend(bytes);
        let _ = read_header(&mut file.as_slice());
    }
}
