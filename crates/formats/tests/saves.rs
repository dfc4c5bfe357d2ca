//! Saving and loading graphs of objects: in any format, all or nothing, with any data.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use slotgc::{
    AnyGc, Gc, GcMap, GraphError, Heap, HeapConfig, Interner, LoadError, Relinked, Schema, Trace, Weak,
    WeakKeyMap, WeakSet, WeakValueMap,
};

#[derive(Trace, Serialize, Deserialize, Debug, PartialEq, Clone, Default)]
struct Mob {
    name: String,
    loot: Vec<Option<Gc<Loot>>>,
    target: Weak<Mob>,
    any: AnyGc,
    friends: GcMap<Gc<Mob>, i8>,
}

#[derive(Trace, Serialize, Deserialize, Debug, PartialEq, Clone)]
enum Loot {
    Gold(u32),
    Chest { inside: Vec<Gc<Loot>>, owner: Option<Weak<Mob>> },
}

type Types = (Loot, (Mob, ()));

fn schema() -> Schema<Types> {
    Schema::new().with::<Mob>("mob").with::<Loot>("loot")
}

fn mob(name: &str) -> Mob {
    Mob { name: name.to_string(), ..Mob::default() }
}

/// A world, and its roots: a wolf, its chest, the wolf again.
fn world(heap: &mut Heap) -> (Gc<Mob>, Gc<Loot>) {
    heap.alloc(mob("garbage"));
    let wolf = heap.alloc(mob("wolf"));
    heap.alloc(Loot::Gold(0));
    let gold = heap.alloc(Loot::Gold(7));
    let chest = heap.alloc(Loot::Chest { inside: vec![gold, gold], owner: Some(wolf.into()) });
    let bear = heap.alloc(Mob { target: wolf.into(), any: gold.erase(), ..mob("bear") });
    heap[wolf].loot = vec![None, Some(chest)];
    heap[wolf].friends = GcMap::from_iter([(bear, 1), (wolf, -1)]);
    (wolf, chest)
}

fn check_world(heap: &Heap, relinked: &Relinked) {
    let [wolf, chest, again] = relinked.roots() else { panic!("three roots") };
    assert_eq!(wolf, again);
    let wolf = heap.downcast::<Mob>(*wolf).unwrap();
    let chest = heap.downcast::<Loot>(*chest).unwrap();
    assert_eq!((heap[wolf].name.as_str(), &heap[wolf].loot), ("wolf", &vec![None, Some(chest)]));
    let Loot::Chest { inside, owner } = &heap[chest] else { panic!("a chest") };
    assert_eq!((owner, inside[0]), (&Some(wolf.into()), inside[1]));
    let gold = inside[0];
    assert_eq!(heap[gold], Loot::Gold(7));
    assert_eq!(heap[wolf].friends[&wolf], -1);
    let bear = *heap[wolf].friends.keys().find(|friend| **friend != wolf).unwrap();
    assert_eq!(heap[bear], Mob { target: wolf.into(), any: gold.erase(), ..mob("bear") });
    assert_eq!((relinked.became_null(), relinked.merged()), (0, 0));
}

/// A format: from a graph to data, and back into a heap.
struct Format {
    name: &'static str,
    save: fn(&Heap, &[AnyGc]) -> Vec<u8>,
    load: fn(&mut Heap, &[u8]) -> Result<Relinked, String>,
}

