//! Requests for certificates, and certificates that a CA issued, judged by OpenSSL.

use std::{fs, path::Path};

use keys::{CertificateSubject, KeyError, KeyOptions, RsaBits, SigningKey, certificate};

use crate::token_process::{new_key, prepared, run, with_token_folder};

/// A CA in `folder` with an intermediate one below it: RSA above, P-256 below.
fn authority(folder: &Path) {
    fs::write(folder.join("ca.ext"), "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
        .unwrap();
    let root = "req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=root -keyout root.key -out root.pem";
    let request = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=middle -keyout middle.key -out middle.csr";
    let middle =
        "x509 -req -in middle.csr -CA root.pem -CAkey root.key -days 3650 -extfile ca.ext -out middle.pem";
    for arguments in [root, request, middle] {
        openssl(folder, arguments);
    }
}

fn openssl(folder: &Path, arguments: &str) -> String {
    run("openssl", &arguments.split(' ').collect::<Vec<_>>(), folder)
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

/// The key's certificate by the intermediate CA, from the request that the key signed.
fn issued(folder: &Path, key: &dyn SigningKey, arguments: &str) -> String {
    fs::write(folder.join("key.csr"), certificate::request(key, None).unwrap()).unwrap();
    openssl(
        folder,
        &format!(
            "x509 -req -in key.csr -CA middle.pem -CAkey middle.key -copy_extensions copy {arguments} -out key.pem"
        ),
    );
    read(folder, "key.pem")
}

/// The same with dates, which `openssl x509` does not take.
fn issued_between(folder: &Path, key: &dyn SigningKey, from: &str, until: &str) -> String {
    fs::write(folder.join("key.csr"), certificate::request(key, None).unwrap()).unwrap();
    let conf = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n\
                policy=p\nunique_subject=no\n[p]\ncommonName=supplied\norganizationName=optional\n";
    for (name, text) in [("ca.conf", conf), ("index", ""), ("serial", "77\n")] {
        fs::write(folder.join(name), text).unwrap();
    }
    openssl(
        folder,
        &format!(
            "ca -batch -notext -config ca.conf -in key.csr -cert middle.pem -keyfile middle.key -startdate {from} -enddate {until} -out key.pem"
        ),
    );
    read(folder, "key.pem")
}

fn with_key(folder: &Path) -> (KeyOptions, std::sync::Arc<dyn SigningKey>) {
    let options = prepared(folder);
    let set = keys::create(&options, &options.key, &new_key(RsaBits::Rsa2048)).unwrap();
    (options, set.signing)
}

#[test]
fn openssl_accepts_the_request_and_finds_subject_and_usage_in_it() {
    with_token_folder(|folder| {
        let (_, key) = with_key(folder);
        fs::write(folder.join("key.csr"), certificate::request(key.as_ref(), None).unwrap()).unwrap();
        let shown = openssl(folder, "req -in key.csr -verify -noout -text -nameopt utf8");
        for expected in
            ["CN=acme-1", "O=Bank & Söhne", "Public-Key: (2048 bit)", "Digital Signature, Non Repudiation"]
        {
            assert!(shown.contains(expected), "{expected} is not in {shown}");
        }
        let other = CertificateSubject {
            holder: "Other, \"Inc\"".to_owned(),
            installation: "beta".to_owned(),
            ..new_key(RsaBits::Rsa2048).subject
        };
        fs::write(folder.join("key.csr"), certificate::request(key.as_ref(), Some(&other)).unwrap()).unwrap();
        let shown = openssl(folder, "req -in key.csr -verify -noout -subject -nameopt utf8,sep_multiline");
        assert!(shown.contains("CN=beta") && shown.contains("O=Other, \"Inc\""), "{shown}");
    });
}

#[test]
fn an_issued_certificate_takes_the_place_of_the_self_signed_one_with_its_chain() {
    with_token_folder(|folder| {
        let (options, first) = with_key(folder);
        authority(folder);
        let leaf = issued(folder, first.as_ref(), "-days 30");
        let chain = format!("{}{}", read(folder, "middle.pem"), read(folder, "root.pem"));
        keys::import_certificate(&options, &options.key, &format!("{leaf}{chain}")).unwrap();
        let now = keys::open_signing(&options, &options.key).unwrap();
        assert_eq!(now.key_id(), first.key_id());
        assert_eq!(now.certificate_pem(), leaf);
        assert_eq!(now.chain_pem(), chain);
        fs::write(folder.join("chain.pem"), now.chain_pem()).unwrap();
        openssl(folder, "verify -CAfile root.pem -untrusted chain.pem key.pem");
        // The same once more changes nothing.
        keys::import_certificate(&options, &options.key, &format!("{leaf}{chain}")).unwrap();
        // The next one of the CA follows it.
        let next = issued(folder, now.as_ref(), "-days 60");
        keys::import_certificate(&options, &options.key, &next).unwrap();
        let last = keys::open_signing(&options, &options.key).unwrap();
        let valid_until = |pem: &str| evidence::Certificate::from_pem(pem).unwrap().not_after();
        assert_eq!(valid_until(last.certificate_pem()), valid_until(&next));
    });
}

#[test]
fn a_certificate_that_does_not_fit_is_refused_by_its_reason() {
    with_token_folder(|folder| {
        let (options, key) = with_key(folder);
        authority(folder);
        let leaf = issued(folder, key.as_ref(), "-days 30");
        let (middle, root) = (read(folder, "middle.pem"), read(folder, "root.pem"));
        openssl(
            folder,
            "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=other -keyout o.key -out other.pem",
        );
        // Of the same name as the real one, but another.
        openssl(
            folder,
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=middle -keyout f.key -out false.pem",
        );
        let expired = issued_between(folder, key.as_ref(), "20200101000000Z", "20210101000000Z");
        let future = issued_between(folder, key.as_ref(), "20900101000000Z", "20910101000000Z");
        for (pem, why) in [
            (read(folder, "other.pem"), "is of another key"),
            (format!("{middle}{leaf}"), "not one of an RSA key"),
            (format!("{root}{leaf}"), "is of another key"),
            (format!("{leaf}{root}"), "another order than issued, or one is missing"),
            (format!("{leaf}{}", read(folder, "false.pem")), "was not signed by the key of 'CN=middle'"),
            (expired, "it has expired on 2021-01-01"),
            (future, "it is valid only from 2090-01-01"),
            (String::new(), "no certificate"),
            ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned(), "no certificate"),
        ] {
            let error = keys::import_certificate(&options, &options.key, &pem).unwrap_err();
            assert!(matches!(error, KeyError::ImportRefused(_)), "{why}: {error}");
            assert!(error.to_string().contains(why), "'{why}' is not in: {error}");
        }
        let still = keys::open_signing(&options, &options.key).unwrap();
        assert_eq!(still.certificate_pem(), key.certificate_pem());
    });
}

#[test]
fn a_chain_is_taken_only_where_each_of_its_signatures_could_be_checked() {
    with_token_folder(|folder| {
        let (options, key) = with_key(folder);
        for (issuer, signs, known) in [
            ("rsa:2048", "-sha512", true),
            ("rsa:2048", "-sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1", true),
            ("ec -pkeyopt ec_paramgen_curve:P-384", "-sha384", true),
            ("ed25519", "", true),
            ("ec -pkeyopt ec_paramgen_curve:P-521", "-sha512", false),
            ("rsa:2048", "-sha1", false),
        ] {
            let made = "-nodes -days 3650 -subj /CN=middle -keyout middle.key -out middle.pem";
            openssl(folder, &format!("req -x509 -newkey {issuer} {made}"));
            let leaf = issued(folder, key.as_ref(), format!("-days 30 {signs}").trim_end());
            let taken = keys::import_certificate(
                &options,
                &options.key,
                &format!("{leaf}{}", read(folder, "middle.pem")),
            );
            if known {
                taken.unwrap_or_else(|error| panic!("{issuer} {signs}: {error}"));
            } else {
                let error = taken.unwrap_err().to_string();
                assert!(
                    error.contains("is signed by an algorithm that is not known here"),
                    "{signs}: {error}"
                );
                // By itself it needs no chain: whoever verifies compares its fingerprint.
                keys::import_certificate(&options, &options.key, &leaf).unwrap();
            }
        }
    });
}

#[test]
fn keys_of_2048_3072_and_4096_bits_are_made_and_sign() {
    with_token_folder(|folder| {
        let options = prepared(folder);
        for bits in [RsaBits::Rsa2048, RsaBits::Rsa3072, RsaBits::Rsa4096] {
            let name = format!("key-{}", bits.count()).as_str().into();
            let set = keys::create(&options, &name, &new_key(bits)).unwrap();
            let certificate = evidence::Certificate::from_pem(set.signing.certificate_pem()).unwrap();
            assert_eq!(certificate.public_key().bits(), usize::from(bits.count()));
            let signature = set.signing.sign(b"text").unwrap();
            certificate.public_key().verify(b"text", &signature).unwrap();
            let (holder, installation) =
                certificate::holder_and_installation(set.signing.certificate_pem()).unwrap();
            assert_eq!((holder.as_str(), installation.as_str()), ("Bank & Söhne", "acme-1"));
        }
    });
}
