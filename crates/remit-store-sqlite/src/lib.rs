//! The [`Store`](remit_app::ports::Store) port on SQLite: the embedded default, one file for one gateway.
//!
//! # Who writes
//!
//! One thread (`writer.rs`) owns the only connection that writes. Deeds wait for it in a bounded
//! queue; it applies all that wait, commits once and answers them together. So deeds have one order,
//! many callers share one fsync, and a check inside a deed cannot be overtaken by another deed.
//!
//! # What a reader sees
//!
//! A case is read from the book (`book.rs`), which is ahead of the file; what it does not know is read on connections
//! that see the last commit (`readers.rs`). A deed is answered after its commit, and a batched intent once it is in the
//! book and on the list of what goes into the file next (`ahead.rs`). So **whoever was answered finds its own deed in
//! the next case**, conflicts included, and whoever else asks the store is answered after a commit of what stood on
//! the list then. What is seen early may be without an fsync. That is sound: the list and the log are written in one
//! order, so whatever is decided on such a fact lies behind it, and a crash that loses the fact loses the decision too,
//! or else the decision's own fsync has made the fact durable.
//!
//! A case may be old by the time it is committed. The writer is the authority: in the transaction
//! itself it checks the halts, the version of the run (labels, closing), that each approval is unused,
//! undenied, unexpired and for this call, and that each budget has room. If not, the deed is a
//! conflict, and because conflicts are answered after the commit as well, the case that is read next
//! shows what was conflicted with. A receipt handed over with `settle_soon` is only ordered: it may
//! be missing in a case, which then shows too much reserved, never too little, and labels too few:
//! whoever needs those to be seen settles with `settle`.
//!
//! The halts are the one thing kept in memory (every case needs them and they hardly ever change).
//! The copy is replaced after the commit and before the answers; that it may be a moment older or
//! newer than the rest of a case does no harm, as an admission checks its version.
//!
//! # What a crash leaves
//!
//! A crash loses at most what was batched or handed over within [`Options::within`]: if it is one of the machine,
//! all of that; if it is one of the process, batched intents, their receipts, and what was handed over in the last
//! moment. It is always the newest part of the log, and the gap between the writer's sequence in the file and what
//! others have received shows it. A failed fsync, a full disk or any other error of the file ends the store: see `writer.rs`.

mod ahead;
mod attention;
mod book;
mod budgets;
mod case;
mod changes;
mod columns;
mod delegations;
mod erasure;
mod failure;
mod grants;
mod halts;
mod head;
mod holds;
mod intents;
mod listing;
mod open;
mod outbox;
mod people;
mod questions;
mod readers;
mod records;
mod reviews;
mod runs;
mod schema;
mod stamps;
mod standings;
mod store;
mod writer;

#[doc(hidden)]
pub mod faults;

pub use open::{OpenError, Options};
pub use store::SqliteStore;
