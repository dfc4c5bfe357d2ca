//! What a chain of ephemerons needs of a peer.

/// A chain through all objects, and the order of its entries.
#[derive(Debug)]
pub(crate) struct Links {
    /// All objects along the chain.
    pub(crate) chain: Vec<u32>,
    /// The places in the chain of the entries' keys, in the order of insertion.
    pub(crate) insertions: Vec<u32>,
}

impl Links {
    /// The number of objects; there is one entry fewer.
    pub(crate) fn len(&self) -> usize {
        self.chain.len()
    }

    /// The object that is to be rooted.
    pub(crate) fn first(&self) -> usize {
        self.chain[0] as usize
    }

    /// Passes on the key and the value of each entry, in the order of insertion.
    pub(crate) fn each(&self, mut entry: impl FnMut(usize, usize)) {
        for place in &self.insertions {
            let place = *place as usize;
            entry(self.chain[place] as usize, self.chain[place + 1] as usize);
        }
    }
}

/// What a chain needs of a peer.
pub(crate) trait Chain {
    /// Makes the objects, and an entry for each link; roots the first object of the chain.
    fn build(links: &Links) -> Self;
    /// A full collection.
    fn collect(&mut self);
    /// Entries whose key and value live, counted from the first where the table can be queried.
    fn steps(&self) -> usize;
    /// Drops the root.
    fn drop_first(&mut self);
    /// Entries whose key lives, as far as the peer can say.
    fn living(&self) -> usize;
}
