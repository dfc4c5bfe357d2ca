//! Instructions of slotgc's hot paths.
//!
//! ```text
//! cargo run --release -p slotgc-counts                       a table
//! cargo run --release -p slotgc-counts -- --check FILE       fails if one is 2 % above that in the file
//! cargo run --release -p slotgc-counts -- --same FILE        fails if one differs by a tenth
//! cargo run --release -p slotgc-counts -- --write FILE       writes such a file
//! ```
//!
//! Times are noisy where others use the machine; instructions are not: valgrind counts the same number twice.
//! They say nothing of cache misses, which `slotgc-versus` is for. The counts on record are in
//! `crates/counts/counts.txt`, for the compiler of `rust-toolchain.toml` on x86-64.
//!
//! Also checked: the machine code of `get` has no call and no division.

mod assembly;
mod callgrind;
mod works;

use std::fs;
use std::process::ExitCode;

use works::{GET, WORKS, Work};

/// An increase over the record by more than this is a failure.
const TOLERANCE: f64 = 0.02;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        ["--run", name, rounds] => run(name, rounds),
        [] => table(None, Compare::Check),
        ["--check", file] => table(Some(file), Compare::Check),
        ["--same", file] => table(Some(file), Compare::Same),
        ["--write", file] => write(file),
        _ => Err("arguments: none, or --check FILE, --same FILE, --write FILE".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// How a count is compared with the one on record.
#[derive(Clone, Copy)]
enum Compare {
    Check,
    Same,
}

/// In a child under valgrind.
fn run(name: &str, rounds: &str) -> Result<(), String> {
    let work = WORKS.iter().find(|work| work.name == name).ok_or(format!("no work {name:?}"))?;
    let rounds = rounds.parse().map_err(|error| format!("{rounds:?}: {error}"))?;
    (work.run)(rounds);
    Ok(())
}

/// Counts everything, two works at a time.
fn counts() -> Result<Vec<(&'static Work, f64)>, String> {
    let half = |first: usize| {
        WORKS.iter().skip(first).step_by(2).map(|work| Ok((work, callgrind::count(work)?))).collect()
    };
    let (even, odd) = std::thread::scope(|scope| {
        let even = scope.spawn(|| half(0));
        let odd: Result<Vec<_>, String> = half(1);
        (even.join().expect("counting does not panic"), odd)
    });
    let mut counts: Vec<_> = even?.into_iter().chain(odd?).collect();
    counts.sort_by_key(|(work, _)| WORKS.iter().position(|other| other.name == work.name));
    Ok(counts)
}

fn table(file: Option<&str>, compare: Compare) -> Result<(), String> {
    look_at_get()?;
    let record = match file {
        Some(file) => read(file)?,
        None => Vec::new(),
    };
    let mut worse = Vec::new();
    println!("{:<42} {:>8} {:>12} {:>12}", "work", "for each", "instructions", "on record");
    for (work, count) in counts()? {
        let recorded = record.iter().find(|(name, _)| name == work.name).map(|(_, count)| *count);
        let shown = recorded.map_or(String::from("-"), |count| format!("{count:.2}"));
        println!("{:<42} {:>8} {count:>12.2} {shown:>12}", work.name, work.unit);
        let is_worse = match (recorded, compare) {
            (None, _) => file.is_some(),
            (Some(recorded), Compare::Check) => count > recorded * (1.0 + TOLERANCE),
            (Some(recorded), Compare::Same) => !work.is_whole && (count - recorded).abs() >= 0.1,
        };
        if is_worse {
            worse.push(work.name);
        }
    }
    match worse[..] {
        [] => Ok(()),
        _ => Err(format!("not as on record: {}", worse.join("; "))),
    }
}

fn look_at_get() -> Result<(), String> {
    let instructions = assembly::of(GET)?;
    let slow = assembly::slow(&instructions);
    println!(
        "get: {} instructions in its machine code, {} calls and divisions\n",
        instructions.len(),
        slow.len()
    );
    match slow[..] {
        [] => Ok(()),
        _ => Err(format!("the machine code of `get`:\n{}", instructions.join("\n"))),
    }
}

fn read(file: &str) -> Result<Vec<(String, f64)>, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (count, name) = line.trim().split_once(' ').ok_or(format!("{file}: {line:?}"))?;
            let count = count.parse().map_err(|error| format!("{file}: {line:?}: {error}"))?;
            Ok((name.trim().to_string(), count))
        })
        .collect()
}

fn write(file: &str) -> Result<(), String> {
    let mut text = String::from(
        "# Instructions of one operation each, by valgrind on x86-64; see `crates/counts/src/main.rs`.\n\
         # cargo run --release -p slotgc-counts -- --write crates/counts/counts.txt\n",
    );
    for (work, count) in counts()? {
        text.push_str(&format!("{count:>10.2} {}\n", work.name));
    }
    fs::write(file, text).map_err(|error| format!("{file}: {error}"))
}
