//! Files of settings: lines `name = value` in sections `[main]`, as many tools read them.
//!
//! A comment begins with `#` or `;` at the start of a line. Of a name that is there twice the last
//! one counts, as with most readers of such files.

use contract::effect::Setting;

/// The file's bytes with these settings; `None` if they are so already.
pub(crate) fn with(old: Option<&[u8]>, settings: &[Setting]) -> Option<Vec<u8>> {
    let old = old.unwrap_or_default();
    let mut lines: Vec<Vec<u8>> = old.split(|byte| *byte == b'\n').map(Vec::from).collect();
    // Behind the last line's end there is no line.
    lines.pop_if(|last| last.is_empty());
    let before = lines.clone();
    for setting in settings {
        put(&mut lines, setting);
    }
    (lines != before).then(|| {
        let lines = lines.into_iter();
        lines
            .flat_map(|line| [line, vec![b'\n']].concat())
            .collect()
    })
}

fn put(lines: &mut Vec<Vec<u8>>, setting: &Setting) {
    let (begin, end) = match &setting.section {
        None => (0, after(lines, 0)),
        Some(name) => match lines.iter().position(|line| section(line) == Some(name)) {
            Some(head) => (head + 1, after(lines, head + 1)),
            None => {
                if lines.last().is_some_and(|line| !is_blank(line)) {
                    lines.push(Vec::new());
                }
                lines.push(format!("[{name}]").into_bytes());
                (lines.len(), lines.len())
            }
        },
    };
    let own = lines.get_mut(begin..end).unwrap_or_default();
    let wanted = setting.value.expose();
    let line = format!("{} = {wanted}", setting.name).into_bytes();
    let is_it = |line: &&mut Vec<u8>| pair(line).is_some_and(|(name, _)| name == setting.name);
    if let Some(there) = own.iter_mut().rfind(is_it) {
        if pair(there).is_none_or(|(_, value)| value != wanted.trim()) {
            *there = line;
        }
        return;
    }
    // Blank lines before the next section stay before it.
    let last = own.iter().rposition(|line| !is_blank(line));
    lines.insert(begin + last.map_or(0, |last| last + 1), line);
}

/// Where a section that begins at a line ends.
fn after(lines: &[Vec<u8>], begin: usize) -> usize {
    let mut rest = lines.iter().skip(begin);
    let length = rest.position(|line| section(line).is_some());
    length.map_or(lines.len(), |length| begin + length)
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

/// A line of another encoding than UTF-8 is none of those that are looked for.
fn text(line: &[u8]) -> Option<&str> {
    std::str::from_utf8(line).ok().map(str::trim)
}

fn section(line: &[u8]) -> Option<&str> {
    let name = text(line)?.strip_prefix('[')?.strip_suffix(']')?;
    Some(name.trim())
}

fn pair(line: &[u8]) -> Option<(&str, &str)> {
    let line = text(line)?;
    let pair = line
        .split_once('=')
        .filter(|_| !line.starts_with(['#', ';', '[']));
    pair.map(|(name, value)| (name.trim(), value.trim()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "for tests only")]
mod tests {
    use contract::secret::Secret;

    use super::*;

    /// `section name=value`, without a section if it begins with a blank.
    fn setting(text: &str) -> Setting {
        let (section, pair) = text.split_once(' ').unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        Setting {
            section: (!section.is_empty()).then(|| section.to_owned()),
            name: name.to_owned(),
            value: Secret::new(value.to_owned()),
        }
    }

    #[test]
    fn a_setting_is_put_where_it_belongs_and_all_else_stays() {
        let packaged =
            "# by the package\n[main]\nssldir = /ssl\n\n[agent]\n# server = no\nserver=a\n";
        #[rustfmt::skip]
        let table: [(Option<&str>, &[&str], Option<&str>); 14] = [
            // before               settings                         after, if it is changed
            (None,                  &["main server=a"],              Some("[main]\nserver = a\n")),
            (Some(""),              &[" a=1", " b=2"],               Some("a = 1\nb = 2\n")),
            (Some("a = 1"),         &[" b=2"],                       Some("a = 1\nb = 2\n")),
            (Some("a = 1\n\n[s]\n"), &[" b=2"],                      Some("a = 1\nb = 2\n\n[s]\n")),
            (Some("[s]\na = 1\n"),  &[" b=2"],                       Some("b = 2\n[s]\na = 1\n")),
            (Some("a=1\na=2\n"),    &[" a=3"],                       Some("a=1\na = 3\n")),
            (Some("#a=1\n;a=2\n"),  &[" a=3"],                       Some("#a=1\n;a=2\na = 3\n")),
            (Some("[s]\na = 1\n"),  &["t a=1"],                      Some("[s]\na = 1\n\n[t]\na = 1\n")),
            (Some(packaged),        &["main server=a"],              Some("# by the package\n[main]\nssldir = /ssl\nserver = a\n\n[agent]\n# server = no\nserver=a\n")),
            (Some(packaged),        &["agent server=b", "main ssldir=/ssl"], Some("# by the package\n[main]\nssldir = /ssl\n\n[agent]\n# server = no\nserver = b\n")),
            (Some(packaged),        &["agent server=a"],             None),
            (Some("a =  1 \n"),     &[" a=1"],                       None),
            (Some("a = 1\n"),       &[],                             None),
            (Some("a = 2\n"),       &[" a=1", " a=2"],               None),
        ];
        for (before, settings, after) in table {
            let wanted: Vec<Setting> = settings.iter().map(|text| setting(text)).collect();
            let new = with(before.map(str::as_bytes), &wanted);
            let new = new.map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(new.as_deref(), after, "{before:?} {settings:?}");
            if let Some(after) = after {
                assert_eq!(with(Some(after.as_bytes()), &wanted), None, "{settings:?}");
            }
        }
    }
}
