//! Tests only: see `tests/messages.rs`.
