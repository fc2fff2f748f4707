//! What a PHP child may say and then any bytes, in any pieces, into the reader of its frames.

#![no_main]

use handover::fuzzing::frame;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, Vec<frame::Makings>, &[u8])| {
    let (cuts, said, bytes) = input;
    frame::holds(&said, bytes, &cuts);
});
