//! Pools: all pages of one type, and which of their slots to hand out next.
//!
//! The pool does not see `T`: what needs it are a few functions in [`PoolOps`]. A pool's pages are numbered by
//! their position in it; positions are in the order of addresses, which is the order of slots.
//!
//! Invariant: a page that is not full is the current one, or is listed as warm, vacant, partial or crowded, or its free
//! slots were freed since the last sweep by `destroy` and wait in limbo.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem::needs_drop;

use crate::config::Limit;
use crate::geometry::{Geometry, Granule};
use crate::handle::{Generation, RawHandle};
use crate::store::{Age, Barrier, Claim, DoomCursor, Made, Store, SweepLog, Vacated};
use crate::tag::{self, Tag};
use crate::trace::Trace;

/// What a pool does that depends on its type.
pub(crate) struct PoolOps {
    open: fn(&mut Store, u16, Generation) -> Result<u32, Limit>,
    claim: fn(&mut Store, u32, usize, Age, Barrier) -> Option<Claim>,
    reopen_closed: fn(&mut Store, u32, &mut dyn FnMut(Granule)),
    release: fn(&mut Store, u32),
    reopen_released: fn(&mut Store, u32) -> Result<bool, Limit>,
    drop_doomed: fn(&mut Store, &[u32], &mut DoomCursor) -> bool,
    sweep_page: fn(&mut Store, u32, &mut usize, usize, &mut SweepLog) -> usize,
    condemned_len: fn(&Store, u32) -> usize,
    verify_page: fn(&Store, u32, &mut Vec<RawHandle>) -> (usize, usize),
    each_of: fn(&Store, u32, usize, u64, &mut dyn FnMut(RawHandle)),
    kill: fn(&mut Store, RawHandle) -> Option<Vacated>,
    abandon_reserved: fn(&mut Store, RawHandle) -> Option<Vacated>,
    drop_slot: fn(&mut Store, Granule),
}

/// The lists of pages with some free slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum List {
    None,
    Warm,
    Partial,
    Crowded,
}

/// What a value owns, without a call where its type owns nothing.
fn owned<T: Trace>(value: &T) -> usize {
    if T::OWNS { value.owned_bytes() } else { 0 }
}

/// What is known of a type at run time.
#[derive(Clone, Copy)]
pub(crate) struct TypeInfo {
    pub(crate) slot_bytes: usize,
    pub(crate) page_slots: u32,
    pub(crate) run_pages: u32,
    /// Whether each value is looked at when it dies: for its destructor, or for what it owns.
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
    /// Where it is listed; an entry elsewhere is void.
    list: List,
    /// Whether it is in `young`.
    is_young: bool,
    /// At the end of how many full cycles in a row it was vacant.
    vacant_for: u32,
}

/// Which pages a collection sweeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// All.
    Major,
    /// Those in which objects were made since the last one.
    Minor,
}

/// How far the sweep of a pool has come.
#[derive(Default)]
struct Progress {
    /// Pages swept.
    pages: usize,
    /// Words swept of the next one.
    words: usize,
    /// Whether a part of the next one was swept, of its first word maybe.
    in_page: bool,
    dropping: DoomCursor,
    /// Slots of limbo to look at.
    limbo: usize,
    /// Those that nothing names, which are free when their page is swept.
    freeing: Vec<Granule>,
    /// Pages listed.
    listed: usize,
    vacant: Vec<usize>,
    partial: VecDeque<usize>,
    crowded: VecDeque<usize>,
    warm: Vec<usize>,
    released: Vec<usize>,
}

