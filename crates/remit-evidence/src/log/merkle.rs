//! The tree: hashing of RFC 6962 section 2.1, its right edge, proofs and their verification.
//!
//! The verifiers follow RFC 9162 step by step and invent nothing. Nothing here knows tiles: whoever
//! makes a proof brings a reader of stored hashes.

use remit_core::ids::Digest;
use sha2::{Digest as _, Sha256};

/// Why a Merkle proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// The sizes or the index name no proof: an empty tree, a leaf outside it, two equal trees.
    #[error("no proof exists between these sizes")]
    Sizes,
    /// More or fewer hashes than this place in this tree takes.
    #[error("the proof has a wrong length")]
    Length,
    /// It leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Why a proof could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmade<E> {
    /// The sizes or the index name no proof.
    #[error("no proof exists between these sizes")]
    Sizes,
    /// A stored hash could not be read.
    #[error("a stored hash could not be read: {0}")]
    Read(E),
}

/// Reads hashes of complete subtrees: `index` counts subtrees of `2^height` leaves from the left.
pub trait HashReader {
    /// What can go wrong with the store.
    type Error;

    /// The root of leaves `index * 2^height` up to `(index + 1) * 2^height`.
    ///
    /// # Errors
    /// When it cannot be read. A reader never answers with a hash it does not have.
    fn hash(&self, height: u32, index: u64) -> Result<Digest, Self::Error>;
}

/// The root of a tree without leaves (RFC 6962, 2.1).
#[must_use]
pub fn empty_root() -> Digest {
    Digest::of(&[])
}

/// The hash of a leaf (RFC 6962, 2.1): the prefix keeps leaves and nodes apart.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::new().chain_update([0]).chain_update(leaf).finalize().into())
}

/// The hash of a node above two others (RFC 6962, 2.1).
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let hash = Sha256::new().chain_update([1]).chain_update(left.as_bytes()).chain_update(right.as_bytes());
    Digest::from_bytes(hash.finalize().into())
}

/// The root of the tree over these leaf hashes; what stands beside a right edge is its left.
#[must_use]
pub fn root_of(leaves: &[Digest]) -> Digest {
    let mut edge = Frontier::default();
    leaves.iter().for_each(|leaf| edge.push(*leaf));
    edge.root()
}

/// The right edge of a growing tree: the roots of its complete subtrees, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    // INVARIANT (one root for each set bit of `size`, the highest bit first).
    peaks: Vec<Digest>,
}

impl Frontier {
    /// The right edge of a stored tree.
    ///
    /// # Errors
    /// When a hash cannot be read.
    pub fn read<R: HashReader + ?Sized>(size: u64, reader: &R) -> Result<Self, R::Error> {
        Ok(Self { size, peaks: subtrees(0, size).map(|(h, i)| reader.hash(h, i)).collect::<Result<_, _>>()? })
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The right edge with these peaks, as [`Frontier::peaks`] gave them; `None` when they are not as many
    /// as a tree of this size has.
    #[must_use]
    pub fn of(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        (u32::try_from(peaks.len()) == Ok(size.count_ones())).then_some(Self { size, peaks })
    }

    /// The roots of its complete subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Appends the hash of one leaf.
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            // A set bit has its peak; without one there would be nothing to join.
            hash = self.peaks.pop().map_or(hash, |left| node_hash(&left, &hash));
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// The root over everything appended so far.
    #[must_use]
    pub fn root(&self) -> Digest {
        let joined = self.peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        joined.unwrap_or_else(empty_root)
    }
}

/// The complete subtrees that make up leaves `low..high`, from left to right, as height and index.
/// `low` must be a multiple of the largest of them, as it is everywhere in a tree of RFC 6962.
fn subtrees(low: u64, high: u64) -> impl Iterator<Item = (u32, u64)> {
    let mut low = low;
    std::iter::from_fn(move || {
        let height = high.checked_sub(low)?.checked_ilog2()?;
        let index = low >> height;
        low += 1 << height;
        Some((height, index))
    })
}

fn range_root<R: HashReader + ?Sized>(low: u64, high: u64, reader: &R) -> Result<Digest, Unmade<R::Error>> {
    let mut peaks = Vec::new();
    for (height, index) in subtrees(low, high) {
        peaks.push(reader.hash(height, index).map_err(Unmade::Read)?);
    }
    Ok(peaks.into_iter().rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root))
}

