//! Tests only: see `tests/clashes.rs`.
