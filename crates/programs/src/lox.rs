//! A small language with closures and classes: scanner, compiler, and a machine for its bytecode.

pub(crate) mod benchmarks;
mod code;
mod compiler;
mod machine;
mod memory;
mod on_gc_arena;
mod on_indices;
mod on_rc;
mod on_slotgc;
mod scanner;
#[cfg(test)]
mod tests;
