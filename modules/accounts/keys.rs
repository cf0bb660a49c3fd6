//! The keys that describe users and groups.
//! Source: cloud-init 25.1, `cloudinit/config/schemas/schema-cloud-config-v1.json`.

use contract::schema::{Key, Shape};

/// The key that says who is made, for everybody who reads it.
pub(crate) const USERS: Key = Key::new(
    "users",
    Shape::OneOf(&[
        Shape::Text,
        Shape::List(&Shape::OneOf(&[
            Shape::Text,
            Shape::List(&Shape::Text),
            Shape::Map(USER),
        ])),
        Shape::Named(&Shape::OneOf(&[Shape::Scalar, Shape::Map(USER)])),
    ]),
    "the accounts to make; `default` among them is the image's own user",
)
.or("[default]");

/// The key that changes the default user.
pub(crate) const OLD_USER: Key = Key::new(
    "user",
    Shape::OneOf(&[Shape::Text, Shape::Map(USER)]),
    "what is different about the default user, or the name alone",
);

/// A command: words, or one of them.
const WORDS: Shape = Shape::OneOf(&[Shape::List(&Shape::Text), Shape::Text]);

/// The key that describes the default user.
pub(crate) const SYSTEM_INFO: Key = Key::new(
    "system_info",
    Shape::Map(&[
        Key::new("default_user", Shape::Map(USER), "the image's own user"),
        Key::new("ssh_svcname", Shape::Text, "the unit of the SSH server"),
        Key::new(
            "distro",
            Shape::Text,
            "the distribution, as templates call it",
        ),
        Key::new(
            "package_mirrors",
            Shape::Any,
            "where packages are, by architecture and by where the instance is",
        ),
        Key::new(
            "ntp_client",
            Shape::Text,
            "the `ntp_client` of `ntp` that is none or `auto`",
        )
        .or("auto"),
        Key::new("rsyslog_svcname", Shape::Text, "the service of rsyslog").or("rsyslog"),
        Key::new(
            "apt_get_command",
            WORDS,
            "how apt-get is called, with its options",
        ),
        Key::new(
            "apt_get_upgrade_subcommand",
            Shape::Text,
            "what `package_upgrade` has apt-get do",
        )
        .or("dist-upgrade"),
        Key::new(
            "apt_get_wrapper",
            Shape::Map(&[
                Key::new(
                    "enabled",
                    Shape::OneOf(&[Shape::Switch, Shape::Word(&["auto"])]),
                    "whether apt-get is run by it; `auto` where it is there",
                )
                .or("auto"),
                Key::new("command", WORDS, "a program that runs apt-get").or("eatmydata"),
            ]),
            "a program before apt-get",
        ),
        Key::new(
            "network",
            Shape::Any,
            "nothing: firstlight sets up no networks",
        ),
        Key::new(
            "paths",
            Shape::Any,
            "nothing: the directories are always /var/lib/cloud, /run/cloud-init and /etc/cloud/templates",
        ),
    ]),
    "what the image says of itself, its default user above all",
);

/// The key that says which groups are made.
pub(crate) const GROUPS: Key = Key::new(
    "groups",
    Shape::OneOf(&[
        Shape::Text,
        Shape::List(&Shape::OneOf(&[Shape::Text, Shape::Named(&MEMBERS)])),
        Shape::Named(&MEMBERS),
    ]),
    "groups to make before the users, each with users who are there already",
);

const MEMBERS: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]);
const TEXTS: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]);

const USER: &[Key] = &[
    Key::new("name", Shape::Scalar, "the login name"),
    Key::new(
        "gecos",
        Shape::Scalar,
        "the real name and whatever else to say of the user",
    ),
    Key::new(
        "primary_group",
        Shape::Text,
        "instead of a group of the user's own name",
    )
    .once_called(&["primary-group"]),
    Key::new(
        "groups",
        Shape::OneOf(&[
            Shape::Text,
            Shape::List(&Shape::Text),
            Shape::Named(&Shape::Any),
        ]),
        "supplementary groups; in a mapping its keys",
    ),
    Key::new(
        "create_groups",
        Shape::Bool,
        "whether groups that are absent are made",
    )
    .or("true")
    .once_called(&["create-groups"]),
    Key::new(
        "no_user_group",
        Shape::Bool,
        "make no group of the user's own name",
    )
    .or("false")
    .once_called(&["no-user-group"]),
    Key::new("homedir", Shape::Text, "instead of /home/NAME"),
    Key::new("no_create_home", Shape::Bool, "make no home directory")
        .or("false")
        .once_called(&["no-create-home"]),
    Key::new("shell", Shape::Text, "the login shell"),
    Key::new(
        "uid",
        Shape::OneOf(&[Shape::Integer(0, 4_294_967_294), Shape::Text]),
        "the user's id",
    ),
    Key::new(
        "system",
        Shape::Bool,
        "a system account, which has no home directory",
    )
    .or("false"),
    Key::new(
        "inactive",
        Shape::Scalar,
        "days from the end of the password to that of the account",
    ),
    Key::new(
        "expiredate",
        Shape::Scalar,
        "the account's last day, `YYYY-MM-DD`",
    ),
    Key::new("selinux_user", Shape::Text, "the SELinux user of the login")
        .once_called(&["selinux-user"]),
    Key::new(
        "no_log_init",
        Shape::Bool,
        "leave lastlog and faillog alone",
    )
    .or("false")
    .once_called(&["no-log-init"]),
    Key::new(
        "snapuser",
        Shape::Text,
        "not done: snapd does not run yet when users are made",
    ),
    Key::new(
        "lock_passwd",
        Shape::Bool,
        "whether nobody gets in with the password",
    )
    .or("true")
    .once_called(&["lock-passwd"]),
    Key::new(
        "passwd",
        Shape::Scalar,
        "the hash of the password of a user who is not there yet",
    )
    .secret(),
    Key::new("hashed_passwd", Shape::Scalar, "the hash of the password")
        .secret()
        .once_called(&["hashed-passwd"]),
    Key::new("plain_text_passwd", Shape::Scalar, "the password")
        .secret()
        .once_called(&["plain-text-passwd"]),
    Key::new(
        "sudo",
        Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text), Shape::Bool]),
        "rules of sudoers(5) without the user's name; false is null, spelt as once",
    ),
    Key::new("doas", TEXTS, "rules of doas.conf(5)"),
    Key::new(
        "ssh_authorized_keys",
        Shape::OneOf(&[
            Shape::Text,
            Shape::List(&Shape::Text),
            Shape::Named(&Shape::Text),
        ]),
        "public keys that may log in; in a mapping its values",
    )
    .once_called(&["ssh-authorized-keys"]),
    Key::new(
        "ssh_import_id",
        TEXTS,
        "whose public keys may log in, such as `gh:NAME`",
    )
    .once_called(&["ssh-import-id"]),
    Key::new(
        "ssh_redirect_user",
        Shape::OneOf(&[Shape::Bool, Shape::Word(&["default"])]),
        "let the launch's keys do nothing but name the default user",
    )
    .or("false")
    .once_called(&["ssh-redirect-user"]),
];
