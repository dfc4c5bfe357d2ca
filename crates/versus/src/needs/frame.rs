//! What a frame of a game needs of a peer.

/// The edge on which young objects hang; the first one keeps the world together, the others are changed.
pub(crate) const HOOK: usize = 3;

/// The number of new objects in a row, each of which refers to the one before.
pub(crate) const ROW: usize = 8;

/// The world at its beginning: from each object to three others, the first of which is the next one on a
/// cycle through all of them.
#[derive(Debug)]
pub(crate) struct Start(pub(crate) Vec<[u32; HOOK]>);

/// What happens in a frame.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The id of the first object that is made.
    pub(crate) first_id: u64,
    /// The ids of objects to look up in the cache.
    pub(crate) lookups: Vec<u64>,
    /// The two old objects from which each new one is made.
    pub(crate) young: Vec<[u32; 2]>,
    /// An old object, its edge, and what that refers to from now on.
    pub(crate) rewired: Vec<(u32, usize, u32)>,
    /// The old object on which new object `k * ROW` hangs from now on, for each `k`.
    pub(crate) hooks: Vec<u32>,
    /// How many of those, from the first, are cached; what they replace was cached too.
    pub(crate) cached: usize,
}

impl Plan {
    /// Whether a new object, by number, hangs on an old one at the end of the frame or did during it.
    pub(crate) fn is_hung(&self, number: usize) -> bool {
        number.is_multiple_of(ROW) && number / ROW < self.hooks.len()
    }
}

/// What the weak-key table has for an object.
pub(crate) const fn number_of(id: u64) -> u64 {
    id ^ 5
}

/// What a frame needs of a peer. Old objects are named by their numbers.
pub(crate) trait World {
    /// A new object, for as long as the frame holds it.
    type Young;

    /// The id of an old object, read from it.
    fn read(&self, old: u32) -> u64;
    /// Makes an object with edges to two old ones and, perhaps, to a new one.
    fn make(&mut self, id: u64, of: [u32; 2], previous: Option<&Self::Young>) -> Self::Young;
    /// Sets an edge between old objects.
    fn rewire(&mut self, from: u32, edge: usize, to: u32);
    /// Sets the fourth edge of an old object. What it referred to is dead now; whether that was cached
    /// matters to those who free by hand.
    fn hang(&mut self, old: u32, young: &Self::Young, is_cached: bool);
    /// Puts an object into the cache under its id, and its number into the weak-key table.
    fn cache(&mut self, id: u64, young: &Self::Young);
    /// The id of an object found in the cache, and its number.
    fn look_up(&self, id: u64) -> u64;
    /// The frame is over. `young` are its objects in allocation order, `plan` tells which of them live.
    fn end_frame(&mut self, young: &mut Vec<Self::Young>, plan: &Plan);
    /// What hangs on an old object.
    fn hung_on(&self, old: u32) -> Option<u64>;
}

/// One frame.
#[inline(never)]
pub(crate) fn frame<W: World>(world: &mut W, young: &mut Vec<W::Young>, plan: &Plan) -> u64 {
    let mut sum = 0_u64;
    for id in &plan.lookups {
        sum += world.look_up(*id);
    }
    for (number, of) in plan.young.iter().enumerate() {
        sum += world.read(of[0]) + world.read(of[1]);
        let previous = if number % ROW == 0 { None } else { young.last() };
        let made = world.make(plan.first_id + number as u64, *of, previous);
        young.push(made);
    }
    for (from, edge, to) in &plan.rewired {
        world.rewire(*from, *edge, *to);
    }
    for (count, old) in plan.hooks.iter().enumerate() {
        let number = count * ROW;
        let is_cached = count < plan.cached;
        world.hang(*old, &young[number], is_cached);
        if is_cached {
            world.cache(plan.first_id + number as u64, &young[number]);
        }
    }
    world.end_frame(young, plan);
    sum
}

/// A world between frames.
pub(crate) trait Game {
    /// The world at its beginning, without garbage.
    fn new(start: &Start) -> Self;
    /// One frame; returns what it adds up to.
    fn frame(&mut self, plan: &Plan) -> u64;
    /// What hangs on each of some old objects.
    fn hung_on(&self, old: &[u32]) -> Vec<Option<u64>>;
    /// Frees what is dead, and returns how many objects live, if the peer can report it.
    fn living(&mut self) -> Option<usize>;
}

/// A world whose objects have handles that outlive a frame.
pub(crate) struct Played<W: World> {
    young: Vec<W::Young>,
    world: W,
}

/// What a world needs to be played.
pub(crate) trait Playable: World {
    /// Makes the old objects, and collects.
    fn build(start: &Start) -> Self;
    /// See [`Game::living`].
    fn living(&mut self) -> Option<usize>;
}

impl<W: Playable> Game for Played<W> {
    fn new(start: &Start) -> Self {
        Self { young: Vec::new(), world: W::build(start) }
    }

    fn frame(&mut self, plan: &Plan) -> u64 {
        frame(&mut self.world, &mut self.young, plan)
    }

    fn hung_on(&self, old: &[u32]) -> Vec<Option<u64>> {
        old.iter().map(|old| self.world.hung_on(*old)).collect()
    }

    fn living(&mut self) -> Option<usize> {
        self.world.living()
    }
}
