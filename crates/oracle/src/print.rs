//! A program as a Rust test, to be pasted.

use std::fmt::Write;

use crate::ops::{Block, Op};

/// The program as a Rust test.
///
/// # Examples
/// ```
/// use slotgc_oracle::{Op, to_rust_test};
///
/// let test = to_rust_test(&[Op::Collect { heap: 0 }, Op::Shrink { heap: 1 }]);
/// assert_eq!(
///     test,
///     "#[test]
/// fn heap_and_model_agree() {
///     use slotgc_oracle::prelude::*;
///     run(&[
///         Collect { heap: 0 },
///         Shrink { heap: 1 },
///     ]);
/// }
/// "
/// );
/// ```
pub fn to_rust_test(ops: &[Op]) -> String {
    let mut test = "#[test]\nfn heap_and_model_agree() {\n    use slotgc_oracle::prelude::*;\n".to_string();
    test.push_str("    run(&[\n");
    for op in ops {
        writeln!(test, "        {op:?},").expect("writing to a string");
    }
    test.push_str("    ]);\n}\n");
    test
}

/// Ops inside an op, as printed by [`to_rust_test`].
pub fn block(ops: &[Op]) -> Block {
    Block(ops.to_vec())
}
