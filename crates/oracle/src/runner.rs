//! Runs a program on two real heaps and on their models, and compares after every op.
//!
//! Invariant between two ops: heap and model agree on every handle ever handed out, and every destructor that
//! should have run has run once. An op first asks the model what must happen, then calls the heap, and panics
//! with a sentence if the heap did something else.

mod callbacks;
mod collecting;
mod compare;
mod deaths;
mod frame;
mod mutating;
mod state;
mod step;
mod tables;

use std::fmt;

use crate::log;
use crate::ops::Op;
use crate::print::to_rust_test;
use crate::runner::state::Runner;

pub use crate::runner::state::Report;

/// Runs a program. The same program produces the same report.
///
/// # Panics
/// Where the heap does not do what the model says.
pub fn run(ops: &[Op]) -> Report {
    run_noting(ops, &mut 0)
}

/// Runs a program; a difference between heap and model is returned.
///
/// # Errors
/// [`Failure`]: the op, the difference, and the program as a test.
pub fn check(ops: &[Op]) -> Result<Report, Failure> {
    let mut at = 0;
    log::caught(|| run_noting(ops, &mut at)).map_err(|payload| Failure {
        at,
        op: ops.get(at).map_or("the end".to_string(), |op| format!("{op:?}")),
        what: log::text_of(&*payload),
        test: to_rust_test(ops),
    })
}

/// A difference between heap and model.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    /// The number of the op.
    pub at: usize,
    /// The op.
    pub op: String,
    /// The difference.
    pub what: String,
    /// The program, as a Rust test to be pasted.
    pub test: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, op, what, test } = self;
        write!(f, "op {at}, {op}: {what}\n\n{test}")
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn run_noting(ops: &[Op], at: &mut usize) -> Report {
    let mut runner = Runner::new();
    for (index, op) in ops.iter().enumerate() {
        *at = index;
        runner.step(op);
    }
    *at = ops.len();
    runner.finish()
}
