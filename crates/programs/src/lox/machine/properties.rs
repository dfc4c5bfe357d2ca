//! Fields, methods and inheritance.

use super::{Frame, Machine, Made, Outcome};
use crate::lox::code::Script;
use crate::lox::memory::{Memory, Method, Value};

/// What a name means for an object.
enum Property<M: Memory> {
    Field(Value<M>),
    Method(M::Closure),
}

impl<M: Memory> Machine<M> {
    /// A field, or else a method.
    #[inline(always)]
    fn find(&self, memory: &M, instance: &M::Instance, name: u16) -> Outcome<Property<M>> {
        let instance = memory.instance(instance);
        let key = self.name(name);
        if let Some(value) = instance.fields.get(key) {
            return Ok(Property::Field(value.clone()));
        }
        match memory.class(&instance.class).methods.get(key) {
            Some(closure) => Ok(Property::Method(closure.clone())),
            None => Err(undefined(memory.text(key))),
        }
    }

    /// The object on the stack is replaced by its property.
    #[inline(always)]
    pub(super) fn get_property(&mut self, memory: &mut M, name: u16) -> Outcome<Made> {
        let Value::Instance(instance) = self.peek(0) else {
            return Err("only objects have properties".to_owned());
        };
        let (value, made) = match self.find(memory, instance, name)? {
            Property::Field(value) => (value, Made::Nothing),
            Property::Method(closure) => {
                let method = memory.new_method(Method { receiver: instance.clone(), closure });
                (Value::Method(method), Made::Object)
            }
        };
        self.replace(1, value);
        Ok(made)
    }

    #[inline(always)]
    pub(super) fn set_property(&mut self, memory: &mut M, name: u16) -> Outcome {
        let value = self.pop();
        let Value::Instance(instance) = self.peek(0) else {
            return Err("only objects have fields".to_owned());
        };
        let key = self.name(name).clone();
        memory.instance_mut(instance).fields.insert(key, value.clone());
        self.replace(1, value);
        Ok(())
    }

    #[inline(always)]
    pub(super) fn invoke(
        &mut self,
        memory: &mut M,
        script: &Script,
        frame: &mut Frame<M>,
        name: u16,
        count: u8,
    ) -> Outcome<Made> {
        let Value::Instance(instance) = self.peek(usize::from(count)) else {
            return Err("only objects have methods".to_owned());
        };
        match self.find(memory, instance, name)? {
            Property::Method(closure) => {
                self.enter(memory, script, frame, closure, count)?;
                Ok(Made::Nothing)
            }
            Property::Field(value) => {
                let place = self.stack.len() - 1 - usize::from(count);
                self.stack[place] = value;
                self.call(memory, script, frame, count)
            }
        }
    }

    /// The method of the superclass on the stack.
    fn super_method(&mut self, memory: &M, name: u16) -> Outcome<M::Closure> {
        let Value::Class(superclass) = self.pop() else { unreachable!("`super` is a class") };
        let key = self.name(name);
        let method = memory.class(&superclass).methods.get(key).cloned();
        method.ok_or_else(|| undefined(memory.text(key)))
    }

    pub(super) fn get_super(&mut self, memory: &mut M, name: u16) -> Outcome {
        let closure = self.super_method(memory, name)?;
        let Value::Instance(this) = self.pop() else { unreachable!("`this` is an object") };
        let method = memory.new_method(Method { receiver: this, closure });
        self.push(Value::Method(method));
        Ok(())
    }

    #[inline(never)]
    pub(super) fn super_invoke(
        &mut self,
        memory: &mut M,
        script: &Script,
        frame: &mut Frame<M>,
        name: u16,
        count: u8,
    ) -> Outcome {
        let closure = self.super_method(memory, name)?;
        self.enter(memory, script, frame, closure, count)
    }

    /// Below the class on the stack is its superclass; the class is popped.
    pub(super) fn inherit(&mut self, memory: &mut M) -> Outcome {
        let Value::Class(class) = self.pop() else { unreachable!("it was just made") };
        let Value::Class(superclass) = self.peek(0) else {
            return Err("a superclass must be a class".to_owned());
        };
        let (methods, init) = {
            let superclass = memory.class(superclass);
            (superclass.methods.clone(), superclass.init.clone())
        };
        let mut class = memory.class_mut(&class);
        (class.methods, class.init) = (methods, init);
        Ok(())
    }

    /// On the stack are a class and a closure; the closure is popped.
    pub(super) fn add_method(&mut self, memory: &mut M, name: u16) {
        let (Value::Closure(closure), Value::Class(class)) = (self.pop(), self.peek(0)) else {
            unreachable!("the compiler emits methods in classes only")
        };
        let key = self.name(name).clone();
        let mut class = memory.class_mut(class);
        if key == self.init {
            class.init = Some(closure.clone());
        }
        class.methods.insert(key, closure);
    }
}

#[cold]
fn undefined(name: &str) -> String {
    format!("undefined property `{name}`")
}
