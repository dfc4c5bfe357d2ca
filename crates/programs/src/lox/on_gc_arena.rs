//! gc-arena: objects in an arena whose root is the machine. It leaves `mutate` at its safe points.

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::ops::{Deref, DerefMut};

use gc_arena::lock::{Lock, RefLock};
use gc_arena::{Arena, Collect, Gc, GcWeak, Mutation, Rootable};
use hashbrown::HashTable;
use slotgc::HandleHasher;

use crate::lox::code::Script;
use crate::lox::machine::{Machine, Status};
use crate::lox::memory::{Class, Closure, Collected, Instance, Memory, Method, Upvalue, Value};

/// A pointer that compares by identity.
#[derive(Collect)]
#[collect(no_drop)]
pub(crate) struct Pointer<'gc, T: 'gc>(Gc<'gc, T>);

impl<T> Copy for Pointer<'_, T> {}

impl<T> Clone for Pointer<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> PartialEq for Pointer<'_, T> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        Gc::ptr_eq(self.0, other.0)
    }
}

impl<T> Eq for Pointer<'_, T> {}

impl<T> Hash for Pointer<'_, T> {
    #[inline(always)]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_usize(Gc::as_ptr(self.0).addr());
    }
}

/// A string of the language.
#[derive(Collect)]
#[collect(require_static)]
pub(crate) struct Text(Box<str>);

/// All strings, weakly, with their hashes.
#[derive(Default, Collect)]
#[collect(no_drop)]
struct Texts<'gc> {
    table: HashTable<(u64, GcWeak<'gc, Text>)>,
    /// At this size dead entries are removed.
    prune_at: usize,
}

/// The memory within one call of `mutate`.
pub(crate) struct ArenaMemory<'gc> {
    mutation: &'gc Mutation<'gc>,
    texts: Texts<'gc>,
    /// Objects that may be made before the next safe point is taken.
    left: u32,
}

/// Objects allocated between two turns of the collector.
const BETWEEN: u32 = 1024;

impl<'gc> Collected<'gc> for ArenaMemory<'gc> {}

impl Copy for Value<ArenaMemory<'_>> {}
impl Copy for Upvalue<ArenaMemory<'_>> {}

impl<'gc> ArenaMemory<'gc> {
    #[inline(always)]
    fn make<T: Collect<'gc>>(&mut self, value: T) -> Pointer<'gc, T> {
        self.left = self.left.saturating_sub(1);
        Pointer(Gc::new(self.mutation, value))
    }
}

impl<'gc> Texts<'gc> {
    fn prune(&mut self, mutation: &Mutation<'gc>) {
        self.table.retain(|(_, weak)| weak.upgrade(mutation).is_some());
        self.prune_at = (2 * self.table.len()).max(1024);
    }
}

impl<'gc> Memory for ArenaMemory<'gc> {
    type Str = Pointer<'gc, Text>;
    type Closure = Pointer<'gc, Closure<Self>>;
    type Upvalue = Pointer<'gc, Lock<Upvalue<Self>>>;
    type Class = Pointer<'gc, RefLock<Class<Self>>>;
    type Instance = Pointer<'gc, RefLock<Instance<Self>>>;
    type Method = Pointer<'gc, Method<Self>>;

    #[inline(always)]
    fn is_due(&self) -> bool {
        self.left == 0
    }

    #[inline(always)]
    fn duplicate(value: &Value<Self>) -> Value<Self> {
        *value
    }

    fn intern(&mut self, text: &str) -> Self::Str {
        let hash = BuildHasherDefault::<HandleHasher>::default().hash_one(text);
        let mutation = self.mutation;
        let mut found = None;
        self.texts.table.find(hash, |(known, weak)| {
            found = if *known == hash { weak.upgrade(mutation) } else { None };
            found.is_some_and(|found| *found.0 == *text)
        });
        if let Some(found) = found.filter(|found| *found.0 == *text) {
            return Pointer(found);
        }
        let made = self.make(Text(text.into()));
        if self.texts.table.len() >= self.texts.prune_at {
            self.texts.prune(mutation);
        }
        self.texts.table.insert_unique(hash, (hash, Gc::downgrade(made.0)), |(hash, _)| *hash);
        made
    }

