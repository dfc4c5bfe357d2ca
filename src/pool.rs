//! Pools: all pages of one type, and which of their slots to hand out next.
//!
//! The pool does not see `T`: what needs it are a few functions in [`PoolOps`]. A pool's pages are numbered by
//! their position in it; positions are in the order of addresses, which is the order of slots.
//!
//! Invariant: a page that is not full is the current one, or is listed as vacant or as partial, or its free
//! slots were freed since the last sweep by `destroy` and wait in limbo.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::any::TypeId;
use core::mem::needs_drop;

use crate::config::Limit;
use crate::handle::{Generation, Geometry, Granule, RawHandle};
use crate::page::{Claim, DoomCursor, Store, SweepLog, Vacated};
use crate::tag;

/// What a pool does that depends on its type.
pub(crate) struct PoolOps {
    open: fn(&mut Store, u16, Generation) -> Result<u32, Limit>,
    claim: fn(&mut Store, u32, usize) -> Option<Claim>,
    reopen_closed: fn(&mut Store, u32, &mut dyn FnMut(Granule)),
    release: fn(&mut Store, u32),
    reopen_released: fn(&mut Store, u32) -> Result<bool, Limit>,
    drop_doomed: fn(&mut Store, &[u32], &mut DoomCursor) -> bool,
    sweep_page: fn(&mut Store, u32, &mut SweepLog) -> usize,
    kill: fn(&mut Store, RawHandle) -> Option<Vacated>,
    drop_slot: fn(&mut Store, Granule),
}

/// What is known of a type at run time.
#[derive(Clone, Copy)]
pub(crate) struct TypeInfo {
    pub(crate) id: TypeId,
    pub(crate) slot_bytes: usize,
    pub(crate) page_slots: u32,
    pub(crate) run_pages: u32,
    pub(crate) needs_drop: bool,
}

/// In what state a page waits to be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PageState {
    /// Its slots can be accessed.
    Open,
    /// All its objects died; their generations are bumped when it is next used.
    Closed,
    /// Its memory was given back.
    Released,
    /// Given back with its generations used up: never used again.
    Spent,
}

/// A page of the pool.
struct PoolPage {
    state: PageState,
    /// Whether it is in `partial`.
    listed: bool,
}

/// All pages of one type.
pub(crate) struct Pool {
    index: u16,
    info: TypeInfo,
    ops: PoolOps,
    first: Generation,
    /// The pages' numbers in the heap, ascending.
    pages: Vec<u32>,
    states: Vec<PoolPage>,
    /// The slots from which objects are being allocated.
    claim: Claim,
    /// The page of the claim, by position.
    current: Option<usize>,
    /// Wholly free pages, the next one last.
    vacant: Vec<usize>,
    /// Pages with some free slots, in the order in which they will be used.
    partial: VecDeque<usize>,
    /// Slots of destroyed objects, oldest first. They are not handed out as long as a live object may still
    /// name them, which the next collection finds out.
    limbo: VecDeque<Granule>,
    /// Slots whose generations are used up.
    retired: Vec<Granule>,
    live: usize,
    /// Living objects on which something is registered.
    watched: usize,
    /// Whether values wait for [`drop_doomed`](Self::drop_doomed).
    has_doomed: bool,
}

