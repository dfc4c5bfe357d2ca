//! Pending values of each type and each thread: where they are, and how the flush puts them into the heap.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::any::{Any, TypeId};

use super::blocks::{Block, ByType, Places};
use crate::config::Limit;
use crate::handle::Gc;
use crate::heap::Heap;
use crate::panics::Panics;
use crate::store::{Draft, Store};
use crate::trace::Trace;

/// What one thread made.
#[derive(Default)]
pub(super) struct Shard {
    places: ByType<usize>,
    buffers: Vec<Buffer>,
    /// The place of the type used last.
    last: usize,
}

/// The [`Values`] of some type, and the operations on them.
struct Buffer {
    values: Box<dyn Any + Send + Sync>,
    /// Puts the values into their places. Returns how many found one.
    flush: fn(&mut dyn Any, &mut Heap, &mut Panics) -> usize,
    /// Drops the values.
    discard: fn(&mut dyn Any, &mut Store, &mut Panics),
}

/// The values of one type.
pub(super) struct Values<T> {
    /// In the order of their places in the words.
    values: Vec<T>,
    /// The last one is being filled.
    blocks: Vec<Block>,
    places: Option<Places>,
    /// The last one is being filled.
    drafts: Vec<Draft<T>>,
}

impl<T> Values<T> {
    const NONE: Self = Self { values: Vec::new(), blocks: Vec::new(), places: None, drafts: Vec::new() };
}

impl<T: Trace> Values<T> {
    /// Takes a value, or returns it if there is no place for it.
    #[inline]
    pub(super) fn push(&mut self, heap: &Heap, value: T) -> Result<Gc<T>, (T, Limit)> {
        match self.drafts.last_mut() {
            Some(draft) if !draft.is_full() => Ok(Gc::from_raw(draft.push(&heap.store, value))),
            _ => self.push_elsewhere(heap, value),
        }
    }

    /// As `push`, where no draft has room.
    fn push_elsewhere(&mut self, heap: &Heap, value: T) -> Result<Gc<T>, (T, Limit)> {
        let raw = loop {
            if let Some(raw) = self.places.as_mut().and_then(|places| places.next::<T>(heap)) {
                break raw;
            }
            self.places = None;
            let block = if self.drafts.is_empty() { heap.take_word::<T>() } else { None };
            if let Some((word, places)) = block {
                self.blocks.push(Block { word, used: 0 });
                self.places = Some(places);
                continue;
            }
            match heap.draft::<T>() {
                Ok(draft) => self.drafts.push(draft),
                Err(limit) => return Err((value, limit)),
            }
            let draft = self.drafts.last_mut().expect("it was just pushed");
            return Ok(Gc::from_raw(draft.push(&heap.store, value)));
        };
        if let Some(block) = self.blocks.last_mut() {
            block.used += 1;
        }
        self.values.push(value);
        Ok(Gc::from_raw(raw))
    }

    /// Puts the values into the words that were set aside for them.
    fn fill_words(&mut self, heap: &mut Heap, panics: &mut Panics) -> usize {
        let len = self.values.len();
        let Some(index) = heap.types.get::<T>().map(usize::from) else { return 0 };
        let (mut values, mut made) = (self.values.drain(..), 0);
        for Block { word, used } in self.blocks.drain(..) {
            let mut claim = heap.pools[index].take_later(word);
            made += heap.fill_claim(index, &mut claim, &mut values, used, panics);
            heap.pools[index].put_later(&heap.store, word, claim);
        }
        drop(values);
        // Shrinks again after an unusually large frame.
        if self.values.capacity() / 4 > len {
            self.values.shrink_to(2 * len);
        }
        made
    }

    fn flush(&mut self, heap: &mut Heap, panics: &mut Panics) -> usize {
        self.places = None;
        let mut made = self.fill_words(heap, panics);
        for draft in self.drafts.drain(..) {
            made += heap.open_draft(draft, panics);
        }
        heap.later.types.with(|types| {
            types.entry(TypeId::of::<T>()).and_modify(|demand| demand.seen += made);
        });
        made
    }

    fn discard(&mut self, store: &mut Store, panics: &mut Panics) {
        (self.places, self.blocks) = (None, Vec::new());
        panics.run_all(|| self.values.pop().is_some());
        self.drafts.drain(..).for_each(|draft| store.discard_draft(draft, panics));
    }
}

impl Buffer {
    fn of<T: Trace>() -> Self {
        fn values<T: Trace>(any: &mut dyn Any) -> &mut Values<T> {
            any.downcast_mut().expect("the values of this type")
        }
        Self {
            values: Box::new(Values::<T>::NONE),
            flush: |any, heap, panics| values::<T>(any).flush(heap, panics),
            discard: |any, store, panics| values::<T>(any).discard(store, panics),
        }
    }
}

impl Shard {
    #[inline(always)]
    pub(super) fn values<T: Trace>(&mut self) -> &mut Values<T> {
        let is_last = self.buffers.get(self.last).is_some_and(|buffer| buffer.values.is::<Values<T>>());
        if !is_last {
            self.find::<T>();
        }
        self.buffers[self.last].values.downcast_mut().expect("the values of this type")
    }

    /// Makes the buffer of this type the last one used.
    #[cold]
    fn find<T: Trace>(&mut self) {
        self.last = *self.places.entry(TypeId::of::<T>()).or_insert(self.buffers.len());
        if self.last == self.buffers.len() {
            self.buffers.push(Buffer::of::<T>());
        }
    }

    pub(super) fn flush(&mut self, heap: &mut Heap, panics: &mut Panics) -> usize {
        self.buffers.iter_mut().map(|buffer| (buffer.flush)(&mut *buffer.values, heap, panics)).sum()
    }

    pub(super) fn discard(&mut self, store: &mut Store, panics: &mut Panics) {
        self.buffers.iter_mut().for_each(|buffer| (buffer.discard)(&mut *buffer.values, store, panics));
    }
}
