//! Pools: all pages of one type, and which of their slots to hand out next.
//!
//! The pool does not see `T`: only a few functions in [`PoolOps`] need it. A pool's pages are numbered by
//! their position in it.
//!
//! Invariant: a page that is not full is the current one, or is listed as warm, vacant, partial or crowded
//! (`pool/lists.rs`), or `destroy` freed its free slots since the last sweep and they wait in limbo.

mod kept;
mod later;
mod lists;
mod sweep;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem::needs_drop;

use crate::config::Limit;
use crate::geometry::{Geometry, Granule};
use crate::handle::{Generation, RawHandle};
use crate::store::{Age, Barrier, Claim, DoomCursor, Made, Room, Store, SweepLog, Tally, Vacated, reserve};
use crate::tag::{self, Tag};
use crate::trace::Trace;
pub(crate) use kept::KeptPool;
use lists::{List, Lists, Pages};
use sweep::Progress;
pub(crate) use sweep::Scope;

/// The operations of a pool that depend on its type.
#[derive(Clone, Copy)]
pub(crate) struct PoolOps {
    open: fn(&mut Store, u16, Generation) -> Result<u32, Limit>,
    claim: fn(&mut Store, u32, usize, Age, Barrier) -> Option<Claim>,
    reopen_closed: fn(&mut Store, u32, &mut dyn FnMut(Granule)),
    release: fn(&mut Store, u32),
    give_up: fn(&mut Store, u32),
    reopen_released: fn(&mut Store, u32) -> Result<bool, Limit>,
    drop_doomed: fn(&mut Store, &[u32], &mut DoomCursor, usize, &mut usize) -> bool,
    sweep_page: fn(&mut Store, u32, &mut usize, usize, &mut SweepLog) -> usize,
    condemned_len: fn(&Store, u32) -> usize,
    verify_page: fn(&Store, u32, &mut Tally),
    each_of: fn(&Store, u32, usize, u64, &mut dyn FnMut(RawHandle)),
    kill: fn(&mut Store, RawHandle) -> Option<Vacated>,
    abandon_reserved: fn(&mut Store, RawHandle) -> Option<Vacated>,
    drop_slot: fn(&mut Store, Granule),
}

/// What a value owns, without a call where its type owns nothing.
fn owned<T: Trace>(value: &T) -> usize {
    if T::OWNS { value.owned_bytes() } else { 0 }
}

/// What is known about a type at run time.
#[derive(Clone, Copy)]
pub(crate) struct TypeInfo {
    pub(crate) slot_bytes: usize,
    pub(crate) page_slots: u32,
    pub(crate) run_pages: u32,
    /// Whether each value is visited when it dies: for its destructor, or for what it owns.
    pub(crate) needs_drop: bool,
    pub(crate) tag: Tag,
    pub(crate) name: &'static str,
}

impl TypeInfo {
    /// Granules from one slot to the next.
    #[cfg(feature = "inspect")]
    pub(crate) fn slot_granules(&self) -> u32 {
        (self.slot_bytes / crate::geometry::GRANULE_BYTES) as u32
    }
}

/// The state in which a page waits to be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PageState {
    /// Its slots can be accessed.
    Open,
    /// All its objects died; their generations are bumped when it is next used.
    Closed,
    /// Its memory was released.
    Released,
    /// Released with its generations used up: never used again.
    Spent,
}

/// A page of the pool.
#[derive(Clone, Copy)]
struct PoolPage {
    state: PageState,
    /// Where it is listed; entries elsewhere are void.
    list: List,
    /// Whether it is in `young`.
    is_young: bool,
    /// The full cycles that found it vacant since it was last used.
    vacant_for: u32,
}

impl PoolPage {
    /// A page that was just opened.
    const OPEN: Self = Self { state: PageState::Open, list: List::None, is_young: false, vacant_for: 0 };
}

