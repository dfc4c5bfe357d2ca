//! The machine: pins the process to one core, gives it a large stack, and describes the machine.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Tells the restarted program that its stack has been grown.
const STACK_IS_GROWN: &str = "SLOTGC_VERSUS_STACK_IS_GROWN";

/// How large the stack may grow: some peers recurse a million objects deep.
const STACK_BYTES: u64 = 4 << 30;

/// Starts this program again with a limit of 4 GiB on its stack: the kernel lays out memory by the limit at
/// the program's start. Returns if that has been done or cannot be.
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

/// The cores that this process could use before it was bound to one.
static ALLOWED: OnceLock<Option<CpuSet>> = OnceLock::new();

fn allowed() -> Option<CpuSet> {
    *ALLOWED.get_or_init(|| sched_getaffinity(None).ok())
}

/// While it lives, this thread and those that it starts may use all cores that the process was given.
#[derive(Debug)]
pub(crate) struct AllCores {
    before: Option<CpuSet>,
}

impl AllCores {
    /// How many there are.
    pub(crate) fn count() -> usize {
        allowed().map_or(1, |cores| cores.count() as usize)
    }

    /// Lifts the pin.
    pub(crate) fn use_all() -> Self {
        let before = sched_getaffinity(None).ok();
        if let Some(cores) = allowed() {
            let _ = sched_setaffinity(None, &cores);
        }
        Self { before }
    }
}

impl Drop for AllCores {
    fn drop(&mut self) {
        if let Some(cores) = &self.before {
            let _ = sched_setaffinity(None, cores);
        }
    }
}

/// Binds this process to one core and returns which: the one asked for, or else the last allowed.
pub(crate) fn pin(core: Option<usize>) -> Option<usize> {
    let allowed = allowed()?;
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
    // These decide whether the C allocator's memory is on huge pages.
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

/// Today's date, such as `2026-11-25`, in UTC.
pub(crate) fn date() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    date_of(seconds / 86_400)
}

/// Howard Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so that a leap day is
/// the last day of one, and 400 years are a whole number of days.
fn date_of(days_since_1970: u64) -> String {
    let days = days_since_1970 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

/// The program's arguments, as on a command line.
pub(crate) fn arguments() -> String {
    std::env::args().skip(1).collect::<Vec<_>>().join(" ")
}

/// Bytes that new objects may take before the system has to swap.
pub(crate) fn available_bytes() -> usize {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo.lines().find(|line| line.starts_with("MemAvailable:")).unwrap_or_default();
    let kib: Option<usize> = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok());
    kib.map_or(0, |kib| kib * 1024)
}

/// Bytes of this process that are in memory.
pub(crate) fn resident_bytes() -> usize {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").expect("the kernel reports what is in memory");
    let line = rollup.lines().find(|line| line.starts_with("Rss:")).expect("a line for resident memory");
    let kib: usize = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
    kib * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_about_leap_days() {
        let dates = [0, 59, 11_016, 11_017, 19_782, 19_783, 20_786].map(date_of);
        let expected = [
            "1970-01-01",
            "1970-03-01",
            "2000-02-29",
            "2000-03-01",
            "2024-02-29",
            "2024-03-01",
            "2026-11-29",
        ];
        assert_eq!(dates, expected);
    }
}
