//! Captured variables: shared by closures, on the stack until their block ends.

use super::{Frame, Machine, Open};
use crate::lox::code::{Capture, Script};
use crate::lox::memory::{Closure, Memory, Upvalue, Value};

impl<M: Memory> Machine<M> {
    #[inline(always)]
    pub(super) fn upvalue(&self, memory: &M, frame: &Frame<M>, number: u8) -> Value<M> {
        match memory.upvalue(&memory.closure(&frame.closure).upvalues[usize::from(number)]) {
            Upvalue::Open(slot) => self.stack[slot as usize].clone(),
            Upvalue::Closed(value) => value,
        }
    }

    #[inline(always)]
    pub(super) fn set_upvalue(&mut self, memory: &mut M, frame: &Frame<M>, number: u8) {
        let value = self.peek(0).clone();
        let handle = memory.closure(&frame.closure).upvalues[usize::from(number)].clone();
        match memory.upvalue(&handle) {
            Upvalue::Open(slot) => self.stack[slot as usize] = value,
            Upvalue::Closed(_) => memory.set_upvalue(&handle, Upvalue::Closed(value)),
        }
    }

    pub(super) fn make_closure(&mut self, memory: &mut M, script: &Script, frame: &Frame<M>, proto: u16) {
        let captures = &script.protos[usize::from(proto)].captures;
        let capture = |capture: &Capture| match capture {
            Capture::Local(slot) => self.capture(memory, frame.base + u32::from(*slot)),
            Capture::Upvalue(number) => memory.closure(&frame.closure).upvalues[usize::from(*number)].clone(),
        };
        let upvalues = captures.iter().map(capture).collect();
        let closure = memory.new_closure(Closure { proto, upvalues });
        self.push(Value::Closure(closure));
    }

    /// The one upvalue of this place on the stack.
    fn capture(&mut self, memory: &mut M, slot: u32) -> M::Upvalue {
        let place = self.open.iter().rposition(|open| open.slot <= slot);
        if let Some(known) = place.map(|place| &self.open[place]).filter(|open| open.slot == slot) {
            return known.upvalue.clone();
        }
        let upvalue = memory.new_upvalue(Upvalue::Open(slot));
        self.open.insert(place.map_or(0, |place| place + 1), Open { slot, upvalue: upvalue.clone() });
        upvalue
    }

    /// The stack is about to lose what is at `from` and above: captured variables take their values along.
    #[inline(always)]
    pub(super) fn close(&mut self, memory: &mut M, from: u32) {
        while self.open.last().is_some_and(|open| open.slot >= from) {
            let Some(Open { slot, upvalue }) = self.open.pop() else { return };
            memory.set_upvalue(&upvalue, Upvalue::Closed(self.stack[slot as usize].clone()));
        }
    }
}
