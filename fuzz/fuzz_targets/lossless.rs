//! Any PHP value through its lossless JSON and back.

#![no_main]

use handover::php;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = php::parse(bytes) else { return };
    let json = php::json::to_lossless(&value);
    let back = php::json::from_lossless(&json).expect("its own JSON");
    assert_eq!(back.write(), bytes);
});
