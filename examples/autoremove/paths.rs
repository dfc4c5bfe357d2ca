//! Walks over the graph in ordinary user code: cycles, and the shortest path from a root to a package.
//!
//! Both keep their data outside the heap, in tables keyed by handles, and neither recurses, since a
//! dependency graph may be deep.

use std::collections::VecDeque;

use slotgc::{Gc, GcMap, Weak};

use crate::graph::{Graph, Package};

/// The dependency cycles: groups of more than one package that all need each other, directly or not, the
/// largest first. (The strongly connected components, by Tarjan's algorithm.)
pub(crate) fn cycles(graph: &Graph) -> Vec<Vec<Weak<Package>>> {
    let mut search = Search::default();
    for package in &graph.packages {
        if let Some(start) = graph.heap.upgrade(*package).filter(|p| !search.visits.contains_key(p)) {
            search.run(graph, start);
        }
    }
    search.cycles.sort_by_key(|cycle| std::cmp::Reverse(cycle.len()));
    search.cycles
}

#[derive(Default)]
struct Search {
    visits: GcMap<Gc<Package>, Visit>,
    /// Visited packages whose component is not complete, in the order of visiting.
    open: Vec<Gc<Package>>,
    /// From the start to the current package, each with the number of edges already followed.
    path: Vec<(Gc<Package>, usize)>,
    cycles: Vec<Vec<Weak<Package>>>,
}

struct Visit {
    number: usize,
    /// The lowest number known to be reachable within the component.
    lowest: usize,
    is_open: bool,
}

impl Search {
    fn run(&mut self, graph: &Graph, start: Gc<Package>) {
        self.enter(start);
        while let Some((package, followed)) = self.path.last_mut() {
            let package = *package;
            let next = graph.heap[package].needs.get(*followed).map(|need| need.package);
            *followed += 1;
            match next {
                None => self.leave(package),
                Some(next) => match self.visits.get(&next) {
                    None => self.enter(next),
                    Some(visit) if visit.is_open => self.lower(package, visit.number),
                    Some(_) => {}
                },
            }
        }
    }

    fn enter(&mut self, package: Gc<Package>) {
        let number = self.visits.len();
        self.visits.insert(package, Visit { number, lowest: number, is_open: true });
        self.open.push(package);
        self.path.push((package, 0));
    }

    fn lower(&mut self, package: Gc<Package>, number: usize) {
        let visit = self.visits.get_mut(&package).expect("what is on the path was visited");
        visit.lowest = visit.lowest.min(number);
    }

    fn leave(&mut self, package: Gc<Package>) {
        self.path.pop();
        let Visit { number, lowest, .. } = self.visits[&package];
        if let Some((parent, _)) = self.path.last() {
            self.lower(*parent, lowest);
        }
        if number == lowest {
            let start = self.open.iter().rposition(|p| *p == package).expect("its component is open");
            let component = self.open.split_off(start);
            for member in &component {
                self.visits.get_mut(member).expect("what is open was visited").is_open = false;
            }
            if component.len() > 1 {
                self.cycles.push(component.into_iter().map(Gc::downgrade).collect());
            }
        }
    }
}

/// One package on the way from a root to another, and how it is reached.
pub(crate) struct Step {
    pub(crate) package: Gc<Package>,
    pub(crate) sentence: String,
}

/// The shortest chain from a root to a package, the root first. `None` if nothing needs it.
pub(crate) fn chain(graph: &Graph, wanted: Weak<Package>) -> Option<Vec<Step>> {
    let wanted = graph.heap.upgrade(wanted)?;
    // From where each package was first reached, and how.
    let mut reached: GcMap<Gc<Package>, (Option<Gc<Package>>, String)> = GcMap::default();
    let mut queue = VecDeque::new();
    for (reason, root) in &graph.roots {
        reached.insert(root.gc(), (None, format!("{} is {}", graph.heap[root].name, reason.text())));
        queue.push_back(root.gc());
    }
    while let Some(package) = queue.pop_front().filter(|p| *p != wanted) {
        let Package { name, needs, .. } = &graph.heap[package];
        for need in needs {
            reached.entry(need.package).or_insert_with(|| {
                queue.push_back(need.package);
                let (how, needed) = (need.kind.name(), &graph.heap[need.package].name);
                (Some(package), format!("{name} has {needed} in its {how}"))
            });
        }
    }
    let mut chain = Vec::new();
    let mut next = Some(wanted);
    while let Some((package, (from, sentence))) = next.and_then(|p| Some((p, reached.get(&p)?))) {
        chain.push(Step { package, sentence: sentence.clone() });
        next = *from;
    }
    chain.reverse();
    Some(chain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Database;
    use crate::relation::Kind;
    use crate::resolve::Edge;
    use crate::rules::Reason;
    use std::path::Path;

    /// Packages `a`, `b`, ... with these edges; the first is a root.
    fn graph(edges: &[(usize, usize)], count: u8) -> Graph {
        let stanza = |i| {
            let name = char::from(b'a' + i);
            format!("Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n")
        };
        let status: String = (0..count).map(stanza).collect();
        let database = Database::parse(&status, Path::new("status")).unwrap();
        let mut lists = vec![Vec::new(); count.into()];
        for (from, to) in edges {
            lists[*from].push(Edge { kind: Kind::Depends, to: *to });
        }
        let mut reasons = vec![None; count.into()];
        reasons[0] = Some(Reason::Manual);
        Graph::build(&database, &lists, &reasons)
    }

    fn names(graph: &Graph, cycle: &[Weak<Package>]) -> String {
        let mut names: Vec<&str> = cycle.iter().map(|p| graph.heap[p].name.as_str()).collect();
        names.sort_unstable();
        names.concat()
    }

    #[test]
    fn cycles_are_found_once_with_all_their_members() {
        // a <-> b, b -> c, c -> d -> e -> c, f alone, f -> a.
        let graph = graph(&[(0, 1), (1, 0), (1, 2), (2, 3), (3, 4), (4, 2), (5, 0)], 6);
        let cycles: Vec<String> = cycles(&graph).iter().map(|cycle| names(&graph, cycle)).collect();
        assert_eq!(cycles, ["cde", "ab"]);
    }

    #[test]
    fn a_dead_cycle_dies_as_a_whole_and_a_chain_names_the_shortest_way() {
        // a -> b -> c -> b, a -> c; d <-> e.
        let mut graph = graph(&[(0, 1), (1, 2), (2, 1), (0, 2), (3, 4), (4, 3)], 5);
        assert_eq!(cycles(&graph).len(), 2);
        assert_eq!(graph.heap.collect().freed, 2);
        let sentences: Vec<_> =
            chain(&graph, graph.packages[2]).unwrap().into_iter().map(|step| step.sentence).collect();
        assert_eq!(sentences, ["a is manually installed", "a has c in its Depends"]);
        assert!(chain(&graph, graph.packages[3]).is_none());
    }
}
