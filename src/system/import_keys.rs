//! Public keys that somebody shows to the world, for an authorized_keys file.
//!
//! Source: ssh-import-id(1), whose lines these are; its answers' forms are those of
//! <https://docs.github.com/en/rest/users/keys> and of `https://launchpad.net/~NAME/+sshkeys`.

use std::path::Path;
use std::time::Duration;

use contract::effect::{ImportKeysSpec, KeyServer};
use contract::error::EffectError;
use contract::fetch::{Fetch, FetchError, Wanted};
use contract::keys::KeysId;
use contract::machine::{Change, Probe};
use contract::name::AuthorizedKey;
use net::fetch::Fetcher;
use serde::Deserialize;

use crate::authorized_keys::{self, Held};
use crate::host::Host;

/// Where Launchpad's place is taken by another server: a JSON object whose `URL` has `%s` for the
/// name.
const OTHER: &str = "/etc/ssh/ssh_import_id";

/// More keys nobody has, in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// ssh-import-id gives up after this; a second and third try are ours.
const TIMEOUT: Duration = Duration::from_secs(15);
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Fetches the keys, and adds those that are not in the user's file.
pub(crate) fn apply(host: &Host, spec: &ImportKeysSpec) -> Result<Change, EffectError> {
    let account = match authorized_keys::account(host, &spec.user)? {
        Ok(account) => account,
        Err(change) => return Ok(change),
    };
    let failed = |transient, source| EffectError::Fetch {
        what: format!("the keys of {}", spec.id),
        transient,
        source,
    };
    let url = address(host, &spec.id).map_err(|reason| failed(false, reason.into()))?;
    let wanted = Wanted {
        url: &url,
        headers: &[],
        max_bytes: MAX_BYTES,
        timeout: TIMEOUT,
        tries: TRIES,
        pause: PAUSE,
    };
    let fetched = Fetcher::new(host.s3.clone(), None, None).fetch(&wanted);
    let body = fetched.map_err(|error| {
        let transient = matches!(error, FetchError::Failed { .. });
        failed(transient, Box::new(error))
    })?;
    let text = String::from_utf8_lossy(body.expose()).into_owned();
    let keys = keys(&spec.id, &text).map_err(|reason| failed(false, reason.into()))?;
    let n = keys.len();
    Ok(
        match authorized_keys::add(host, &account, &keys, Held::Kept)? {
            Change::Made { .. } => Change::Made {
                note: Some(format!("{n} keys of {}", spec.id)),
            },
            other => other,
        },
    )
}

/// Where the keys of an id are.
fn address(host: &Host, id: &KeysId) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Other {
        #[serde(rename = "URL")]
        url: String,
    }
    let (name, servers) = (id.name().replace('+', "%2B"), &host.key_servers);
    match id.server() {
        KeyServer::Github => Ok(format!("{}/users/{name}/keys", servers.github)),
        KeyServer::Launchpad => match host.read(Path::new(OTHER)) {
            Ok(None) => Ok(format!("{}/~{name}/+sshkeys", servers.launchpad)),
            // Somebody of the same name elsewhere is somebody else: no falling back.
            Ok(Some(bytes)) => match serde_json::from_slice::<Other>(&bytes) {
                Ok(other) if other.url.contains("%s") => Ok(other.url.replace("%s", &name)),
                _ => Err(format!(
                    "{OTHER} is no JSON object with an `URL` that has `%s`"
                )),
            },
            Err(error) => Err(format!("cannot read {OTHER}: {error}")),
        },
    }
}

/// The keys in an answer, as lines that name where they come from. Lines that are no key, and those
/// with options, are left out.
fn keys(id: &KeysId, text: &str) -> Result<Vec<AuthorizedKey>, String> {
    #[derive(Deserialize)]
    struct GithubKey {
        id: u64,
        key: String,
    }
    let lines: Vec<String> = match id.server() {
        KeyServer::Launchpad => text.lines().map(ToOwned::to_owned).collect(),
        KeyServer::Github => {
            let keys: Vec<GithubKey> = serde_json::from_str(text)
                .map_err(|_| "the answer is no list of keys".to_owned())?;
            let line = |key: &GithubKey| format!("{} {}@github/{}", key.key, id.name(), key.id);
            keys.iter().map(line).collect()
        }
    };
    let key = |line: &String| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let line = format!("{} # ssh-import-id {id}", words.join(" "));
        let key: AuthorizedKey = line.parse().ok()?;
        (key.without_options() == key.as_str()).then_some(key)
    };
    let keys: Vec<AuthorizedKey> = lines.iter().filter_map(key).collect();
    if keys.is_empty() {
        return Err("there is no key among them".to_owned());
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIGvGQ1bnAdKyJfzbb0xMv7kUJ5cDpBF3f8Wvpvh6XbJ8";

    fn lines(id: &str, text: &str) -> Result<Vec<String>, String> {
        let id: KeysId = id.parse().unwrap();
        keys(&id, text).map(|keys| keys.into_iter().map(String::from).collect())
    }

    #[test]
    fn each_key_says_where_it_comes_from_and_nothing_else_comes_with_it() {
        let list = format!(
            "\nssh-ed25519  {BODY}  ada@home \n# a note\ncommand=\"x\" ssh-ed25519 {BODY}\nssh-rsa AAA\n<html>\n"
        );
        assert_eq!(
            lines("ada", &list).unwrap(),
            [format!(
                "ssh-ed25519 {BODY} ada@home # ssh-import-id lp:ada"
            )]
        );
        let json = format!(
            r#"[{{"id": 7, "key": "ssh-ed25519 {BODY}", "more": 1}}, {{"id": 8, "key": "ssh-ed25519 {BODY}\nssh-ed25519 {BODY}"}}]"#
        );
        assert_eq!(
            lines("gh:ada", &json).unwrap(),
            [
                format!("ssh-ed25519 {BODY} ada@github/7 # ssh-import-id gh:ada"),
                // Two lines stay one, of which the second is a comment.
                format!(
                    "ssh-ed25519 {BODY} ssh-ed25519 {BODY} ada@github/8 # ssh-import-id gh:ada"
                ),
            ]
        );
        assert_eq!(
            lines("ada", "\n\n").unwrap_err(),
            "there is no key among them"
        );
        assert_eq!(
            lines("gh:ada", "[]").unwrap_err(),
            "there is no key among them"
        );
        assert_eq!(
            lines("gh:ada", "<html>").unwrap_err(),
            "the answer is no list of keys"
        );
    }
}
