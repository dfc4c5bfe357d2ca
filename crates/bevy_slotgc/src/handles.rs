//! Handles for fields of components: newtypes, since both Bevy's traits and the core's handles are foreign
//! here.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use bevy_ecs::entity::{EntityMapper, MapEntities};
use bevy_ecs::prelude::*;
#[cfg(feature = "reflect")]
use bevy_reflect::std_traits::ReflectDefault;
use slotgc::{Gc, Inspector, Links, Root, Trace, Tracer};

/// A [`Gc`] with the traits that Bevy's derives require: [`Component`], `Reflect` (feature `reflect`),
/// `MapEntities`. Use it as a component, or in a field of one, and register the component
/// ([`register_gc_component`](crate::GcWorldExt::register_gc_component)).
///
/// Reflection sees a handle as one value without parts: a saved scene does not contain the object. Entities
/// inside objects are not mapped with the component: map them in the heap.
///
/// # Examples
/// ```
/// use bevy_ecs::prelude::*;
/// use bevy_slotgc::slotgc::Trace;
/// use bevy_slotgc::{GcHeap, GcRef, GcWorldExt};
///
/// #[derive(Component, Trace)]
/// struct Mob { brain: GcRef<String>, health: u32 }
///
/// let mut world = World::new();
/// world.init_gc();
/// world.register_gc_component::<Mob>();
/// let brain = world.resource_mut::<GcHeap>().alloc("honey".to_string());
/// world.spawn(Mob { brain: brain.into(), health: 10 });
/// world.collect_gc();
/// assert_eq!(world.resource::<GcHeap>()[*GcRef(brain)], "honey");
/// ```
#[derive(Component)]
#[cfg_attr(feature = "reflect", derive(bevy_reflect::Reflect))]
#[cfg_attr(feature = "reflect", reflect(opaque, type_path = false, where T: Trace))]
#[cfg_attr(feature = "reflect", reflect(Clone, PartialEq, Hash, Debug, Default, Component))]
pub struct GcRef<T: Trace>(pub Gc<T>);

/// A [`Root`] with the traits that Bevy's derives require: for singletons and resources. It keeps its object
/// alive by itself, so nothing needs to be registered. Never inside an object.
///
/// # Examples
/// ```
/// use bevy_ecs::prelude::*;
/// use bevy_slotgc::{GcHeap, GcRoot, GcWorldExt};
///
/// #[derive(Resource)]
/// struct Motto(GcRoot<String>);
///
/// let mut world = World::new();
/// world.init_gc();
/// let motto = world.resource_mut::<GcHeap>().alloc_root("honey first".to_string());
/// world.insert_resource(Motto(motto.into()));
/// world.collect_gc();
/// let motto = &world.resource::<Motto>().0;
/// assert_eq!(world.resource::<GcHeap>()[&**motto], "honey first");
/// ```
#[derive(Component)]
#[cfg_attr(feature = "reflect", derive(bevy_reflect::Reflect))]
#[cfg_attr(feature = "reflect", reflect(opaque, type_path = false, where T: Trace))]
#[cfg_attr(feature = "reflect", reflect(Clone, PartialEq, Hash, Debug, Component))]
pub struct GcRoot<T: Trace>(pub Root<T>);

impl<T: Trace> Clone for GcRef<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Trace> Copy for GcRef<T> {}

impl<T: Trace> Clone for GcRoot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The null handle: resolves to nothing.
impl<T: Trace> Default for GcRef<T> {
    fn default() -> Self {
        Self(Gc::default())
    }
}

impl<T: Trace> Trace for GcRef<T> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.0.trace(tracer);
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        self.0.inspect(inspector);
    }

    fn relink(&mut self, links: &mut Links<'_>) {
        self.0.relink(links);
    }
}

/// What both newtypes have in common: by identity, like the handles themselves.
macro_rules! newtypes {
    ($($own:ident($handle:ident))*) => {$(
        impl<T: Trace> PartialEq for $own<T> {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }

        impl<T: Trace> Eq for $own<T> {}

        impl<T: Trace> Hash for $own<T> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl<T: Trace> fmt::Debug for $own<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<T: Trace> Deref for $own<T> {
            type Target = $handle<T>;

            fn deref(&self) -> &$handle<T> {
                &self.0
            }
        }

        impl<T: Trace> From<$handle<T>> for $own<T> {
            fn from(handle: $handle<T>) -> Self {
                Self(handle)
            }
        }

        /// A handle names no entity.
        impl<T: Trace> MapEntities for $own<T> {
            fn map_entities<E: EntityMapper>(&mut self, _: &mut E) {}
        }

        #[cfg(feature = "reflect")]
        impl<T: Trace> bevy_reflect::TypePath for $own<T> {
            fn type_path() -> &'static str {
                static CELL: bevy_reflect::utility::GenericTypePathCell = bevy_reflect::utility::GenericTypePathCell::new();
                CELL.get_or_insert::<Self, _>(|| {
                    format!(concat!("bevy_slotgc::", stringify!($own), "<{}>"), std::any::type_name::<T>())
                })
            }

            fn short_type_path() -> &'static str {
                static CELL: bevy_reflect::utility::GenericTypePathCell = bevy_reflect::utility::GenericTypePathCell::new();
                CELL.get_or_insert::<Self, _>(|| bevy_ecs::utils::prelude::DebugName::type_name::<Self>().shortname().to_string())
            }

            fn type_ident() -> Option<&'static str> {
                Some(stringify!($own))
            }

            fn crate_name() -> Option<&'static str> {
                Some("bevy_slotgc")
            }

            fn module_path() -> Option<&'static str> {
                Some("bevy_slotgc")
            }
        }
    )*};
}

newtypes!(GcRef(Gc) GcRoot(Root));