const FORMATS: [Format; 4] = [
    Format {
        name: "JSON",
        save: |heap, roots| serde_json::to_vec(&heap.save(&schema(), &roots).unwrap()).unwrap(),
        load: |heap, data| load(heap, &mut serde_json::Deserializer::from_slice(data)),
    },
    Format {
        name: "a JSON value",
        save: |heap, roots| {
            serde_json::to_value(heap.save(&schema(), &roots).unwrap()).unwrap().to_string().into_bytes()
        },
        load: |heap, data| {
            let value: serde_json::Value = serde_json::from_slice(data).map_err(|error| error.to_string())?;
            load(heap, value)
        },
    },
    Format {
        name: "postcard",
        save: |heap, roots| postcard::to_stdvec(&heap.save(&schema(), &roots).unwrap()).unwrap(),
        load: |heap, data| load(heap, &mut postcard::Deserializer::from_bytes(data)),
    },
    Format {
        name: "RON",
        save: |heap, roots| ron::to_string(&heap.save(&schema(), &roots).unwrap()).unwrap().into_bytes(),
        load: |heap, data| {
            load(heap, &mut ron::Deserializer::from_bytes(data).map_err(|error| error.to_string())?)
        },
    },
];

fn load<'de, D: serde::Deserializer<'de>>(heap: &mut Heap, from: D) -> Result<Relinked, String> {
    heap.load(&schema(), from).map_err(|error| error.to_string())
}

#[test]
fn a_world_comes_back_from_every_format_into_heaps_of_every_kind() {
    for format in FORMATS {
        let mut heap = Heap::new();
        let (wolf, chest) = world(&mut heap);
        let data = (format.save)(&heap, &[wolf.erase(), chest.erase(), wolf.erase()]);

        let mut other = Heap::with_config(HeapConfig::default().first_generation(99));
        let loaded = (format.load)(&mut other, &data).unwrap();
        assert_eq!(other.len(), 4, "{}", format.name);
        check_world(&other, &loaded);
        assert_eq!(loaded.get(wolf).map(Gc::erase), Some(loaded.roots()[0]));
        assert_eq!(loaded.get_any(chest), Some(loaded.roots()[1]));

        // Next to existing objects, and into the heap that was saved.
        let loaded = (format.load)(&mut heap, &data).unwrap();
        check_world(&heap, &loaded);
        assert_eq!(heap.len(), 10);
        other.verify();
        heap.verify();
    }
}

