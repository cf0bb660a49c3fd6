//! User data as bytes, from its decoding to what every module plans.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contract::module::Context;
use contract::testing::FakeMachine;
use contract::user_data::{UserData, VendorData};
use engine::settings::Settings;

use super::support;

/// Everything that an image may switch on for its user data.
const IMAGE: &str = "firstlight: {user_data: {parameters: {format: auto, \
                     select_by_launch_index: {delimiter: '|', first_index: 1}}}}\n\
                     content: [{source: 'file:///{{ params.bucket }}', dest: '/srv/{{ role }}'}]\n\
                     vendor_data: {enabled: true}\n";

pub(super) fn run(data: &[u8]) {
    // What comes after the first byte is as it is, zipped, or in base64.
    let Some((how, data)) = data.split_first() else {
        return;
    };
    let bytes = match how {
        b'z' => support::gzip(data),
        b'b' => STANDARD.encode(data).into_bytes(),
        b'B' => STANDARD.encode(support::gzip(data)).into_bytes(),
        _ => data.to_vec(),
    };
    let instance = support::instance();
    let machine = FakeMachine::with(&[("/etc/firstlight/config.yaml", IMAGE)]);
    let image = engine::image::load(&machine);
    let (settings, _) = Settings::of(&image.config);
    let data = UserData::new(bytes);
    let vendor = VendorData {
        first: (*how == b'v').then(|| data.clone()),
        second: (*how == b'w').then(|| data.clone()),
    };
    let prepared = engine::prepare(&image, &settings, &instance, &data, &vendor);
    let cloud_init = engine::module_list::CloudInit {
        modules: modules::CLOUD_INIT,
        renamed: modules::RENAMED,
    };
    let (entries, _) = engine::module_list::wanted(modules::TABLE, cloud_init, &prepared.config);
    let context = Context {
        instance: &instance,
        config: &prepared.config,
        params: &prepared.params,
        scripts: &prepared.scripts,
        handlers: &prepared.handlers,
        instance_dir: Path::new("/var/lib/firstlight/instances/i-1"),
        scripts_dir: Path::new("/var/lib/firstlight/instances/i-1/scripts"),
        ask: &contract::custom::Nobody,
        probe: &machine,
        render: engine::render,
    };
    for entry in entries {
        support::shown(&entry.plan(&context));
    }
    support::problems(&prepared.problems);
    let _ = engine::report_file::instance_files(&instance, &prepared.params);
}
