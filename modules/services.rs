//! Services of the system, told by whoever runs them here: systemd, or OpenRC on Alpine Linux.
//!
//! Source: cloud-init, `manage_service` of `cloudinit/distros/__init__.py` and
//! `cloudinit/distros/alpine.py`; systemctl(1), rc-update(8).

use std::path::Path;

use contract::effect::{Effect, ToolSpec, UnitVerb};
use contract::machine::Probe;

use crate::distribution::{self, Family};
use crate::files;

/// Where systemd keeps what starts at boot, and where packages put units.
const ENABLED: &str = "/etc/systemd/system";
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// The same of OpenRC.
const RUNLEVEL: &str = "/etc/runlevels/default";

/// That a service starts at boot; `None` if it does already.
pub(crate) fn enabled(name: &str, probe: &dyn Probe) -> Option<Effect> {
    if is_enabled(probe, name) {
        return None;
    }
    let what = format!("service {name} enabled");
    let argv = match is_openrc(probe) {
        true => vec!["rc-update", "--nocolor", "add", name],
        false => vec!["systemctl", "enable", name],
    };
    Some(Effect::tool(ToolSpec::new(what, argv)))
}

/// That a service does not start at boot; `None` if it is there and does not. One that a package
/// brings along may be enabled by it.
pub(crate) fn disabled(name: &str, probe: &dyn Probe) -> Option<Effect> {
    if is_there(probe, name) && !is_enabled(probe, name) {
        return None;
    }
    let what = format!("service {name} disabled");
    let argv = match is_openrc(probe) {
        true => vec!["rc-update", "--nocolor", "del", name],
        false => vec!["systemctl", "disable", name],
    };
    Some(Effect::tool(ToolSpec::new(what, argv)))
}

/// A job for a service: `chronyd`, or with its suffix, which OpenRC does not know.
pub(crate) fn job(verb: UnitVerb, service: &str, probe: &dyn Probe) -> Effect {
    if is_openrc(probe) {
        let service = service.strip_suffix(".service").unwrap_or(service);
        let what = format!("{} {service}", verb.as_str());
        let mut argv = vec!["rc-service", "--nocolor", service, openrc(verb)];
        if verb == UnitVerb::TryRestart {
            argv.insert(2, "--ifstarted");
        }
        return Effect::tool(ToolSpec::new(what, argv).live_only());
    }
    let name = unit(service);
    Effect::Unit { verb, name }
}

/// What the SSH server is called, where that is the distribution's to say and not the image's
/// (`system_info.ssh_svcname`).
///
/// Source: cloud-init, `cloudinit/distros/{rhel,opensuse,alpine,arch}.py`.
pub(crate) fn sshd(probe: &dyn Probe) -> Option<&'static str> {
    match distribution::family(probe) {
        Family::RedHat | Family::Suse | Family::Alpine | Family::Arch => Some("sshd"),
        Family::Debian | Family::Other => None,
    }
}

/// Whether a text can be the name of a service: no option, no path, one word.
pub(crate) fn is_name(service: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "_.@-:\\".contains(c);
    service.starts_with(|c: char| c.is_ascii_alphanumeric()) && service.chars().all(good)
}

/// As [`enabled`], of the first of several names that the system has: which one that is, is known
/// only when a package has brought it.
pub(crate) fn first_enabled(names: &[&str], probe: &dyn Probe) -> Option<Effect> {
    if let Some(name) = names.iter().find(|name| is_there(probe, name)) {
        return enabled(name, probe);
    }
    let what = format!("service {} enabled", names.join(" or "));
    let line = match is_openrc(probe) {
        true => r#"for name; do rc-update --nocolor add "$name" && exit; done; exit 1"#,
        false => r#"for name; do systemctl enable "$name.service" && exit; done; exit 1"#,
    };
    Some(Effect::tool(ToolSpec::new(what, shell(line, names))))
}

