//! `#[derive(Trace)]` for slotgc, which exports it: depend on `slotgc`, not on this crate.
//!
//! The expansion contains no `unsafe`: `Trace` is a safe trait, and a derived impl is an ordinary one.

mod attr;
mod bounds;
mod expand;
mod types;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Implements `Trace` for a struct or an enum, from its fields.
///
/// Every method visits the fields of the current variant: `trace` reports their handles, `inspect` names
/// them, `relink` hands them out to be replaced. Each constant is true if it is true for one of the fields.
/// So the type of each field must implement `Trace` itself, have an adapter, or be skipped. Unions and types
/// with a lifetime are refused, since objects are `'static`.
///
/// # Attributes
///
/// On a field or a variant:
///
/// - `#[trace(skip)]`: the collector does not look at it, and its types need no `Trace`. For foreign types
///   without handles: a handle in a skipped field keeps nothing alive. The whole type still has to be `Send`,
///   `Sync` and `'static`, so `skip` does not allow a `Cell`. (`Untraced<T>` does the same inside a
///   container.)
///
/// On a field:
///
/// - `#[trace(with = Adapter)]`: the field is traced by `Adapter`, which implements `TraceWith` for the
///   field's type. For foreign types that do hold handles, such as containers of other crates.
/// - `#[trace(label)]`: the field's `Display` tells objects of this type apart when a heap is inspected, as
///   `Mob 812v4 "wolf"`. At most one in a struct or a variant. The field may be skipped as well.
///
/// On the type:
///
/// - `#[trace(recursive)]`: `NEEDS_TRACE` and the other constants are true instead of being computed from the
///   fields. Needed where types contain each other in a circle, see below.
/// - `#[trace(bound = "T: Trace, U: Clone")]`: these bounds replace those that the derive would add to the
///   where clause, see below. May be empty.
/// - `#[trace(crate = "path")]`: the path of `slotgc`, if it is not a direct dependency of that name.
///
/// ```
/// use std::collections::HashMap;
/// use slotgc::{Gc, Trace, Untraced, Weak};
///
/// # #[derive(PartialEq, Eq, Hash)]
/// # struct Entity(u32);
/// # struct Mesh;
/// #[derive(Trace)]
/// struct Mob {
///     #[trace(label)]
///     name: String,
///     goals: Vec<Gc<Goal>>,                          // keeps the goals alive
///     target: Weak<Mob>,                             // keeps nothing alive
///     seen: HashMap<Untraced<Entity>, Gc<Mob>>,      // `Entity` and `Mesh` are of another crate
///     #[trace(skip)]
///     mesh: Mesh,
/// }
///
/// #[derive(Trace)]
/// enum Goal {
///     Sleep,
///     Follow { whom: Gc<Mob>, distance: f32 },
///     #[trace(skip)]
///     Show(Mesh, Mesh),
/// }
///
/// #[derive(Trace)]
/// struct Position(f32, f32);
///
/// const { assert!(Mob::NEEDS_TRACE && Goal::NEEDS_TRACE) };
/// const { assert!(!Position::NEEDS_TRACE) }; // objects of this type are never visited
/// ```
///
/// # Generic types
///
/// A type parameter that occurs in the type of a traced field gets the bound `Trace`. So does a type named
/// through it, such as `G::Item` in a field, and a field that is a map or a set, which requires more of its
/// keys than `Trace` (`Ord`, or `Eq + Hash`), since entries are inserted again when handles in them are
/// replaced. All other parameters, for instance in `PhantomData` or in skipped fields, get `Send + Sync +
/// 'static`, which `Trace` requires of the whole type. `#[trace(bound = "..")]` replaces all of these bounds
/// where they require too much:
///
/// ```
/// use std::marker::PhantomData;
/// use slotgc::{Gc, Trace};
///
/// #[derive(Trace)]
/// struct Slot<T, Tag, const N: usize> {
///     items: [Option<Gc<T>>; N],   // T: Trace
///     tag: PhantomData<Tag>,       // Tag: Send + Sync + 'static
/// }
///
/// // The trait of a family of types already states what it requires of them.
/// trait Game: 'static {
///     type Item: Trace;
///     type Mesh: Send + Sync;
/// }
///
/// #[derive(Trace)]
/// #[trace(bound = "")]
/// struct Chest<G: Game> {
///     items: Vec<G::Item>,
///     #[trace(skip)]
///     mesh: G::Mesh,
/// }
/// ```
///
/// # Recursive types
///
/// `NEEDS_TRACE` is a constant, and a constant cannot depend on itself. Therefore a field whose type mentions
/// the derived type, by its name or as `Self`, is assumed to need tracing. A macro cannot see a circle of
/// several types, or one through an alias. Nothing needs to be done if one of the types in such a circle has
/// a field that is a `Gc` or an `AnyGc` (or an `Option`, `Vec`, `VecDeque`, `Box`, array or tuple of it).
/// Otherwise the compiler reports a "cycle" (E0391), and one of the types needs `#[trace(recursive)]`:
///
/// ```
/// use slotgc::Trace;
///
/// #[derive(Trace)]
/// struct Tree {
///     children: Vec<Tree>,
/// }
///
/// #[derive(Trace)]
/// #[trace(recursive)]
/// struct Block {
///     statements: Vec<Statement>,
/// }
///
/// #[derive(Trace)]
/// enum Statement {
///     Loop(Block),
///     Print(String),
/// }
///
/// const { assert!(Tree::NEEDS_TRACE && Block::NEEDS_TRACE && Statement::NEEDS_TRACE) };
/// ```
///
/// Handles make no circle: `struct A(Gc<B>)` and `struct B(Gc<A>)` compile as they are.
///
/// # What does not compile
///
/// A `Root` inside an object could keep itself alive for ever: store the `Gc`. A `Cell` or `RefCell` is not
/// `Sync`, and not needed, since objects are changed through `&mut Heap`; atomics and the locks of std are
/// allowed. An `Rc` belongs to one thread: store a `Gc`, or an `Arc` of data without handles. The compiler's
/// messages explain this.
#[proc_macro_derive(Trace, attributes(trace))]
pub fn derive_trace(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::expand(&input).unwrap_or_else(Error::into_compile_error).into()
}
