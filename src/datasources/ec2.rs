//! `Ec2`: the instance metadata service of Amazon EC2, and of clouds that speak as it does.

mod crawl;
mod identity;
mod metadata;
mod service;
mod settings;

use std::path::Path;
use std::time::Duration;

use contract::config::Config;
use contract::datasource::{Datasource, Detection, Found, SourceContext, SourceError};
use contract::machine::Probe;
use contract::secret::Secret;
use contract::yaml::Placed;
use net::imds::ENDPOINTS;
use net::s3::RoleSource;

/// The name in `datasource_list` and of the settings section.
pub(crate) const NAME: &str = "Ec2";

/// How long credentials are waited for at most.
const ROLE_BUDGET: Duration = Duration::from_secs(60);

/// The data source.
pub struct Ec2;

impl Datasource for Ec2 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn detect(&self, ctx: &SourceContext<'_>) -> Detection {
        detect(ctx)
    }

    fn named(&self, ctx: &SourceContext<'_>) -> Option<String> {
        identity::named_service(&settings::Settings::of(ctx.config).ok()?)
    }

    fn fetch(&self, ctx: &SourceContext<'_>) -> Result<Found, SourceError> {
        let service = service::Network::new(&access(ctx.config)?)?;
        metadata::read(&service, has_disks(ctx.probe))
    }
}

/// What came of asking for one item: its bytes, or `None` if the service has no such item (404).
pub type Answer = Result<Option<Secret<Vec<u8>>>, SourceError>;

/// The metadata service, as far as this data source needs it.
pub trait Service {
    /// Asks for all items at once, and answers in their order.
    ///
    /// An item is a path below the version: `meta-data/instance-id`, `user-data`.
    fn get_all(&self, items: &[String]) -> Vec<Answer>;
}

/// How the service is reached.
#[derive(Debug)]
pub struct Access {
    /// Where it is, instead of its link-local addresses.
    pub urls: Option<Placed<Vec<String>>>,
    /// The budget of everything together.
    pub max_wait: Duration,
    /// The budget of one request.
    pub timeout: Duration,
}

impl Access {
    /// Where the service is: what the image says, or its link-local addresses.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        match &self.urls {
            Some(urls) => urls.value.clone(),
            None => ENDPOINTS.map(str::to_owned).to_vec(),
        }
    }
}

/// Whether the service may be asked on this machine, with the evidence. Sends no packet.
#[must_use]
pub fn detect(ctx: &SourceContext<'_>) -> Detection {
    identity::detect(ctx)
}

/// What the image says about how to reach the service.
///
/// # Errors
/// A setting that is not what it should be, with its place.
pub fn access(config: &Config) -> Result<Access, SourceError> {
    let settings = settings::Settings::of(config)?;
    Ok(Access {
        urls: settings.metadata_urls,
        max_wait: settings.max_wait,
        timeout: settings.timeout,
    })
}

/// Who hands out the credentials of this machine's role; `None` where no metadata service may be
/// asked. Sends no packet.
#[must_use]
pub fn role_source(ctx: &SourceContext<'_>) -> Option<RoleSource> {
    let Detection::Yes(_) = detect(ctx) else {
        return None;
    };
    let access = access(ctx.config).ok()?;
    Some(RoleSource {
        urls: access.urls(),
        // The service has answered before: what asks for credentials need not wait for its start.
        budget: access.max_wait.min(ROLE_BUDGET),
        patience: access.timeout,
    })
}

/// Everything that the boot needs, in two rounds: all items, then the launch keys.
///
/// # Errors
/// When the instance id or the user data cannot be had: without them nothing may be decided. User
/// data that is too large is refused, and that alone. What else is missing or odd is a warning.
pub fn read(service: &dyn Service) -> Result<Found, SourceError> {
    metadata::read(service, true)
}

/// Whether the machine has a disk beside the one that it runs from, by what the kernel calls them
/// (sd, nvme, xvd, vd): only then somebody may want to know under which names they were attached.
fn has_disks(probe: &dyn Probe) -> bool {
    let names = probe.list(Path::new("/sys/block"));
    let names = names.ok().flatten().unwrap_or_default();
    let is_disk = |name: &&String| {
        ["sd", "nvme", "xvd", "vd"]
            .iter()
            .any(|kind| name.starts_with(kind))
    };
    names.iter().filter(is_disk).count() > 1
}

/// Everything that the metadata service of this machine says now, as a tree, and what could not be
/// had. Credentials are left out. Whoever has less patience than the image says so.
///
/// # Errors
/// When no metadata service may be asked on this machine, or it does not answer.
pub fn everything(
    ctx: &SourceContext<'_>,
    patience: Option<Duration>,
) -> Result<(serde_json::Value, Vec<String>), SourceError> {
    if let Detection::No(why) = detect(ctx) {
        return Err(SourceError::Settings(format!(
            "there is no metadata service that may be asked: {why}"
        )));
    }
    let mut access = access(ctx.config)?;
    access.max_wait = access.max_wait.min(patience.unwrap_or(access.max_wait));
    crawl::crawl(&service::Network::new(&access)?)
}
