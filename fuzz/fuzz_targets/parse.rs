//! Any bytes into `php::parse`: what is taken is written back byte for byte, and everything that reads a value
//! gets through it.

#![no_main]

use handover::php;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = php::parse(bytes) else { return };
    assert_eq!(value.write(), bytes);
    assert!(value.clone() == value);
    let _ = value.to_json();
    let _ = php::from_value::<serde_json::Value>(&value);
    let _ = php::from_value::<php::Model>(&value);
});
