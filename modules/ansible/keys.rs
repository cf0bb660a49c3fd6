//! What `ansible` may hold. Source: cloud-init, `schema-cloud-config-v1.json` (`cc_ansible`).

use contract::schema::{Key, Shape};

const SECONDS: Shape = Shape::OneOf(&[Shape::Number, Shape::Text]);

pub(super) const KEYS: &[Key] = &[Key::new(
    "ansible",
    Shape::Map(WANTED),
    "Ansible, once for an instance",
)];

const WANTED: &[Key] = &[
    Key::new(
        "install_method",
        Shape::Word(&["distro", "pip"]),
        "from the distribution's packages, or by pip",
    )
    .or("distro"),
    Key::new("package_name", Shape::Text, "the package").or("ansible"),
    Key::new(
        "run_user",
        Shape::Text,
        "who runs it, and of `pip` for whom it is installed; root if it is not given",
    ),
    Key::new(
        "ansible_config",
        Shape::Text,
        "the file of Ansible's own configuration (ANSIBLE_CONFIG)",
    ),
    Key::new(
        "galaxy",
        Shape::Map(&[Key::new(
            "actions",
            Shape::List(&Shape::List(&Shape::Scalar)),
            "commands, as lists of words",
        )
        .required()]),
        "roles and collections that are needed",
    ),
    Key::new(
        "pull",
        Shape::OneOf(&[Shape::Map(PULL), Shape::List(&Shape::Map(PULL))]),
        "playbooks of a repository that are applied to this machine; its other keys are options of ansible-pull",
    ),
    Key::new(
        "setup_controller",
        Shape::Map(&[
            Key::new(
                "repositories",
                Shape::List(&Shape::Map(REPOSITORY)),
                "repositories that are cloned",
            ),
            Key::new(
                "run_ansible",
                Shape::List(&Shape::Open(PLAYBOOK)),
                "playbooks that are applied from here; other keys are options of ansible-playbook",
            ),
        ]),
        "what makes this machine one that configures others",
    ),
];

const REPOSITORY: &[Key] = &[
    Key::new("source", Shape::Text, "its address").required(),
    Key::new("path", Shape::Text, "where it is cloned to").required(),
];

const PULL: &[Key] = &[
    Key::new("url", Shape::Text, "the repository's address").required(),
    Key::new("playbook_name", Shape::Text, "the playbook"),
    Key::new(
        "playbook_names",
        Shape::List(&Shape::Text),
        "several playbooks, instead of `playbook_name`",
    ),
    Key::new("accept_host_key", Shape::Bool, "add the host's key").or("false"),
    Key::new("clean", Shape::Bool, "discard what was modified").or("false"),
    Key::new("full", Shape::Bool, "clone with the whole history").or("false"),
    Key::new("diff", Shape::Bool, "show what is changed in files").or("false"),
    Key::new("verify_commit", Shape::Bool, "check the commit's signature").or("false"),
    Key::new("checkout", Shape::Text, "branch, tag or commit"),
    Key::new("connection", Shape::Text, "type of the connection"),
    Key::new("inventory", Shape::Text, "hosts, or a file of them"),
    Key::new("module_name", Shape::Text, "what fetches the repository"),
    Key::new("module_path", Shape::Text, "directories of more modules"),
    Key::new(
        "private_key",
        Shape::Text,
        "the file of the key to log in with",
    ),
    Key::new("scp_extra_args", Shape::Text, "more arguments of scp"),
    Key::new("sftp_extra_args", Shape::Text, "more arguments of sftp"),
    Key::new("skip_tags", Shape::Text, "tags that are left out"),
    Key::new("sleep", Shape::Scalar, "wait up to so many seconds first"),
    Key::new(
        "ssh_common_args",
        Shape::Text,
        "more arguments of ssh, scp and sftp",
    ),
    Key::new("tags", Shape::Text, "tags that count alone"),
    Key::new("timeout", SECONDS, "seconds to wait for a connection"),
    Key::new("vault_id", Shape::Text, "the vault's identity"),
    Key::new(
        "vault_password_file",
        Shape::Text,
        "the file of the vault's password",
    ),
];

const PLAYBOOK: &[Key] = &[
    Key::new("playbook_name", Shape::Text, "the playbook").required(),
    Key::new(
        "playbook_dir",
        Shape::Text,
        "the directory in which it is applied",
    )
    .required(),
    Key::new("args", Shape::Text, "arguments of a module"),
    Key::new("background", SECONDS, "fail after so many seconds"),
    Key::new(
        "become_password_file",
        Shape::Text,
        "the file of the password to become root",
    ),
    Key::new("check", Shape::Bool, "change nothing").or("false"),
    Key::new("connection", Shape::Text, "type of the connection"),
    Key::new(
        "connection_password_file",
        Shape::Text,
        "the file of the password to log in with",
    ),
    Key::new("diff", Shape::Bool, "show what is changed in files").or("false"),
    Key::new(
        "extra_vars",
        Shape::Text,
        "more variables, which every user of the machine can see",
    ),
    Key::new("forks", SECONDS, "so many hosts at a time"),
    Key::new("inventory", Shape::Text, "hosts, or a file of them"),
    Key::new("list_hosts", Shape::Bool, "name the hosts alone").or("false"),
    Key::new("module_name", Shape::Text, "the module to run"),
    Key::new("module_path", Shape::Text, "directories of more modules"),
    Key::new("poll", SECONDS, "ask every so many seconds"),
    Key::new(
        "private_key",
        Shape::Text,
        "the file of the key to log in with",
    ),
    Key::new("scp_extra_args", Shape::Text, "more arguments of scp"),
    Key::new("sftp_extra_args", Shape::Text, "more arguments of sftp"),
    Key::new("skip_tags", Shape::Text, "tags that are left out"),
    Key::new("sleep", Shape::Scalar, "wait up to so many seconds first"),
    Key::new("syntax_check", Shape::Bool, "check the playbook alone").or("false"),
    Key::new("tags", Shape::Text, "tags that count alone"),
    Key::new("timeout", SECONDS, "seconds to wait for a connection"),
    Key::new("vault_id", Shape::Text, "the vault's identity"),
    Key::new(
        "vault_password_file",
        Shape::Text,
        "the file of the vault's password",
    ),
];
