//! The instance metadata service of EC2, version 2 only, over real HTTP on loopback; and what may
//! stand at its address instead.
//!
//! Source: EC2 User Guide, "Use the Instance Metadata Service to access instance metadata".

mod body;
mod mood;
mod serve;
mod state;
mod tree;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

pub use self::mood::{Mood, UnknownMood};
use self::state::State;

/// Where a service listens unless it is told: a free port of the IPv4 loopback.
pub const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A request as it came, with the status that it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `GET`, `PUT`.
    pub method: String,
    /// `/latest/meta-data/instance-id`.
    pub path: String,
    /// What it was answered with; 0 if the answer was not whole.
    pub status: u16,
    /// The number of its connection, from 0.
    pub connection: usize,
    /// The client's name for itself; empty if it gave none.
    pub user_agent: String,
    /// In which round of requests it was answered, from 1: what came after the first answer of a
    /// round belongs to a later one. Rounds times latency is what asking costs.
    pub round: usize,
}

/// What to serve, where and how.
#[derive(Debug)]
pub struct Setup {
    /// `{"meta-data": {..}, "dynamic": {..}, "user-data": ".."}`. Objects are directories; a launch
    /// key is the entry `0=NAME` of `public-keys`. An object `{"(base64)": ".."}` is an item of
    /// these bytes. The entry `(listing)` of a directory is listed in place of what is there.
    pub tree: Value,
    /// How whoever asks is treated.
    pub mood: Mood,
    /// Where to listen, all at once; port 0 is a free one.
    pub listen: Vec<SocketAddr>,
    /// How long each answer takes, as if the service were that far away.
    pub latency: Duration,
    /// Where a line is appended for each request: `METHOD PATH STATUS CONNECTION ROUND USER-AGENT`.
    pub log: Option<PathBuf>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            tree: crate::aws_mock(),
            mood: Mood::Fair,
            listen: vec![LOOPBACK],
            latency: Duration::ZERO,
            log: None,
        }
    }
}

/// A running service; it ends when dropped.
pub struct Imds {
    addresses: Vec<SocketAddr>,
    state: Arc<Mutex<State>>,
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Imds {
    /// Serves `tree` on the IPv4 loopback.
    #[must_use]
    pub fn start(tree: Value, mood: Mood) -> Self {
        let setup = Setup {
            tree,
            mood,
            ..Setup::default()
        };
        Self::with(setup).unwrap()
    }

    /// Serves as it is told.
    ///
    /// # Errors
    /// An address that cannot be listened on, or a log that cannot be written.
    pub fn with(setup: Setup) -> std::io::Result<Self> {
        let listeners: Vec<TcpListener> = setup
            .listen
            .iter()
            .map(TcpListener::bind)
            .collect::<Result<_, _>>()?;
        let addresses = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<_, _>>()?;
        let state = Arc::new(Mutex::new(State::new(setup)?));
        let server = Some(serve::spawn(listeners, Arc::clone(&state))?);
        Ok(Self {
            addresses,
            state,
            server,
        })
    }

    /// The first address that it listens on: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        self.urls().swap_remove(0)
    }

    /// All addresses that it listens on, in the order of the setup.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let url = |address: &SocketAddr| format!("http://{address}");
        self.addresses.iter().map(url).collect()
    }

    /// Everything that was asked so far, in the order of the answers.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.state).asked().to_vec()
    }

    /// Serves another tree from now on: another instance of the same image.
    pub fn become_instance(&self, tree: Value) {
        lock(&self.state).become_instance(tree);
    }

    /// Treats whoever asks in another way from now on.
    pub fn set_mood(&self, mood: Mood) {
        lock(&self.state).set_mood(mood);
    }
}

impl Drop for Imds {
    fn drop(&mut self) {
        if let Some((stop, server)) = self.server.take() {
            // Whether it still runs or not: it does not afterwards.
            let _ = stop.send(());
            let _ = server.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
