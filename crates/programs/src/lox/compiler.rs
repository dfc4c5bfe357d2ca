//! A one-pass compiler: it reads tokens and writes instructions, without a syntax tree.
//!
//! It stops at the first error.

mod expressions;
mod scopes;
mod statements;

use crate::lox::code::{Op, Proto, Script};
use crate::lox::scanner::{Kind, Scanner, Token};
use scopes::{Function, FunctionKind};

/// Compiles a script.
///
/// # Errors
/// The first complaint, with its line.
pub(crate) fn compile(source: &str) -> Result<Script, String> {
    let mut compiler = Compiler::new(source);
    compiler.advance()?;
    while compiler.current.kind != Kind::End {
        compiler.declaration()?;
    }
    compiler.end_function();
    Ok(compiler.script)
}

type Outcome<T = ()> = Result<T, String>;

struct Compiler<'s> {
    scanner: Scanner<'s>,
    current: Token<'s>,
    previous: Token<'s>,
    script: Script,
    /// Those being compiled, the outermost first.
    functions: Vec<Function<'s>>,
    /// For each class being compiled, whether it has a superclass.
    classes: Vec<bool>,
}

impl<'s> Compiler<'s> {
    fn new(source: &'s str) -> Self {
        let none = Token { kind: Kind::End, text: "", line: 1 };
        Self {
            scanner: Scanner::new(source),
            current: none,
            previous: none,
            script: Script::default(),
            functions: vec![Function::new(FunctionKind::Script, "")],
            classes: Vec::new(),
        }
    }

    // ---- Tokens

    fn advance(&mut self) -> Outcome {
        self.previous = self.current;
        self.current = self.scanner.next_token();
        match self.current.kind {
            Kind::Error => Err(format!("line {}: {}", self.current.line, self.current.text)),
            _ => Ok(()),
        }
    }

    fn is_next(&mut self, kind: Kind) -> Outcome<bool> {
        let is_next = self.current.kind == kind;
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    fn expect(&mut self, kind: Kind, what: &str) -> Outcome {
        if self.is_next(kind)? {
            Ok(())
        } else {
            Err(self.complain_of(self.current, &format!("expected {what}")))
        }
    }

    fn complain<T>(&self, what: &str) -> Outcome<T> {
        Err(self.complain_of(self.previous, what))
    }

    fn complain_of(&self, token: Token<'_>, what: &str) -> String {
        match token.kind {
            Kind::End => format!("line {} at the end: {what}", token.line),
            _ => format!("line {} at `{}`: {what}", token.line, token.text),
        }
    }

    // ---- Instructions

    fn function(&mut self) -> &mut Function<'s> {
        self.functions.last_mut().expect("the script at least")
    }

    fn emit(&mut self, op: Op) {
        let line = self.previous.line;
        let proto = &mut self.function().proto;
        proto.code.push(op);
        proto.lines.push(line);
    }

    /// A jump whose target is not known yet; returns where it is.
    fn emit_jump(&mut self, jump: fn(u16) -> Op) -> usize {
        self.emit(jump(u16::MAX));
        self.function().proto.code.len() - 1
    }

    /// The jump leads to the next instruction.
    fn land(&mut self, jump: usize) -> Outcome {
        let target = self.here()?;
        match &mut self.function().proto.code[jump] {
            Op::Jump(to) | Op::JumpIfFalse(to) | Op::PopJumpIfFalse(to) => *to = target,
            op => unreachable!("{op:?} is no jump"),
        }
        Ok(())
    }

    /// The next instruction's place.
    fn here(&mut self) -> Outcome<u16> {
        match u16::try_from(self.function().proto.code.len()) {
            Ok(place) => Ok(place),
            Err(_) => self.complain("too much code in one function"),
        }
    }

    fn text(&mut self, text: &str) -> Outcome<u16> {
        self.script.text(text).map_or_else(|| self.complain("too many constants"), Ok)
    }

    fn emit_number(&mut self, value: f64) -> Outcome {
        let number = self.script.number(value);
        let number = number.map_or_else(|| self.complain("too many constants"), Ok)?;
        self.emit(Op::Constant(number));
        Ok(())
    }

    fn global(&mut self, name: &str) -> Outcome<u16> {
        self.script.global(name).map_or_else(|| self.complain("too many global variables"), Ok)
    }

    fn emit_return(&mut self) {
        match self.function().kind {
            FunctionKind::Initializer => self.emit(Op::GetLocal(0)),
            _ => self.emit(Op::Nil),
        }
        self.emit(Op::Return);
    }

    /// The innermost function is complete; returns its number.
    fn end_function(&mut self) -> usize {
        self.emit_return();
        let function = self.functions.pop().expect("one is under way");
        let proto: Proto = function.proto;
        self.script.protos.push(proto);
        self.script.protos.len() - 1
    }
}
