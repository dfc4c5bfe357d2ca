//! The pages of a pool, and the lists of those with free slots.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Index;

use crate::config::Limit;
use crate::pool::PoolPage;
use crate::store::reserve;

/// The lists of pages with some free slots. Empty pages are on a list that no page needs to know of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum List {
    None,
    Warm,
    Partial,
    Crowded,
}

/// Pages by position, in the order in which they will be used. An entry is void if its page says that it is
/// on another list.
#[derive(Clone, Default)]
pub(super) struct Lists {
    /// Pages of which the last minor collection freed more than half, the next one last: they are in the
    /// processor's cache, and are refilled with objects allocated together.
    pub(super) warm: Vec<usize>,
    /// Empty pages, the next one last.
    pub(super) vacant: Vec<usize>,
    /// Pages with free slots.
    pub(super) partial: VecDeque<usize>,
    /// Pages with few free slots, used when there is nothing else: objects allocated together should lie
    /// together, also for the minor collection that sweeps them.
    pub(super) crowded: VecDeque<usize>,
}

impl Lists {
    /// Removes and returns the next page of a list.
    pub(super) fn next(&mut self, states: &mut [PoolPage], list: List) -> Option<usize> {
        loop {
            let position = match list {
                List::Warm => self.warm.pop(),
                List::Partial => self.partial.pop_front(),
                List::Crowded => self.crowded.pop_front(),
                List::None => None,
            }?;
            let page = &mut states[position];
            if page.list == list {
                page.list = List::None;
                return Some(position);
            }
        }
    }

    /// Puts a page on the list of those with free slots.
    pub(super) fn add_partial(&mut self, states: &mut [PoolPage], position: usize) {
        let page = &mut states[position];
        if page.list != List::Partial {
            page.list = List::Partial;
            self.partial.push_back(position);
        }
    }

    /// Forgets all pages.
    pub(super) fn clear(&mut self) {
        let Self { warm, vacant, partial, crowded } = self;
        warm.clear();
        vacant.clear();
        partial.clear();
        crowded.clear();
    }

    /// Takes over what a sweep found. Those of its lists that are used from the end are in slot order so far.
    pub(super) fn append(&mut self, found: &mut Lists) {
        found.warm.reverse();
        found.vacant.reverse();
        take_over(&mut self.warm, &mut found.warm);
        take_over(&mut self.vacant, &mut found.vacant);
        self.partial.append(&mut found.partial);
        self.crowded.append(&mut found.crowded);
    }

    /// Positions changed: those for which `moved` has no new one are no longer the pool's.
    pub(super) fn renumber(&mut self, moved: impl Fn(usize) -> Option<usize>) {
        let Self { warm, vacant, partial, crowded } = self;
        for list in [warm, vacant] {
            list.retain_mut(|position| moved(*position).map(|new| *position = new).is_some());
            list.shrink_to(2 * list.len());
        }
        for list in [partial, crowded] {
            *list = list.iter().filter_map(|position| moved(*position)).collect();
        }
    }
}

/// Appends, without an allocation if the own list is empty.
fn take_over(own: &mut Vec<usize>, found: &mut Vec<usize>) {
    if own.is_empty() { core::mem::swap(own, found) } else { own.append(found) }
}

/// The numbers that a pool's pages have in the heap, by their positions in the pool.
#[derive(Clone, Default)]
pub(super) struct Pages {
    by_position: Vec<u32>,
    /// The same in the order of addresses; empty as long as that is the order of positions, which only a page
    /// taken over from another pool can break.
    ascending: Vec<u32>,
}

impl Pages {
    pub(super) fn len(&self) -> usize {
        self.by_position.len()
    }

    pub(super) fn by_position(&self) -> &[u32] {
        &self.by_position
    }

    /// In the order of addresses.
    pub(super) fn ascending(&self) -> &[u32] {
        if self.ascending.is_empty() { &self.by_position } else { &self.ascending }
    }

    pub(super) fn is_ascending(&self) -> bool {
        self.ascending.is_empty()
    }

    /// Makes room for this many more pages.
    pub(super) fn reserve(&mut self, more: u32) -> Result<(), Limit> {
        reserve(&mut self.by_position, more)?;
        if self.ascending.is_empty() { Ok(()) } else { reserve(&mut self.ascending, more) }
    }

    /// Adds a page and returns its position. O(1), or O(pages) for one between others.
    pub(super) fn push(&mut self, page: u32) -> usize {
        let is_last = self.ascending().last().is_none_or(|last| *last < page);
        if !is_last && self.ascending.is_empty() {
            self.ascending.clone_from(&self.by_position);
        }
        if !self.ascending.is_empty() {
            let place = self.ascending.partition_point(|other| *other < page);
            self.ascending.insert(place, page);
        }
        self.by_position.push(page);
        self.by_position.len() - 1
    }

    /// The position of a page.
    pub(super) fn position(&self, page: u32) -> Option<usize> {
        if self.ascending.is_empty() {
            self.by_position.binary_search(&page).ok()
        } else {
            self.by_position.iter().position(|other| *other == page)
        }
    }

    /// Keeps these, which ascend.
    pub(super) fn replace(&mut self, pages: Vec<u32>) {
        self.by_position = pages;
        self.ascending = Vec::new();
    }
}

impl Index<usize> for Pages {
    type Output = u32;

    fn index(&self, position: usize) -> &u32 {
        &self.by_position[position]
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn a_page_between_others_has_the_last_position_and_its_place_in_the_order_of_addresses() {
        let mut pages = Pages::default();
        for page in [3, 7, 9] {
            pages.push(page);
        }
        assert!(pages.is_ascending());
        assert_eq!((pages.push(5), pages.push(12)), (3, 4));
        assert_eq!(pages.ascending(), [3, 5, 7, 9, 12]);
        assert_eq!(pages.by_position(), [3, 7, 9, 5, 12]);
        assert_eq!([5, 12, 3, 4].map(|page| pages.position(page)), [Some(3), Some(4), Some(0), None]);
    }

    #[test]
    fn a_page_that_left_is_on_no_list() {
        let mut lists = Lists { warm: vec![2, 0], ..Lists::default() };
        lists.partial.extend([1, 2]);
        lists.renumber(|position| [Some(1), None, Some(0)][position]);
        assert_eq!(lists.warm, [0, 1]);
        assert_eq!(lists.partial, [0]);
    }
}
