//! What do copying a graph, taking a checkpoint of a heap and rolling back cost per object, compared with
//! cloning a `Vec`? With the feature `serde`: saving and loading, compared with the same values in a `Vec`.
//!
//! ```sh
//! taskset -c 1 cargo bench --bench main --features serde -- graph
//! ```
//!
//! Do not conclude: that a copy always costs this multiple of a `Vec`'s clone. Objects here are 64 bytes
//! without destructors, which a `Vec` copies at the speed of memory (1.5 nanoseconds each); where `clone`
//! allocates, that is most of the time of both. Nor how long it takes in a heap with other objects: they do
//! not matter to `clone_graph`, but `checkpoint` copies them all.

use std::hint::black_box;
use std::time::Duration;

use slotgc::{Gc, Heap, Root, Schema, Trace};
use slotgc_graphs::Random;

use crate::{Question, timed};

/// An object of 64 bytes.
#[derive(Trace, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Link {
    id: u64,
    next: Option<Gc<Link>>,
    fill: [u64; 6],
}

const _: () = assert!(size_of::<Link>() == 64);

fn schema() -> Schema<(Link, ())> {
    Schema::new().with::<Link>("link")
}

/// A list through all objects, and its head.
struct List {
    heap: Heap,
    head: Root<Link>,
}

impl List {
    /// In memory order, or shuffled.
    fn new(n: usize, is_shuffled: bool) -> Self {
        let mut heap = Heap::new();
        let links = heap.alloc_many((0..n as u64).map(|id| Link { id, next: None, fill: [id; 6] }));
        let mut order: Vec<usize> = (0..n).collect();
        if is_shuffled {
            Random::new(5).shuffle(&mut order);
        }
        for pair in order.windows(2) {
            heap[links[pair[0]]].next = Some(links[pair[1]]);
        }
        let head = heap.root(links[order[0]]).expect("it was allocated just now");
        heap.collect();
        Self { heap, head }
    }

    fn values(&self) -> Vec<Link> {
        self.heap.iter::<Link>().map(|(_, link)| link.clone()).collect()
    }
}

pub(crate) fn ask(question: &mut Question<'_>) {
    let n = question.objects;
    question.case(
        "vec_clone",
        n,
        || List::new(n, false).values(),
        |values| timed(|| drop(black_box(values.clone()))).0,
    );
    question.case("clone_list", n, || List::new(n, false), |list| clone(list, n));
    question.case("clone_shuffled", n, || List::new(n, true), |list| clone(list, n));
    question.case(
        "checkpoint",
        n,
        || List::new(n, false),
        |list| timed(|| drop(black_box(list.heap.checkpoint(&schema()).expect("all types are known")))).0,
    );
    let kept = || {
        let list = List::new(n, false);
        let checkpoint = list.heap.checkpoint(&schema()).expect("all types are known");
        (list, checkpoint)
    };
    question.case("roll_back", n, kept, |(list, checkpoint)| {
        let (time, ()) = timed(|| list.heap.roll_back(checkpoint));
        assert_eq!(list.heap.len(), n);
        time
    });
    #[cfg(feature = "serde")]
    saved::ask(question);
}

fn clone(list: &mut List, n: usize) -> Duration {
    let List { heap, head } = list;
    let (time, copied) = timed(|| heap.clone_graph(&*head, &schema()));
    let (copy, _) = copied.expect("a graph of known types");
    assert_eq!((heap.len(), heap[copy].id), (2 * n, heap[&*head].id));
    heap.collect();
    time
}

#[cfg(feature = "serde")]
mod saved {
    use super::*;

    pub(super) fn ask(question: &mut Question<'_>) {
        let n = question.objects;
        question.case(
            "vec_save",
            n,
            || List::new(n, false).values(),
            |values| timed(|| postcard::to_stdvec(values).expect("plain data").len()).0,
        );
        question.case("save", n, || List::new(n, false), |list| timed(|| bytes(list).len()).0);
        let of_values = || postcard::to_stdvec(&List::new(n, false).values()).expect("plain data");
        question.case("vec_load", n, of_values, |bytes| {
            let (time, values) = timed(|| postcard::from_bytes::<Vec<Link>>(bytes).expect("saved just now"));
            assert_eq!(values.len(), n);
            time
        });
        question.case(
            "load",
            n,
            || bytes(&List::new(n, false)),
            |bytes| {
                let mut heap = Heap::new();
                let mut from = postcard::Deserializer::from_bytes(bytes);
                let (time, loaded) = timed(|| heap.load(&schema(), &mut from));
                assert_eq!((heap.len(), loaded.expect("saved just now").roots().len()), (n, 1));
                time
            },
        );
    }

    fn bytes(list: &List) -> Vec<u8> {
        let (schema, roots) = (schema(), [list.head.gc()]);
        let save = list.heap.save(&schema, &roots).expect("a graph of known types");
        postcard::to_stdvec(&save).expect("plain data")
    }
}
