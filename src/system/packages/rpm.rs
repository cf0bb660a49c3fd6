//! What rpm(8) has installed. Its books are a database that only it reads.

use contract::effect::{Package, ToolSpec};

use crate::commands::{self, Start};
use crate::host::Host;
use crate::kept::{Kept, Which};

use super::installed::Installed;

/// The versions of packages, as far as rpm knows them by these names.
pub(super) fn installed(host: &Host, packages: &[&Package]) -> Installed {
    let Ok(kept) = Kept::new(Which::Out) else {
        return Installed::new();
    };
    let format = "%{NAME} %{VERSION}-%{RELEASE}\\n";
    let mut argv: Vec<String> = ["rpm", "-q", "--queryformat", format, "--"]
        .map(ToOwned::to_owned)
        .into();
    argv.extend(packages.iter().map(|one| one.name.clone()));
    let start = Start {
        argv: &argv,
        label: "rpm",
        env: &[],
        stdin: &[],
        timeout: Some(ToolSpec::TIMEOUT),
        is_ours: true,
        is_beside: false,
        kept: Some(&kept),
    };
    // It fails when one of them is unknown, such as a group of packages; the others are told.
    let _ = commands::spawn(host, &start);
    parse(&kept.text())
}

fn parse(text: &str) -> Installed {
    let pair = |line: &str| {
        let (name, version) = line.split_once(' ')?;
        (!version.contains(' ')).then(|| (name.to_owned(), version.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rpm_does_not_know_is_no_version() {
        let said = "nginx 1.24.0-1.amzn2023\npackage no-such is not installed\n";
        let found: Vec<_> = parse(said).into_iter().collect();
        assert_eq!(
            found,
            [("nginx".to_owned(), "1.24.0-1.amzn2023".to_owned())]
        );
    }
}
