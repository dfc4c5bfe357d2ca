//! What Debian's C library for WASI lacks of what std calls, see `ci/platforms wasip1`: the tag of a panic's
//! exception, and functions of threads, which WASI does not have. 58 is the error "not supported".
//!
//! In assembly, without any library: there is no C compiler, and the Rust library is not built yet.
#![allow(internal_features)]
#![feature(asm_experimental_arch, decl_macro, no_core, rustc_attrs)]
#![no_core]
#![crate_type = "lib"]

#[rustc_builtin_macro]
macro global_asm() {}

global_asm!(
    ".globl __cpp_exception",
    ".tagtype __cpp_exception i32",
    "__cpp_exception:",
    ".globl pthread_create",
    "pthread_create:",
    ".functype pthread_create (i32, i32, i32, i32) -> (i32)",
    "i32.const 58",
    "end_function",
    ".globl pthread_join",
    "pthread_join:",
    ".functype pthread_join (i32, i32) -> (i32)",
    "i32.const 58",
    "end_function",
    ".globl pthread_detach",
    "pthread_detach:",
    ".functype pthread_detach (i32) -> (i32)",
    "i32.const 58",
    "end_function",
    ".globl pthread_attr_init",
    "pthread_attr_init:",
    ".functype pthread_attr_init (i32) -> (i32)",
    "i32.const 0",
    "end_function",
    ".globl pthread_attr_destroy",
    "pthread_attr_destroy:",
    ".functype pthread_attr_destroy (i32) -> (i32)",
    "i32.const 0",
    "end_function",
    ".globl pthread_attr_setstacksize",
    "pthread_attr_setstacksize:",
    ".functype pthread_attr_setstacksize (i32, i32) -> (i32)",
    "i32.const 0",
    "end_function",
);
