//! Public keys that apt trusts: given in ASCII armor, or asked of a key server by their id.
//!
//! Source: cloud-init, `cloudinit/config/cc_apt_configure.py` (`add_apt_key`) and `cloudinit/gpg.py`.

use std::path::{Path, PathBuf};

use contract::effect::{Effect, Keeper, Mode, Source, ToolSpec, WriteSpec};
use contract::module::Context;
use contract::plan::Problem;
use contract::secret::Secret;

use crate::armor;

use super::text;
use super::wanted::Key;

/// Keys for all sources.
const TRUSTED: &str = "/etc/apt/trusted.gpg.d";
/// Keys for those sources alone that name them.
const NAMED: &str = "/etc/apt/cloud-init.gpg.d";

/// A key server may fail, and gpg does not say whether it was that or that it has no such key.
/// dirmngr(8) remembers who did not answer, so that it is ended before the next try.
const FETCH: &str = r#"set -eu
umask 077
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'gpgconf --kill all || :; rm -rf "$GNUPGHOME"' EXIT
try=1
until gpg --no-tty --keyserver="$2" --recv-keys "$1"; do
    [ "$try" -lt 3 ]
    try=$((try + 1))
    gpgconf --kill all || :
    sleep 1
done
mkdir -p "${3%/*}"
gpg --no-tty --export "$1" >"$3.new"
[ -s "$3.new" ]
mv "$3.new" "$3"
"#;

/// What puts a key in its place.
pub(super) struct Keyring {
    pub(super) path: String,
    pub(super) effects: Vec<Effect>,
    /// Whether it is there already.
    pub(super) is_so: bool,
}

impl Keyring {
    /// The keyring of a name: `is_named` keeps it for the sources that name it.
    pub(super) fn of(
        key: &Key,
        file_name: &str,
        is_named: bool,
        path: &str,
        ctx: &Context<'_>,
    ) -> Result<Self, Problem> {
        let directory = if is_named { NAMED } else { TRUSTED };
        let ring = format!("{directory}/{}.gpg", stem(file_name));
        let (content, source, fetch) = match key {
            Key::Armored(text) => match armor::dearmor(text) {
                Ok(bytes) => (Some(bytes), None, None),
                Err(why) => {
                    let message = format!("{path}.key: no public key in ASCII armor: {why}");
                    return Err(Problem::error(Some(text.place.clone()), message));
                }
            },
            Key::Id { id, server } => {
                let wrong = |key: &str, wanted: &str| {
                    let message = format!("{path}.{key}: expected {wanted}");
                    Problem::error(Some(id.place.clone()), message)
                };
                let wanted = "the id or fingerprint of a key, 8 to 40 hexadecimal digits";
                let number = number(id).ok_or_else(|| wrong("keyid", wanted))?;
                if server.contains(|c: char| c.is_whitespace() || c.is_control()) {
                    return Err(wrong("keyserver", "the name or address of a server"));
                }
                let store = ctx.instance_dir.join(format!("apt-keys/{number}.gpg"));
                if text::has_password(server) {
                    let wanted = "a server without a password, which everybody would see";
                    return Err(wrong("keyserver", wanted));
                }
                let fetch = fetch(&number, server, &store);
                (None, Some(store), Some(fetch))
            }
        };
        let now = ctx.probe.read(Path::new(&ring)).ok().flatten();
        let wanted = match &source {
            Some(store) => ctx.probe.read(store).ok().flatten(),
            None => content.clone(),
        };
        let is_so = now.is_some() && now == wanted;
        let written = match (content, source) {
            (Some(bytes), _) => Effect::file(ring.as_str(), bytes),
            (None, store) => copy(&ring, &store.unwrap_or_default()),
        };
        Ok(Self {
            path: ring,
            effects: fetch.into_iter().chain([written]).collect(),
            is_so,
        })
    }
}

/// A fingerprint may stand in groups of digits.
fn number(id: &str) -> Option<String> {
    let digits: String = id.split_whitespace().collect();
    let digits = digits.strip_prefix("0x").unwrap_or(&digits);
    let is_number =
        digits.bytes().all(|b| b.is_ascii_hexdigit()) && (8..=40).contains(&digits.len());
    is_number.then(|| digits.to_ascii_uppercase())
}

/// The key goes into the instance's own state first, so that no server is asked a second time.
fn fetch(number: &str, server: &str, store: &Path) -> Effect {
    let what = format!(
        "public key {number} from {}",
        contract::fetch::shown(server)
    );
    let path = store.display().to_string();
    let argv = ["sh", "-c", FETCH, "sh", number, server, &path];
    Effect::tool(ToolSpec::new(what, argv).creates(store))
}

fn copy(ring: &str, store: &Path) -> Effect {
    Effect::Write(Box::new(WriteSpec {
        path: PathBuf::from(ring),
        content: None,
        source: Some(Source {
            url: Secret::new(format!("file://{}", store.display())),
            headers: Vec::new(),
            region: None,
            domain: None,
        }),
        append: None,
        mode: Mode::PUBLIC,
        owner: Keeper::default(),
        hint: "",
    }))
}

/// The last part of a path without its last ending, as Python's `pathlib` has it.
fn stem(name: &str) -> &str {
    let path = Path::new(name);
    path.file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_digits_in_any_of_their_forms() {
        #[rustfmt::skip]
        let table = [
            ("F430BBA5",                                             Some("F430BBA5")),
            ("0xf430bba5",                                           Some("F430BBA5")),
            ("B59D 5F15 97A5 04B7 E230  6DCA 0620 BBCF 0368 3F77",   Some("B59D5F1597A504B7E2306DCA0620BBCF03683F77")),
            ("F430BB",                                               None),
            ("--help",                                               None),
            ("me@example.com",                                       None),
        ];
        for (id, wanted) in table {
            assert_eq!(number(id).as_deref(), wanted, "{id}");
        }
    }

    #[test]
    fn a_keyring_is_called_as_the_file_of_its_sources() {
        #[rustfmt::skip]
        let table = [
            ("docker", "docker"), ("docker.list", "docker"), ("/etc/apt/sources.list.d/a.b.list", "a.b"), (".list", ".list"),
        ];
        for (name, wanted) in table {
            assert_eq!(stem(name), wanted, "{name}");
        }
    }
}
