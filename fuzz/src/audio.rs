//! Audio files: of archives, and those that an administrator uploads as announcements.

use media::{
    announcement::decode,
    wav::{deinterleave, read_channels, read_header},
};

/// A WAVE file of an archive.
pub(crate) fn wav(data: &[u8]) {
    let mut rest = data;
    if let Ok(header) = read_header(&mut rest) {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let _two_channels = deinterleave(&header, &mut rest, &mut [&mut left, &mut right]);
        let mut written = Vec::new();
        if header.write_to(&mut written).is_ok() {
            assert_eq!(read_header(&mut written.as_slice()).ok(), Some(header), "what was read is written");
        }
    }
    if let Ok((header, channels)) = read_channels(&mut &*data) {
        assert_eq!(channels.len(), usize::from(header.channels));
    }
}

/// A WAV or MP3 file as an announcement. Resampling and levelling work on samples, not on bytes.
pub(crate) fn announcement(data: &[u8]) {
    if let Ok(pcm) = decode(data) {
        assert!(!pcm.samples.is_empty() && pcm.samples.iter().all(|sample| sample.is_finite()));
    }
}