/// Where a tree of `leaves` leaves (two or more) divides: the largest power of two below.
const fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The inclusion proof of leaf `index` in the tree of `size` leaves (RFC 9162, 2.1.3.1).
///
/// # Errors
/// When there is no such leaf, or a hash cannot be read.
pub fn inclusion<R: HashReader + ?Sized>(index: u64, size: u64, reader: &R) -> Result<Vec<Digest>, Unmade<R::Error>> {
    if index >= size {
        return Err(Unmade::Sizes);
    }
    let (mut low, mut high, mut path) = (0, size, Vec::new());
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.push(range_root(middle, high, reader)?);
            high = middle;
        } else {
            path.push(range_root(low, middle, reader)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The consistency proof between the trees of `first` and `second` leaves (RFC 9162, 2.1.4.1).
///
/// # Errors
/// Unless `0 < first < second`, or when a hash cannot be read.
pub fn consistency<R: HashReader + ?Sized>(
    first: u64,
    second: u64,
    reader: &R,
) -> Result<Vec<Digest>, Unmade<R::Error>> {
    if first == 0 || first >= second {
        return Err(Unmade::Sizes);
    }
    let (mut low, mut high, mut path) = (0, second, Vec::new());
    while high != first {
        let middle = low + split(high - low);
        if first <= middle {
            path.push(range_root(middle, high, reader)?);
            high = middle;
        } else {
            path.push(range_root(low, middle, reader)?);
            low = middle;
        }
    }
    // The old tree itself is known to whoever asks; a part of it is not.
    if low != 0 {
        path.push(range_root(low, high, reader)?);
    }
    path.reverse();
    Ok(path)
}

/// Verifies an inclusion proof (RFC 9162, 2.1.3.2).
///
/// # Errors
/// Says why it does not hold.
pub fn verify_inclusion(leaf: &Digest, index: u64, size: u64, path: &[Digest], root: &Digest) -> Result<(), Unproven> {
    if index >= size {
        return Err(Unproven::Sizes);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for step in path {
        if last == 0 {
            return Err(Unproven::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(step, &hash);
            climb(&mut node, &mut last);
        } else {
            hash = node_hash(&hash, step);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    match (last == 0, hash == *root) {
        (false, _) => Err(Unproven::Length),
        (true, false) => Err(Unproven::Root),
        (true, true) => Ok(()),
    }
}

/// Verifies a consistency proof (RFC 9162, 2.1.4.2). Equal sizes have no proof: compare the roots.
///
/// # Errors
/// Says why it does not hold.
pub fn verify_consistency(
    first: u64,
    first_root: &Digest,
    second: u64,
    second_root: &Digest,
    path: &[Digest],
) -> Result<(), Unproven> {
    if first == 0 || first >= second {
        return Err(Unproven::Sizes);
    }
    if path.is_empty() {
        return Err(Unproven::Length);
    }
    // A whole old tree is a node of the new one, and its root is not repeated in the path.
    let whole = first.is_power_of_two().then_some(first_root);
    let mut steps = whole.into_iter().chain(path);
    let start = *steps.next().ok_or(Unproven::Length)?;
    let shift = (first - 1).trailing_ones();
    let (mut node, mut last) = ((first - 1) >> shift, (second - 1) >> shift);
    let (mut old, mut new) = (start, start);
    for step in steps {
        if last == 0 {
            return Err(Unproven::Length);
        }
        if node & 1 == 1 || node == last {
            old = node_hash(step, &old);
            new = node_hash(step, &new);
            climb(&mut node, &mut last);
        } else {
            new = node_hash(&new, step);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    match (last == 0, old == *first_root && new == *second_root) {
        (false, _) => Err(Unproven::Length),
        (true, false) => Err(Unproven::Root),
        (true, true) => Ok(()),
    }
}

/// Goes up past the levels on which a node at the right edge has no brother. `node` is never zero here.
fn climb(node: &mut u64, last: &mut u64) {
    let shift = node.trailing_zeros().min(63);
    (*node, *last) = (*node >> shift, *last >> shift);
}

#[cfg(test)]
mod tests;
