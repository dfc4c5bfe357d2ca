//! Where nodes are: putting them into the tree and taking them out. Every change of a link is in this file.

use super::node::Nodes;

/// The node, which is not in the tree, becomes the last child.
pub(crate) fn append<M: Nodes>(memory: &mut M, parent: &M::Id, child: &M::Id) {
    let last = {
        let mut parent_node = memory.node_mut(parent);
        parent_node.child_count += 1;
        let last = parent_node.last_child.replace(M::back(child));
        if last.is_none() {
            parent_node.first_child = Some(child.clone());
        }
        last
    };
    if let Some(last) = &last {
        memory.node_mut(&M::follow(last)).next = Some(child.clone());
    }
    let mut node = memory.node_mut(child);
    node.parent = Some(M::back(parent));
    node.previous = last;
}

/// The node, which is not in the tree, becomes the sibling before this one, which has a parent.
pub(crate) fn insert_before<M: Nodes>(memory: &mut M, sibling: &M::Id, child: &M::Id) {
    let (parent, previous) = {
        let mut sibling = memory.node_mut(sibling);
        let parent = sibling.parent.clone().expect("a sibling has a parent");
        (parent, sibling.previous.replace(M::back(child)))
    };
    let parent_id = M::follow(&parent);
    match &previous {
        Some(previous) => {
            memory.node_mut(&M::follow(previous)).next = Some(child.clone());
            memory.node_mut(&parent_id).child_count += 1;
        }
        None => {
            let mut parent = memory.node_mut(&parent_id);
            parent.first_child = Some(child.clone());
            parent.child_count += 1;
        }
    }
    let mut node = memory.node_mut(child);
    node.parent = Some(parent);
    node.previous = previous;
    node.next = Some(sibling.clone());
}

/// The node leaves its parent, with everything below it.
pub(crate) fn detach<M: Nodes>(memory: &mut M, child: &M::Id) {
    let (parent, previous, next) = {
        let mut node = memory.node_mut(child);
        (node.parent.take().expect("not the root"), node.previous.take(), node.next.take())
    };
    if let Some(next) = &next {
        memory.node_mut(next).previous = previous.clone();
    }
    if let Some(previous) = &previous {
        memory.node_mut(&M::follow(previous)).next = next.clone();
    }
    let parent = M::follow(&parent);
    let mut parent = memory.node_mut(&parent);
    parent.child_count -= 1;
    if next.is_none() {
        parent.last_child = previous.clone();
    }
    if previous.is_none() {
        parent.first_child = next;
    }
}

/// The child of this number; the parent has more.
pub(crate) fn child<M: Nodes>(memory: &M, parent: &M::Id, number: usize) -> M::Id {
    let mut child = memory.node(parent).first_child.clone();
    for _ in 0..number {
        let id = child.expect("there are more children");
        child = memory.node(&id).next.clone();
    }
    child.expect("there are more children")
}

/// Whether the first is the second or above it.
pub(crate) fn is_above<M: Nodes>(memory: &M, above: &M::Id, id: &M::Id) -> bool {
    let mut at = Some(id.clone());
    while let Some(id) = at {
        if id == *above {
            return true;
        }
        at = memory.node(&id).parent.as_ref().map(M::follow);
    }
    false
}

/// Subtracts this node and those below it from the limit; `None` if there are more.
pub(crate) fn within<M: Nodes>(memory: &M, id: &M::Id, limit: usize) -> Option<usize> {
    let mut left = limit.checked_sub(1)?;
    let mut child = memory.node(id).first_child.clone();
    while let Some(id) = child {
        left = within(memory, &id, left)?;
        child = memory.node(&id).next.clone();
    }
    Some(left)
}
