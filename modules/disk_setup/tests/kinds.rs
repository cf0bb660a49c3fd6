//! A disk whose table is of the one kind, when the other one is asked for.

use contract::plan::Severity;

use super::{EXT4, Mark, TABLE, commands, plan};
use crate::disk::table::Label;

const SWAP: &[u8] = &[
    0x6d, 0xfd, 0x57, 0x06, 0xab, 0xa4, 0xc4, 0x43, 0x84, 0xe5, 0x09, 0x33, 0xc8, 0x4b, 0x4f, 0x4f,
];
const BASIC: &[u8] = &[
    0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7,
];
/// Two partitions, and the MBR that guards them.
const GPT: [Mark; 6] = [
    super::MBR,
    ("/dev/xvdc", 450, b"\xee"),
    ("/dev/xvdc", 512, b"EFI PART"),
    (
        "/dev/xvdc",
        584,
        &[2, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0],
    ),
    ("/dev/xvdc", 1024, BASIC),
    ("/dev/xvdc", 1152, SWAP),
];

#[test]
fn partitions_that_are_as_they_shall_be_outlast_overwrite_in_a_table_of_either_kind() {
    const DONE: &str = "disk_setup.xvdc: /dev/xvdc has these partitions already";
    let mbr = &TABLE[..];
    // Without its MBR, a GPT is none to the kernel.
    let (gpt, bare) = (&GPT[..], &GPT[2..]);
    #[rustfmt::skip]
    let table: [(Label, &[Mark], &str, &str, bool); 18] = [
        (Label::Gpt, gpt,  "mbr", "true",                  true),
        (Label::Gpt, gpt,  "mbr", "[50, 50]",              true),
        (Label::Gpt, gpt,  "mbr", "[10, 90]",              true),
        (Label::Gpt, gpt,  "mbr", "[100]",                 false),
        (Label::Gpt, gpt,  "mbr", "[[50, 7], [50, 82]]",   true),
        (Label::Gpt, gpt,  "mbr", "[50, [50, 83]]",        false),
        (Label::Gpt, gpt,  "gpt", "true",                  true),
        (Label::Gpt, gpt,  "gpt", "[[50, '07'], [50, 82]]", true),
        (Label::Gpt, gpt,  "gpt", "[50, [50, 83]]",        false),
        (Label::Mbr, mbr,  "gpt", "true",                  true),
        (Label::Mbr, mbr,  "gpt", "[50, 50]",              true),
        (Label::Mbr, mbr,  "gpt", "[[50, 83], [50, 82]]",  true),
        (Label::Mbr, mbr,  "gpt", "[[50, 82], [50, 82]]",  false),
        (Label::Mbr, mbr,  "gpt", "[30, 30, 40]",          false),
        (Label::Mbr, mbr,  "mbr", "[[50, 83], [50, 82]]",  true),
        // Nobody but sgdisk sees that table.
        (Label::Gpt, bare, "mbr", "true",                  false),
        (Label::Gpt, bare, "mbr", "[50, 50]",              false),
        (Label::Gpt, bare, "gpt", "[50, 50]",              true),
    ];
    for (label, marks, kind, layout, is_so) in table {
        let marks = [marks, &EXT4].concat();
        let asked = if kind == "gpt" {
            Label::Gpt
        } else {
            Label::Mbr
        };
        for overwrite in [false, true] {
            let config = format!(
                "disk_setup: {{xvdc: {{table_type: {kind}, layout: {layout}, overwrite: {overwrite}}}}}"
            );
            let plan = plan(&marks, &config);
            assert_eq!(commands(&plan).is_empty(), is_so || !overwrite, "{config}");
            let said: Vec<_> = plan
                .problems
                .iter()
                .map(|it| (it.severity, it.message.starts_with(DONE)))
                .collect();
            let wanted = match (is_so, overwrite) {
                (true, _) if label == asked => vec![],
                (true, _) => vec![(Severity::Notice, true)],
                (false, false) => vec![(Severity::Warning, false)],
                (false, true) => vec![],
            };
            assert_eq!(said, wanted, "{config}: {:?}", plan.problems);
        }
    }
}

#[test]
fn types_of_fat_and_logical_partitions_are_as_the_tools_list_them() {
    let fat: &[Mark] = &[
        super::MBR,
        ("/dev/xvdc", 450, b"\x0c"),
        ("/dev/xvdc", 466, b"\x0f\0\0\0\x02"),
        ("/dev/xvdc", 1024 + 450, b"\x82"),
        ("/dev/xvdc", 1024 + 510, b"\x55\xaa"),
    ];
    #[rustfmt::skip]
    let table = [
        ("gpt", "[[50, '07'], [50, 82]]", true),
        ("gpt", "[30, 30, 40]",           false),
        // sfdisk does not call it extended.
        ("mbr", "[30, 30, 40]",           true),
        ("mbr", "[30, 30, [40, 82]]",     true),
        ("mbr", "[50, 50]",               false),
    ];
    for (kind, layout, is_so) in table {
        let config = format!(
            "disk_setup: {{xvdc: {{table_type: {kind}, layout: {layout}, overwrite: true}}}}"
        );
        assert_eq!(commands(&plan(fat, &config)).is_empty(), is_so, "{config}");
    }
}

#[test]
fn what_guards_a_lost_gpt_is_a_partition_to_the_tool_for_an_mbr_alone() {
    let lost = &GPT[..2];
    #[rustfmt::skip]
    let table = [
        ("mbr", "true",     "true",  true),
        ("mbr", "[100]",    "true",  true),
        ("mbr", "[50, 50]", "true",  false),
        ("gpt", "true",     "true",  false),
        ("gpt", "true",     "false", true),
    ];
    for (kind, layout, overwrite, stays) in table {
        let config = format!(
            "disk_setup: {{xvdc: {{table_type: {kind}, layout: {layout}, overwrite: {overwrite}}}}}"
        );
        assert_eq!(commands(&plan(lost, &config)).is_empty(), stays, "{config}");
    }
}
