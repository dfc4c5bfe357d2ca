//! Tests that need a process of their own: those that would abort if they failed, and those that compare two
//! processes.

use std::process::{Command, Output};

const VARIABLE: &str = "SLOTGC_TEST_IN_CHILD";

/// The program that runs binaries of another platform, if one is needed: an emulator.
const RUNNER: &str = "SLOTGC_TEST_RUNNER";

/// In the test process: starts a child that runs only this test, and returns its output. In the child: runs
/// `body` and returns `None`.
#[track_caller]
pub(crate) fn run(test: &str, body: impl FnOnce()) -> Option<Output> {
    if std::env::var_os(VARIABLE).is_some_and(|name| name == test) {
        body();
        return None;
    }
    let test_binary = std::env::current_exe().expect("a test binary has a path");
    let mut command = match std::env::var_os(RUNNER) {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(test_binary);
            command
        }
        None => Command::new(test_binary),
    };
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(VARIABLE, test);
    // Payloads that panic when they are dropped are leaked on purpose, here and in the crate.
    command.env("ASAN_OPTIONS", "detect_leaks=0");
    let output = command.output().expect("a test binary can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "`{test}` is not the name of a test");
    Some(output)
}

/// Asserts that `body` neither panics nor aborts its process.
#[track_caller]
pub(crate) fn survives(test: &str, body: impl FnOnce()) {
    if let Some(output) = run(test, body) {
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the child ended with {}:\n{text}", output.status);
    }
}
