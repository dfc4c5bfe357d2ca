//! Plain indices: a vector for each type of objects. Nothing is ever freed before the end.

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Index, IndexMut};

use hashbrown::HashTable;
use slotgc::HandleHasher;

use crate::lox::code::Script;
use crate::lox::machine::{Machine, Status};
use crate::lox::memory::{Class, Closure, Instance, Memory, Method, Upvalue, Value};

/// A place in the vector of this type.
pub(crate) struct Place<T>(u32, PhantomData<fn() -> T>);

impl<T> Copy for Place<T> {}

impl<T> Clone for Place<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> PartialEq for Place<T> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Place<T> {}

impl<T> Hash for Place<T> {
    #[inline(always)]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u32(self.0);
    }
}

/// All objects of one type.
struct All<T>(Vec<T>);

impl<T> Default for All<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> All<T> {
    #[inline(always)]
    fn add(&mut self, value: T) -> Place<T> {
        let place = self.0.len() as u32;
        self.0.push(value);
        Place(place, PhantomData)
    }
}

impl<T> Index<&Place<T>> for All<T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, place: &Place<T>) -> &T {
        &self.0[place.0 as usize]
    }
}

impl<T> IndexMut<&Place<T>> for All<T> {
    #[inline(always)]
    fn index_mut(&mut self, place: &Place<T>) -> &mut T {
        &mut self.0[place.0 as usize]
    }
}

/// A string of the language.
pub(crate) struct Text(Box<str>);

#[derive(Default)]
pub(crate) struct IndexMemory {
    texts: All<Text>,
    by_text: HashTable<(u64, Place<Text>)>,
    closures: All<Closure<Self>>,
    upvalues: All<Upvalue<Self>>,
    classes: All<Class<Self>>,
    instances: All<Instance<Self>>,
    methods: All<Method<Self>>,
}

impl Copy for Value<IndexMemory> {}
impl Copy for Upvalue<IndexMemory> {}

impl Memory for IndexMemory {
    type Str = Place<Text>;
    type Closure = Place<Closure<Self>>;
    type Upvalue = Place<Upvalue<Self>>;
    type Class = Place<Class<Self>>;
    type Instance = Place<Instance<Self>>;
    type Method = Place<Method<Self>>;

    #[inline(always)]
    fn is_due(&self) -> bool {
        false
    }

    #[inline(always)]
    fn duplicate(value: &Value<Self>) -> Value<Self> {
        *value
    }

    fn intern(&mut self, text: &str) -> Self::Str {
        let hash = BuildHasherDefault::<HandleHasher>::default().hash_one(text);
        let Self { texts, by_text, .. } = self;
        let is_equal = |(known, place): &(u64, Place<Text>)| *known == hash && *texts[place].0 == *text;
        if let Some((_, found)) = by_text.find(hash, is_equal) {
            return *found;
        }
        let made = texts.add(Text(text.into()));
        by_text.insert_unique(hash, (hash, made), |(hash, _)| *hash);
        made
    }

    #[inline(always)]
    fn text<'a>(&'a self, handle: &'a Self::Str) -> &'a str {
        &self.texts[handle].0
    }

    #[inline(always)]
    fn new_closure(&mut self, closure: Closure<Self>) -> Self::Closure {
        self.closures.add(closure)
    }

    #[inline(always)]
    fn closure<'a>(&'a self, handle: &'a Self::Closure) -> &'a Closure<Self> {
        &self.closures[handle]
    }

    #[inline(always)]
    fn new_method(&mut self, method: Method<Self>) -> Self::Method {
        self.methods.add(method)
    }

    #[inline(always)]
    fn method<'a>(&'a self, handle: &'a Self::Method) -> &'a Method<Self> {
        &self.methods[handle]
    }

    #[inline(always)]
    fn new_upvalue(&mut self, upvalue: Upvalue<Self>) -> Self::Upvalue {
        self.upvalues.add(upvalue)
    }

    #[inline(always)]
    fn upvalue(&self, handle: &Self::Upvalue) -> Upvalue<Self> {
        self.upvalues[handle]
    }

    #[inline(always)]
    fn set_upvalue(&mut self, handle: &Self::Upvalue, upvalue: Upvalue<Self>) {
        self.upvalues[handle] = upvalue;
    }

    fn new_class(&mut self, class: Class<Self>) -> Self::Class {
        self.classes.add(class)
    }

    #[inline(always)]
    fn class<'a>(&'a self, handle: &'a Self::Class) -> impl Deref<Target = Class<Self>> + 'a {
        &self.classes[handle]
    }

    fn class_mut<'a>(&'a mut self, handle: &'a Self::Class) -> impl DerefMut<Target = Class<Self>> + 'a {
        &mut self.classes[handle]
    }

    #[inline(always)]
    fn new_instance(&mut self, instance: Instance<Self>) -> Self::Instance {
        self.instances.add(instance)
    }

    #[inline(always)]
    fn instance<'a>(&'a self, handle: &'a Self::Instance) -> impl Deref<Target = Instance<Self>> + 'a {
        &self.instances[handle]
    }

    #[inline(always)]
    fn instance_mut<'a>(
        &'a mut self,
        handle: &'a Self::Instance,
    ) -> impl DerefMut<Target = Instance<Self>> + 'a {
        &mut self.instances[handle]
    }
}

/// Runs a script from its beginning to its end.
///
/// # Errors
/// An error of the program.
pub(crate) fn run(script: &Script) -> Result<String, String> {
    let mut memory = IndexMemory::default();
    let mut machine = Machine::new(&mut memory, script);
    let status = machine.run(&mut memory, script)?;
    assert_eq!(status, Status::Done, "nothing is ever due");
    Ok(machine.take_output())
}
