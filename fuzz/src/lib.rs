//! Fuzz targets: whatever parses bytes from outside, as functions that take any bytes.
//!
//! A target panics when the code does, or when a promise is broken that holds for all input: that what
//! is read is written back byte for byte, that an answer has as many m-lines as the offer. `make fuzz`
//! runs each under libFuzzer for a while (`fuzz/libfuzzer`); the tests of this crate run the seeds, and
//! damaged copies of them, with the plain compiler.
//!
//! A new target is a function here, a row in [`TARGETS`], a folder below `seeds/`, a file in
//! `libfuzzer/fuzz_targets` with its `[[bin]]`, and a line in `tests/seeds.rs`; the tests say which of
//! these is missing.

mod archive;
mod audio;
mod configuration;
mod database;
mod log;
mod rtp;
mod sip;
mod time;

/// A target and its name, which is also that of its folder of seeds.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("siprec_body", sip::body),
    ("siprec_sdp", sip::sdp),
    ("siprec_metadata", sip::metadata),
    ("siprec_headers", sip::headers),
    ("dtmf_info", sip::info),
    ("rtp", rtp::datagrams),
    ("wav", audio::wav),
    ("announcement", audio::announcement),
    ("recording_files", archive::recording_files),
    ("certificate", archive::certificate),
    ("log_entry", log::entry),
    ("log_checkpoint", log::checkpoint),
    ("log_proof", log::proof),
    ("log_statement", log::statement),
    ("witness", log::witness),
    ("time_stamp", time::stamp),
    ("configuration", configuration::folder),
    ("drda_answers", database::drda_answers),
];

/// Runs the target of this name.
///
/// # Panics
/// When there is none, and when the target finds something.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of that name");
    target(data);
}

/// The first line, and what comes after it: a value beside the bytes, as a header is beside a body.
fn first_line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
