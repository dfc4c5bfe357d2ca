//! `Rc` and `RefCell`: an object is freed with its last handle. Cycles of the program leak until its end.

use std::cell::RefCell;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::rc::{Rc, Weak};

use hashbrown::HashTable;
use slotgc::HandleHasher;

use crate::lox::code::Script;
use crate::lox::machine::{Machine, Status};
use crate::lox::memory::{Class, Closure, Instance, Memory, Method, Upvalue, Value};

/// A counted pointer that compares by identity.
pub(crate) struct Pointer<T>(Rc<T>);

impl<T> Clone for Pointer<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> PartialEq for Pointer<T> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for Pointer<T> {}

impl<T> Hash for Pointer<T> {
    #[inline(always)]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_usize(Rc::as_ptr(&self.0).addr());
    }
}

/// A string of the language.
pub(crate) struct Text(Box<str>);

/// The table of all strings, weakly, with their hashes. The rest is in the C allocator's heap.
#[derive(Default)]
pub(crate) struct RcMemory {
    texts: HashTable<(u64, Weak<Text>)>,
    /// At this size dead entries are removed.
    prune_at: usize,
}

fn make<T>(value: T) -> Pointer<T> {
    Pointer(Rc::new(value))
}

impl Memory for RcMemory {
    type Str = Pointer<Text>;
    type Closure = Pointer<Closure<Self>>;
    type Upvalue = Pointer<RefCell<Upvalue<Self>>>;
    type Class = Pointer<RefCell<Class<Self>>>;
    type Instance = Pointer<RefCell<Instance<Self>>>;
    type Method = Pointer<Method<Self>>;

    #[inline(always)]
    fn is_due(&self) -> bool {
        false
    }

    #[inline(always)]
    fn duplicate(value: &Value<Self>) -> Value<Self> {
        value.duplicate_each()
    }

    fn intern(&mut self, text: &str) -> Self::Str {
        let hash = BuildHasherDefault::<HandleHasher>::default().hash_one(text);
        let mut found = None;
        self.texts.find(hash, |(known, weak)| {
            found = if *known == hash { weak.upgrade() } else { None };
            found.as_ref().is_some_and(|found| *found.0 == *text)
        });
        if let Some(found) = found.filter(|found| *found.0 == *text) {
            return Pointer(found);
        }
        let made = make(Text(text.into()));
        if self.texts.len() >= self.prune_at {
            self.texts.retain(|(_, weak)| weak.strong_count() > 0);
            self.prune_at = (2 * self.texts.len()).max(1024);
        }
        self.texts.insert_unique(hash, (hash, Rc::downgrade(&made.0)), |(hash, _)| *hash);
        made
    }

    #[inline(always)]
    fn text<'a>(&'a self, handle: &'a Self::Str) -> &'a str {
        &handle.0.0
    }

    #[inline(always)]
    fn new_closure(&mut self, closure: Closure<Self>) -> Self::Closure {
        make(closure)
    }

    #[inline(always)]
    fn closure<'a>(&'a self, handle: &'a Self::Closure) -> &'a Closure<Self> {
        &handle.0
    }

    #[inline(always)]
    fn new_method(&mut self, method: Method<Self>) -> Self::Method {
        make(method)
    }

    #[inline(always)]
    fn method<'a>(&'a self, handle: &'a Self::Method) -> &'a Method<Self> {
        &handle.0
    }

    #[inline(always)]
    fn new_upvalue(&mut self, upvalue: Upvalue<Self>) -> Self::Upvalue {
        make(RefCell::new(upvalue))
    }

    #[inline(always)]
    fn upvalue(&self, handle: &Self::Upvalue) -> Upvalue<Self> {
        handle.0.borrow().clone()
    }

    #[inline(always)]
    fn set_upvalue(&mut self, handle: &Self::Upvalue, upvalue: Upvalue<Self>) {
        handle.0.replace(upvalue);
    }

    fn new_class(&mut self, class: Class<Self>) -> Self::Class {
        make(RefCell::new(class))
    }

    #[inline(always)]
    fn class<'a>(&'a self, handle: &'a Self::Class) -> impl Deref<Target = Class<Self>> + 'a {
        handle.0.borrow()
    }

    fn class_mut<'a>(&'a mut self, handle: &'a Self::Class) -> impl DerefMut<Target = Class<Self>> + 'a {
        handle.0.borrow_mut()
    }

    #[inline(always)]
    fn new_instance(&mut self, instance: Instance<Self>) -> Self::Instance {
        make(RefCell::new(instance))
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
        handle.0.borrow_mut()
    }
}

/// Runs a script from its beginning to its end.
///
/// # Errors
/// An error of the program.
pub(crate) fn run(script: &Script) -> Result<String, String> {
    let mut memory = RcMemory::default();
    let mut machine = Machine::new(&mut memory, script);
    let status = machine.run(&mut memory, script)?;
    assert_eq!(status, Status::Done, "nothing is ever due");
    Ok(machine.take_output())
}
