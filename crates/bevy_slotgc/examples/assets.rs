//! Assets in a heap: a cache that keeps nothing alive, a loader thread, and a render thread that releases
//! what the GPU holds once the collector has found that no entity uses it any more.
//!
//! ```text
//! cargo run --example assets        # from crates/bevy_slotgc
//! ```
//!
//! - The cache is a `WeakValueMap` from path to asset: two entities with one path share one asset, and an
//!   asset that no entity has leaves the cache by itself.
//! - The loader thread reads files (here it makes them up) and sends back values; a system allocates them.
//! - The render thread uploads textures, under numbers of its own. A `DeathQueue` tells it the numbers of
//!   those that died: it polls the queue without the heap, and without waiting.

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use bevy_app::{App, TaskPoolPlugin, Update};
use bevy_ecs::prelude::*;
use bevy_slotgc::slotgc::{DeathQueue, Gc, HeapConfig, Root, Trace, WeakValueMap};
use bevy_slotgc::{GcAppExt, GcHeap, GcPlugin};

/// An entity's picture; empty until it is loaded.
#[derive(Component, Trace)]
struct Sprite(Gc<Texture>);

#[derive(Trace)]
struct Texture {
    path: String,
    state: State,
}

#[derive(Trace)]
enum State {
    Loading,
    /// On the GPU, with this number.
    Uploaded(u32),
}

/// What goes to the loader and comes back.
struct Request(String);
struct Loaded {
    path: String,
    pixels: Vec<u8>,
}

#[derive(Resource)]
struct Cache(Root<WeakValueMap<String, Texture>>);

#[derive(Resource)]
struct Loader {
    requests: Sender<Request>,
    loaded: Mutex<Receiver<Loaded>>,
}

#[derive(Resource)]
struct Renderer {
    uploads: Sender<(u32, Vec<u8>)>,
    next: u32,
    /// Numbers of textures that died.
    released: DeathQueue<u32>,
}

/// The entity's texture: from the cache, or requested from the loader.
fn texture(heap: &mut GcHeap, cache: &Cache, loader: &Loader, path: &str) -> Gc<Texture> {
    heap.get_or_alloc(&cache.0, path.to_string(), |_, path| {
        loader.requests.send(Request(path.clone())).expect("the loader runs");
        Texture { path: path.clone(), state: State::Loading }
    })
}

/// Passes loaded textures to the renderer if they are still wanted.
fn take_loaded(
    mut heap: ResMut<GcHeap>,
    cache: Res<Cache>,
    loader: Res<Loader>,
    mut renderer: ResMut<Renderer>,
) {
    for Loaded { path, pixels } in loader.loaded.lock().expect("nobody panics while holding it").try_iter() {
        let Some(texture) = heap[&cache.0].get(&path).and_then(|weak| heap.upgrade(weak)) else { continue };
        renderer.next += 1;
        let number = renderer.next;
        renderer.uploads.send((number, pixels)).expect("the renderer runs");
        renderer.released.watch(&mut heap, texture, number).expect("it was just upgraded");
        heap[texture].state = State::Uploaded(number);
    }
}

fn main() {
    let (requests, to_load) = mpsc::channel::<Request>();
    let (done, loaded) = mpsc::channel();
    let loads = thread::spawn(move || {
        let mut count = 0;
        for Request(path) in to_load {
            count += 1;
            let pixels = path.bytes().cycle().take(64 * 64).collect();
            if done.send(Loaded { path, pixels }).is_err() {
                break;
            }
        }
        count
    });

    let (uploads, to_upload) = mpsc::channel::<(u32, Vec<u8>)>();
    let released = DeathQueue::new();
    let gpu = Arc::new(Mutex::new(HashMap::new()));
    let (polled, memory) = (released.clone(), gpu.clone());
    let render = thread::spawn(move || {
        // Ends when the app does, with what is in the queues.
        loop {
            let upload = to_upload.recv_timeout(std::time::Duration::from_millis(1));
            // The dead first: each was sent here before it died.
            let dead: Vec<u32> = polled.drain().collect();
            let mut memory = memory.lock().unwrap();
            let is_over = matches!(upload, Err(RecvTimeoutError::Disconnected));
            upload
                .into_iter()
                .chain(to_upload.try_iter())
                .for_each(|(number, pixels)| _ = memory.insert(number, pixels));
            dead.into_iter().for_each(|number| assert!(memory.remove(&number).is_some()));
            if is_over && polled.is_empty() {
                return;
            }
        }
    });

    let mut app = App::new();
    // A full collection each frame, so that a short example has deaths to show.
    let config = HeapConfig::default().stress(true);
    app.add_plugins((TaskPoolPlugin::default(), GcPlugin::default().config(config)));
    app.register_gc_component::<Sprite>();
    let cache = Cache(app.world_mut().resource_mut::<GcHeap>().alloc_root(WeakValueMap::new()));
    app.insert_resource(cache);
    app.insert_resource(Loader { requests, loaded: Mutex::new(loaded) });
    app.insert_resource(Renderer { uploads, next: 0, released });
    app.add_systems(Update, take_loaded);

    // A forest: a thousand entities of ten kinds.
    let world = app.world_mut();
    let forest: Vec<Entity> = (0..1000)
        .map(|n| {
            let path = format!("tree_{}.png", n % 10);
            let sprite = world.resource_scope(|world, mut heap: Mut<GcHeap>| {
                texture(&mut heap, world.resource::<Cache>(), world.resource::<Loader>(), &path)
            });
            world.spawn(Sprite(sprite)).id()
        })
        .collect();
    run_until(&mut app, |app| uploaded(app) == 10 && gpu.lock().unwrap().len() == 10);
    println!("1000 entities share {} textures", cached(&app));

    // All but those of kind 3 and 7 are felled.
    for (n, entity) in forest.iter().enumerate() {
        if n % 10 != 3 && n % 10 != 7 {
            app.world_mut().despawn(*entity);
        }
    }
    run_until(&mut app, |_| gpu.lock().unwrap().len() == 2);
    let heap = app.world().resource::<GcHeap>();
    let mut paths: Vec<_> = heap.iter::<Texture>().map(|(_, texture)| texture.path.as_str()).collect();
    paths.sort_unstable();
    println!("{} are felled; left: {paths:?}, on the GPU {}", 800, gpu.lock().unwrap().len());
    assert_eq!(paths, ["tree_3.png", "tree_7.png"]);
    assert_eq!(cached(&app), 2, "they have left the cache too");

    drop(app); // the channels close, and what the heap held is released
    assert_eq!(loads.join().unwrap(), 10, "each file was loaded once");
    render.join().unwrap();
    assert!(gpu.lock().unwrap().is_empty(), "nothing is left on the GPU");
    println!("and when the app is gone, nothing is left on the GPU");
}

fn cached(app: &App) -> usize {
    app.world().resource::<GcHeap>()[&app.world().resource::<Cache>().0].len()
}

fn uploaded(app: &App) -> usize {
    let heap = app.world().resource::<GcHeap>();
    heap.iter::<Texture>().filter(|(_, texture)| matches!(texture.state, State::Uploaded(_))).count()
}

/// Runs frames until a condition holds.
fn run_until(app: &mut App, done: impl Fn(&App) -> bool) {
    for _ in 0..10_000 {
        app.update();
        if done(app) {
            return;
        }
        thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("the condition never held");
}
