use super::*;

#[test]
fn the_distributions_sources_are_made_from_the_images_template_for_the_mirrors() {
    let config = "apt: {primary: [{arches: [default], uri: http://m.example.com/debian}]}";
    let both = plan(&[DEBIAN, TEMPLATE, LINES], config);
    assert_eq!(said(&both), [""; 0]);
    assert_eq!(
        both.lines(),
        [
            format!("file {DEBIAN_SOURCES} (0644)"),
            "no file /etc/apt/sources.list".to_owned()
        ]
    );
    assert_eq!(
        both.text_of(DEBIAN_SOURCES).unwrap(),
        "Types: deb\nURIs: http://m.example.com/debian\nSuites: trixie trixie-updates\n\n\
         Types: deb\nURIs: http://m.example.com/debian\nSuites: trixie-security\n"
    );
    let without = plan(&[DEBIAN, LINES], config);
    assert_eq!(without.steps, []);
    assert_eq!(
        said(&without),
        [
            "apt: there is no template in /etc/cloud/templates to make sources from (give one as `sources_list`)"
        ]
    );
    let kept = plan(
        &[DEBIAN, TEMPLATE, LINES],
        &config.replace("{primary", "{preserve_sources_list: true, primary"),
    );
    assert_eq!(kept, Plan::nothing());
}

#[test]
fn a_template_of_ones_own_goes_where_its_form_belongs() {
    let lines = plan(
        &[UBUNTU, UBUNTU_TEMPLATE, LINES],
        "apt: {disable_suites: [security], sources_list: \"deb $MIRROR $RELEASE main\\ndeb $SECURITY $RELEASE-security main\\n\"}",
    );
    assert_eq!(lines.lines(), ["file /etc/apt/sources.list (0644)"]);
    let wanted = match distribution::debian_architecture() {
        "amd64" => {
            "deb http://archive.ubuntu.com/ubuntu/ noble main\n\
                    # suite disabled by firstlight: deb http://security.ubuntu.com/ubuntu/ noble-security main\n"
        }
        _ => {
            "deb http://ports.ubuntu.com/ubuntu-ports noble main\n\
              # suite disabled by firstlight: deb http://ports.ubuntu.com/ubuntu-ports noble-security main\n"
        }
    };
    assert_eq!(lines.text_of("/etc/apt/sources.list").unwrap(), wanted);
    let paragraphs = plan(
        &[UBUNTU, LINES],
        "apt: {primary: [{arches: [default], uri: http://m}], sources_list: \"Types: deb\\nURIs: $MIRROR\\n\"}",
    );
    assert_eq!(
        paragraphs.text_of(UBUNTU_SOURCES).unwrap(),
        "Types: deb\nURIs: http://m\n"
    );
    assert!(
        paragraphs
            .text_of("/etc/apt/sources.list")
            .unwrap()
            .starts_with("# Ubuntu's sources are in")
    );
    let unknown = plan(&[UBUNTU], "apt: {sources_list: 'deb $MIROR x'}");
    assert_eq!(
        said(&unknown),
        ["test:1:21: apt.sources_list: there is no `$MIROR`"]
    );
}

#[test]
fn security_updates_alone_have_no_mirror_and_that_is_told_with_its_place() {
    let config = "apt: {security: [{arches: [default], uri: http://s}]}";
    assert_eq!(
        said(&plan(&[DEBIAN, TEMPLATE], config)),
        ["test:1:18: apt.security: it has no effect without `primary`, as with cloud-init"]
    );
}

#[test]
fn a_mirror_is_that_of_the_architecture_the_first_known_or_the_default() {
    let own = distribution::debian_architecture();
    let hosts = vec![
        "b.example.com",
        "debian-mirror.localdomain",
        "eu-west-1.ec2.archive.ubuntu.com",
    ];
    #[rustfmt::skip]
    let table = [
        ("[{arches: [default], uri: http://d}, {arches: [ARCH], uri: http://own}]",       "http://own"),
        ("[{arches: [default], uri: http://d}, {arches: [sparc], uri: http://own}]",      "http://d"),
        ("[{arches: [default], search: ['http://a.example.com/x', 'http://b.example.com/y']}]", "http://b.example.com/y"),
        ("[{arches: [default], search: ['http://10.0.0.1/x', 'http://b.example.com/y']}]", "http://10.0.0.1/x"),
        ("[{arches: [default], search: [\"http://10.0.0.1/x\\ndeb y\", 'http://b.example.com/y']}]", "http://b.example.com/y"),
        ("[{arches: [default], search: [nonsense], search_dns: true}]",                   "http://debian-mirror.localdomain/debian"),
        ("[{arches: [sparc], uri: http://s}]",                                            "https://deb.debian.org/debian"),
    ];
    for (primary, wanted) in table {
        let mut setting = setting(&[DEBIAN, TEMPLATE]);
        setting.machine.hosts.clone_from(&hosts);
        let config = format!("apt: {{primary: {}}}", primary.replace("ARCH", own));
        let plan = setting.plan::<AptConfigure>(&config);
        let text = plan.text_of(DEBIAN_SOURCES).unwrap();
        assert_eq!(
            text.lines().nth(1),
            Some(format!("URIs: {wanted}").as_str()),
            "{primary}"
        );
    }
}

