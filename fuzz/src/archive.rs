//! Files beside a recording, as an auditor gets them from anybody.

use evidence::{BaseName, Certificate, HashList, ParsedInfo, Signature, timestamp::Authorities};

/// A hash list, an info, a signature, and each line as the name of a file.
pub(crate) fn recording_files(data: &[u8]) {
    if let Ok(list) = HashList::parse(data) {
        assert_eq!(list.to_bytes(), data, "a hash list has one spelling");
    }
    let signature = Signature::parse(data);
    if let Ok(signature) = &signature {
        let again = Signature::parse(&signature.to_file()).expect("what was written");
        assert!(again.as_bytes() == signature.as_bytes());
    }
    let info = ParsedInfo::parse(data);
    let _all = (info.recording(), info.started(), info.lane(), info.consent(), info.key_id());
    let _chain = (info.position(), info.previous(), signature.ok().and_then(|one| info.chain_link(&one)));
    for line in String::from_utf8_lossy(data).lines() {
        if let Some((base, section)) = BaseName::parse_file(line) {
            assert_eq!(base.file(section), line, "a name has one spelling");
        }
    }
}

/// Certificates: PEM of any number, and DER.
pub(crate) fn certificate(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _authorities = Authorities::from_pem(&text);
    for certificate in [Certificate::from_pem(&text), Certificate::from_der(data)].into_iter().flatten() {
        let _shown = (certificate.subject(), certificate.not_before(), certificate.not_after());
        let again = Certificate::from_pem(&certificate.to_pem().expect("what was read"));
        assert_eq!(again.expect("what was written").fingerprint(), certificate.fingerprint());
    }
}
