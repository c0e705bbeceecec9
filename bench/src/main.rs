//! Measurements, run by `just bench`. Every number is measured in this run, on this machine.

mod decide;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    decide::run();
}
