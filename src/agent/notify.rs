//! What systemd is told: readiness and status (sd_notify(3)).

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The way to the service manager; silent when there is none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notifier(Option<Arc<(UnixDatagram, SocketAddr)>>);

impl Notifier {
    /// The socket that systemd named in the environment.
    pub(crate) fn from_environment() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else {
            return Self(None);
        };
        let name = name.to_string_lossy().into_owned();
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(&name),
        };
        let socket = address.and_then(|address| Ok((UnixDatagram::unbound()?, address)));
        Self(socket.ok().map(Arc::new))
    }

    /// Whether systemd started this process and waits for its word.
    pub(crate) const fn is_listening(&self) -> bool {
        self.0.is_some()
    }

    /// The unit has started.
    pub(crate) fn ready(&self) {
        self.send("READY=1");
    }

    /// A line for `systemctl status`.
    pub(crate) fn status(&self, text: &str) {
        self.send(&format!("STATUS={text}"));
    }

    fn send(&self, message: &str) {
        if let Some(manager) = &self.0 {
            // A manager that is gone cannot be told, and nothing here depends on it.
            let _ = manager.0.send_to_addr(message.as_bytes(), &manager.1);
        }
    }
}

/// The gate before which logins wait. It opens when the identity stage is done, and at the latest
/// when its budget is over: a script that hangs must not cost the login.
#[derive(Debug)]
pub(crate) struct Gate {
    notifier: Notifier,
    opened: Arc<AtomicBool>,
}

impl Gate {
    /// Starts the clock, on a thread that exists only when somebody listens.
    pub(crate) fn new(notifier: &Notifier, budget: Duration) -> Self {
        let gate = Self {
            notifier: notifier.clone(),
            opened: Arc::default(),
        };
        if notifier.is_listening() {
            let late = Self {
                notifier: gate.notifier.clone(),
                opened: Arc::clone(&gate.opened),
            };
            let timer = move || {
                thread::sleep(budget);
                if late.open() {
                    // An error, since these are shown on the console: whoever cannot log in reads why.
                    tracing::error!(
                        "the gate's budget is over: logins open before identity is done"
                    );
                }
            };
            let thread = thread::Builder::new().name("gate".into()).spawn(timer);
            if let Err(error) = thread {
                tracing::warn!("cannot start the gate's timer: {error}");
            }
        }
        gate
    }

    /// Lets logins in; whether this call was the one that did.
    pub(crate) fn open(&self) -> bool {
        let first = !self.opened.swap(true, Ordering::SeqCst);
        if first {
            self.notifier.ready();
        }
        first
    }
}
