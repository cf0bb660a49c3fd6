//! The tools with which a distribution makes accounts.
//! Source: cloud-init, `cloudinit/distros/__init__.py` and `cloudinit/distros/alpine.py`.

use std::path::Path;

use contract::effect::UserSpec;
use contract::machine::Probe;
use contract::name::UserName;

use crate::program;

/// Whose tools a machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kit {
    /// Those of the package shadow, which nearly every distribution has.
    Shadow,
    /// Those of busybox, which Alpine has without that package.
    Busybox,
}

impl Kit {
    pub(crate) fn of(probe: &dyn Probe) -> Self {
        // Debian has an adduser too, of another make: busybox's are links to it.
        let is_busybox = || program::is_link(probe, "adduser");
        if !program::is_there(probe, "useradd") && is_busybox() {
            Self::Busybox
        } else {
            Self::Shadow
        }
    }

    pub(crate) fn group(self, name: &UserName) -> Vec<String> {
        let tool = match self {
            Self::Shadow => "groupadd",
            Self::Busybox => "addgroup",
        };
        vec![tool.to_owned(), name.to_string()]
    }

    pub(crate) fn member(self, user: &UserName, group: &UserName) -> Vec<String> {
        let (user, group) = (user.as_str(), group.as_str());
        let argv: &[&str] = match self {
            Self::Shadow => &["usermod", "-a", "-G", group, user],
            Self::Busybox => &["addgroup", user, group],
        };
        argv.iter().map(ToString::to_string).collect()
    }

    /// The tool that makes users.
    pub(crate) const fn maker(self) -> &'static str {
        match self {
            Self::Shadow => "useradd",
            Self::Busybox => "adduser",
        }
    }

    /// Makes a user. `has_group`: whether a group of the user's name is there.
    pub(crate) fn user(self, spec: &UserSpec, has_group: bool) -> Vec<String> {
        match self {
            Self::Shadow => useradd(spec, has_group),
            Self::Busybox => adduser(spec, has_group),
        }
    }
}

fn useradd(spec: &UserSpec, has_group: bool) -> Vec<String> {
    let mut argv = vec![Kit::Shadow.maker().to_owned()];
    let mut option = |name: &str, value: Option<String>| {
        argv.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
    };
    option("--comment", spec.gecos.clone());
    option("--home-dir", spec.homedir.as_ref().map(path));
    option("--gid", primary_group(spec, has_group));
    let groups: Vec<&str> = spec.groups.iter().map(UserName::as_str).collect();
    option("--groups", (!groups.is_empty()).then(|| groups.join(",")));
    option("--shell", spec.shell.as_ref().map(path));
    option("--uid", spec.uid.map(|uid| uid.to_string()));
    option("--inactive", spec.inactive.clone());
    option("--expiredate", spec.expiredate.clone());
    option("--selinux-user", spec.selinux_user.clone());
    let home = if spec.create_home {
        "--create-home"
    } else {
        "--no-create-home"
    };
    let flags = [
        (spec.no_user_group, "--no-user-group"),
        (spec.no_log_init, "--no-log-init"),
        (spec.system, "--system"),
        (true, home),
    ];
    let given = flags.iter().filter(|(is_given, _)| *is_given);
    argv.extend(given.map(|(_, flag)| (*flag).to_owned()));
    argv.push(spec.name.to_string());
    argv
}

fn adduser(spec: &UserSpec, has_group: bool) -> Vec<String> {
    let mut argv = vec![Kit::Busybox.maker().to_owned(), "-D".to_owned()];
    let mut option = |name: &str, value: Option<String>| {
        argv.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
    };
    option("-g", spec.gecos.clone());
    option("-h", spec.homedir.as_ref().map(path));
    option("-G", primary_group(spec, has_group));
    option("-s", spec.shell.as_ref().map(path));
    option("-u", spec.uid.map(|uid| uid.to_string()));
    let flags = [(spec.system, "-S"), (!spec.create_home, "-H")];
    let given = flags.iter().filter(|(is_given, _)| *is_given);
    argv.extend(given.map(|(_, flag)| (*flag).to_owned()));
    argv.push(spec.name.to_string());
    argv
}

/// Both tools fail when a group of the user's name is there and none is given.
fn primary_group(spec: &UserSpec, has_group: bool) -> Option<String> {
    let named = (has_group && !spec.no_user_group).then_some(&spec.name);
    spec.primary_group
        .as_ref()
        .or(named)
        .map(UserName::to_string)
}

fn path(path: impl AsRef<Path>) -> String {
    path.as_ref().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    #[test]
    fn each_kit_is_told_what_it_can_do() {
        let plain = UserSpec::new(name("ada"));
        let full = UserSpec {
            gecos: Some("Ada L".into()),
            primary_group: Some(name("crew")),
            groups: vec![name("adm"), name("sudo")],
            homedir: Some("/srv/ada".into()),
            shell: Some("/bin/sh".into()),
            uid: Some(1500),
            system: true,
            create_home: false,
            no_user_group: true,
            no_log_init: true,
            inactive: Some("5".into()),
            expiredate: Some("2040-01-01".into()),
            selinux_user: Some("staff_u".into()),
            ..plain.clone()
        };
        #[rustfmt::skip]
        let table = [
            (Kit::Shadow,  &plain, false, "useradd --create-home ada"),
            (Kit::Shadow,  &plain, true,  "useradd --gid ada --create-home ada"),
            (Kit::Busybox, &plain, false, "adduser -D ada"),
            (Kit::Shadow,  &full,  false,
             "useradd --comment Ada L --home-dir /srv/ada --gid crew --groups adm,sudo --shell /bin/sh \
              --uid 1500 --inactive 5 --expiredate 2040-01-01 --selinux-user staff_u --no-user-group \
              --no-log-init --system --no-create-home ada"),
            (Kit::Busybox, &full,  false,
             "adduser -D -g Ada L -h /srv/ada -G crew -s /bin/sh -u 1500 -S -H ada"),
        ];
        for (kit, spec, has_group, line) in table {
            assert_eq!(kit.user(spec, has_group).join(" "), line);
        }
    }
}
