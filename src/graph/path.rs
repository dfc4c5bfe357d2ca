//! How an object is reached, in words: for messages.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use hashbrown::HashMap;

use crate::graph::schema::TypeOps;
use crate::handle::{RawHandle, ShortName};
use crate::pool::Pool;
use crate::store::Store;
use crate::tag::Tag;
use crate::trace::{Place, Recorded, Sink, Watcher};
use crate::weak::Fixed;

/// A shortest path from one of the starts to the target: `Level 3v1 .mobs[0] -> Mob 4v1`.
pub(crate) fn path_to(
    store: &Store,
    pools: &[Pool],
    types: &[TypeOps],
    starts: &[RawHandle],
    target: RawHandle,
) -> String {
    let parents = parents(store, pools, types, starts, target);
    let mut way = Vec::from([target]);
    while let Some(Some(parent)) = parents.get(way.last().unwrap_or(&target)) {
        way.push(*parent);
    }
    let mut text = String::new();
    let mut from: Option<RawHandle> = None;
    for raw in way.into_iter().rev() {
        if let Some(from) = from.replace(raw) {
            let edge = ops_of(store, pools, types, from).map_or(String::new(), |ops| {
                let mut finder = Finder { target: raw, place: String::new(), found: None };
                (ops.inspect)(store, from, &mut finder);
                finder.found.unwrap_or_default()
            });
            let gap = if edge.is_empty() { "" } else { " " };
            text.push_str(&format!("{gap}{edge} -> "));
        }
        let name = pools[usize::from(store.pool_of(raw.granule()))].info().name;
        text.push_str(&format!("{} {raw}", ShortName(name)));
    }
    text
}

/// The operations on a living object.
fn ops_of<'t>(store: &Store, pools: &[Pool], types: &'t [TypeOps], raw: RawHandle) -> Option<&'t TypeOps> {
    let of = pools[usize::from(store.pool_of(raw.granule()))].info().tag;
    types.iter().find(|ops| ops.tag == of)
}

/// For each object, from where it is first reached: breadth first, until the target is found.
fn parents(
    store: &Store,
    pools: &[Pool],
    types: &[TypeOps],
    starts: &[RawHandle],
    target: RawHandle,
) -> HashMap<RawHandle, Option<RawHandle>, Fixed> {
    let mut parents: HashMap<RawHandle, Option<RawHandle>, Fixed> = HashMap::default();
    let mut queue: Vec<RawHandle> = Vec::new();
    for start in starts {
        if !start.is_null() && store.is_alive_any(*start) && parents.insert(*start, None).is_none() {
            queue.push(*start);
        }
    }
    let mut watcher = Watcher::new();
    let mut next = 0;
    while let Some(raw) = queue.get(next).copied() {
        next += 1;
        if parents.contains_key(&target) {
            break;
        }
        let Some(ops) = ops_of(store, pools, types, raw) else { continue };
        (ops.trace)(store, raw, &mut watcher);
        for found in watcher.drain() {
            let Recorded::Edge(edge, _) = found else { continue };
            if !edge.is_null() && store.is_alive_any(edge) && !parents.contains_key(&edge) {
                parents.insert(edge, Some(raw));
                queue.push(edge);
            }
        }
    }
    parents
}

/// Finds the name of the first edge to the target.
struct Finder {
    target: RawHandle,
    place: String,
    found: Option<String>,
}

/// Occurs in no field's name; in a key it is escaped.
const END: char = '\0';

impl Sink for Finder {
    fn enter(&mut self, place: Place<'_>) {
        let written = match place {
            Place::Field(name) => write!(self.place, ".{name}"),
            Place::Item(index) => write!(self.place, "[{index}]"),
            Place::Entry(key) => write!(self.place, "[{key}]"),
        };
        written.expect("a `String` takes everything");
        // Marks where it ends, so that it can be removed.
        self.place.push(END);
    }

    fn leave(&mut self) {
        self.place.pop();
        let end = self.place.rfind(END).map_or(0, |end| end + 1);
        self.place.truncate(end);
    }

    fn edge(&mut self, target: RawHandle, _: Tag) {
        if target == self.target && self.found.is_none() {
            self.found = Some(self.place.replace(END, ""));
        }
    }

    fn weak(&mut self, _: RawHandle, _: Tag) {}

    fn enter_ephemeron(&mut self, _: RawHandle, _: Tag) {}

    fn leave_ephemeron(&mut self) {}

    fn label(&mut self, _: &dyn fmt::Display) {}

    fn gap(&mut self) {}
}
