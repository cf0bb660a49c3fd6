//! The keys that the machine shows to whoever logs in.
//!
//! They are this instance's own: those of the image go first, once for each instance. What is cheap
//! to make is made before logins start; an RSA key takes a second or ten, so it is made after that,
//! and sshd is told.
//!
//! Source: cloud-init, `cloudinit/config/cc_ssh.py`.

use std::path::{Path, PathBuf};

use contract::effect::{Effect, ToolSpec, UnitVerb};
use contract::machine::Probe;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Kind, Value};
use serde::Deserialize;

use crate::distribution::{self, Family};
use crate::fields::wrong;
use crate::given_keys::{GIVEN, Given};
use crate::host_files::{TYPES, absent, all, derive, is_there, is_whole, private, public};
use crate::services;
use crate::switch::{self, is_on};

/// Made when the image's keys are gone, and gone itself after a power cut.
const DELETED: &str = "/run/firstlight/host-keys/deleted";
/// The platform of a machine that no data source knows.
pub(crate) const NOBODY: &str = "none";
/// In the directory of an instance whose image's keys are gone.
const MARK: &str = "host-keys-removed";
/// There while an RSA key is still to be made: the distribution's own unit does not make one then,
/// see `systemd/sshd-keygen@.service.d`.
const RSA_FOLLOWS: &str = "/run/firstlight/host-keys/rsa";

/// The key that says which types are made, for everybody who reads it.
pub(crate) const GENKEYTYPES: Key = Key::new(
    "ssh_genkeytypes",
    Shape::List(&Shape::Word(&TYPES)),
    "the types of host keys to make, where none are given",
)
.or("[rsa, ecdsa, ed25519]");

/// The key that silences ssh-keygen, for everybody who reads it.
pub(crate) const QUIET: Key = Key::new(
    "ssh_quiet_keygen",
    Shape::Switch,
    "whether ssh-keygen says nothing in the output log",
)
.or("false");

/// The key that keeps the image's keys.
pub(crate) const DELETE: Key = Key::new(
    "ssh_deletekeys",
    Shape::Switch,
    "whether a new instance begins by removing the host keys of its image",
)
.or("true");

/// The key that publishes host keys. Source: cloud-init, `cloudinit/sources/__init__.py`: its data
/// source of EC2 has nowhere to publish them.
pub(crate) const PUBLISH: Key = Key::new(
    "ssh_publish_hostkeys",
    Shape::Map(&[
        Key::new("enabled", Shape::Switch, "whether to publish them").or("true"),
        Key::new(
            "blacklist",
            Shape::List(&Shape::Text),
            "types that are not published",
        ),
    ]),
    "nothing: EC2 has no place where host keys are published",
);

/// What is said about host keys.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) types: Option<Value>,
    pub(crate) given: Option<Value>,
    pub(crate) quiet: Option<Value>,
    pub(crate) delete: Option<Value>,
    pub(crate) publish: Option<Value>,
}

/// Makes the RSA key, once logins are open.
pub(crate) struct SshRsa;

/// What the RSA key depends on.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    ssh_genkeytypes: Option<Value>,
    ssh_keys: Option<Value>,
    ssh_quiet_keygen: Option<Value>,
}

impl Module for SshRsa {
    const FACTS: Facts = Facts {
        name: "ssh_rsa",
        summary: "make the RSA host key, which no login waits for",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: &[GENKEYTYPES, GIVEN, QUIET],
    };
    const NOTES: &'static str = include_str!("notes/ssh_rsa.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        // That the image's keys are gone has settled by now; before, a power cut could keep both
        // this word of it and the keys.
        if is_there(ctx.probe, Path::new(DELETED)) {
            let mark = Effect::file(mark(ctx), "the host keys of the image were removed\n");
            plan.push(Step::new("image's keys", [mark]));
        }
        // What is wrong with them is told by ssh.
        let told = &mut Vec::new();
        if Given::read(want.ssh_keys.as_ref(), told).is_some() {
            return plan;
        }
        let quiet = switch::or(
            false,
            "ssh_quiet_keygen",
            want.ssh_quiet_keygen.as_ref(),
            told,
        );
        let types = want.ssh_genkeytypes.as_ref();
        if let Some(kind) = chosen(types, ctx.probe, told).after {
            let mut step = make(kind, quiet, false, ctx.probe);
            step.effects.push(Effect::Absent {
                at: RSA_FOLLOWS.into(),
            });
            step.on_change = sshd(ctx.probe)
                .map(|name| Effect::Unit {
                    verb: UnitVerb::Reload,
                    name: name.to_owned(),
                })
                .into_iter()
                .collect();
            plan.push(step);
        }
        plan
    }
}

