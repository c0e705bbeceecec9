//! What the signers of a note really sign (C2SP tlog-cosignature): a log its text, a witness that it
//! saw this tree grow from every tree it saw before, at a time.

use super::checkpoint::Checkpoint;
use super::note::{NoteSigner, SignError, SignatureLine};
use super::vkey::{Algorithm, VerifierKey};

/// The latest time that can be stated, in seconds since 1970.
pub const TIME_MAX: u64 = i64::MAX as u64;
const ED25519_HEAD: &str = "cosignature/v1";
const ML_DSA_LABEL: &[u8; 12] = b"subtree/v1\n\0";

/// The message a key of this kind signs for a note with this text, at this time.
///
/// # Errors
/// Says why there is none: cosignatures are over checkpoints only, and ML-DSA ones over names and
/// origins of at most 255 bytes.
pub fn message(key: &VerifierKey, text: &str, time: u64) -> Result<Vec<u8>, &'static str> {
    if key.algorithm() == Algorithm::Ed25519 {
        return Ok(text.as_bytes().to_vec());
    }
    let checkpoint = Checkpoint::parse(text).map_err(|_| "only a checkpoint can be cosigned")?;
    if time > TIME_MAX {
        return Err("the time is too large");
    }
    if key.algorithm() == Algorithm::Ed25519Cosignature {
        return Ok(format!("{ED25519_HEAD}\ntime {time}\n{text}").into_bytes());
    }
    let (start, end): (u64, u64) = (0, checkpoint.size);
    let mut message = ML_DSA_LABEL.to_vec();
    push_short(&mut message, key.name())?;
    message.extend_from_slice(&time.to_be_bytes());
    push_short(&mut message, &checkpoint.origin)?;
    message.extend_from_slice(&start.to_be_bytes());
    message.extend_from_slice(&end.to_be_bytes());
    message.extend_from_slice(checkpoint.root.as_bytes());
    Ok(message)
}

/// A witness's line for a checkpoint. Whoever calls it has checked that the tree grew, and has
/// written down what it is about to sign.
///
/// # Errors
/// When the signer fails or its key makes no cosignatures.
pub fn cosign(signer: &dyn NoteSigner, checkpoint: &str, time: u64) -> Result<SignatureLine, SignError> {
    if !signer.key().algorithm().is_timed() {
        return Err(SignError::Text("this key makes no cosignatures"));
    }
    SignatureLine::make(signer, checkpoint, time)
}

/// A string behind its length in one byte (RFC 8446, 3.4).
fn push_short(message: &mut Vec<u8>, text: &str) -> Result<(), &'static str> {
    let length = u8::try_from(text.len()).map_err(|_| "a name or origin has more than 255 bytes")?;
    message.push(length);
    message.extend_from_slice(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::log::note::Note;
    use crate::log::note::tests::{TEXT, ed25519, ml_dsa_44};

    #[test]
    fn the_messages_are_those_of_the_specification() {
        let witness = ed25519("w.example/1", Algorithm::Ed25519Cosignature, 2);
        let expected = format!("cosignature/v1\ntime 1679315147\n{TEXT}");
        assert_eq!(message(witness.key(), TEXT, 1_679_315_147), Ok(expected.into_bytes()));
        let witness = ml_dsa_44("w.example/1", 2);
        let checkpoint = Checkpoint::parse(TEXT).expect("checkpoint");
        let mut expected = b"subtree/v1\n\0\x0bw.example/1".to_vec();
        expected.extend([0, 0, 0, 0, 0, 0, 1, 2]);
        expected.push(27);
        expected.extend(b"example.com/behind-the-sofa");
        expected.extend([0; 8]);
        expected.extend(20_852_163_u64.to_be_bytes());
        expected.extend(checkpoint.root.as_bytes());
        assert_eq!(message(witness.key(), TEXT, 258), Ok(expected));
    }

    fn line_bytes(line: &str) -> Vec<u8> {
        STANDARD.decode(line.rsplit(' ').next().expect("signature")).expect("base64")
    }

    #[test]
    fn time_is_part_of_what_is_signed() {
        for witness in [ed25519("w", Algorithm::Ed25519Cosignature, 2), ml_dsa_44("w", 2)] {
            let mut note = Note::sign(TEXT, &[], 0).expect("note");
            let line = cosign(&witness, TEXT, 77).expect("cosigned");
            note.push(line.clone());
            assert_eq!(note.seals([witness.key()]).expect("valid")[0].time, Some(77));
            // The same signature, said to be of another time.
            let mut blob = line_bytes(&line.to_string());
            blob[11] ^= 1;
            let text = format!("\u{2014} w {}", STANDARD.encode(blob));
            let mut note = Note::sign(TEXT, &[], 0).expect("note");
            note.push(SignatureLine::parse(&text).expect("line"));
            assert!(note.seals([witness.key()]).is_err());
            assert!(cosign(&witness, TEXT, TIME_MAX + 1).is_err());
            assert!(cosign(&witness, "no checkpoint\n", 1).is_err());
        }
        assert!(cosign(&ed25519("log", Algorithm::Ed25519, 1), TEXT, 77).is_err());
    }

    #[test]
    fn an_ml_dsa_witness_signs_its_name() {
        let (one, other) = (ml_dsa_44("one", 2), ml_dsa_44("other", 2));
        assert_ne!(message(one.key(), TEXT, 1), message(other.key(), TEXT, 1));
        assert!(message(ml_dsa_44(&"n".repeat(256), 2).key(), TEXT, 1).is_err());
    }
}
