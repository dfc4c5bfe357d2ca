//! The machine: a stack of values, a stack of calls, one loop.

mod calls;
mod properties;
mod upvalues;

use std::time::Instant;

use gc_arena::Collect;
use slotgc::Trace;

use crate::lox::code::{Literal, Op, Script};
use crate::lox::memory::{Class, Collected, Memory, Traced, Value};

/// All that a running program refers to: the roots.
#[derive(Trace, Collect)]
#[trace(bound = "M: Traced")]
#[collect(no_drop, bound = "where M: Collected<'gc>")]
pub(crate) struct Machine<M: Memory> {
    stack: Vec<Value<M>>,
    frames: Vec<Frame<M>>,
    globals: Vec<Option<Value<M>>>,
    /// Captured variables that are on the stack, by their places.
    open: Vec<Open<M>>,
    constants: Vec<Value<M>>,
    init: M::Str,
    out: String,
}

/// A call under way.
#[derive(Trace, Collect)]
#[trace(bound = "M: Traced")]
#[collect(no_drop, bound = "where M: Collected<'gc>")]
pub(crate) struct Frame<M: Memory> {
    closure: M::Closure,
    proto: u16,
    /// The next instruction.
    at: u32,
    /// Where its variables begin on the stack.
    base: u32,
}

/// A captured variable that is on the stack.
#[derive(Trace, Collect)]
#[trace(bound = "M: Traced")]
#[collect(no_drop, bound = "where M: Collected<'gc>")]
pub(crate) struct Open<M: Memory> {
    slot: u32,
    upvalue: M::Upvalue,
}

/// Why the machine came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Done,
    /// Run it again, after a collection.
    SafePoint,
}

/// Whether an instruction made an object: only then can a collection have become due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Made {
    Nothing,
    Object,
}

/// The most nested calls.
const MOST_FRAMES: usize = 1024;

type Outcome<T = ()> = Result<T, String>;

impl<M: Memory> Machine<M> {
    /// A machine about to run this script.
    pub(crate) fn new(memory: &mut M, script: &Script) -> Self {
        let load = |literal: &Literal| match literal {
            Literal::Number(number) => Value::Number(*number),
            Literal::Text(text) => Value::Str(memory.intern(text)),
        };
        let constants = script.literals.iter().map(load).collect();
        let mut globals: Vec<Option<Value<M>>> = script.globals.iter().map(|_| None).collect();
        if let Some(clock) = script.globals.iter().position(|name| name == "clock") {
            globals[clock] = Some(Value::Clock);
        }
        let proto = script.protos.len() - 1;
        let closure =
            memory.new_closure(crate::lox::memory::Closure { proto: proto as u16, upvalues: Box::default() });
        Self {
            stack: vec![Value::Closure(closure.clone())],
            frames: vec![Frame { closure, proto: proto as u16, at: 0, base: 0 }],
            globals,
            open: Vec::new(),
            constants,
            init: memory.intern("init"),
            out: String::new(),
        }
    }

