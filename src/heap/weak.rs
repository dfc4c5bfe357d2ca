//! What weak collections do together with the heap: canonicalising, interning, pruning by hand.

use alloc::borrow::ToOwned;
use core::borrow::Borrow;
use core::cell::RefCell;
use core::hash::{BuildHasher, Hash};

use bumpalo::Bump;

use crate::config::AllocError;
use crate::handle::{Gc, Weak};
use crate::heap::Heap;
use crate::heap::access::raise;
use crate::trace::{Discarded, During, Handle, Liveness, Trace};
use crate::weak::{Interner, WeakKeyMap, WeakSet, WeakValueMap};

/// # Caches and interned values
impl Heap {
    /// The object that the map has for this key; if none is alive, `make` makes one and it is inserted: a
    /// canonicalising cache. The map is an object of its own, named by its handle, so that `make` can have
    /// the heap; `key` is passed by value, since the map keeps it.
    ///
    /// `make` may do anything with the heap, collecting included. If the map dies meanwhile, the object is
    /// returned uncached; if `make` inserts another object for the key, the one made wins.
    ///
    /// # Panics
    /// With the text of [`Dead`](crate::Dead) if the map is gone; as [`alloc`](Self::alloc) if a limit is
    /// reached. If `make` panics, the map is as `make` left it; so it is if `Hash` or `Eq` of the key panics
    /// after that, and nothing refers to the object that was made.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, WeakValueMap};
    ///
    /// let mut heap = Heap::new();
    /// let textures = heap.alloc_root(WeakValueMap::new());
    /// let a = heap.get_or_alloc(&textures, "grass.png", |_, path| format!("pixels of {path}"));
    /// let b = heap.get_or_alloc(&textures, "grass.png", |_, _| unreachable!("it is in the cache"));
    /// assert_eq!(a, b);
    /// ```
    #[doc(alias("cache", "canonicalize"))]
    #[track_caller]
    pub fn get_or_alloc<K, V, S>(
        &mut self,
        map: impl Handle<Target = WeakValueMap<K, V, S>>,
        key: K,
        make: impl FnOnce(&mut Heap, &K) -> V,
    ) -> Gc<V>
    where
        K: Trace + Eq + Hash,
        V: Trace,
        S: BuildHasher + Send + Sync + 'static,
    {
        if let Some(found) = self.cached(map, &key) {
            return found;
        }
        let (map, own) = (map.downgrade(), self.number());
        let value = make(self, &key);
        let gc = self.alloc(value);
        // In another heap the handle may name another map.
        if self.number() == own {
            if let Some(map) = self.get_mut(map) {
                map.insert(key, gc);
            }
        }
        gc
    }

    /// As [`get_or_alloc`](Self::get_or_alloc), for a `make` that can fail and allocates by itself.
    ///
    /// # Errors
    /// The error of `make`; the map is then as it was.
    ///
    /// # Panics
    /// With the text of [`Dead`](crate::Dead) if the map is gone.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, WeakValueMap};
    ///
    /// let mut heap = Heap::new();
    /// let numbers = heap.alloc_root(WeakValueMap::<String, i32>::new());
    /// let mut parse = |text: &str| {
    ///     heap.get_or_try_alloc(&numbers, text, |heap| text.parse().map(|n| heap.alloc(n)))
    /// };
    /// assert!(parse("7").is_ok());
    /// assert!(parse("seven").is_err());
    /// ```
    #[track_caller]
    pub fn get_or_try_alloc<K, V, S, Q, E>(
        &mut self,
        map: impl Handle<Target = WeakValueMap<K, V, S>>,
        key: &Q,
        make: impl FnOnce(&mut Heap) -> Result<Gc<V>, E>,
    ) -> Result<Gc<V>, E>
    where
        K: Trace + Eq + Hash + Borrow<Q>,
        V: Trace,
        S: BuildHasher + Send + Sync + 'static,
        Q: ?Sized + Eq + Hash + ToOwned<Owned = K>,
    {
        if let Some(found) = self.cached(map, key) {
            return Ok(found);
        }
        let (map, own) = (map.downgrade(), self.number());
        let gc = make(self)?;
        // In another heap the handle may name another map.
        if self.number() == own {
            if let Some(map) = self.get_mut(map) {
                map.insert(key.to_owned(), gc);
            }
        }
        Ok(gc)
    }

    /// A weak collection in the heap.
    #[inline]
    #[track_caller]
    fn collection<H: Handle>(&self, h: H) -> &H::Target {
        match self.get(h) {
            Some(collection) => collection,
            None => raise(self.dead(h).of_collection()),
        }
    }

    /// The living object that the map has for this key.
    #[track_caller]
    fn cached<K, V, S, Q>(&self, map: impl Handle<Target = WeakValueMap<K, V, S>>, key: &Q) -> Option<Gc<V>>
    where
        K: Trace + Eq + Hash + Borrow<Q>,
        V: Trace,
        S: BuildHasher + Send + Sync + 'static,
        Q: ?Sized + Eq + Hash,
    {
        self.upgrade(self.collection(map).get(key)?)
    }

