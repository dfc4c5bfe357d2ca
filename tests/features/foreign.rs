//! Types of other crates in fields, each with the feature of its crate.

#![allow(unused_imports, reason = "each feature needs some of them")]

use slotgc::{Gc, Heap, Trace};

/// Checks that a collection keeps what `hold` puts handles into, and nothing else.
#[allow(dead_code, reason = "not every feature is about handles")]
fn keeps<T: Trace>(hold: impl FnOnce(Gc<u32>) -> T) -> bool {
    let mut heap = Heap::new();
    let (held, garbage) = (heap.alloc(1), heap.alloc(2));
    let object = hold(held);
    let _root = heap.alloc_root(object);
    heap.collect();
    heap.is_alive(held) && !heap.is_alive(garbage)
}

/// Types that hold no handles, and the bytes that they own.
#[allow(unused_macros, reason = "not every feature is about such types")]
macro_rules! plain {
    ($($value:expr => $owned:expr),* $(,)?) => {{
        fn check<T: Trace>(value: T, owned: usize) {
            const { assert!(!T::NEEDS_TRACE && !T::HOLDS_HANDLES) };
            assert_eq!(value.owned_bytes(), owned);
        }
        $(check($value, $owned);)*
    }};
}

#[cfg(feature = "glam")]
#[test]
fn vectors_of_glam_are_plain() {
    plain!(glam::Vec3::ONE => 0, glam::Quat::IDENTITY => 0, glam::IVec2::ZERO => 0, glam::Affine3A::IDENTITY => 0);
}

#[cfg(feature = "smallvec")]
#[test]
fn a_small_vec_keeps_its_items_and_owns_its_buffer_once_it_has_one() {
    type Small<T> = smallvec::SmallVec<[T; 2]>;
    assert!(keeps(|gc| Small::from_iter([gc])));
    assert!(keeps(|gc| Small::from_iter([gc, gc, gc])));
    assert_eq!(Small::from_iter([1_u64, 2]).owned_bytes(), 0);
    assert_eq!(Small::<u64>::with_capacity(10).owned_bytes(), 80);
}

/// An object with one field of any type.
#[derive(Trace, Clone)]
#[cfg(feature = "smallvec")]
struct Holder<T> {
    field: T,
}

/// A handle that is relinked and not traced: no edge.
#[derive(Clone)]
#[cfg(feature = "smallvec")]
struct NoEdge(Gc<u32>);

