"""moto's server, with what KMS does and moto does not: MessageType DIGEST (what is signed is the digest of
a message, the message itself stays where it is), and keys that do not sign while they are disabled; and with
what S3 does (s3.py)."""

import sys
import threading

import s3  # noqa: F401 (changes moto)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from moto.core.exceptions import JsonRESTError
from moto.kms.exceptions import ValidationException
from moto.kms.responses import KmsResponse
from moto.kms.utils import ECDSAPrivateKey, RSAPrivateKey
from moto.server import main

asked = threading.local()


def with_digest(sign):
    def answer(response):
        key = response.kms_backend.describe_key(response._get_param("KeyId"))
        if not key.enabled:
            raise JsonRESTError("DisabledException", key.arn + " is disabled.")
        asked.digest = response._get_param("MessageType") == "DIGEST"
        return sign(response)

    return answer


def prehashed(algorithm, how, sign_whole):
    def sign(key, message, signing_algorithm):
        if not asked.digest or signing_algorithm != algorithm:
            return sign_whole(key, message, signing_algorithm)
        if len(message) != 32:
            raise ValidationException("Digest is invalid length for algorithm " + algorithm)
        return how(key.private_key, message, utils.Prehashed(hashes.SHA256()))

    return sign


KmsResponse.sign = with_digest(KmsResponse.sign)
RSAPrivateKey.sign = prehashed(
    "RSASSA_PKCS1_V1_5_SHA_256",
    lambda key, digest, by: key.sign(digest, padding.PKCS1v15(), by),
    RSAPrivateKey.sign,
)
ECDSAPrivateKey.sign = prehashed(
    "ECDSA_SHA_256", lambda key, digest, by: key.sign(digest, ec.ECDSA(by)), ECDSAPrivateKey.sign
)

main(sys.argv[1:])
