//! The top-level keys that the engine itself reads.

use contract::schema::{Key, Shape};

const LIST_OF_MODULES: Shape = Shape::List(&Shape::OneOf(&[
    Shape::Text,
    Shape::List(&Shape::Any),
    Shape::Named(&Shape::Any),
]));

const MERGE: Shape = Shape::OneOf(&[
    Shape::Text,
    Shape::List(&Shape::OneOf(&[
        Shape::Named(&Shape::Any),
        Shape::List(&Shape::Any),
    ])),
    Shape::Named(&Shape::Any),
]);

const VENDOR: Shape = Shape::OneOf(&[
    Shape::Map(&[
        Key::new("enabled", Shape::Switch, "whether vendor data counts").or("true"),
        Key::new(
            "disabled_handlers",
            Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]),
            "content types of its parts that do not count",
        ),
        Key::new(
            "prefix",
            Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Scalar)]),
            "a program, with its arguments, before each script of the vendor",
        ),
    ]),
    Shape::Text,
    Shape::List(&Shape::Any),
]);

const SELECT: &[Key] = &[
    Key::new("delimiter", Shape::Text, "what separates the fields").or("'|'"),
    Key::new(
        "first_index",
        Shape::Integer(0, 4_294_967_295),
        "the launch index that takes the first field",
    )
    .or("1"),
];

const PARAMETERS: &[Key] = &[
    Key::new(
        "format",
        Shape::Word(&["auto", "key-value", "json", "yaml", "csv", "opaque", "none"]),
        "how parameters are written",
    )
    .or("auto"),
    Key::new(
        "select_by_launch_index",
        Shape::Map(SELECT),
        "each instance of a launch takes its field",
    ),
];

const FIRSTLIGHT: &[Key] = &[
    Key::new(
        "gate_budget",
        Shape::Scalar,
        "how long logins wait for the identity stage at most",
    )
    .or("60s"),
    Key::new(
        "script_timeout",
        Shape::Scalar,
        "how long a script of the user may take, or `infinity`",
    )
    .or("infinity"),
    Key::new(
        "package_lock_timeout",
        Shape::Scalar,
        "how long a lock that another package manager holds is waited for",
    )
    .or("10m"),
    Key::new(
        "on_interrupt",
        Shape::Word(&["skip", "rerun"]),
        "what is done with a script that was begun and did not end",
    )
    .or("skip"),
    Key::new(
        "on_change",
        Shape::Word(&["ignore", "report", "rerun"]),
        "what is done when user data was edited since something was done for this instance",
    )
    .or("report"),
    Key::new(
        "part_handlers",
        Shape::OneOf(&[Shape::Word(&["python3", "off"]), Shape::Bool]),
        "`python3`: run the part handlers of user data with it",
    )
    .or("off"),
    Key::new(
        "part_handler_timeout",
        Shape::Scalar,
        "how long a part handler may take",
    )
    .or("120s"),
    Key::new(
        "script_home",
        Shape::Bool,
        "whether scripts and commands get `HOME`, root's",
    )
    .or("false"),
    Key::new(
        "cloud_init_compat",
        Shape::Bool,
        "whether /var/lib/cloud and /run/cloud-init are kept and read as cloud-init's",
    )
    .or("false"),
    Key::new(
        "runcmd",
        Shape::Word(&["lenient", "strict"]),
        "`strict`: the first item that fails ends it",
    )
    .or("lenient"),
    Key::new(
        "hostname_from",
        Shape::Text,
        "`tag:NAME`: the instance's tag that is its host name, unless user data names it",
    ),
    Key::new(
        "ssh_import_id",
        Shape::Map(&[
            Key::new(
                "gh",
                Shape::Text,
                "the interface of GitHub, an address up to `/users`",
            )
            .or("'https://api.github.com'"),
            Key::new("lp", Shape::Text, "Launchpad, an address up to `/~NAME`")
                .or("'https://launchpad.net'"),
        ]),
        "where the public keys of people are",
    ),
    Key::new(
        "user_data",
        Shape::Map(&[Key::new(
            "parameters",
            Shape::Map(PARAMETERS),
            "launch parameters in user data",
        )]),
        "how user data is read",
    ),
];

const STREAMS: Shape = Shape::OneOf(&[
    Shape::Text,
    Shape::List(&Shape::Text),
    Shape::Map(&[
        Key::new("output", Shape::Text, "where standard output goes"),
        Key::new(
            "error",
            Shape::Text,
            "where standard error goes; `&1`: the same",
        ),
    ]),
]);

/// `> FILE`, `>> FILE` or `| COMMAND`.
const OUTPUT: &[Key] = &[
    Key::new("all", STREAMS, "of the stages that say nothing themselves"),
    Key::new("init", STREAMS, "of the identity stage"),
    Key::new("config", STREAMS, "of the config stage"),
    Key::new("final", STREAMS, "of the final stage"),
];

/// The top-level keys that are read here.
pub const KEYS: &[Key] = &[
    Key::new(
        "firstlight",
        Shape::Map(FIRSTLIGHT),
        "how firstlight itself behaves",
    )
    .for_images(),
    Key::new(
        "allow_userdata",
        Shape::Switch,
        "whether user data counts at all",
    )
    .or("true")
    .for_images(),
    Key::new(
        "unverified_modules",
        Shape::List(&Shape::Text),
        "modules that run although their distribution is none of theirs",
    ),
    Key::new("vendor_data", VENDOR, "whether vendor data counts"),
    Key::new(
        "vendor_data2",
        VENDOR,
        "whether the second vendor data counts",
    ),
    Key::new(
        "conf_d",
        Shape::Text,
        "the directory of cloud.cfg's further files",
    )
    .or("/etc/cloud/cloud.cfg.d")
    .for_images(),
    Key::new(
        "cloud_init_modules",
        LIST_OF_MODULES,
        "the modules of the identity stage and their order",
    ),
    Key::new(
        "cloud_config_modules",
        LIST_OF_MODULES,
        "the modules of the config stage and their order",
    ),
    Key::new(
        "cloud_final_modules",
        LIST_OF_MODULES,
        "the modules of the final stage and their order",
    ),
    Key::new(
        "output",
        Shape::Map(OUTPUT),
        "where the output of scripts and commands goes: `> FILE`, `>> FILE` or `| COMMAND`",
    ),
    Key::new(
        "merge_how",
        MERGE,
        "how this document is merged into the earlier ones",
    ),
    Key::new("merge_type", MERGE, "as `merge_how`"),
    Key::new(
        "launch-index",
        Shape::Integer(0, 4_294_967_295),
        "for which instance of the launch this document is",
    ),
];