    /// What was printed.
    pub(crate) fn take_output(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// Runs to the end, or to a safe point when a collection is due.
    ///
    /// # Errors
    /// An error of the program, with its line.
    pub(crate) fn run(&mut self, memory: &mut M, script: &Script) -> Result<Status, String> {
        let mut frame = self.frames.pop().expect("a call under way");
        let result = self.execute(memory, script, &mut frame);
        let line = |frame: &Frame<M>| {
            let proto = &script.protos[usize::from(frame.proto)];
            let name = if proto.name.is_empty() { "the script" } else { &proto.name };
            format!("line {} in {name}", proto.lines[frame.at as usize - 1])
        };
        match result {
            Ok(Status::Done) => Ok(Status::Done),
            Ok(Status::SafePoint) => {
                self.frames.push(frame);
                Ok(Status::SafePoint)
            }
            Err(what) => Err(format!("{}: {what}", line(&frame))),
        }
    }

    fn execute(&mut self, memory: &mut M, script: &Script, frame: &mut Frame<M>) -> Outcome<Status> {
        let mut code: &[Op] = &script.protos[usize::from(frame.proto)].code;
        loop {
            let op = code[frame.at as usize];
            frame.at += 1;
            match op {
                Op::Constant(index) => self.push(self.constants[usize::from(index)].clone()),
                Op::Nil => self.push(Value::Nil),
                Op::True => self.push(Value::Bool(true)),
                Op::False => self.push(Value::Bool(false)),
                Op::Pop => drop(self.pop()),
                Op::GetLocal(slot) => self.push(self.stack[frame.base as usize + usize::from(slot)].clone()),
                Op::SetLocal(slot) => {
                    self.stack[frame.base as usize + usize::from(slot)] = self.peek(0).clone();
                }
                Op::GetGlobal(index) => match &self.globals[usize::from(index)] {
                    Some(value) => self.push(value.clone()),
                    None => return Err(undefined(script, index)),
                },
                Op::DefineGlobal(index) => self.globals[usize::from(index)] = Some(self.pop()),
                Op::SetGlobal(index) => {
                    let value = self.peek(0).clone();
                    match &mut self.globals[usize::from(index)] {
                        Some(global) => *global = value,
                        None => return Err(undefined(script, index)),
                    }
                }
                Op::GetUpvalue(number) => {
                    let value = self.upvalue(memory, frame, number);
                    self.push(value);
                }
                Op::SetUpvalue(number) => self.set_upvalue(memory, frame, number),
                Op::GetProperty(name) => {
                    if self.get_property(memory, name)? == Made::Object && memory.is_due() {
                        return Ok(Status::SafePoint);
                    }
                }
                Op::SetProperty(name) => self.set_property(memory, name)?,
                Op::GetSuper(name) => self.get_super(memory, name)?,
                Op::Equal => {
                    let (b, a) = (self.pop(), self.pop());
                    self.push(Value::Bool(a.is_equal(&b)));
                }
                Op::Greater => self.compare(|a, b| a > b)?,
                Op::Less => self.compare(|a, b| a < b)?,
                Op::Add => {
                    if let (Value::Number(a), Value::Number(b)) = (self.peek(1), self.peek(0)) {
                        let sum = a + b;
                        self.replace(2, Value::Number(sum));
                    } else {
                        self.concatenate(memory)?;
                        if memory.is_due() {
                            return Ok(Status::SafePoint);
                        }
                    }
                }
                Op::Subtract => self.calculate(|a, b| a - b)?,
                Op::Multiply => self.calculate(|a, b| a * b)?,
                Op::Divide => self.calculate(|a, b| a / b)?,
                Op::Not => {
                    let truth = self.pop().is_truthy();
                    self.push(Value::Bool(!truth));
                }
                Op::Negate => match *self.peek(0) {
                    Value::Number(number) => self.replace(1, Value::Number(-number)),
                    _ => return Err("the operand must be a number".to_owned()),
                },
                Op::Print => self.print(memory, script),
                Op::Jump(to) => frame.at = u32::from(to),
                Op::JumpIfFalse(to) => {
                    if !self.peek(0).is_truthy() {
                        frame.at = u32::from(to);
                    }
                }
                Op::PopJumpIfFalse(to) => {
                    if !self.pop().is_truthy() {
                        frame.at = u32::from(to);
                    }
                }
                Op::Call(count) => {
                    let made = self.call(memory, script, frame, count)?;
                    code = &script.protos[usize::from(frame.proto)].code;
                    if made == Made::Object && memory.is_due() {
                        return Ok(Status::SafePoint);
                    }
                }
                Op::Invoke(name, count) => {
                    let made = self.invoke(memory, script, frame, name, count)?;
                    code = &script.protos[usize::from(frame.proto)].code;
                    if made == Made::Object && memory.is_due() {
                        return Ok(Status::SafePoint);
                    }
                }
                Op::SuperInvoke(name, count) => {
                    self.super_invoke(memory, script, frame, name, count)?;
                    code = &script.protos[usize::from(frame.proto)].code;
                }
                Op::Closure(proto) => {
                    self.make_closure(memory, script, frame, proto);
                    if memory.is_due() {
                        return Ok(Status::SafePoint);
                    }
                }
                Op::CloseUpvalue => {
                    self.close(memory, self.stack.len() as u32 - 1);
                    self.pop();
                }
                Op::Return => {
                    let result = self.pop();
                    self.close(memory, frame.base);
                    self.stack.truncate(frame.base as usize);
                    let Some(caller) = self.frames.pop() else { return Ok(Status::Done) };
                    *frame = caller;
                    self.push(result);
                    code = &script.protos[usize::from(frame.proto)].code;
                }
                Op::Class(name) => {
                    let name = self.name(name).clone();
                    let class = memory.new_class(Class { name, methods: Default::default(), init: None });
                    self.push(Value::Class(class));
                }
                Op::Inherit => self.inherit(memory)?,
                Op::Method(name) => self.add_method(memory, name),
            }
        }
    }

    #[inline(always)]
    fn push(&mut self, value: Value<M>) {
        self.stack.push(value);
    }

    #[inline(always)]
    fn pop(&mut self) -> Value<M> {
        self.stack.pop().expect("the compiler balances the stack")
    }

    /// The value this deep below the top.
    #[inline(always)]
    fn peek(&self, depth: usize) -> &Value<M> {
        &self.stack[self.stack.len() - 1 - depth]
    }

    /// Pops this many values and pushes one.
    #[inline(always)]
    fn replace(&mut self, count: usize, value: Value<M>) {
        let top = self.stack.len() - count;
        self.stack[top] = value;
        self.stack.truncate(top + 1);
    }

    /// A constant that is a name.
    #[inline(always)]
    fn name(&self, index: u16) -> &M::Str {
        match &self.constants[usize::from(index)] {
            Value::Str(name) => name,
            _ => unreachable!("names are strings"),
        }
    }

    #[inline(always)]
    fn numbers(&self) -> Outcome<(f64, f64)> {
        match (self.peek(1), self.peek(0)) {
            (Value::Number(a), Value::Number(b)) => Ok((*a, *b)),
            _ => Err("both operands must be numbers".to_owned()),
        }
    }

    #[inline(always)]
    fn compare(&mut self, holds: impl Fn(f64, f64) -> bool) -> Outcome {
        let (a, b) = self.numbers()?;
        self.replace(2, Value::Bool(holds(a, b)));
        Ok(())
    }

    #[inline(always)]
    fn calculate(&mut self, result: impl Fn(f64, f64) -> f64) -> Outcome {
        let (a, b) = self.numbers()?;
        self.replace(2, Value::Number(result(a, b)));
        Ok(())
    }

    fn concatenate(&mut self, memory: &mut M) -> Outcome {
        let (Value::Str(a), Value::Str(b)) = (self.peek(1), self.peek(0)) else {
            return Err("both operands must be numbers, or both strings".to_owned());
        };
        let text = [memory.text(a), memory.text(b)].concat();
        let joined = memory.intern(&text);
        self.replace(2, Value::Str(joined));
        Ok(())
    }

    fn print(&mut self, memory: &M, script: &Script) {
        use std::fmt::Write;
        let value = self.pop();
        let out = &mut self.out;
        let function =
            |closure: &M::Closure| script.protos[usize::from(memory.closure(closure).proto)].name.as_str();
        let written = match &value {
            Value::Nil => writeln!(out, "nil"),
            Value::Bool(truth) => writeln!(out, "{truth}"),
            Value::Number(number) => writeln!(out, "{number}"),
            Value::Clock => writeln!(out, "<native fn>"),
            Value::Str(text) => writeln!(out, "{}", memory.text(text)),
            Value::Closure(closure) => writeln!(out, "<fn {}>", function(closure)),
            Value::Class(class) => writeln!(out, "{}", memory.text(&memory.class(class).name)),
            Value::Instance(instance) => {
                let class = &memory.instance(instance).class;
                writeln!(out, "{} instance", memory.text(&memory.class(class).name))
            }
            Value::Method(method) => writeln!(out, "<fn {}>", function(&memory.method(method).closure)),
        };
        written.expect("a string takes everything");
    }

    /// The result of `clock`: seconds since an arbitrary start.
    fn clock() -> f64 {
        use std::sync::OnceLock;
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_secs_f64()
    }
}

#[cold]
fn undefined(script: &Script, index: u16) -> String {
    format!("undefined variable `{}`", script.globals[usize::from(index)])
}
