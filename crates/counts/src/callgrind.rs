//! Counting the instructions of a child process.

use std::env;
use std::process::Command;

use crate::works::Work;

/// Instructions of one unit of a work: what `MORE` rounds take beyond one, so that start and preparation do
/// not count.
pub(crate) fn count(work: &Work) -> Result<f64, String> {
    const MORE: usize = 3;
    let (one, more) = (total(work, 1)?, total(work, MORE)?);
    Ok((more as f64 - one as f64) / ((MORE - 1) * work.units) as f64)
}

fn total(work: &Work, rounds: usize) -> Result<u64, String> {
    let program = env::current_exe().map_err(|error| format!("this program's path: {error}"))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["--run", work.name, &rounds.to_string()])
        // What the C library and the loader do depends on them.
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)))
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected : "));
    match collected.and_then(|(_, count)| count.trim().parse().ok()) {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(format!("valgrind of {:?}: {}\n{text}", work.name, output.status)),
    }
}
