//! Signing keys behind one narrow trait; PKCS#11.
