//! POSIX extended regular expressions, as far as package names need them: apt's patterns are written in them.
//!
//! A backtracking matcher that ignores case. Names are short and patterns come from the machine's own
//! configuration, so it has no defence against patterns made to be slow. There are no back-references.

/// A compiled pattern. It matches a name when it matches any part of it.
#[derive(Debug)]
pub(crate) struct Pattern(Vec<Branch>);

/// What stands between two `|`: every piece must match, one after the other.
type Branch = Vec<Piece>;

#[derive(Debug)]
struct Piece {
    atom: Atom,
    min: usize,
    max: usize,
}

#[derive(Debug)]
enum Atom {
    Start,
    End,
    Any,
    Char(char),
    Set { negated: bool, ranges: Vec<(char, char)> },
    Group(Vec<Branch>),
}

impl Pattern {
    /// # Errors
    /// What is wrong with the pattern, in words.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text };
        let branches = parser.branches()?;
        match parser.rest.chars().next() {
            None => Ok(Self(branches)),
            Some(c) => Err(format!("{c:?} without its partner in {text:?}")),
        }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        (0..=name.len()).any(|start| any_branch(&self.0, &name, start, &mut |_| true))
    }
}

pub(crate) fn any_matches(patterns: &[Pattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

/// Whether some branch matches from `at` on, to an end from which `then` succeeds.
fn any_branch(branches: &[Branch], name: &[char], at: usize, then: &mut dyn FnMut(usize) -> bool) -> bool {
    branches.iter().any(|branch| pieces(branch, name, at, then))
}

fn pieces(branch: &[Piece], name: &[char], at: usize, then: &mut dyn FnMut(usize) -> bool) -> bool {
    match branch.split_first() {
        None => then(at),
        Some((first, rest)) => repeat(first, 0, name, at, &mut |end| pieces(rest, name, end, then)),
    }
}

/// As many repetitions as possible first, then fewer. One that matches nothing is not worth repeating.
fn repeat(piece: &Piece, done: usize, name: &[char], at: usize, then: &mut dyn FnMut(usize) -> bool) -> bool {
    let mut again = |end| (end > at || done < piece.min) && repeat(piece, done + 1, name, end, then);
    (done < piece.max && atom(&piece.atom, name, at, &mut again)) || (done >= piece.min && then(at))
}

fn atom(atom: &Atom, name: &[char], at: usize, then: &mut dyn FnMut(usize) -> bool) -> bool {
    let next_is = |wanted: &dyn Fn(char) -> bool| name.get(at).is_some_and(|c| wanted(*c));
    match atom {
        Atom::Start => at == 0 && then(at),
        Atom::End => at == name.len() && then(at),
        Atom::Any => next_is(&|_| true) && then(at + 1),
        Atom::Char(wanted) => next_is(&|c| c.eq_ignore_ascii_case(wanted)) && then(at + 1),
        Atom::Set { negated, ranges } => next_is(&|c| in_set(ranges, c) != *negated) && then(at + 1),
        Atom::Group(branches) => any_branch(branches, name, at, then),
    }
}

fn in_set(ranges: &[(char, char)], c: char) -> bool {
    let cases = [c.to_ascii_lowercase(), c.to_ascii_uppercase()];
    ranges.iter().any(|(low, high)| cases.iter().any(|c| (low..=high).contains(&c)))
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn take(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }

    fn take_if(&mut self, prefix: &str) -> bool {
        self.rest.strip_prefix(prefix).map(|rest| self.rest = rest).is_some()
    }

    /// Stops at the end and at a `)`.
    fn branches(&mut self) -> Result<Vec<Branch>, String> {
        let mut branches = vec![Branch::new()];
        while !self.rest.is_empty() && !self.rest.starts_with(')') {
            if self.take_if("|") {
                branches.push(Branch::new());
                continue;
            }
            let piece = self.piece()?;
            branches.last_mut().expect("begun with one branch").push(piece);
        }
        Ok(branches)
    }

    fn piece(&mut self) -> Result<Piece, String> {
        let atom = match self.take() {
            Some('^') => Atom::Start,
            Some('$') => Atom::End,
            Some('.') => Atom::Any,
            Some('[') => self.set()?,
            Some('(') => {
                let branches = self.branches()?;
                if !self.take_if(")") {
                    return Err("a group is not closed".into());
                }
                Atom::Group(branches)
            }
            Some('\\') => Atom::Char(self.take().ok_or("a backslash at the end")?),
            Some(c @ ('*' | '+' | '?')) => return Err(format!("{c:?} has nothing to repeat")),
            Some(c) => Atom::Char(c),
            None => return Err("the pattern ends too early".into()),
        };
        let (min, max) = self.repetitions()?;
        Ok(Piece { atom, min, max })
    }

    fn repetitions(&mut self) -> Result<(usize, usize), String> {
        if self.take_if("*") {
            Ok((0, usize::MAX))
        } else if self.take_if("+") {
            Ok((1, usize::MAX))
        } else if self.take_if("?") {
            Ok((0, 1))
        } else if self.take_if("{") {
            let (bounds, rest) = self.rest.split_once('}').ok_or("a repetition is not closed")?;
            self.rest = rest;
            let number = |text: &str| text.parse().map_err(|_| format!("{{{bounds}}} is no repetition"));
            match bounds.split_once(',') {
                None => Ok((number(bounds)?, number(bounds)?)),
                Some((min, "")) => Ok((number(min)?, usize::MAX)),
                Some((min, max)) => Ok((number(min)?, number(max)?)),
            }
        } else {
            Ok((1, 1))
        }
    }

    /// After the `[`. A `]` that comes first is an ordinary character, and so is a `-` at either end.
    fn set(&mut self) -> Result<Atom, String> {
        let negated = self.take_if("^");
        let mut ranges = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix("[:") {
                let (class, rest) = rest.split_once(":]").ok_or("a character class is not closed")?;
                ranges.extend_from_slice(class_ranges(class).ok_or(format!("[:{class}:] is unknown"))?);
                self.rest = rest;
            } else {
                let low = self.take().ok_or("a set of characters is not closed")?;
                let range = self.rest.starts_with('-') && !self.rest.starts_with("-]");
                let high = if range { self.rest[1..].chars().next() } else { Some(low) };
                let high = high.ok_or("a set of characters is not closed")?;
                self.rest = if range { &self.rest[1 + high.len_utf8()..] } else { self.rest };
                ranges.push((low, high));
            }
            if self.take_if("]") {
                return Ok(Atom::Set { negated, ranges });
            }
        }
    }
}

fn class_ranges(class: &str) -> Option<&'static [(char, char)]> {
    Some(match class {
        "alpha" => &[('a', 'z'), ('A', 'Z')],
        "digit" => &[('0', '9')],
        "alnum" => &[('a', 'z'), ('A', 'Z'), ('0', '9')],
        "lower" => &[('a', 'z')],
        "upper" => &[('A', 'Z')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[(' ', ' '), ('\t', '\r')],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_grep_e_matches() {
        for (pattern, matching, others) in [
            ("^firmware-linux.*", "firmware-linux firmware-linux-free", "my-firmware-linux firmware"),
            ("^linux-image-[a-z0-9]*$", "linux-image- linux-image-amd64", "linux-image-6.1-amd64"),
            ("^postgresql.*-15", "postgresql-15 postgresql-client-15", "postgresql-14 xpostgresql-15"),
            ("linux", "linux a-linux-b LINUX", "lin"),
            ("^(a|b)+c?$", "a ab abbac", "c abcc"),
            ("^x{2,3}$|^y{2}$", "xx xxx yy", "x xxxx y yyy"),
            (r"^linux-.*-6\.1\.0\+x$", "linux-image-6.1.0+x", "linux-image-6.1.00x"),
            ("^[^a-c[:digit:]]+$", "xyz", "xay x1"),
            ("^[]a-]+$", "]-a", "b"),
            ("^(a*)*$", "aaaa", "b"),
            ("", "anything", ""),
        ] {
            let compiled = Pattern::new(pattern).unwrap();
            for name in matching.split(' ') {
                assert!(compiled.matches(name), "{pattern} should match {name}");
            }
            for name in others.split(' ').filter(|n| !n.is_empty()) {
                assert!(!compiled.matches(name), "{pattern} should not match {name}");
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_pattern_is_said() {
        for (pattern, message) in [
            ("a)", "')' without its partner in \"a)\""),
            ("(a", "a group is not closed"),
            ("[a", "a set of characters is not closed"),
            ("*", "'*' has nothing to repeat"),
            ("a{x}", "{x} is no repetition"),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap_err(), message);
        }
    }
}