#[test]
fn an_image_that_knows_the_mirrors_of_its_cloud_gets_its_sources_for_where_it_is() {
    let on_ec2 = |hosts: Vec<&'static str>, files: Files<'_>, config: &str| {
        let mut setting = setting(files);
        setting.machine.hosts = hosts;
        setting.instance.platform = "ec2".into();
        setting.instance.region = Some("eu-west-1".into());
        setting.instance.availability_zone = Some("eu-west-1a".into());
        setting.plan::<AptConfigure>(config)
    };
    let files = [UBUNTU, UBUNTU_TEMPLATE, APT];
    let uri = |plan: &Plan| {
        plan.text_of(UBUNTU_SOURCES)?
            .lines()
            .nth(1)
            .map(ToOwned::to_owned)
    };
    #[rustfmt::skip]
    let table = [
        (vec!["eu-west-1.ec2.archive.ubuntu.com"],    "URIs: http://eu-west-1.ec2.archive.ubuntu.com/ubuntu/"),
        (vec!["eu-west-1.clouds.archive.ubuntu.com"], "URIs: http://eu-west-1.clouds.archive.ubuntu.com/ubuntu/"),
        (vec![],                                      "URIs: http://archive.ubuntu.com/ubuntu"),
    ];
    for (hosts, wanted) in table {
        let plan = on_ec2(hosts, &files, IMAGE);
        assert_eq!(uri(&plan).as_deref(), Some(wanted));
        assert_eq!(plan.problems, []);
    }
    let empty = on_ec2(vec![], &files, &format!("{IMAGE}apt: {{}}\n"));
    assert!(
        uri(&empty).is_some(),
        "an empty mapping is as if there were none"
    );
    for (files, config) in [
        (vec![UBUNTU, APT], IMAGE.to_owned()),
        (vec![UBUNTU, UBUNTU_TEMPLATE], IMAGE.to_owned()),
        (
            vec![("/etc/os-release", "ID=amzn\n"), UBUNTU_TEMPLATE, APT],
            IMAGE.to_owned(),
        ),
        (files.to_vec(), "system_info: {distro: ubuntu}".to_owned()),
        (
            files.to_vec(),
            format!("{IMAGE}apt: {{preserve_sources_list: true}}\n"),
        ),
    ] {
        let plan = on_ec2(vec![], &files, &config);
        assert_eq!(plan, Plan::nothing(), "{files:?} {config}");
    }
}

#[test]
fn mirrorlists_are_written_in_the_place_of_sources() {
    let config = "apt: {generate_mirrorlists: true, primary: [{arches: [default], uri: http://p}], security: [{arches: [default], uri: http://s}]}";
    let plan = plan(&[DEBIAN, TEMPLATE], config);
    assert_eq!(
        plan.text_of("/etc/apt/mirrors/debian.list").unwrap(),
        "http://p\n"
    );
    assert_eq!(
        plan.text_of("/etc/apt/mirrors/debian-security.list")
            .unwrap(),
        "http://s\n"
    );
    assert_eq!(plan.lines().len(), 2);
}

#[test]
fn keys_of_mirrors_are_trusted_and_named_in_the_template() {
    let template = (
        TEMPLATE.0,
        "Types: deb\nURIs: {{mirror}}\nSigned-By: {{primary_key}}\n",
    );
    let key = KEY.replace("        ", "          ");
    let config = format!(
        "apt:\n  primary:\n    - arches: [default]\n      uri: http://m\n      key: |\n{key}\n"
    );
    let plan = plan(&[DEBIAN, template], &config);
    assert_eq!(said(&plan), [""; 0]);
    assert_eq!(
        plan.lines()[0],
        "file /etc/apt/trusted.gpg.d/primary.gpg (0644)"
    );
    let text = plan.text_of(DEBIAN_SOURCES).unwrap();
    assert!(
        text.ends_with("Signed-By: /etc/apt/trusted.gpg.d/primary.gpg\n"),
        "{text}"
    );
}
