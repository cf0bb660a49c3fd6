//! Where messages are sent, as one line says it: `*.* @@logs.example.com:514`.
//!
//! Source: cloud-init, `cloudinit/config/cc_rsyslog.py` (`parse_remotes_line`); rsyslog.conf(5).

/// The line of a remote in rsyslog's own form, with its name behind it.
///
/// # Errors
/// What was expected instead.
pub(super) fn line(name: &str, text: &str) -> Result<String, &'static str> {
    if name.contains(char::is_control) || text.contains(char::is_control) {
        return Err("expected one line");
    }
    // A comment behind it says the same as its name.
    let data = match text.split_once('#') {
        Some((data, comment)) if !comment.trim_start_matches('#').contains('#') => data,
        _ => text,
    };
    let words: Vec<&str> = data.split_whitespace().collect();
    let (selector, host) = match words.as_slice() {
        [host] => ("*.*", *host),
        [selector, host] => (*selector, *host),
        _ => return Err("expected a host, or a selector and a host"),
    };
    let bare = host.trim_start_matches('@');
    let sign = match host.len() - bare.len() {
        0 | 1 => "@",
        2 => "@@",
        _ => return Err("expected `@` for UDP or `@@` for TCP before the host"),
    };
    let (address, port) =
        split(bare).ok_or("expected HOST or HOST:PORT, an IPv6 address in brackets")?;
    let address = match address.contains(':') {
        true => format!("[{address}]"),
        false => address.to_owned(),
    };
    let port = match port.unwrap_or(0) {
        0 => String::new(),
        port => format!(":{port}"),
    };
    let name = match name {
        "" => String::new(),
        name => format!(" # {name}"),
    };
    Ok(format!("{selector} {sign}{address}{port}{name}"))
}

/// An address and a port: `logs:514`, `[::1]:514`, `logs`.
fn split(host: &str) -> Option<(&str, Option<u16>)> {
    let (address, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, behind) = rest.split_once(']')?;
            match behind {
                "" => (address, None),
                behind => (address, Some(behind.strip_prefix(':')?)),
            }
        }
        None => match host.split_once(':') {
            Some((address, port)) => (address, Some(port)),
            None => (host, None),
        },
    };
    let digits = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let port = port.map(str::parse::<u16>).transpose().ok()?;
    (digits && !address.is_empty()).then_some((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_is_a_selector_and_a_host() {
        #[rustfmt::skip]
        let table = [
            ("192.168.1.1",                        Ok("*.* @192.168.1.1 # x")),
            ("192.168.1.1:10514",                  Ok("*.* @192.168.1.1:10514 # x")),
            ("@@logs.example.com:514",             Ok("*.* @@logs.example.com:514 # x")),
            ("auth.* @logs",                       Ok("auth.* @logs # x")),
            ("*.*   @@[2001:db8::1]:514",          Ok("*.* @@[2001:db8::1]:514 # x")),
            ("[::1] # local",                      Ok("*.* @[::1] # x")),
            ("logs ## note",                       Ok("*.* @logs # x")),
            ("logs:0",                             Ok("*.* @logs # x")),
            ("a b c",                              Err("expected a host, or a selector and a host")),
            ("# a # b",                            Err("expected a host, or a selector and a host")),
            ("2001:db8::1",                        Err("expected HOST or HOST:PORT, an IPv6 address in brackets")),
            ("logs:+5",                            Err("expected HOST or HOST:PORT, an IPv6 address in brackets")),
            ("logs:99999",                         Err("expected HOST or HOST:PORT, an IPv6 address in brackets")),
            ("@",                                  Err("expected HOST or HOST:PORT, an IPv6 address in brackets")),
            ("@@@logs",                            Err("expected `@` for UDP or `@@` for TCP before the host")),
            ("logs\n*.* /etc/shadow",              Err("expected one line")),
        ];
        for (text, wanted) in table {
            assert_eq!(line("x", text), wanted.map(ToOwned::to_owned), "{text}");
        }
    }
}
