//! Relations between packages as control files write them: `libc6 (>= 2.34), perl:any | awk`.
//!
//! The grouping by commas and bars is not kept: apt keeps every installed alternative, so for the question
//! what is needed a bar is as good as a comma. The file on disk was written by dpkg, which has already
//! dropped architecture lists and build profiles.

use std::cmp::Ordering;

use crate::version;

/// How one package needs another, the strongest first. The order is apt's order of looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    PreDepends,
    Depends,
    Recommends,
    Suggests,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::PreDepends, Self::Depends, Self::Recommends, Self::Suggests];

    /// The name of the field.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PreDepends => "Pre-Depends",
            Self::Depends => "Depends",
            Self::Recommends => "Recommends",
            Self::Suggests => "Suggests",
        }
    }
}

/// A package that is wanted or provided, real or virtual.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Relation {
    pub(crate) name: String,
    /// What follows the colon: `any`, `native` or the name of an architecture.
    pub(crate) qualifier: Option<String>,
    pub(crate) constraint: Option<(Comparison, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Comparison {
    Earlier,
    EarlierOrEqual,
    Equal,
    LaterOrEqual,
    Later,
}

impl Relation {
    /// Whether something of this version, or without one, is good enough.
    pub(crate) fn accepts(&self, version: Option<&str>) -> bool {
        let Some((comparison, wanted)) = &self.constraint else { return true };
        let Some(version) = version else { return false };
        let order = version::compare(version, wanted);
        match comparison {
            Comparison::Earlier => order == Ordering::Less,
            Comparison::EarlierOrEqual => order != Ordering::Greater,
            Comparison::Equal => order == Ordering::Equal,
            Comparison::LaterOrEqual => order != Ordering::Less,
            Comparison::Later => order == Ordering::Greater,
        }
    }
}

/// All relations in a field.
///
/// # Errors
/// The relation that cannot be read, in words.
pub(crate) fn parse(field: &str) -> Result<Vec<Relation>, String> {
    field.split([',', '|']).map(str::trim).filter(|text| !text.is_empty()).map(parse_one).collect()
}

fn parse_one(text: &str) -> Result<Relation, String> {
    let malformed = || format!("cannot read the relation {text:?}");
    let (name, constraint) = match text.split_once('(') {
        None => (text, None),
        Some((name, rest)) => {
            let inside = rest.strip_suffix(')').ok_or_else(malformed)?.trim();
            let start = inside.find(|c| !"<=>".contains(c)).ok_or_else(malformed)?;
            let comparison = match &inside[..start] {
                "<<" => Comparison::Earlier,
                // A single sign is the old way to write "or equal"; no sign means equal.
                "<" | "<=" => Comparison::EarlierOrEqual,
                "=" | "" => Comparison::Equal,
                ">" | ">=" => Comparison::LaterOrEqual,
                ">>" => Comparison::Later,
                _ => return Err(malformed()),
            };
            (name.trim_end(), Some((comparison, inside[start..].trim_start().to_owned())))
        }
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(malformed());
    }
    let (name, qualifier) = match name.rsplit_once(':') {
        None => (name, None),
        Some((name, qualifier)) => (name, Some(qualifier.to_owned())),
    };
    Ok(Relation { name: name.to_owned(), qualifier, constraint })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Relation {
        parse(text).unwrap().remove(0)
    }

    #[test]
    fn a_field_is_a_list_of_relations() {
        let relations = parse("libc6 (>= 2.34), perl:any | awk,\n tar(<<1:2-3~)").unwrap();
        let names: Vec<_> = relations.iter().map(|r| (r.name.as_str(), r.qualifier.as_deref())).collect();
        assert_eq!(names, [("libc6", None), ("perl", Some("any")), ("awk", None), ("tar", None)]);
        assert_eq!(relations[0].constraint, Some((Comparison::LaterOrEqual, "2.34".into())));
        assert_eq!(relations[3].constraint, Some((Comparison::Earlier, "1:2-3~".into())));
        assert_eq!(parse(" ").unwrap(), []);
    }

    #[test]
    fn constraints_accept_the_versions_they_say() {
        for (constraint, accepted, refused) in [
            ("<< 2", "1 2~rc1", "2 3"),
            ("<= 2", "1 2", "2.0.1"),
            ("= 2", "2 0:2 2-0", "1 3"),
            (">= 2", "2 3", "1 2~"),
            (">> 2", "2-1 3", "2 1"),
        ] {
            let relation = one(&format!("a ({constraint})"));
            assert!(accepted.split(' ').all(|v| relation.accepts(Some(v))), "{constraint}");
            assert!(!refused.split(' ').any(|v| relation.accepts(Some(v))), "{constraint}");
            assert!(!relation.accepts(None), "no version satisfies no constraint");
        }
        assert!(one("a").accepts(None) && one("a").accepts(Some("1")));
    }

    #[test]
    fn what_cannot_be_read_is_quoted() {
        for text in ["a (>= 1", "a (>=)", "(= 1)", "a b", "a (=> 1)"] {
            assert_eq!(parse(text).unwrap_err(), format!("cannot read the relation {text:?}"));
        }
    }
}
