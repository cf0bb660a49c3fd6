//! `NoCloud`: a seed directory in the image itself.

use std::io;
use std::path::{Path, PathBuf};

use contract::datasource::{Datasource, Detection, Found, SourceContext, SourceError};
use contract::machine::{FileKind, Probe};

use crate::layout::{self, Files};

/// Where a seed may be, the first one that is there counts. Source of those below /var/lib/cloud:
/// cloud-init, `cloudinit/sources/DataSourceNoCloud.py`.
const DIRECTORIES: [&str; 3] = [
    "/var/lib/firstlight/seed",
    "/var/lib/cloud/seed/nocloud",
    "/var/lib/cloud/seed/nocloud-net",
];

/// cloud-init's data source for machines without a cloud, as far as it is a directory: no disk
/// labelled `cidata` is looked for, and no URL is fetched.
#[derive(Debug)]
pub struct NoCloud;

impl Datasource for NoCloud {
    fn name(&self) -> &'static str {
        "NoCloud"
    }

    fn detect(&self, ctx: &SourceContext<'_>) -> Detection {
        match self.named(ctx) {
            Some(why) => Detection::Yes(why),
            None => Detection::No(format!("no seed in {}", DIRECTORIES.join(", "))),
        }
    }

    fn named(&self, ctx: &SourceContext<'_>) -> Option<String> {
        let dir = directory(ctx.probe)?;
        Some(format!("{} is there", dir.display()))
    }

    fn fetch(&self, ctx: &SourceContext<'_>) -> Result<Found, SourceError> {
        let first = || PathBuf::from(DIRECTORIES[0]);
        let dir = directory(ctx.probe).unwrap_or_else(first);
        layout::fetch(&dir, &ProbeFiles(ctx.probe), "nocloud")
    }
}

/// A link counts: whoever bakes an image may link the seed to where it is kept.
fn directory(probe: &dyn Probe) -> Option<PathBuf> {
    let seeded = |dir: &str| {
        let file = Path::new(dir).join(layout::META_DATA);
        matches!(probe.kind(&file), Ok(Some(FileKind::File | FileKind::Link)))
    };
    DIRECTORIES
        .iter()
        .find(|dir| seeded(dir))
        .map(PathBuf::from)
}

struct ProbeFiles<'a>(&'a dyn Probe);

impl Files for ProbeFiles<'_> {
    fn read(&self, path: &Path, _: usize) -> io::Result<Option<Vec<u8>>> {
        self.0.read(path)
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, config};

    use super::*;

    #[test]
    fn a_seed_in_the_image_is_found_and_read() {
        for dir in DIRECTORIES {
            let meta_data = format!("{dir}/meta-data");
            let user_data = format!("{dir}/user-data");
            let machine = FakeMachine::with(&[
                (&meta_data, "instance-id: i-one\n"),
                (&user_data, "#!/bin/sh\n"),
            ]);
            let config = config("");
            let ctx = SourceContext {
                probe: &machine,
                config: &config,
            };
            assert_eq!(
                NoCloud.detect(&ctx),
                Detection::Yes(format!("{dir} is there"))
            );
            let found = NoCloud.fetch(&ctx).unwrap();
            assert_eq!(found.metadata.instance_id.as_str(), "i-one");
            assert_eq!(found.metadata.platform, "nocloud");
            assert_eq!(found.user_data.bytes(), b"#!/bin/sh\n");
        }
    }

    #[test]
    fn a_machine_without_a_seed_is_not_its_machine() {
        let (machine, config) = (FakeMachine::default(), config(""));
        let ctx = SourceContext {
            probe: &machine,
            config: &config,
        };
        assert!(matches!(NoCloud.detect(&ctx), Detection::No(_)));
        assert!(matches!(
            NoCloud.fetch(&ctx),
            Err(SourceError::Missing { .. })
        ));
    }
}
