//! A vector that grows without moving its items, so no push takes longer because of earlier ones.

use alloc::vec::Vec;

use crate::space::prefetch_near;

/// Items in a chunk: few enough to be allocated quickly, many enough that there are few chunks.
const CHUNK: usize = 1024;

#[derive(Clone)]
pub(super) struct ChunkedVec<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for ChunkedVec<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> ChunkedVec<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, item: T) {
        let chunk = self.len / CHUNK;
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[chunk].push(item);
        self.len += 1;
    }

    pub(super) fn get(&self, index: usize) -> &T {
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    /// Prefetches an item, if it exists.
    #[inline]
    pub(super) fn prefetch(&self, index: usize) {
        if let Some(item) = self.chunks.get(index / CHUNK).and_then(|chunk| chunk.get(index % CHUNK)) {
            prefetch_near((&raw const *item).cast());
        }
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut T {
        &mut self.chunks[index / CHUNK][index % CHUNK]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// Empties it. Keeps the memory of as many items as there were, or all that it has.
    pub(super) fn clear(&mut self, keeps_all: bool) {
        if !keeps_all {
            self.chunks.truncate(self.len.div_ceil(CHUNK));
        }
        self.chunks.iter_mut().for_each(Vec::clear);
        self.len = 0;
    }
}
