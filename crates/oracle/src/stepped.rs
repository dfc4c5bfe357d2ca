//! Programs whose collections are cut into slices, and bounds on what a heap may do with them.
//!
//! What dies in an incremental cycle depends on what the marker had seen when the program changed it. So
//! nothing here predicts who dies. The runner observes which objects stop resolving, compares that with
//! bounds, and derives exactly what must follow:
//!
//! - what is reachable resolves, with its contents; what stopped resolving never does again;
//! - objects die together, where a cycle leaves `Phase::Mark`, and nowhere else;
//! - then nothing is left that was unreachable before the cycle began, unless the program touched it since,
//!   or what led to it; after a cycle in one go, nothing unreachable at all; after a minor one, nothing that
//!   is unreachable, young, and not referred to by old objects;
//! - weak collections lose dead entries and no others, and have none left when the phase is over;
//! - an object is refused if a limit of the heap says so, dead objects not counted, and else made;
//! - where a `Hash`, an `Eq` or a `Clone` panicked, the call had no effect, or all of it;
//! - destructors run once, after the sweep and before the notifications; tags go in the order of
//!   registration, callbacks in the reverse one; a panic of user code is raised by the call in which it
//!   happened.
//!
//! There are few ops, on one heap. [`run`](crate::run) has the others, with exact predictions.

mod bounds;
mod callbacks;
mod edits;
mod frame;
mod generate;
mod making;
mod program;
mod acts;
mod runner;
mod slices;
mod shapes;
mod table_edits;
mod tables;

use crate::log;

pub use crate::stepped::generate::{program_from_bytes, random_stepped, shrink_stepped};
pub use crate::stepped::program::{
    Clock, Edit, End, Ending, Inside, Limit, Making, Op, Program, Report, Source, Tuning, Units, Way, inside,
};
pub use crate::stepped::shapes::shapes;

/// Runs a program. The same program produces the same report.
///
/// # Panics
/// Where the heap leaves the bounds.
pub fn run_stepped(tuning: Tuning, ops: &[Op]) -> Report {
    runner::run(tuning, ops, &mut 0)
}

/// Runs a program; a difference is returned, with the program as a Rust test.
///
/// # Errors
/// The number of the op, the difference and the test, as text.
pub fn check_stepped(program: &Program) -> Result<Report, String> {
    let mut at = 0;
    log::caught(|| runner::run(program.tuning, &program.ops, &mut at)).map_err(|payload| {
        let op = program.ops.get(at).map_or("the end".to_string(), |op| format!("{op:?}"));
        format!("op {at}, {op}: {}\n\n{}", log::text_of(&*payload), program.to_test())
    })
}

/// Everything that a printed program names.
pub mod prelude {
    pub use crate::kind::Fuse;
    pub use crate::kind::Kind::{self, *};
    pub use crate::kind::UserCode::{self, *};
    pub use crate::ops::Interning::{self, *};
    pub use crate::stepped::Clock::{self, *};
    pub use crate::stepped::Edit::{self, *};
    pub use crate::stepped::End::{self, *};
    pub use crate::stepped::Ending::{self, *};
    pub use crate::stepped::Limit::{self, *};
    pub use crate::stepped::Making::{self, *};
    pub use crate::stepped::Op::{self, *};
    pub use crate::stepped::Source::{self, *};
    pub use crate::stepped::Units::{self, *};
    pub use crate::stepped::Way::{self, *};
    pub use crate::stepped::{Inside, Program, Report, Tuning, check_stepped, inside, run_stepped};
}
