//! What a metadata service answers to the items that it is asked for; and the same as a seed.

use std::cell::RefCell;

use contract::datasource::{Datasource, SourceContext};
use contract::secret::Secret;
use contract::testing::FakeMachine;
use datasources::NoCloud;
use datasources::ec2::{self, Answer, Service};

/// Answers with one piece after the other, and from then on that there is no such item.
struct Pieces<'d>(RefCell<Vec<&'d [u8]>>);

impl Service for Pieces<'_> {
    fn get_all(&self, items: &[String]) -> Vec<Answer> {
        let mut pieces = self.0.borrow_mut();
        let answers = items.iter().map(|_| pieces.pop());
        answers
            .map(|answer| Ok(answer.filter(|bytes| !bytes.is_empty()).map(<[u8]>::to_vec)))
            .map(|answer| answer.map(|bytes| bytes.map(Secret::new)))
            .collect()
    }
}

pub(super) fn run(data: &[u8]) {
    let pieces: Vec<&[u8]> = data.split(|byte| *byte == 0).collect();
    let text = |number: usize| {
        let bytes = pieces.get(number).copied().unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    };
    let seed = "/var/lib/cloud/seed/nocloud";
    let machine = FakeMachine::with(&[
        (&format!("{seed}/meta-data"), text(0)),
        (&format!("{seed}/user-data"), text(1)),
        (&format!("{seed}/vendor-data"), text(2)),
    ]);
    let context = SourceContext {
        probe: &machine,
        config: &contract::config::Config::default(),
    };
    let _ = NoCloud.detect(&context);
    let found = [
        NoCloud.fetch(&context),
        ec2::read(&Pieces(RefCell::new(pieces.into_iter().rev().collect()))),
    ];
    for found in found.into_iter().flatten() {
        let _ = engine::report_file::instance_files(
            &found.metadata,
            &contract::params::Params::default(),
        );
    }
}
