//! Objects behind traits: `GcDyn` and `WeakDyn`.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Debug;

use slotgc::{
    AnyGc, Gc, GcDyn, Heap, HeapConfig, Root, RootDyn, Schema, Trace, Weak, WeakDyn, gc_dyn, trace_dyn,
};

use crate::objects::panic_text;

trait Behaviour: Debug {
    fn act(&mut self) -> u32;
    fn name(&self) -> &'static str;

    /// An edge, if there is one.
    fn point_to(&mut self, _: Gc<Wait>) {}
}
gc_dyn!(dyn Behaviour);

#[derive(Trace, Clone, Debug, Default)]
struct Follow {
    whom: Option<Gc<Wait>>,
    steps: u32,
}

#[derive(Trace, Clone, Debug)]
struct Wait(u32);

/// As large as `Follow`, but without its behaviour.
#[derive(Trace, Clone, Debug)]
struct Silent {
    whom: Option<Gc<Wait>>,
    steps: u32,
}

impl Behaviour for Follow {
    fn act(&mut self) -> u32 {
        self.steps += 1;
        self.steps
    }

    fn name(&self) -> &'static str {
        "follow"
    }

    fn point_to(&mut self, whom: Gc<Wait>) {
        self.whom = Some(whom);
    }
}

impl Behaviour for Wait {
    fn act(&mut self) -> u32 {
        self.0
    }

    fn name(&self) -> &'static str {
        "wait"
    }
}

#[derive(Trace, Clone, Default)]
struct Mob {
    behaviours: Vec<GcDyn<dyn Behaviour>>,
    last: Option<GcDyn<dyn Behaviour>>,
    target: WeakDyn<dyn Behaviour>,
}

#[test]
fn a_handle_behind_a_trait_is_sixteen_bytes() {
    assert_eq!(size_of::<GcDyn<dyn Behaviour>>(), size_of::<(u64, usize)>());
    assert_eq!(size_of::<Option<GcDyn<dyn Behaviour>>>(), size_of::<WeakDyn<dyn Behaviour>>());
}

#[test]
fn objects_of_several_types_act_through_one_trait_and_are_kept_by_its_handles() {
    let mut heap = Heap::new();
    let whom = heap.alloc(Wait(7));
    let follow = heap.alloc(Follow { whom: Some(whom), steps: 0 });
    let wait = heap.alloc(Wait(3));
    let lost = heap.alloc(Wait(4));
    let mob = heap.alloc_root(Mob {
        behaviours: vec![follow.into(), wait.into(), GcDyn::new(follow)],
        last: None,
        target: lost.downgrade().into(),
    });
    assert!(heap.is_alive_dyn(heap[&mob].target));
    heap.collect();
    assert!(heap.get_dyn(heap[&mob].target).is_none(), "a weak handle is no edge");
    let behaviours = heap[&mob].behaviours.clone();
    let acted: Vec<_> = behaviours.iter().map(|behaviour| heap[behaviour].act()).collect();
    assert_eq!(acted, [1, 3, 2]);
    assert_eq!((heap[follow].steps, heap[behaviours[1]].name()), (2, "wait"));
    assert!(heap.is_alive(whom), "what it refers to is reached too");
    assert_eq!(behaviours[0], behaviours[2]);
    assert_eq!(behaviours[0].downcast::<Follow>(), Some(follow));
    assert_eq!(behaviours[0].downcast::<Wait>(), None);
    heap[&mob].behaviours.clear();
    heap.collect();
    assert_eq!(heap.len(), 1);
}

#[test]
fn a_change_through_the_trait_passes_the_write_barrier() {
    let mut heap = Heap::new();
    let old = heap.alloc_root(Follow::default());
    heap.collect();
    let young = heap.alloc(Wait(1));
    heap.get_dyn_mut(GcDyn::<dyn Behaviour>::new(old.gc())).unwrap().point_to(young);
    heap.collect_minor();
    assert!(heap.is_alive(young));
    heap.verify();
}

