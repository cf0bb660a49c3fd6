//! Whether somebody knows a host's name: the machine's own resolver is asked, by nsswitch.conf(5).
//!
//! Source: cloud-init, `cloudinit/util.py` (`is_resolvable`).

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// Names that are nobody's (RFC 2606). A resolver that knows them answers to everything, with the
/// address of a page for people.
const NOBODYS: [&str; 2] = ["does-not-exist.example.com.", "example.invalid."];

/// The network may be up a moment before its resolver.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);

/// How libraries call it that no resolver answered (gai_strerror(3)): the name may be known.
const NO_ANSWER: [&str; 2] = ["Temporary failure", "Try again"];

/// Who is asked, and what is known of them.
#[derive(Debug, Default)]
pub(crate) struct HostNames {
    /// Nobody answers, so that nobody is asked any more.
    are_dead: OnceLock<()>,
    /// What those answer who answer to everything.
    for_people: OnceLock<Vec<IpAddr>>,
}

impl HostNames {
    /// Whether a name is known.
    pub(crate) fn knows(&self, host: &str) -> bool {
        let Some(address) = self.ask(host) else {
            return false;
        };
        let for_people = self.for_people.get_or_init(|| {
            let addresses = NOBODYS.iter().filter_map(|name| self.ask(name));
            addresses.collect()
        });
        !for_people.contains(&address)
    }

    fn ask(&self, host: &str) -> Option<IpAddr> {
        let begun = Instant::now();
        loop {
            if self.are_dead.get().is_some() {
                return None;
            }
            match (host, 0_u16).to_socket_addrs() {
                Ok(mut addresses) => return addresses.next().map(|address| address.ip()),
                Err(error) if !is_unanswered(&error) => return None,
                Err(_) if begun.elapsed() > PATIENCE => {
                    let _ = self.are_dead.set(());
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }
}

fn is_unanswered(error: &io::Error) -> bool {
    let text = error.to_string();
    NO_ANSWER.iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of a resolver that answers to everything with these addresses.
    fn answering(everything: &[[u8; 4]]) -> HostNames {
        let names = HostNames::default();
        let for_people = everything.iter().copied().map(IpAddr::from).collect();
        names.for_people.set(for_people).unwrap();
        names
    }

    #[test]
    fn what_is_answered_to_everything_is_no_answer() {
        assert!(answering(&[]).knows("127.0.0.1"));
        assert!(answering(&[[127, 0, 0, 2]]).knows("127.0.0.1"));
        assert!(!answering(&[[127, 0, 0, 1]]).knows("127.0.0.1"));
    }

    #[test]
    fn nobody_is_asked_who_did_not_answer_before() {
        let names = answering(&[]);
        names.are_dead.set(()).unwrap();
        assert!(!names.knows("127.0.0.1"));
    }
}
