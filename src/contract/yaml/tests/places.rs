use super::read;
use crate::place::Place;
use crate::yaml::{Limits, parse_at};

#[test]
fn every_key_and_value_knows_its_line_and_column() {
    let value = read("# c\nusers:\n  - name: é\n    groups: [a, b]\n");
    let at = |value: &super::Value| (value.place.line, value.place.column);
    let (users_key, users) = value.as_map().unwrap().get_pair("users").unwrap();
    assert_eq!((at(users_key), at(users)), ((2, 1), (3, 3)));
    let user = &users.as_list().unwrap()[0];
    assert_eq!(at(user), (3, 5));
    let groups = user.get("groups").unwrap();
    assert_eq!(
        (at(groups), at(&groups.as_list().unwrap()[1])),
        ((4, 13), (4, 17))
    );
}

#[test]
fn a_part_that_begins_later_counts_from_there() {
    let document = parse_at("a:\n  b", "user-data", 11, &Limits::default()).unwrap();
    assert_eq!(
        document.value.get("a").unwrap().place,
        Place::new("user-data", 12, 3)
    );
    let error = parse_at("a:\n\tb", "user-data", 11, &Limits::default()).unwrap_err();
    assert_eq!(error.place, Place::new("user-data", 12, 1));
}
