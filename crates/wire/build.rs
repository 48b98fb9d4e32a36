//! Generates the message types from proto/ with a compiler written in Rust: no protoc is needed.

use std::path::Path;

/// What a PBX sees: the only package with a service, and with JSON.
const CONTROL: &str = ".callseal.control.v1";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("../../proto");
    let files =
        ["archive", "call", "control", "delivery", "evidence", "event", "recording", "rules", "state"]
            .map(|area| format!("callseal/{area}/v1/{area}.proto"));
    println!("cargo::rerun-if-changed={}", root.display());
    let descriptors = protox::compile(&files, [root])?;
    let mut json = pbjson_build::Builder::new();
    for file in &descriptors.file {
        json.register_file_descriptor(file.clone());
    }
    // A script that reads `"active": false` must find it.
    json.emit_fields().build(&[CONTROL])?;
    let mut messages = prost_build::Config::new();
    messages.bytes([".callseal.call.v1.Packet.data"]).include_file("messages.rs").skip_debug([
        "callseal.archive.v1.PlaceHold",
        "callseal.call.v1.Party",
        "callseal.call.v1.Stream",
        "callseal.call.v1.Packet",
        "callseal.call.v1.StoppedBy",
        "callseal.call.v1.StartedBy",
        "callseal.call.v1.Consent",
        "callseal.control.v1.SetMembershipRequest",
        "callseal.control.v1.Membership",
        "callseal.control.v1.SetConsentRequest",
        "callseal.control.v1.ConsentProof",
        "callseal.control.v1.StartRecordingRequest",
        "callseal.control.v1.StopRecordingRequest",
        "callseal.control.v1.PressPhoneButtonRequest",
        "callseal.rules.v1.Start",
        "callseal.event.v1.ConsentAnswered",
        "callseal.recording.v1.JournalRow",
        "callseal.recording.v1.RecordingSealed",
        "callseal.recording.v1.SealedFile",
        "callseal.state.v1.Membership",
    ]);
    // Any connection can carry the client; who makes one brings tonic's transport.
    tonic_prost_build::configure().build_transport(false).compile_fds_with_config(descriptors, messages)?;
    Ok(())
}