/// The host keys that are there before logins start.
pub(crate) fn plan(want: &Wanted, ctx: &Context<'_>) -> Plan {
    let mut plan = Plan::nothing();
    let told = &mut plan.problems;
    check_publishing(want.publish.as_ref(), told);
    let deletes = is_on("ssh_deletekeys", want.delete.as_ref(), told) && !is_marked(ctx);
    let old = all(ctx.probe);
    if !deletes && !is_marked(ctx) && !old.is_empty() {
        let place = want.delete.as_ref().map(|value| value.place.clone());
        let message = "ssh_deletekeys: the image's host keys stay: every instance of it has the same, and can pass for any other";
        told.push(Problem::notice(place, message).hint("leave the key out, and each has its own"));
    }
    let mut new = match Given::read(want.given.as_ref(), told) {
        Some(given) => given.plan(deletes, ctx).steps,
        None => generate(want, deletes, ctx, told),
    };
    new.retain(|step| !step.effects.is_empty());
    if deletes && !(old.is_empty() && new.is_empty()) {
        let mut gone: Vec<Effect> = old.into_iter().map(absent).collect();
        gone.push(Effect::file(DELETED, "yes\n"));
        plan.steps.push(Step::new("image's keys", gone));
    }
    plan.steps.extend(new);
    plan
}

/// Makes what is cheap to make, and says what follows.
fn generate(want: &Wanted, anew: bool, ctx: &Context<'_>, told: &mut Vec<Problem>) -> Vec<Step> {
    let quiet = switch::or(false, "ssh_quiet_keygen", want.quiet.as_ref(), told);
    let chosen = chosen(want.types.as_ref(), ctx.probe, told);
    let make = |kind| make(kind, quiet, anew, ctx.probe);
    let mut steps: Vec<Step> = chosen.before.into_iter().map(make).collect();
    if chosen
        .after
        .is_some_and(|kind| !make(kind).effects.is_empty())
    {
        let file = Effect::file(RSA_FOLLOWS, "firstlight makes this key\n");
        steps.push(Step::new("rsa follows", [file]));
    }
    steps
}

/// Which types are made, and when.
#[derive(Debug, Default)]
struct Chosen {
    before: Vec<&'static str>,
    /// RSA alone, if sshd has another key until then.
    after: Option<&'static str>,
}

fn chosen(types: Option<&Value>, probe: &dyn Probe, told: &mut Vec<Problem>) -> Chosen {
    if !distribution::has_program(probe, "ssh-keygen") {
        if distribution::has_program(probe, "sshd") {
            let message = "there is an sshd and no ssh-keygen: no host keys are made";
            told.push(Problem::warning(None, message));
        }
        return Chosen::default();
    }
    let mut before = wanted_types(types, told);
    if is_fips(probe) {
        before.retain(|kind| *kind != "ed25519");
    }
    // OpenRC's script of sshd makes what is missing before it starts sshd.
    let waits = before.len() > 1 && before.contains(&"rsa") && !services::is_openrc(probe);
    if waits {
        before.retain(|kind| *kind != "rsa");
    }
    Chosen {
        before,
        after: waits.then_some("rsa"),
    }
}

/// The types that are asked for, each once.
fn wanted_types(given: Option<&Value>, told: &mut Vec<Problem>) -> Vec<&'static str> {
    let Some(given) = given.filter(|given| !given.is_null()) else {
        return TYPES.to_vec();
    };
    let one = std::slice::from_ref(given);
    let mut types = Vec::new();
    for entry in given.as_list().unwrap_or(one) {
        let known = |name: &&&str| entry.as_str() == Some(**name);
        match TYPES.iter().find(known) {
            Some(name) if types.contains(name) => {}
            Some(name) => types.push(*name),
            None => {
                let names = TYPES.join("`, `");
                let message = format!("ssh_genkeytypes: expected one of `{names}`");
                let problem = Problem::warning(Some(entry.place.clone()), message);
                told.push(problem.hint("no key of this type is made"));
            }
        }
    }
    types
}

