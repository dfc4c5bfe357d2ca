//! Types that never hold a handle.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::ffi::CString;
use alloc::string::String;
use core::cmp::Ordering;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::num::NonZero;
use core::sync::atomic;

use crate::sync::Arc;
use crate::trace::{Trace, Tracer};

/// Types of which no value holds a handle.
macro_rules! plain {
    ($($ty:ty),* $(,)?) => {$(
        impl Trace for $ty {
            const NEEDS_TRACE: bool = false;

            #[inline(always)]
            fn trace(&self, _: &mut Tracer<'_>) {}
        }
    )*};
}

plain! {
    (), bool, char, f32, f64,
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize,
    NonZero<u8>, NonZero<u16>, NonZero<u32>, NonZero<u64>, NonZero<u128>, NonZero<usize>,
    NonZero<i8>, NonZero<i16>, NonZero<i32>, NonZero<i64>, NonZero<i128>, NonZero<isize>,
    String, Box<str>, Arc<str>, &'static str, Cow<'static, str>, CString,
    core::convert::Infallible, core::any::TypeId, core::time::Duration, core::alloc::Layout, Ordering, slotmap::KeyData, slotmap::DefaultKey,
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr,
    atomic::AtomicBool, atomic::AtomicU8, atomic::AtomicU16, atomic::AtomicU32, atomic::AtomicUsize,
    atomic::AtomicI8, atomic::AtomicI16, atomic::AtomicI32, atomic::AtomicIsize,
}

#[cfg(target_has_atomic = "64")]
plain! { atomic::AtomicU64, atomic::AtomicI64 }

#[cfg(feature = "std")]
plain! {
    std::time::Instant, std::time::SystemTime, std::path::PathBuf, Box<std::path::Path>, std::ffi::OsString,
    std::thread::ThreadId,
}

impl<T: ?Sized + Send + Sync + 'static> Trace for core::marker::PhantomData<T> {
    const NEEDS_TRACE: bool = false;

    #[inline(always)]
    fn trace(&self, _: &mut Tracer<'_>) {}
}

/// What an `Arc` holds is shared with others than the heap, and is visited once for each `Arc`: it must hold
/// no handles. A type that does fails to compile here.
struct NoHandles<T>(T);

impl<T: Trace> NoHandles<T> {
    const CHECK: () = assert!(
        !T::NEEDS_TRACE,
        "slotgc: an `Arc` inside an object must hold no handles; store a `Gc` instead of the `Arc`"
    );
}

impl<T: Trace> Trace for Arc<T> {
    const NEEDS_TRACE: bool = {
        let () = NoHandles::<T>::CHECK;
        false
    };

    #[inline(always)]
    fn trace(&self, _: &mut Tracer<'_>) {
        let () = NoHandles::<T>::CHECK;
    }
}

impl<T: Trace> Trace for Arc<[T]> {
    const NEEDS_TRACE: bool = {
        let () = NoHandles::<T>::CHECK;
        false
    };

    #[inline(always)]
    fn trace(&self, _: &mut Tracer<'_>) {
        let () = NoHandles::<T>::CHECK;
    }
}
