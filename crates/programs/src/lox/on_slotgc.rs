//! slotgc: objects in a heap, the machine as the root source, `pace` at its safe points.

use std::borrow::Borrow;
use std::ops::{Deref, DerefMut};

use slotgc::{Budget, Gc, Heap, Interner, Root, RootSource, Trace, Tracer};

use crate::lox::code::Script;
use crate::lox::machine::{Machine, Status};
use crate::lox::memory::{Class, Closure, Instance, Memory, Method, Traced, Upvalue, Value};

/// A string of the language.
#[derive(PartialEq, Eq, Hash, Trace)]
pub(crate) struct Text(Box<str>);

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

pub(crate) struct SlotMemory {
    heap: Heap,
    texts: Root<Interner<Text>>,
}

impl Traced for SlotMemory {}

impl Copy for Value<SlotMemory> {}
impl Copy for Upvalue<SlotMemory> {}

impl RootSource for Machine<SlotMemory> {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.trace(tracer);
    }
}

impl Memory for SlotMemory {
    type Str = Gc<Text>;
    type Closure = Gc<Closure<Self>>;
    type Upvalue = Gc<Upvalue<Self>>;
    type Class = Gc<Class<Self>>;
    type Instance = Gc<Instance<Self>>;
    type Method = Gc<Method<Self>>;

    #[inline(always)]
    fn is_due(&self) -> bool {
        self.heap.is_due()
    }

    #[inline(always)]
    fn duplicate(value: &Value<Self>) -> Value<Self> {
        *value
    }

    fn intern(&mut self, text: &str) -> Gc<Text> {
        self.heap.intern_with(&self.texts, text, |text| Text(text.into()))
    }

    #[inline(always)]
    fn text<'a>(&'a self, handle: &'a Gc<Text>) -> &'a str {
        &self.heap[handle].0
    }

    #[inline(always)]
    fn new_closure(&mut self, closure: Closure<Self>) -> Gc<Closure<Self>> {
        self.heap.alloc(closure)
    }

    #[inline(always)]
    fn closure<'a>(&'a self, handle: &'a Gc<Closure<Self>>) -> &'a Closure<Self> {
        &self.heap[handle]
    }

    #[inline(always)]
    fn new_method(&mut self, method: Method<Self>) -> Gc<Method<Self>> {
        self.heap.alloc(method)
    }

    #[inline(always)]
    fn method<'a>(&'a self, handle: &'a Gc<Method<Self>>) -> &'a Method<Self> {
        &self.heap[handle]
    }

    #[inline(always)]
    fn new_upvalue(&mut self, upvalue: Upvalue<Self>) -> Gc<Upvalue<Self>> {
        self.heap.alloc(upvalue)
    }

    #[inline(always)]
    fn upvalue(&self, handle: &Gc<Upvalue<Self>>) -> Upvalue<Self> {
        self.heap[handle]
    }

    #[inline(always)]
    fn set_upvalue(&mut self, handle: &Gc<Upvalue<Self>>, upvalue: Upvalue<Self>) {
        self.heap[handle] = upvalue;
    }

    fn new_class(&mut self, class: Class<Self>) -> Gc<Class<Self>> {
        self.heap.alloc(class)
    }

    #[inline(always)]
    fn class<'a>(&'a self, handle: &'a Gc<Class<Self>>) -> impl Deref<Target = Class<Self>> + 'a {
        &self.heap[handle]
    }

    fn class_mut<'a>(&'a mut self, handle: &'a Gc<Class<Self>>) -> impl DerefMut<Target = Class<Self>> + 'a {
        &mut self.heap[handle]
    }

    #[inline(always)]
    fn new_instance(&mut self, instance: Instance<Self>) -> Gc<Instance<Self>> {
        self.heap.alloc(instance)
    }

    #[inline(always)]
    fn instance<'a>(&'a self, handle: &'a Gc<Instance<Self>>) -> impl Deref<Target = Instance<Self>> + 'a {
        &self.heap[handle]
    }

    #[inline(always)]
    fn instance_mut<'a>(
        &'a mut self,
        handle: &'a Gc<Instance<Self>>,
    ) -> impl DerefMut<Target = Instance<Self>> + 'a {
        &mut self.heap[handle]
    }
}

/// Runs a script from its beginning to its end.
///
/// # Errors
/// An error of the program.
pub(crate) fn run(script: &Script, heap: Heap) -> Result<String, String> {
    let mut heap = heap;
    let texts = heap.alloc_root(Interner::new());
    let mut memory = SlotMemory { heap, texts };
    let mut machine = Machine::new(&mut memory, script);
    while machine.run(&mut memory, script)? == Status::SafePoint {
        memory.heap.pace_with(Budget::Unlimited, &machine);
    }
    Ok(machine.take_output())
}
