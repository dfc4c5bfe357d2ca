//! Copying one object, in code of its type.
//!
//! Most types hand out exactly their edges when they are relinked ([`Trace::relinks_edges`]). Then one pass
//! over the clone does both: each edge is replaced, and its target is queued if it has no copy yet. For other
//! types the original is traced before it is cloned.

use alloc::vec::Vec;

use crate::geometry::Granule;
use crate::graph::{Care, LeaveOut, Stop, Walk};
use crate::handle::RawHandle;
use crate::heap::graph::copying::{Entry, Kind, Line};
use crate::store::Store;
use crate::tag::Tag;
use crate::trace::{Components, Copies, Link, Links, Relinker, Trace, Watcher};

/// How far ahead an object is prefetched.
const AHEAD: usize = 8;

/// Copies the objects at the head of the queue, as long as they are of type `T`.
pub(super) fn follow<T: Trace + Clone>(
    walk: &mut Walk,
    line: &mut Line<'_>,
    watcher: &mut Watcher,
    leave_out: &mut LeaveOut<'_>,
    index: usize,
) -> Result<(), Stop> {
    let kind = &mut line.kinds[index];
    let relinks_edges = *kind.relinks_edges.get_or_insert_with(|| Components::default().relink_edges::<T>());
    // What is left out, or must be checked first, is found by tracing.
    if relinks_edges && walk.care() == Care::Late {
        copy_all::<T, true>(walk, line, watcher, leave_out, index)
    } else {
        copy_all::<T, false>(walk, line, watcher, leave_out, index)
    }
}

fn copy_all<T: Trace + Clone, const RELINKS_EDGES: bool>(
    walk: &mut Walk,
    line: &mut Line<'_>,
    watcher: &mut Watcher,
    leave_out: &mut LeaveOut<'_>,
    index: usize,
) -> Result<(), Stop> {
    // In a list the next objects may well be as far away as the last one was.
    let mut last = Granule(0);
    while let Some(entry) = line.entries.get(line.done).copied() {
        if walk.index_of(entry.old).map(usize::from) != Some(index) {
            break;
        }
        match line.entries.get(line.done + AHEAD) {
            Some(later) => walk.prefetch(&line.heap.store, later.old),
            None => {
                let stride = entry.old.granule().0.wrapping_sub(last.0);
                let guess = Granule(entry.old.granule().0.wrapping_add(stride.wrapping_mul(AHEAD as u32)));
                line.heap.store.look().prefetch_far(guess, 1);
            }
        }
        last = entry.old.granule();
        let Some(original) = get::<T>(&line.heap.store, entry.old) else {
            line.lose(walk, entry)?;
            continue;
        };
        let copy = if T::NEEDS_TRACE && !RELINKS_EDGES {
            watcher.watch(|tracer| original.trace(tracer));
            walk.reach_seen(entry.old, watcher, leave_out, line)?;
            if line.failure.is_some() {
                break;
            }
            get::<T>(&line.heap.store, entry.old).expect("it was there just now").clone()
        } else {
            original.clone()
        };
        // Written to its slot first: a value changed on the stack would be read in larger pieces than it was
        // written, which stalls the processor.
        let kind = &mut line.kinds[index];
        let copy = line.heap.store.fill_ahead::<T>(&kind.room, entry.new, copy);
        line.done += 1;
        kind.made += 1;
        if T::OWNS {
            line.heap.load.allocate(copy.owned_bytes());
        }
        if !T::HOLDS_HANDLES {
            continue;
        }
        let (kinds, entries) = (&mut line.kinds[..], &mut line.entries);
        let mut reaching = Reaching { walk, kinds, entries, found: &mut line.found, left: Left::default() };
        let relinker: &mut dyn Relinker = if RELINKS_EDGES { &mut reaching } else { &mut reaching.left };
        copy.relink(&mut Links::to_copies(&mut line.copies, relinker));
        let left = reaching.left;
        if left != Left::default() {
            line.note(index, entry.new, left);
            if !line.found.is_empty() {
                line.reach_found(walk, leave_out);
            }
            if line.failure.is_some() {
                break;
            }
        }
    }
    Ok(())
}

impl Line<'_> {
    /// Records what is left to be done with a copy.
    fn note(&mut self, index: usize, new: RawHandle, left: Left) {
        let Left { is_open, has_table, merged, unsupported } = left;
        self.merged += merged as usize;
        self.unsupported = self.unsupported.or(unsupported);
        if is_open {
            self.kinds[index].open.push(new);
        }
        if has_table {
            self.owners.push((index, new));
        }
    }

    /// Follows the edges that are not reached plainly.
    #[cold]
    fn reach_found(&mut self, walk: &mut Walk, leave_out: &mut LeaveOut<'_>) {
        let mut found = core::mem::take(&mut self.found);
        for (raw, of) in found.drain(..) {
            walk.reach(walk.of(raw, of), leave_out, self);
        }
        self.found = found;
    }
}

/// The object of a handle that may lie between slots.
#[inline(always)]
fn get<T: 'static>(store: &Store, raw: RawHandle) -> Option<&T> {
    if raw.granule().is_boundary::<T>() { store.look().get::<T>(raw) } else { None }
}

/// What is left to be done after the handles in a copy were replaced as far as copies exist.
#[derive(Default, PartialEq)]
struct Left {
    /// There are other handles, to be resolved later.
    is_open: bool,
    has_table: bool,
    merged: u32,
    unsupported: Option<&'static str>,
}

impl Relinker for Left {
    fn replace(&mut self, link: Link) -> RawHandle {
        self.is_open |= !link.is_null();
        link.raw
    }

    fn reach(&mut self, _: &mut Copies, raw: RawHandle, _: Tag) -> RawHandle {
        self.is_open |= !raw.is_null();
        raw
    }

    fn unsupported(&mut self, type_name: &'static str) {
        self.unsupported.get_or_insert(type_name);
    }

    fn merged(&mut self) {
        self.merged += 1;
    }

    fn note_table(&mut self) {
        self.has_table = true;
    }
}

/// For a copy that hands out its edges: their targets are queued.
struct Reaching<'a> {
    walk: &'a mut Walk,
    kinds: &'a mut [Kind],
    entries: &'a mut Vec<Entry>,
    /// Edges that take more, see [`Walk::is_reached_plainly`], or for which there is no room.
    found: &'a mut Vec<(RawHandle, Tag)>,
    left: Left,
}

impl Relinker for Reaching<'_> {
    fn replace(&mut self, link: Link) -> RawHandle {
        self.left.replace(link)
    }

    #[inline]
    fn reach(&mut self, copies: &mut Copies, raw: RawHandle, of: Tag) -> RawHandle {
        if raw.is_null() {
            return raw;
        }
        if let Some(index) = self.walk.is_reached_plainly(raw, of) {
            let kind = &mut self.kinds[usize::from(index)];
            if let Some(new) = kind.room.next() {
                self.entries.push(Entry { old: raw, new });
                copies.insert(kind.copier.class, raw, new);
                return new;
            }
        }
        self.found.push((raw, of));
        self.left.is_open = true;
        raw
    }

    fn unsupported(&mut self, type_name: &'static str) {
        self.left.unsupported(type_name);
    }

    fn merged(&mut self) {
        self.left.merged();
    }

    fn note_table(&mut self) {
        self.left.note_table();
    }
}
