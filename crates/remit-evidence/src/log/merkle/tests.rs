//! The oracle is the recursive definition of RFC 6962, written without any cleverness.

use proptest::prelude::*;

use super::*;

fn leaves(size: usize) -> Vec<Digest> {
    (0..size).map(|at| leaf_hash(format!("leaf {at}").as_bytes())).collect()
}

fn power_below(size: usize) -> usize {
    (0..).map(|bit| 1 << bit).take_while(|power| *power < size).last().expect("two or more")
}

fn naive_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(power_below(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

fn naive_inclusion(at: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = power_below(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, other) = if at < k {
        (naive_inclusion(at, left), naive_root(right))
    } else {
        (naive_inclusion(at - k, right), naive_root(left))
    };
    path.push(other);
    path
}

fn naive_consistency(first: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
    if first == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let k = power_below(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, other) = if first <= k {
        (naive_consistency(first, left, whole), naive_root(right))
    } else {
        (naive_consistency(first - k, right, false), naive_root(left))
    };
    path.push(other);
    path
}

/// Hashes of complete subtrees by height, refusing everything else.
struct Complete(Vec<Vec<Digest>>);

impl Complete {
    fn over(leaves: &[Digest]) -> Self {
        let mut heights = vec![leaves.to_vec()];
        while let Some(below) = heights.last().filter(|below| below.len() > 1) {
            heights.push(below.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect());
        }
        Self(heights)
    }
}

impl HashReader for Complete {
    type Error = String;

    fn hash(&self, height: u32, index: u64) -> Result<Digest, String> {
        let hashes = self.0.get(height as usize).ok_or("too high")?;
        hashes.get(usize::try_from(index).expect("small")).copied().ok_or_else(|| "outside".into())
    }
}

#[test]
fn the_hashes_are_those_of_the_rfc() {
    assert_eq!(empty_root().to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(leaf_hash(b"").to_string(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    // The eight leaves that certificate transparency tests with everywhere.
    let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let bytes = |hex: &str| -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|p| u8::from_str_radix(std::str::from_utf8(p).expect("hex"), 16).expect("hex"))
            .collect()
    };
    let leaves: Vec<Digest> = leaves.iter().map(|hex| leaf_hash(&bytes(hex))).collect();
    assert_eq!(root_of(&leaves).to_string(), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
}

#[test]
fn roots_and_inclusion_agree_with_the_definition_at_every_size() {
    let all = leaves(300);
    let stored = Complete::over(&all);
    let mut edge = Frontier::default();
    for size in 0..=300 {
        let root = naive_root(&all[..size]);
        assert_eq!(edge.root(), root, "size {size}");
        assert_eq!(Frontier::read(size as u64, &stored).expect("read"), edge);
        for (at, leaf) in all[..size].iter().enumerate() {
            let (index, tree) = (at as u64, size as u64);
            let path = inclusion(index, tree, &stored).expect("made");
            // The slow oracle is asked at every index of the small trees and here and there in the others.
            if size <= 70 || (at * 7 + size) % 29 == 0 {
                assert_eq!(path, naive_inclusion(at, &all[..size]));
            }
            assert_eq!(verify_inclusion(leaf, index, tree, &path, &root), Ok(()), "{at} in {size}");
            assert!(verify_inclusion(leaf, index ^ 1, tree, &path, &root).is_err() || size == 1);
            if let Some(short) = path.get(1..) {
                assert!(verify_inclusion(leaf, index, tree, short, &root).is_err());
            }
            let long = [&path[..], &[root]].concat();
            assert_eq!(verify_inclusion(leaf, index, tree, &long, &root), Err(Unproven::Length));
        }
        if let Some(leaf) = all.get(size) {
            edge.push(*leaf);
        }
    }
}

#[test]
fn consistency_agrees_with_the_definition_between_all_sizes() {
    let all = leaves(130);
    let stored = Complete::over(&all);
    let roots: Vec<Digest> = (0..=130).map(|size| root_of(&all[..size])).collect();
    for second in 1..=130_usize {
        for first in 1..second {
            let path = consistency(first as u64, second as u64, &stored).expect("made");
            assert_eq!(path, naive_consistency(first, &all[..second], true), "{first} to {second}");
            let check = |a: usize, b: usize, path: &[Digest]| {
                verify_consistency(a as u64, &roots[a], b as u64, &roots[b], path)
            };
            assert_eq!(check(first, second, &path), Ok(()), "{first} to {second}");
            assert!(check(first - 1, second, &path).is_err());
            assert!(check(first, second - 1, &path).is_err());
            assert!(check(first, second, &path[1..]).is_err());
            assert_eq!(check(first, second, &[&path[..], &[roots[1]]].concat()), Err(Unproven::Length));
        }
    }
}

#[test]
fn degenerate_proofs_are_refused() {
    let root = empty_root();
    assert_eq!(verify_inclusion(&root, 0, 0, &[], &root), Err(Unproven::Sizes));
    assert_eq!(verify_inclusion(&root, 5, 5, &[], &root), Err(Unproven::Sizes));
    assert_eq!(verify_inclusion(&root, u64::MAX, u64::MAX, &[root; 64], &root), Err(Unproven::Sizes));
    assert_eq!(verify_inclusion(&root, u64::MAX - 1, u64::MAX, &[root; 63], &root), Err(Unproven::Root));
    assert_eq!(verify_consistency(0, &root, 5, &root, &[]), Err(Unproven::Sizes));
    assert_eq!(verify_consistency(5, &root, 5, &root, &[]), Err(Unproven::Sizes));
    assert_eq!(verify_consistency(6, &root, 5, &root, &[root]), Err(Unproven::Sizes));
    assert_eq!(verify_consistency(4, &root, 8, &root, &[]), Err(Unproven::Length));
    assert_eq!(inclusion(3, 3, &Complete::over(&[])), Err(Unmade::Sizes));
    assert_eq!(consistency(0, 3, &Complete::over(&[])), Err(Unmade::Sizes));
    assert_eq!(consistency(3, 3, &Complete::over(&[])), Err(Unmade::Sizes));
}

proptest! {
    #[test]
    fn a_changed_proof_proves_nothing(size in 2_usize..400, seed in any::<u64>(), byte in 0_usize..32, bit in 0_u8..8) {
        let all = leaves(size);
        let stored = Complete::over(&all);
        let root = root_of(&all);
        let at = usize::try_from(seed % size as u64).expect("small");
        let mut path = inclusion(at as u64, size as u64, &stored).expect("made");
        let step = usize::try_from(seed >> 32).expect("small") % path.len();
        let mut bytes = *path[step].as_bytes();
        bytes[byte] ^= 1 << bit;
        path[step] = Digest::from_bytes(bytes);
        prop_assert_eq!(verify_inclusion(&all[at], at as u64, size as u64, &path, &root), Err(Unproven::Root));
        let first = at.max(1);
        let mut path = consistency(first as u64, size as u64, &stored).expect("made");
        let step = step % path.len();
        let mut bytes = *path[step].as_bytes();
        bytes[byte] ^= 1 << bit;
        path[step] = Digest::from_bytes(bytes);
        let old = root_of(&all[..first]);
        prop_assert_eq!(verify_consistency(first as u64, &old, size as u64, &root, &path), Err(Unproven::Root));
    }

    #[test]
    fn any_numbers_are_answered_without_a_panic(a in any::<u64>(), b in any::<u64>(), n in 0_usize..70) {
        let hash = leaf_hash(b"x");
        let path = vec![hash; n];
        let _ = verify_inclusion(&hash, a, b, &path, &hash);
        let _ = verify_consistency(a, &hash, b, &hash, &path);
    }
}
