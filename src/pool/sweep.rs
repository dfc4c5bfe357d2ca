//! What a collection does with a pool: it sweeps the pages, and lists those with free slots again.

use alloc::vec::Vec;

use super::{PageState, Pool, PoolPage};
use crate::geometry::Granule;
use crate::handle::RawHandle;
use crate::pool::lists::{List, Lists};
use crate::store::{Age, DoomCursor, Made, Store, SweepLog};
use crate::sync::{Gauge, Ordering};

/// Which pages a collection sweeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// All.
    Major,
    /// Those in which objects were made since the last one.
    Minor,
}

/// What a slice of a sweep did.
#[derive(Clone, Copy, Default)]
pub(crate) struct Swept {
    pub(crate) died: usize,
    /// Objects that died and pages that were visited.
    pub(crate) work: usize,
}

/// How many objects are dead and not swept yet, once somebody has asked.
struct Condemned(Gauge);

impl Condemned {
    const UNKNOWN: usize = usize::MAX;

    /// The number, which is counted if it is not known.
    fn get_or(&self, count: impl FnOnce() -> usize) -> usize {
        // Relaxed, here and below: several readers may count, and find the same.
        match self.0.load(Ordering::Relaxed) {
            Self::UNKNOWN => {
                let len = count();
                self.0.store(len, Ordering::Relaxed);
                len
            }
            len => len,
        }
    }

    /// So many were swept.
    fn reduce(&mut self, swept: usize) {
        let len = self.0.get_mut();
        if *len != Self::UNKNOWN {
            *len -= swept;
        }
    }
}

impl Default for Condemned {
    fn default() -> Self {
        Self(Gauge::new(Self::UNKNOWN))
    }
}

impl Clone for Condemned {
    fn clone(&self) -> Self {
        Self(Gauge::new(self.0.load(Ordering::Relaxed)))
    }
}

/// How far the sweep of a pool has come.
#[derive(Clone, Default)]
pub(super) struct Progress {
    /// Pages swept.
    pages: usize,
    /// Pages there were when the sweep began. What is made later on others is not white; and a page for slots
    /// set aside may come with each step, more than a step of one unit sweeps.
    end: usize,
    /// Words swept of the next one.
    words: usize,
    /// Whether a part of the next one was swept, perhaps only of its first word.
    in_page: bool,
    dropping: DoomCursor,
    condemned: Condemned,
    /// Slots of limbo still to be checked.
    pub(super) limbo: usize,
    /// Those that nothing names, which become free when their page is swept.
    freeing: Vec<Granule>,
    /// Pages listed.
    listed: usize,
    /// The lists that they are on.
    lists: Lists,
}

impl Pool {
    /// Sets the age of objects made from here on.
    pub(crate) fn set_making(&mut self, store: &mut Store, making: Age) {
        self.return_claim(store);
        self.making = making;
    }

    /// The age of objects made now.
    pub(crate) fn making(&self) -> Age {
        self.making
    }

