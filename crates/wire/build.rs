//! Generates the message types from proto/ with a compiler written in Rust: no protoc is needed.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("../../proto");
    let files = ["call", "delivery", "rules", "recording", "event"]
        .map(|area| format!("callseal/{area}/v1/{area}.proto"));
    println!("cargo::rerun-if-changed={}", root.display());
    let descriptors = protox::compile(&files, [root])?;
    prost_build::Config::new()
        .bytes([".callseal.call.v1.Packet.data"])
        .include_file("messages.rs")
        .skip_debug([
            "callseal.call.v1.Party",
            "callseal.call.v1.Stream",
            "callseal.call.v1.Packet",
            "callseal.call.v1.StoppedBy",
            "callseal.call.v1.Consent",
            "callseal.rules.v1.Start",
            "callseal.event.v1.ConsentAnswered",
            "callseal.recording.v1.JournalRow",
            "callseal.recording.v1.RecordingSealed",
            "callseal.recording.v1.SealedFile",
        ])
        .compile_fds(descriptors)?;
    Ok(())
}
