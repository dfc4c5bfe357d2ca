//! Learning of a death: what is registered on objects, and in which order it is told.
//!
//! A registration is a callback, a finalizer, a tag for a queue, or a burial, on one object. When the object
//! dies its registrations become due: burials take the value, tags go to their queues at once, callbacks and
//! finalizers wait for their turn, the latest registered first, whatever object they are on.
//!
//! Invariant: every registration is taken out before any of its code runs, and code of a user runs only where
//! the heap calls [`Deaths::next_due`]. So nothing runs twice, and user code may register, cancel and destroy.
//!
//! This module does not know the heap: `H` is what callbacks get.

mod graveyard;
mod guard;
mod queue;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BinaryHeap};
use alloc::vec::Vec;
use core::any::Any;

use hashbrown::HashMap;
use slotmap::{DefaultKey, SlotMap};
use sync_wrapper::SyncWrapper;

use crate::handle::RawHandle;
use crate::hash::HandleHasher;
use crate::page::Store;
use crate::unwind::Panics;

pub use graveyard::Graveyard;
pub(crate) use guard::CancelCell;
pub use guard::{Watch, WatchGuard};
pub use queue::DeathQueue;

/// Code that runs once, with the heap, and may give something back.
pub(crate) trait Last<H>: Send {
    fn run(self: Box<Self>, heap: &mut H);

    /// The code itself, for whoever knows its type.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// A callback or finalizer of result `R`.
pub(crate) struct Code<H, R>(pub(crate) Box<dyn FnOnce(&mut H) -> R + Send>);

impl<H: 'static, R: Send + 'static> Last<H> for Code<H, R> {
    fn run(self: Box<Self>, heap: &mut H) {
        drop((self.0)(heap));
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// What a registration does.
pub(crate) enum Act<H> {
    /// A callback or a finalizer.
    Run(Box<dyn Last<H>>),
    /// Puts the tag into its queue.
    Send(Box<dyn FnOnce() + Send>),
    /// Takes the value out of the store, which keeps it for this moment, and puts it into its graveyard.
    Bury(Box<dyn FnMut(&mut Store) + Send>),
}

/// What a registration is. Kept beside its act, which only its one user may look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Callback,
    Finalizer,
    Tag,
    Burial,
}

/// Something registered on an object.
struct Registration<H> {
    number: u64,
    target: RawHandle,
    /// The registrations made before and after this one on the same object.
    earlier: Option<DefaultKey>,
    later: Option<DefaultKey>,
    /// Whether the target died and this waits for its turn.
    is_due: bool,
    kind: Kind,
    /// Not `Sync`, since closures need not be: reached with the heap in hand only.
    act: SyncWrapper<Act<H>>,
}

/// A callback or finalizer that waits for its turn; the largest number comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    number: u64,
    key: DefaultKey,
}

type Targets = HashMap<RawHandle, DefaultKey, core::hash::BuildHasherDefault<HandleHasher>>;

/// All registrations of a heap.
pub(crate) struct Deaths<H> {
    registrations: SlotMap<DefaultKey, Registration<H>>,
    /// The latest registration on each living object that has one.
    by_target: Targets,
    due: BinaryHeap<Due>,
    /// The finalizers to run at the end of the heap, by their numbers.
    at_exit: BTreeMap<u64, DefaultKey>,
    /// Where guards on any thread leave word; taken when something is first registered.
    cell: Option<&'static CancelCell>,
}

/// What removing a registration leaves.
pub(crate) struct Removed<H> {
    pub(crate) target: RawHandle,
    /// Whether this was the last one on the target.
    pub(crate) was_last: bool,
    pub(crate) act: Act<H>,
}

impl<H: 'static> Deaths<H> {
    pub(crate) fn new() -> Self {
        Self {
            registrations: SlotMap::new(),
            by_target: Targets::default(),
            due: BinaryHeap::new(),
            at_exit: BTreeMap::new(),
            cell: None,
        }
    }

