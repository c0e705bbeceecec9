//! Groups of processes: what a program starts ends with it.

use std::io;

/// The process group of a program that was started with [`confine`]. Killed when dropped.
pub(super) struct Group(libc::pid_t);

impl Group {
    /// The group that the process with this id leads.
    pub fn led_by(pid: u32) -> Option<Self> {
        libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 1).map(Self)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The number cannot be another group's as long as one of this one's processes is there. When
        // none is, it has been free for only as long as the leader has been waited for: moments, and
        // the kernel hands numbers out in turn.
        #[expect(unsafe_code, reason = "there is no safe way to signal a group in std")]
        // SAFETY: takes two numbers and touches no memory.
        let _ = unsafe { libc::killpg(self.0, libc::SIGKILL) };
    }
}

/// Has a program start as the leader of a session and a process group of its own, within a limit of
/// address space, and (on Linux) die when the thread that starts it does.
///
/// What the program itself starts does not get that last signal. When the gateway crashes it sees
/// its standard input end instead, which MCP servers take as a request to go.
#[expect(unsafe_code, reason = "limits, sessions and death signals are set between fork and exec")]
pub(super) fn confine(command: &mut tokio::process::Command, memory_bytes_max: Option<u64>) {
    #[cfg(target_os = "linux")]
    let gateway = libc::pid_t::try_from(std::process::id()).unwrap_or_default();
    let prepare = move || {
        // SAFETY: all of these are system calls that are safe between fork and exec. They allocate
        // nothing, take no lock, and get pointers only to `limit`, which outlives the call.
        unsafe {
            ok(libc::setsid())?;
            if let Some(bytes) = memory_bytes_max {
                let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
                ok(libc::setrlimit(libc::RLIMIT_AS, &raw const limit))?;
            }
            #[cfg(target_os = "linux")]
            {
                ok(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
                // A gateway that died before that cannot send the signal any more.
                if libc::getppid() != gateway {
                    return Err(io::Error::from_raw_os_error(libc::ESRCH));
                }
            }
        }
        Ok(())
    };
    // SAFETY: see inside `prepare`.
    unsafe { command.pre_exec(prepare) };
}

fn ok(returned: libc::c_int) -> io::Result<()> {
    if returned == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
