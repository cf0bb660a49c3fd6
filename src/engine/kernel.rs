//! What the kernel command line says to cloud-init.
//!
//! Source: cloud-init, `cloudinit/util.py` (`read_cc_from_cmdline`) and `cloudinit/cmd/main.py`
//! (`attempt_cmdline_url`).

use std::path::Path;
use std::time::Duration;

use contract::effect::Effect;
use contract::fetch::{Fetch, Wanted, shown};
use contract::file::Mode;
use contract::machine::Probe;
use contract::place::Place;
use contract::plan::Problem;

/// What messages call it.
pub(crate) const SOURCE: &str = "kernel command line";

const FILE: &str = "/proc/cmdline";

/// In a container that is the host's. Source: cloud-init, `cloudinit/util.py` (`_get_cmdline`), and
/// systemd, which reads its own there too (kernel-command-line(7)).
const FILE_OF_A_CONTAINER: &str = "/proc/1/cmdline";

/// Linux takes 4 KiB at most on any architecture that it runs on; a longer one is cut off there.
const MAX_LINE: usize = 64 << 10;

/// Where configuration that was fetched is kept, for this boot and for those without a network.
const FETCHED: &str = "/etc/cloud/cloud.cfg.d/91_kernel_cmdline_url.cfg";

/// Longer configuration is refused, as any other file of the image is.
const MAX_FETCHED: usize = 1 << 20;

/// How what is fetched must begin.
const HEADER: &[u8] = b"#cloud-config";

/// The keys that name an address, the first one counting; the second is an old spelling.
const KEYS: [&str; 2] = ["cloud-config-url", "url"];

/// The words that keep the units from starting too.
const OFF: [&str; 2] = ["firstlight=off", "cloud-init=disabled"];

/// The command line, as far as this machine shows one.
///
/// # Errors
/// What the kernel said, as a problem.
pub(crate) fn line(probe: &dyn Probe) -> Result<String, Problem> {
    let is_container = probe.is_container();
    let file = if is_container {
        FILE_OF_A_CONTAINER
    } else {
        FILE
    };
    let problem = |why: String| {
        let place = Some(Place::whole(file));
        Problem::warning(place, format!("{SOURCE} ignored: {why}"))
    };
    match probe.read(Path::new(file)) {
        Ok(Some(bytes)) if bytes.len() > MAX_LINE => Err(problem("larger than 64 KiB".to_owned())),
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
            // Arguments of a process end with a zero byte each.
            Ok(text.replace('\0', " "))
        }
        Err(error) => Err(problem(error.to_string())),
    }
}

/// The configuration between each `cc:` and the next `end_cc` or the end of the line, as YAML:
/// percent signs decoded, `\n` in two letters for a line's end. Empty if there is none.
pub(crate) fn configuration(line: &str) -> String {
    let mut texts = Vec::new();
    let mut rest = line;
    while let Some((_, after)) = rest.split_once("cc:") {
        let (text, next) = after.split_once("end_cc").unwrap_or((after, ""));
        texts.push(percent_decoded(text.trim_start()).replace("\\n", "\n"));
        rest = next;
    }
    texts.join("\n")
}

/// A `%` that two hexadecimal digits do not follow stays.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let code = code.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The key and the address that the command line names.
fn address(line: &str) -> Option<(&'static str, &str)> {
    let pairs = || {
        line.split_ascii_whitespace()
            .filter_map(|word| word.split_once('='))
    };
    KEYS.iter().find_map(|key| {
        // Of two equal keys the last counts.
        let (_, url) = pairs().rfind(|(name, _)| name == key)?;
        Some((*key, url))
    })
}

/// The word of the command line that switches firstlight off, if there is one. Source: cloud-init,
/// `systemd/cloud-init-generator.tmpl`.
#[must_use]
pub fn switches_off(probe: &dyn Probe) -> Option<&'static str> {
    let line = line(probe).ok()?;
    let is_there = |word: &&&str| line.split_ascii_whitespace().any(|own| own == **word);
    OFF.iter().find(is_there).copied()
}

/// Fetches the configuration that the kernel command line names by `cloud-config-url=URL`, and
/// gives the file that shall hold it; [`crate::image::load`] reads that file. `None` if nothing is
/// named. Three tries of 10 s each at most.
///
/// # Errors
/// Why there is none, as a problem: what an earlier boot fetched stays then.
pub fn fetch(probe: &dyn Probe, fetcher: &dyn Fetch) -> Result<Option<Effect>, Problem> {
    let line = line(probe)?;
    let Some((key, url)) = address(&line) else {
        return Ok(None);
    };
    let url = match url.strip_prefix('/') {
        Some(path) => format!("file:///{path}"),
        None => url.to_owned(),
    };
    let place = || Some(Place::whole(SOURCE));
    let wanted = Wanted {
        url: &url,
        headers: &[],
        max_bytes: MAX_FETCHED,
        timeout: Duration::from_secs(10),
        tries: 3,
        pause: Duration::from_secs(1),
    };
    let body = fetcher.fetch(&wanted).map_err(|error| {
        Problem::warning(place(), format!("`{key}` is ignored: {error}"))
            .hint("what an earlier boot fetched still counts")
    })?;
    if body.expose().starts_with(HEADER) {
        return Ok(Some(Effect::secret_file(FETCHED, body, Mode::PRIVATE)));
    }
    let message = format!(
        "`{key}` is ignored: what {} holds does not begin with `#cloud-config`",
        shown(&url)
    );
    // Other programs know a `url` too: then it is not meant for us.
    Err(if key == "url" {
        Problem::notice(place(), message)
    } else {
        Problem::warning(place(), message)
    })
}

