//! Whom a distribution is known for, where the image does not say it.
//!
//! Source: cloud-init, `config/cloud.cfg.tmpl`, whose copy in an image says the same; EC2 User Guide,
//! "Default usernames".

use contract::machine::Probe;
use contract::place::Place;
use contract::yaml::{Kind, Mapping, Value};

use crate::distribution::{self, Family};

/// Lets the default user become root, who has no other way in.
const SUDO: &str = "ALL=(ALL) NOPASSWD:ALL";

/// The name.
pub(crate) fn name(probe: &dyn Probe) -> &'static str {
    match distribution::id(probe).as_str() {
        "amzn" | "rhel" | "ol" | "sles" | "sles_sap" | "opensuse-leap" => "ec2-user",
        "debian" => "debian",
        "ubuntu" => "ubuntu",
        "fedora" => "fedora",
        "centos" => "centos",
        "rocky" => "rocky",
        "almalinux" => "almalinux",
        "alpine" => "alpine",
        _ => "cloud-user",
    }
}

/// The other keys; none of a distribution that is not known.
pub(crate) fn keys(probe: &dyn Probe) -> Mapping {
    let is_ubuntu = distribution::id(probe) == "ubuntu";
    let (groups, shell) = match distribution::family(probe) {
        Family::Debian if is_ubuntu => ("adm,cdrom,dip,lxd,sudo", "/bin/bash"),
        Family::Debian => (
            "adm,audio,cdrom,dialout,dip,floppy,plugdev,sudo,video",
            "/bin/bash",
        ),
        Family::RedHat => ("adm,systemd-journal,wheel", "/bin/bash"),
        Family::Suse => ("cdrom,users", "/bin/bash"),
        Family::Alpine => ("adm,wheel", "/bin/ash"),
        Family::Arch => ("users,wheel", "/bin/bash"),
        Family::Other => return Mapping::default(),
    };
    let place = Place::whole("the distribution's default user");
    let pair = |key: &str, value: &str| {
        let text = |text: &str| Value::new(Kind::String(text.to_owned()), place.clone());
        (text(key), text(value))
    };
    [("groups", groups), ("shell", shell), ("sudo", SUDO)]
        .map(|(key, value)| pair(key, value))
        .into_iter()
        .collect()
}