#[test]
fn handles_are_text_in_readable_formats_and_numbers_in_binary_ones() {
    let mut heap = Heap::new();
    let gold: Vec<_> = (0..3).map(|n| heap.alloc(Loot::Gold(n))).collect();
    let root = heap.root(gold[2]).unwrap();
    let [gc, any] =
        [serde_json::to_string(&gold[2]), serde_json::to_string(&gold[2].erase())].map(Result::unwrap);
    assert_eq!((gc.as_str(), any), ("\"2v1\"", format!("\"{}\"", gold[2])));
    assert_eq!(serde_json::to_string(&gold[2].downgrade()).unwrap(), gc);
    assert_eq!(serde_json::to_string(&root).unwrap(), gc);
    assert_eq!(
        serde_json::to_string(&(Gc::<u8>::default(), AnyGc::default())).unwrap(),
        r#"["null","null"]"#
    );
    assert_eq!(ron::to_string(&gold[2]).unwrap(), "\"2v1\"");

    fn round<H: Serialize + DeserializeOwned + PartialEq + Debug>(handle: H) {
        assert_eq!(serde_json::from_str::<H>(&serde_json::to_string(&handle).unwrap()).unwrap(), handle);
        assert_eq!(postcard::from_bytes::<H>(&postcard::to_stdvec(&handle).unwrap()).unwrap(), handle);
        let some = Some(handle);
        assert_eq!(serde_json::from_str::<Option<H>>(&serde_json::to_string(&some).unwrap()).unwrap(), some);
    }
    round(gold[2]);
    round(gold[2].downgrade());
    round(gold[2].erase());
    round(Gc::<u8>::default());
    round(Weak::<u8>::dangling());
    round(AnyGc::default());
    round(BTreeMap::from([(gold[1], 1), (gold[2], 2)]));

    for wrong in
        ["\"\"", "\"12\"", "\"v\"", "\"1v2\"", "\"-1v1\"", "\"1v1v1\"", "\"4294967296v1\"", "null", "[]"]
    {
        assert!(serde_json::from_str::<Gc<u8>>(wrong).is_err(), "{wrong}");
        assert!(serde_json::from_str::<AnyGc>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn fields_may_come_and_go() {
    mod old {
        use super::*;

        #[derive(Trace, Serialize)]
        pub(super) struct Node {
            pub(super) next: Option<Gc<Node>>,
            pub(super) gone: [u64; 7],
        }
    }

    #[derive(Trace, Deserialize, Debug, PartialEq)]
    struct Node {
        next: Option<Gc<Node>>,
        #[serde(default)]
        added: Vec<Weak<Node>>,
    }

    let mut heap = Heap::new();
    let mut head = None;
    for _ in 0..3000 {
        head = Some(heap.alloc(old::Node { next: head, gone: [1; 7] }));
    }
    let schema = Schema::new().with::<old::Node>("node");
    let data = serde_json::to_string(&heap.save(&schema, &head).unwrap()).unwrap();

    let mut heap = Heap::new();
    let schema = Schema::new().with::<Node>("part").alias::<Node>("node");
    let loaded = heap.load(&schema, &mut serde_json::Deserializer::from_str(&data)).unwrap();
    let (mut at, mut len) = (heap.downcast::<Node>(loaded.roots()[0]), 0);
    while let Some(node) = at {
        (at, len) = (heap[node].next, len + 1);
        assert!(heap[node].added.is_empty());
    }
    assert_eq!((len, heap.len()), (3000, 3000));
}

#[derive(Trace, Serialize, Deserialize, Default)]
struct Tables {
    names: WeakValueMap<String, Mob>,
    notes: WeakKeyMap<Mob, Gc<Loot>>,
    set: WeakSet<Mob>,
    words: Interner<String>,
    keep: (Vec<Gc<Mob>>, Vec<Gc<String>>),
}

fn tables_schema() -> Schema<(Tables, (String, Types))> {
    schema().with::<String>("string").with::<Tables>("tables")
}

#[test]
fn weak_collections_keep_the_entries_whose_objects_are_saved() {
    let mut heap = Heap::new();
    let [kept, unreached, dead] = ["kept", "unreached", "dead"].map(|name| heap.alloc_root(mob(name)));
    let [note, lost] = [1, 2].map(|n| heap.alloc(Loot::Gold(n)));
    let table = heap.alloc_root(Interner::new());
    let [word, _other] = ["word", "other"].map(|word| heap.intern(&table, word.to_string()));
    let tables = Tables {
        names: WeakValueMap::from_iter([("k".into(), &kept), ("u".into(), &unreached), ("d".into(), &dead)]),
        notes: WeakKeyMap::from_iter([(&kept, note), (&unreached, lost), (&dead, lost)]),
        set: WeakSet::from_iter([&kept, &unreached, &dead]),
        words: heap[&table].clone(),
        keep: (vec![kept.gc()], vec![word]),
    };
    let tables = heap.alloc_root(tables);
    heap.destroy(&dead);
    let schema = tables_schema();
    let save = heap.save(&schema, &[tables.gc()]).unwrap();
    assert_eq!(save.len(), 4);
    let json = serde_json::to_value(&save).unwrap();
    let saved = &json["types"][3]["objects"][0][1];
    assert_eq!(saved["set"].as_array().map(Vec::len), Some(1));
    assert_eq!(saved["words"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        saved["names"].as_object().map(|map| map.keys().cloned().collect()),
        Some(vec!["k".to_string()])
    );
    assert_eq!(saved["notes"].as_object().map(serde_json::Map::len), Some(1));
    // Outside of a save they know nothing about what is saved.
    assert_eq!(serde_json::to_value(&heap[&tables].set).unwrap().as_array().map(Vec::len), Some(3));

    let data = postcard::to_stdvec(&save).unwrap();
    let mut heap = Heap::new();
    let loaded = heap.load(&schema, &mut postcard::Deserializer::from_bytes(&data)).unwrap();
    assert_eq!(loaded.became_null(), 0);
    let tables = heap.downcast::<Tables>(loaded.roots()[0]).unwrap();
    let (mob, word) = (heap[tables].keep.0[0], heap[tables].keep.1[0]);
    assert_eq!(heap[tables].names.get("k"), Some(mob.into()));
    let note = *heap[tables].notes.get(mob).unwrap();
    assert_eq!(heap[note], Loot::Gold(1));
    assert!(heap[tables].set.contains(mob) && heap[tables].set.len() == 1);
    let words = heap[tables].words.clone();
    let words = heap.alloc_root(words);
    assert_eq!(heap.intern(&words, "word".to_string()), word);
}

#[test]
fn an_entry_of_a_dead_object_is_not_saved_though_the_next_tenant_of_its_slot_is() {
    let mut heap = Heap::new();
    // A word whose slot never had another object, so that the saved ones of its page differ in generation.
    let first = heap.alloc_root("first".to_string());
    let dead = heap.alloc(mob("dead"));
    let table = heap.alloc_root(Interner::new());
    let word = heap.intern(&table, "dead".to_string());
    let words = heap[&table].clone();
    heap.destroy(dead);
    heap.destroy(word);
    heap.collect();
    let [tenant, other] = ["tenant", "other"].map(|name| heap.alloc(mob(name)));
    let next_word = heap.alloc("next".to_string());
    let place = |any: AnyGc| any.to_bits() >> 32;
    assert_eq!([tenant.into(), next_word.into()].map(place), [dead.into(), word.into()].map(place));
    assert!(tenant != dead && next_word != word);
    // Made-up bits: the slot of a word, and its generation.
    let stranger = Weak::<Mob>::from_bits(first.gc().to_bits());
    let note = heap.alloc(Loot::Gold(1));
    let tables = heap.alloc(Tables {
        names: WeakValueMap::from_iter([("dead".into(), dead.downgrade()), ("stranger".into(), stranger)]),
        notes: WeakKeyMap::from_iter([(dead.downgrade(), note), (stranger, note)]),
        set: WeakSet::from_iter([dead.downgrade(), stranger]),
        words,
        keep: (vec![tenant, other], vec![first.gc(), next_word]),
    });
    let schema = tables_schema();
    let save = heap.save(&schema, &[tables]).unwrap();
    let json = serde_json::to_value(&save).unwrap();
    let saved = &json["types"][2]["objects"][0][1];
    let lens = (saved["set"].as_array().map(Vec::len), saved["words"].as_array().map(Vec::len));
    assert_eq!(lens, (Some(0), Some(0)));
    let lens = ["names", "notes"].map(|table| saved[table].as_object().map(serde_json::Map::len));
    assert_eq!(lens, [Some(0), Some(0)]);
    let loaded = Heap::new().load(&schema, json).unwrap();
    assert_eq!(loaded.became_null(), 0);
}

#[test]
fn handles_to_nothing_become_null_and_the_first_of_equal_keys_stays() {
    #[derive(Trace, Serialize, Deserialize, Debug)]
    struct Keys(BTreeMap<Weak<Mob>, u8>, Weak<Mob>, AnyGc);

    let mut heap = Heap::new();
    let [a, b] = ["a", "b"].map(|name| heap.alloc(mob(name)));
    let keys = heap.alloc(Keys(BTreeMap::from([(a.into(), 1), (b.into(), 2)]), a.into(), AnyGc::default()));
    let schema = schema().with::<Keys>("keys");
    let roots = [keys.erase(), AnyGc::default()];
    let data = serde_json::to_string(&heap.save(&schema, &roots).unwrap()).unwrap();
    let loaded = heap.load(&schema, &mut serde_json::Deserializer::from_str(&data)).unwrap();
    let keys = heap.downcast::<Keys>(loaded.roots()[0]).unwrap();
    assert_eq!(heap[keys].0, BTreeMap::from([(Weak::dangling(), 1)]));
    assert_eq!((loaded.became_null(), loaded.merged(), loaded.roots()[1]), (3, 1, AnyGc::default()));
}

#[test]
fn a_value_that_a_source_holds_under_a_key_is_saved_with_the_key() {
    let mut heap = Heap::new();
    let [key, other] = ["key", "other"].map(|name| heap.alloc(mob(name)));
    let [gold, lost] = [1, 2].map(|n| heap.alloc(Loot::Gold(n)));
    let schema = schema();
    let source = slotgc::roots(|tracer| {
        tracer.ephemeron(key.downgrade(), &gold);
        tracer.ephemeron(other.downgrade(), &lost);
        tracer.edge(key);
    });
    let save = heap.save(&schema, &source).unwrap();
    assert_eq!(save.len(), 2);
}

#[test]
fn data_cut_off_anywhere_is_an_error_and_leaves_the_heap_as_it_was() {
    for format in FORMATS {
        let mut heap = Heap::new();
        let (wolf, chest) = world(&mut heap);
        let data = (format.save)(&heap, &[wolf.erase(), chest.erase(), wolf.erase()]);
        let (len, allocated) = (heap.len(), heap.allocated());
        for end in 0..data.len() {
            assert!((format.load)(&mut heap, &data[..end]).is_err(), "{} cut at {end}", format.name);
        }
        assert_eq!((heap.len(), heap.allocated()), (len, allocated));
        heap.verify();
    }
}

#[test]
fn changed_bytes_make_an_error_or_other_objects_of_the_same_types() {
    for format in FORMATS {
        let mut heap = Heap::new();
        let (wolf, chest) = world(&mut heap);
        let data = (format.save)(&heap, &[wolf.erase(), chest.erase()]);
        let mut heap = Heap::with_config(HeapConfig::default().max_objects(1000));
        for at in 0..data.len() {
            for change in [1, 2, 16, 0x80, 0xff] {
                let mut data = data.clone();
                data[at] ^= change;
                let before = heap.len();
                match (format.load)(&mut heap, &data) {
                    Ok(_) => assert!(heap.len() >= before),
                    Err(_) => assert_eq!(heap.len(), before),
                }
            }
            heap.collect();
            assert_eq!(heap.len(), 0);
        }
        heap.verify();
    }
}

#[test]
fn errors_say_what_is_wrong() {
    fn error(heap: &mut Heap, text: &str) -> LoadError<serde_json::Error> {
        heap.load(&schema(), &mut serde_json::Deserializer::from_str(text)).unwrap_err()
    }
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(1));
    let object = |slot: u32| format!(r#"["{slot}v1",{{"Gold":1}}]"#);
    let types = |name: &str, objects: &[u32]| {
        let objects: Vec<_> = objects.iter().map(|slot| object(*slot)).collect();
        format!(
            r#"{{"version":1,"types":[{{"name":"{name}","stride":9,"objects":[{}]}}],"roots":[]}}"#,
            objects.join(",")
        )
    };
    assert!(heap.load(&schema(), &mut serde_json::Deserializer::from_str(&types("loot", &[1]))).is_ok());
    heap.collect();
    let unknown = error(&mut heap, &types("monster", &[1]));
    assert!(matches!(&unknown, LoadError::UnknownType(name) if name == "monster"), "{unknown}");
    let many = error(&mut heap, &types("loot", &[1, 2]));
    assert!(matches!(many, LoadError::Graph(GraphError::Limit(_))), "{many}");
    for (wrong, text) in [
        (types("loot", &[2, 1]), "ascend"),
        (types("loot", &[1, 1]), "ascend"),
        (types("mob", &[1]), "missing field"),
        (types("loot", &[]).replace("\"version\":1", "\"version\":7"), "version 7"),
        (types("loot", &[]).replace("\"version\":1,", ""), "missing field `version`"),
        (r#"{"version":1,"roots":[]}"#.to_string(), "missing field `types`"),
        (r#"{"version":1,"types":[{"objects":[]}],"roots":[]}"#.to_string(), "missing field `name`"),
        (types("loot", &[1]).replace("\"stride\":9,", ""), "missing field `stride`"),
        (types("loot", &[1]).replace("\"stride\":9", "\"stride\":0"), "no size"),
        (types("loot", &[1]).replace("\"1v1\"", "\"null\""), "ascend"),
        (types("loot", &[1]).replace("\"1v1\"", "7"), "a handle"),
    ] {
        let error = error(&mut heap, &wrong);
        assert!(error.to_string().contains(text), "{error} in {wrong}");
        assert!(matches!(error, LoadError::Format(_)));
    }
    assert_eq!(heap.len(), 0);
}

#[test]
fn a_root_of_unknown_type_is_found_by_its_place_and_generation() {
    let mut heap = Heap::new();
    let place = |page: u32, slot: u32| page * 8192 + slot * 9;
    let mut roots = Vec::from(["null".to_string(), format!("{}v1", place(0, 1) + 1)]);
    // Pages have 910 slots of nine granules each.
    let all = [0, 1, 2, 70, 909, 910, 1820];
    roots.extend(all.iter().map(|number| format!("{}v1", place(number / 910, number % 910))));
    roots.extend([format!("{}v3", place(0, 1)), format!("{}v1", place(0, 3)), format!("{}v1", place(4, 0))]);
    let objects = all.map(|number| format!(r#"["{number}v1",{{"Gold":{number}}}]"#)).join(",");
    let text = format!(
        r#"{{"version":1,"types":[{{"name":"loot","stride":9,"objects":[{objects}]}}],"roots":{roots:?}}}"#
    );
    let loaded = heap.load(&schema(), &mut serde_json::Deserializer::from_str(&text)).unwrap();
    let found = loaded.roots().iter().map(|any| heap.downcast::<Loot>(*any).map(|gc| &heap[gc]));
    let found: Vec<_> = found.map(|loot| loot.map(|loot| format!("{loot:?}"))).collect();
    let gold = all.iter().map(|number| Some(format!("Gold({number})")));
    let expected: Vec<_> = [None, None].into_iter().chain(gold).chain([None, None, None]).collect();
    assert_eq!((found, loaded.became_null()), (expected, 4));
}

#[test]
fn what_the_schema_lacks_is_named_when_it_is_saved() {
    let mut heap = Heap::new();
    let chest = heap.alloc(Loot::Gold(1));
    let bear = heap.alloc(Mob { loot: vec![None, Some(chest)], ..mob("bear") });
    let wolf = heap.alloc(Mob { friends: GcMap::from_iter([(bear, 1)]), ..mob("wolf") });
    let schema = Schema::new().with::<Mob>("mob");
    let error = heap.save(&schema, &[wolf]).unwrap_err();
    let GraphError::NotInSchema { type_name, path } = &error else { panic!("{error}") };
    assert!(type_name.ends_with("Loot"));
    assert_eq!(*path, format!("Mob {wolf} .friends[Mob {bear}] -> Mob {bear} .loot[1] -> Loot {chest}"));
}

#[test]
fn saving_writes_nothing_into_the_heap_and_works_during_a_cycle() {
    let mut heap = Heap::new();
    let (wolf, chest) = world(&mut heap);
    let roots = [wolf.erase(), chest.erase(), wolf.erase()];
    let root = heap.root(wolf).unwrap();
    let still = (FORMATS[2].save)(&heap, &roots);
    while heap.step(slotgc::Budget::Objects(1)).finished.is_none() {
        assert_eq!((FORMATS[2].save)(&heap, &roots), still);
    }
    assert_eq!((FORMATS[2].save)(&heap, &roots), still);
    drop(root);
    assert_eq!(heap.collect().freed, 4);
}

#[test]
fn saves_from_many_threads_are_identical() {
    let mut heap = Heap::new();
    let (wolf, chest) = world(&mut heap);
    let roots = [wolf.erase(), chest.erase()];
    let heap = &heap;
    let saves: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| (FORMATS[0].save)(heap, &roots))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(saves.windows(2).all(|pair| pair[0] == pair[1]));
}
