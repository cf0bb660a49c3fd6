//! The files of an image and the kernel command line, with templates; then launch parameters in
//! the format that the image names.

use contract::testing::FakeMachine;
use contract::user_data::{UserData, VendorData};
use engine::settings::Settings;

use super::support;

/// In the order of the pieces of an input.
const FILES: [&str; 5] = [
    "/etc/firstlight/config.yaml",
    "/etc/firstlight/config.d/10-x.yaml",
    "/etc/cloud/cloud.cfg",
    "/etc/cloud/cloud.cfg.d/10-x.cfg",
    "/proc/cmdline",
];

pub(super) fn run(data: &[u8]) {
    let mut pieces = support::pieces(data);
    let parameters = pieces.next().unwrap_or_default();
    let files: Vec<(&str, &str)> = FILES.into_iter().zip(pieces).collect();
    let machine = FakeMachine::with(&files);
    let image = engine::image::load(&machine);
    let (settings, odd) = Settings::of(&image.config);
    let data = UserData::new(parameters.into());
    let prepared = engine::prepare(
        &image,
        &settings,
        &support::instance(),
        &data,
        &VendorData::default(),
    );
    support::problems(&image.problems);
    support::problems(&odd);
    support::problems(&prepared.problems);
    let _ = engine::report_file::instance_files(&support::instance(), &prepared.params);
}
