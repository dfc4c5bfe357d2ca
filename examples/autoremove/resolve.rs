//! Which installed packages satisfy a relation, by the rules of apt: real packages, `Provides`, versions and
//! architectures.
//!
//! Everything is by position in `Database::packages`; the heap comes later.
//!
//! Two habits of apt are deliberately not copied, since they depend on the order of the stanzas; `--check`
//! would show them as differences. A relation with an architecture and a version, `name:amd64 (<< 2)`, is
//! sometimes held against the version of the package that provides the name instead of the version it
//! provides. And an entry of extended_states without an architecture marks nothing if the first package that
//! apt happens to know by that name is not installed.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use crate::database::{Database, Installed, MultiArch};
use crate::pattern::any_matches;
use crate::relation::{Kind, Relation};
use crate::rules::{Kernels, Rules};
use crate::version;

/// What a package needs: another package, and the kind of the strongest relation that names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Edge {
    pub(crate) kind: Kind,
    pub(crate) to: usize,
}

/// What the installed packages offer to each other.
pub(crate) struct Offers<'a> {
    database: &'a Database,
    rules: &'a Rules,
    kernels: Kernels,
    by_target: HashMap<(&'a str, Place<'a>), Vec<Offer<'a>>>,
}

/// What a relation can be satisfied with. The version is `None` for a virtual package without one.
#[derive(Clone, Copy)]
struct Offer<'a> {
    package: usize,
    version: Option<&'a str>,
}

