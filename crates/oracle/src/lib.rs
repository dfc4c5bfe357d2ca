//! An oracle for slotgc: programs, a heap that is obviously right, and a runner that compares the two.
//!
//! [`ops`] is what a mutator may do, as data: generated from bytes, so that a fuzzer, proptest and a file of
//! seeds can all produce it. `model` is a heap so naive that it needs no tests. [`run`] executes a program on
//! two real heaps and their models, and compares everything observable after every operation: which handles
//! resolve and to what, counts, iteration order, which destructors ran, what a collection reported.
//!
//! ```
//! use slotgc_oracle::prelude::*;
//!
//! let make = |kind| Make { kind, value: 7, edges: [Recent(0), Recent(1)] };
//! let report = run(&[
//!     Alloc { heap: 0, make: make(Node), how: AtRoot },
//!     Cyclic { heap: 0, make: make(Chunk), inside: block(&[Collect { heap: 0 }]), ending: Returns },
//!     Change { heap: 0, target: Rooted(0), by: ByIndex, edit: Link { to: Live(0), erased: true } },
//!     Collect { heap: 0 },
//! ]);
//! assert_eq!((report.ops, report.objects, report.freed), (5, 2, 0));
//! ```
//!
//! A failing program comes with a Rust test to paste, see [`to_rust_test`]; [`shrink`] makes it short.
//! `cargo run --release -p slotgc-oracle -- soak 60` runs random programs for a minute.
#![expect(missing_docs, reason = "the names of ops are their documentation, and the crate is not published")]

mod contents;
mod dyn_heap;
mod handles;
mod kind;
mod lent;
mod link;
mod log;
mod model;
pub mod ops;
mod outside;
mod print;
mod random;
mod runner;
mod shrink;
pub mod stepped;
mod tables;
mod types;

pub use kind::{Fuse, Kind};
pub use ops::{Op, from_bytes, op_from_bytes, rooted_tables, weak_from_bytes, weak_op_from_bytes};
pub use print::{block, to_rust_test};
pub use random::{random_bytes, random_program};
pub use runner::{Failure, Report, check, run};
pub use shrink::{Nested, shrink};

/// Everything that a printed program names.
pub mod prelude {
    pub use crate::kind::Fuse::{self, *};
    pub use crate::kind::Kind::{self, *};
    pub use crate::ops::Access::{self, *};
    pub use crate::ops::Edit::{self, *};
    pub use crate::ops::Ending::{self, *};
    pub use crate::ops::First::{self, *};
    pub use crate::ops::How::{self, *};
    pub use crate::ops::Op::{self, *};
    pub use crate::ops::Pick::{self, *};
    pub use crate::ops::Shape::{self, *};
    pub use crate::ops::{Block, Make, Setup};
    pub use crate::ops::{
        Combine::{self, *},
        Gives::{self, *},
        Goal::{self, *},
        Interning::{self, *},
        KeysEdit::{self, *},
        SetEdit::{self, *},
        Sort::{self, *},
        Using::{self, *},
        ValuesEdit::{self, *},
    };
    pub use crate::{block, check, run};
}
