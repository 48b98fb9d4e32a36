//! Host keys put into a YAML file, everything else kept as it is: comments, order, quotes.
//!
//! A program that edits what people write must not guess. So every place is tried at which a list of
//! keys could stand, and the one is taken after which the document reads as before but for the new
//! keys, at the right field. If there is not exactly one such place, nothing is written.

use std::ops::Range;

use serde_json::{Value, json};

/// The text of a file with `keys` as `hostKeys` of the mapping at `pointer` (RFC 6901) of the document
/// in which `line` (from 1) stands; `None` if it has some already, or the place is not clear.
pub(super) fn with_host_keys(text: &str, line: u64, pointer: &str, keys: &[String]) -> Option<String> {
    let range = document(text, line);
    let document = &text[range.clone()];
    let mut expected: Value = config::yaml::from_str(document).ok()?;
    let server = expected.pointer_mut(pointer)?.as_object_mut()?;
    if server.get("hostKeys").is_some_and(|keys| keys.as_array().is_none_or(|keys| !keys.is_empty())) {
        return None;
    }
    server.insert("hostKeys".into(), json!(keys));
    let edits = edits(document, keys);
    let mut right =
        edits.filter(|edited| config::yaml::from_str(edited).is_ok_and(|read: Value| read == expected));
    let edited = right.next().filter(|_| right.next().is_none())?;
    Some([&text[..range.start], &edited, &text[range.end..]].concat())
}

/// The bytes of the document in which a line stands, from its mark to the next one.
fn document(text: &str, line: u64) -> Range<usize> {
    let (mut start, mut offset) = (0, 0);
    for (number, content) in (1..).zip(text.split_inclusive('\n')) {
        let is_mark = content.starts_with("---") || content.starts_with("...");
        if is_mark && number > line {
            return start..offset;
        }
        if is_mark {
            start = offset;
        }
        offset += content.len();
    }
    start..text.len()
}

/// Every text that puts the keys beside a `host`, or in the place of an empty list.
fn edits(document: &str, keys: &[String]) -> impl Iterator<Item = String> {
    let quoted: Vec<String> = keys.iter().map(|key| format!("\"{key}\"")).collect();
    let end = if document.contains("\r\n") { "\r\n" } else { "\n" };
    let in_flow = format!("hostKeys: [{}]", quoted.join(", "));
    let as_block = move |indent: &str| -> String {
        let entries = quoted.iter().map(|key| format!("{indent}  - {key}{end}"));
        [format!("{indent}hostKeys:{end}")].into_iter().chain(entries).collect()
    };
    let mut offset = 0;
    let mut edits = Vec::new();
    for line in document.split_inclusive('\n') {
        for (at, _) in line.match_indices("host") {
            let (before, rest) = line.split_at(at);
            let put = |range: Range<usize>, new: &str| {
                [&document[..offset + range.start], new, &document[offset + range.end..]].concat()
            };
            // Of a mapping in lines of its own; in a list its first line begins with a dash.
            let indent = before.chars().all(|c| matches!(c, ' ' | '-')).then(|| before.replace('-', " "));
            if rest.starts_with("host:") {
                match &indent {
                    Some(indent) if line.ends_with('\n') => {
                        edits.push(put(line.len()..line.len(), &as_block(indent)));
                    }
                    Some(indent) => {
                        edits.push(put(line.len()..line.len(), &(end.to_owned() + &as_block(indent))))
                    }
                    None => {}
                }
                edits.push(put(at..at, &format!("{in_flow}, ")));
            }
            if let Some(length) = empty_list(rest) {
                edits.push(put(at..at + length, &in_flow));
            }
        }
        offset += line.len();
    }
    edits.into_iter()
}

