//! boa_gc: `WeakGc` and `WeakMap`, an ephemeron table each of whose entries is an allocation.

use std::time::Duration;

use boa_gc::{Gc, WeakGc, WeakMap, force_collect};

use crate::needs::ephemeron::{Chain, Links};
use crate::needs::weak::{Entry, Object, Table, object};
use crate::needs::{Field, Handles};

/// Owns the objects.
#[derive(Debug)]
pub(crate) struct BoaWeak {
    objects: Vec<Gc<Object>>,
}

impl Drop for BoaWeak {
    /// Leaves nothing for the next case.
    fn drop(&mut self) {
        self.objects.clear();
        force_collect();
    }
}

impl Handles for BoaWeak {
    type Handle = WeakGc<Object>;

    fn new(_: usize) -> Self {
        Self { objects: Vec::new() }
    }

    fn alloc(&mut self, id: u64) -> WeakGc<Object> {
        let object = Gc::new(object(id));
        let weak = WeakGc::new(&object);
        self.objects.push(object);
        weak
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &WeakGc<Object>) -> u64 {
        let object = handle.upgrade().expect("a living object");
        F::pick(&object[0], &object[7])
    }
}

/// From objects to numbers.
#[derive(Debug)]
pub(crate) struct BoaKeys {
    map: Option<WeakMap<Object, u64>>,
    len: usize,
}

impl Drop for BoaKeys {
    /// Leaves nothing for the next case.
    fn drop(&mut self) {
        self.map = None;
        force_collect();
    }
}

impl BoaKeys {
    fn map(&self) -> &WeakMap<Object, u64> {
        self.map.as_ref().expect("not dropped yet")
    }
}

impl Table for BoaKeys {
    type Handle = Gc<Object>;

    fn new() -> Self {
        Self { map: Some(WeakMap::new()), len: 0 }
    }

    fn alloc(&mut self, id: u64) -> Gc<Object> {
        Gc::new(object(id))
    }

    #[inline(always)]
    fn insert(&mut self, id: u64, handle: &Gc<Object>) {
        self.map.as_mut().expect("not dropped yet").insert(handle, id);
        self.len += 1;
    }

    #[inline(always)]
    fn get(&self, _: u64, handle: &Gc<Object>) -> u64 {
        let entry = self.map().get(handle).expect("an entry");
        *entry.value().expect("a living key")
    }

    fn expected(id: u64, _: &Gc<Object>) -> u64 {
        id
    }

    /// What was inserted: the map does not report it.
    fn len(&self) -> usize {
        self.len
    }

    fn prune(&mut self, _: Vec<Entry<Gc<Object>>>, _: &[Entry<Gc<Object>>]) -> Duration {
        unreachable!("is part of its collections and cannot be timed")
    }
}

/// A `WeakMap` and a root for the first key.
#[derive(Debug)]
pub(crate) struct BoaChain {
    first: Option<Gc<Object>>,
    /// For what the map does not report.
    keys: Vec<WeakGc<Object>>,
    map: Option<WeakMap<Object, Gc<Object>>>,
}

impl Drop for BoaChain {
    /// Leaves nothing for the next case.
    fn drop(&mut self) {
        self.first = None;
        self.keys.clear();
        self.map = None;
        force_collect();
    }
}

impl Chain for BoaChain {
    /// It visits entries in the order of insertion. While the chain is built all objects are roots, so that
    /// the collections that it decides to run are linear.
    fn build(links: &Links) -> Self {
        let objects: Vec<_> = (0..links.len() as u64).map(|id| Gc::new(object(id))).collect();
        let mut map = WeakMap::new();
        links.each(|key, value| map.insert(&objects[key], objects[value].clone()));
        Self { first: Some(objects[links.first()].clone()), keys: Vec::new(), map: Some(map) }
    }

    fn collect(&mut self) {
        force_collect();
    }

    fn steps(&self) -> usize {
        let map = self.map.as_ref().expect("not dropped yet");
        let next = |key: &Gc<Object>| Some(map.get(key)?.value().expect("a living key").clone());
        std::iter::successors(self.first.clone(), next).count() - 1
    }

    fn drop_first(&mut self) {
        // A weak pointer to the second key is the only check that costs next to nothing.
        let map = self.map.as_ref().expect("not dropped yet");
        let first = self.first.take().expect("a root");
        let second = map.get(&first).expect("an entry").value().expect("a living key").clone();
        self.keys = vec![WeakGc::new(&first), WeakGc::new(&second)];
    }

    fn living(&self) -> usize {
        self.keys.iter().filter(|key| key.upgrade().is_some()).count()
    }
}
