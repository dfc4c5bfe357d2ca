//! Runs programs without a fuzzer: random ones for some time, or those in files. A failing program is shrunk.
//!
//! ```text
//! slotgc-oracle soak SECONDS [BYTES] [SEED]   random programs of BYTES bytes (2000), from SEED on (0)
//! slotgc-oracle replay FILE...                the programs in these files (a fuzzer's artifacts or corpus)
//! slotgc-oracle replay-weak FILE...           as the target `weak_map` reads them
//! slotgc-oracle soak-steps SECONDS [BYTES] [SEED]   as `soak`, stepped programs
//! slotgc-oracle seed|seed-steps SEED [BYTES]  one program of a soak, again
//! slotgc-oracle shapes                        programs that are seldom made by chance, all of them
//! slotgc-oracle replay-steps FILE...          as the target `steps` reads them
//! slotgc-oracle seeds DIRECTORY               writes seeds for the targets into directories of their names
//! ```

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use slotgc_oracle::stepped::{
    self, Program as Stepped, check_stepped, program_from_bytes, random_stepped, shrink_stepped,
};
use slotgc_oracle::{Op, Report, check, from_bytes, random_bytes, random_program, shrink, weak_from_bytes};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, default: u64| {
        arguments.get(place).map_or(default, |text| text.parse().expect("a number"))
    };
    let fine = match arguments.first().map(String::as_str) {
        Some("soak") => soak(Duration::from_secs(number(1, 10)), number(2, 2000) as usize, number(3, 0)),
        Some("soak-steps") => {
            soak_steps(Duration::from_secs(number(1, 10)), number(2, 1500) as usize, number(3, 0))
        }
        Some("seed") if arguments.len() > 1 => {
            let seed = number(1, 0);
            let program = random_program(seed, number(2, 2000) as usize);
            let report = try_program(&format!("seed {seed}"), program, true);
            report.is_some_and(|report| shown(&report))
        }
        Some("seed-steps") if arguments.len() > 1 => {
            let seed = number(1, 0);
            let program = random_stepped(seed, number(2, 1500) as usize);
            try_stepped(&format!("seed {seed}"), &program).is_some_and(|report| shown(&report))
        }
        Some("shapes") => shapes(),
        Some("replay-steps") => arguments[1..].iter().all(|path| replay_steps(path)),
        Some("replay") => arguments[1..].iter().all(|path| replay(path, from_bytes)),
        Some("replay-weak") => arguments[1..].iter().all(|path| replay(path, weak_from_bytes)),
        Some("seeds") if arguments.len() == 2 => seeds(Path::new(&arguments[1])),
        _ => {
            eprintln!(
                "usage: slotgc-oracle soak|soak-steps SECONDS [BYTES] [SEED] | seed|seed-steps SEED [BYTES] | shapes | replay|replay-weak|replay-steps FILE... | seeds DIRECTORY"
            );
            false
        }
    };
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints what a program did.
fn shown(report: &dyn std::fmt::Debug) -> bool {
    println!("{report:?}");
    true
}

