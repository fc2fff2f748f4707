//! Who sent a request: the symmetric signature of Standard Webhooks 1.0.0.
//!
//! Owns the secrets, which no log, error or `Debug` output shows. Counterpart in PHP: the `standard-webhooks` package.

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What stands before the base64 of a secret.
const PREFIX: &str = "whsec_";

/// Base64 whose padding may be missing: it is often lost on the way into a variable.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A secret as it was written: base64, usually behind `whsec_`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secrets of a line, separated by spaces: several while one takes the place of another.
    pub fn several(line: &str) -> Vec<Secret> {
        line.split_whitespace().map(Secret::from).collect()
    }

    /// The key that it stands for; `None` where it is empty, or no base64.
    pub(super) fn key(&self) -> Option<Key> {
        // As the packages for receivers read it: base64, with or without what stands before it.
        let bytes = LENIENT.decode(self.0.strip_prefix(PREFIX).unwrap_or(&self.0)).ok()?;
        (!bytes.is_empty()).then_some(Key(bytes))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// The bytes that sign.
pub(super) struct Key(Vec<u8>);

impl Key {
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The value of `webhook-signature`: one signature a key, separated by spaces.
pub(super) fn header(keys: &[Key], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signatures: Vec<String> = keys.iter().map(|key| key.sign(id, timestamp, body)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(line: &str) -> Vec<Key> {
        Secret::several(line).iter().map(|secret| secret.key().expect("a key")).collect()
    }

    /// The vector of the specification's own libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn signed(line: &str) -> String {
        header(&keys(line), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#)
    }

    #[test]
    fn the_vector_of_the_specification() {
        assert_eq!(signed(SECRET), SIGNED);
    }

    #[test]
    fn while_a_secret_is_replaced_both_sign() {
        let both = signed(&format!("bmV3IG9uZQ== {SECRET}"));
        let (new, old) = both.split_once(' ').unwrap();
        assert_eq!(old, SIGNED);
        assert_eq!(new, signed("whsec_bmV3IG9uZQ"));
    }

    #[test]
    fn padding_may_be_missing_and_what_is_no_base64_is_no_key() {
        assert_eq!(signed("whsec_AAAAAA=="), signed("whsec_AAAAAA"));
        for secret in ["whsec_", "whsec_&", "", "hunter-2"] {
            assert!(Secret::from(secret).key().is_none(), "{secret}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::from("hush")), "Secret(hidden)");
    }
}
