//! Expressions, by precedence climbing.

use super::scopes::{FunctionKind, Variable};
use super::{Compiler, Outcome};
use crate::lox::code::Op;
use crate::lox::scanner::Kind;

/// How strongly an operator binds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Level {
    None,
    Assignment,
    Or,
    And,
    Equality,
    Comparison,
    Term,
    Factor,
    Unary,
    Call,
}

impl Level {
    /// Of an operator between two operands, or after one.
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Or => Self::Or,
            Kind::And => Self::And,
            Kind::BangEqual | Kind::EqualEqual => Self::Equality,
            Kind::Greater | Kind::GreaterEqual | Kind::Less | Kind::LessEqual => Self::Comparison,
            Kind::Plus | Kind::Minus => Self::Term,
            Kind::Star | Kind::Slash => Self::Factor,
            Kind::LeftParen | Kind::Dot => Self::Call,
            _ => Self::None,
        }
    }

    /// The right operand binds tighter: operators are left-associative.
    fn next(self) -> Self {
        match self {
            Self::None => Self::Assignment,
            Self::Assignment => Self::Or,
            Self::Or => Self::And,
            Self::And => Self::Equality,
            Self::Equality => Self::Comparison,
            Self::Comparison => Self::Term,
            Self::Term => Self::Factor,
            Self::Factor => Self::Unary,
            Self::Unary | Self::Call => Self::Call,
        }
    }
}

impl Compiler<'_> {
    pub(super) fn expression(&mut self) -> Outcome {
        self.at_level(Level::Assignment)
    }

    fn at_level(&mut self, level: Level) -> Outcome {
        self.advance()?;
        let may_assign = level <= Level::Assignment;
        self.prefix(may_assign)?;
        while level <= Level::of(self.current.kind) && Level::of(self.current.kind) != Level::None {
            self.advance()?;
            self.infix(may_assign)?;
        }
        if may_assign && self.current.kind == Kind::Equal {
            self.advance()?;
            return self.complain("nothing that could be assigned to");
        }
        Ok(())
    }

    fn prefix(&mut self, may_assign: bool) -> Outcome {
        match self.previous.kind {
            Kind::LeftParen => {
                self.expression()?;
                return self.expect(Kind::RightParen, "`)` after the expression");
            }
            Kind::Minus => {
                self.at_level(Level::Unary)?;
                self.emit(Op::Negate);
            }
            Kind::Bang => {
                self.at_level(Level::Unary)?;
                self.emit(Op::Not);
            }
            Kind::Nil => self.emit(Op::Nil),
            Kind::True => self.emit(Op::True),
            Kind::False => self.emit(Op::False),
            Kind::Number => {
                let value = self.previous.text.parse().expect("digits");
                self.emit_number(value)?;
            }
            Kind::String => {
                let text = self.previous.text;
                let constant = self.text(&text[1..text.len() - 1])?;
                self.emit(Op::Constant(constant));
            }
            Kind::Identifier => return self.named(self.previous.text, may_assign),
            Kind::This if self.classes.is_empty() => return self.complain("`this` outside of a class"),
            Kind::This => return self.named("this", false),
            Kind::Super => return self.super_method(),
            _ => return self.complain("expected an expression"),
        }
        Ok(())
    }

    fn named(&mut self, name: &str, may_assign: bool) -> Outcome {
        let Variable { get, set } = self.variable(name)?;
        if may_assign && self.is_next(Kind::Equal)? {
            self.expression()?;
            self.emit(set);
        } else {
            self.emit(get);
        }
        Ok(())
    }

    fn super_method(&mut self) -> Outcome {
        match self.classes.last() {
            None => return self.complain("`super` outside of a class"),
            Some(false) => return self.complain("`super` in a class without a superclass"),
            Some(true) => {}
        }
        debug_assert!(self.functions.len() > 1 || self.function().kind != FunctionKind::Script);
        self.expect(Kind::Dot, "`.` after `super`")?;
        self.expect(Kind::Identifier, "a superclass's method")?;
        let name = self.text(self.previous.text)?;
        self.named("this", false)?;
        if self.is_next(Kind::LeftParen)? {
            let count = self.arguments()?;
            self.named("super", false)?;
            self.emit(Op::SuperInvoke(name, count));
        } else {
            self.named("super", false)?;
            self.emit(Op::GetSuper(name));
        }
        Ok(())
    }

    fn infix(&mut self, may_assign: bool) -> Outcome {
        let kind = self.previous.kind;
        match kind {
            Kind::And => {
                let to_end = self.emit_jump(Op::JumpIfFalse);
                self.emit(Op::Pop);
                self.at_level(Level::And)?;
                return self.land(to_end);
            }
            Kind::Or => {
                let to_right = self.emit_jump(Op::JumpIfFalse);
                let to_end = self.emit_jump(Op::Jump);
                self.land(to_right)?;
                self.emit(Op::Pop);
                self.at_level(Level::Or)?;
                return self.land(to_end);
            }
            Kind::LeftParen => {
                let count = self.arguments()?;
                self.emit(Op::Call(count));
                return Ok(());
            }
            Kind::Dot => return self.property(may_assign),
            _ => {}
        }
        self.at_level(Level::of(kind).next())?;
        let ops: &[Op] = match kind {
            Kind::BangEqual => &[Op::Equal, Op::Not],
            Kind::EqualEqual => &[Op::Equal],
            Kind::Greater => &[Op::Greater],
            // Not the same as `!(a < b)` for what is not a number, but what the language's book does.
            Kind::GreaterEqual => &[Op::Less, Op::Not],
            Kind::Less => &[Op::Less],
            Kind::LessEqual => &[Op::Greater, Op::Not],
            Kind::Plus => &[Op::Add],
            Kind::Minus => &[Op::Subtract],
            Kind::Star => &[Op::Multiply],
            _ => &[Op::Divide],
        };
        ops.iter().for_each(|op| self.emit(*op));
        Ok(())
    }

    fn property(&mut self, may_assign: bool) -> Outcome {
        self.expect(Kind::Identifier, "a property's name")?;
        let name = self.text(self.previous.text)?;
        if may_assign && self.is_next(Kind::Equal)? {
            self.expression()?;
            self.emit(Op::SetProperty(name));
        } else if self.is_next(Kind::LeftParen)? {
            let count = self.arguments()?;
            self.emit(Op::Invoke(name, count));
        } else {
            self.emit(Op::GetProperty(name));
        }
        Ok(())
    }

    fn arguments(&mut self) -> Outcome<u8> {
        let mut count = 0_u8;
        if self.current.kind != Kind::RightParen {
            loop {
                self.expression()?;
                match count.checked_add(1) {
                    Some(more) => count = more,
                    None => return self.complain("too many arguments"),
                }
                if !self.is_next(Kind::Comma)? {
                    break;
                }
            }
        }
        self.expect(Kind::RightParen, "`)` after the arguments")?;
        Ok(count)
    }
}
