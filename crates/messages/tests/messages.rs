//! Programs in `ui` that must not compile, with the compiler's messages beside them, and some that must.

#![cfg(not(slotgc_plain))]

/// The compiler whose messages are recorded.
const RECORDED: &str = "rustc 1.95.";

/// With another compiler, only what must compile is tried: the wording of messages changes over time.
#[test]
#[cfg_attr(miri, ignore = "starts the compiler")]
fn compile_errors_are_clear() {
    let compiler = std::process::Command::new("rustc").arg("--version").output().expect("a compiler");
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    if compiler.stdout.starts_with(RECORDED.as_bytes()) {
        cases.compile_fail("ui/*.rs");
    }
}