    /// The one object of the table that is equal to `value`, which is inserted if there is none.
    ///
    /// # Panics
    /// With the text of [`Dead`](crate::Dead) if the table is gone; as [`alloc`](Self::alloc) if a limit is
    /// reached.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, Interner};
    ///
    /// let mut heap = Heap::new();
    /// let names = heap.alloc_root(Interner::new());
    /// assert_eq!(heap.intern(&names, "x".to_string()), heap.intern(&names, "x".to_string()));
    /// assert_ne!(heap.intern(&names, "x".to_string()), heap.intern(&names, "y".to_string()));
    /// ```
    #[doc(alias("flyweight", "symbol"))]
    #[track_caller]
    pub fn intern<T, S>(&mut self, table: impl Handle<Target = Interner<T, S>>, value: T) -> Gc<T>
    where
        T: Trace + Eq + Hash,
        S: BuildHasher + Send + Sync + 'static,
    {
        match self.try_intern(table, value) {
            Ok(gc) => gc,
            Err(refused) => panic!("slotgc: {}", refused.refusal()),
        }
    }

    /// As [`intern`](Self::intern), but returns the value when a limit is reached.
    ///
    /// # Errors
    /// [`AllocError`] with the value in it.
    ///
    /// # Panics
    /// With the text of [`Dead`](crate::Dead) if the table is gone.
    #[track_caller]
    pub fn try_intern<T, S>(
        &mut self,
        table: impl Handle<Target = Interner<T, S>>,
        value: T,
    ) -> Result<Gc<T>, AllocError<T>>
    where
        T: Trace + Eq + Hash,
        S: BuildHasher + Send + Sync + 'static,
    {
        let hash = self.collection(table).hasher().hash_one(&value);
        if let Some(found) = self.find_interned(table, hash, &value) {
            return Ok(found);
        }
        let gc = self.try_alloc(value)?;
        self[table.downgrade()].file(hash, gc.downgrade());
        Ok(gc)
    }

    /// The one object of the table that is equal to `value`, made by `make` if there is none: nothing is made
    /// on a hit. If the result of `make` is not equal to `value`, it is stored under its own hash (and if the
    /// table has an equal one, that is returned instead).
    ///
    /// # Panics
    /// As [`intern`](Self::intern).
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, Interner};
    ///
    /// let mut heap = Heap::new();
    /// let names = heap.alloc_root(Interner::<String>::new());
    /// let a = heap.intern_with(&names, "Teddy", str::to_string);
    /// let b = heap.intern_with(&names, "Teddy", |_| unreachable!("nothing is made on a hit"));
    /// assert_eq!(a, b);
    /// ```
    #[track_caller]
    pub fn intern_with<T, S, Q>(
        &mut self,
        table: impl Handle<Target = Interner<T, S>>,
        value: &Q,
        make: impl FnOnce(&Q) -> T,
    ) -> Gc<T>
    where
        T: Trace + Eq + Hash + Borrow<Q>,
        S: BuildHasher + Send + Sync + 'static,
        Q: ?Sized + Eq + Hash,
    {
        match self.interned(table, value) {
            Some(found) => found,
            None => self.intern(table, make(value)),
        }
    }

    /// The one object of the table that is equal to `value`, if there is one.
    ///
    /// # Panics
    /// With the text of [`Dead`](crate::Dead) if the table is gone.
    ///
    /// # Examples
    /// ```
    /// use slotgc::{Heap, Interner};
    ///
    /// let mut heap = Heap::new();
    /// let names = heap.alloc_root(Interner::new());
    /// let teddy = heap.intern(&names, "Teddy".to_string());
    /// assert_eq!(heap.interned(&names, "Teddy"), Some(teddy));
    /// assert_eq!(heap.interned(&names, "Mike"), None);
    /// ```
    #[track_caller]
    pub fn interned<T, S, Q>(&self, table: impl Handle<Target = Interner<T, S>>, value: &Q) -> Option<Gc<T>>
    where
        T: Trace + Eq + Hash + Borrow<Q>,
        S: BuildHasher + Send + Sync + 'static,
        Q: ?Sized + Eq + Hash,
    {
        let hash = self.collection(table).hasher().hash_one(value);
        self.find_interned(table, hash, value)
    }

    #[track_caller]
    fn find_interned<T, S, Q>(
        &self,
        table: impl Handle<Target = Interner<T, S>>,
        hash: u64,
        value: &Q,
    ) -> Option<Gc<T>>
    where
        T: Trace + Eq + Hash + Borrow<Q>,
        S: BuildHasher + Send + Sync + 'static,
        Q: ?Sized + Eq,
    {
        let is_equal = |weak: Weak<T>| self.get(weak).is_some_and(|known: &T| known.borrow() == value);
        self.upgrade(self.collection(table).find(hash, is_equal)?)
    }

    /// Prunes a weak collection by what is alive right now, and drops what was removed.
    fn prune_now(&self, prune: impl FnOnce(&Liveness<'_>)) {
        let discarded = RefCell::new(Discarded::default());
        let scratch = Bump::new();
        prune(&Liveness::new(
            self.store.headers(),
            During::Mutation,
            self.collector.building(),
            &discarded,
            &scratch,
        ));
        while discarded.borrow_mut().drop_first() {}
    }
}

/// For weak collections that are kept outside the heap.
macro_rules! prune_dead {
    ($([$($generics:tt)*] $ty:ty),* $(,)?) => {$(
        impl<$($generics)*> $ty {
            /// Removes the entries that are dead in `heap`: for a weak collection that is kept outside it.
            /// One inside the heap is pruned by every collection that reaches it. O(capacity).
            pub fn prune_dead(&mut self, heap: &Heap) {
                heap.prune_now(|live| self.prune_by(live));
            }
        }
    )*};
}

prune_dead! {
    [T: Trace] WeakSet<T>,
    [K: Send + 'static, V: Trace, S] WeakValueMap<K, V, S>,
    [K: Trace, V: Send + 'static] WeakKeyMap<K, V>,
    [T: Trace, S] Interner<T, S>,
}
