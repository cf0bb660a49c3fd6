//! What the built binary makes of a metadata service that misbehaves, or of what stands at its
//! address instead.

mod support;

use std::net::TcpListener;

use lab::{Imds, Mood};
use support::cloud::{INSTANCE, Machine, instance};

/// Short enough for a test, long enough for the few pauses that a passing trouble costs.
const SETTINGS: &str = "max_wait: 8, timeout: 2";
/// For what cannot end well.
const SHORT: &str = "max_wait: 1.5, timeout: 0.5";

#[test]
fn a_passing_trouble_costs_time_and_nothing_else() {
    #[rustfmt::skip]
    let table = [
        // Each thing asked for is refused once, with a second to wait.
        ("throttled",                  Mood::Throttles(1)),
        ("reset in the middle, once",  Mood::Resets(1)),
        ("reset in the middle, twice", Mood::Resets(2)),
        ("tokens that die at once",    Mood::Forgetful(1)),
        ("tokens that die soon",       Mood::Forgetful(3)),
    ];
    for (trouble, mood) in table {
        let imds = Imds::start(instance("1", "replicate-every=1min"), mood);
        let machine = Machine::new(&imds.urls(), SETTINGS);
        let apply = machine.firstlight(&["apply"]);
        assert_eq!(apply.code, 0, "{trouble}: {apply:?}");
        assert_eq!(machine.instance_id(), INSTANCE, "{trouble}");
        assert_eq!(machine.text("etc/hostname").trim(), "ip-172-16-34-41");
        let env = machine.text("run/firstlight/role.env");
        assert!(env.contains("FIRSTLIGHT_GROUP=1min\n"), "{trouble}: {env}");
        let odd = imds.asked().iter().any(|asked| asked.status != 200);
        assert!(odd, "{trouble}: nobody had any");
        assert!(!format!("{apply:?}").contains("token-0="), "{trouble}");
    }
}

#[test]
fn a_service_that_is_none_is_named_as_such_changes_nothing_and_is_asked_again_next_time() {
    #[rustfmt::skip]
    let table = [
        // mood              what is said                                             requests at most
        (Mood::Disabled,      "modify-instance-metadata-options",                        1),
        (Mood::NoSessions,    "Ec2: the session token was answered with status 404",     1),
        (Mood::Redirects,     "Ec2: user-data was answered with status 302",            18),
        (Mood::WebPage,       "instance-id cannot be used",                             18),
        (Mood::Huge,          "Ec2: meta-data/instance-id is larger than 64 KiB",       18),
        (Mood::Forgetful(0),  "Ec2: user-data was answered with status 401",            50),
        (Mood::CutsShort,     "the answer was cut short",                              100),
        (Mood::Resets(99),    "reset",                                                 100),
        (Mood::Slow,          "the request took longer than",                          100),
        (Mood::Throttles(99), "status 503",                                            100),
    ];
    for (mood, says, most) in table {
        let imds = Imds::start(instance("0", ""), mood);
        let machine = Machine::new(&imds.urls(), SHORT);
        let before = machine.files();
        let apply = machine.firstlight(&["apply"]);
        assert_eq!(apply.code, 1, "{mood:?}: {apply:?}");
        assert!(apply.stderr.contains(says), "{mood:?}: {apply:?}");
        assert_eq!(machine.files(), before, "{mood:?}");
        let count = imds.asked().len();
        assert!(count <= most, "{mood:?}: {count} requests");
        assert_eq!(machine.firstlight(&["status"]).code, 1, "{mood:?}");

        imds.set_mood(Mood::Fair);
        let apply = machine.firstlight(&["apply"]);
        assert_eq!(apply.code, 0, "{mood:?}, then fair: {apply:?}");
        assert_eq!(machine.instance_id(), INSTANCE, "{mood:?}, then fair");
        assert_eq!(machine.text("etc/hostname").trim(), "ip-172-16-34-40");
    }
}

#[test]
fn readers_whose_token_dies_while_they_read_ask_for_one_new_token_together() {
    // Of 18 items nine are answered with the first token, the others with the second one.
    let imds = Imds::start(instance("1", ""), Mood::Forgetful(9));
    let apply = Machine::new(&imds.urls(), SETTINGS).firstlight(&["apply"]);
    assert_eq!(apply.code, 0, "{apply:?}");
    let asked = imds.asked();
    let tokens = asked.iter().filter(|asked| asked.method == "PUT").count();
    assert_eq!(tokens, 2, "{asked:?}");
}

#[test]
fn user_data_over_the_limit_is_refused_with_the_limit_and_the_machine_becomes_itself() {
    let big = format!("#cloud-config\n# {}\n", "x".repeat(70 * 1024));
    let imds = Imds::start(instance("0", &big), Mood::Fair);
    let machine = Machine::new(&imds.urls(), SETTINGS);
    let apply = machine.firstlight(&["apply"]);
    assert_eq!(apply.code, 1, "{apply:?}");
    let status = machine.firstlight(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    let says = "user-data is larger than 64 KiB, and nothing of it is used";
    assert!(status.stderr.contains(says), "{status:?}");
    assert_eq!(machine.instance_id(), INSTANCE);
    assert_eq!(machine.text("etc/hostname").trim(), "ip-172-16-34-40");
}

#[test]
fn the_address_that_answers_is_used_whatever_the_other_one_does() {
    let Some(v6) = lab::ipv6_loopback() else {
        return;
    };
    // Connections are made, since the kernel makes them, and nothing ever comes.
    let silent =
        [TcpListener::bind(lab::LOOPBACK), TcpListener::bind(v6)].map(|listener| listener.unwrap());
    let [silent4, silent6] = silent.each_ref().map(|listener| {
        let address = listener.local_addr();
        format!("http://{}", address.unwrap())
    });
    let refusing = |host: &str| format!("http://{host}:1");
    #[rustfmt::skip]
    let table = [
        // the other address                             it stands first
        (None,                                           false),
        (Some(refusing("127.0.0.1")),                    true),
        (Some(refusing("[::1]")),                        true),
        (Some(refusing("[::1]")),                        false),
        (Some(silent4),                                  true),
        (Some(silent6),                                  true),
    ];
    for (other, first) in table {
        for good in [lab::LOOPBACK, v6] {
            let imds = Imds::with(lab::Setup {
                tree: instance("0", ""),
                listen: vec![good],
                ..lab::Setup::default()
            });
            let imds = imds.unwrap();
            let mut urls = imds.urls();
            urls.extend(other.clone());
            if first {
                urls.reverse();
            }
            let machine = Machine::new(&urls, SETTINGS);
            let apply = machine.firstlight(&["apply"]);
            assert_eq!(apply.code, 0, "{urls:?}: {apply:?}");
            assert_eq!(machine.instance_id(), INSTANCE, "{urls:?}");
            let asked = imds.asked();
            assert!(asked.iter().all(|asked| asked.status == 200), "{asked:#?}");
        }
    }
}