#[cfg(feature = "smallvec")]
impl Trace for NoEdge {
    fn trace(&self, _: &mut slotgc::Tracer<'_>) {}

    fn relink(&mut self, links: &mut slotgc::Links<'_>) {
        links.gc(&mut self.0);
    }
}

#[cfg(feature = "smallvec")]
#[test]
fn a_small_vec_prunes_names_and_relinks_its_items() {
    type Small<T> = smallvec::SmallVec<[T; 2]>;
    let mut heap = Heap::new();
    let dead = heap.alloc(1);
    let sets = Small::from_iter([slotgc::WeakSet::from_iter([&dead]), slotgc::WeakSet::from_iter([&dead])]);
    let _root = heap.alloc_root(Holder { field: sets });
    assert_eq!(heap.collect().pruned, 2);

    let [a, b] = [heap.alloc(1), heap.alloc(2)];
    let holder = heap.alloc_root(Holder { field: Small::from_iter([a, b]) });
    #[cfg(feature = "inspect")]
    assert!(heap.why_alive(b).unwrap().to_string().contains(".field[1]"));
    let schema = slotgc::Schema::new().with::<Holder<Small<Gc<u32>>>>("holder").with::<u32>("number");
    let (copy, relinked) = heap.clone_graph(&holder, &schema).unwrap();
    let new = [a, b].map(|old| relinked.get(old).unwrap());
    assert!(new != [a, b] && heap[copy].field.as_slice() == new);

    let holder = heap.alloc_root(Holder { field: Small::from_iter([NoEdge(a)]) });
    let schema = slotgc::Schema::new().with::<Holder<Small<NoEdge>>>("holder").with::<u32>("number");
    let (copy, relinked) = heap.clone_graph(&holder, &schema).unwrap();
    assert_eq!((relinked.get(a), heap[copy].field[0].0), (None, a));
}

#[cfg(feature = "smallvec")]
#[test]
fn a_small_vec_weighs_its_buffer_and_what_its_items_own() {
    let mut texts = smallvec::SmallVec::<[String; 2]>::new();
    texts.extend([3, 5].map(String::with_capacity));
    assert_eq!(texts.owned_bytes(), 8);
    texts.extend([7, 9].map(String::with_capacity));
    assert_eq!(texts.owned_bytes(), texts.capacity() * size_of::<String>() + 24);
}

#[cfg(all(feature = "arrayvec", feature = "inspect"))]
#[test]
fn an_array_string_names_the_entry_whose_key_it_is() {
    let mut heap = Heap::new();
    let value = heap.alloc(1);
    let key = arrayvec::ArrayString::<8>::from("wolf").unwrap();
    let _root = heap.alloc_root(std::collections::BTreeMap::from([(key, value)]));
    assert!(heap.why_alive(value).unwrap().to_string().contains(r#"["wolf"]"#));
}

#[cfg(feature = "serde_json")]
#[test]
fn a_map_of_json_weighs_its_entries_its_keys_and_its_values() {
    let with = |key: &str, value: &str| {
        let mut map = serde_json::Map::new();
        map.insert(key.to_string(), serde_json::Value::String(value.to_string()));
        map.owned_bytes()
    };
    let empty = with("", "");
    assert!(empty > 0);
    assert_eq!((with("key", ""), with("", "wolf"), with("key", "wolf")), (empty + 3, empty + 4, empty + 7));
}

#[cfg(feature = "arrayvec")]
#[test]
fn an_array_vec_keeps_its_items() {
    assert!(keeps(|gc| arrayvec::ArrayVec::<_, 4>::from_iter([gc])));
    plain!(arrayvec::ArrayString::<8>::from("wolf").unwrap() => 0);
}

#[cfg(feature = "indexmap")]
#[test]
fn an_index_map_keeps_its_keys_and_values() {
    assert!(keeps(|gc| indexmap::IndexMap::<_, _>::from([(gc, 1)])));
    assert!(keeps(|gc| indexmap::IndexMap::<_, _>::from([("a", gc)])));
    assert!(keeps(|gc| indexmap::IndexSet::<_>::from([gc])));

    #[derive(Trace)]
    struct Generic<K, V>(indexmap::IndexMap<K, V>);
    assert!(keeps(|gc| Generic(indexmap::IndexMap::from([(1, gc)]))));
    assert!(indexmap::IndexMap::<u32, u32>::with_capacity(100).owned_bytes() >= 1600);
}

#[cfg(feature = "uuid")]
#[test]
fn a_uuid_is_plain() {
    plain!(uuid::Uuid::nil() => 0);
}

#[cfg(feature = "smol_str")]
#[test]
fn a_smol_str_is_plain_and_its_text_shared() {
    plain!(smol_str::SmolStr::new("wolf") => 0, smol_str::SmolStr::new("w".repeat(100)) => 0);
}

#[cfg(feature = "ordered-float")]
#[test]
fn ordered_floats_are_plain() {
    plain!(ordered_float::OrderedFloat(1.0_f32) => 0, ordered_float::NotNan::new(1.0).unwrap() => 0);
}

#[cfg(feature = "serde_json")]
#[test]
fn json_is_plain_and_owns_all_of_its_text() {
    plain!(serde_json::Value::from(1) => 0, serde_json::Value::from("wolf".to_string()) => 4);
    let list = serde_json::Value::from(vec!["wolf"; 10]);
    assert!(list.owned_bytes() >= 10 * size_of::<serde_json::Value>() + 40);
    let map = serde_json::Map::from_iter([("key".to_string(), list.clone())]);
    assert!(serde_json::Value::from(map).owned_bytes() > list.owned_bytes() + 3);
}

#[cfg(feature = "bevy_ecs")]
#[test]
fn an_entity_of_bevy_is_plain() {
    plain!(bevy_ecs::entity::Entity::PLACEHOLDER => 0);
    assert!(keeps(|gc| std::collections::HashMap::from([(bevy_ecs::entity::Entity::PLACEHOLDER, gc)])));
}

#[cfg(feature = "hecs")]
#[test]
fn an_entity_of_hecs_is_plain() {
    plain!(hecs::Entity::DANGLING => 0);
    assert!(keeps(|gc| std::collections::HashMap::from([(hecs::Entity::DANGLING, gc)])));
}
