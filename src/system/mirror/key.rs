//! Which names of an origin can be paths below a destination.

/// Why a name cannot be a path below a destination.
pub(super) fn fault(key: &str) -> Option<&'static str> {
    /// Linux limits, `linux/limits.h`.
    const NAME_MAX: usize = 255;
    const PATH_MAX: usize = 4096;

    if key.contains('\0') {
        return Some("a NUL byte");
    }
    if key.len() >= PATH_MAX {
        return Some("more bytes than a path may have");
    }
    key.split('/').find_map(|part| match part {
        "" => Some("an empty component"),
        "." | ".." => Some("a component `.` or `..`"),
        part if part.len() > NAME_MAX => Some("a component of more than 255 bytes"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_out_of_the_destination_is_refused() {
        let long = "a".repeat(256);
        let deep = "a/".repeat(3000);
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "a/../b",
            "a/..",
            "./a",
            "a//b",
            "a/",
            "a\0b",
            &long,
            &deep,
        ] {
            assert!(fault(bad).is_some(), "{bad:?}");
        }
        for good in [
            "a", "a/b.html", "..a", "a/...", " ", "ü/ß", "a\\..\\b", "-rf",
        ] {
            assert_eq!(fault(good), None, "{good:?}");
        }
    }
}
