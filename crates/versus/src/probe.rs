//! Which peers overflow a stack of the usual size: tried in child processes, since an overflow ends the
//! process.

use std::process::{Command, ExitCode, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::options::Options;
use crate::shape::Inputs;
use crate::work::{Absent, Note, OnOverflow, Work, size_name};
use crate::works;

/// What a main thread has, usually.
const STACK_MIB: usize = 8;

/// What the child prints when only the teardown is left.
const WORK_IS_DONE: &str = "the work is done";

static IN_CHILD: AtomicBool = AtomicBool::new(false);

/// The outcome of a case on a stack of the usual size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Runs,
    /// The work was done; dropping its objects overflowed the stack.
    OverflowsInDrop,
    Overflows,
}

/// Cases that may recurse call this between the work and dropping its objects.
pub(crate) fn work_is_done() {
    // Relaxed: set before the thread that runs the case was started.
    if IN_CHILD.load(Ordering::Relaxed) {
        println!("{WORK_IS_DONE}");
    }
}

/// The child: runs one case on a thread with such a stack.
pub(crate) fn child(work: &str, peer: &str, objects: usize) -> ExitCode {
    let (work, peer) = (work.to_owned(), peer.to_owned());
    // Relaxed: starting a thread orders what came before.
    IN_CHILD.store(true, Ordering::Relaxed);
    let run = move || {
        let works = works::all(&Rc::new(Inputs::new(objects)));
        let work = works.into_iter().find(|known| known.name == work).expect("a work's name");
        let case = work.cases.into_iter().find(|case| case.peer == peer).expect("a peer's name");
        (case.run)();
    };
    let thread = thread::Builder::new().stack_size(STACK_MIB << 20).spawn(run).expect("a thread");
    match thread.join() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Tries all cases that may recurse as deep as a graph is, and notes or leaves out those that cannot do it.
pub(crate) fn check_stacks(works: &mut [Work], options: &Options) {
    for work in works.iter_mut().filter(|work| work.on_overflow != OnOverflow::Never) {
        let peers: Vec<_> = work.cases.iter().map(|case| case.peer).collect();
        for peer in peers.into_iter().filter(|peer| !peer.starts_with("limit:")) {
            let outcome = try_out(&work.name, peer, options.objects);
            if outcome == Outcome::Runs {
                continue;
            }
            let from = size_name(same_outcome_from(&work.name, peer, outcome, options.objects));
            let found = match outcome {
                Outcome::Overflows => format!("overflows an {STACK_MIB} MiB stack with {from} objects"),
                _ => format!("overflows an {STACK_MIB} MiB stack when a graph of {from} objects is dropped"),
            };
            if outcome == Outcome::Overflows && work.on_overflow == OnOverflow::LeaveOut && !options.deep {
                work.cases.retain(|case| case.peer != peer);
                work.absent.push(Absent { peer, reason: found });
            } else {
                work.notes
                    .push(Note { peers: vec![peer], text: format!("{found}; measured on one of 4 GiB") });
            }
        }
    }
}

/// The smallest power of ten below `objects` with this outcome; `objects` if there is none.
fn same_outcome_from(work: &str, peer: &str, outcome: Outcome, objects: usize) -> usize {
    let powers = (3..).map(|power| 10_usize.pow(power)).take_while(|count| *count < objects);
    powers.into_iter().find(|count| try_out(work, peer, *count) == outcome).unwrap_or(objects)
}

fn try_out(work: &str, peer: &str, objects: usize) -> Outcome {
    let program = std::env::current_exe().expect("a path of this program");
    let output = Command::new(program)
        .args(["--objects", &objects.to_string(), "--child", "stack", work, peer])
        .stderr(Stdio::null())
        .output()
        .expect("a child process");
    if output.status.success() {
        Outcome::Runs
    } else if String::from_utf8_lossy(&output.stdout).contains(WORK_IS_DONE) {
        Outcome::OverflowsInDrop
    } else {
        Outcome::Overflows
    }
}