/// All pages of one type. A clone is part of a checkpoint.
#[derive(Clone)]
pub(crate) struct Pool {
    index: u16,
    info: TypeInfo,
    barrier: Barrier,
    ops: PoolOps,
    first: Generation,
    pages: Pages,
    states: Vec<PoolPage>,
    /// The slots from which objects are being allocated.
    claim: Claim,
    /// The page of the claim, by position.
    current: Option<usize>,
    /// Slots set aside for objects made with `&Heap`, and the position of their page.
    later: Vec<(usize, Claim)>,
    lists: Lists,
    /// Slots of destroyed objects, oldest first. They are not reused as long as a live object may still name
    /// them, which the next collection finds out.
    limbo: VecDeque<Granule>,
    /// Slots whose generations are used up.
    retired: Vec<Granule>,
    live: usize,
    /// Living objects on which something is registered.
    watched: usize,
    /// Whether values wait for [`drop_doomed`](Self::drop_doomed).
    has_doomed: bool,
    making: Age,
    /// Places of objects that no collection has traced and that are not white: made since marking began, or
    /// since it ended. The current cycle traces them, or else the next one, of either kind.
    made: Vec<Made>,
    /// The number of objects there.
    made_len: usize,
    /// Pages in which objects were made since the last collection, by position.
    young: Vec<usize>,
    /// Their numbers, during a minor collection.
    young_pages: Vec<u32>,
    progress: Progress,
}

impl Pool {
    pub(crate) fn new<T: Trace>(index: u16, first: Generation, barrier: Barrier) -> Self {
        tag::register::<T>();
        let info = TypeInfo {
            slot_bytes: Geometry::<T>::SLOT_BYTES,
            page_slots: Geometry::<T>::PAGE_SLOTS,
            run_pages: Geometry::<T>::RUN_PAGES,
            needs_drop: needs_drop::<T>() || T::OWNS,
            tag: Tag::of::<T>(),
            name: core::any::type_name::<T>(),
        };
        let ops = PoolOps {
            open: Store::open_page::<T>,
            claim: Store::claim::<T>,
            reopen_closed: |store, page, retire| store.reopen_closed::<T>(page, retire),
            release: Store::release_page::<T>,
            give_up: Store::give_up_page::<T>,
            reopen_released: Store::reopen_released::<T>,
            drop_doomed: |store, pages, cursor, quota, dropped| {
                store.drop_doomed::<T>(pages, cursor, quota, dropped, owned::<T>)
            },
            sweep_page: |store, page, cursor, quota, log| {
                store.sweep_page::<T>(page, T::OWNS, cursor, quota, log)
            },
            condemned_len: Store::condemned_len::<T>,
            verify_page: Store::verify_page::<T>,
            each_of: Store::each_of::<T>,
            kill: Store::kill::<T>,
            abandon_reserved: Store::abandon_reserved::<T>,
            drop_slot: |store, granule| store.drop_slot::<T>(granule, owned::<T>),
        };
        Self {
            index,
            info,
            barrier,
            ops,
            first,
            pages: Pages::default(),
            states: Vec::new(),
            claim: Claim::EMPTY,
            current: None,
            later: Vec::new(),
            lists: Lists::default(),
            limbo: VecDeque::new(),
            retired: Vec::new(),
            live: 0,
            watched: 0,
            has_doomed: false,
            making: Age::Young,
            made: Vec::new(),
            made_len: 0,
            young: Vec::new(),
            young_pages: Vec::new(),
            progress: Progress::default(),
        }
    }

    pub(crate) fn info(&self) -> &TypeInfo {
        &self.info
    }

    /// The pages in slot order.
    pub(crate) fn pages(&self) -> &[u32] {
        self.pages.ascending()
    }

    /// Living objects.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Pages that hold memory.
    pub(crate) fn pages_in_memory(&self) -> usize {
        let held =
            self.states.iter().filter(|page| matches!(page.state, PageState::Open | PageState::Closed));
        held.count() * self.info.run_pages as usize
    }

    /// The handles of all living objects, in the order of pages by position.
    pub(crate) fn each_living(&self, store: &Store, visit: &mut dyn FnMut(RawHandle)) {
        for (page, state) in self.pages.by_position().iter().zip(&self.states) {
            if state.state == PageState::Open {
                let words = 0..store.page_words(*page);
                words.for_each(|word| {
                    (self.ops.each_of)(store, *page, word, store.occupied_word(*page, word), visit)
                });
            }
        }
    }

    // ---- Allocation

    /// Makes room in the lists for the pages of this many more objects, if there is memory for that.
    pub(crate) fn reserve(&mut self, store: &mut Store, objects: usize) {
        let pages = objects.div_ceil(self.info.page_slots as usize) as u32;
        store.reserve_pages(pages.saturating_mul(self.info.run_pages));
        // Otherwise each page reserves its own.
        let _ = self.pages.reserve(pages);
        let _ = reserve(&mut self.states, pages);
        let _ = reserve(&mut self.young, pages);
    }

