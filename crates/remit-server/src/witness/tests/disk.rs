//! A disk in memory that tells the kernel's view from what survives a power cut, and fails on demand.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use crate::witness::disk::{Disk, is_draft};

/// Which step fails, and whether it had its effect all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// 0: the write; 1: its fsync; 2: the rename; 3: the fsync of the folder.
    pub step: u8,
    pub happened: bool,
}

#[derive(Clone, Default)]
struct File {
    seen: Vec<u8>,
    /// What a power cut leaves; torn unless an fsync succeeded.
    durable: Vec<u8>,
}

#[derive(Default)]
struct Platter {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    fault: Option<Fault>,
    /// Names an fsync has failed on: the kernel calls them clean and never writes them again.
    lost_names: bool,
}

#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<Platter>>);

impl Fake {
    /// The next time this step comes, it fails.
    pub fn fail(&self, fault: Fault) {
        self.0.lock().expect("disk").fault = Some(fault);
    }

    pub fn mend(&self) {
        self.0.lock().expect("disk").fault = None;
    }

    /// The power fails. `landed`: names that were not synced had reached the disk by themselves.
    pub fn power_cut(&self, landed: bool) {
        let mut platter = self.0.lock().expect("disk");
        if landed && !platter.lost_names {
            platter.durable_names = platter.names.clone();
        }
        platter.names = platter.durable_names.clone();
        platter.lost_names = false;
        for file in &mut platter.files {
            file.seen = file.durable.clone();
        }
    }
}

impl Platter {
    fn fault(&mut self, step: u8) -> Option<Fault> {
        self.fault.take_if(|fault| fault.step == step)
    }
}

fn broken() -> io::Error {
    io::Error::other("the disk failed")
}

impl Disk for Fake {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().expect("disk").names.keys().filter(|name| !is_draft(name)).cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let platter = self.0.lock().expect("disk");
        let at = platter.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(platter.files[*at].seen.clone())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut platter = self.0.lock().expect("disk");
        let torn = bytes[..bytes.len() / 2].to_vec();
        let at = match platter.names.get(name) {
            Some(at) => *at,
            None => {
                platter.files.push(File::default());
                let at = platter.files.len() - 1;
                platter.names.insert(name.into(), at);
                at
            }
        };
        if let Some(fault) = platter.fault(0) {
            let seen = if fault.happened { bytes.to_vec() } else { torn.clone() };
            platter.files[at] = File { seen, durable: torn };
            return Err(broken());
        }
        if let Some(fault) = platter.fault(1) {
            let durable = if fault.happened { bytes.to_vec() } else { torn };
            platter.files[at] = File { seen: bytes.to_vec(), durable };
            return Err(broken());
        }
        platter.files[at] = File { seen: bytes.to_vec(), durable: bytes.to_vec() };
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut platter = self.0.lock().expect("disk");
        let fault = platter.fault(2);
        if fault.is_none_or(|fault| fault.happened) {
            let at = platter.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            platter.names.insert(to.into(), at);
        }
        fault.map_or(Ok(()), |_| Err(broken()))
    }

    fn sync(&self) -> io::Result<()> {
        let mut platter = self.0.lock().expect("disk");
        match platter.fault(3) {
            Some(fault) if !fault.happened => {
                platter.lost_names = true;
                Err(broken())
            }
            fault => {
                platter.durable_names = platter.names.clone();
                platter.lost_names = false;
                fault.map_or(Ok(()), |_| Err(broken()))
            }
        }
    }
}
