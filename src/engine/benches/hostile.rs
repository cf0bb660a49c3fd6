//! What input costs that was made to be expensive: the processor's time, and memory held at the same time, each in
//! a process of its own. One that costs too much fails.
//!
//! `cargo bench -p engine --bench hostile [PART OF A NAME]`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers"
)]

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cap::Cap;
use contract::testing::{FakeMachine, instance};
use contract::user_data::{UserData, VendorData};
use contract::yaml::{Limits, Text, parse};
use engine::json_patch::Patch;
use engine::settings::Settings;
use engine::{Prepared, image, prepare};
use flate2::Compression;
use flate2::write::GzEncoder;

/// No input makes firstlight work longer, in milliseconds, or hold more, in bytes.
const MOST_TIME: usize = 1000;
const MOST_MEMORY: usize = 64 << 20;

#[global_allocator]
static HEAP: Cap<std::alloc::System> = Cap::new(std::alloc::System, usize::MAX);

/// A name, what is made of an input and shown, and the input.
type Case = (&'static str, fn(Vec<u8>) -> String, fn() -> Vec<u8>);

#[rustfmt::skip]
const CASES: [Case; 30] = [
    ("gzip: 10 GiB in a part, from 16 KiB",          user_data, ten_gibibytes),
    ("gzip: 60 MiB of one byte",                     user_data, || gzip(&vec![b'a'; 60 << 20])),
    ("gzip: 16 MiB of one YAML scalar",              user_data, || yaml("a: ", "x", MUCH)),
    ("gzip: 16 MiB of nothing known",                user_data, || gzip(&vec![b'a'; MUCH])),
    ("gzip: 16 MiB of a script",                     user_data, || gzip(format!("#!/bin/sh\r\n{}", "\r\n".repeat(MUCH / 2)).as_bytes())),
    ("gzip: in a part, 200 times 16 MiB",            user_data, zipped_parts),
    ("MIME: nested 1000 deep",                       user_data, || nested_mime(1000)),
    ("MIME: messages nested 1000 deep",              user_data, || nested_messages(1000)),
    ("MIME: 2 MiB, nested 50,000 deep",              user_data, || gzip(&nested_mime(50_000))),
    ("MIME: 5 MiB, messages nested 100,000 deep",    user_data, || gzip(&nested_messages(100_000))),
    ("MIME: 16 MiB of empty parts",                  user_data, || gzip(&parts_of("", MUCH / 5))),
    ("MIME: 16 MiB of headers",                      user_data, || gzip(format!("MIME-Version: 1.0\n{}\n", "a: b\n".repeat(MUCH / 5)).as_bytes())),
    ("MIME: one header of 16 MiB",                   user_data, || gzip(format!("MIME-Version: 1.0\nSubject: {}\n\n", "=?utf-8?q?a?= ".repeat(MUCH / 14)).as_bytes())),
    ("YAML: flow nested 30,000 deep",                user_data, || yaml("", "[", 30_000)),
    ("YAML: block nested 300 deep",                  user_data, || yaml(&(0..300).fold(String::new(), |text, depth| text + &" ".repeat(depth) + "a:\n"), "", 0)),
    ("YAML: aliases of aliases of lists",            user_data, || yaml(&laughs(), "", 0)),
    ("YAML: 7,500 aliases of 30 KB of text",         user_data, || yaml(&format!("a: &a {}\nb:\n", "x".repeat(30_000)), "- *a\n", 7_500)),
    ("YAML: 10,000 merge keys",                      user_data, || yaml(&merge_keys(10_000), "", 0)),
    ("YAML: 8,000,000 list entries",                 user_data, || yaml("a:\n", "-\n", MUCH / 2)),
    ("YAML: 240,000 list entries",                   user_data, || yaml("a:\n", "- 1\n", 240_000)),
    ("YAML: 20,000 keys",                            user_data, || yaml(&keys(20_000, ""), "", 0)),
    ("YAML: 10,000 keys given twice",                user_data, || yaml(&(keys(10_000, "") + &keys(10_000, "")), "", 0)),
    ("YAML: 20,000 keys that are lists",             user_data, || yaml(&(0..20_000).fold(String::new(), |text, n| text + &format!("? [{n}]\n: 1\n")), "", 0)),
    ("merge: 10,000 keys into 10,000",               user_data, || gzip(&parts_of(&format!("\n#cloud-config\nmerge_how: dict(recurse_dict)+list()+str()\na:\n{}", keys(10_000, "  ")), 2))),
    ("merge: 200 lists of 30,000",                   user_data, || gzip(&parts_of(&format!("\n#cloud-config\nmerge_how: list(append)+dict(recurse_list)\na:\n{}\n", "- 1\n".repeat(30_000)), 100))),
    ("parameters: 15,000 lines",                     user_data, || (0..15_000).fold(String::new(), |text, n| text + &format!("p{n}=1\n")).into_bytes()),
    ("parameters: 60 KB of separators",              user_data, || "a=1;,".repeat(12_000).into_bytes()),
    ("patch: 10,000 entries before 200,000",         patch, || [&operations(r#"{"op":"add","path":"/a/0","value":1}"#), b"a: [".as_slice(), "1,".repeat(200_000).as_bytes(), b"]"].concat()),
    ("patch: 10,000 copies of 1 MiB of text",        patch, || [&operations(r#"{"op":"copy","from":"/a","path":"/l/0"}"#), b"l: []\na: ".as_slice(), "x".repeat(1 << 20).as_bytes()].concat()),
    ("template: a loop in a loop in a loop",         template, || "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}".into()),
];

/// As much as user data may be when it is unpacked, with some room for what is around it.
const MUCH: usize = (16 << 20) - 1000;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let first = arguments.next().unwrap_or_default();
    if first == "--case" {
        let number: usize = arguments.next().unwrap().parse().unwrap();
        let (_, run, _) = CASES.into_iter().nth(number).unwrap();
        let mut input = Vec::new();
        std::io::stdin().read_to_end(&mut input).unwrap();
        let (size, begin) = (input.len(), worked());
        let outcome = run(input);
        let time = worked().saturating_sub(begin).as_millis();
        println!("{time}\t{}\t{size} bytes, {outcome}", HEAP.max_allocated());
        return ExitCode::SUCCESS;
    }
    println!("{:>8} {:>8}  input: what comes of it", "ms", "MiB");
    let mut is_good = true;
    for (number, (name, _, input)) in CASES.into_iter().enumerate() {
        if !name.contains(&first) {
            continue;
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--case", &number.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&input()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut said = said.trim_end().splitn(3, '\t');
        let mut number = || said.next().and_then(|text| text.parse::<usize>().ok());
        let (time, memory) = (number(), number());
        let outcome: String = said.next().unwrap_or("it died").chars().take(100).collect();
        let is_well = time.is_some_and(|time| time <= MOST_TIME)
            && memory.is_some_and(|memory| memory <= MOST_MEMORY);
        is_good &= is_well;
        let verdict = if is_well { "" } else { "  TOO MUCH" };
        let (time, memory) = (time.unwrap_or(0), memory.unwrap_or(0) >> 20);
        println!("{time:>8} {memory:>8}  {name}: {outcome}{verdict}");
    }
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// How long this thread had a processor: on a busy machine that is not how long it took. Source:
/// <https://docs.kernel.org/scheduler/sched-stats.html>.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = text.split(' ').next().unwrap();
    Duration::from_nanos(nanoseconds.parse().unwrap())
}

// --- ways in ----------------------------------------------------------------------------------

fn user_data(bytes: Vec<u8>) -> String {
    let data = UserData::new(bytes);
    let machine = FakeMachine::default();
    let image = image::load(&machine);
    let prepared = prepare(
        &image,
        &Settings::default(),
        &instance(),
        &data,
        &VendorData::default(),
    );
    outcome(&prepared)
}

fn template(text: Vec<u8>) -> String {
    let text = String::from_utf8(text).unwrap();
    let file = format!("content: [{{source: '{text}'}}]");
    let machine = FakeMachine::with(&[("/etc/firstlight/config.yaml", &file)]);
    let image = image::load(&machine);
    let data = UserData::default();
    let prepared = prepare(
        &image,
        &Settings::default(),
        &instance(),
        &data,
        &VendorData::default(),
    );
    let section = prepared.config.section::<Text>(&["content"]);
    section
        .err()
        .and_then(|problems| Some(problems.first()?.to_string()))
        .unwrap_or_default()
}

/// A patch in its first line, and the document behind it.
fn patch(text: Vec<u8>) -> String {
    let text = String::from_utf8(text).unwrap();
    let (patch, document) = text.split_once('\n').unwrap();
    let document = parse(document, "document", &Limits::default()).unwrap();
    let patch = Patch::parse(patch, "patch", 1).unwrap();
    match patch.apply(&document.value) {
        Ok(_) => "applied".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn outcome(prepared: &Prepared) -> String {
    match prepared.problems.first() {
        Some(problem) => problem.to_string(),
        None => format!(
            "{} parts, {} parameters",
            prepared.parts.len(),
            prepared.params.iter().count()
        ),
    }
}

fn yaml(begin: &str, more: &str, times: usize) -> Vec<u8> {
    gzip(format!("#cloud-config\n{begin}{}", more.repeat(times)).as_bytes())
}

fn operations(one: &str) -> Vec<u8> {
    format!("[{}]\n", vec![one; 10_000].join(",")).into_bytes()
}

// --- what goes in -----------------------------------------------------------------------------

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn parts_of(part: &str, times: usize) -> Vec<u8> {
    let mut text = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n".to_owned();
    for _ in 0..times {
        let _ = write!(text, "--b\n{part}\n");
    }
    text.into_bytes()
}

/// One layer of deflate gives 1032 times as much at most, 16 MiB from 16 KiB. So it takes two: a
/// message, packed, with a part of 640 gzip members that are 16 MiB of zeros each.
fn ten_gibibytes() -> Vec<u8> {
    let member = gzip(&vec![0; 16 << 20]);
    let mut text = b"MIME-Version: 1.0\nContent-Type: application/gzip\n\n".to_vec();
    for _ in 0..640 {
        text.extend_from_slice(&member);
    }
    let packed = gzip(&text);
    assert!(packed.len() <= 16 << 10, "{} bytes", packed.len());
    packed
}

fn zipped_parts() -> Vec<u8> {
    let inner = STANDARD.encode(gzip(&vec![b'#'; MUCH]));
    let part =
        format!("Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n{inner}");
    gzip(&parts_of(&part, 200))
}

fn nested_mime(depth: usize) -> Vec<u8> {
    let mut text = "MIME-Version: 1.0\n".to_owned();
    for level in 0..depth {
        let _ = write!(
            text,
            "Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"
        );
    }
    text += "\n#!/bin/sh\n";
    text.into_bytes()
}

fn nested_messages(depth: usize) -> Vec<u8> {
    let head = "MIME-Version: 1.0\nContent-Type: message/rfc822\n\n";
    (head.repeat(depth) + "#!/bin/sh\n").into_bytes()
}

fn laughs() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        let _ = writeln!(text, "a{level}: &a{level} [{aliases}]");
    }
    text
}

fn merge_keys(number: usize) -> String {
    let mut text = "base: &a {a: 1, b: 2, c: 3}\n".to_owned();
    for level in 0..number {
        let _ = writeln!(text, "k{level}: {{<<: *a, <<: *a, x{level}: 1}}");
    }
    text
}

fn keys(number: usize, indent: &str) -> String {
    (0..number).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{indent}k{n}: 1");
        text
    })
}
