//! The account that an image's users log in with.

use contract::machine::Probe;
use contract::name::UserName;
use contract::schema::{Key, Shape};
use contract::yaml::Value;
use serde::Deserialize;

use crate::distribution;

/// The key that says who is made, for everybody who reads it.
pub(crate) const USERS: Key = Key::new(
    "users",
    Shape::OneOf(&[
        Shape::Text,
        Shape::List(&Shape::OneOf(&[
            Shape::Text,
            Shape::List(&Shape::Text),
            Shape::Named(&Shape::Any),
        ])),
        Shape::Named(&Shape::Any),
    ]),
    "the accounts to make; `default` among them is the image's own user",
)
.or("[default]");

/// The key that describes the default user.
pub(crate) const SYSTEM_INFO: Key = Key::new(
    "system_info",
    // What else cloud-init keeps there is about its own ways.
    Shape::Named(&Shape::Any),
    "what the image says of itself, its default user above all",
);

/// `system_info:` of the image's configuration, as far as it is about the default user.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SystemInfo {
    #[serde(default)]
    pub(crate) default_user: Option<DefaultUser>,
}

/// `system_info.default_user`. Source: cloud-init, `config/cloud.cfg.tmpl`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DefaultUser {
    pub(crate) name: Option<UserName>,
    pub(crate) gecos: Option<String>,
    /// A list, or one string with commas.
    pub(crate) groups: Option<Value>,
    pub(crate) shell: Option<String>,
    /// A rule, or a list of rules, of sudoers(5).
    pub(crate) sudo: Option<Value>,
    pub(crate) lock_passwd: Option<bool>,
}

/// The default user's name: what the image says, else what its distribution is known for.
///
/// Source of the names: cloud-init, `config/cloud.cfg.tmpl`; EC2 User Guide, "Default usernames".
pub(crate) fn name(info: Option<&SystemInfo>, probe: &dyn Probe) -> Option<UserName> {
    let given = info
        .and_then(|info| info.default_user.as_ref())
        .and_then(|user| user.name.clone());
    given.or_else(|| distribution_name(probe).parse().ok())
}

fn distribution_name(probe: &dyn Probe) -> &'static str {
    match distribution::id(probe).as_str() {
        "amzn" | "rhel" => "ec2-user",
        "debian" => "debian",
        "ubuntu" => "ubuntu",
        "fedora" => "fedora",
        "centos" => "centos",
        "rocky" => "rocky",
        "almalinux" => "almalinux",
        "alpine" => "alpine",
        "sles" | "opensuse-leap" => "ec2-user",
        _ => "cloud-user",
    }
}

/// Words of a list, or of a string with commas.
pub(crate) fn words(value: &Value) -> Vec<String> {
    match (value.as_str(), value.as_list()) {
        (Some(text), _) => text
            .split(',')
            .map(|word| word.trim().to_owned())
            .filter(|word| !word.is_empty())
            .collect(),
        (None, Some(list)) => list
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        (None, None) => Vec::new(),
    }
}
