//! Keys that a user shall have, and the authorized_keys file that there is.

use contract::effect::AuthorizedKeysSpec;
use contract::name::AuthorizedKey;

pub(super) fn run(data: &[u8]) {
    let (wanted, old) = match data.iter().position(|byte| *byte == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[][..]),
    };
    let wanted = String::from_utf8_lossy(wanted);
    let keys: Vec<AuthorizedKey> = wanted
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    let spec = AuthorizedKeysSpec {
        user: "root".parse().expect("a user name"),
        keys,
        options: wanted
            .starts_with('!')
            .then(|| "command=\"echo no\"".to_owned()),
    };
    let once = system::fuzzing::merge_authorized_keys(old, &spec);
    let twice = system::fuzzing::merge_authorized_keys(&once, &spec);
    assert_eq!(once, twice, "adding the same keys again changes the file");
}
