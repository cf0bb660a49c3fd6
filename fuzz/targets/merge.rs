//! Two or more cloud-configs, each with how it says that it is merged into those before it.

use std::fmt::Write as _;

use contract::user_data::{UserData, VendorData};
use engine::image::Image;
use engine::settings::Settings;

use super::support;

/// No input that a fuzzer writes says this by accident.
const BOUNDARY: &str = "=-=-=";

/// A zero byte ends a document; what stands after `\u{1}` in it is its header `Merge-Type`.
pub(super) fn run(data: &[u8]) {
    let mut message =
        format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\n\n");
    for piece in support::pieces(data) {
        let (text, how) = piece.split_once('\u{1}').unwrap_or((piece, ""));
        let how = how.replace(['\r', '\n'], " ");
        let _ = write!(
            message,
            "--{BOUNDARY}\nContent-Type: text/cloud-config\nMerge-Type: {how}\n\n{text}\n"
        );
    }
    let _ = writeln!(message, "--{BOUNDARY}--");
    let data = UserData::new(message.into_bytes());
    let vendor = VendorData {
        first: Some(data.clone()),
        second: Some(data.clone()),
    };
    let instance = support::instance();
    let settings = Settings::default();
    let prepared = engine::prepare(&Image::default(), &settings, &instance, &data, &vendor);
    support::problems(&prepared.problems);
}
