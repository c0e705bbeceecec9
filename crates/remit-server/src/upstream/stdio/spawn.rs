//! Starting a process.

use std::process::Stdio;
use std::sync::OnceLock;
use std::sync::mpsc;

use remit_app::secret::Secret;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::group::confine;
use crate::upstream::failure::{Failure, not_started};
use crate::upstream::spec::{Slot, Spec, Transport};

/// The program, its arguments, its environment, and what it is not to have.
///
/// # Errors
/// [`Failure::NotStarted`] when there is nothing to start, or a credential is needed and there is none.
pub(super) fn command(spec: &Spec, secret: Option<&Secret>) -> Result<Command, Failure> {
    let Transport::Stdio { argv, env, pass_env, cwd, memory_bytes_max, .. } = &spec.transport else {
        return Err(not_started("it is no process"));
    };
    let Some((program, arguments)) = argv.split_first() else { return Err(not_started("it names no program")) };
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    for name in pass_env {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(env.iter().map(|(name, value)| (name, value)));
    match (&spec.credential, secret) {
        (None, _) => {}
        (Some(Slot::Env { name }), Some(secret)) => {
            command.env(name, secret.expose());
        }
        (Some(Slot::Env { .. }), None) => return Err(not_started("its credential is missing")),
        (Some(Slot::Header { .. }), _) => return Err(not_started("a credential for a header, but it has none")),
    }
    if let Some(cwd) = cwd {
        command.current_dir(cwd);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    confine(&mut command, *memory_bytes_max);
    Ok(command)
}

/// Starts it, on the thread that starts all processes.
///
/// The death signal of Linux is bound to the thread that forked, not to its process. Threads of the
/// runtime come and go, and would take healthy upstreams with them; this one stays.
///
/// # Errors
/// [`Failure::NotStarted`] when the program cannot be started.
pub(super) async fn start(mut command: Command) -> Result<Child, Failure> {
    let runtime = tokio::runtime::Handle::current();
    let (give, given) = oneshot::channel();
    let job = move || {
        let _runtime = runtime.enter();
        // The command holds the environment, and with it the credential, no longer than needed.
        let child = command.spawn();
        drop(command);
        let _gone = give.send(child);
    };
    let thread = starter().ok_or_else(|| not_started("there is no thread to start it on"))?;
    thread.send(Box::new(job)).map_err(|_| not_started("the thread that starts processes has ended"))?;
    let child = given.await.map_err(|_| not_started("the thread that starts processes has ended"))?;
    child.map_err(|error| not_started(format!("its program cannot be started: {error}")))
}

type Job = Box<dyn FnOnce() + Send>;

fn starter() -> Option<&'static mpsc::Sender<Job>> {
    static STARTER: OnceLock<Option<mpsc::Sender<Job>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (give, jobs) = mpsc::channel::<Job>();
        let run = move || jobs.into_iter().for_each(|job| job());
        std::thread::Builder::new().name("remit-starter".into()).spawn(run).ok().map(|_| give)
    });
    starter.as_ref()
}

#[cfg(test)]
mod tests {
    use remit_core::ids::UpstreamId;

    use super::*;

    #[tokio::test]
    async fn a_process_inherits_nothing_that_was_not_named() {
        let spec = Spec {
            id: UpstreamId::parse("env").expect("id"),
            transport: Transport::Stdio {
                argv: vec!["env".into(), "-0".into()],
                env: vec![("MODE".into(), "x y".into())],
                pass_env: vec!["PATH".into(), "REMIT_NO_SUCH_VARIABLE".into()],
                cwd: None,
                memory_bytes_max: None,
                restarts_per_minute: 0,
            },
            credential: Some(Slot::Env { name: "TOKEN".into() }),
            timeout_ms: 1_000,
        };
        let secret = Secret::new("s3cret".into());
        let child = start(command(&spec, Some(&secret)).expect("command")).await.expect("started");
        let output = tokio::time::timeout(std::time::Duration::from_secs(10), child.wait_with_output()).await;
        let output = String::from_utf8(output.expect("bounded").expect("output").stdout).expect("text");
        let mut found: Vec<_> = output.split_terminator('\0').collect();
        found.sort_unstable();
        assert_eq!(found, ["MODE=x y", &format!("PATH={}", std::env::var("PATH").expect("path")), "TOKEN=s3cret"]);
    }
}
