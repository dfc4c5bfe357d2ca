//! Which installed Debian packages are not needed any more? The question that `apt-get autoremove` answers is
//! one for a garbage collector: packages are objects, what they need are references, and what the user asked
//! for is the root set.
//!
//! ```text
//! cargo run --release --example autoremove                  # the database of this machine
//! cargo run --release --example autoremove -- --why perl    # what keeps a package
//! cargo run --release --example autoremove -- --check       # and what does apt-get say?
//! ```
//!
//! Real dependencies have cycles, so reference counting would not suffice. How the packages become objects is
//! in `graph.rs`; `database.rs` reads the files, and `rules.rs` and `resolve.rs` know what apt counts as a
//! need. Nothing is ever removed or changed.

mod apt;
mod arguments;
mod control;
mod database;
mod graph;
mod paths;
mod pattern;
mod relation;
mod report;
mod resolve;
mod rules;
mod trials;
mod version;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crate::apt::Answer;
use crate::arguments::{Arguments, HELP};
use crate::database::{Database, Files};
use crate::graph::Graph;
use crate::report::Times;
use crate::resolve::Offers;
use crate::rules::Rules;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("autoremove: {why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("autoremove: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let files = arguments.files.clone().unwrap_or_else(files_of_this_machine);
    let started = Instant::now();
    let mut database = Database::read(&files)?;
    let read = started.elapsed();
    for name in &arguments.without {
        let index = database.find(name).ok_or_else(|| not_installed(name, &files))?;
        database.packages[index].automatic = true;
    }
    let mut rules = Rules::of_this_machine(&database.native);

    if let Some(name) = &arguments.why {
        let index = database.find(name).ok_or_else(|| not_installed(name, &files))?;
        let (graph, _) = graph::removable(&database, &rules);
        report::print_chain(name, paths::chain(&graph, graph.packages[index]));
        return Ok(ExitCode::SUCCESS);
    }

    let started = Instant::now();
    let offers = Offers::of(&database, &rules);
    let edges = offers.edges();
    let reasons = graph::reasons(&database, &rules, &offers);
    let mut graph = Graph::build(&database, &edges, &reasons);
    let times = Times { read, build: started.elapsed() };

    let cycles = paths::cycles(&graph);
    report::print_graph(&files, &database, &rules, &graph, &cycles, &times);
    let stats = graph.heap.collect();
    report::print_collection(&graph, &stats, &cycles);
    let dead = graph.dead();
    if dead.is_empty() {
        report::print_holders(&database, &graph::holders(&database, &rules, &offers, &edges));
    } else {
        report::print_dead(&database, &dead, arguments.all);
    }

    let mut code = ExitCode::SUCCESS;
    if arguments.check {
        println!();
        let checked = files_to_check(&files, &database, arguments)?;
        if !report::print_answer(&apt::compare(&checked.files, &database, &rules)) {
            code = ExitCode::FAILURE;
        }
    }
    for number in 0..arguments.trials {
        let trial = trials::run(number, &files, &mut rules)?;
        if !report::print_trial(number, &trial) {
            code = ExitCode::FAILURE;
        }
        if matches!(trial.answer, Answer::NotHere) {
            break;
        }
    }
    Ok(code)
}

fn not_installed(name: &str, files: &Files) -> String {
    format!("{name} is not installed, says {}", files.status.display())
}

/// dpkg's and apt's own files, or the sample where there is no dpkg.
fn files_of_this_machine() -> Files {
    let files = Files {
        status: "/var/lib/dpkg/status".into(),
        extended_states: "/var/lib/apt/extended_states".into(),
    };
    if files.status.exists() || files.extended_states.exists() {
        return files;
    }
    println!("There is no dpkg on this machine: this is the sample from examples/data.\n");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    Files { status: sample.join("status"), extended_states: sample.join("extended_states") }
}

struct Checked {
    files: Files,
    /// Removed when the check is over.
    _directory: Option<trials::Directory>,
}

/// The files that say what `database` says: those it was read from, unless `--without` has changed it.
fn files_to_check(
    files: &Files,
    database: &Database,
    arguments: &Arguments,
) -> Result<Checked, Box<dyn Error>> {
    if arguments.without.is_empty() {
        return Ok(Checked { files: files.clone(), _directory: None });
    }
    let directory = trials::Directory::new()?;
    let extended_states: PathBuf = directory.path().join("extended_states");
    fs::write(&extended_states, database.extended_states())?;
    let files = Files { status: files.status.clone(), extended_states };
    Ok(Checked { files, _directory: Some(directory) })
}
