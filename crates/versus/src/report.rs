//! Tables, as text or Markdown; a picture of them in [`chart`].

pub(crate) mod chart;
pub(crate) mod readme;

use crate::distribution::Distribution;
use crate::harness::Measured;
use crate::machine;
use crate::needs::memory::Contents;
use crate::options::Options;
use crate::work::{Bound, OURS};
use crate::works::memory::Overhead;
use crate::works::pause::{BUDGET, Group, MARGIN, Pauses};

/// The machine, the versions, the command and the method.
pub(crate) fn heading(options: &Options, pinned: Option<usize>) {
    let end = if options.markdown { "  " } else { "" };
    println!("{}{end}", machine::describe());
    println!("{}{end}", machine::versions());
    println!("{}: slotgc-versus {}{end}", machine::date(), machine::arguments());
    println!(
        "{}; nanoseconds per object; the ratio is the median over the rounds of {OURS}'s time divided by the \
         peer's (below 1: {OURS} is faster)\n",
        method(options, pinned)
    );
}

/// What was run, how often, and where.
pub(crate) fn method(options: &Options, pinned: Option<usize>) -> String {
    let core = pinned.map_or("not pinned".to_owned(), |core| format!("pinned to core {core}"));
    format!("{} objects of 64 bytes with 4 edges, {} rounds, {core}", options.objects, options.rounds)
}

/// A table: the first column is aligned left, the others right.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|head| (*head).to_owned()).collect()] }
    }

    fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn print(&self, markdown: bool) {
        let columns = self.rows[0].len();
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<_> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(
                    |(column, (cell, width))| {
                        if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                    },
                )
                .collect();
            if markdown {
                println!("| {} |", cells.join(" | "));
                if number == 0 {
                    println!("|:---{}|", "|---:".repeat(columns - 1));
                }
            } else {
                println!("  {}", cells.join("  ").trim_end());
            }
        }
        println!();
    }
}

fn title(name: &str, about: &str, markdown: bool) {
    if markdown { println!("**{name}**: {about}\n") } else { println!("{name}: {about}") }
}

/// Formats a time with its significant digits.
fn ns(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

fn ratio(value: f64) -> String {
    match value {
        value if value < 0.01 => format!("{value:.5}"),
        value if value < 0.1 => format!("{value:.3}"),
        value => format!("{value:.2}"),
    }
}

fn bound(bound: Bound) -> String {
    match bound {
        Bound::AtMost(most) => format!("<= {}", ratio(most)),
        Bound::Within(most) => format!("within {}", ratio(most)),
    }
}

/// One work.
pub(crate) fn work(work: &Measured, options: &Options) {
    if work.peers.is_empty() && work.absent.is_empty() {
        return;
    }
    title(&work.name, &work.about, options.markdown);
    let mut table = Table::new(&["peer", "min", "median", "max", "slotgc/peer", "target"]);
    for times in &work.peers {
        let [least, median, most] = times.spread();
        let against = work.ratio(times.peer).filter(|_| times.peer != OURS);
        let target = work.targets.iter().find(|target| target.ours == OURS && target.peer == times.peer);
        let target = target.zip(against).map(|(target, ratio)| verdict(ratio, target.bound));
        table.row(vec![
            times.peer.to_owned(),
            ns(least),
            ns(median),
            ns(most),
            against.map(ratio).unwrap_or_default(),
            target.unwrap_or_default(),
        ]);
    }
    if !work.peers.is_empty() {
        table.print(options.markdown);
    }
    let absent = grouped(work.absent.iter().map(|absent| (absent.peer, absent.reason.as_str())));
    let notes =
        grouped(work.notes.iter().flat_map(|note| note.peers.iter().map(|peer| (*peer, note.text.as_str()))));
    let bullet = if options.markdown { "-" } else { "  *" };
    absent.iter().for_each(|remark| println!("{bullet} not here: {remark}"));
    notes.iter().for_each(|remark| println!("{bullet} {remark}"));
    if absent.len() + notes.len() > 0 {
        println!();
    }
}

fn verdict(value: f64, limit: Bound) -> String {
    format!("{} {}", bound(limit), reached(value, limit))
}

fn reached(value: f64, limit: Bound) -> &'static str {
    if limit.holds(value) { "yes" } else { "NO" }
}

/// Remarks on peers, those with the same remark together.
fn grouped<'a>(remarks: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (peer, remark) in remarks {
        match groups.iter_mut().find(|group| group.0 == remark) {
            Some(group) => group.1.push(peer),
            None => groups.push((remark, vec![peer])),
        }
    }
    groups.into_iter().map(|(remark, peers)| format!("{}: {remark}", peers.join(", "))).collect()
}

