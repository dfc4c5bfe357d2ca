//! Source text into tokens, one at a time.

/// The kind of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    Comma,
    Dot,
    Minus,
    Plus,
    Semicolon,
    Slash,
    Star,
    Bang,
    BangEqual,
    Equal,
    EqualEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Identifier,
    String,
    Number,
    And,
    Class,
    Else,
    False,
    For,
    Fun,
    If,
    Nil,
    Or,
    Print,
    Return,
    Super,
    This,
    True,
    Var,
    While,
    /// Its text is the error message.
    Error,
    End,
}

/// A piece of the source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'s> {
    pub(crate) kind: Kind,
    /// As in the source; a string includes its quotes.
    pub(crate) text: &'s str,
    pub(crate) line: u32,
}

/// Where the next token begins.
#[derive(Debug)]
pub(crate) struct Scanner<'s> {
    source: &'s str,
    at: usize,
    line: u32,
}

impl<'s> Scanner<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        Self { source, at: 0, line: 1 }
    }

    /// The next token; at the end always `End`.
    pub(crate) fn next_token(&mut self) -> Token<'s> {
        self.skip_blanks();
        let start = self.at;
        let Some(first) = self.peek() else {
            return Token { kind: Kind::End, text: "", line: self.line };
        };
        self.at += 1;
        let kind = match first {
            b'(' => Kind::LeftParen,
            b')' => Kind::RightParen,
            b'{' => Kind::LeftBrace,
            b'}' => Kind::RightBrace,
            b',' => Kind::Comma,
            b'.' => Kind::Dot,
            b'-' => Kind::Minus,
            b'+' => Kind::Plus,
            b';' => Kind::Semicolon,
            b'/' => Kind::Slash,
            b'*' => Kind::Star,
            b'!' => self.or_equal(Kind::Bang, Kind::BangEqual),
            b'=' => self.or_equal(Kind::Equal, Kind::EqualEqual),
            b'>' => self.or_equal(Kind::Greater, Kind::GreaterEqual),
            b'<' => self.or_equal(Kind::Less, Kind::LessEqual),
            b'"' => return self.string(start),
            b'0'..=b'9' => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                self.skip_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                keyword(&self.source[start..self.at])
            }
            _ => {
                while !self.source.is_char_boundary(self.at) {
                    self.at += 1;
                }
                return self.error("a character that Lox does not know");
            }
        };
        Token { kind, text: &self.source[start..self.at], line: self.line }
    }

    fn peek(&self) -> Option<u8> {
        self.source.as_bytes().get(self.at).copied()
    }

    fn skip_while(&mut self, holds: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&holds) {
            self.at += 1;
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b'\n') => {
                    self.line += 1;
                    self.at += 1;
                }
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'/') if self.source[self.at..].starts_with("//") => {
                    self.skip_while(|byte| byte != b'\n')
                }
                _ => return,
            }
        }
    }

    fn or_equal(&mut self, alone: Kind, with_equal: Kind) -> Kind {
        if self.peek() == Some(b'=') {
            self.at += 1;
            with_equal
        } else {
            alone
        }
    }

    fn number(&mut self) -> Kind {
        self.skip_while(|byte| byte.is_ascii_digit());
        let rest = &self.source.as_bytes()[self.at..];
        if rest.len() > 1 && rest[0] == b'.' && rest[1].is_ascii_digit() {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        Kind::Number
    }

    fn string(&mut self, start: usize) -> Token<'s> {
        let line = self.line;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => return Token { kind: Kind::String, text: &self.source[start..self.at], line },
                b'\n' => self.line += 1,
                _ => {}
            }
        }
        self.error("a string without an end")
    }

    fn error(&self, text: &'static str) -> Token<'s> {
        Token { kind: Kind::Error, text, line: self.line }
    }
}

fn keyword(text: &str) -> Kind {
    match text {
        "and" => Kind::And,
        "class" => Kind::Class,
        "else" => Kind::Else,
        "false" => Kind::False,
        "for" => Kind::For,
        "fun" => Kind::Fun,
        "if" => Kind::If,
        "nil" => Kind::Nil,
        "or" => Kind::Or,
        "print" => Kind::Print,
        "return" => Kind::Return,
        "super" => Kind::Super,
        "this" => Kind::This,
        "true" => Kind::True,
        "var" => Kind::Var,
        "while" => Kind::While,
        _ => Kind::Identifier,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<(Kind, &str, u32)> {
        let mut scanner = Scanner::new(source);
        let tokens = std::iter::from_fn(|| Some(scanner.next_token()));
        tokens.take_while(|token| token.kind != Kind::End).map(|t| (t.kind, t.text, t.line)).collect()
    }

    #[test]
    fn a_dot_after_a_number_is_a_part_of_it_only_before_a_digit() {
        let expected = [
            (Kind::Number, "1.5", 1),
            (Kind::Number, "2", 1),
            (Kind::Dot, ".", 1),
            (Kind::Identifier, "x", 1),
        ];
        assert_eq!(kinds("1.5 2.x"), expected);
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let expected = [(Kind::String, "\"a\nb\"", 2), (Kind::Identifier, "orchid", 3), (Kind::Or, "or", 4)];
        assert_eq!(kinds("// first\n\"a\nb\" orchid\nor"), expected);
    }

    #[test]
    fn what_is_no_token_is_an_error() {
        assert_eq!(kinds("ä")[0].0, Kind::Error);
        assert_eq!(kinds("\"open")[0].0, Kind::Error);
    }
}
