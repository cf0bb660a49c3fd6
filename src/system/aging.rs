//! How long passwords and accounts last, in /etc/shadow (shadow(5)), where no tool of the system can say it:
//! busybox has no chage(1), and its adduser and passwd have no options for it.
//!
//! Source: cloud-init, `cloudinit/distros/alpine.py` (`add_user`, `expire_passwd`).

use std::path::Path;

use contract::calendar;
use contract::effect::{Mode, UserSpec};
use contract::error::EffectError;
use contract::machine::Change;
use contract::secret::Secret;

use crate::files::{self, Ids, Spot};
use crate::host::Host;

const SHADOW: &str = "/etc/shadow";
const LIMIT: u64 = 1024 * 1024;

/// Fields of a row, counted from 0, and what shall be in them.
pub(crate) type Fields = Vec<(usize, String)>;

/// The day of the last change; 0 asks for a change at the next login.
const LAST_CHANGE: usize = 2;
/// The least and the most days between changes, and those of a warning.
const AGES: [usize; 3] = [3, 4, 5];
const INACTIVE: usize = 6;
const EXPIRES: usize = 7;

/// What the row of a new user says: no ages, as useradd(8) leaves them where login.defs(5) says
/// nothing, and what is asked for.
///
/// # Errors
/// When the account's last day is no day.
pub(crate) fn of_new(spec: &UserSpec) -> Result<Fields, EffectError> {
    let mut fields: Fields = AGES.map(|field| (field, String::new())).into();
    if let Some(days) = &spec.inactive {
        let number = days.trim().parse::<u32>();
        let number = number.map_err(|_| refused("`inactive` is no number of days"))?;
        fields.push((INACTIVE, number.to_string()));
    }
    if let Some(date) = &spec.expiredate {
        let days = calendar::days_to(date.trim());
        let days = days.ok_or_else(|| refused("`expiredate` is no day, YYYY-MM-DD"))?;
        fields.push((EXPIRES, days.to_string()));
    }
    Ok(fields)
}

/// That a password has to be changed at the next login.
pub(crate) fn expired() -> Fields {
    vec![(LAST_CHANGE, "0".to_owned())]
}

/// Writes these fields into somebody's row.
pub(crate) fn set(host: &Host, user: &str, fields: &Fields) -> Result<Change, EffectError> {
    let path = Path::new(SHADOW);
    let read = |source| EffectError::Read {
        path: path.to_owned(),
        source,
    };
    let flags = nix::fcntl::OFlag::O_RDONLY;
    let now = nix::sys::stat::fstat(host.root.open(path, flags, 0).map_err(read)?);
    let now = now.map_err(|errno| read(errno.into()))?;
    let text = String::from_utf8(host.read_up_to(path, LIMIT).map_err(read)?);
    let text = text.map_err(|_| read(std::io::ErrorKind::InvalidData.into()))?;
    let Some(new) = with(&text, user, fields) else {
        return Ok(Change::AlreadySo);
    };
    let (dir, name) = host.root.parent(path, false).map_err(read)?;
    let spot = Spot {
        dir,
        name,
        path: path.to_owned(),
    };
    let ids = Ids::Known(now.st_uid, now.st_gid);
    let mode = Mode::new(now.st_mode);
    files::write(host, &spot, new.expose().as_bytes(), mode, ids)
}

/// The file with these fields in somebody's row; `None` if they are so, or if there is no such row.
fn with(text: &str, user: &str, fields: &Fields) -> Option<Secret<String>> {
    let mut is_new = false;
    let lines = text.lines().map(|line| {
        let mut row: Vec<&str> = line.split(':').collect();
        if row.first() == Some(&user) {
            for (at, wanted) in fields {
                if let Some(field) = row.get_mut(*at).filter(|field| **field != wanted) {
                    *field = wanted;
                    is_new = true;
                }
            }
        }
        row.join(":") + "\n"
    });
    let new = Secret::new(lines.collect());
    is_new.then_some(new)
}

fn refused(reason: &str) -> EffectError {
    EffectError::Refused {
        path: SHADOW.into(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gets_what_it_shall_say_and_the_others_stay() {
        const ROWS: &str =
            "root:$6$a$b:20000:0:99999:7:::\nada:!:20000:0:99999:7:::\nadam:!:1::::::\n";
        let spec = UserSpec {
            inactive: Some("5".into()),
            expiredate: Some("2040-01-01".into()),
            ..UserSpec::new("ada".parse().unwrap())
        };
        let new = of_new(&spec).unwrap();
        #[rustfmt::skip]
        let table = [
            ("ada",    new.clone(), Some(ROWS.replace("ada:!:20000:0:99999:7:::", "ada:!:20000::::5:25567:"))),
            ("root",   expired(),   Some(ROWS.replace("$b:20000", "$b:0"))),
            ("nobody", new,         None),
            ("adam",   AGES.map(|field| (field, String::new())).into(), None),
        ];
        for (user, fields, wanted) in table {
            let found = with(ROWS, user, &fields).map(Secret::into_inner);
            assert_eq!(found, wanted, "{user}");
        }
    }

    #[test]
    fn what_is_no_number_and_no_day_is_refused_before_anybody_is_made() {
        for (inactive, expiredate) in [(Some("soon"), None), (None, Some("2040-02-30"))] {
            let spec = UserSpec {
                inactive: inactive.map(Into::into),
                expiredate: expiredate.map(Into::into),
                ..UserSpec::new("ada".parse().unwrap())
            };
            assert!(of_new(&spec).is_err(), "{inactive:?} {expiredate:?}");
        }
    }
}
