//! Random programs for builds without proptest: from the oracle's own generator, and not shrunk when they
//! fail. `slotgc-oracle soak` generates the same ones.

use slotgc_oracle::random_program;
use slotgc_oracle::stepped::random_stepped;

use super::{check_on_large_stack, fit_to_be_caught, steps};

/// How many programs of each kind; few in zeal mode, which verifies the heap after each phase.
const PROGRAMS: u64 = if cfg!(gc_zeal) { 8 } else { 100 };

#[test]
fn heap_and_model_agree_on_random_programs() {
    for seed in 0..PROGRAMS {
        let ops = fit_to_be_caught(random_program(seed, 1500));
        let first = check_on_large_stack(&ops).unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        assert_eq!(
            check_on_large_stack(&ops).as_ref(),
            Ok(&first),
            "seed {seed}: the same program does the same"
        );
    }
}

#[test]
fn heap_keeps_within_bounds_on_random_stepped_programs() {
    for seed in 0..PROGRAMS {
        let program = random_stepped(seed, 500);
        let first = steps::check(program.clone()).unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        assert_eq!(steps::check(program).as_ref(), Ok(&first), "seed {seed}: the same program does the same");
    }
}
