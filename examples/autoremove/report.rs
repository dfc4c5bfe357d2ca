//! What is printed: plain text for readers who see it for the first time.

use std::collections::BTreeMap;
use std::time::Duration;

use slotgc::{CollectStats, Weak};

use crate::apt::{Answer, Comparison};
use crate::database::{Database, Files};
use crate::graph::{Graph, Package};
use crate::paths::Step;
use crate::relation::Kind;
use crate::rules::{Origin, Reason, Rules};
use crate::trials::Trial;

/// How long the steps before the collection took.
pub(crate) struct Times {
    pub(crate) read: Duration,
    pub(crate) build: Duration,
}

/// What is known before the collection.
pub(crate) fn print_graph(
    files: &Files,
    database: &Database,
    rules: &Rules,
    graph: &Graph,
    cycles: &[Vec<Weak<Package>>],
    times: &Times,
) {
    let automatic = database.packages.iter().filter(|p| p.automatic).count();
    let status = files.status.display();
    print_line("Packages", &format!("{} installed ({status})", database.packages.len()));
    let states = files.extended_states.display();
    print_line("", &format!("{automatic} of them only because others need them ({states})"));
    print_line("Rules", &rules_text(rules));
    println!();
    print_line("Objects", &format!("{}, one for each package", graph.heap.len()));

    let needs = graph.heap.iter::<Package>().flat_map(|(_, package)| &package.needs);
    print_line("Strong edges", &counted(needs.map(|need| need.kind), Kind::name));
    print_line("Roots", &counted(graph.roots.iter().map(|(reason, _)| *reason), Reason::text));
    let mut text = format!("{} groups of packages that need each other", cycles.len());
    if let Some(largest) = cycles.first() {
        let names: Vec<&str> = largest.iter().take(4).map(|p| graph.heap[p].name.as_str()).collect();
        let more = if largest.len() > names.len() { ", ..." } else { "" };
        text += &format!(", the largest of {}: {}{more}", largest.len(), names.join(", "));
    }
    print_line("Cycles", &text);
    print_line(
        "Time",
        &format!("{} to read the files, {} to build the graph", time(times.read), time(times.build)),
    );
    println!();
}

fn print_line(label: &str, text: &str) {
    println!("{label:<16}{text}");
}

fn rules_text(rules: &Rules) -> String {
    let origin = match rules.origin {
        Origin::AptConfig => "apt-config",
        Origin::Defaults => "Debian's defaults: there is no apt-config here",
    };
    let keeps = match (rules.follow_recommends, rules.follow_suggests) {
        (true, true) => "Depends, Recommends and Suggests keep packages",
        (true, false) => "Depends and Recommends keep packages, Suggests do not",
        (false, true) => "Depends and Suggests keep packages, Recommends do not",
        (false, false) => "Depends keep packages, Recommends and Suggests do not",
    };
    format!("{keeps} ({origin})")
}

/// The sum, and how many there are of each: `5: 3 of this, 2 of that`.
fn counted<T: Ord>(items: impl Iterator<Item = T>, text: fn(T) -> &'static str) -> String {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    items.for_each(|item| *counts.entry(item).or_default() += 1);
    let sum: usize = counts.values().sum();
    let parts: Vec<String> =
        counts.into_iter().map(|(item, count)| format!("{count} {}", text(item))).collect();
    format!("{sum}: {}", parts.join(", "))
}

/// What the collection did.
pub(crate) fn print_collection(graph: &Graph, stats: &CollectStats, cycles: &[Vec<Weak<Package>>]) {
    let CollectStats { kept, freed, freed_bytes, mark_time, sweep_time, drop_time, .. } = *stats;
    print_line("heap.collect()", &format!("{kept:>6} objects kept     marked in {:>19}", time(mark_time)));
    print_line("", &format!("{freed:>6} objects freed    swept in {:>20}", time(sweep_time)));
    print_line("", &format!("{freed_bytes:>6} bytes            destructors ran in {:>10}", time(drop_time)));
    let dead: Vec<usize> =
        cycles.iter().filter(|cycle| cycle.iter().all(|p| !graph.heap.is_alive(p))).map(Vec::len).collect();
    if !dead.is_empty() {
        print_line("", &format!("{:>6} cycles died, {} objects:", dead.len(), dead.iter().sum::<usize>()));
        print_line("", "       counting references would never have freed them, nor what they need");
    }
    println!();
}

fn time(time: Duration) -> String {
    match time.as_nanos() {
        0..1_000_000 => format!("{:.1} µs", time.as_secs_f64() * 1e6),
        _ => format!("{:.1} ms", time.as_secs_f64() * 1e3),
    }
}

/// The packages that died, or the first of them.
pub(crate) fn print_dead(database: &Database, dead: &[usize], all: bool) {
    println!("{} that nothing needs any more:", packages(dead.len()));
    let shown = if all { dead } else { &dead[..dead.len().min(20)] };
    let rows: Vec<[String; 3]> = shown
        .iter()
        .map(|index| (database.shown_name(*index), &database.packages[*index]))
        .map(|(name, package)| [name, package.section.clone(), package.version.clone()])
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let (names, sections) = (width(0), width(1));
    for [name, section, version] in &rows {
        println!("  {name:<names$}  {section:<sections$}  {version}");
    }
    if shown.len() < dead.len() {
        println!("  and {} more: --all lists them", dead.len() - shown.len());
    }
}

fn packages(count: usize) -> String {
    format!("{count} package{}", if count == 1 { "" } else { "s" })
}

/// `holders`: a package, and how many packages would go if it had not been installed by hand.
pub(crate) fn print_holders(database: &Database, holders: &[(usize, usize)]) {
    println!("Every package has a reason to be here.");
    if !holders.is_empty() {
        println!("What would go if a package had not been installed by hand:");
    }
    for (index, count) in holders {
        let name = database.shown_name(*index);
        println!("  --without {name:<30} {:>15}", packages(*count));
    }
}

pub(crate) fn print_chain(name: &str, chain: Option<Vec<Step>>) {
    match chain {
        None => println!("Nothing needs {name}."),
        Some(steps) => steps.iter().for_each(|step| println!("{}", step.sentence)),
    }
}

/// Whether apt-get agrees, or would if it were here.
pub(crate) fn print_answer(answer: &Answer) -> bool {
    match answer {
        Answer::NotHere => {
            println!("check: there is no apt-get on this machine to compare with");
            true
        }
        Answer::Refused(words) => {
            println!("check: apt-get does not answer for these files. It says:\n{words}");
            false
        }
        Answer::Compared(comparison) => {
            println!("check: {}", comparison_text(comparison));
            print_differences(comparison);
            comparison.agrees()
        }
    }
}

/// As `print_answer`, on one line if there is nothing special.
pub(crate) fn print_trial(number: u64, trial: &Trial) -> bool {
    print!("trial {number:>3}, {:>4} automatic, {:>3} on hold, ", trial.automatic, trial.held);
    print!("recommends {:<3}, suggests {:<3}, ", yes_no(trial.recommends), yes_no(trial.suggests));
    print_answer(&trial.answer)
}

fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn comparison_text(comparison: &Comparison) -> String {
    let Comparison { ours, theirs, differences } = comparison;
    match &differences[..] {
        [] => format!("apt-get would remove the same {}", packages(*theirs)),
        _ => format!("removed here {ours}, by apt-get {theirs}, differences {}", differences.len()),
    }
}

fn print_differences(comparison: &Comparison) {
    for difference in &comparison.differences {
        let word = if difference.is_explained { "explained" } else { "UNEXPLAINED" };
        println!("  {word}: {}: {}", difference.package, difference.reason);
    }
}
