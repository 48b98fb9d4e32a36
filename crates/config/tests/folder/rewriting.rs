//! Plain values sealed where they stand in a file's text.

use config::{
    rewrite::{RewriteError, SecretAt, seal_values},
    sealed::open,
};
use vault::Vault;

const HEAD: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\n";

fn vault() -> Vault {
    Vault::with_key(&[5; 32])
}

fn at(line: u64) -> SecretAt {
    SecretAt { line, tenant: "acme".parse().unwrap(), name: "login".parse().unwrap() }
}

/// The text with each sealed value as `‹what it says›`.
fn opened(text: &str, vault: &Vault) -> String {
    let parts: Vec<&str> = text.split('"').collect();
    let mut shown = String::new();
    for (place, part) in parts.iter().enumerate() {
        if place % 2 == 0 {
            shown.push_str(part);
            continue;
        }
        let before = parts[place - 1].trim_end().trim_end_matches(':');
        let key = before.rsplit(['{', ' ', ',', '\n']).next().unwrap().trim_matches('\'');
        let secret = at(1);
        match open(vault, &secret.tenant, &secret.name, key, &(*part).into()) {
            Ok(value) => shown.push_str(&format!("‹{}›", value.expose())),
            Err(_) => shown.push_str(&format!("\"{part}\"")),
        }
    }
    shown
}

fn rewritten(fields: &str) -> String {
    let text = format!("{HEAD}{fields}");
    let sealed = seal_values(&text, &[at(1)], &vault(), None).expect(fields);
    opened(sealed.text.strip_prefix(HEAD).expect("the head is as it was"), &vault())
}

#[test]
fn every_way_to_write_a_value_is_sealed_and_comments_order_and_keys_stay() {
    for (before, after) in [
        ("stringData: {a: secret}\n", "sealedData: {a: ‹secret›}\n"),
        ("stringData: {a: 's # 1', b: it}", "sealedData: {a: ‹s # 1›, b: ‹it›}"),
        (
            "# ours\nstringData:   # c\n  a: x y # one\n\n  # two\n  b: 'it''s'\ntype: Opaque # end\n",
            "# ours\nsealedData:   # c\n  a: ‹x y› # one\n\n  # two\n  b: ‹it's›\ntype: Opaque # end\n",
        ),
        (
            "stringData:\n  a: |\n    -----BEGIN KEY-----\n    ab#c\n\n    -----END KEY-----\n\n  # next\n  b: >-\n    fold\n    ed\n",
            "sealedData:\n  a: ‹-----BEGIN KEY-----\nab#c\n\n-----END KEY-----\n›\n\n  # next\n  b: ‹fold ed›\n",
        ),
        ("data:\r\n  a: aHVudGVyMg==\r\n  b: eA==", "sealedData:\r\n  a: ‹hunter2›\r\n  b: ‹x›"),
        ("stringData:\n    a: ö\n    b: |-\n        l\n        m", "sealedData:\n    a: ‹ö›\n    b: ‹l\nm›"),
        ("stringData:\n  a: 12\n", "sealedData:\n  a: ‹12›\n"),
        (
            "stringData:\n  a: x # hi\ndata:\n  b: eQ==\n  c: eg==\ntype: Opaque\n",
            "sealedData:\n  a: ‹x› # hi\n  b: ‹y›\n  c: ‹z›\ntype: Opaque\n",
        ),
        ("stringData: {a: x}\ndata: {b: eQ==}\n", "sealedData: {a: ‹x›, b: ‹y›}\n"),
        ("sealedData: {}\nstringData: {a: x}\n", "sealedData: {a: ‹x›}\n"),
        ("stringData: {}\ndata: {a: eA==}\n", "stringData: {}\nsealedData: {a: ‹x›}\n"),
    ] {
        assert_eq!(rewritten(before), after, "{before}");
    }
}

#[test]
fn a_new_value_beside_sealed_ones_joins_them_or_takes_the_place_of_the_old_one() {
    let first =
        seal_values(&format!("{HEAD}stringData:\n  a: x\n  b: y\n"), &[at(1)], &vault(), None).unwrap();
    let more = first.text + "stringData:\n  b: new\n  c: z\n";
    let sealed = seal_values(&more, &[at(1)], &vault(), None).unwrap();
    assert_eq!(sealed.sealed, 2);
    assert_eq!(
        opened(&sealed.text, &vault()),
        format!("{HEAD}sealedData:\n  a: ‹x›\n  b: ‹new›\n  c: ‹z›\n")
    );
    let again = seal_values(&sealed.text, &[at(1)], &vault(), None).unwrap();
    assert_eq!((again.sealed, again.text), (0, sealed.text), "what is sealed is left alone");
}

#[test]
fn only_the_documents_that_are_named_are_touched() {
    let other = HEAD.replace("login", "other");
    let text =
        format!("\u{feff}# 1\n---\n{other}stringData: {{a: x}}\n--- # 2\n{HEAD}stringData: {{a: x}}\n...\n");
    let sealed = seal_values(&text, &[at(7)], &vault(), None).unwrap();
    let expected = format!(
        "\u{feff}# 1\n---\n{other}stringData: {{a: x}}\n--- # 2\n{HEAD}sealedData: {{a: ‹x›}}\n...\n"
    );
    assert_eq!(opened(&sealed.text, &vault()), expected);
}

#[test]
fn another_key_seals_anew_what_the_old_one_opens() {
    let new = Vault::with_key(&[6; 32]);
    let text = seal_values(&format!("{HEAD}stringData: {{a: x}}\n"), &[at(1)], &vault(), None).unwrap().text;
    let text = text + "data: {b: eQ==}\n";
    let sealed = seal_values(&text, &[at(1)], &new, Some(&vault())).unwrap();
    assert_eq!(opened(&sealed.text, &new), format!("{HEAD}sealedData: {{a: ‹x›, b: ‹y›}}\n"));
    let wrong = seal_values(&sealed.text, &[at(1)], &new, Some(&vault()));
    assert!(matches!(wrong, Err(RewriteError::Closed { .. })));
}

#[test]
fn what_is_not_plain_is_left_to_people_and_no_value_shows() {
    for fields in [
        "stringData: {a: &x hunter2, b: *x}\n",
        "stringData: {a: hunter2}\ndata: {a: aHVudGVyMg==}\n",
        "stringData:\n  a: hunter2\n# why\ndata: # c\n  b: aHVudGVyMg==\n",
        "stringData:\n  a: | # hunter2 is no comment here\n    hunter2\n",
        "data: {a: hunter2}\n",
    ] {
        let error = seal_values(&format!("{HEAD}{fields}"), &[at(1)], &vault(), None).err().expect(fields);
        assert!(error.to_string().starts_with("the Secret login in line 1 "), "{error}");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
    }
}
