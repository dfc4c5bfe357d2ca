//! Like `heap_ops`, with programs that are mostly about weak collections and deaths.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slotgc_oracle::{run, weak_from_bytes};

fuzz_target!(|bytes: &[u8]| {
    run(&weak_from_bytes(bytes));
});
