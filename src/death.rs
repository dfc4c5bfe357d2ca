//! Learning of a death: what is registered on objects, and the order in which it is delivered.
//!
//! A registration is a callback, a finalizer, a tag for a queue, or a burial, on one object. When the object
//! dies its registrations become due: burials take the value, tags go to their queues at once, callbacks and
//! finalizers wait for their turn, the latest registered first, whatever object they are on.
//!
//! Invariant: every registration is removed before any of its code runs, and user code runs only where the
//! heap calls [`Deaths::next_turn`]. So nothing runs twice, and user code may register, cancel and destroy.
//!
//! This module does not know the heap: `H` is what callbacks receive.

mod fate;
mod graveyard;
mod guard;
mod queue;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BinaryHeap};
use alloc::vec::Vec;
use core::any::Any;
use core::cmp::Reverse;

use hashbrown::HashMap;
use slotmap::{DefaultKey, SlotMap};
use sync_wrapper::SyncWrapper;

use crate::handle::RawHandle;
use crate::hash::HandleHasher;
use crate::store::Store;

pub(crate) use fate::{Fate, Hints};
pub use graveyard::Graveyard;
pub(crate) use guard::CancelCell;
pub use guard::{Watch, WatchGuard};
pub use queue::DeathQueue;

/// Code that runs once, with the heap, and may return something.
pub(crate) trait Callback<H>: Send {
    fn run(self: Box<Self>, heap: &mut H);

    /// The code itself, to be downcast.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// A callback or finalizer of result `R`.
pub(crate) struct Code<H, R>(pub(crate) Box<dyn FnOnce(&mut H) -> R + Send>);

impl<H: 'static, R: Send + 'static> Callback<H> for Code<H, R> {
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
    Run(Box<dyn Callback<H>>),
    /// Puts the tag into its queue.
    Send(Box<dyn FnOnce() + Send>),
    /// Takes the value from the store, which has kept it for this, and puts it into its graveyard.
    Bury(Box<dyn FnMut(&mut Store) + Send>),
}

/// The kind of a registration. Kept beside its act, since the act can be read only with exclusive access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WatchKind {
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
    kind: WatchKind,
    /// Not `Sync`, since closures need not be: accessed only with `&mut` to the heap.
    act: SyncWrapper<Act<H>>,
}

/// A registration that waits for its turn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    number: u64,
    key: DefaultKey,
}

/// What is due for objects that died, each list in its order. Taken out of a binary heap one by one, so that
/// no piece takes long.
#[derive(Default)]
struct Dues {
    /// The first registered comes first.
    burials: BinaryHeap<Reverse<Due>>,
    /// The first registered comes first.
    tags: BinaryHeap<Reverse<Due>>,
    /// The latest registered comes first: callbacks and finalizers.
    calls: BinaryHeap<Due>,
    /// To be dropped uncalled.
    dropped: Vec<Due>,
}

impl Dues {
    fn append(&mut self, others: &mut Self) {
        self.burials.append(&mut others.burials);
        self.tags.append(&mut others.tags);
        self.calls.append(&mut others.calls);
        self.dropped.append(&mut others.dropped);
    }

    /// Whether anything other than burials is left.
    fn has_news(&self) -> bool {
        !(self.tags.is_empty() && self.calls.is_empty() && self.dropped.is_empty())
    }
}

/// What to do for the registration whose turn it is. Dropping this runs user code.
pub(crate) enum Turn<H> {
    /// A tag goes to its queue.
    Send(Box<dyn FnOnce() + Send>),
    /// A callback or finalizer runs.
    Run(Box<dyn Callback<H>>),
    /// Nothing except dropping what was registered.
    Drop(Act<H>),
}

type Targets = HashMap<RawHandle, DefaultKey, core::hash::BuildHasherDefault<HandleHasher>>;

/// All registrations of a heap.
pub(crate) struct Deaths<H> {
    registrations: SlotMap<DefaultKey, Registration<H>>,
    /// How many there are of each kind.
    kinds: [usize; 4],
    /// The latest registration on each living object that has one.
    by_target: Targets,
    dues: Dues,
    /// What was already due when an object was destroyed by hand; it waits until the notifications of that
    /// death are delivered.
    put_off: Dues,
    /// What the program said objects own, in bytes.
    hints: Hints,
    /// The hints of objects that died since this was last asked.
    gone_hints: u128,
    /// The finalizers to run at the end of the heap, by their numbers.
    at_exit: BTreeMap<u64, DefaultKey>,
    /// Where guards on any thread leave cancellations; taken when something is first registered.
    cell: Option<&'static CancelCell>,
}

/// What removing a registration leaves.
pub(crate) struct Removed<H> {
    pub(crate) target: RawHandle,
    pub(crate) act: Act<H>,
}