    /// A claim with a free slot.
    #[inline(always)]
    pub(crate) fn claim(&mut self, store: &mut Store) -> Result<(), Limit> {
        if self.claim.is_empty() {
            self.refill(store)?;
        }
        Ok(())
    }

    /// The claim, after [`claim`](Self::claim) has ensured that it has a free slot.
    #[inline(always)]
    pub(crate) fn ready_claim(&mut self) -> &mut Claim {
        &mut self.claim
    }

    /// Hands out the slots whose handles were taken from a room that looked ahead at the claim.
    pub(crate) fn hand_out(&mut self, room: &mut Room) {
        Store::hand_out(&mut self.claim, room);
    }

    #[inline(always)]
    pub(crate) fn count_born(&mut self) {
        self.live += 1;
    }

    /// Finds the next slots to hand out: on the current page, on an empty one (so that objects allocated
    /// together lie together), on one with holes, on a new one.
    #[inline(never)]
    fn refill(&mut self, store: &mut Store) -> Result<(), Limit> {
        self.note_made();
        store.end_claim(&self.claim);
        let age = self.making;
        let mut word = self.claim.next_word();
        loop {
            if let Some(position) = self.current {
                if let Some(claim) = (self.ops.claim)(store, self.pages[position], word, age, self.barrier) {
                    self.claim = claim;
                    self.note_young(position);
                    return Ok(());
                }
            }
            self.current = Some(self.next_page(store)?);
            word = 0;
        }
    }

    /// Records that objects are made in a page, if they are young.
    fn note_young(&mut self, position: usize) {
        if self.making == Age::Young && !self.states[position].is_young {
            self.states[position].is_young = true;
            self.young.push(position);
        }
    }

    /// Records where the claim's objects are, if they must be traced.
    pub(crate) fn note_made(&mut self) {
        let made = self.claim.take_handed_out();
        self.note_made_at(made);
    }

    fn note_made_at(&mut self, made: Made) {
        if self.making != Age::Young && self.barrier == Barrier::Log && made.bits != 0 {
            self.made_len += made.bits.count_ones() as usize;
            self.made.push(made);
        }
    }

    /// How many new objects wait to be traced by the next collection.
    pub(crate) fn made_len(&self) -> usize {
        self.made_len
    }

    /// The position of the page to use next, opened to access.
    fn next_page(&mut self, store: &mut Store) -> Result<usize, Limit> {
        if let Some(position) = self.lists.next(&mut self.states, List::Warm) {
            return Ok(position);
        }
        while let Some(position) = self.lists.vacant.last().copied() {
            self.reopen(store, position)?;
            self.lists.vacant.pop();
            if self.states[position].state == PageState::Open {
                self.states[position].vacant_for = 0;
                return Ok(position);
            }
        }
        if let Some(position) = self.lists.next(&mut self.states, List::Partial) {
            return Ok(position);
        }
        self.pages.reserve(1)?;
        reserve(&mut self.states, 1)?;
        // Every page may be young.
        let more_young = self.states.len() + 1 - self.young.len();
        reserve(&mut self.young, more_young as u32)?;
        match (self.ops.open)(store, self.index, self.first) {
            Ok(page) => {
                self.states.push(PoolPage::OPEN);
                Ok(self.pages.push(page))
            }
            Err(limit) => self.lists.next(&mut self.states, List::Crowded).ok_or(limit),
        }
    }

    /// Opens a vacant page to access, unless its generations are used up.
    fn reopen(&mut self, store: &mut Store, position: usize) -> Result<(), Limit> {
        let page = self.pages[position];
        let state = &mut self.states[position].state;
        match *state {
            PageState::Open => {}
            PageState::Closed => {
                (self.ops.reopen_closed)(store, page, &mut |granule| self.retired.push(granule));
                *state = PageState::Open;
            }
            PageState::Released if (self.ops.reopen_released)(store, page)? => *state = PageState::Open,
            PageState::Released | PageState::Spent => *state = PageState::Spent,
        }
        Ok(())
    }

    /// Frees the slots that were set aside for allocation, so that `occupied` is exact.
    pub(crate) fn return_claim(&mut self, store: &mut Store) {
        self.note_made();
        let claim = core::mem::replace(&mut self.claim, Claim::EMPTY);
        store.end_claim(&claim);
        if !claim.is_empty() {
            store.unclaim(claim);
        }
        if let Some(position) = self.current.take() {
            self.lists.add_partial(&mut self.states, position);
        }
    }

