//! What the machine requires of a memory, and the objects that it keeps there.
//!
//! The machine is written once over [`Memory`]. Each substrate has handles of its own: an id, a pointer, a
//! counted pointer, an index. An object that never changes after it was made is read through a plain
//! reference on every substrate; one that changes, through whatever guard the substrate has.

use std::hash::{BuildHasherDefault, Hash};
use std::ops::{Deref, DerefMut};

use gc_arena::Collect;
use hashbrown::HashMap;
use slotgc::{HandleHasher, Trace};

/// A map from interned strings: by identity, with one hash function for all substrates.
pub(crate) type Table<M, V> = HashMap<<M as Memory>::Str, V, BuildHasherDefault<HandleHasher>>;

/// Makes objects and gives access to them. Handles compare by identity.
pub(crate) trait Memory: Sized {
    /// Equal strings have the same handle.
    type Str: Clone + Eq + Hash;
    type Closure: Clone + PartialEq;
    type Upvalue: Clone + PartialEq;
    type Class: Clone + PartialEq;
    type Instance: Clone + PartialEq;
    type Method: Clone + PartialEq;

    /// Whether the machine should return at its next safe point, so that garbage can be collected.
    fn is_due(&self) -> bool;

    /// A copy: of the bits, where handles are `Copy`.
    fn duplicate(value: &Value<Self>) -> Value<Self>;

    fn intern(&mut self, text: &str) -> Self::Str;
    fn text<'a>(&'a self, handle: &'a Self::Str) -> &'a str;

    fn new_closure(&mut self, closure: Closure<Self>) -> Self::Closure;
    fn closure<'a>(&'a self, handle: &'a Self::Closure) -> &'a Closure<Self>;

    fn new_method(&mut self, method: Method<Self>) -> Self::Method;
    fn method<'a>(&'a self, handle: &'a Self::Method) -> &'a Method<Self>;

    fn new_upvalue(&mut self, upvalue: Upvalue<Self>) -> Self::Upvalue;
    fn upvalue(&self, handle: &Self::Upvalue) -> Upvalue<Self>;
    fn set_upvalue(&mut self, handle: &Self::Upvalue, upvalue: Upvalue<Self>);

    fn new_class(&mut self, class: Class<Self>) -> Self::Class;
    fn class<'a>(&'a self, handle: &'a Self::Class) -> impl Deref<Target = Class<Self>> + 'a;
    fn class_mut<'a>(&'a mut self, handle: &'a Self::Class) -> impl DerefMut<Target = Class<Self>> + 'a;

    fn new_instance(&mut self, instance: Instance<Self>) -> Self::Instance;
    fn instance<'a>(&'a self, handle: &'a Self::Instance) -> impl Deref<Target = Instance<Self>> + 'a;
    fn instance_mut<'a>(
        &'a mut self,
        handle: &'a Self::Instance,
    ) -> impl DerefMut<Target = Instance<Self>> + 'a;
}

/// A memory whose handles slotgc can trace.
pub(crate) trait Traced:
    Memory<Str: Trace, Closure: Trace, Upvalue: Trace, Class: Trace, Instance: Trace, Method: Trace> + 'static
{
}

/// A memory whose handles gc-arena can trace.
pub(crate) trait Collected<'gc>:
    Memory<
        Str: Collect<'gc>,
        Closure: Collect<'gc>,
        Upvalue: Collect<'gc>,
        Class: Collect<'gc>,
        Instance: Collect<'gc>,
        Method: Collect<'gc>,
    >
{
}

/// What a variable holds.
#[derive(Trace, Collect)]
#[trace(bound = "M: Traced")]
#[collect(no_drop, bound = "where M: Collected<'gc>")]
pub(crate) enum Value<M: Memory> {
    Nil,
    Bool(bool),
    Number(f64),
    /// The only native function: `clock`.
    Clock,
    Str(M::Str),
    Closure(M::Closure),
    Class(M::Class),
    Instance(M::Instance),
    Method(M::Method),
}

impl<M: Memory> Clone for Value<M> {
    #[inline(always)]
    fn clone(&self) -> Self {
        M::duplicate(self)
    }
}

impl<M: Memory> Value<M> {
    /// A copy by counting or copying the handle.
    #[inline(always)]
    pub(crate) fn duplicate_each(&self) -> Self {
        match self {
            Self::Nil => Self::Nil,
            Self::Bool(truth) => Self::Bool(*truth),
            Self::Number(number) => Self::Number(*number),
            Self::Clock => Self::Clock,
            Self::Str(handle) => Self::Str(handle.clone()),
            Self::Closure(handle) => Self::Closure(handle.clone()),
            Self::Class(handle) => Self::Class(handle.clone()),
            Self::Instance(handle) => Self::Instance(handle.clone()),
            Self::Method(handle) => Self::Method(handle.clone()),
        }
    }

    #[inline(always)]
    pub(crate) fn is_truthy(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// `==` of the language.
    #[inline(always)]
    pub(crate) fn is_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, Self::Nil) | (Self::Clock, Self::Clock) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Closure(a), Self::Closure(b)) => a == b,
            (Self::Class(a), Self::Class(b)) => a == b,
            (Self::Instance(a), Self::Instance(b)) => a == b,
            (Self::Method(a), Self::Method(b)) => a == b,
            _ => false,
        }
    }
}

/// A function with the variables that it captured. Never changes.
#[derive(Trace, Collect)]
#[trace(bound = "M: Traced")]
#[collect(no_drop, bound = "where M: Collected<'gc>")]
pub(crate) struct Closure<M: Memory> {
    /// The number of the function.
    pub(crate) proto: u16,
    pub(crate) upvalues: Box<[M::Upvalue]>,
}

/// A captured variable.
#[derive(Trace, Collect)]
#[trace(bound = "M: Traced")]
#[collect(no_drop, bound = "where M: Collected<'gc>")]
pub(crate) enum Upvalue<M: Memory> {
    /// It is still on the stack, here.
    Open(u32),
    Closed(Value<M>),
}

impl<M: Memory> Clone for Upvalue<M> {
    #[inline(always)]
    fn clone(&self) -> Self {
        match self {
            Self::Open(slot) => Self::Open(*slot),
            Self::Closed(value) => Self::Closed(value.clone()),
        }
    }
}

/// A class; inherited methods are copied into it.
#[derive(Trace, Collect)]
#[trace(bound = "M: Traced")]
#[collect(no_drop, bound = "where M: Collected<'gc>")]
pub(crate) struct Class<M: Memory> {
    pub(crate) name: M::Str,
    pub(crate) methods: Table<M, M::Closure>,
    /// The method `init`.
    pub(crate) init: Option<M::Closure>,
}

/// An object of the language.
#[derive(Trace, Collect)]
#[trace(bound = "M: Traced")]
#[collect(no_drop, bound = "where M: Collected<'gc>")]
pub(crate) struct Instance<M: Memory> {
    pub(crate) class: M::Class,
    pub(crate) fields: Table<M, Value<M>>,
}

/// A method with its object. Never changes.
#[derive(Trace, Collect)]
#[trace(bound = "M: Traced")]
#[collect(no_drop, bound = "where M: Collected<'gc>")]
pub(crate) struct Method<M: Memory> {
    pub(crate) receiver: M::Instance,
    pub(crate) closure: M::Closure,
}
