//! What decoding costs: user data as large as EC2 takes it, from its bytes to a configuration.
#![allow(missing_docs, reason = "the macro's function has none")]

use std::hint::black_box;

use contract::instance::InstanceMetadata;
use contract::user_data::{UserData, VendorData};
use criterion::{Criterion, criterion_group, criterion_main};
use engine::image::Image;
use engine::settings::Settings;
use engine::{Prepared, prepare};

/// The largest user data of an EC2 instance, in bytes. Source: EC2 User Guide, "Work with instance
/// user data".
const SIZE: usize = 16 * 1024;
const PARTS: usize = 10;

const HEAD: &str = "Content-Type: multipart/mixed; boundary=\"part\"\nMIME-Version: 1.0\n\n";
const CONFIG: &str = "#cloud-config
users:
  - default
  - name: deploy
    groups: [adm, www-data]
    shell: /bin/bash
    sudo: 'ALL=(ALL) NOPASSWD:ALL'
    ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFake deploy@example.com]
write_files:
  - path: /etc/app/settings.ini
    permissions: '0640'
    content: |
      [server]
      listen = 127.0.0.1:8080
      workers = 4
packages: [nginx, jq, unzip]
runcmd:
  - systemctl enable --now nginx
  - [sh, -c, 'echo ready > /run/app.ready']
";
const SCRIPT: &str = "#!/bin/sh\nset -eu\necho ready >/run/app.ready\n";

/// As many configurations as scripts, the scripts with as much comment as makes `SIZE` of it all.
fn multipart() -> Vec<u8> {
    let scripts = PARTS / 2;
    let make = |padding: usize| {
        let mut text = HEAD.to_owned();
        for _ in 0..scripts {
            text.push_str("--part\nContent-Type: text/cloud-config\n\n");
            text.push_str(CONFIG);
            text.push_str("--part\nContent-Type: text/x-shellscript\n\n");
            text.push_str(SCRIPT);
            text.push_str(&"# a line of comment\n".repeat(padding));
        }
        text + "--part--\n"
    };
    let room = SIZE - make(0).len();
    let mut text = make(room / scripts / "# a line of comment\n".len());
    // What is after the last boundary belongs to no part.
    text.push_str(&"\n".repeat(SIZE - text.len()));
    text.into_bytes()
}

fn decode(data: &UserData, instance: &InstanceMetadata) -> Prepared {
    prepare(
        &Image::default(),
        &Settings::default(),
        instance,
        data,
        &VendorData::default(),
    )
}

fn user_data(criterion: &mut Criterion) {
    let Ok(id) = "i-0123456789abcdef0".parse() else {
        unreachable!("this is an instance id");
    };
    let instance = InstanceMetadata::new(id, "ec2");
    let data = UserData::new(multipart());
    let decoded = decode(&data, &instance);
    // Time is only worth measuring if the work was done.
    assert_eq!(data.bytes().len(), SIZE);
    assert_eq!(
        (decoded.parts.len(), decoded.scripts.len()),
        (PARTS, PARTS / 2)
    );
    assert!(decoded.problems.is_empty(), "{:?}", decoded.problems);

    criterion.bench_function("user data: 16 KiB, 10 parts", |bencher| {
        bencher.iter(|| decode(black_box(&data), &instance));
    });
    let data = UserData::new(b"bucket=acme-site\ncluster=blue".to_vec());
    criterion.bench_function("user data: two parameters", |bencher| {
        bencher.iter(|| decode(black_box(&data), &instance));
    });
}

criterion_group!(benches, user_data);
criterion_main!(benches);