#[test]
fn no_handle_behind_a_trait_reads_another_object_or_another_type() {
    let mut heap = Heap::new();
    let follows = heap.alloc_many((0..3000).map(|steps| Follow { whom: None, steps }));
    let behind: Vec<GcDyn<dyn Behaviour>> = follows.iter().map(|gc| (*gc).into()).collect();
    heap.clear();
    // Pages without a type: the next type takes them.
    heap.shrink_to_fit();
    let others = heap.alloc_many((0..3000).map(|steps| Silent { whom: None, steps }));
    heap.alloc_many((0..3000).map(|steps| Follow { whom: None, steps }));
    assert!(behind.iter().all(|gc| heap.get_dyn(gc).is_none() && heap.get_dyn_mut(gc).is_none()));
    // A handle of made-up bits is still one of its own type.
    for other in others {
        let made_up = Gc::<Follow>::from_bits(other.to_bits());
        assert!(heap.get_dyn(GcDyn::<dyn Behaviour>::new(made_up)).is_none());
    }
    assert!(heap.get_dyn(GcDyn::<dyn Behaviour>::default()).is_none());
    assert!(heap.get_dyn(WeakDyn::<dyn Behaviour>::dangling()).is_none());
    assert_eq!(GcDyn::<dyn Behaviour>::default().downcast::<Follow>(), None);
}

#[test]
fn identity_is_that_of_the_object() {
    let mut heap = Heap::with_config(HeapConfig::default().first_generation(7));
    let gcs = heap.alloc_many((0..20).map(Wait));
    let behind: Vec<GcDyn<dyn Behaviour>> = gcs.iter().map(|gc| (*gc).into()).collect();
    let hashed: HashSet<_> = behind.iter().chain(&behind).copied().collect();
    let sorted: Vec<_> = behind.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!((hashed.len(), sorted), (20, behind.clone()));
    assert_eq!(format!("{:?}", behind[0]), format!("GcDyn<dyn Behaviour>({})", gcs[0]));
    assert_eq!(format!("{:?}", behind[0].downgrade()), format!("WeakDyn<dyn Behaviour>({})", gcs[0]));
    assert_eq!(behind[0].to_string(), gcs[0].to_string());
    assert_eq!((behind[1].erase(), AnyGc::from(behind[2])), (gcs[1].erase(), gcs[2].erase()));
    let weak = WeakDyn::from(behind[3]);
    assert_eq!(heap.upgrade_dyn(weak), Some(behind[3]));
    assert_eq!(weak.downcast::<Wait>(), Some(gcs[3].downgrade()));
    assert!(heap.destroy_any(behind[3].erase()));
    assert_eq!(heap.upgrade_dyn(weak), None);
}

#[cfg(feature = "std")]
#[test]
fn a_dead_handle_names_its_object() {
    let mut heap = Heap::new();
    let wait = heap.alloc(Wait(1));
    heap.destroy(wait);
    let (strong, weak) = (GcDyn::<dyn Behaviour>::new(wait), WeakDyn::<dyn Behaviour>::new(wait.downgrade()));
    let text = panic_text(|| heap[strong].name());
    assert!(text.contains(&format!("no longer exists: Wait({wait}) (")), "{text}");
    assert!(panic_text(|| heap[weak].act()).ends_with(&format!("no longer exists: Wait({wait})")));
}