    /// Registers something on a living object. Makes room for its death too: telling it allocates nothing.
    pub(crate) fn register(&mut self, target: RawHandle, kind: Kind, act: Act<H>) -> Watch {
        let cell = *self.cell.get_or_insert_with(CancelCell::take);
        let number = cell.next_number();
        let earlier = self.by_target.get(&target).copied();
        let act = SyncWrapper::new(act);
        let (later, is_due) = (None, false);
        let key =
            self.registrations.insert(Registration { number, target, earlier, later, is_due, kind, act });
        if let Some(earlier) = earlier {
            self.registrations[earlier].later = Some(key);
        }
        self.by_target.insert(target, key);
        self.due.reserve(self.registrations.len().saturating_sub(self.due.len()));
        cell.make_room(key);
        if kind == Kind::Finalizer {
            self.at_exit.insert(number, key);
        }
        Watch { cell, number, key }
    }

    fn get(&self, watch: Watch) -> Option<&Registration<H>> {
        let own = self.cell.is_some_and(|cell| core::ptr::eq(cell, watch.cell));
        self.registrations.get(watch.key).filter(|known| own && known.number == watch.number)
    }

    /// Whether this is still registered. What a guard cancelled is not.
    pub(crate) fn contains(&self, watch: Watch) -> bool {
        self.get(watch).is_some() && !watch.cell.is_cancelled(watch.key, watch.number)
    }

    /// Whether this finalizer is to run at the end of the heap, if its target lives until then.
    pub(crate) fn set_at_exit(&mut self, watch: Watch, exit: bool) {
        if self.get(watch).is_none() {
            return;
        }
        match exit {
            true => drop(self.at_exit.insert(watch.number, watch.key)),
            false => drop(self.at_exit.remove(&watch.number)),
        }
    }

    /// Takes a registration out, if it is still there.
    pub(crate) fn remove(&mut self, watch: Watch) -> Option<Removed<H>> {
        self.get(watch)?;
        Some(self.remove_key(watch.key))
    }

    fn remove_key(&mut self, key: DefaultKey) -> Removed<H> {
        let removed = self.registrations.remove(key).expect("a registration that is there");
        self.at_exit.remove(&removed.number);
        let was_last = !removed.is_due && self.unlink(&removed);
        Removed { target: removed.target, was_last, act: removed.act.into_inner() }
    }

    /// Takes a registration out of its target's chain; whether the chain is empty then.
    fn unlink(&mut self, removed: &Registration<H>) -> bool {
        if let Some(earlier) = removed.earlier {
            self.registrations[earlier].later = removed.later;
        }
        match (removed.later, removed.earlier) {
            (Some(later), earlier) => self.registrations[later].earlier = earlier,
            (None, Some(earlier)) => drop(self.by_target.insert(removed.target, earlier)),
            (None, None) => drop(self.by_target.remove(&removed.target)),
        }
        removed.later.is_none() && removed.earlier.is_none()
    }

    /// Registrations on a living object that are no burials and not cancelled by a guard.
    pub(crate) fn count_on(&self, target: RawHandle) -> usize {
        let mut count = 0;
        let mut next = self.by_target.get(&target).copied();
        while let Some(key) = next {
            let registration = &self.registrations[key];
            let is_cancelled = self.cell.is_some_and(|cell| cell.is_cancelled(key, registration.number));
            count += usize::from(registration.kind != Kind::Burial && !is_cancelled);
            next = registration.earlier;
        }
        count
    }

    /// Takes out what guards cancelled since the last time.
    pub(crate) fn take_cancelled(&mut self) -> Option<Removed<H>> {
        let cell = self.cell?;
        while let Some((key, number)) = cell.next_cancelled() {
            let watch = Watch { cell, number, key };
            if let Some(removed) = self.remove(watch) {
                return Some(removed);
            }
        }
        None
    }

