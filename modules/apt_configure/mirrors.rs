//! Which mirrors the distribution's packages come from: those that `apt` names, or the image's, or the
//! distribution's own.
//!
//! Source: cloud-init, `cloudinit/config/cc_apt_configure.py` (`find_apt_mirror_info`) and
//! `cloudinit/distros/__init__.py` (`_get_package_mirror_info`).

use contract::config::Config;
use contract::instance::InstanceMetadata;
use contract::module::Context;
use contract::plan::Problem;
use contract::yaml::{Mapping, Value};

use crate::distribution;
use crate::hostname;

use super::wanted::{Mirror, Wanted};

/// The addresses by their names: `primary`, `security`, and what else the image calls one.
pub(super) struct Mirrors(Vec<(String, String)>);

impl Mirrors {
    /// Those that count here; `None` if nobody knows any.
    pub(super) fn choose(
        wanted: &Wanted,
        distribution: &str,
        ctx: &Context<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let search = Search { distribution, ctx };
        let primary = search.given(&wanted.primary, "mirror");
        let security = search.given(&wanted.security, "security-mirror");
        if let Some(primary) = primary {
            let security = security.unwrap_or_else(|| primary.clone());
            return Some(Self::of(primary, security));
        }
        if security.is_some() {
            let message = "apt.security: it has no effect without `primary`, as with cloud-init";
            let first = wanted.security.first();
            let place = first.map(|mirror| mirror.place.clone());
            problems.push(Problem::warning(place, message));
        }
        search.of_the_image().or_else(|| {
            let architecture = distribution::debian_architecture();
            let (primary, security) = distribution::archives(distribution, architecture)?;
            Some(Self::of(primary.to_owned(), security.to_owned()))
        })
    }

    fn of(primary: String, security: String) -> Self {
        let pair = |name: &str, address| (name.to_owned(), address);
        Self(vec![pair("primary", primary), pair("security", security)])
    }

    /// All of them, with their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, address)| (name.as_str(), address.as_str()))
    }

    /// The one of a name.
    pub(super) fn get(&self, name: &str) -> &str {
        let mut all = self.iter();
        all.find(|(own, _)| *own == name)
            .map_or("", |(_, address)| address)
    }
}

/// Whether the image says where its packages are.
pub(super) fn are_known_to(config: &Config) -> bool {
    of_image(config).is_some_and(|entries| !entries.is_empty())
}

fn of_image(config: &Config) -> Option<&[Value]> {
    config.get("system_info")?.get("package_mirrors")?.as_list()
}

struct Search<'a> {
    distribution: &'a str,
    ctx: &'a Context<'a>,
}

impl Search<'_> {
    /// What `primary` or `security` names for this architecture.
    fn given(&self, mirrors: &[Mirror], host: &str) -> Option<String> {
        let has = |mirror: &&Mirror, name: &str| mirror.arches.iter().any(|own| own == name);
        let own = distribution::debian_architecture();
        let mut all = mirrors.iter();
        let mirror = all.find(|mirror| has(mirror, own));
        let default = || mirrors.iter().rev().find(|mirror| has(mirror, "default"));
        let mirror = mirror.or_else(default)?;
        let uri = mirror.uri.clone();
        let found = uri.or_else(|| self.first_known(mirror.search.iter().cloned()));
        found.or_else(|| {
            let domains = mirror.searches_dns.then(|| self.domains());
            let name = self.distribution;
            let address = |domain| format!("http://{name}-{host}{domain}/{name}");
            self.first_known(domains?.into_iter().map(address))
        })
    }

    /// Where a mirror of the machine's surroundings may be.
    fn domains(&self) -> Vec<String> {
        let cloud = self.ctx.instance.local_hostname.as_ref();
        let full = cloud.map(ToString::to_string);
        let full = full.or_else(|| hostname::current(self.ctx).map(|names| names.full));
        let own = full.and_then(|name| Some(format!(".{}", name.split_once('.')?.1)));
        own.into_iter()
            .chain([".localdomain".to_owned(), String::new()])
            .collect()
    }

    /// The first address whose host somebody knows.
    fn first_known(&self, addresses: impl Iterator<Item = String>) -> Option<String> {
        let mut addresses = addresses;
        addresses.find(|address| {
            let is_word = !address.contains(char::is_whitespace);
            host(address).filter(|_| is_word).is_some_and(|host| {
                is_address(host) || self.ctx.probe.resolves(host).unwrap_or(false)
            })
        })
    }

    /// What `system_info.package_mirrors` says for this architecture.
    fn of_the_image(&self) -> Option<Mirrors> {
        let entries = of_image(self.ctx.config)?;
        let arches = |entry: &Value, name: &str| {
            let arches = entry.get("arches").and_then(Value::as_list);
            arches
                .unwrap_or_default()
                .iter()
                .any(|own| own.as_str() == Some(name))
        };
        let own = distribution::debian_architecture();
        let entry = entries.iter().find(|entry| arches(entry, own));
        let default = || entries.iter().rev().find(|entry| arches(entry, "default"));
        let entry = entry.or_else(default)?;
        let field = |name: &str| entry.get(name).and_then(Value::as_map);
        let mut mirrors = Mirrors(Vec::new());
        for (name, address) in field("failsafe").into_iter().flat_map(Mapping::iter) {
            if let (Some(name), Some(address)) = (name.as_str(), address.as_str()) {
                mirrors.0.push((name.to_owned(), address.to_owned()));
            }
        }
        for (name, list) in field("search").into_iter().flat_map(Mapping::iter) {
            let Some(name) = name.as_str() else { continue };
            let templates = list.as_list().unwrap_or_default().iter();
            let addresses = templates.filter_map(|template| {
                let filled = filled(template.as_str()?, self.ctx.instance)?;
                with_clean_host(&filled)
            });
            if let Some(found) = self.first_known(addresses) {
                mirrors.0.retain(|(own, _)| own != name);
                mirrors.0.push((name.to_owned(), found));
            }
        }
        let is_whole = ["primary", "security"].map(|name| !mirrors.get(name).is_empty());
        is_whole.iter().all(|is_there| *is_there).then_some(mirrors)
    }
}