#[test]
fn a_copied_graph_has_handles_of_the_copies() {
    let schema = Schema::new().with::<Mob>("mob").with::<Follow>("follow").with::<Wait>("wait");
    let mut heap = Heap::new();
    let wait = heap.alloc(Wait(3));
    let follow = heap.alloc(Follow { whom: Some(wait), steps: 5 });
    let outside = heap.alloc_root(Wait(9));
    let mob = heap.alloc(Mob {
        behaviours: vec![follow.into(), wait.into()],
        last: Some(wait.into()),
        target: outside.downgrade().into(),
    });
    let (copy, relinked) = heap.clone_graph(mob, &schema).unwrap();
    let (new_follow, new_wait) = (relinked.get(follow).unwrap(), relinked.get(wait).unwrap());
    let expected: [GcDyn<dyn Behaviour>; 2] = [new_follow.into(), new_wait.into()];
    assert_eq!(heap[copy].behaviours, expected);
    assert_eq!((heap[copy].last, heap[new_follow].whom), (Some(expected[1]), Some(new_wait)));
    assert_eq!(heap[copy].target.downcast::<Wait>(), Some(outside.downgrade()), "refers to the same object");
    assert_eq!(heap[expected[0]].act(), 6);
    assert_eq!(heap[follow].steps, 5, "the original is a separate object");

    let mut selection = vec![GcDyn::<dyn Behaviour>::new(follow)];
    relinked.apply(&mut selection);
    assert_eq!(selection[0], expected[0]);

    heap.destroy(wait);
    let (copy, relinked) = heap.clone_graph(mob, &schema).unwrap();
    assert_eq!(heap[copy].last, Some(GcDyn::default()), "a dead handle becomes null");
    assert_eq!(relinked.became_null(), 3);
}

#[cfg(feature = "inspect")]
#[test]
fn a_path_goes_through_a_handle_behind_a_trait() {
    let mut heap = Heap::new();
    let wait = heap.alloc(Wait(1));
    let mob = heap.alloc_root(Mob { behaviours: vec![wait.into()], ..Mob::default() });
    let path = heap.why_alive(wait).unwrap().to_string();
    assert!(path.contains(".behaviours[0] -> Wait"), "{path}");
    drop(mob);
}

/// A trait whose objects can be in boxes as well.
trait Part: slotgc::TraceDyn {
    fn whom(&self) -> Weak<Wait>;
}
trace_dyn!(dyn Part);
gc_dyn!(dyn Part);

impl Part for Follow {
    fn whom(&self) -> Weak<Wait> {
        self.whom.map_or(Weak::dangling(), Gc::downgrade)
    }
}

#[test]
fn a_slice_of_handles_behind_a_trait_is_a_root_source() {
    let mut heap = Heap::new();
    let wait = heap.alloc(Wait(1));
    let follow = heap.alloc(Follow { whom: Some(wait), steps: 0 });
    let stack: Vec<GcDyn<dyn Part>> = vec![follow.into()];
    heap.collect_with(&stack);
    assert_eq!(heap[stack[0]].whom(), wait.downgrade());
    assert_eq!(heap.len(), 2);
    let kept: Root<Follow> = heap.root(stack[0].downcast::<Follow>().unwrap()).unwrap();
    heap.collect();
    assert!(heap.is_alive_dyn(stack[0]) && heap.is_alive(&kept));
}

#[test]
fn a_root_behind_a_trait_keeps_its_object_and_knows_its_heap() {
    let (mut heap, mut other) = (Heap::new(), Heap::new());
    let wait: GcDyn<dyn Behaviour> = heap.alloc(Wait(1)).into();
    let root = heap.root_dyn(wait).unwrap().named("waiting");
    let typed: RootDyn<dyn Behaviour> = heap.alloc_root(Wait(2)).into();
    heap.collect();
    assert_eq!((heap.len(), heap[&root].name(), heap[&typed].name()), (2, "wait", "wait"));
    assert_eq!((root.gc(), root.downgrade(), root.clone()), (wait, wait.downgrade(), root.clone()));
    assert_eq!(root.downcast::<Wait>().map(|root| root.gc()), wait.downcast());
    assert!(root.downcast::<Follow>().is_none() && root != typed);
    // In another heap with an object in the same place, it resolves to nothing.
    let there: RootDyn<dyn Behaviour> = other.alloc_root(Wait(3)).into();
    assert_eq!(there.gc(), wait);
    assert!(there != root && other.get_dyn(&root).is_none() && other.get_dyn_mut(&root).is_none());
    assert!(other.root_dyn(&root).is_none() && !other.is_alive_dyn(&root) && other.is_alive_dyn(&there));
    let text = panic_text(|| other[&root].name());
    assert!(text.ends_with("(a root of another heap)"), "{text}");
    drop((root, typed));
    heap.collect();
    assert!(heap.is_empty() && heap.root_dyn(wait).is_none());
    assert_eq!(heap.stats().roots, 0);
}
