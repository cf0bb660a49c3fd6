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
/// Without a dot at its end one is looked up in the domains of `search` as well (resolv.conf(5)).
const NOBODYS: [&str; 3] = [
    "does-not-exist.example.com.",
    "example.invalid.",
    "__cloud_init_expected_not_found__",
];

/// The network may be up a moment before its resolver.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);

/// How libraries call it that no resolver answered (gai_strerror(3)): the name may be known.
const NO_ANSWER: [&str; 2] = ["Temporary failure", "Try again"];

/// Who is asked, and what is known of them.
#[derive(Debug, Default)]
pub(crate) struct HostNames {
    /// A name has had no answer for so long that none is asked for twice any more: a resolver that does
    /// not answer for one name may do so for the next.
    is_patience_spent: OnceLock<()>,
    /// What those answer who answer to everything.
    for_people: OnceLock<Vec<IpAddr>>,
}

impl HostNames {
    /// Whether a name is known.
    pub(crate) fn knows(&self, host: &str) -> bool {
        self.knows_by(host, resolved)
    }

    fn knows_by(&self, host: &str, resolve: impl Fn(&str) -> io::Result<Vec<IpAddr>>) -> bool {
        let answer = self.ask(host, &resolve);
        let Some(address) = answer.first() else {
            return false;
        };
        let for_people = self.for_people.get_or_init(|| {
            let addresses = NOBODYS.iter().flat_map(|name| self.ask(name, &resolve));
            addresses.collect()
        });
        !for_people.contains(address)
    }

    fn ask(&self, host: &str, resolve: impl Fn(&str) -> io::Result<Vec<IpAddr>>) -> Vec<IpAddr> {
        let begun = Instant::now();
        loop {
            match resolve(host) {
                Ok(addresses) => return addresses,
                Err(error) if !is_unanswered(&error) => return Vec::new(),
                Err(_) if self.is_patience_spent.get().is_some() => return Vec::new(),
                Err(_) if begun.elapsed() > PATIENCE => {
                    let _ = self.is_patience_spent.set(());
                    return Vec::new();
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }
}

fn resolved(host: &str) -> io::Result<Vec<IpAddr>> {
    let addresses = (host, 0_u16).to_socket_addrs()?;
    Ok(addresses.map(|address| address.ip()).collect())
}

fn is_unanswered(error: &io::Error) -> bool {
    let text = error.to_string();
    NO_ANSWER.iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

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
    fn a_name_without_an_answer_is_asked_once_when_patience_is_spent_and_others_still_are() {
        let names = answering(&[]);
        names.is_patience_spent.set(()).unwrap();
        let asked = RefCell::new(Vec::new());
        let resolve = |name: &str| {
            asked.borrow_mut().push(name.to_owned());
            match name {
                "broken" => Err(io::Error::other("Temporary failure in name resolution")),
                _ => Ok(vec![IpAddr::from([127, 0, 0, 1])]),
            }
        };
        let known = ["broken", "good", "broken"].map(|name| names.knows_by(name, resolve));
        assert_eq!(known, [false, true, false]);
        assert_eq!(*asked.borrow(), ["broken", "good", "broken"]);
    }

    #[test]
    fn every_address_that_a_name_of_nobodys_has_is_for_people() {
        // A resolver that answers to what it finds in its search list.
        let resolve = |name: &str| match name {
            "does-not-exist.example.com." | "example.invalid." => {
                Err(io::Error::other("Name or service not known"))
            }
            "good" => Ok(vec![IpAddr::from([127, 0, 0, 3])]),
            "odd" => Ok(vec![IpAddr::from([127, 0, 0, 2])]),
            _ => Ok([1, 2].map(|last| IpAddr::from([127, 0, 0, last])).into()),
        };
        let names = HostNames::default();
        let known = ["good", "odd", "else"].map(|name| names.knows_by(name, resolve));
        assert_eq!(known, [true, false, false]);
    }
}
