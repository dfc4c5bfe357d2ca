//! Random programs from proptest, which shrinks those that fail.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use slotgc_oracle::prelude::*;
use slotgc_oracle::stepped::program_from_bytes;
use slotgc_oracle::{Failure, Report};

use super::{check_on_large_stack, fit_to_be_caught, steps};

/// Operations as proptest shrinks them: it first leaves out whole operations, then makes their numbers small.
fn ops(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Op>> {
    let op = vec(any::<u8>(), 64).prop_map(|bytes| slotgc_oracle::op_from_bytes(&bytes));
    vec(op, len).prop_map(fit_to_be_caught)
}

/// Operations that are mostly about weak collections and deaths.
fn weak_ops(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Op>> {
    let op = vec(any::<u8>(), 96).prop_map(|bytes| slotgc_oracle::weak_op_from_bytes(&bytes));
    vec(op, len).prop_map(|ops| fit_to_be_caught([slotgc_oracle::rooted_tables(), ops].concat()))
}

/// Runs a program twice: the heap agrees with the model, and the second run does the same as the first.
fn agree(ops: &[Op]) -> Result<Report, TestCaseError> {
    let fail = |failure: Failure| TestCaseError::fail(failure.to_string());
    let report = check_on_large_stack(ops).map_err(fail)?;
    let again = check_on_large_stack(ops).map_err(fail)?;
    prop_assert_eq!(again, report, "the same program gives the same handles and drops");
    Ok(report)
}

/// The same programs in every run, unless `PROPTEST_RNG_SEED` says otherwise: searching for others is left to
/// the soak and the fuzzer.
fn config(cases: u32, max_shrink_iters: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    // Zeal verifies the heap after each phase.
    let cases = if cfg!(gc_zeal) { cases / 6 } else { cases };
    let rng_seed = match usual.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        given => given,
    };
    ProptestConfig { cases, max_shrink_iters, rng_seed, ..usual }
}

proptest! {
    #![proptest_config(config(150, 20_000))]

    #[test]
    fn heap_and_model_agree_on_short_programs(ops in ops(1..60)) {
        agree(&ops)?;
    }

    #[test]
    fn heap_and_model_agree_on_weak_collections_and_deaths(ops in weak_ops(1..60)) {
        agree(&ops)?;
    }
}

proptest! {
    #![proptest_config(config(30, 2000))]

    #[test]
    fn heap_keeps_within_bounds_on_stepped_programs(bytes in vec(any::<u8>(), 1..500)) {
        let program = program_from_bytes(&bytes);
        let first = steps::check(program.clone()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(
            steps::check(program).map_err(TestCaseError::fail)?, first, "the same program does the same"
        );
    }
}

proptest! {
    #![proptest_config(config(6, 2000))]

    #[test]
    fn heap_and_model_agree_on_long_programs(ops in ops(200..600)) {
        agree(&ops)?;
    }

    #[test]
    fn heap_and_model_agree_on_long_programs_of_weak_collections_and_deaths(ops in weak_ops(200..600)) {
        agree(&ops)?;
    }
}
