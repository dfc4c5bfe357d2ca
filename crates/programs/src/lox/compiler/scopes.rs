//! Which variable a name is: local, captured or global.

use super::{Compiler, Outcome};
use crate::lox::code::{Capture, Op, Proto};
use crate::lox::scanner::Token;

/// A function being compiled.
pub(super) struct Function<'s> {
    pub(super) proto: Proto,
    pub(super) kind: FunctionKind,
    locals: Vec<Local<'s>>,
    /// Blocks around; 0 is the script's own level.
    depth: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FunctionKind {
    Script,
    Function,
    Method,
    Initializer,
}

struct Local<'s> {
    name: &'s str,
    /// `None` until its initializer has been read.
    depth: Option<u32>,
    is_captured: bool,
}

/// How a variable is read and written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variable {
    pub(super) get: Op,
    pub(super) set: Op,
}

impl<'s> Function<'s> {
    pub(super) fn new(kind: FunctionKind, name: &str) -> Self {
        // The callee is on the stack below the arguments: `this` in a method, without a name elsewhere.
        let own = match kind {
            FunctionKind::Method | FunctionKind::Initializer => "this",
            FunctionKind::Script | FunctionKind::Function => "",
        };
        let locals = vec![Local { name: own, depth: Some(0), is_captured: false }];
        Self { proto: Proto { name: name.to_owned(), ..Proto::default() }, kind, locals, depth: 0 }
    }

    pub(super) fn is_in_block(&self) -> bool {
        self.depth > 0
    }

    fn local(&self, name: &str) -> Option<(u8, bool)> {
        let index = self.locals.iter().rposition(|local| local.name == name)?;
        Some((index as u8, self.locals[index].depth.is_some()))
    }

    /// The number of an upvalue, a new one or that of an equal capture; `None` when there are too many.
    fn capture(&mut self, capture: Capture) -> Option<u8> {
        let captures = &mut self.proto.captures;
        let index = captures.iter().position(|known| *known == capture).unwrap_or_else(|| {
            captures.push(capture);
            captures.len() - 1
        });
        u8::try_from(index).ok()
    }
}

impl<'s> Compiler<'s> {
    pub(super) fn begin_scope(&mut self) {
        self.function().depth += 1;
    }

    pub(super) fn end_scope(&mut self) {
        let function = self.function();
        function.depth -= 1;
        let depth = function.depth;
        let first = function.locals.iter().position(|local| local.depth.is_some_and(|at| at > depth));
        let gone = function.locals.split_off(first.unwrap_or(function.locals.len()));
        for local in gone.iter().rev() {
            self.emit(if local.is_captured { Op::CloseUpvalue } else { Op::Pop });
        }
    }

    /// The name after `var`, `fun`, `class` or of a parameter is declared; what comes next is its value.
    pub(super) fn declare(&mut self, name: Token<'s>) -> Outcome {
        let function = self.function();
        if !function.is_in_block() {
            return Ok(());
        }
        let depth = function.depth;
        let mut own =
            function.locals.iter().rev().take_while(|local| local.depth.is_none_or(|at| at == depth));
        if own.any(|local| local.name == name.text) {
            return self.complain("this block has a variable of that name");
        }
        self.add_local(name.text)
    }

    /// A local variable that is on the stack already, or is about to be.
    pub(super) fn add_local(&mut self, name: &'s str) -> Outcome {
        if self.function().locals.len() > usize::from(u8::MAX) {
            return self.complain("too many local variables");
        }
        self.function().locals.push(Local { name, depth: None, is_captured: false });
        Ok(())
    }

    /// The latest local variable has its value.
    pub(super) fn mark_initialized(&mut self) {
        let function = self.function();
        if function.is_in_block() {
            let depth = function.depth;
            function.locals.last_mut().expect("declared").depth = Some(depth);
        }
    }

    /// The value on the stack becomes the variable.
    pub(super) fn define(&mut self, name: Token<'s>) -> Outcome {
        if self.function().is_in_block() {
            self.mark_initialized();
            return Ok(());
        }
        let global = self.global(name.text)?;
        self.emit(Op::DefineGlobal(global));
        Ok(())
    }

    pub(super) fn variable(&mut self, name: &str) -> Outcome<Variable> {
        let innermost = self.functions.len() - 1;
        match self.functions[innermost].local(name) {
            Some((_, false)) => self.complain("a variable in its own initializer"),
            Some((slot, true)) => Ok(Variable { get: Op::GetLocal(slot), set: Op::SetLocal(slot) }),
            None => match self.upvalue(innermost, name)? {
                Some(number) => Ok(Variable { get: Op::GetUpvalue(number), set: Op::SetUpvalue(number) }),
                None => {
                    let global = self.global(name)?;
                    Ok(Variable { get: Op::GetGlobal(global), set: Op::SetGlobal(global) })
                }
            },
        }
    }

    /// Looks for the variable in the functions around the one at `index`, and makes those between capture it.
    fn upvalue(&mut self, index: usize, name: &str) -> Outcome<Option<u8>> {
        let Some(around) = index.checked_sub(1) else { return Ok(None) };
        let capture = match self.functions[around].local(name) {
            Some((slot, _)) => {
                self.functions[around].locals[usize::from(slot)].is_captured = true;
                Capture::Local(slot)
            }
            None => match self.upvalue(around, name)? {
                Some(number) => Capture::Upvalue(number),
                None => return Ok(None),
            },
        };
        let number = self.functions[index].capture(capture);
        number.map_or_else(|| self.complain("too many captured variables"), |number| Ok(Some(number)))
    }
}