/// The length of an empty `hostKeys: []` that the text begins with.
fn empty_list(text: &str) -> Option<usize> {
    let list = text.strip_prefix("hostKeys:")?.trim_start_matches([' ', '\t']).strip_prefix('[')?;
    let rest = list.trim_start_matches([' ', '\t']).strip_prefix(']')?;
    Some(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Vec<String> {
        vec!["ssh-ed25519 AAAAC3+/=".into(), "ssh-rsa AAAAB3==".into()]
    }

    fn pinned(text: &str, line: u64, pointer: &str) -> String {
        with_host_keys(text, line, pointer, &keys()).expect(text)
    }

    #[test]
    fn keys_stand_below_the_host_and_nothing_else_is_touched() {
        let text = "# ours\nkind: A # first\n---\nkind: B\nspec:\n  sftp:   # the archive\n    host: h # by name\n    user: \"u\"\n---\nspec: {sftp: {host: h}}\n";
        assert_eq!(
            pinned(text, 4, "/spec/sftp"),
            "# ours\nkind: A # first\n---\nkind: B\nspec:\n  sftp:   # the archive\n    host: h # by name\n    hostKeys:\n      - \"ssh-ed25519 AAAAC3+/=\"\n      - \"ssh-rsa AAAAB3==\"\n    user: \"u\"\n---\nspec: {sftp: {host: h}}\n"
        );
    }

    #[test]
    fn a_mapping_in_braces_gets_them_within() {
        let text = "spec: {path: host, sftp: {port: 1, host: h}, x: \"host: h\"}";
        assert_eq!(
            pinned(text, 1, "/spec/sftp"),
            "spec: {path: host, sftp: {port: 1, hostKeys: [\"ssh-ed25519 AAAAC3+/=\", \"ssh-rsa AAAAB3==\"], host: h}, x: \"host: h\"}"
        );
        let lines = "spec: {sftp: {\n  host: h,\n  port: 1}}\n";
        assert!(pinned(lines, 1, "/spec/sftp").contains("{\n  hostKeys: ["));
    }

    #[test]
    fn each_server_of_a_tunnel_gets_its_own_also_in_lists_and_at_the_end_of_the_file() {
        let text = "spec:\n  sftp:\n    tunnel:\n      hops:\n      - host: a\n        user: u\n      - user: u\n        host: b\n    host: c";
        let text = pinned(text, 1, "/spec/sftp");
        let text = pinned(&text, 1, "/spec/sftp/tunnel/hops/1");
        let text = pinned(&text, 1, "/spec/sftp/tunnel/hops/0");
        let read: Value = config::yaml::from_str(&text).unwrap();
        for pointer in ["/spec/sftp", "/spec/sftp/tunnel/hops/0", "/spec/sftp/tunnel/hops/1"] {
            assert_eq!(read.pointer(pointer).unwrap()["hostKeys"], json!(keys()), "{text}");
        }
        assert!(text.contains("      - host: a\n        hostKeys:\n          - \"ssh-ed25519"), "{text}");
    }

    #[test]
    fn an_empty_list_is_filled_and_one_that_holds_something_is_never_touched() {
        let empty = "spec:\r\n  sftp:\r\n    hostKeys: [ ] # soon\r\n    host: h\r\n";
        let filled = pinned(empty, 2, "/spec/sftp");
        assert!(
            filled.contains("hostKeys: [\"ssh-ed25519 AAAAC3+/=\", \"ssh-rsa AAAAB3==\"] # soon\r\n"),
            "{filled}"
        );
        assert_eq!(with_host_keys(&filled, 1, "/spec/sftp", &keys()), None);
    }

    #[test]
    fn lines_end_as_those_around_them() {
        let text = "spec:\r\n  sftp:\r\n    host: h\r\n";
        assert!(pinned(text, 1, "/spec/sftp").ends_with("host: h\r\n    hostKeys:\r\n      - \"ssh-ed25519 AAAAC3+/=\"\r\n      - \"ssh-rsa AAAAB3==\"\r\n"));
    }

    #[test]
    fn what_is_not_plain_is_left_to_people() {
        for text in [
            // One text is two servers.
            "a: &s {host: h}\nspec: {sftp: *s}\n",
            "spec: {sftp: {\"host\": h}}\n",
            "spec: {sftp: {}}\n",
            "spec: [\n",
        ] {
            assert_eq!(with_host_keys(text, 1, "/spec/sftp", &keys()), None, "{text}");
        }
    }
}
