//! Declarations and statements.

use super::scopes::{Function, FunctionKind};
use super::{Compiler, Outcome};
use crate::lox::code::Op;
use crate::lox::scanner::Kind;

impl Compiler<'_> {
    pub(super) fn declaration(&mut self) -> Outcome {
        match self.current.kind {
            Kind::Class => self.advance().and_then(|()| self.class()),
            Kind::Fun => self.advance().and_then(|()| self.fun()),
            Kind::Var => self.advance().and_then(|()| self.var()),
            _ => self.statement(),
        }
    }

    fn statement(&mut self) -> Outcome {
        match self.current.kind {
            Kind::Print => {
                self.advance()?;
                self.expression()?;
                self.expect(Kind::Semicolon, "`;` after the value")?;
                self.emit(Op::Print);
                Ok(())
            }
            Kind::For => self.advance().and_then(|()| self.for_loop()),
            Kind::If => self.advance().and_then(|()| self.if_else()),
            Kind::While => self.advance().and_then(|()| self.while_loop()),
            Kind::Return => self.advance().and_then(|()| self.return_value()),
            Kind::LeftBrace => {
                self.advance()?;
                self.begin_scope();
                self.block()?;
                self.end_scope();
                Ok(())
            }
            _ => self.expression_statement(),
        }
    }

    fn expression_statement(&mut self) -> Outcome {
        self.expression()?;
        self.expect(Kind::Semicolon, "`;` after the expression")?;
        self.emit(Op::Pop);
        Ok(())
    }

    fn block(&mut self) -> Outcome {
        while !matches!(self.current.kind, Kind::RightBrace | Kind::End) {
            self.declaration()?;
        }
        self.expect(Kind::RightBrace, "`}` after the block")
    }

    fn var(&mut self) -> Outcome {
        self.expect(Kind::Identifier, "a variable's name")?;
        let name = self.previous;
        self.declare(name)?;
        if self.is_next(Kind::Equal)? {
            self.expression()?
        } else {
            self.emit(Op::Nil)
        }
        self.expect(Kind::Semicolon, "`;` after the declaration")?;
        self.define(name)
    }

    fn fun(&mut self) -> Outcome {
        self.expect(Kind::Identifier, "a function's name")?;
        let name = self.previous;
        self.declare(name)?;
        // It may call itself.
        self.mark_initialized();
        self.function_body(FunctionKind::Function, name.text)?;
        self.define(name)
    }

    /// Parameters and body; emits the closure.
    fn function_body(&mut self, kind: FunctionKind, name: &str) -> Outcome {
        self.functions.push(Function::new(kind, name));
        self.begin_scope();
        self.expect(Kind::LeftParen, "`(` after the name")?;
        if self.current.kind != Kind::RightParen {
            loop {
                if self.function().proto.arity == u8::MAX {
                    return self.complain("too many parameters");
                }
                self.function().proto.arity += 1;
                self.expect(Kind::Identifier, "a parameter's name")?;
                self.declare(self.previous)?;
                self.mark_initialized();
                if !self.is_next(Kind::Comma)? {
                    break;
                }
            }
        }
        self.expect(Kind::RightParen, "`)` after the parameters")?;
        self.expect(Kind::LeftBrace, "`{` before the body")?;
        self.block()?;
        let number = self.end_function();
        let Ok(number) = u16::try_from(number) else { return self.complain("too many functions") };
        self.emit(Op::Closure(number));
        Ok(())
    }

    fn class(&mut self) -> Outcome {
        self.expect(Kind::Identifier, "a class's name")?;
        let name = self.previous;
        self.declare(name)?;
        let text = self.text(name.text)?;
        self.emit(Op::Class(text));
        self.define(name)?;
        self.classes.push(false);
        if self.is_next(Kind::Less)? {
            self.expect(Kind::Identifier, "a superclass's name")?;
            if self.previous.text == name.text {
                return self.complain("a class that inherits from itself");
            }
            let superclass = self.variable(self.previous.text)?;
            self.emit(superclass.get);
            self.begin_scope();
            self.add_local("super")?;
            self.mark_initialized();
            let class = self.variable(name.text)?;
            self.emit(class.get);
            self.emit(Op::Inherit);
            *self.classes.last_mut().expect("just pushed") = true;
        }
        let class = self.variable(name.text)?;
        self.emit(class.get);
        self.expect(Kind::LeftBrace, "`{` before the methods")?;
        while !matches!(self.current.kind, Kind::RightBrace | Kind::End) {
            self.method()?;
        }
        self.expect(Kind::RightBrace, "`}` after the methods")?;
        self.emit(Op::Pop);
        if self.classes.pop() == Some(true) {
            self.end_scope();
        }
        Ok(())
    }

    fn method(&mut self) -> Outcome {
        self.expect(Kind::Identifier, "a method's name")?;
        let name = self.previous.text;
        let text = self.text(name)?;
        let kind = if name == "init" { FunctionKind::Initializer } else { FunctionKind::Method };
        self.function_body(kind, name)?;
        self.emit(Op::Method(text));
        Ok(())
    }

    fn if_else(&mut self) -> Outcome {
        let to_else = self.condition()?;
        self.statement()?;
        if self.is_next(Kind::Else)? {
            let to_end = self.emit_jump(Op::Jump);
            self.land(to_else)?;
            self.statement()?;
            self.land(to_end)
        } else {
            self.land(to_else)
        }
    }

    /// A condition in parentheses, and the jump that is taken when it does not hold.
    fn condition(&mut self) -> Outcome<usize> {
        self.expect(Kind::LeftParen, "`(` before the condition")?;
        self.expression()?;
        self.expect(Kind::RightParen, "`)` after the condition")?;
        Ok(self.emit_jump(Op::PopJumpIfFalse))
    }

    fn while_loop(&mut self) -> Outcome {
        let start = self.here()?;
        let to_end = self.condition()?;
        self.statement()?;
        self.emit(Op::Jump(start));
        self.land(to_end)
    }

    fn for_loop(&mut self) -> Outcome {
        self.begin_scope();
        self.expect(Kind::LeftParen, "`(` after `for`")?;
        match self.current.kind {
            Kind::Semicolon => self.advance()?,
            Kind::Var => self.advance().and_then(|()| self.var())?,
            _ => self.expression_statement()?,
        }
        let mut start = self.here()?;
        let mut to_end = None;
        if !self.is_next(Kind::Semicolon)? {
            self.expression()?;
            self.expect(Kind::Semicolon, "`;` after the condition")?;
            to_end = Some(self.emit_jump(Op::PopJumpIfFalse));
        }
        if !self.is_next(Kind::RightParen)? {
            // It stands before the body and runs after it.
            let to_body = self.emit_jump(Op::Jump);
            let increment = self.here()?;
            self.expression()?;
            self.emit(Op::Pop);
            self.expect(Kind::RightParen, "`)` after the clauses")?;
            self.emit(Op::Jump(start));
            start = increment;
            self.land(to_body)?;
        }
        self.statement()?;
        self.emit(Op::Jump(start));
        if let Some(to_end) = to_end {
            self.land(to_end)?;
        }
        self.end_scope();
        Ok(())
    }

    fn return_value(&mut self) -> Outcome {
        if self.function().kind == FunctionKind::Script {
            return self.complain("`return` outside of a function");
        }
        if self.is_next(Kind::Semicolon)? {
            self.emit_return();
            return Ok(());
        }
        if self.function().kind == FunctionKind::Initializer {
            return self.complain("an initializer returns nothing but its object");
        }
        self.expression()?;
        self.expect(Kind::Semicolon, "`;` after the value")?;
        self.emit(Op::Return);
        Ok(())
    }
}
