//! Asks a witness by our client, for checks against witnesses that others wrote. The first word of what
//! it prints is what came of it; an answer with lines or a checkpoint follows in the next lines.
//!
//!     cargo run -p remit-server --example ask_witness -- URL VKEY add OLD NOTE [HASH...]
//!     cargo run -p remit-server --example ask_witness -- URL VKEY latest ORIGIN

use std::error::Error;
use std::time::Duration;

use remit_app::witness::{Declined, Witness as _};
use remit_evidence::log::checkpoint::hash;
use remit_evidence::log::note::Note;
use remit_evidence::log::vkey::VerifierKey;
use remit_server::witness::client::{Address, Remote};

type Fallible<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Fallible<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [url, vkey, rest @ ..] = &words[..] else { return Err("usage: ask_witness URL VKEY add|latest ...".into()) };
    let address = Address {
        submission: (*url).into(),
        monitoring: (*url).into(),
        keys: vec![VerifierKey::parse(vkey)?],
        patience: Duration::from_secs(10),
    };
    let witness = Remote::new(&address)?;
    let answer = match rest {
        ["add", old, note, proof @ ..] => {
            let note = Note::parse(&std::fs::read(note)?)?;
            let proof: Option<Vec<_>> = proof.iter().map(|step| hash(step)).collect();
            let lines = witness.add_checkpoint(old.parse()?, &proof.ok_or("no hash")?, &note).await;
            lines.map(|lines| lines.iter().map(|line| format!("{line}\n")).collect())
        }
        ["latest", origin] => {
            witness.latest(origin).await.map(|note| note.map_or("none\n".into(), |note| note.to_string()))
        }
        _ => return Err("usage: ask_witness URL VKEY add|latest ...".into()),
    };
    match answer {
        Ok(text) => print!("answered\n{text}"),
        Err(Declined::Seen(size)) => println!("seen {size}"),
        Err(Declined::Inconsistent(why)) => println!("inconsistent {why}"),
        Err(Declined::Refused(why)) => println!("refused {why}"),
        Err(Declined::Unreachable(why)) => println!("unreachable {why}"),
    }
    Ok(())
}
