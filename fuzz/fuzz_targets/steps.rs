//! Programs whose collections are cut into slices, against bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slotgc_oracle::stepped::{program_from_bytes, run_stepped};

fuzz_target!(|bytes: &[u8]| {
    let program = program_from_bytes(bytes);
    run_stepped(program.tuning, &program.ops);
});