/// A template such as `http://%(region)s.example.com/`, filled in; `None` if it names what is not known.
fn filled(template: &str, instance: &InstanceMetadata) -> Option<String> {
    let zone = instance.availability_zone.as_deref();
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(behind) = behind.strip_prefix('%') {
            out.push('%');
            rest = behind;
            continue;
        }
        let (name, behind) = behind.strip_prefix('(')?.split_once(")s")?;
        out.push_str(match name {
            "region" => instance.region.as_deref()?,
            "availability_zone" => zone?,
            "ec2_region" => zone
                .filter(|_| instance.platform == "ec2")
                .and_then(region_of)?,
            _ => return None,
        });
        rest = behind;
    }
    out.push_str(rest);
    Some(out)
}

/// `us-east-1` of `us-east-1b`; a local zone such as `us-west-2-lax-1a` has none.
fn region_of(zone: &str) -> Option<&str> {
    let region = zone.strip_suffix(|c: char| c.is_ascii_lowercase())?;
    let mut words: Vec<&str> = region.split('-').collect();
    let number = words.pop()?;
    let is_digit = number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit());
    let is_words = words
        .iter()
        .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()));
    let is_land = words.first().is_some_and(|land| land.len() == 2);
    (is_digit && is_words && is_land && words.len() > 1).then_some(region)
}

/// The host of an address, without user, port and brackets.
fn host(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?.0,
        None => host.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

fn is_address(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
}

/// With a host of letters, digits and hyphens alone, as what was filled in may hold anything.
/// Source: cloud-init, `cloudinit/distros/__init__.py` (`_sanitize_mirror_url`).
fn with_clean_host(address: &str) -> Option<String> {
    let host = host(address)?;
    if is_address(host) {
        return Some(address.to_owned());
    }
    let clean = |label: &str| {
        let label = label.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        label.trim_matches('-').to_owned()
    };
    let labels: Vec<String> = host.split('.').map(clean).collect();
    Some(address.replacen(host, &labels.join("."), 1))
}

#[cfg(test)]
mod tests {
    use contract::testing::instance;

    use super::*;

    #[test]
    fn a_template_of_the_image_is_filled_with_where_the_instance_is() {
        let mut here = instance();
        here.platform = "ec2".into();
        here.region = Some("eu-west-1".into());
        here.availability_zone = Some("eu-west-1a".into());
        #[rustfmt::skip]
        let table = [
            ("http://%(ec2_region)s.ec2.archive.ubuntu.com/ubuntu/", Some("http://eu-west-1.ec2.archive.ubuntu.com/ubuntu/")),
            ("http://%(availability_zone)s.x/%(region)s/100%%",      Some("http://eu-west-1a.x/eu-west-1/100%")),
            ("http://archive.example.com/",                          Some("http://archive.example.com/")),
            ("http://%(nosuch)s.x/",                                 None),
            ("http://%region.x/",                                    None),
        ];
        for (template, wanted) in table {
            assert_eq!(filled(template, &here).as_deref(), wanted, "{template}");
        }
        here.platform = "nocloud".into();
        assert_eq!(filled("http://%(ec2_region)s.x/", &here), None);
    }

    #[test]
    fn a_zone_has_a_region_of_ec2_unless_it_is_a_local_one() {
        #[rustfmt::skip]
        let table = [
            ("us-east-1b", Some("us-east-1")), ("us-gov-west-1a", Some("us-gov-west-1")), ("us-west-2-lax-1a", None),
            ("us-east-1", None), ("use-east-1a", None), ("us-1a", None), ("us-east-12a", None), ("", None),
        ];
        for (zone, region) in table {
            assert_eq!(region_of(zone), region, "{zone}");
        }
    }

    #[test]
    fn the_host_of_an_address_is_what_is_looked_up() {
        #[rustfmt::skip]
        let table = [
            ("http://a.example.com/x",            Some("a.example.com")),
            ("http://me:pw@a.example.com:8080/x", Some("a.example.com")),
            ("http://[fd00::1]:80/",              Some("fd00::1")),
            ("http://10.0.0.1",                   Some("10.0.0.1")),
            ("a.example.com/x",                   None),
            ("http:///x",                         None),
        ];
        for (address, wanted) in table {
            assert_eq!(host(address), wanted, "{address}");
        }
        let clean = with_clean_host("http://-a_b.ex mple-.com/p_q");
        assert_eq!(clean.as_deref(), Some("http://a-b.ex-mple.com/p_q"));
    }
}