    /// Makes everything white that a full collection may free. What was made before is no longer young.
    pub(crate) fn begin_major(&mut self, store: &mut Store) {
        self.forget_young();
        self.made.clear();
        self.made_len = 0;
        store.whiten(self.pages.by_position());
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

    /// Records which pages a minor collection has to look at.
    pub(crate) fn begin_minor(&mut self) {
        self.young.sort_unstable();
        self.young_pages.clear();
        self.young_pages.extend(self.young.iter().map(|position| self.pages[*position]));
    }

    /// The next place with new objects that must be traced.
    pub(crate) fn next_made(&mut self) -> Option<Made> {
        let made = self.made.pop()?;
        self.made_len -= made.bits.count_ones() as usize;
        Some(made)
    }

    /// They must still be traced.
    pub(crate) fn put_made_back(&mut self, made: Made) {
        self.made_len += made.bits.count_ones() as usize;
        self.made.push(made);
    }

    /// The handles of the objects made there.
    pub(crate) fn each_made(&self, store: &Store, made: Made, visit: &mut dyn FnMut(RawHandle)) {
        (self.ops.each_of)(store, made.page, made.word, made.bits, visit);
    }

    /// Everything white is dead from now on, though it is swept later. O(pages).
    pub(crate) fn condemn(&self, store: &mut Store) {
        store.veil_all(self.pages.by_position());
    }

    /// How many objects are dead and not swept yet. O(1), after the first call of a sweep.
    pub(crate) fn condemned(&self, store: &Store) -> usize {
        self.progress.condemned.get_or(|| self.count_condemned(store))
    }

    /// As [`condemned`](Self::condemned). O(pages + slots in limbo).
    pub(crate) fn count_condemned(&self, store: &Store) -> usize {
        let pages = self.pages.by_position();
        let swept_in_part = pages.get(self.progress.pages);
        let mut len = 0;
        for page in pages.iter().filter(|page| store.is_veiled(**page)) {
            len += if swept_in_part == Some(page) {
                (self.ops.condemned_len)(store, *page)
            } else {
                store.white_slots_len(*page)
            };
        }
        let is_counted =
            |granule: &&Granule| swept_in_part != Some(&granule.page()) && store.is_condemned(**granule);
        len - self.limbo.iter().chain(&self.progress.freeing).filter(is_counted).count()
    }

    /// Begins the sweep.
    pub(crate) fn begin_sweep(&mut self, scope: Scope) {
        let limbo = if scope == Scope::Major { self.limbo.len() } else { 0 };
        // Room for the lists before any destructor runs: glibc walks all small freed blocks when a larger one
        // is requested.
        let mut lists = core::mem::take(&mut self.progress.lists);
        lists.clear();
        lists.vacant.reserve(if scope == Scope::Major { self.pages.len() } else { 0 });
        self.progress = Progress { end: self.scope_len(scope), limbo, lists, ..Progress::default() };
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

    /// Continues ending the lives of everything white, at most `quota` objects. Returns how many died, or
    /// `None` when all are dead. Those with a destructor are doomed, and [`drop_doomed`](Self::drop_doomed)
    /// frees their slots.
    pub(crate) fn sweep(
        &mut self,
        store: &mut Store,
        scope: Scope,
        quota: usize,
        log: &mut SweepLog,
    ) -> Option<Swept> {
        let mut swept = Swept::default();
        // Before any page, where they become free and may be reused at once.
        let slots = self.progress.limbo.min(quota.saturating_mul(16));
        self.progress.limbo -= slots;
        for _ in 0..slots {
            // Once around, so the order is kept.
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
        while self.progress.pages < self.progress.end {
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
                self.progress.condemned.reduce(died);
                return Swept { died, work: 1 };
            }
            _ => {}
        }
        let watched_before = log.watched.len();
        let died = (self.ops.sweep_page)(store, page, &mut self.progress.words, quota, log);
        self.retired.append(&mut log.retired);
        self.live -= died;
        self.progress.condemned.reduce(died);
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

    /// Runs the next destructors, `quota` of them at most, and counts them in `dropped`; `false` if there are
    /// none left. A destructor that panics has run.
    pub(crate) fn drop_doomed(
        &mut self,
        store: &mut Store,
        scope: Scope,
        quota: usize,
        dropped: &mut usize,
    ) -> bool {
        let pages = if scope == Scope::Major { self.pages.by_position() } else { &self.young_pages };
        if self.has_doomed {
            self.has_doomed =
                (self.ops.drop_doomed)(store, pages, &mut self.progress.dropping, quota, dropped);
        }
        self.has_doomed
    }

    /// Continues listing the pages with free slots again, at most `quota` of them; `false` when all are
    /// listed. A page that more than `patience` full cycles found vacant since it was last used is returned
    /// to the system, and any type may then use it. Giving the remaining pages their new positions is one
    /// indivisible piece: O(pages), if some pages left.
    pub(crate) fn relist(&mut self, store: &mut Store, scope: Scope, quota: usize, patience: u32) -> bool {
        /// Releasing a page is a call into the kernel.
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
        if scope == Scope::Major {
            self.lists.clear();
        }
        self.lists.append(&mut self.progress.lists);
        self.forget_young();
        if scope == Scope::Major {
            self.give_up(store);
        }
        false
    }

    /// Leaves the released pages to all types, and puts the others in the order of addresses.
    fn give_up(&mut self, store: &mut Store) {
        let is_kept = |page: &PoolPage| matches!(page.state, PageState::Open | PageState::Closed);
        if self.pages.is_ascending() && self.states.iter().all(is_kept) {
            return;
        }
        let len = self.states.iter().filter(|page| is_kept(page)).count();
        let rooms = (room::<usize>(len), room::<(usize, usize)>(len), room(len), room(len));
        let (Some(mut kept), Some(mut moved), Some(mut states), Some(mut numbers)) = rooms else {
            // No memory is left for this, so the pages stay with this type until next time.
            return;
        };
        for (page, state) in self.pages.by_position().iter().zip(&self.states) {
            if state.state == PageState::Released {
                (self.ops.give_up)(store, *page);
            }
        }
        let pages = self.pages.by_position();
        kept.extend((0..pages.len()).filter(|position| is_kept(&self.states[*position])));
        kept.sort_unstable_by_key(|position| pages[*position]);
        moved.extend(kept.iter().enumerate().map(|(new, old)| (*old, new)));
        moved.sort_unstable();
        let moved = |position: usize| {
            let place = moved.binary_search_by_key(&position, |(old, _)| *old).ok()?;
            Some(moved[place].1)
        };
        self.lists.renumber(moved);
        self.current = self.current.and_then(moved);
        for (position, _) in &mut self.later {
            // Its slots look occupied, so it is kept.
            *position = moved(*position).unwrap_or(*position);
        }
        // A page can be young and vacant: its slots were set aside and not used.
        self.young.retain_mut(|position| moved(*position).map(|new| *position = new).is_some());
        states.extend(kept.iter().map(|position| self.states[*position]));
        numbers.extend(kept.iter().map(|position| pages[*position]));
        self.states = states;
        self.pages.replace(numbers);
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
        /// Below this many pages every slot counts.
        const FEW_PAGES: usize = 8;
        let free = self.info.page_slots - store.occupied_len(self.pages[position]);
        let is_crowded = free < self.info.page_slots / 4 && self.pages.len() >= FEW_PAGES;
        let page = &mut self.states[position];
        let before = core::mem::replace(&mut page.list, List::None);
        let found = &mut self.progress.lists;
        match page.state {
            PageState::Released | PageState::Spent => {}
            PageState::Open | PageState::Closed if free == self.info.page_slots => {
                found.vacant.push(position)
            }
            PageState::Open | PageState::Closed if free > 0 => {
                if scope == Scope::Minor && free > self.info.page_slots / 2 {
                    page.list = List::Warm;
                    found.warm.push(position);
                    return;
                }
                page.list = if is_crowded { List::Crowded } else { List::Partial };
                // A minor collection leaves the lists as they are.
                if scope == Scope::Major || before != page.list {
                    if is_crowded { &mut found.crowded } else { &mut found.partial }.push_back(position);
                }
            }
            PageState::Open | PageState::Closed => {}
        }
    }

    /// Releases the memory of empty pages. Between cycles any type may then use them; during a cycle they
    /// stay with this pool until it ends, so that its collection continues undisturbed.
    pub(crate) fn shrink(&mut self, store: &mut Store, in_cycle: bool) {
        self.return_claim(store);
        for (position, page) in self.pages.by_position().iter().enumerate() {
            let state = &mut self.states[position];
            if matches!(state.state, PageState::Open | PageState::Closed) && store.is_vacant(*page) {
                (self.ops.release)(store, *page);
                (state.state, state.list) = (PageState::Released, List::None);
            }
        }
        self.lists.vacant.retain(|position| self.states[*position].state != PageState::Released);
        if !in_cycle {
            self.give_up(store);
        }
        self.limbo.shrink_to_fit();
    }
}

/// An empty list with this capacity, if there is memory for it.
fn room<T>(len: usize) -> Option<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(len).ok().map(|()| list)
}
