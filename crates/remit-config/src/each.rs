//! The files of an inner folder, read by all processors at once: they know nothing of each other, and a large
//! organisation has thousands.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// Fewest files for which another processor is worth its start.
const FILES_MIN: usize = 16;

/// What this makes of each of these texts, in their order.
pub(crate) fn each<'t, T: Send>(
    texts: impl Iterator<Item = (&'t str, &'t str)>,
    make: impl Fn(&'t str, &'t str) -> T + Sync,
) -> Vec<T> {
    let texts: Vec<_> = texts.collect();
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let share = texts.len().div_ceil(processors).max(FILES_MIN);
    let make_all = |texts: &[(&'t str, &'t str)]| texts.iter().map(|(name, text)| make(name, text)).collect::<Vec<_>>();
    thread::scope(|scope| {
        let mut shares = texts.chunks(share);
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> = shares.map(|texts| scope.spawn(|| make_all(texts))).collect();
        let mut made = make_all(own);
        for other in others {
            made.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        made
    })
}
