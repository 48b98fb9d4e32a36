//! A page for the printer: whose key signs, and how anybody checks with it (F-55). It is laid into the
//! safe, or given to the auditor, on paper: what is compared with paper cannot be changed from afar.

use evidence::Certificate;

use super::{code::QrCode, show::with_colons};

const STYLE: &str = "body{font:11pt/1.45 sans-serif;max-width:18cm;margin:1.2cm auto;color:#000}\
h1{font-size:18pt;margin:0 0 .4cm}h2{font-size:12pt;margin:.6cm 0 .1cm}table{border-collapse:collapse}\
td{padding:.06cm .5cm .06cm 0;vertical-align:top}code,pre{font:9.5pt/1.35 monospace}\
pre{margin:.1cm 0;white-space:pre-wrap}.print{font:12pt/1.6 monospace}svg{width:9cm;height:9cm}\
.pem{font-size:7.5pt;columns:1}@page{size:A4;margin:1.2cm}section{break-inside:avoid}";

/// The page: complete in itself, no script, nothing fetched. `whose`: holder and installation.
pub(super) fn html(whose: (&str, &str), certificate: &Certificate, pem: &str, code: &QrCode) -> String {
    let (holder, installation) = whose;
    let (holder, installation) = (escaped(holder), escaped(installation));
    let (from, until) = (certificate.not_before(), certificate.not_after());
    let key = certificate.public_key();
    let (bits, id) = (key.bits(), key.id());
    let fingerprint = in_groups(&with_colons(certificate.fingerprint()));
    let drawing = code.to_svg();
    let pem = escaped(pem.trim_end());
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Signing certificate</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Signing certificate of recordings</h1>
<table>
<tr><td>Holder</td><td>{holder}</td></tr>
<tr><td>Installation</td><td>{installation}</td></tr>
<tr><td>Valid from</td><td>{from:.0}</td></tr>
<tr><td>Valid until</td><td>{until:.0}</td></tr>
<tr><td>Key</td><td>RSA, {bits} bits</td></tr>
<tr><td>Key id</td><td><code>{id}</code></td></tr>
</table>
<section>
<h2>SHA-256 fingerprint</h2>
<p class="print">{fingerprint}</p>
</section>
<section>
<h2>The certificate</h2>
{drawing}
</section>
<section>
<h2>How to check</h2>
<p>Is the certificate in the archive this one? The last line has to be the fingerprint above:</p>
<pre>openssl x509 -in callseal.pem -noout -fingerprint -sha256</pre>
<p>Was a recording signed by this key, and is it unchanged? Both lines have to say OK:</p>
<pre>openssl x509 -in callseal.pem -noout -pubkey &gt; key.pem
openssl base64 -d -in NAME_hash.SHA256withRSA.sig -out signature
openssl dgst -sha256 -verify key.pem -signature signature NAME_hash.txt
sha256sum -c NAME_hash.txt</pre>
<p>A certificate that has expired still proves what was signed while it was valid.</p>
</section>
<section>
<h2>As text</h2>
<pre class="pem">{pem}</pre>
</section>
</body>
</html>
"#
    )
}

/// Four lines of eight bytes: what two people can read out to each other.
fn in_groups(colons: &str) -> String {
    let bytes: Vec<&str> = colons.split(':').collect();
    let line =
        |eight: &[&str]| eight.chunks(4).map(|four| four.join(":")).collect::<Vec<_>>().join(" &nbsp; ");
    bytes.chunks(8).map(line).collect::<Vec<_>>().join("<br>\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