/// As [`job`], of the first of several names that the system has.
pub(crate) fn first_job(verb: UnitVerb, names: &[&str], probe: &dyn Probe) -> Effect {
    if let Some(name) = names.iter().find(|name| is_there(probe, name)) {
        return job(verb, name, probe);
    }
    let what = format!("{} {}", verb.as_str(), names.join(" or "));
    let line = match (is_openrc(probe), verb) {
        (true, verb) => {
            let word = openrc(verb);
            format!(r#"for name; do rc-service --nocolor "$name" {word} && exit; done; exit 1"#)
        }
        (false, verb) => {
            let word = verb.as_str();
            // Without a systemd that runs there is nothing to start.
            format!(
                r#"[ -d /run/systemd/system ] || exit 0; for name; do systemctl --no-block {word} "$name.service" && exit; done; exit 1"#
            )
        }
    };
    Effect::tool(ToolSpec::new(what, shell(&line, names)).live_only())
}

/// A line of the shell with these arguments.
fn shell<'a>(line: &'a str, names: &[&'a str]) -> Vec<&'a str> {
    let mut argv = vec!["sh", "-c", line, "sh"];
    argv.extend(names);
    argv
}

/// As rc-service(8) calls it.
const fn openrc(verb: UnitVerb) -> &'static str {
    match verb {
        UnitVerb::Start => "start",
        UnitVerb::Stop => "stop",
        UnitVerb::Restart | UnitVerb::TryRestart | UnitVerb::Reload | UnitVerb::ReloadOrStart => {
            "restart"
        }
    }
}

/// Whether OpenRC is the one that runs services.
pub(crate) fn is_openrc(probe: &dyn Probe) -> bool {
    distribution::family(probe) == Family::Alpine
}

fn is_enabled(probe: &dyn Probe, name: &str) -> bool {
    if files::exists(probe, Path::new(RUNLEVEL).join(name)) {
        return true;
    }
    let unit = unit(name);
    let dirs = probe.list(Path::new(ENABLED)).ok().flatten();
    let mut dirs = dirs
        .into_iter()
        .flatten()
        .filter(|dir| dir.ends_with(".wants"));
    dirs.any(|dir| files::exists(probe, Path::new(ENABLED).join(dir).join(&unit)))
}

fn is_there(probe: &dyn Probe, name: &str) -> bool {
    let unit = unit(name);
    let mut units = UNITS.iter().map(|dir| Path::new(dir).join(&unit));
    units.any(|path| files::exists(probe, path))
        || files::exists(probe, format!("/etc/init.d/{name}"))
}

/// `salt-minion.service`
fn unit(name: &str) -> String {
    match name.contains('.') {
        true => name.to_owned(),
        false => format!("{name}.service"),
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::FakeMachine;

    use super::*;

    #[test]
    fn openrc_is_told_in_its_own_words() {
        let machine = FakeMachine::with(&[("/etc/os-release", "ID=alpine\n")]);
        #[rustfmt::skip]
        let table = [
            (UnitVerb::Start,      "rc-service --nocolor web start"),
            (UnitVerb::Stop,       "rc-service --nocolor web stop"),
            (UnitVerb::Restart,    "rc-service --nocolor web restart"),
            (UnitVerb::Reload,     "rc-service --nocolor web restart"),
            // What does not run is not started.
            (UnitVerb::TryRestart, "rc-service --nocolor --ifstarted web restart"),
        ];
        for (verb, wanted) in table {
            for name in ["web", "web.service"] {
                let Effect::Tool(tool) = job(verb, name, &machine) else {
                    panic!("{wanted}");
                };
                assert_eq!(tool.argv.join(" "), wanted);
            }
        }
    }

    #[test]
    fn nothing_is_asked_of_systemd_that_is_so_already() {
        let unit = "/usr/lib/systemd/system/web.service";
        let wanted = "/etc/systemd/system/multi-user.target.wants/web.service";
        let alpine = ("/etc/os-release", "ID=alpine\n");
        type Files<'a> = &'a [(&'a str, &'a str)];
        #[rustfmt::skip]
        let table: [(Files<'_>, Option<&str>, Option<&str>); 5] = [
            (&[],                                            Some("systemctl enable web"), Some("systemctl disable web")),
            (&[(unit, "")],                                  Some("systemctl enable web"), None),
            (&[(unit, ""), (wanted, "")],                    None,                         Some("systemctl disable web")),
            (&[alpine],                                      Some("rc-update --nocolor add web"),    Some("rc-update --nocolor del web")),
            (&[alpine, ("/etc/runlevels/default/web", "")],  None,                         Some("rc-update --nocolor del web")),
        ];
        let argv = |effect: Option<Effect>| match effect {
            Some(Effect::Tool(tool)) => Some(tool.argv.join(" ")),
            _ => None,
        };
        for (files, enable, disable) in table {
            let machine = FakeMachine::with(files);
            assert_eq!(
                argv(enabled("web", &machine)).as_deref(),
                enable,
                "{files:?}"
            );
            assert_eq!(
                argv(disabled("web", &machine)).as_deref(),
                disable,
                "{files:?}"
            );
        }
    }
}