/// Random programs until the time is up.
fn soak(time: Duration, bytes: usize, first_seed: u64) -> bool {
    let start = Instant::now();
    let mut total = Report::default();
    let mut programs = 0;
    while start.elapsed() < time {
        let seed = first_seed + programs;
        let ops = random_program(seed, bytes);
        let Some(report) = try_program(&format!("seed {seed}"), ops, seed % 8 == 0) else { return false };
        total.ops += report.ops;
        total.objects += report.objects;
        total.collections += report.collections;
        total.freed += report.freed;
        total.pruned += report.pruned;
        total.told += report.told;
        programs += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    let Report { ops, objects, collections, freed, pruned, told, .. } = total;
    println!("{programs} programs of {bytes} bytes, {ops} ops, {objects} objects, {collections} collections");
    println!("{freed} freed, {pruned} entries pruned, {told} deaths reported");
    println!("{:.0} ops/s", ops as f64 / seconds);
    true
}

/// How bytes become a program.
type Program = fn(&[u8]) -> Vec<Op>;

fn replay(path: &str, program: Program) -> bool {
    match std::fs::read(path) {
        Ok(bytes) => try_program(path, program(&bytes), true).is_some(),
        Err(error) => {
            eprintln!("{path}: {error}");
            false
        }
    }
}

/// Programs that free, prune and notify much, as seeds for fuzzers: of many random ones, those with the most
/// completed collections.
fn seeds(directory: &Path) -> bool {
    const TRIED: u64 = 400;
    const KEPT: usize = 6;
    const LEN: usize = 512;
    let targets: [(&str, Program); 2] = [("heap_ops", from_bytes), ("weak_map", weak_from_bytes)];
    for (target, program) in targets {
        let mut tried: Vec<_> = (0..TRIED)
            .map(|seed| {
                let bytes = random_bytes(seed, LEN);
                let report = check(&program(&bytes)).unwrap_or_default();
                ((report.collections, report.freed), bytes)
            })
            .collect();
        tried.sort_by(|(a, _), (b, _)| b.cmp(a));
        let directory = directory.join(target);
        let made = std::fs::create_dir_all(&directory);
        let written = tried.iter().take(KEPT).enumerate().try_for_each(|(number, (_, bytes))| {
            std::fs::write(directory.join(format!("{number}.bin")), bytes)
        });
        if let Err(error) = made.and(written) {
            eprintln!("{}: {error}", directory.display());
            return false;
        }
    }
    true
}

/// Random stepped programs until the time is up.
fn soak_steps(time: Duration, bytes: usize, first_seed: u64) -> bool {
    let start = Instant::now();
    let mut total = stepped::Report::default();
    let mut programs = 0;
    while start.elapsed() < time {
        let seed = first_seed + programs;
        let program = random_stepped(seed, bytes);
        let Some(report) = try_stepped(&format!("seed {seed}"), &program) else { return false };
        if seed % 8 == 0 && !is_same(&program, report, check_stepped(&program)) {
            eprintln!("seed {seed}: two runs differ");
            return false;
        }
        total = total.and(&report);
        programs += 1;
    }
    println!("{programs} stepped programs of {bytes} bytes: {total:?}");
    println!("{:.0} ops/s", total.ops as f64 / start.elapsed().as_secs_f64());
    true
}

/// Whether a second run did the same. How long a phase takes depends on the threads' timing where two of them
/// mark at once; what becomes of the objects does not.
fn is_same(program: &Stepped, first: stepped::Report, second: Result<stepped::Report, String>) -> bool {
    let is_timed = program.ops.iter().any(|op| matches!(op, stepped::Op::Help { alone: false, .. }));
    let known = |report: stepped::Report| {
        if is_timed { stepped::Report { at: Default::default(), ..report } } else { report }
    };
    second.is_ok_and(|second| known(second) == known(first))
}

fn shapes() -> bool {
    for (number, ops) in slotgc_oracle::ops::shapes().into_iter().enumerate() {
        if try_program(&format!("shape {number} of two heaps"), ops, true).is_none() {
            return false;
        }
    }
    let programs = stepped::shapes();
    let mut total = stepped::Report::default();
    for (number, program) in programs.iter().enumerate() {
        let Some(report) = try_stepped(&format!("shape {number}"), program) else { return false };
        total = total.and(&report);
    }
    println!("{} stepped programs: {total:?}", programs.len());
    true
}

fn replay_steps(path: &str) -> bool {
    match std::fs::read(path) {
        Ok(bytes) => try_stepped(path, &program_from_bytes(&bytes)).is_some(),
        Err(error) => {
            eprintln!("{path}: {error}");
            false
        }
    }
}

/// Runs a stepped program. A failing one is shrunk and printed.
fn try_stepped(name: &str, program: &Stepped) -> Option<stepped::Report> {
    let failure = match check_stepped(program) {
        Ok(report) => return Some(report),
        Err(failure) => failure,
    };
    eprintln!("{name}, of {} ops: {}", program.ops.len(), failure.lines().next().unwrap_or_default());
    // The same difference, judging by its first words.
    let words = |failure: &str| -> Vec<String> {
        let text = failure.split_once("}: ").or(failure.split_once(": ")).map_or("", |(_, text)| text);
        text.split_whitespace()
            .take(9)
            .map(ToString::to_string)
            .filter(|word| !word.contains(char::is_numeric))
            .collect()
    };
    let wanted = words(&failure);
    let short = shrink_stepped(program, &mut |program| {
        check_stepped(program).is_err_and(|failure| words(&failure) == wanted)
    });
    if let Err(failure) = check_stepped(&short) {
        eprintln!("shortened:\n{failure}");
    }
    None
}

/// Runs a program, twice if it is to be `repeated`: the second run must do the same. A failing one is made
/// short and printed.
fn try_program(name: &str, ops: Vec<Op>, repeated: bool) -> Option<Report> {
    let failure = match check(&ops) {
        Ok(report) => {
            let again = if repeated { check(&ops) } else { Ok(report) };
            if again.as_ref() == Ok(&report) {
                return Some(report);
            }
            eprintln!("{name}: two runs differ: {report:?}, {again:?}");
            return None;
        }
        Err(failure) => failure,
    };
    eprintln!("{name}, op {} of {}: {}", failure.at, ops.len(), failure.what);
    let short = shrink(ops, &mut |ops| check(ops).is_err());
    if let Err(failure) = check(&short) {
        eprintln!("shortened:\n{failure}");
    }
    None
}
