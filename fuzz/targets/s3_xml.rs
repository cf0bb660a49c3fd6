//! What a server answers that says it is S3.

use net::s3::list;

pub(super) fn run(data: &[u8]) {
    let _ = list::page(data);
    let _ = list::refusal(data);
}
