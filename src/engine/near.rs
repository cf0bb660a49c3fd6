//! The known name that somebody probably meant.

/// The nearest of `known` to `name`, unless it takes more than three changes to get there.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let far = known
        .into_iter()
        .map(|known| (distance(name, known), known));
    let (far, nearest) = far.min_by_key(|(far, _)| *far)?;
    (far <= 3).then_some(nearest)
}

/// Levenshtein's distance, in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, own) in left.chars().enumerate() {
        let mut above_left = index;
        let mut before = index + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(&right) {
            let cost = above_left + usize::from(own != *other);
            above_left = *cell;
            *cell = cost.min(above_left + 1).min(before + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_a_slip_away_is_meant() {
        let known = ["scripts_user", "scripts_vendor", "ssh"];
        #[rustfmt::skip]
        let table = [
            ("scripts_usr",   Some("scripts_user")),
            ("script_vendor", Some("scripts_vendor")),
            ("shh",           Some("ssh")),
            ("growpart",      None),
        ];
        for (name, want) in table {
            assert_eq!(nearest(name, known), want, "{name}");
        }
    }
}
