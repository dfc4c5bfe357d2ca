//! The machine: pins the process to one core, gives it a large stack, and describes the machine.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Tells the program that its stack has been grown.
const STACK_IS_GROWN: &str = "SLOTGC_VERSUS_STACK_IS_GROWN";

/// What the stack may grow to: some peers recurse a million objects deep.
const STACK_BYTES: u64 = 4 << 30;

/// Starts this program again with a limit of 4 GiB on its stack: the kernel lays out memory by the limit at
/// the start. Returns if that has been done or cannot be.
pub(crate) fn grow_stack() {
    if std::env::var_os(STACK_IS_GROWN).is_some() {
        return;
    }
    let limit = getrlimit(Resource::Stack);
    let bytes = limit.maximum.map_or(STACK_BYTES, |most| most.min(STACK_BYTES));
    if setrlimit(Resource::Stack, Rlimit { current: Some(bytes), maximum: limit.maximum }).is_err() {
        eprintln!("the stack stays at {:?} bytes: peers that recurse may overflow it", limit.current);
        return;
    }
    let program = std::env::current_exe().expect("a path of this program");
    let error = Command::new(program).args(std::env::args_os().skip(1)).env(STACK_IS_GROWN, "1").exec();
    eprintln!("cannot start again on a larger stack: {error}");
}

/// Binds this process to one core and says to which: the one asked for, or else the last allowed.
pub(crate) fn pin(core: Option<usize>) -> Option<usize> {
    let allowed = sched_getaffinity(None).ok()?;
    let core = core.or_else(|| (0..CpuSet::MAX_CPU).rev().find(|core| allowed.is_set(*core)))?;
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).ok().map(|()| core)
}

/// Processor, cores, huge pages, kernel.
pub(crate) fn describe() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name| {
        let line = cpuinfo.lines().find(|line| line.split(':').next().map(str::trim) == Some(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let numbers = [field("cpu family"), field("model")].map(|text| text.unwrap_or_else(|| "?".to_owned()));
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = first_line("/proc/sys/kernel/osrelease");
    let huge = first_line("/sys/kernel/mm/transparent_hugepage/enabled");
    let huge = huge.split(['[', ']']).nth(1).unwrap_or("none");
    // Decides whether the C allocator's memory is on huge pages.
    let tunables = std::env::var("GLIBC_TUNABLES").map(|text| format!(", GLIBC_TUNABLES={text}"));
    let tunables = tunables.unwrap_or_default();
    let [family, number] = numbers;
    format!(
        "{model} (family {family} model {number}), {cores} cores, transparent huge pages: {huge}, Linux {kernel}{tunables}"
    )
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or("?").to_owned()
}

/// The versions in the lock file with which this program was built.
pub(crate) fn versions() -> String {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    const NAMES: [&str; 11] = [
        "slotgc",
        "slotmap",
        "thunderdome",
        "gc-arena",
        "safe-gc",
        "boa_gc",
        "gc",
        "dumpster",
        "rust-cc",
        "weak-table",
        "hashbrown",
    ];
    let version = |name: &str| {
        let package = format!("name = \"{name}\"\nversion = \"");
        // Where there are several versions the last is the newest, which is the one that this program names.
        let start = LOCK.rfind(&package)? + package.len();
        LOCK[start..].split('"').next()
    };
    let versions: Vec<_> =
        NAMES.iter().map(|name| format!("{name} {}", version(name).unwrap_or("?"))).collect();
    versions.join(", ")
}

/// Bytes of this process that are in memory.
pub(crate) fn resident_bytes() -> usize {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").expect("the kernel tells what is in memory");
    let line = rollup.lines().find(|line| line.starts_with("Rss:")).expect("a line for resident memory");
    let kib: usize = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
    kib * 1024
}