#[cfg(test)]
mod tests {
    use contract::fetch::FetchError;
    use contract::secret::Secret;
    use contract::testing::FakeMachine;

    use super::*;

    #[test]
    fn configuration_stands_between_its_marks_decoded() {
        #[rustfmt::skip]
        let table = [
            ("ro quiet",                                         ""),
            ("ro cc: ssh_import_id: [a, b]",                     "ssh_import_id: [a, b]"),
            ("cc: a: 1\\nb: 2 end_cc quiet",                     "a: 1\nb: 2 "),
            ("cc:a: 1 end_cc x cc:b: 2 end_cc",                  "a: 1 \nb: 2 "),
            ("cc:a:%20%5b1%5D%0Ab: 100% end_cc",                 "a: [1]\nb: 100% "),
            ("cc: a: %zz%4",                                     "a: %zz%4"),
            ("cc: a: %c3%a4",                                    "a: ä"),
            ("xcc:a: 1",                                         "a: 1"),
            ("end_cc cc:",                                       ""),
        ];
        for (line, want) in table {
            assert_eq!(configuration(line), want, "{line}");
        }
    }

    #[test]
    fn a_whole_word_of_the_command_line_switches_off() {
        #[rustfmt::skip]
        let table = [
            ("ro cloud-init=disabled quiet", Some("cloud-init=disabled")),
            ("firstlight=off",               Some("firstlight=off")),
            ("xcloud-init=disabled firstlight=offline", None),
        ];
        for (line, want) in table {
            assert_eq!(
                switches_off(&FakeMachine::with(&[(FILE, line)])),
                want,
                "{line}"
            );
        }
    }

    struct Web(Result<&'static str, u16>);

    impl Fetch for Web {
        fn check(&self, _: &str) -> Result<(), FetchError> {
            Ok(())
        }

        fn fetch(&self, wanted: &Wanted<'_>) -> Result<Secret<Vec<u8>>, FetchError> {
            let url = shown(wanted.url);
            match self.0 {
                Ok(text) => Ok(Secret::new(
                    format!("{text}# {}\n", wanted.url).into_bytes(),
                )),
                Err(status) => Err(FetchError::Status { url, status }),
            }
        }
    }

    fn fetched(line: &str, web: &Web) -> String {
        let machine = FakeMachine::with(&[(FILE, line)]);
        match fetch(&machine, web) {
            Ok(Some(Effect::File(file))) => {
                assert_eq!(
                    (file.at.to_string().as_str(), file.mode.to_string().as_str()),
                    (FETCHED, "0600")
                );
                String::from_utf8_lossy(file.content.bytes()).into_owned()
            }
            Ok(other) => format!("{other:?}"),
            Err(problem) => format!("{}: {problem}", problem.severity),
        }
    }

    #[test]
    fn an_address_of_configuration_is_fetched_or_it_is_said_why_not() {
        let good = Web(Ok("#cloud-config\na: 1\n"));
        #[rustfmt::skip]
        let table = [
            ("ro quiet",                                &good, "None"),
            ("cloud-config-url",                        &good, "None"),
            ("cloud-config-url=http://x/c?k=1 quiet",   &good, "#cloud-config\na: 1\n# http://x/c?k=1\n"),
            ("url=http://y/ cloud-config-url=http://x/", &good, "#cloud-config\na: 1\n# http://x/\n"),
            ("url=/run/x.cfg",                          &good, "#cloud-config\na: 1\n# file:///run/x.cfg\n"),
            ("cloud-config-url=http://x/?k=1",          &Web(Ok("<html>")), "warning: kernel command line: `cloud-config-url` is ignored: what http://x/ holds does not begin with `#cloud-config`"),
            ("url=http://x/live.iso",                   &Web(Ok("CD001")), "notice: kernel command line: `url` is ignored: what http://x/live.iso holds does not begin with `#cloud-config`"),
            ("cloud-config-url=http://x/?k=1",          &Web(Err(404)), "warning: kernel command line: `cloud-config-url` is ignored: http://x/ was answered with status 404 (what an earlier boot fetched still counts)"),
        ];
        for (line, web, want) in table {
            assert_eq!(fetched(line, web), want, "{line}");
        }
    }
}