/// What kind of relation an offer answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Place<'a> {
    /// One without a qualifier, of a package of this architecture.
    Of(&'a str),
    /// `name:any`.
    Any,
    /// `name:amd64`: the named architecture and no other, `Multi-Arch: foreign` or not.
    Only(&'a str),
}

impl<'a> Offers<'a> {
    pub(crate) fn of(database: &'a Database, rules: &'a Rules) -> Self {
        let kernels = Kernels::of(database, rules);
        let mut offers = Self { database, rules, kernels, by_target: HashMap::new() };
        let architectures: BTreeSet<&str> = rules
            .architectures
            .iter()
            .chain(database.packages.iter().map(|p| &p.architecture))
            .map(|a| &**a)
            .collect();
        for (package, installed) in database.packages.iter().enumerate() {
            let own = Offer { package, version: Some(&installed.version) };
            offers.add_real(installed, own, &architectures);
            for provided in &installed.provides {
                let version = provided.constraint.as_ref().map(|(_, version)| version.as_str());
                offers.add_virtual(installed, provided, Offer { package, version }, &architectures);
            }
        }
        offers
    }

    fn add(&mut self, name: &'a str, place: Place<'a>, offer: Offer<'a>) {
        self.by_target.entry((name, place)).or_default().push(offer);
    }

    fn add_real(&mut self, package: &'a Installed, own: Offer<'a>, architectures: &BTreeSet<&'a str>) {
        let (name, architecture) = (&*package.name, &*package.architecture);
        self.add(name, Place::Of(architecture), own);
        self.add(name, Place::Only(architecture), own);
        match package.multi_arch {
            MultiArch::Foreign if self.is_known(architecture) => {
                for other in architectures.iter().filter(|a| **a != architecture) {
                    self.add(name, Place::Of(other), own);
                }
            }
            MultiArch::Allowed if self.is_known(architecture) => self.add(name, Place::Any, own),
            _ => {}
        }
    }

    fn add_virtual(
        &mut self,
        package: &'a Installed,
        provided: &'a Relation,
        offer: Offer<'a>,
        architectures: &BTreeSet<&'a str>,
    ) {
        let (name, architecture) = (&*provided.name, &*package.architecture);
        match (provided.qualifier.as_deref(), package.multi_arch) {
            (Some("any"), _) => self.add(name, Place::Any, offer),
            (Some(qualifier), _) => {
                self.add(name, Place::Of(qualifier), offer);
                self.add(name, Place::Only(qualifier), offer);
            }
            (None, MultiArch::Foreign) if self.is_known(architecture) => {
                for any in architectures {
                    self.add(name, Place::Of(any), offer);
                }
                self.add(name, Place::Only(architecture), offer);
            }
            (None, multi_arch) => {
                if multi_arch == MultiArch::Allowed && self.is_known(architecture) {
                    self.add(name, Place::Any, offer);
                }
                self.add(name, Place::Of(architecture), offer);
                self.add(name, Place::Only(architecture), offer);
            }
        }
    }

    /// Packages of an architecture that apt was not told about keep to themselves.
    fn is_known(&self, architecture: &str) -> bool {
        self.rules.architectures.iter().any(|a| a == architecture)
    }

    /// All that satisfies a relation of this package.
    fn satisfying(&self, from: &Installed, relation: &Relation) -> Vec<usize> {
        let places = match relation.qualifier.as_deref() {
            None => [Some(Place::Of(&from.architecture)), None],
            Some("any") if self.is_known(&from.architecture) => [Some(Place::Any), None],
            Some("any") => [Some(Place::Any), Some(Place::Of(&from.architecture))],
            Some("native") => [Some(Place::Only(&self.database.native)), None],
            Some(architecture) => [Some(Place::Only(architecture)), None],
        };
        let offers =
            places.into_iter().flatten().filter_map(|place| self.by_target.get(&(&*relation.name, place)));
        offers.flatten().filter(|offer| relation.accepts(offer.version)).map(|offer| offer.package).collect()
    }

    /// Those of them that apt keeps: of the packages that one source was built into only the newest, and of
    /// packages that belong to kernels only those of protected ones, if there are any.
    fn followed(&self, from: &Installed, relation: &Relation) -> Vec<usize> {
        let mut candidates = self.satisfying(from, relation);
        let all = candidates.clone();
        candidates.retain(|&package| {
            let (name, version) = &self.database.packages[package].source;
            let same_source =
                all.iter().map(|other| &self.database.packages[*other].source).filter(|s| s.0 == *name);
            same_source.map(|s| version::compare(version, &s.1)).all(|order| order != Ordering::Less)
        });
        let same_source =
            |a: &usize, b: &usize| self.database.packages[*a].source.0 == self.database.packages[*b].source.0;
        candidates.sort_by_key(|package| &self.database.packages[*package].source.0);
        candidates.chunk_by(same_source).flat_map(|group| self.of_protected_kernels(group)).collect()
    }

    fn of_protected_kernels(&self, group: &[usize]) -> Vec<usize> {
        let all_match = |patterns| {
            let mut names = group.iter().map(|package| &self.database.packages[*package].name);
            names.all(|name| any_matches(patterns, name))
        };
        if group.len() == 1 || !all_match(&self.kernels.versioned) {
            return group.to_vec();
        }
        let mut protected = group.to_vec();
        protected.retain(|p| any_matches(&self.kernels.protected, &self.database.packages[*p].name));
        if protected.is_empty() { group.to_vec() } else { protected }
    }

    /// What each package needs: each other package once, by the strongest kind.
    pub(crate) fn edges(&self) -> Vec<Vec<Edge>> {
        let edges_of = |(from, package): (usize, &Installed)| {
            let mut edges: Vec<Edge> = Vec::new();
            for (kind, relation) in &package.wants {
                let followed = match kind {
                    Kind::PreDepends | Kind::Depends => true,
                    Kind::Recommends => self.rules.follow_recommends,
                    Kind::Suggests => self.rules.follow_suggests,
                };
                for to in if followed { self.followed(package, relation) } else { Vec::new() } {
                    if to != from && edges.iter().all(|edge| edge.to != to) {
                        edges.push(Edge { kind: *kind, to });
                    }
                }
            }
            edges
        };
        self.database.packages.iter().enumerate().map(edges_of).collect()
    }

    /// Whether a newer package of the same source offers something that this one offers too.
    ///
    /// apt looks at a name only once when all its offers satisfy the first relation that it meets, and then
    /// takes the newest. If a later relation accepts only the older one, apt does not keep it: its answer
    /// depends on the order in which it meets them, and here the older one is kept.
    pub(crate) fn is_overshadowed(&self, package: usize) -> bool {
        let (name, version) = &self.database.packages[package].source;
        let newer = |offer: &Offer<'_>| {
            let source = &self.database.packages[offer.package].source;
            source.0 == *name && version::compare(&source.1, version).is_gt()
        };
        let mut targets = self.by_target.values();
        targets.any(|offers| offers.iter().any(|o| o.package == package) && offers.iter().any(newer))
    }

    pub(crate) fn kernels(&self) -> &Kernels {
        &self.kernels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::rules;
    use std::path::Path;

    const DUMP: &str = "APT::Architecture \"amd64\";\nAPT::Architectures \"amd64,i386\";\n\
                        APT::VersionedKernelPackages \"linux-.*\";\n";

    /// The packages that a package of amd64 with this in its Depends needs, with their architectures. Each of
    /// the others is one line of name, architecture, version and further fields.
    fn needed(depends: &str, others: &[&str]) -> Vec<String> {
        let mut status = format!(
            "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nDepends: {depends}\n\n"
        );
        for other in others {
            let [name, architecture, version, fields] = other.splitn(4, ' ').collect::<Vec<_>>()[..] else {
                panic!("{other} has four parts")
            };
            status += &format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: {architecture}\n\
                 Version: {version}\n{}\n\n",
                fields.replace("; ", "\n")
            );
        }
        let database = Database::parse(&status, Path::new("status")).unwrap();
        let rules = rules(DUMP, "6.1-2");
        let edges = Offers::of(&database, &rules).edges();
        let mut names: Vec<String> = edges[0].iter().map(|edge| database.shown_name(edge.to)).collect();
        names.sort();
        names
    }

    #[test]
    fn every_installed_alternative_is_needed_if_its_version_is_right() {
        let others = ["a amd64 1 Section: x", "b all 2 Section: x", "c amd64 3 Section: x"];
        assert_eq!(needed("a | b | absent, c (<< 3)", &others), ["a", "b"]);
    }

    #[test]
    fn a_virtual_package_needs_a_version_only_when_asked_for_one() {
        let others = ["a amd64 1 Provides: v", "b amd64 1 Provides: v (= 2)", "c amd64 1 Provides: v (>= 3)"];
        assert_eq!(needed("v", &others), ["a", "b"]);
        assert_eq!(needed("v (>= 2)", &others), ["b"]);
    }

    #[test]
    fn architectures_mix_only_where_multi_arch_says_so() {
        let others = [
            "same i386 1 Multi-Arch: same",
            "foreign i386 1 Multi-Arch: foreign; Provides: v",
            "allowed i386 1 Multi-Arch: allowed; Provides: w",
            "barbarian riscv64 1 Multi-Arch: foreign",
        ];
        assert_eq!(needed("same, foreign, allowed, barbarian", &others), ["foreign:i386"]);
        assert_eq!(needed("v | w", &others), ["foreign:i386"]);
        assert_eq!(needed("foreign:any, allowed:any, w:any", &others), ["allowed:i386"]);
        assert_eq!(needed("same:i386, foreign:amd64", &others), ["same:i386"]);
        assert_eq!(needed("same:native, dpkg:native", &others), Vec::<String>::new());
    }

    #[test]
    fn of_one_source_only_the_newest_is_needed() {
        let others = [
            "a amd64 1 Source: s (1); Provides: v",
            "b amd64 1 Source: s (2); Provides: v",
            "c amd64 1 Source: s (2); Provides: v",
            "d amd64 1 Source: t (1); Provides: v",
        ];
        assert_eq!(needed("v", &others), ["b", "c", "d"]);
    }

    #[test]
    fn of_several_kernels_only_the_protected_are_needed() {
        let kernel =
            |number| format!("linux-image-6.1-{number} amd64 {number} Source: s (1); Provides: kernel");
        let kernels = [1, 2, 3, 4].map(kernel);
        let needed = needed("kernel", &kernels.each_ref().map(String::as_str));
        assert_eq!(needed, ["linux-image-6.1-2", "linux-image-6.1-4"], "the running and the latest");
    }
}
