//! User-defined types with the names of refused ones.

use slotgc::{Gc, Heap, Trace};

#[derive(Trace, Clone)]
struct Cell {
    neighbours: [Gc<Cell>; 4],
}

#[derive(Trace)]
struct RefCell<T>(Vec<T>);

#[derive(Trace)]
enum Rc {
    Car,
    Plane,
}

#[derive(Trace)]
struct Root {
    leaves: Vec<Cell>,
}

#[derive(Trace)]
struct Grid {
    cells: Vec<Cell>,
    shared: RefCell<Gc<Grid>>,
    toys: Vec<Rc>,
    plants: Option<Root>,
}

fn main() {
    let mut heap = Heap::new();
    let cell = heap.alloc(Cell { neighbours: Default::default() });
    let far = Cell { neighbours: [cell; 4] };
    let (shared, toys) = (RefCell(vec![Gc::default()]), vec![Rc::Car, Rc::Plane]);
    let grid = Grid { cells: vec![far.clone()], shared, toys, plants: Some(Root { leaves: vec![far] }) };
    let grid = heap.alloc_root(grid);
    heap.collect();
    assert!(heap.is_alive(cell) && heap[&grid].shared.0[0] == Gc::default());
    drop(grid);
    assert_eq!(heap.collect().freed, 2);
}
