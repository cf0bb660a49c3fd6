//! What the keys may hold.
//!
//! Source: cloud-init 25.1, `cloudinit/config/schemas/schema-cloud-config-v1.json`, and of the old
//! keys `cloudinit/config/cc_apt_configure.py` (`convert_to_v3_apt_format`).

use contract::schema::{Key, Shape};

use crate::accounts::keys::SYSTEM_INFO;

const TEXTS: Shape = Shape::List(&Shape::Text);
/// cloud-init takes anything that has no value for nothing.
const KEY: Key = Key::new("key", Shape::Text, "a public key in ASCII armor");
const KEY_ID: Key = Key::new(
    "keyid",
    Shape::Scalar,
    "the id or fingerprint of a public key, which a key server is asked for",
);
const KEY_SERVER: Key =
    Key::new("keyserver", Shape::Text, "the server to ask for `keyid`").or("keyserver.ubuntu.com");

const MIRRORS: Shape = Shape::List(&Shape::Map(&[
    Key::new(
        "arches",
        TEXTS,
        "for which of Debian's architectures, or `default` for the others",
    )
    .required(),
    Key::new("uri", Shape::Text, "the mirror's address"),
    Key::new(
        "search",
        TEXTS,
        "addresses, of which the first whose name is known is taken",
    ),
    Key::new(
        "search_dns",
        Shape::Switch,
        "look for `DISTRIBUTION-mirror` in the machine's own domain",
    )
    .or("false"),
    KEY,
    KEY_ID,
    KEY_SERVER,
]));

const SOURCE: Shape = Shape::Map(&[
    Key::new(
        "source",
        Shape::Text,
        "a line of sources.list(5), a deb822 paragraph, or `ppa:OWNER/NAME`",
    ),
    KEY,
    KEY_ID,
    KEY_SERVER,
    Key::new(
        "filename",
        Shape::Text,
        "the file, below /etc/apt/sources.list.d; the entry's own name if not given",
    ),
    Key::new(
        "append",
        Shape::Bool,
        "whether it goes behind what is in the file already",
    )
    .or("true"),
]);

const SOURCES: Shape = Shape::Named(&SOURCE);

const APT: &[Key] = &[
    Key::new(
        "preserve_sources_list",
        Shape::Switch,
        "leave the distribution's own sources as they are",
    )
    .or("false"),
    Key::new(
        "generate_mirrorlists",
        Shape::Switch,
        "write the mirrors to /etc/apt/mirrors, for apt-transport-mirror(1), and nothing else",
    )
    .or("false"),
    Key::new(
        "disable_suites",
        TEXTS,
        "suites to leave out of the sources",
    ),
    Key::new("primary", MIRRORS, "where the distribution's packages are"),
    Key::new("security", MIRRORS, "where its security updates are"),
    Key::new(
        "add_apt_repo_match",
        Shape::Text,
        "a regular expression: a source in which it is found is for add-apt-repository",
    )
    .or(r#""^[\\w-]+:\\w""#),
    Key::new(
        "debconf_selections",
        Shape::Named(&Shape::Text),
        "answers for debconf, in lines of debconf-set-selections(1)",
    )
    .secret(),
    Key::new(
        "sources_list",
        Shape::Text,
        "a template in the place of the image's own for the distribution's sources",
    ),
    Key::new("conf", Shape::Text, "text for apt.conf(5)"),
    Key::new("proxy", Shape::Text, "as `http_proxy`"),
    Key::new("http_proxy", Shape::Text, "a proxy for addresses with http"),
    Key::new(
        "https_proxy",
        Shape::Text,
        "a proxy for addresses with https",
    ),
    Key::new("ftp_proxy", Shape::Text, "a proxy for addresses with ftp"),
    Key::new("sources", SOURCES, "more sources, each with a name"),
];

const fn old(name: &'static str, shape: Shape, summary: &'static str) -> Key {
    Key::new(name, shape, summary)
}

pub(super) const KEYS: &[Key] = &[
    Key::new("apt", Shape::Map(APT), "where apt finds packages, and how"),
    old(
        "apt_sources",
        Shape::OneOf(&[Shape::List(&SOURCE), SOURCES]),
        "old: `apt: {sources: ...}`",
    ),
    old(
        "apt_mirror",
        Shape::Text,
        "old: `apt: {primary: [{arches: [default], uri: ...}]}`",
    ),
    old(
        "apt_mirror_search",
        TEXTS,
        "old: `apt: {primary: [{arches: [default], search: ...}]}`",
    ),
    old(
        "apt_mirror_search_dns",
        Shape::Switch,
        "old: `apt: {primary: [{arches: [default], search_dns: ...}]}`",
    ),
    old("apt_proxy", Shape::Text, "old: `apt: {proxy: ...}`"),
    old(
        "apt_http_proxy",
        Shape::Text,
        "old: `apt: {http_proxy: ...}`",
    ),
    old("apt_ftp_proxy", Shape::Text, "old: `apt: {ftp_proxy: ...}`"),
    old(
        "apt_https_proxy",
        Shape::Text,
        "old: `apt: {https_proxy: ...}`",
    ),
    old(
        "apt_preserve_sources_list",
        Shape::Switch,
        "old: `apt: {preserve_sources_list: ...}`",
    ),
    old(
        "apt_custom_sources_list",
        Shape::Text,
        "old: `apt: {sources_list: ...}`",
    ),
    old(
        "add_apt_repo_match",
        Shape::Text,
        "old: `apt: {add_apt_repo_match: ...}`",
    ),
    SYSTEM_INFO,
];
