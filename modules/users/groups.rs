//! `groups`: made before the users, each with members who are there already.
//! Source: cloud-init, `cloudinit/distros/ug_util.py` and `cloudinit/distros/__init__.py`
//! (`create_group`).

use contract::effect::Effect;
use contract::machine::Probe;
use contract::name::UserName;
use contract::place::Place;
use contract::plan::{Plan, Problem, Step};
use contract::yaml::{Kind, Value};

use crate::accounts::{Accounts, group_names};
use crate::fields;

/// A step for each group. `accounts` are made after them.
pub(super) fn plan(groups: &Value, accounts: &Accounts, probe: &dyn Probe) -> Plan {
    let mut wanted = Wanted::default();
    match &groups.kind {
        Kind::String(_) => {
            for name in group_names(groups) {
                wanted.add(&name, &groups.place, None);
            }
        }
        Kind::List(entries) => entries.iter().for_each(|entry| wanted.entry(entry)),
        Kind::Map(map) => {
            for (name, members) in fields::sorted(map) {
                wanted.pair(name, members);
            }
        }
        _ => wanted.wrong(groups, "expected a list of groups"),
    }
    let mut plan = Plan::nothing();
    for (group, members) in &wanted.groups {
        let mut effects = vec![Effect::Group(group.clone())];
        let mut sorted: Vec<&(String, Place)> = members.iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        sorted.dedup_by(|a, b| a.0 == b.0);
        for (name, place) in sorted {
            match name.parse::<UserName>() {
                Ok(user) if probe.user(name).is_ok_and(|user| user.is_some()) => {
                    effects.push(Effect::Member {
                        user,
                        group: group.clone(),
                    });
                }
                found => {
                    let stranger = stranger(group, place);
                    let is_later = accounts.list.iter().any(|account| account.name == *name);
                    let is_of_text = found.is_err() || is_later;
                    let problem = if is_of_text {
                        stranger
                    } else {
                        stranger.of_machine()
                    };
                    wanted.problems.push(problem);
                }
            }
        }
        plan.push(Step::new(format!("group {group}"), effects));
    }
    plan.problems = wanted.problems;
    plan
}

fn stranger(group: &UserName, place: &Place) -> Problem {
    let message = format!(
        "groups: `{group}`: this member is not there when groups are made, and is left out"
    );
    Problem::warning(Some(place.clone()), message)
        .hint("users of the same configuration say their groups themselves: `groups: [NAME]`")
}

#[derive(Default)]
struct Wanted {
    groups: Vec<(UserName, Vec<(String, Place)>)>,
    problems: Vec<Problem>,
}

impl Wanted {
    fn entry(&mut self, entry: &Value) {
        match &entry.kind {
            Kind::String(name) => self.add(name.trim(), &entry.place, None),
            Kind::Map(map) => {
                for (name, members) in fields::sorted(map) {
                    self.pair(name, members);
                }
            }
            _ => self.wrong(entry, "expected a name, or a mapping of a name to members"),
        }
    }

    fn pair(&mut self, name: &Value, members: &Value) {
        match name.to_text() {
            Some(text) => self.add(&text, &name.place, Some(members)),
            None => self.wrong(name, "expected a name"),
        }
    }

    fn add(&mut self, name: &str, place: &Place, members: Option<&Value>) {
        let name: UserName = match name.parse() {
            Ok(name) => name,
            Err(_) => {
                let message = "groups: not a valid group name: a letter or `_`, then letters, digits, `.`, `_` and `-`; 32 at most";
                return self
                    .problems
                    .push(Problem::error(Some(place.clone()), message));
            }
        };
        let mut found: Vec<(String, Place)> = Vec::new();
        match members.map(|members| (members, &members.kind)) {
            None | Some((_, Kind::Null)) => {}
            Some((members, Kind::String(_))) => {
                let names = group_names(members).into_iter();
                found.extend(names.map(|name| (name, members.place.clone())));
            }
            Some((_, Kind::List(entries))) => {
                for entry in entries {
                    match entry.to_text() {
                        Some(name) => found.push((name.trim().to_owned(), entry.place.clone())),
                        None => self.wrong(entry, "expected a member's name"),
                    }
                }
            }
            Some((members, _)) => self.wrong(members, "expected a member, or a list of members"),
        }
        match self.groups.iter_mut().find(|(own, _)| *own == name) {
            Some((_, own)) => own.extend(found),
            None => self.groups.push((name, found)),
        }
    }

    fn wrong(&mut self, value: &Value, expected: &str) {
        let message = format!("groups: {expected}, found {}", value.kind.name());
        self.problems
            .push(Problem::error(Some(value.place.clone()), message));
    }
}
