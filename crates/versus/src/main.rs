//! slotgc and its peers on the same work, in one interleaved run on one core. See README.md.
//!
//! Reading order: [`shape`] makes the inputs, [`work`] says what a question is, [`needs`] what it takes to
//! answer one; [`peers`] and [`limits`] answer, [`works`] measures them and checks the answers, [`harness`]
//! runs rounds, [`report`] prints.

mod clock;
mod distribution;
mod harness;
mod limits;
mod machine;
mod malloc;
mod needs;
mod options;
mod peers;
mod probe;
mod report;
mod shape;
mod work;
mod works;

use std::process::ExitCode;
use std::rc::Rc;

use harness::Measured;
use needs::memory::Contents;
use options::{Child, Options};
use shape::Inputs;
use work::Work;

fn main() -> ExitCode {
    let mut options = match Options::from_args(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}\n\n{}", options::USAGE);
            return ExitCode::FAILURE;
        }
    };
    if options.readme {
        report::readme::restrict(&mut options);
    }
    match &options.child {
        Some(Child::Memory { peer, contents }) => {
            println!("{}", works::memory::child(peer, contents, options.objects));
            ExitCode::SUCCESS
        }
        Some(Child::Stack { work, peer }) => probe::child(work, peer, options.objects),
        Some(Child::Ratios) => {
            set_up(&options);
            let results = harness::run(selected(&options), &options);
            report::readme::print_ratios(&results, options.objects);
            ExitCode::SUCCESS
        }
        None if options.list => {
            list(&selected(&options));
            ExitCode::SUCCESS
        }
        None => run(&options),
    }
}

/// The works that the command line asks for, with the peers that it asks for.
fn selected(options: &Options) -> Vec<Work> {
    let inputs = Rc::new(Inputs::new(options.objects));
    let mut works = works::all(&inputs);
    if options.scale {
        works.extend(works::scale::works(&inputs));
    }
    works.retain(|work| options.wants_work(&work.name));
    for work in &mut works {
        work.cases.retain(|case| options.wants_peer(case.peer));
        work.targets.retain(|_| options.has_targets());
        work.absent.retain(|absent| options.wants_peer(absent.peer));
        work.notes.iter_mut().for_each(|note| note.peers.retain(|peer| options.wants_peer(peer)));
    }
    works
}

fn list(works: &[Work]) {
    for work in works {
        println!("{:<30} {}", work.name, work.about);
        let peers: Vec<_> = work.cases.iter().map(|case| case.peer).collect();
        println!("{:<30} {}", "", peers.join(", "));
    }
    for (name, about, _) in works::pause::WORKS {
        println!("{name:<30} {about}");
    }
    for contents in Contents::ALL {
        println!("{:<30} {}", format!("memory/{}", contents.name()), contents.about());
    }
}

/// Prepares the process for measurements, and returns the core to which it is bound.
fn set_up(options: &Options) -> Option<usize> {
    machine::grow_stack();
    malloc::one_arena();
    machine::pin(options.core)
}

fn run(options: &Options) -> ExitCode {
    let pinned = set_up(options);
    report::heading(options, pinned);

    let mut works = selected(options);
    if options.probe {
        probe::check_stacks(&mut works, options);
    }
    let results = harness::run(works, options);
    if options.readme {
        report::readme::print(&results, options);
    } else {
        print(&results, options);
    }
    let Some(path) = &options.svg else { return ExitCode::SUCCESS };
    match report::chart::draw(path, &results, &report::method(options, pinned)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

/// All tables.
fn print(results: &[Measured], options: &Options) {
    for result in results {
        report::work(result, options);
    }
    let pauses = works::pause::measure(options);
    report::pauses(&pauses, options);
    let memory = works::memory::measure(options);
    report::memory(&memory, options);
    report::targets(results, &memory, options);
}
