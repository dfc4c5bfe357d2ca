//! A scene editor: a graph of parts with links across it, saved and loaded, undone, and copied as a prefab.
//!
//! `cargo run --example save_load --features save_load`
//!
//! Shows `Heap::save` and `Heap::load` with any format, relinking handles outside the heap, undo as a list of
//! saves, and `Heap::clone_graph`.

use serde::{Deserialize, Serialize};
use slotgc::{Gc, Heap, Root, Schema, Trace, Weak, WeakKeyMap};

#[derive(Trace, Serialize, Deserialize, Clone)]
struct Scene {
    top: Vec<Gc<Part>>,
    /// The user's note on a part: goes with the part.
    notes: WeakKeyMap<Part, String>,
}

#[derive(Trace, Serialize, Deserialize, Clone)]
struct Part {
    #[trace(label)]
    name: String,
    children: Vec<Gc<Part>>,
    parent: Weak<Part>,
    /// Anywhere in the scene: a lamp's switch, a door's key.
    links: Vec<Weak<Part>>,
}

/// The types of a scene. Names stay the same when types are renamed.
type Types = (Part, (Scene, ()));

fn schema() -> Schema<Types> {
    Schema::new().with::<Scene>("scene").with::<Part>("part")
}

struct Editor {
    heap: Heap,
    scene: Root<Scene>,
    selection: Vec<Gc<Part>>,
    undo: Vec<Vec<u8>>,
}

impl Editor {
    fn new() -> Self {
        let mut heap = Heap::new();
        let scene = heap.alloc_root(Scene { top: Vec::new(), notes: WeakKeyMap::new() });
        Self { heap, scene, selection: Vec::new(), undo: Vec::new() }
    }

    fn add(&mut self, parent: Option<Gc<Part>>, name: &str) -> Gc<Part> {
        let parent_weak = parent.map_or(Weak::dangling(), Gc::downgrade);
        let part = self.heap.alloc(Part {
            name: name.to_string(),
            children: Vec::new(),
            parent: parent_weak,
            links: Vec::new(),
        });
        match parent {
            Some(parent) => self.heap[parent].children.push(part),
            None => self.heap[&self.scene].top.push(part),
        }
        part
    }

    /// The whole scene in a few bytes: postcard writes only values.
    fn snapshot(&self) -> Vec<u8> {
        let roots = [self.scene.gc()];
        postcard::to_stdvec(&self.heap.save(&schema(), &roots).expect("all types are listed"))
            .expect("in memory")
    }

    fn begin_edit(&mut self) {
        self.undo.push(self.snapshot());
    }

    fn undo(&mut self) {
        let Some(before) = self.undo.pop() else { return };
        let loaded = self.heap.load(&schema(), &mut postcard::Deserializer::from_bytes(&before));
        let loaded = loaded.expect("what was saved");
        let scene = self.heap.downcast::<Scene>(loaded.roots()[0]).expect("the scene was the root");
        // The old scene is garbage from here on. The selection names old parts: those that were in the save
        // live on under new handles, others become null.
        self.scene = self.heap.root(scene).expect("just loaded");
        loaded.apply(&mut self.selection);
    }

    fn save_as_text(&self) -> String {
        let roots = [self.scene.gc()];
        serde_json::to_string_pretty(&self.heap.save(&schema(), &roots).expect("all types are listed"))
            .expect("in memory")
    }

    fn open(text: &str) -> Self {
        let mut editor = Self::new();
        let loaded = editor.heap.load(&schema(), &mut serde_json::Deserializer::from_str(text));
        let scene = loaded.expect("what was saved").roots()[0];
        let scene = editor.heap.downcast::<Scene>(scene).expect("the scene was the root");
        editor.scene = editor.heap.root(scene).expect("just loaded");
        editor
    }

    /// Copies a part and all below it, beside the original. Links inside the copy lead to the copy, others
    /// stay.
    fn duplicate(&mut self, part: Gc<Part>) -> Gc<Part> {
        let (copy, _) = self.heap.clone_graph(part, &schema()).expect("all types are listed");
        match self.heap.upgrade(self.heap[copy].parent) {
            Some(parent) => self.heap[parent].children.push(copy),
            None => self.heap[&self.scene].top.push(copy),
        }
        copy
    }

    fn outline(&self) -> String {
        let mut text = String::new();
        let mut todo: Vec<(usize, Gc<Part>)> =
            self.heap[&self.scene].top.iter().rev().map(|part| (0, *part)).collect();
        while let Some((depth, at)) = todo.pop() {
            let part = &self.heap[at];
            let note =
                self.heap[&self.scene].notes.get(at).map(|note| format!("  // {note}")).unwrap_or_default();
            let links: String =
                part.links.iter().map(|link| format!(" -> {}", self.heap[*link].name)).collect();
            text += &format!("{}{}{links}{note}\n", "  ".repeat(depth), part.name);
            todo.extend(part.children.iter().rev().map(|child| (depth + 1, *child)));
        }
        text
    }
}

fn main() {
    let mut editor = Editor::new();
    let house = editor.add(None, "house");
    let hall = editor.add(Some(house), "hall");
    let lamp = editor.add(Some(hall), "lamp");
    let switch = editor.add(Some(hall), "switch");
    editor.heap[switch].links.push(lamp.into());
    let scene = editor.scene.gc();
    editor.heap[scene].notes.insert(lamp, "flickers".to_string());
    editor.selection = vec![lamp];
    println!("The scene:\n{}", editor.outline());

    // A prefab: the copied switch has the copied lamp.
    let second = editor.duplicate(hall);
    editor.heap[second].name = "cellar".to_string();
    let cellar_switch = editor.heap[second].children[1];
    let cellar_lamp = editor.heap[second].children[0];
    assert_eq!(editor.heap[cellar_switch].links, [cellar_lamp.downgrade()]);
    println!("With a copy of the hall:\n{}", editor.outline());

    // An edit, and its undo. The selection survives both.
    let before = editor.outline();
    editor.begin_edit();
    editor.heap[house].children.clear();
    editor.add(Some(house), "ruin");
    assert!(editor.outline().contains("ruin"));
    editor.undo();
    assert_eq!(editor.outline(), before);
    assert_eq!(editor.heap[editor.selection[0]].name, "lamp");
    assert_eq!(
        editor.heap[&editor.scene].notes.get(editor.selection[0]).map(String::as_str),
        Some("flickers")
    );

    // What was undone is garbage: a house with a ruin, and the old scene.
    let freed = editor.heap.collect().freed;
    println!("After undo, {freed} objects were garbage.");
    assert_eq!(editor.heap.len(), 8);

    // To a file and back. A field that comes or goes meanwhile is serde's business.
    let text = editor.save_as_text();
    let opened = Editor::open(&text);
    assert_eq!(opened.outline(), before);
    println!("Saved as {} bytes of JSON, {} of postcard.", text.len(), editor.snapshot().len());

    // A truncated file changes nothing.
    let mut heap = Heap::new();
    let cut = &text[..text.len() / 2];
    assert!(heap.load(&schema(), &mut serde_json::Deserializer::from_str(cut)).is_err());
    assert!(heap.is_empty());
}
