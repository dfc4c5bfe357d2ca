//! The table in the project's README: a few works, each against one peer, twice. The second column comes from
//! a process in which the peers' memory is on huge pages too.

use std::process::{Command, Stdio};

use crate::harness::Measured;
use crate::machine;
use crate::options::Options;
use crate::report::{Table, ratio};
use crate::work::{OURS, size_name};

/// A line of the table.
struct Row {
    /// What is done, as a reader of the README would say it.
    what: &'static str,
    work: String,
    peer: &'static str,
}

/// Tells glibc to put its memory on huge pages.
const HUGE_PAGES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");

fn rows(objects: usize) -> Vec<Row> {
    let size = size_name(objects);
    let row = |what, work: &str, peer| Row { what, work: work.replace("{}", &size), peer };
    vec![
        row("look up by handle in random order, against slotmap", "get/random/{}", "slotmap"),
        row("the same in one call, `get_many`, against slotmap's `get`", "get/many/{}", "slotmap"),
        row("iterate over all objects, against slotmap", "iterate/{}", "slotmap"),
        row("allocate into a new heap, against slotmap", "alloc/fresh", "slotmap"),
        row("a full collection of a random graph, against gc-arena", "collect/graph", "gc-arena"),
        row("the same when a random half dies, against gc-arena", "collect/half", "gc-arena"),
        row("drop the heap, against `Rc`", "heaps/drop/{}", "rc"),
        row("look up in a weak map, against a plain hashbrown map", "weak/value-map/get", "hashbrown"),
        row("binary trees, against `Rc`", "trees", "rc"),
        row("binary trees, against slotmap freed by hand", "trees", "slotmap"),
        row("a frame of a game, against `Rc` and weak-table", "frame/median", "rc"),
        row("a frame of a game, against slotmap freed by hand", "frame/median", "slotmap"),
    ]
}

/// The peers in the picture.
const PEERS: [&str; 13] = [
    OURS,
    "slotmap",
    "slotmap-dense",
    "thunderdome",
    "gc-arena",
    "safe-gc",
    "boa_gc",
    "rc",
    "hashbrown",
    "weak-table",
    "slotgc:get",
    "limit:index",
    "limit:two-stage",
];

/// Restricts a run to what is in the table and the picture.
pub(crate) fn restrict(options: &mut Options) {
    options.only = rows(options.objects).into_iter().map(|row| row.work).collect();
    options.peers = PEERS.map(str::to_owned).to_vec();
}

/// The ratios of all rows, where they were measured.
fn ratios(works: &[Measured], objects: usize) -> Vec<Option<f64>> {
    let of = |row: &Row| works.iter().find(|work| work.name.starts_with(&row.work))?.ratio(row.peer);
    rows(objects).iter().map(of).collect()
}

/// The child: prints one line per row.
pub(crate) fn print_ratios(works: &[Measured], objects: usize) {
    for ratio in ratios(works, objects) {
        println!("{}", ratio.unwrap_or(f64::NAN));
    }
}

/// Prints the table. Starts the child for the second column.
pub(crate) fn print(works: &[Measured], options: &Options) {
    let program = std::env::current_exe().expect("a path of this program");
    let output = Command::new(program)
        .args(["--objects", &options.objects.to_string(), "--rounds", &options.rounds.to_string()])
        .args(["--readme", "--no-probe", "--child", "ratios"])
        .env(HUGE_PAGES.0, HUGE_PAGES.1)
        .stderr(Stdio::inherit())
        .output()
        .expect("a child process");
    assert!(output.status.success(), "the run with huge pages failed");
    let text = String::from_utf8_lossy(&output.stdout);
    let huge: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    let mut table = Table::new(&["", "by default", "with huge pages for the peer too"]);
    let shown = |value: f64| if value.is_nan() { String::new() } else { ratio(value) };
    for ((row, usual), huge) in rows(options.objects).iter().zip(ratios(works, options.objects)).zip(huge) {
        table.row(vec![row.what.to_owned(), usual.map(shown).unwrap_or_default(), shown(huge)]);
    }
    println!("{}, {}; slotgc's time divided by the peer's\n", machine::date(), machine::describe());
    table.print(true);
}
