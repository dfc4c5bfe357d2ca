//! Calling functions, methods and classes.

use super::{Frame, MOST_FRAMES, Machine, Made, Outcome};
use crate::lox::code::Script;
use crate::lox::memory::{Instance, Memory, Value};

impl<M: Memory> Machine<M> {
    /// Calls what lies below the arguments.
    #[inline(always)]
    pub(super) fn call(
        &mut self,
        memory: &mut M,
        script: &Script,
        frame: &mut Frame<M>,
        count: u8,
    ) -> Outcome<Made> {
        match self.peek(usize::from(count)) {
            Value::Closure(closure) => {
                let closure = closure.clone();
                self.enter(memory, script, frame, closure, count)?;
                Ok(Made::Nothing)
            }
            _ => self.call_other(memory, script, frame, count),
        }
    }

    #[inline(never)]
    fn call_other(
        &mut self,
        memory: &mut M,
        script: &Script,
        frame: &mut Frame<M>,
        count: u8,
    ) -> Outcome<Made> {
        let place = self.stack.len() - 1 - usize::from(count);
        match &self.stack[place] {
            Value::Class(class) => {
                let class = class.clone();
                let init = memory.class(&class).init.clone();
                let instance = memory.new_instance(Instance { class, fields: Default::default() });
                self.stack[place] = Value::Instance(instance);
                match init {
                    Some(init) => self.enter(memory, script, frame, init, count)?,
                    None => check(0, count)?,
                }
                Ok(Made::Object)
            }
            Value::Method(method) => {
                let method = memory.method(method);
                let (receiver, closure) = (method.receiver.clone(), method.closure.clone());
                self.stack[place] = Value::Instance(receiver);
                self.enter(memory, script, frame, closure, count)?;
                Ok(Made::Nothing)
            }
            Value::Clock => {
                check(0, count)?;
                self.replace(1, Value::Number(Self::clock()));
                Ok(Made::Nothing)
            }
            Value::Closure(_) => unreachable!("called already"),
            Value::Nil | Value::Bool(_) | Value::Number(_) | Value::Str(_) | Value::Instance(_) => {
                Err("only functions and classes can be called".to_owned())
            }
        }
    }

    /// The call under way waits, and that of the closure begins.
    #[inline(always)]
    pub(super) fn enter(
        &mut self,
        memory: &M,
        script: &Script,
        frame: &mut Frame<M>,
        closure: M::Closure,
        count: u8,
    ) -> Outcome {
        let proto = memory.closure(&closure).proto;
        let arity = script.protos[usize::from(proto)].arity;
        if arity != count {
            return check(arity, count);
        }
        if self.frames.len() >= MOST_FRAMES {
            return Err("too many calls within calls".to_owned());
        }
        let base = self.stack.len() as u32 - 1 - u32::from(count);
        let caller = std::mem::replace(frame, Frame { closure, proto, at: 0, base });
        self.frames.push(caller);
        Ok(())
    }
}

fn check(arity: u8, count: u8) -> Outcome {
    if arity == count { Ok(()) } else { Err(format!("expected {arity} arguments but got {count}")) }
}