/// The distributions of pauses.
pub(crate) fn pauses(pauses: &[Pauses], options: &Options) {
    for work in pauses {
        let about = format!("{}; microseconds; {} objects", work.about, options.objects);
        title(work.name, &about, options.markdown);
        let spins = work.spins();
        let mut table = Table::new(&[
            "steps",
            "count",
            "p50",
            "p99",
            "p99.9",
            "max",
            "thread p99.9",
            "max",
            "long",
            "ours",
            "target",
        ]);
        let cells = |times: &Distribution, parts: &[f64]| -> Vec<String> {
            parts.iter().map(|part| format!("{:.0}", times.quantile(*part))).collect()
        };
        for group in &work.groups {
            let (wall, thread) = (group.wall(), group.thread());
            let [longer, ours] = group.longer(spins.max());
            let mut row = vec![group.name.clone(), wall.len().to_string()];
            row.extend(cells(&wall, &[0.5, 0.99, 0.999, 1.0]));
            row.extend(cells(&thread, &[0.999, 1.0]));
            row.extend([longer.to_string(), ours.to_string(), pause_verdict(group, &spins, options)]);
            table.row(row);
        }
        let mut row = vec!["spin".to_owned(), spins.len().to_string()];
        row.extend(cells(&spins, &[0.5, 0.99, 0.999, 1.0]));
        row.resize(11, String::new());
        table.row(row);
        table.print(options.markdown);
        let bullet = if options.markdown { "-" } else { "  *" };
        work.remarks.iter().for_each(|remark| println!("{bullet} {remark}"));
        println!(
            "{bullet} long: more than 1200 by wall clock; ours: of which the thread ran more than 1200, and longer than \
             every spin"
        );
        println!(
            "{bullet} target: p99.9 within 200 of the spin's, and none ours; (thread): met only in thread time\n"
        );
    }
}

fn pause_verdict(group: &Group, spins: &Distribution, options: &Options) -> String {
    if let Some(excuse) = group.excuse {
        return excuse.to_owned();
    }
    if !options.has_targets() {
        return String::new();
    }
    let margin = MARGIN.as_secs_f64() * 1e6;
    let is_within = |times: &Distribution, limit: f64| times.quantile(0.999) <= limit + margin;
    let none_is_ours = group.longer(spins.max())[1] == 0;
    let verdict = if !none_is_ours {
        "NO"
    } else if is_within(&group.wall(), spins.quantile(0.999)) {
        "yes"
    } else if is_within(&group.thread(), BUDGET.as_secs_f64() * 1e6) {
        "yes (thread)"
    } else {
        "NO"
    };
    verdict.to_owned()
}

/// The tables of memory.
pub(crate) fn memory(overheads: &[Overhead], options: &Options) {
    for contents in Contents::ALL {
        let rows: Vec<_> = overheads.iter().filter(|overhead| overhead.contents == contents).collect();
        if rows.is_empty() {
            continue;
        }
        let objects = contents.objects(options.objects);
        let about = format!("{}; {objects} objects, a process a peer", contents.about());
        title(&format!("memory/{}", contents.name()), &about, options.markdown);
        let [first, second] = contents.columns();
        let mut table = Table::new(&["peer", first, second, "target"]);
        for overhead in rows {
            let target = target(overhead, options).map(|(bytes, bound)| verdict(bytes, bound));
            let [first, second] = overhead.bytes.map(|bytes| format!("{bytes:.1}"));
            table.row(vec![overhead.peer.to_owned(), first, second, target.unwrap_or_default()]);
        }
        table.print(options.markdown);
    }
}

/// What slotgc takes, and what it may take.
fn target(overhead: &Overhead, options: &Options) -> Option<(f64, Bound)> {
    let (column, most) = overhead.contents.target()?;
    let has_target = options.has_targets() && overhead.peer == OURS;
    has_target.then_some((overhead.bytes[column], Bound::AtMost(most)))
}

/// All targets at a glance.
pub(crate) fn targets(works: &[Measured], overheads: &[Overhead], options: &Options) {
    let mut table = Table::new(&["target", "against", "limit", "measured", "reached"]);
    let mut add = |name: &str, against: &str, limit: Bound, value: f64| {
        table.row(vec![
            name.to_owned(),
            against.to_owned(),
            bound(limit),
            ratio(value),
            reached(value, limit).to_owned(),
        ]);
    };
    for work in works {
        for target in &work.targets {
            let Some(value) = work.ratio_of(target.ours, target.peer) else { continue };
            match target.ours {
                OURS => add(&work.name, target.peer, target.bound, value),
                ours => add(&work.name, &format!("{ours} / {}", target.peer), target.bound, value),
            }
        }
    }
    for overhead in overheads {
        let Some((bytes, bound)) = target(overhead, options) else { continue };
        add(&format!("memory/{}", overhead.contents.name()), "bytes per object", bound, bytes);
    }
    if table.rows.len() > 1 {
        title("targets", "what slotgc is to reach", options.markdown);
        table.print(options.markdown);
    }
}