impl Pool {
    pub(crate) fn new<T: 'static>(index: u16, first: Generation) -> Self {
        tag::register::<T>();
        let info = TypeInfo {
            id: TypeId::of::<T>(),
            slot_bytes: Geometry::<T>::SLOT_BYTES,
            page_slots: Geometry::<T>::PAGE_SLOTS,
            run_pages: Geometry::<T>::RUN_PAGES,
            needs_drop: needs_drop::<T>(),
        };
        let ops = PoolOps {
            open: Store::open_page::<T>,
            claim: Store::claim::<T>,
            reopen_closed: |store, page, retire| store.reopen_closed::<T>(page, retire),
            release: Store::release_page::<T>,
            reopen_released: Store::reopen_released::<T>,
            drop_doomed: Store::drop_doomed::<T>,
            sweep_page: Store::sweep_page::<T>,
            kill: Store::kill::<T>,
            drop_slot: Store::drop_slot::<T>,
        };
        Self {
            index,
            info,
            ops,
            first,
            pages: Vec::new(),
            states: Vec::new(),
            claim: Claim::EMPTY,
            current: None,
            vacant: Vec::new(),
            partial: VecDeque::new(),
            limbo: VecDeque::new(),
            retired: Vec::new(),
            live: 0,
            watched: 0,
            has_doomed: false,
        }
    }

    pub(crate) fn info(&self) -> &TypeInfo {
        &self.info
    }

    /// The pages in slot order.
    pub(crate) fn pages(&self) -> &[u32] {
        &self.pages
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

    // ---- Allocation

    /// A claim with a free slot.
    #[inline(always)]
    pub(crate) fn claim(&mut self, store: &mut Store) -> Result<(), Limit> {
        if self.claim.is_empty() {
            self.refill(store)?;
        }
        Ok(())
    }

    /// The claim, after [`claim`](Self::claim) saw to it that it has a free slot.
    #[inline(always)]
    pub(crate) fn ready_claim(&mut self) -> &mut Claim {
        &mut self.claim
    }

    #[inline(always)]
    pub(crate) fn count_born(&mut self) {
        self.live += 1;
    }

    /// Finds the next slots to hand out: of the current page, of a wholly free one (objects that are
    /// allocated together lie together), of one with holes, of a new one.
    #[inline(never)]
    fn refill(&mut self, store: &mut Store) -> Result<(), Limit> {
        let mut word = self.claim.word() + 1;
        loop {
            if let Some(position) = self.current {
                if let Some(claim) = (self.ops.claim)(store, self.pages[position], word) {
                    self.claim = claim;
                    return Ok(());
                }
            }
            self.current = Some(self.next_page(store)?);
            word = 0;
        }
    }

    /// The position of the page to use next, opened to access.
    fn next_page(&mut self, store: &mut Store) -> Result<usize, Limit> {
        while let Some(position) = self.vacant.last().copied() {
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
            self.vacant.pop();
            if self.states[position].state == PageState::Open {
                return Ok(position);
            }
        }
        if let Some(position) = self.partial.pop_front() {
            self.states[position].listed = false;
            return Ok(position);
        }
        let page = (self.ops.open)(store, self.index, self.first)?;
        debug_assert!(
            self.pages.last().is_none_or(|last| *last < page),
            "positions are in the order of addresses"
        );
        self.pages.push(page);
        self.states.push(PoolPage { state: PageState::Open, listed: false });
        Ok(self.pages.len() - 1)
    }

    /// Frees the slots that were set aside for allocation, so that `occupied` is exact.
    pub(crate) fn return_claim(&mut self, store: &mut Store) {
        if !self.claim.is_empty() {
            store.unclaim(self.claim);
        }
        self.claim = Claim::EMPTY;
        if let Some(position) = self.current.take() {
            self.list_partial(position);
        }
    }

    fn list_partial(&mut self, position: usize) {
        let page = &mut self.states[position];
        if !page.listed {
            page.listed = true;
            self.partial.push_back(position);
        }
    }

    // ---- Death by hand

    /// Ends an object's life; its value waits for `drop_slot`.
    pub(crate) fn kill(&self, store: &mut Store, raw: RawHandle) -> Option<Vacated> {
        (self.ops.kill)(store, raw)
    }

    /// An object has something registered on it, or no longer.
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
        self.live -= 1;
        self.vacate(store, granule, vacated);
    }

    /// A slot without an object is in limbo until a collection finds no edge to it, or retired.
    pub(crate) fn vacate(&mut self, store: &mut Store, granule: Granule, vacated: Vacated) {
        match vacated {
            Vacated::Retired => self.retired.push(granule),
            Vacated::Reusable => {
                self.limbo.push_back(granule);
                self.bound_limbo(store);
            }
        }
    }

    /// Lets the oldest slots of limbo go when there are too many. If a live object still names one, the next
    /// collection finds the stale edge by its generation, at some cost.
    fn bound_limbo(&mut self, store: &mut Store) {
        const LEAST: usize = 1024;
        if self.limbo.len() <= LEAST.max(self.live / 4) {
            return;
        }
        for granule in self.limbo.drain(..LEAST / 2) {
            store.free(granule);
            if let Ok(position) = self.pages.binary_search(&granule.page()) {
                let page = &mut self.states[position];
                if !page.listed && self.current != Some(position) {
                    page.listed = true;
                    self.partial.push_back(position);
                }
            }
        }
        if let Some(position) = self.current {
            // Slots before the claim became free too: come back to this page later.
            self.list_partial(position);
        }
    }

    // ---- Collection

    /// Makes everything white that a collection may free.
    pub(crate) fn whiten(&self, store: &mut Store) {
        store.whiten(&self.pages);
        for granule in &self.retired {
            store.spare(*granule);
        }
    }

    /// Ends the life of everything white. Gives how many objects died; those with a destructor are doomed, and
    /// their slots are freed by [`drop_doomed`](Self::drop_doomed).
    pub(crate) fn sweep(&mut self, store: &mut Store, log: &mut SweepLog) -> usize {
        let mut died = 0;
        let watched_before = log.watched.len();
        for position in 0..self.pages.len() {
            let page = self.pages[position];
            if self.states[position].state != PageState::Open {
                continue;
            }
            match store.white_len(page) {
                Some(0) => continue,
                // Every occupied slot died, and without limbo each of them holds an object.
                None if !self.info.needs_drop && self.limbo.is_empty() && self.watched == 0 => {
                    died += store.occupied_len(page) as usize;
                    store.close_page(page);
                    self.states[position].state = PageState::Closed;
                    continue;
                }
                _ => {}
            }
            died += (self.ops.sweep_page)(store, page, log);
            self.retired.append(&mut log.retired);
        }
        self.live -= died;
        let watched = log.watched.len() - watched_before;
        self.watched -= watched;
        self.has_doomed = watched > 0 || (self.info.needs_drop && died > 0);
        self.limbo.retain(|granule| store.is_occupied(*granule));
        died
    }

    /// Runs the next destructor; `false` if there is none left. A destructor that panics has run.
    pub(crate) fn drop_doomed(&self, store: &mut Store, cursor: &mut DoomCursor) -> bool {
        self.has_doomed && (self.ops.drop_doomed)(store, &self.pages, cursor)
    }

    /// Finds the pages with free slots anew, when slots were freed.
    pub(crate) fn relist(&mut self, store: &Store) {
        self.vacant.clear();
        self.partial.clear();
        let mut released = Vec::new();
        for (position, page) in self.pages.iter().enumerate() {
            let occupied = store.occupied_len(*page);
            let state = &mut self.states[position];
            state.listed = false;
            match state.state {
                PageState::Spent => {}
                PageState::Released => released.push(position),
                PageState::Open | PageState::Closed if occupied == 0 => self.vacant.push(position),
                PageState::Open | PageState::Closed if occupied < self.info.page_slots => {
                    state.listed = true;
                    self.partial.push_back(position);
                }
                PageState::Open | PageState::Closed => {}
            }
        }
        // Last comes first: those in memory before those given back, each in slot order.
        self.vacant.reverse();
        released.reverse();
        self.vacant.splice(..0, released);
    }

    /// Gives the memory of wholly free pages back.
    pub(crate) fn shrink(&mut self, store: &mut Store) {
        self.return_claim(store);
        for (position, page) in self.pages.iter().enumerate() {
            let state = &mut self.states[position].state;
            let empty = store.is_vacant(*page);
            if empty && matches!(state, PageState::Open | PageState::Closed) {
                (self.ops.release)(store, *page);
                *state = PageState::Released;
            }
        }
        self.relist(store);
        self.limbo.shrink_to_fit();
    }
}