impl<H: 'static> Deaths<H> {
    pub(crate) fn new() -> Self {
        Self {
            registrations: SlotMap::new(),
            kinds: [0; 4],
            by_target: Targets::default(),
            dues: Dues::default(),
            put_off: Dues::default(),
            hints: HashMap::default(),
            gone_hints: 0,
            at_exit: BTreeMap::new(),
            cell: None,
        }
    }

    /// Registers something on a living object. Makes room for its death too, so that delivering allocates
    /// nothing.
    pub(crate) fn register(&mut self, target: RawHandle, kind: WatchKind, act: Act<H>) -> Watch {
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
        self.make_room(kind);
        cell.make_room(key);
        if kind == WatchKind::Finalizer {
            self.at_exit.insert(number, key);
        }
        Watch { cell, number, key }
    }

    fn make_room(&mut self, kind: WatchKind) {
        fn reserve<T: Ord>(heap: &mut BinaryHeap<T>, most: usize) {
            heap.reserve(most.saturating_sub(heap.len()));
        }
        self.kinds[kind as usize] += 1;
        let most = |kinds: &[WatchKind]| kinds.iter().map(|kind| self.kinds[*kind as usize]).sum();
        match kind {
            WatchKind::Callback | WatchKind::Finalizer => {
                reserve(&mut self.dues.calls, most(&[WatchKind::Callback, WatchKind::Finalizer]));
            }
            WatchKind::Tag => reserve(&mut self.dues.tags, most(&[WatchKind::Tag])),
            WatchKind::Burial => reserve(&mut self.dues.burials, most(&[WatchKind::Burial])),
        }
    }

    fn get(&self, watch: Watch) -> Option<&Registration<H>> {
        let own = self.cell.is_some_and(|cell| core::ptr::eq(cell, watch.cell));
        self.registrations.get(watch.key).filter(|known| own && known.number == watch.number)
    }

    /// Whether this is still registered. What a guard cancelled is not.
    pub(crate) fn contains(&self, watch: Watch) -> bool {
        self.get(watch).is_some() && !watch.cell.is_cancelled(watch.key, watch.number)
    }

    /// Sets whether this finalizer runs at the end of the heap, if its target lives until then.
    pub(crate) fn set_at_exit(&mut self, watch: Watch, exit: bool) {
        if self.get(watch).is_none() {
            return;
        }
        if exit {
            self.at_exit.insert(watch.number, watch.key);
        } else {
            self.at_exit.remove(&watch.number);
        }
    }

    /// Removes a registration, if it is still there.
    pub(crate) fn remove(&mut self, watch: Watch) -> Option<Removed<H>> {
        self.get(watch)?;
        Some(self.remove_key(watch.key))
    }

    fn remove_key(&mut self, key: DefaultKey) -> Removed<H> {
        let removed = self.registrations.remove(key).expect("a registration that is there");
        self.at_exit.remove(&removed.number);
        self.kinds[removed.kind as usize] -= 1;
        if !removed.is_due {
            self.unlink(&removed);
        }
        Removed { target: removed.target, act: removed.act.into_inner() }
    }

    /// Removes a registration from its target's chain.
    fn unlink(&mut self, removed: &Registration<H>) {
        if let Some(earlier) = removed.earlier {
            self.registrations[earlier].later = removed.later;
        }
        match (removed.later, removed.earlier) {
            (Some(later), earlier) => self.registrations[later].earlier = earlier,
            (None, Some(earlier)) => drop(self.by_target.insert(removed.target, earlier)),
            (None, None) => drop(self.by_target.remove(&removed.target)),
        }
    }

    /// Registrations on a living object, without burials and without those cancelled by a guard.
    pub(crate) fn count_on(&self, target: RawHandle) -> usize {
        let mut count = 0;
        let mut next = self.by_target.get(&target).copied();
        while let Some(key) = next {
            let registration = &self.registrations[key];
            let is_cancelled = self.cell.is_some_and(|cell| cell.is_cancelled(key, registration.number));
            count += usize::from(registration.kind != WatchKind::Burial && !is_cancelled);
            next = registration.earlier;
        }
        count
    }

    /// Removes what guards cancelled since the last time.
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

    /// Records what the program says an object owns; returns the previous value.
    pub(crate) fn set_hint(&mut self, target: RawHandle, bytes: usize) -> usize {
        let before = if bytes > 0 { self.hints.insert(target, bytes) } else { self.hints.remove(&target) };
        before.unwrap_or(0)
    }

    /// The hints of objects that died since this was last called.
    pub(crate) fn take_gone_hints(&mut self) -> u128 {
        core::mem::take(&mut self.gone_hints)
    }

    /// Whether anything is registered or noted on this object.
    pub(crate) fn is_kept(&self, target: RawHandle) -> bool {
        self.by_target.contains_key(&target) || self.hints.contains_key(&target)
    }

    /// This object died: what is registered on it becomes due. At the end of the heap finalizers are dropped
    /// uncalled: those that run at exit have run already.
    pub(crate) fn mourn(&mut self, dead: RawHandle, is_end: bool) {
        self.gone_hints += self.hints.remove(&dead).unwrap_or(0) as u128;
        let mut next = self.by_target.remove(&dead);
        while let Some(key) = next {
            let registration = &mut self.registrations[key];
            next = registration.earlier.take();
            registration.is_due = true;
            let due = Due { number: registration.number, key };
            match registration.kind {
                WatchKind::Finalizer if is_end => self.dues.dropped.push(due),
                WatchKind::Callback | WatchKind::Finalizer => self.dues.calls.push(due),
                WatchKind::Burial => self.dues.burials.push(Reverse(due)),
                WatchKind::Tag => self.dues.tags.push(Reverse(due)),
            }
        }
    }

    /// Postpones everything due in favour of what dies meanwhile, until [`take_up`](Self::take_up). It is
    /// kept here, not by the caller, from whom a callback may take the heap away.
    pub(crate) fn put_off(&mut self) {
        self.put_off.append(&mut self.dues);
    }

    /// Undoes `put_off`.
    pub(crate) fn take_up(&mut self) {
        self.dues.append(&mut self.put_off);
    }

    /// Releases the memory that the tables do not need.
    pub(crate) fn shrink(&mut self) {
        if self.registrations.is_empty() {
            // A `Watch` is also identified by its number, which is never used again.
            self.registrations = SlotMap::new();
        }
        self.by_target.shrink_to_fit();
        self.hints.shrink_to_fit();
        for dues in [&mut self.dues, &mut self.put_off] {
            let Dues { burials, tags, calls, dropped } = dues;
            dropped.shrink_to_fit();
            if burials.is_empty() && tags.is_empty() && calls.is_empty() && self.kinds == [0; 4] {
                *dues = Dues { dropped: core::mem::take(dropped), ..Dues::default() };
            }
        }
    }

    /// Whether a tag, callback or finalizer waits for its turn, or something must be dropped.
    pub(crate) fn has_due(&self) -> bool {
        self.dues.has_news()
    }

    /// Removes a registration whose turn it is, unless it was cancelled meanwhile. What a guard cancelled is
    /// dropped. Keys are never used twice, so what is found is what became due.
    fn take_due(&mut self, due: Due) -> Option<(Act<H>, bool)> {
        self.registrations.contains_key(due.key).then(|| {
            let is_cancelled = self.cell.is_some_and(|cell| cell.is_cancelled(due.key, due.number));
            (self.remove_key(due.key).act, is_cancelled)
        })
    }

    /// Moves a value whose object died to its graveyard, the first registered first; `false` if there is none
    /// left. Runs no user code.
    pub(crate) fn bury_next(&mut self, store: &mut Store) -> bool {
        let Some(Reverse(due)) = self.dues.burials.pop() else {
            return false;
        };
        if let Some((Act::Bury(mut bury), false)) = self.take_due(due) {
            bury(store);
        }
        true
    }

    /// Drops the burials that are due: the values went to the callers that destroyed the objects.
    pub(crate) fn bury_nothing(&mut self) {
        while let Some(Reverse(due)) = self.dues.burials.pop() {
            drop(self.take_due(due));
        }
    }

    /// Removes and returns what comes next: tags in the order of registration, then what is dropped uncalled,
    /// then callbacks and finalizers, the latest first.
    pub(crate) fn next_turn(&mut self) -> Option<Turn<H>> {
        loop {
            let Dues { tags, dropped, calls, .. } = &mut self.dues;
            let dropped = if tags.is_empty() { dropped.pop() } else { None };
            let is_called = dropped.is_none();
            let next = dropped.or_else(|| tags.pop().map(|Reverse(due)| due)).or_else(|| calls.pop());
            match self.take_due(next?) {
                None => {}
                Some((Act::Send(send), false)) if is_called => return Some(Turn::Send(send)),
                Some((Act::Run(code), false)) if is_called => return Some(Turn::Run(code)),
                Some((act, _)) => return Some(Turn::Drop(act)),
            }
        }
    }

    /// Removes and returns the next tag.
    pub(crate) fn next_tag(&mut self) -> Option<Turn<H>> {
        loop {
            let Reverse(due) = self.dues.tags.pop()?;
            match self.take_due(due) {
                None => {}
                Some((Act::Send(send), false)) => return Some(Turn::Send(send)),
                Some((act, _)) => return Some(Turn::Drop(act)),
            }
        }
    }

    /// Removes and returns the latest finalizer that is to run at the end of the heap.
    pub(crate) fn next_at_exit(&mut self) -> Option<Removed<H>> {
        let (_, key) = self.at_exit.pop_last()?;
        Some(self.remove_key(key))
    }
}

impl<H> Drop for Deaths<H> {
    fn drop(&mut self) {
        if let Some(cell) = self.cell {
            CancelCell::give_back(cell);
        }
    }
}
