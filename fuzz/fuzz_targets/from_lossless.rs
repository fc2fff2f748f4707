//! Any text into `php::json::from_lossless`: what is taken PHP could have written, and comes back.

#![no_main]

use handover::php;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(value) = php::json::from_lossless(text) else { return };
    assert!(php::parse(&value.write()).expect("what PHP writes") == value);
    let json = php::json::to_lossless(&value);
    assert!(php::json::from_lossless(&json).expect("its own JSON") == value);
});
