//! Keys of NIST P-256 in OpenSSH's own form whose number begins with zeros: about one in four hundred.
//! OpenSSH writes the number without them (`mpint`, RFC 4251 section 5), and the library of keys then takes
//! it for too short.

use russh::keys::ssh_key::{
    Algorithm, Cipher, EcdsaCurve, Error, Kdf, Mpint, PrivateKey,
    encoding::{Decode, Reader, pem::DecodePem, pem::PemLabel},
    private::{EcdsaKeypair, EcdsaPrivateKey, KeypairData},
    public::EcdsaPublicKey,
};
use zeroize::Zeroizing;

/// Bytes that the number of a key of P-256 fills.
const NUMBER: usize = 32;

/// Such a key.
///
/// # Errors
/// It is another one, or damaged, or the passphrase is wrong or missing.
pub(crate) fn decode(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, Error> {
    let part = PrivatePart::decode_pem(text)?.opened_with(passphrase)?;
    let reader = &mut &part[..];
    if u32::decode(reader)? != u32::decode(reader)? {
        return Err(Error::Crypto);
    }
    let p256 = Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 };
    if Algorithm::decode(reader)? != p256 {
        return Err(Error::AlgorithmUnknown);
    }
    let EcdsaPublicKey::NistP256(public) = EcdsaPublicKey::decode(reader)? else {
        return Err(Error::AlgorithmUnknown);
    };
    let number = Zeroizing::new(Mpint::decode(reader)?);
    let digits =
        number.as_positive_bytes().filter(|digits| digits.len() <= NUMBER).ok_or(Error::FormatEncoding)?;
    let mut whole = Zeroizing::new([0; NUMBER]);
    whole[NUMBER - digits.len()..].copy_from_slice(digits);
    let pair = EcdsaKeypair::NistP256 { public, private: EcdsaPrivateKey::from(*whole) };
    PrivateKey::new(KeypairData::Ecdsa(pair), "")
}

/// The private part of a key file and what locks it (PROTOCOL.key of OpenSSH).
struct PrivatePart {
    cipher: Cipher,
    kdf: Kdf,
    bytes: Zeroizing<Vec<u8>>,
    /// What comes behind: the tag of a cipher that has one.
    rest: Vec<u8>,
}

impl PemLabel for PrivatePart {
    const PEM_LABEL: &'static str = PrivateKey::PEM_LABEL;
}

impl Decode for PrivatePart {
    type Error = Error;

    fn decode(reader: &mut impl Reader) -> Result<Self, Error> {
        const MAGIC: &[u8] = b"openssh-key-v1\0";
        let mut magic = [0; MAGIC.len()];
        if reader.read(&mut magic)? != MAGIC {
            return Err(Error::FormatEncoding);
        }
        let (cipher, kdf) = (Cipher::decode(reader)?, Kdf::decode(reader)?);
        if u32::decode(reader)? != 1 {
            return Err(Error::FormatEncoding);
        }
        reader.drain_prefixed()?;
        let bytes = Zeroizing::new(Vec::decode(reader)?);
        let mut rest = vec![0; reader.remaining_len()];
        reader.read(&mut rest)?;
        Ok(Self { cipher, kdf, bytes, rest })
    }
}

impl PrivatePart {
    fn opened_with(mut self, passphrase: Option<&str>) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.cipher.is_some() {
            let (key, iv) = self.kdf.derive_key_and_iv(self.cipher, passphrase.ok_or(Error::Encrypted)?)?;
            let tag = self.rest.try_into().ok();
            self.cipher.decrypt(&key, &iv, &mut self.bytes, tag)?;
        }
        Ok(self.bytes)
    }
}
