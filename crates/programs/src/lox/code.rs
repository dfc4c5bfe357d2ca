//! Compiled programs. Nothing here knows the memory that a program will run on.

use std::collections::HashMap;

/// An instruction, four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    Constant(u16),
    Nil,
    True,
    False,
    Pop,
    GetLocal(u8),
    SetLocal(u8),
    GetGlobal(u16),
    DefineGlobal(u16),
    SetGlobal(u16),
    GetUpvalue(u8),
    SetUpvalue(u8),
    GetProperty(u16),
    SetProperty(u16),
    GetSuper(u16),
    Equal,
    Greater,
    Less,
    Add,
    Subtract,
    Multiply,
    Divide,
    Not,
    Negate,
    Print,
    /// To this instruction of the function, as all jumps.
    Jump(u16),
    /// Leaves the condition on the stack.
    JumpIfFalse(u16),
    /// Pops the condition.
    PopJumpIfFalse(u16),
    /// With this many arguments.
    Call(u8),
    /// `GetProperty` and `Call` in one.
    Invoke(u16, u8),
    SuperInvoke(u16, u8),
    /// Of this function.
    Closure(u16),
    CloseUpvalue,
    Return,
    Class(u16),
    Inherit,
    Method(u16),
}

const _: () = assert!(size_of::<Op>() == 4);

/// Where a closure finds a variable of a function around it, when it is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Capture {
    /// A local variable of the enclosing function.
    Local(u8),
    /// One that the enclosing function captured.
    Upvalue(u8),
}

/// A function, a method or the script.
#[derive(Debug, Default)]
pub(crate) struct Proto {
    /// Empty for the script.
    pub(crate) name: String,
    pub(crate) arity: u8,
    pub(crate) code: Vec<Op>,
    /// The line of each instruction.
    pub(crate) lines: Vec<u32>,
    pub(crate) captures: Vec<Capture>,
}

/// A constant before it is loaded.
#[derive(Debug)]
pub(crate) enum Literal {
    Number(f64),
    Text(String),
}

/// A whole script.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// The script itself is the last.
    pub(crate) protos: Vec<Proto>,
    pub(crate) literals: Vec<Literal>,
    /// Global variables by their numbers.
    pub(crate) globals: Vec<String>,
    texts: HashMap<String, u16>,
    numbers: HashMap<u64, u16>,
    global_numbers: HashMap<String, u16>,
}

impl Script {
    /// The number of a constant, `None` when there are too many.
    pub(crate) fn text(&mut self, text: &str) -> Option<u16> {
        if let Some(known) = self.texts.get(text) {
            return Some(*known);
        }
        let number = u16::try_from(self.literals.len()).ok()?;
        self.literals.push(Literal::Text(text.to_owned()));
        self.texts.insert(text.to_owned(), number);
        Some(number)
    }

    /// As `text`.
    pub(crate) fn number(&mut self, value: f64) -> Option<u16> {
        if let Some(known) = self.numbers.get(&value.to_bits()) {
            return Some(*known);
        }
        let number = u16::try_from(self.literals.len()).ok()?;
        self.literals.push(Literal::Number(value));
        self.numbers.insert(value.to_bits(), number);
        Some(number)
    }

    /// The number of a global variable, whether it will ever be defined or not.
    pub(crate) fn global(&mut self, name: &str) -> Option<u16> {
        if let Some(known) = self.global_numbers.get(name) {
            return Some(*known);
        }
        let number = u16::try_from(self.globals.len()).ok()?;
        self.globals.push(name.to_owned());
        self.global_numbers.insert(name.to_owned(), number);
        Some(number)
    }
}