    #[inline(always)]
    fn text<'a>(&'a self, handle: &'a Self::Str) -> &'a str {
        &handle.0.0
    }

    #[inline(always)]
    fn new_closure(&mut self, closure: Closure<Self>) -> Self::Closure {
        self.make(closure)
    }

    #[inline(always)]
    fn closure<'a>(&'a self, handle: &'a Self::Closure) -> &'a Closure<Self> {
        &handle.0
    }

    #[inline(always)]
    fn new_method(&mut self, method: Method<Self>) -> Self::Method {
        self.make(method)
    }

    #[inline(always)]
    fn method<'a>(&'a self, handle: &'a Self::Method) -> &'a Method<Self> {
        &handle.0
    }

    #[inline(always)]
    fn new_upvalue(&mut self, upvalue: Upvalue<Self>) -> Self::Upvalue {
        self.make(Lock::new(upvalue))
    }

    #[inline(always)]
    fn upvalue(&self, handle: &Self::Upvalue) -> Upvalue<Self> {
        handle.0.get()
    }

    #[inline(always)]
    fn set_upvalue(&mut self, handle: &Self::Upvalue, upvalue: Upvalue<Self>) {
        handle.0.set(self.mutation, upvalue);
    }

    fn new_class(&mut self, class: Class<Self>) -> Self::Class {
        self.make(RefLock::new(class))
    }

    #[inline(always)]
    fn class<'a>(&'a self, handle: &'a Self::Class) -> impl Deref<Target = Class<Self>> + 'a {
        handle.0.borrow()
    }

    fn class_mut<'a>(&'a mut self, handle: &'a Self::Class) -> impl DerefMut<Target = Class<Self>> + 'a {
        handle.0.borrow_mut(self.mutation)
    }

    #[inline(always)]
    fn new_instance(&mut self, instance: Instance<Self>) -> Self::Instance {
        self.make(RefLock::new(instance))
    }

    #[inline(always)]
    fn instance<'a>(&'a self, handle: &'a Self::Instance) -> impl Deref<Target = Instance<Self>> + 'a {
        handle.0.borrow()
    }

    #[inline(always)]
    fn instance_mut<'a>(
        &'a mut self,
        handle: &'a Self::Instance,
    ) -> impl DerefMut<Target = Instance<Self>> + 'a {
        handle.0.borrow_mut(self.mutation)
    }
}

/// The arena's root.
#[derive(Collect)]
#[collect(no_drop)]
struct Roots<'gc> {
    machine: Machine<ArenaMemory<'gc>>,
    texts: Texts<'gc>,
}

/// Runs a script from its beginning to its end.
///
/// # Errors
/// An error of the program.
pub(crate) fn run(script: &Script) -> Result<String, String> {
    let mut arena = Arena::<Rootable![Roots<'_>]>::new(|mutation| {
        let mut memory = ArenaMemory { mutation, texts: Texts::default(), left: BETWEEN };
        let machine = Machine::new(&mut memory, script);
        Roots { machine, texts: memory.texts }
    });
    let step = |arena: &mut Arena<_>| {
        arena.mutate_root(|mutation, roots: &mut Roots<'_>| {
            let mut memory = ArenaMemory { mutation, texts: std::mem::take(&mut roots.texts), left: BETWEEN };
            let status = roots.machine.run(&mut memory, script);
            roots.texts = memory.texts;
            status
        })
    };
    while step(&mut arena)? == Status::SafePoint {
        arena.collect_debt();
    }
    Ok(arena.mutate_root(|_, roots| roots.machine.take_output()))
}
