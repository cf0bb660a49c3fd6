//! Host keys and certificates that the configuration gives.
//!
//! Source: cloud-init, `cloudinit/config/cc_ssh.py`.

use std::path::Path;

use contract::effect::{Effect, Mode};
use contract::machine::Probe;
use contract::module::Context;
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::Value;

use crate::host_files::{absent, certificate, derive, private, public};
use crate::sshd_config;

/// The key that gives them, for everybody who reads it.
pub(crate) const GIVEN: Key = Key::new(
    "ssh_keys",
    Shape::Map(&[
        Key::new("rsa_private", Shape::Text, "a private key, in PEM form").secret(),
        Key::new("rsa_public", Shape::Text, "its public key"),
        Key::new("rsa_certificate", Shape::Text, "its certificate"),
        Key::new("ecdsa_private", Shape::Text, "a private key, in PEM form").secret(),
        Key::new("ecdsa_public", Shape::Text, "its public key"),
        Key::new("ecdsa_certificate", Shape::Text, "its certificate"),
        Key::new("ed25519_private", Shape::Text, "a private key, in PEM form").secret(),
        Key::new("ed25519_public", Shape::Text, "its public key"),
        Key::new("ed25519_certificate", Shape::Text, "its certificate"),
    ]),
    "host keys and certificates; no other ones are made then",
);

/// What a name in the mapping stands for.
enum Part {
    Private,
    Public,
    Certificate,
}

/// The good entries of `ssh_keys`.
#[derive(Debug, Default)]
pub(crate) struct Given {
    keys: Vec<GivenKey>,
}

/// What is given of one type.
#[derive(Debug)]
struct GivenKey {
    kind: &'static str,
    private: Option<Secret<Vec<u8>>>,
    public: Option<String>,
    certificate: Option<String>,
}

impl Given {
    /// Reads the mapping; `None` if it gives no private key, so that keys have to be made.
    pub(crate) fn read(given: Option<&Value>, told: &mut Vec<Problem>) -> Option<Self> {
        let given = given.filter(|given| !given.is_null())?;
        let Some(map) = given.as_map() else {
            let found = given.kind.name();
            let message = format!("ssh_keys: expected a mapping, found {found}");
            let problem = Problem::error(Some(given.place.clone()), message);
            told.push(problem.hint("keys are made instead"));
            return None;
        };
        let mut keys = Self::default();
        for (name, value) in map.iter() {
            if let Err(problem) = keys.take(name, value) {
                told.push(problem);
            }
        }
        if keys.keys.iter().any(|key| key.private.is_some()) {
            return Some(keys);
        }
        let message = "ssh_keys: it gives no private key";
        let problem = Problem::warning(Some(given.place.clone()), message);
        told.push(problem.hint("keys are made, or nobody could log in"));
        None
    }

    fn take(&mut self, name: &Value, value: &Value) -> Result<(), Problem> {
        let word = name.as_str().unwrap_or_default();
        let Some((kind, part)) = known(word) else {
            let message = "ssh_keys: expected names such as `rsa_private`, `ecdsa_public` or `ed25519_certificate`";
            return Err(Problem::warning(Some(name.place.clone()), message)
                .hint("of types there are rsa, ecdsa and ed25519; it is skipped"));
        };
        let Some(text) = value.as_str() else {
            let found = value.kind.name();
            let message = format!("ssh_keys: {word}: expected a string, found {found}");
            return Err(Problem::error(Some(value.place.clone()), message));
        };
        let at = match self.keys.iter().position(|key| key.kind == kind) {
            Some(at) => at,
            None => {
                self.keys.push(GivenKey {
                    kind,
                    private: None,
                    public: None,
                    certificate: None,
                });
                self.keys.len() - 1
            }
        };
        let Some(key) = self.keys.get_mut(at) else {
            return Ok(());
        };
        match part {
            Part::Public => key.public = Some(text.to_owned()),
            Part::Certificate => key.certificate = Some(text.to_owned()),
            Part::Private if text.trim_start().starts_with("-----BEGIN ") => {
                let mut bytes = text.as_bytes().to_vec();
                // sshd reads no key whose last line has no end.
                if !bytes.ends_with(b"\n") {
                    bytes.push(b'\n');
                }
                key.private = Some(Secret::new(bytes));
            }
            Part::Private => {
                let message = format!(
                    "ssh_keys: {word}: expected a private key, from `-----BEGIN` to `-----END ...-----`"
                );
                return Err(Problem::error(Some(value.place.clone()), message));
            }
        }
        Ok(())
    }

    /// The files. `anew`: what is there goes first.
    pub(crate) fn plan(&self, anew: bool, ctx: &Context<'_>) -> Plan {
        let steps = self.keys.iter().map(|key| key.step(anew, ctx.probe));
        let mut plan: Plan = steps.collect();
        let certified = self.keys.iter().filter(|key| key.certificate.is_some());
        let lines: String = certified
            .map(|key| format!("HostCertificate {}\n", certificate(key.kind).display()))
            .collect();
        if !lines.is_empty() {
            plan.push(Step::new(
                "certificates",
                [sshd_config::with(&lines, ctx.probe)],
            ));
        }
        plan
    }
}

impl GivenKey {
    fn step(&self, anew: bool, probe: &dyn Probe) -> Step {
        let mut step = Step::new(self.kind, []);
        let key = private(self.kind);
        if let Some(bytes) = &self.private {
            let is_new = anew || !holds(probe, &key, bytes.expose());
            if is_new && self.public.is_none() {
                // It belongs to another key.
                step.effects.push(absent(public(self.kind)));
            }
            let file = Effect::secret_file(key, bytes.clone(), Mode::PRIVATE);
            step.effects.push(file);
        }
        match &self.public {
            Some(text) => step
                .effects
                .push(Effect::file(public(self.kind), text.as_str())),
            None if self.private.is_some() => step.effects.push(derive(self.kind)),
            None => {}
        }
        if let Some(text) = &self.certificate {
            let file = Effect::file(certificate(self.kind), text.as_str());
            step.effects.push(file);
        }
        step
    }
}

fn holds(probe: &dyn Probe, path: &Path, bytes: &[u8]) -> bool {
    probe
        .read(path)
        .is_ok_and(|now| now.as_deref() == Some(bytes))
}

fn known(word: &str) -> Option<(&'static str, Part)> {
    let (kind, part) = word.split_once('_')?;
    let kind = crate::host_files::TYPES
        .into_iter()
        .find(|own| *own == kind)?;
    let part = match part {
        "private" => Part::Private,
        "public" => Part::Public,
        "certificate" => Part::Certificate,
        _ => return None,
    };
    Some((kind, part))
}