    /// These objects died: their callbacks and finalizers become due. Gives what is to be done at once. At the
    /// end of the heap finalizers are dropped uncalled: those to run then have run before.
    pub(crate) fn mourn(&mut self, dead: impl IntoIterator<Item = RawHandle>, is_end: bool) -> Mourning<H> {
        let mut mourning = Mourning::default();
        for target in dead {
            let mut next = self.by_target.remove(&target);
            while let Some(key) = next {
                let registration = &mut self.registrations[key];
                next = registration.earlier.take();
                registration.is_due = true;
                let number = registration.number;
                match registration.kind {
                    Kind::Finalizer if is_end => mourning.dropped.push(self.remove_key(key).act),
                    Kind::Callback | Kind::Finalizer => self.due.push(Due { number, key }),
                    Kind::Burial => mourning.burials.push((Due { number, key }, self.remove_key(key).act)),
                    Kind::Tag => mourning.tags.push((Due { number, key }, self.remove_key(key).act)),
                }
            }
        }
        // Latest first, to be taken from the end.
        mourning.burials.sort_unstable_by_key(|(due, _)| core::cmp::Reverse(*due));
        mourning.tags.sort_unstable_by_key(|(due, _)| core::cmp::Reverse(*due));
        mourning.cell = self.cell;
        mourning
    }

    /// Whether a callback or finalizer waits for its turn.
    pub(crate) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Takes out the callback or finalizer whose turn it is.
    pub(crate) fn next_due(&mut self) -> Option<Box<dyn Last<H>>> {
        while let Some(Due { number, key }) = self.due.pop() {
            let waits = self.registrations.get(key).is_some_and(|known| known.number == number);
            if waits {
                if let Act::Run(code) = self.remove_key(key).act {
                    return Some(code);
                }
            }
        }
        None
    }

    /// The latest finalizer that is to run at the end of the heap, taken out.
    pub(crate) fn next_at_exit(&mut self) -> Option<Removed<H>> {
        let (_, key) = self.at_exit.pop_last()?;
        Some(self.remove_key(key))
    }
}

/// What is to be done at once about objects that died. Acts are dropped by [`send`](Self::send) only, when the
/// heap is in its final state: that runs code of the user.
pub(crate) struct Mourning<H> {
    /// The first last.
    burials: Vec<(Due, Act<H>)>,
    /// The first last.
    tags: Vec<(Due, Act<H>)>,
    dropped: Vec<Act<H>>,
    cell: Option<&'static CancelCell>,
}

impl<H> Default for Mourning<H> {
    fn default() -> Self {
        Self { burials: Vec::new(), tags: Vec::new(), dropped: Vec::new(), cell: None }
    }
}

impl<H> Mourning<H> {
    /// Whether a guard cancelled this meanwhile; one that a destructor dropped, say.
    fn is_cancelled(&self, due: Due) -> bool {
        self.cell.is_some_and(|cell| cell.is_cancelled(due.key, due.number))
    }

    /// Moves buried values to their graveyards, in the order of registration.
    pub(crate) fn bury(&mut self, store: &mut Store) {
        while let Some((due, mut act)) = self.burials.pop() {
            match &mut act {
                Act::Bury(bury) if !self.is_cancelled(due) => bury(store),
                _ => {}
            }
            self.dropped.push(act);
        }
    }

    /// Puts tags into their queues, in the order of registration; gives how many. Then drops what is left.
    pub(crate) fn send(mut self, panics: &mut Panics) -> usize {
        let mut count = 0;
        panics.run_all(|| {
            let Some((due, act)) = self.tags.pop() else {
                return false;
            };
            match act {
                Act::Send(send) if !self.is_cancelled(due) => {
                    count += 1;
                    send();
                }
                // Cancelled: the tag is dropped.
                _ => {}
            }
            true
        });
        // Burials that came to nothing: the value went to whoever destroyed the object.
        self.dropped.extend(self.burials.drain(..).map(|(_, act)| act));
        panics.run_all(|| self.dropped.pop().is_some());
        count
    }
}

impl<H> Drop for Deaths<H> {
    fn drop(&mut self) {
        if let Some(cell) = self.cell {
            CancelCell::give_back(cell);
        }
    }
}