/// All pages of one type.
pub(crate) struct Pool {
    index: u16,
    info: TypeInfo,
    barrier: Barrier,
    ops: PoolOps,
    first: Generation,
    /// The pages' numbers in the heap, ascending.
    pages: Vec<u32>,
    states: Vec<PoolPage>,
    /// The slots from which objects are being allocated.
    claim: Claim,
    /// The page of the claim, by position.
    current: Option<usize>,
    /// Pages of which the last minor collection freed more than half, the next one last: they are in the processor's
    /// cache, and fill again with what is allocated together.
    warm: Vec<usize>,
    /// Wholly free pages, the next one last.
    vacant: Vec<usize>,
    /// Pages with free slots, in the order in which they will be used.
    partial: VecDeque<usize>,
    /// Pages with few free slots, used when there is nothing else: objects that are allocated together are to lie
    /// together, also for the minor collection that sweeps them.
    crowded: VecDeque<usize>,
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
    making: Age,
    /// Where objects were made that no collection has traced and that are not white: made since marking began, or since it
    /// ended. The cycle under way traces them, or else the next one, of either kind.
    made: Vec<Made>,
    /// Objects there.
    made_len: usize,
    /// Pages in which objects were made since the last collection, by position.
    young: Vec<usize>,
    /// Their numbers, while a minor collection is under way.
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
            reopen_released: Store::reopen_released::<T>,
            drop_doomed: |store, pages, cursor| store.drop_doomed::<T>(pages, cursor, owned::<T>),
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
            pages: Vec::new(),
            states: Vec::new(),
            claim: Claim::EMPTY,
            current: None,
            vacant: Vec::new(),
            partial: VecDeque::new(),
            crowded: VecDeque::new(),
            warm: Vec::new(),
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
        self.note_made();
        store.end_claim(&self.claim);
        let age = self.making;
        let mut word = self.claim.word() + 1;
        loop {
            if let Some(position) = self.current {
                if let Some(claim) = (self.ops.claim)(store, self.pages[position], word, age, self.barrier) {
                    self.claim = claim;
                    if age == Age::Young && !self.states[position].is_young {
                        self.states[position].is_young = true;
                        self.young.push(position);
                    }
                    return Ok(());
                }
            }
            self.current = Some(self.next_page(store)?);
            word = 0;
        }
    }

    /// Notes where the claim's objects are, if they are to be traced.
    pub(crate) fn note_made(&mut self) {
        let made = self.claim.take_handed_out();
        if self.making != Age::Young && self.barrier == Barrier::Log && made.bits != 0 {
            self.made_len += made.bits.count_ones() as usize;
            self.made.push(made);
        }
    }

    /// How many objects there are that were made where the next collection traces them.
    pub(crate) fn made_len(&self) -> usize {
        self.made_len
    }

    /// The position of the page to use next, opened to access.
    fn next_page(&mut self, store: &mut Store) -> Result<usize, Limit> {
        while let Some(position) = self.warm.pop() {
            let page = &mut self.states[position];
            if page.list == List::Warm {
                page.list = List::None;
                return Ok(position);
            }
        }
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
        if let Some(position) = self.next_listed(List::Partial) {
            return Ok(position);
        }
        let page = match (self.ops.open)(store, self.index, self.first) {
            Ok(page) => page,
            Err(limit) => return self.next_listed(List::Crowded).ok_or(limit),
        };
        debug_assert!(
            self.pages.last().is_none_or(|last| *last < page),
            "positions are in the order of addresses"
        );
        self.pages.push(page);
        self.states.push(PoolPage {
            state: PageState::Open,
            list: List::None,
            is_young: false,
            vacant_for: 0,
        });
        Ok(self.pages.len() - 1)
    }

    /// The next page of a list, taken off.
    fn next_listed(&mut self, list: List) -> Option<usize> {
        let positions = if list == List::Partial { &mut self.partial } else { &mut self.crowded };
        while let Some(position) = positions.pop_front() {
            let page = &mut self.states[position];
            if page.list == list {
                page.list = List::None;
                return Some(position);
            }
        }
        None
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
            self.list_partial(position);
        }
    }

    fn list_partial(&mut self, position: usize) {
        let page = &mut self.states[position];
        if page.list != List::Partial {
            page.list = List::Partial;
            self.partial.push_back(position);
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
        // Only a full collection finds out that nothing names the slot.
        store.spare(granule);
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
        self.progress.limbo = self.progress.limbo.saturating_sub(LEAST / 2);
        for granule in self.limbo.drain(..LEAST / 2) {
            store.free(granule);
            if let Ok(position) = self.pages.binary_search(&granule.page()) {
                let page = &mut self.states[position];
                if page.list == List::None && self.current != Some(position) {
                    page.list = List::Partial;
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

    /// What becomes of objects made from here on.
    pub(crate) fn set_making(&mut self, store: &mut Store, making: Age) {
        self.return_claim(store);
        self.making = making;
    }

    /// What becomes of objects made now.
    pub(crate) fn making(&self) -> Age {
        self.making
    }

    /// Makes everything white that a full collection may free. What was made before is no longer young.
    pub(crate) fn begin_major(&mut self, store: &mut Store) {
        self.forget_young();
        self.made.clear();
        self.made_len = 0;
        store.whiten(&self.pages);
        for granule in &self.retired {
            store.spare(*granule);
        }
    }

    fn forget_young(&mut self) {
        for position in self.young.drain(..) {
            self.states[position].is_young = false;
        }
        self.young_pages.clear();
    }

    /// Takes down which pages a minor collection has to look at.
    pub(crate) fn begin_minor(&mut self) {
        self.young.sort_unstable();
        self.young_pages.clear();
        self.young_pages.extend(self.young.iter().map(|position| self.pages[*position]));
    }

    /// The next place with objects that were made where they are to be traced.
    pub(crate) fn next_made(&mut self) -> Option<Made> {
        let made = self.made.pop()?;
        self.made_len -= made.bits.count_ones() as usize;
        Some(made)
    }

    /// The handles of the objects made there.
    pub(crate) fn each_made(&self, store: &Store, made: Made, visit: &mut dyn FnMut(RawHandle)) {
        (self.ops.each_of)(store, made.page, made.word, made.bits, visit);
    }

    /// Everything white is dead from now on, though it is swept later. O(pages).
    pub(crate) fn condemn(&self, store: &mut Store) {
        self.pages.iter().for_each(|page| store.veil(*page));
    }

    /// Objects that are dead and not swept yet. O(pages + slots in limbo).
    pub(crate) fn condemned(&self, store: &Store) -> usize {
        let swept_in_part = self.pages.get(self.progress.pages);
        let mut len = 0;
        for page in self.pages.iter().filter(|page| store.is_veiled(**page)) {
            len += match swept_in_part == Some(page) {
                true => (self.ops.condemned_len)(store, *page),
                false => store.white_slots_len(*page),
            };
        }
        let is_counted =
            |granule: &&Granule| swept_in_part != Some(&granule.page()) && store.is_condemned(**granule);
        len - self.limbo.iter().chain(&self.progress.freeing).filter(is_counted).count()
    }

    /// Begins the sweep.
    pub(crate) fn begin_sweep(&mut self, scope: Scope) {
        let limbo = if scope == Scope::Major { self.limbo.len() } else { 0 };
        self.progress = Progress { limbo, ..Progress::default() };
    }

    fn scope_len(&self, scope: Scope) -> usize {
        match scope {
            Scope::Major => self.pages.len(),
            Scope::Minor => self.young.len(),
        }
    }

    fn position(&self, scope: Scope, index: usize) -> usize {
        match scope {
            Scope::Major => index,
            Scope::Minor => self.young[index],
        }
    }

    /// Goes on ending the lives of everything white, of at most `quota` objects. Gives how many died, or `None` when
    /// all are. Those with a destructor are doomed, and their slots are freed by
    /// [`drop_doomed`](Self::drop_doomed).
    pub(crate) fn sweep(
        &mut self,
        store: &mut Store,
        scope: Scope,
        quota: usize,
        log: &mut SweepLog,
    ) -> Option<Swept> {
        let mut swept = Swept::default();
        // Before any page, where they become free and may be handed out again at once.
        let slots = self.progress.limbo.min(quota.saturating_mul(16));
        self.progress.limbo -= slots;
        for _ in 0..slots {
            // Once around, so the order stays.
            match self.limbo.pop_front() {
                Some(granule) if store.is_white_any(granule) => self.progress.freeing.push(granule),
                Some(granule) => self.limbo.push_back(granule),
                None => {}
            }
        }
        swept.work += slots.div_ceil(16);
        if self.progress.limbo > 0 {
            return Some(swept);
        }
        while self.progress.pages < self.scope_len(scope) {
            if swept.work >= quota {
                return Some(swept);
            }
            let page = self.sweep_page(store, scope, quota - swept.work, log);
            swept.died += page.died;
            swept.work += page.work;
        }
        (swept.work > 0).then_some(swept)
    }

    fn sweep_page(&mut self, store: &mut Store, scope: Scope, quota: usize, log: &mut SweepLog) -> Swept {
        const LOOKED_AT: Swept = Swept { died: 0, work: 1 };
        let position = self.position(scope, self.progress.pages);
        let page = self.pages[position];
        if self.states[position].state != PageState::Open {
            self.progress.pages += 1;
            return LOOKED_AT;
        }
        let whole = !self.progress.in_page;
        match store.white_len(page) {
            Some(0) if whole => {
                // Its last white slots may have been freed by hand since it was veiled.
                store.unveil(page);
                self.progress.pages += 1;
                return LOOKED_AT;
            }
            // Every occupied slot died, and without limbo each of them holds an object.
            None if whole
                && !cfg!(gc_zeal)
                && !self.info.needs_drop
                && self.limbo.is_empty()
                && self.progress.freeing.is_empty()
                && self.watched == 0 =>
            {
                let died = store.occupied_len(page) as usize;
                store.close_page(page);
                self.states[position].state = PageState::Closed;
                self.progress.pages += 1;
                self.live -= died;
                return Swept { died, work: 1 };
            }
            _ => {}
        }
        let watched_before = log.watched.len();
        let died = (self.ops.sweep_page)(store, page, &mut self.progress.words, quota, log);
        self.retired.append(&mut log.retired);
        self.live -= died;
        let watched = log.watched.len() - watched_before;
        self.watched -= watched;
        self.has_doomed |= watched > 0 || (self.info.needs_drop && died > 0);
        self.progress.in_page = self.progress.words < store.page_words(page);
        if !self.progress.in_page {
            store.unveil(page);
            self.progress.words = 0;
            self.progress.pages += 1;
        }
        Swept { died, work: died + usize::from(!self.progress.in_page) }
    }

    /// Runs the next destructor; `false` if there is none left. A destructor that panics has run.
    pub(crate) fn drop_doomed(&mut self, store: &mut Store, scope: Scope) -> bool {
        let pages = if scope == Scope::Major { &self.pages } else { &self.young_pages };
        if self.has_doomed {
            self.has_doomed = (self.ops.drop_doomed)(store, pages, &mut self.progress.dropping);
        }
        self.has_doomed
    }

    /// Goes on finding the pages with free slots anew, `quota` of them at most; `false` when all are found.
    /// A page that was vacant at the end of `patience` full cycles in a row is given back to the system.
    pub(crate) fn relist(&mut self, store: &mut Store, scope: Scope, quota: usize, patience: u32) -> bool {
        /// Giving a page back is a call into the kernel.
        const RELEASE: usize = 64;
        let mut spent = 0;
        while self.progress.listed < self.scope_len(scope) {
            if spent >= quota {
                return true;
            }
            let position = self.position(scope, self.progress.listed);
            self.progress.listed += 1;
            spent += 1;
            if scope == Scope::Major && self.is_worth_releasing(store, position, patience) {
                (self.ops.release)(store, self.pages[position]);
                self.states[position].state = PageState::Released;
                spent += RELEASE;
            }
            self.list(store, scope, position);
        }
        let Progress { vacant, partial, crowded, warm, released, .. } = &mut self.progress;
        // Last comes first: those in memory before those given back, each in slot order.
        vacant.reverse();
        warm.reverse();
        released.reverse();
        if scope == Scope::Major {
            self.vacant.clear();
            self.partial.clear();
            self.crowded.clear();
            self.warm.clear();
            self.vacant.append(released);
        }
        self.warm.append(warm);
        self.vacant.append(vacant);
        self.partial.append(partial);
        self.crowded.append(crowded);
        self.forget_young();
        false
    }

    /// Whether a page has been vacant for long; counts another full cycle.
    fn is_worth_releasing(&mut self, store: &Store, position: usize, patience: u32) -> bool {
        let page = &mut self.states[position];
        let is_held = matches!(page.state, PageState::Open | PageState::Closed);
        if !is_held || self.current == Some(position) || !store.is_vacant(self.pages[position]) {
            page.vacant_for = 0;
            return false;
        }
        page.vacant_for = page.vacant_for.saturating_add(1);
        page.vacant_for > patience
    }

    fn list(&mut self, store: &Store, scope: Scope, position: usize) {
        /// Below so many pages every slot counts.
        const FEW_PAGES: usize = 8;
        let free = self.info.page_slots - store.occupied_len(self.pages[position]);
        let is_crowded = free < self.info.page_slots / 4 && self.pages.len() >= FEW_PAGES;
        let page = &mut self.states[position];
        let before = core::mem::replace(&mut page.list, List::None);
        match page.state {
            PageState::Spent => {}
            PageState::Released => self.progress.released.push(position),
            PageState::Open | PageState::Closed if free == self.info.page_slots => {
                self.progress.vacant.push(position);
            }
            PageState::Open | PageState::Closed if free > 0 => {
                if scope == Scope::Minor && free > self.info.page_slots / 2 {
                    page.list = List::Warm;
                    self.progress.warm.push(position);
                    return;
                }
                page.list = if is_crowded { List::Crowded } else { List::Partial };
                // A minor collection leaves the lists as they are.
                if scope == Scope::Major || before != page.list {
                    let lists = &mut self.progress;
                    if is_crowded { &mut lists.crowded } else { &mut lists.partial }.push_back(position);
                }
            }
            PageState::Open | PageState::Closed => {}
        }
    }

    /// Checks the pool's books. Adds the old objects that were changed.
    ///
    /// # Panics
    /// If something is wrong.
    pub(crate) fn verify(&self, store: &Store, logged: &mut Vec<RawHandle>) {
        let name = self.info.name;
        let (mut objects, mut watched) = (0, 0);
        for (page, state) in self.pages.iter().zip(&self.states) {
            if state.state == PageState::Open {
                let (of_page, watched_of_page) = (self.ops.verify_page)(store, *page, logged);
                objects += of_page;
                watched += watched_of_page;
            } else {
                assert!(store.is_vacant(*page), "page {page} of {name}: closed and not vacant");
            }
        }
        assert_eq!(objects, self.live, "objects of {name} in its pages and as counted");
        assert_eq!(watched, self.watched, "watched objects of {name} in its pages and as counted");
        let is_listed = |position: &usize| self.states[*position].is_young;
        assert!(self.young.iter().all(is_listed), "a page of {name} is listed as young and does not know");
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
        // A cycle may be under way, which goes on as it was.
        let young = (core::mem::take(&mut self.young), core::mem::take(&mut self.young_pages));
        let progress = core::mem::take(&mut self.progress);
        self.relist(store, Scope::Major, usize::MAX, u32::MAX);
        self.progress = progress;
        (self.young, self.young_pages) = young;
        self.limbo.shrink_to_fit();
    }
}

/// What a slice of a sweep did.
#[derive(Clone, Copy, Default)]
pub(crate) struct Swept {
    pub(crate) died: usize,
    /// Objects that died and pages that were looked at.
    pub(crate) work: usize,
}
