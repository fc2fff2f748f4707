//! Any bytes into the reader of `config:cache`: never a panic, and what is read comes back when it is written again.

#![no_main]

use handover::fuzzing::var_export;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    var_export::holds(bytes);
    var_export::holds(&[b"<?php return ", bytes, b";"].concat());
});
