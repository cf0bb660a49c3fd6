//! What nobody else may see: in a tool's arguments, which everybody can read in /proc/PID/cmdline, in
//! files and in plans.

use contract::effect::{Effect, Mode, Target, ToolSpec};
use contract::secret::{PRIVATE_KEY, Secret, first_secret, is_secret_name};
use contract::yaml::{Kind, Value};

/// Runs a program that is written in Python, as these tools are, with further arguments from standard
/// input, a null byte between them: by the Python that its first line names, with that line's options. It is
/// looked for when it is run, as the package that brings it may have come just before.
const WITH_MORE: &str = r#"program=$(command -v "$1") || { echo "$1: not found"; exit 127; }
IFS= read -r line <"$program"
case $line in
'#!'*python*) ;;
*) echo "$program is no Python program, so nothing secret is told to it"; exit 126 ;;
esac
shift
exec ${line#??} -c 'import os, runpy, sys
sys.argv = sys.argv[1:] + sys.stdin.read().split("\0")
sys.stdin = open(os.devnull)
runpy.run_path(sys.argv[0], run_name="__main__")' "$program" "$@"
"#;

/// A tool with these arguments. Those in `secret` come last, and if there is one, the tool, which has
/// to be a Python program, reads them where nobody else does.
pub(crate) fn tool(
    what: impl Into<String>,
    argv: &[&str],
    secret: Vec<Secret<String>>,
) -> ToolSpec {
    if secret.is_empty() {
        return ToolSpec::new(what, argv.iter().copied());
    }
    let start = ["sh", "-c", WITH_MORE, "hidden"];
    let words: Vec<String> = secret.into_iter().map(Secret::into_inner).collect();
    let stdin = Secret::new(words.join("\0").into_bytes());
    ToolSpec::new(what, start.iter().chain(argv).copied()).stdin(stdin)
}

/// The last words of the names of an address's parameters that are secret, beside those that are secret
/// everywhere.
const PARAMETERS: [&str; 5] = ["auth", "credential", "key", "sig", "signature"];

/// In characters: those of Bitbucket and GitLab have 20 and more.
const SHORTEST_TOKEN: usize = 20;

/// Whether an address may carry a password or a token: `https://user:password@host/`,
/// `https://token@host/`, `https://host/?token=...`. As people write passwords with a `/` as well, an
/// `@` anywhere counts, unless a part of a path begins with it: `https://host/@group/project/`.
pub(crate) fn has_password(text: &str) -> bool {
    let is_secret = |parameter: &str| {
        let pair = parameter.split_once('=');
        pair.is_some_and(|(name, value)| {
            let mut words = name.rsplit(|c: char| !c.is_ascii_alphanumeric());
            let is_word = words.next().is_some_and(|last| PARAMETERS.contains(&last));
            !value.is_empty() && (is_word || is_secret_name(name))
        })
    };
    let rest = text.split_once("://").map(|(_, rest)| rest);
    rest.is_some_and(|rest| {
        let mut parameters = rest.split(|c: char| c.is_whitespace() || "?&;".contains(c));
        has_login(rest) || parameters.any(|parameter| is_secret(&parameter.to_ascii_lowercase()))
    })
}

/// Whether somebody may be named in what stands behind `://`.
fn has_login(rest: &str) -> bool {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    // Else that is where a password begins, which may end with a `/`.
    let is_host = host.rsplit_once(':').is_none_or(|(_, port)| is_port(port));
    let mut of_path = path
        .split('/')
        .map(|name| name.strip_prefix('@').unwrap_or(name));
    host.contains('@') || !is_host && path.contains('@') || of_path.any(|name| name.contains('@'))
}

/// Whether there is a password or a token in an address, and not only a name, as in
/// `ssh://git@host/path` and `https://org@dev.azure.com/path`.
pub(crate) fn has_secret(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let is_ssh = scheme.split('+').any(|part| part == "ssh");
    // A token is longer than most names, and looks like none.
    let is_token = |user: &str| {
        let is_long = user.len() >= SHORTEST_TOKEN && !is_ssh && !user.contains('%');
        is_long && user.contains(|c: char| c.is_ascii_digit())
    };
    // With a `/` in a password, what is before that looks like a host and its port.
    let port = authority.split_once(':').map(|(_, port)| port);
    let is_cut = user.is_none() && port.is_some_and(|port| port.parse::<u16>().is_err());
    let asks = rest.split_once('?').map(|(_, asks)| format!("://?{asks}"));
    user.is_some_and(|user| user.contains(':') || is_token(user))
        || is_cut && rest.contains('@') && !authority.starts_with('[')
        || asks.is_some_and(|asks| has_password(&asks))
}

/// Whether arguments have a secret: in an address, or by the name of an option (`--token=...`, `--api-key ...`)
/// or of a variable (`db_password=...`).
pub(crate) fn is_in_arguments(words: &[String]) -> bool {
    let is_option = |word: &str| {
        let name = word.strip_prefix("--");
        name.is_some_and(is_secret_name)
    };
    let mut pairs = words.iter().zip(words.iter().skip(1));
    pairs.any(|(option, value)| is_option(option) && !value.starts_with('-'))
        || words
            .iter()
            .any(|word| has_secret(word) || first_secret(word).is_some())
}

/// Whether there is a secret in a value: by the names in it, in an address, or as a private key.
pub(crate) fn is_in(value: &Value) -> bool {
    match &value.kind {
        Kind::List(list) => list.iter().any(is_in),
        Kind::Map(map) => map.iter().any(|(key, value)| {
            let name = key.to_text().unwrap_or_default();
            is_in(value) || is_secret_name(&name) && !value.is_null()
        }),
        Kind::String(text) => text.contains(PRIVATE_KEY) || text.lines().any(has_password),
        _ => false,
    }
}

/// A file of root's: for root alone and not to be shown if there is a secret in it.
pub(crate) fn file(at: impl Into<Target>, text: String, is_secret: bool) -> Effect {
    if is_secret {
        return Effect::secret_file(at, Secret::new(text.into_bytes()), Mode::PRIVATE);
    }
    Effect::file(at, text)
}

#[cfg(test)]
mod tests {
    use contract::testing::config;

    use super::*;

    #[test]
    fn secret_arguments_are_on_standard_input_alone() {
        let secret = ["--key=hunter2", "--a"].map(|word| Secret::new(word.to_owned()));
        let argv = ["register", "--org=7"];
        let spec = tool("registered", &argv, secret.into());
        assert_eq!(spec.argv[3..], ["hidden", "register", "--org=7"]);
        assert!(!spec.argv.concat().contains("hunter2"));
        assert_eq!(spec.stdin.expose(), b"--key=hunter2\0--a");
        let plain = tool("registered", &argv, Vec::new());
        assert_eq!(plain.argv, argv);
    }

    #[test]
    fn a_secret_is_known_by_its_name_or_its_form() {
        #[rustfmt::skip]
        let table = [
            ("{api: {Password: a}}",                       true),
            ("{mysql.pass: a}",                            true),
            ("{password2: a}",                             true),
            ("[a, {db_pass: a}]",                          true),
            ("{proxy: 'http://u:hunter2@h'}",              true),
            ("{id: \"-----BEGIN PRIVATE KEY-----\\nMII\"}", true),
            ("{password: null}",                           false),
            ("{bypass: a, passenger: b, key: c, d: [1]}",  false),
        ];
        for (text, wanted) in table {
            let config = config(&format!("x: {text}"));
            assert_eq!(is_in(config.get("x").unwrap()), wanted, "{text}");
        }
    }

    #[test]
    fn a_secret_in_arguments_is_known() {
        #[rustfmt::skip]
        let table: [(&[&str], bool); 8] = [
            (&["collection", "install", "git+https://u:hunter2@h/x"], true),
            (&["role", "--api-key", "hunter2"],                      true),
            (&["role", "--token=hunter2", "import"],                 true),
            (&["--extra-vars=a=b db_password=hunter2"],              true),
            (&["--extra-vars={\"db_password\": \"hunter2\"}"],       true),
            (&["--ask-pass", "--become"],                            false),
            (&["--vault-password-file", "/root/pass"],               false),
            (&["install", "community.grafana"],                      false),
        ];
        for (words, wanted) in table {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            assert_eq!(is_in_arguments(&words), wanted, "{words:?}");
        }
    }

    #[test]
    fn an_address_with_a_password_is_known() {
        #[rustfmt::skip]
        let table = [
            ("https://user:password@example.com/path", true),
            ("http://user:pass@word@proxy:3128",       true),
            ("http://me:pa/ss@proxy:3128",             true),
            ("https://token@example.com/",             true),
            ("http://me:secret/@proxy:3128",           true),
            ("https://example.com/~me@home/",          true),
            ("https://example.com:3128/path",          false),
            ("https://example.com/repos/@crew/nginx/", false),
            ("https://example.com:3128/@crew/nginx/",  false),
            ("user:password@example.com",              false),
            ("https://example.com/?a=1&Token=hunter2", true),
            ("https://example.com/?api-key=hunter2",   true),
            ("s3://bucket/?X-Amz-Signature=hunter2",   true),
            ("http://a/?b=c http://a/?mysql.pass=x",   true),
            ("https://example.com/?token=",            false),
            ("https://example.com/?repo=epel-9&arch=a", false),
            ("token=hunter2",                          false),
        ];
        for (text, wanted) in table {
            assert_eq!(has_password(text), wanted, "{text}");
        }
    }
}
