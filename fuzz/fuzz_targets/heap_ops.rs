//! Programs of the oracle's op language, on two heaps and their models.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slotgc_oracle::{from_bytes, run};

fuzz_target!(|bytes: &[u8]| {
    run(&from_bytes(bytes));
});
