//! Measurements, run by `just bench`. Every number is measured in this run, on this machine.
//!
//! `remit-bench decide` times decisions; `remit-bench records FOLDER` durable signed records; `remit-bench
//! leaves FOLDER` a log of ten million leaves; `remit-bench lists FOLDER` the console's lists over 100,000 questions
//! and a million records; `remit-bench verify` verdicts; `remit-bench gateway PATH` times governed calls through the
//! program at PATH; `remit-bench gateway PATH write 64` only those.

mod decide;
mod gateway;
mod key;
mod leaves;
mod lists;
mod records;
mod upstream;
mod verify;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["decide"] => decide::run(),
        ["upstream"] => upstream::run(),
        ["verify"] => verify::run(),
        ["leaves", folder] => leaves::run(std::path::Path::new(folder)),
        ["lists", folder] => lists::run(std::path::Path::new(folder)),
        ["records", folder] => records::run(std::path::Path::new(folder)),
        ["gateway", remit, only @ ..] => gateway::run(std::path::Path::new(remit), only),
        _ => eprintln!(
            "usage: remit-bench decide | verify | records FOLDER | leaves FOLDER | lists FOLDER | gateway PATH-TO-REMIT [KIND] [CONCURRENCY]"
        ),
    }
}
