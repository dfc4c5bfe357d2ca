//! Altered copies of a database, for comparing with apt-get in more situations than one machine offers: other
//! packages marked as automatic, some on hold, with and without `Recommends` and `Suggests`.
//!
//! The same number always makes the same copy of the same database.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::apt::{self, Answer};
use crate::database::{Database, Files, read_text};
use crate::rules::Rules;

pub(crate) struct Trial {
    pub(crate) automatic: usize,
    pub(crate) held: usize,
    pub(crate) recommends: bool,
    pub(crate) suggests: bool,
    pub(crate) answer: Answer,
}

/// Makes the altered copy with this number in a directory of its own, and compares.
pub(crate) fn run(
    number: u64,
    files: &Files,
    rules: &mut Rules,
) -> Result<Trial, Box<dyn std::error::Error>> {
    let directory = Directory::new()?;
    let mut random = Random(number);
    // The first trial is the extreme one: only what is essential has a reason to be there.
    let automatic_percent = if number == 0 { 100 } else { random.below(101) };
    let held_percent = if number == 0 { 0 } else { random.below(4) };
    (rules.follow_recommends, rules.follow_suggests) = (number % 4 < 2, number % 2 == 1);

    let altered = Files {
        status: directory.path.join("status"),
        extended_states: directory.path.join("extended_states"),
    };
    let (status, held) = with_holds(&read_text(&files.status)?, || random.below(100) < held_percent);
    fs::write(&altered.status, &status)?;
    let mut database = Database::parse(&status, &altered.status)?;
    for package in &mut database.packages {
        package.automatic = random.below(100) < automatic_percent;
    }
    fs::write(&altered.extended_states, database.extended_states())?;

    // Read back, so that these very files are compared.
    let database = Database::read(&altered)?;
    let automatic = database.packages.iter().filter(|p| p.automatic).count();
    let answer = apt::compare(&altered, &database, rules);
    Ok(Trial {
        automatic,
        held,
        recommends: rules.follow_recommends,
        suggests: rules.follow_suggests,
        answer,
    })
}

/// A status file with some packages on hold, and how many were put on hold.
fn with_holds(status: &str, mut chosen: impl FnMut() -> bool) -> (String, usize) {
    let (mut text, mut held) = (String::with_capacity(status.len()), 0);
    for line in status.split_inclusive('\n') {
        match line.strip_prefix("Status: install ") {
            Some(rest) if chosen() => {
                text.extend(["Status: hold ", rest]);
                held += 1;
            }
            _ => text.push_str(line),
        }
    }
    (text, held)
}

/// A directory that is removed when the value is dropped.
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(crate) fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("slotgc-autoremove-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Nothing is lost if it stays: it is in the directory for temporary files.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}