    // ---- Death by hand

    /// Ends an object's life; its value waits for `drop_slot`.
    pub(crate) fn kill(&self, store: &mut Store, raw: RawHandle) -> Option<Vacated> {
        (self.ops.kill)(store, raw)
    }

    /// Gives up the slot that was reserved for an object.
    pub(crate) fn abandon_reserved(&self, store: &mut Store, reserved: RawHandle) -> Option<Vacated> {
        (self.ops.abandon_reserved)(store, reserved)
    }

    /// Counts an object on which something is registered, or no longer is.
    pub(crate) fn count_watched(&mut self, watched: bool) {
        if watched {
            self.watched += 1;
        } else {
            self.watched -= 1;
        }
    }

    /// Runs the destructor of a killed object's value.
    pub(crate) fn drop_slot(&self, store: &mut Store, granule: Granule) {
        (self.ops.drop_slot)(store, granule);
    }

    /// An object of this pool was taken out of its slot, which became `vacated`.
    pub(crate) fn count_dead(&mut self, store: &mut Store, granule: Granule, vacated: Vacated) {
        self.count_doomed(store, granule, vacated);
        self.bound_limbo(store);
    }

    /// As [`count_dead`](Self::count_dead), but the value still exists, so the slot is not reused before
    /// [`bound_limbo`](Self::bound_limbo) is called.
    pub(crate) fn count_doomed(&mut self, store: &mut Store, granule: Granule, vacated: Vacated) {
        self.live -= 1;
        self.send_to_limbo(store, granule, vacated);
    }

    /// Puts a slot without an object into limbo, until a collection finds no edge to it, or retires it.
    pub(crate) fn vacate(&mut self, store: &mut Store, granule: Granule, vacated: Vacated) {
        self.send_to_limbo(store, granule, vacated);
        self.bound_limbo(store);
    }

    fn send_to_limbo(&mut self, store: &mut Store, granule: Granule, vacated: Vacated) {
        // Only a full collection finds out that nothing names the slot.
        store.spare(granule);
        match vacated {
            Vacated::Retired => self.retired.push(granule),
            Vacated::Reusable => self.limbo.push_back(granule),
        }
    }

    /// Releases the oldest slots of limbo when there are too many. If a live object still names one, the next
    /// collection detects the stale edge by its generation, at some cost.
    pub(crate) fn bound_limbo(&mut self, store: &mut Store) {
        const LEAST: usize = 1024;
        if self.limbo.len() <= LEAST.max(self.live / 4) {
            return;
        }
        // Half of the minimum, or down to the limit after many deaths at once.
        let too_many = (self.limbo.len() - LEAST.max(self.live / 4)).max(LEAST / 2);
        self.progress.limbo = self.progress.limbo.saturating_sub(too_many);
        for granule in self.limbo.drain(..too_many) {
            store.free(granule);
            if let Some(position) = self.pages.position(granule.page()) {
                if self.states[position].list == List::None && self.current != Some(position) {
                    self.lists.add_partial(&mut self.states, position);
                }
            }
        }
        if let Some(position) = self.current {
            // Slots before the claim became free too: come back to this page later.
            self.lists.add_partial(&mut self.states, position);
        }
    }

    /// Checks the pool's books. Adds the old objects that were changed.
    ///
    /// # Panics
    /// If something is wrong.
    pub(crate) fn verify(&self, store: &Store, tally: &mut Tally) {
        let name = self.info.name;
        let (objects, watched) = (tally.objects, tally.watched);
        for (page, state) in self.pages.by_position().iter().zip(&self.states) {
            if state.state == PageState::Open {
                (self.ops.verify_page)(store, *page, tally);
            } else {
                assert!(store.is_vacant(*page), "page {page} of {name}: closed and not vacant");
            }
        }
        assert_eq!(tally.objects - objects, self.live, "objects of {name} in its pages and as counted");
        assert_eq!(
            tally.watched - watched,
            self.watched,
            "watched objects of {name} in its pages and as counted"
        );
        let is_listed = |position: &usize| self.states[*position].is_young;
        assert!(self.young.iter().all(is_listed), "a page of {name} is listed as young and does not know");
    }
}
