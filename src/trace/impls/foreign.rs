//! Types of other crates, each behind the feature with its crate's name.

#![allow(unused_imports, reason = "each feature needs some of them")]

use alloc::string::String;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};

use crate::trace::impls::keyed::{maps, refile, sets};
use crate::trace::impls::owned;
use crate::trace::impls::plain::plain;
use crate::trace::impls::sequences::sequences;
use crate::trace::impls::text::borrowed;
use crate::trace::{Components, Inspector, Links, Liveness, Trace, Tracer};

#[cfg(feature = "glam")]
plain! {
    |value, inspector| inspector.label(value);
    glam::Vec2, glam::Vec3, glam::Vec3A, glam::Vec4, glam::Quat, glam::Mat2, glam::Mat3, glam::Mat3A, glam::Mat4,
    glam::Affine2, glam::Affine3A, glam::DVec2, glam::DVec3, glam::DVec4, glam::DQuat, glam::DMat2, glam::DMat3,
    glam::DMat4, glam::DAffine2, glam::DAffine3, glam::BVec2, glam::BVec3, glam::BVec4,
    glam::IVec2, glam::IVec3, glam::IVec4, glam::UVec2, glam::UVec3, glam::UVec4,
    glam::I8Vec2, glam::I8Vec3, glam::I8Vec4, glam::U8Vec2, glam::U8Vec3, glam::U8Vec4,
    glam::I16Vec2, glam::I16Vec3, glam::I16Vec4, glam::U16Vec2, glam::U16Vec3, glam::U16Vec4,
    glam::I64Vec2, glam::I64Vec3, glam::I64Vec4, glam::U64Vec2, glam::U64Vec3, glam::U64Vec4,
    glam::USizeVec2, glam::USizeVec3, glam::USizeVec4,
}

#[cfg(feature = "glam")]
plain! { |value, inspector| inspector.label(format_args!("{value:?}")); glam::EulerRot }

#[cfg(feature = "smallvec")]
impl<A> Trace for smallvec::SmallVec<A>
where
    A: smallvec::Array + Send + Sync + 'static,
    A::Item: Trace,
{
    const NEEDS_TRACE: bool = A::Item::NEEDS_TRACE;
    const HOLDS_HANDLES: bool = A::Item::HOLDS_HANDLES;
    const OWNS: bool = true;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if A::Item::NEEDS_TRACE {
            self.iter().for_each(|item| item.trace(tracer));
        }
    }

    #[inline]
    fn prune(&mut self, live: &Liveness<'_>) {
        if A::Item::NEEDS_TRACE {
            self.iter_mut().for_each(|item| item.prune(live));
        }
    }

    fn owned_bytes(&self) -> usize {
        let buffer = if self.spilled() { self.capacity() * size_of::<A::Item>() } else { 0 };
        owned::sum([buffer, owned::by_slice(self)])
    }

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        self.iter().enumerate().for_each(|(index, item)| inspector.item(index, item));
    }

    #[inline]
    fn relink(&mut self, links: &mut Links<'_>) {
        self.iter_mut().for_each(|item| links.field(item));
    }

    fn relinks_edges(components: &mut Components) -> bool {
        components.relink_edges::<A::Item>()
    }
}

#[cfg(feature = "arrayvec")]
sequences! {
    [const N: usize] arrayvec::ArrayVec<T, N>: owns T::OWNS, |list| owned::by_slice(list);
}

#[cfg(feature = "arrayvec")]
impl<const N: usize> Trace for arrayvec::ArrayString<N> {
    const NEEDS_TRACE: bool = false;
    const HOLDS_HANDLES: bool = false;

    #[inline(always)]
    fn trace(&self, _: &mut Tracer<'_>) {}

    fn inspect(&self, inspector: &mut Inspector<'_>) {
        inspector.text(self);
    }

    #[inline(always)]
    fn relink(&mut self, _: &mut Links<'_>) {}
}

#[cfg(feature = "indexmap")]
maps! {
    [Eq + Hash] [S: BuildHasher + Send + Sync + 'static] indexmap::IndexMap<K, V, S>: |map|
        owns map.capacity() * size_of::<(u64, K, V)>() + owned::table_bytes::<usize>(map.capacity()),
        entries map.drain(..).collect::<Vec<_>>();
}

#[cfg(feature = "indexmap")]
sets! {
    [Eq + Hash] [S: BuildHasher + Send + Sync + 'static] indexmap::IndexSet<T, S>: |set, links|
        owns set.capacity() * size_of::<(u64, T)>() + owned::table_bytes::<usize>(set.capacity()),
        relinks refile(set.drain(..).collect::<Vec<_>>(), links, |item| set.insert(item));
}

#[cfg(feature = "uuid")]
plain! { |value, inspector| inspector.label(value); uuid::Uuid }

// A long one is in an `Arc`, and shared.
#[cfg(feature = "smol_str")]
borrowed! { smol_str::SmolStr: |value, inspector| inspector.text(value); }

#[cfg(feature = "ordered-float")]
plain! {
    |value, inspector| inspector.label(value);
    ordered_float::OrderedFloat<f32>, ordered_float::OrderedFloat<f64>,
    ordered_float::NotNan<f32>, ordered_float::NotNan<f64>,
}

#[cfg(feature = "serde_json")]
plain! { |value, inspector| inspector.label(value); serde_json::Number }

#[cfg(feature = "serde_json")]
impl Trace for serde_json::Map<String, serde_json::Value> {
    const NEEDS_TRACE: bool = false;
    const HOLDS_HANDLES: bool = false;
    const OWNS: bool = true;

    #[inline(always)]
    fn trace(&self, _: &mut Tracer<'_>) {}

    fn owned_bytes(&self) -> usize {
        let len = self.len();
        let entries = owned::tree_bytes::<(String, serde_json::Value)>(len);
        owned::sum([entries, owned::by_items(len, self.keys()), owned::by_items(len, self.values())])
    }

    fn inspect(&self, _: &mut Inspector<'_>) {}

    #[inline(always)]
    fn relink(&mut self, _: &mut Links<'_>) {}
}

#[cfg(feature = "serde_json")]
impl Trace for serde_json::Value {
    const NEEDS_TRACE: bool = false;
    const HOLDS_HANDLES: bool = false;
    const OWNS: bool = true;

    #[inline(always)]
    fn trace(&self, _: &mut Tracer<'_>) {}

    fn owned_bytes(&self) -> usize {
        match self {
            serde_json::Value::String(text) => text.owned_bytes(),
            serde_json::Value::Array(list) => list.owned_bytes(),
            serde_json::Value::Object(map) => map.owned_bytes(),
            _ => 0,
        }
    }

    fn inspect(&self, _: &mut Inspector<'_>) {}

    #[inline(always)]
    fn relink(&mut self, _: &mut Links<'_>) {}
}

#[cfg(feature = "bevy_ecs")]
plain! { |value, inspector| inspector.label(value); bevy_ecs::entity::Entity }

#[cfg(feature = "hecs")]
plain! { |value, inspector| inspector.label(format_args!("{value:?}")); hecs::Entity }