/// What makes the key of a type, unless it is there. `anew`: what is there goes first.
fn make(kind: &'static str, quiet: bool, anew: bool, probe: &dyn Probe) -> Step {
    let key = private(kind);
    let public = public(kind);
    let mut step = Step::new(kind, []);
    if !anew && is_there(probe, &key) {
        if is_whole(probe, &key) {
            if !is_there(probe, &public) {
                step.effects.push(derive(kind));
            }
            return step;
        }
        // A power cut ended it half-way: no sshd can use it.
        step.effects.extend([absent(key.clone()), absent(public)]);
    }
    let path = key.display().to_string();
    let mut argv = vec!["ssh-keygen", "-t", kind, "-N", "", "-f", &path];
    if quiet {
        argv.push("-q");
    }
    let mut tool = ToolSpec::new(format!("host key {kind}"), argv).creates(&key);
    tool.env = vec![("LANG".to_owned(), "C".to_owned())];
    step.effects.push(Effect::tool(tool));
    step.effects.extend(red_hat(&path, probe));
    step
}

/// Where the distribution's own sshd-keygen gives a group the private keys, so do we.
///
/// Source: cloud-init, `set_redhat_keyfile_perms`. It goes by sshd's version, which decides what
/// that script does; we look at the script.
fn red_hat(key: &str, probe: &dyn Probe) -> Vec<Effect> {
    let has_group = probe.group("ssh_keys").is_ok_and(|gid| gid.is_some());
    if distribution::family(probe) != Family::RedHat || !has_group {
        return Vec::new();
    }
    let scripts = ["/usr/libexec/openssh/sshd-keygen", "/usr/sbin/sshd-keygen"];
    let text = scripts
        .iter()
        .find_map(|path| probe.read(Path::new(path)).ok().flatten());
    let text = text.unwrap_or_default();
    let mode = if String::from_utf8_lossy(&text).contains("640") {
        "0640"
    } else {
        "0600"
    };
    let tool = |argv: [&str; 3]| {
        let what = format!("{key} {} {}", argv[0], argv[1]);
        Effect::tool(ToolSpec::new(what, argv))
    };
    vec![tool(["chgrp", "ssh_keys", key]), tool(["chmod", mode, key])]
}

fn check_publishing(given: Option<&Value>, told: &mut Vec<Problem>) {
    let Some(given) = given else { return };
    if !matches!(given.kind, Kind::Map(_) | Kind::Null) {
        told.push(wrong("ssh_publish_hostkeys", given, "a mapping"));
    }
}

/// Whether this machine's own keys have taken the place of the image's.
///
/// A machine that no data source knows may be any instance that it was before: a metadata service
/// that is silent once must not change the keys by which everybody knows the machine.
fn is_marked(ctx: &Context<'_>) -> bool {
    let is_there = |dir: &Path| is_there(ctx.probe, &dir.join(MARK));
    let all = || {
        let parent = ctx.instance_dir.parent()?;
        let names = ctx.probe.list(parent).ok()??;
        Some(names.iter().any(|name| is_there(&parent.join(name))))
    };
    is_there(ctx.instance_dir) || (ctx.instance.platform == NOBODY && all().unwrap_or_default())
}

fn mark(ctx: &Context<'_>) -> PathBuf {
    ctx.instance_dir.join(MARK)
}

/// The unit of the ssh server that the image has.
fn sshd(probe: &dyn Probe) -> Option<&'static str> {
    let dirs = [
        "/etc/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
    ];
    ["ssh.service", "sshd.service"].into_iter().find(|name| {
        dirs.iter()
            .any(|dir| is_there(probe, &Path::new(dir).join(name)))
    })
}

/// Source: cloud-init, `cloudinit/util.py` (`fips_enabled`).
fn is_fips(probe: &dyn Probe) -> bool {
    let word = probe.read(Path::new("/proc/sys/crypto/fips_enabled"));
    word.ok()
        .flatten()
        .is_some_and(|word| word.trim_ascii() == b"1")
}

#[cfg(test)]
mod tests;
