use super::*;

#[test]
fn sources_are_files_of_their_own_in_the_order_of_their_names() {
    let config = "
apt:
  preserve_sources_list: true
  sources:
    docker: {source: 'deb [arch=amd64] https://download.docker.com/linux/debian trixie stable'}
    tools.list: {source: deb http://tools.example.com/ stable main}
    more: {source: deb http://more.example.com/ stable main, filename: tools.list}
    only: {source: deb http://only.example.com/ stable main, filename: old.list, append: false}
    new: {source: \"Types: deb\\nURIs: http://new.example.com/\\nSuites: x\\nComponents: main\\n\"}
";
    let old = (
        "/etc/apt/sources.list.d/old.list",
        "deb http://gone.example.com/ x y\n",
    );
    let plan = plan(&[DEBIAN, old], config);
    assert_eq!(said(&plan), [""; 0]);
    assert_eq!(
        plan.lines(),
        [
            "file /etc/apt/sources.list.d/docker.list (0644)",
            "file /etc/apt/sources.list.d/tools.list (0644)",
            "file /etc/apt/sources.list.d/new.sources (0644)",
            "file /etc/apt/sources.list.d/old.list (0644)",
            "file /etc/apt/sources.list.d/tools.list (0644)",
            "fresh lists of packages (apt)",
        ]
    );
    let machine = after(&[DEBIAN, old], &plan).machine;
    #[rustfmt::skip]
    let table = [
        ("docker.list", "deb [arch=amd64] https://download.docker.com/linux/debian trixie stable\n"),
        ("tools.list",  "deb http://more.example.com/ stable main\ndeb http://tools.example.com/ stable main\n"),
        ("old.list",    "deb http://only.example.com/ stable main\n"),
        ("new.sources", "Types: deb\nURIs: http://new.example.com/\nSuites: x\nComponents: main\n"),
    ];
    for (name, text) in table {
        let path = format!("{}/{name}", "/etc/apt/sources.list.d");
        assert_eq!(machine.text(&path).as_deref(), Some(text), "{name}");
    }
}

#[test]
fn what_is_there_already_is_not_appended_again_and_no_list_is_fetched() {
    let config = "
apt:
  preserve_sources_list: true
  sources:
    a: {source: deb http://a.example.com/ x main}
    b: {source: deb http://b.example.com/ x main, filename: a.list}
";
    let first = plan(&[DEBIAN], config);
    let second = after(&[DEBIAN], &first);
    let again = second.plan::<AptConfigure>(config);
    let name = "/etc/apt/sources.list.d/a.list";
    assert_eq!(
        again.lines(),
        [format!("file {name} (0644)"), format!("file {name} (0644)")]
    );
    for effect in again.effects() {
        let Effect::File(file) = effect else {
            panic!("{effect}");
        };
        assert_eq!(
            Some(file.content.bytes().to_vec()),
            second.machine.text(name).map(String::into_bytes)
        );
    }
}

#[test]
fn a_source_may_name_the_release_the_mirrors_and_its_key() {
    let config = format!(
        "
apt:
  preserve_sources_list: true
  primary: [{{arches: [default], uri: http://mirror.example.com/debian}}]
  sources:
    a: {{source: 'deb $MIRROR $RELEASE-backports main'}}
    b:
      source: deb [signed-by=$KEY_FILE] $SECURITY $(ARCH)/ x
      key: |
{KEY}
"
    );
    let plan = plan(&[DEBIAN], &config);
    assert_eq!(said(&plan), [""; 0]);
    let text = |name: &str| plan.text_of(&format!("/etc/apt/sources.list.d/{name}.list"));
    assert_eq!(
        text("a").unwrap(),
        "deb http://mirror.example.com/debian trixie-backports main\n"
    );
    assert_eq!(
        text("b").unwrap(),
        "deb [signed-by=/etc/apt/cloud-init.gpg.d/b.gpg] http://mirror.example.com/debian $(ARCH)/ x\n"
    );
    assert_eq!(
        plan.lines()[1],
        "file /etc/apt/cloud-init.gpg.d/b.gpg (0644)"
    );
}

#[test]
fn a_key_by_its_id_is_asked_of_a_server_with_gpg_which_is_installed_first() {
    let config = "
apt:
  preserve_sources_list: true
  sources:
    a: {source: deb http://a.example.com/ x main, keyid: 'F430 BBA5 0x', keyserver: pgp.example.com}
    b: {keyid: F430BBA5}
";
    let plan = plan(&[DEBIAN], config);
    assert_eq!(
        said(&plan),
        [
            "test:5:58: apt.sources.a.keyid: expected the id or fingerprint of a key, 8 to 40 hexadecimal digits"
        ]
    );
    assert_eq!(
        plan.lines(),
        [
            "package gnupg (apt)",
            "public key F430BBA5 from keyserver.ubuntu.com",
            "file /etc/apt/trusted.gpg.d/b.gpg (0644) = file:///var/lib/firstlight/instances/i-1/apt-keys/F430BBA5.gpg",
            "fresh lists of packages (apt)",
        ]
    );
    let kept = "/var/lib/firstlight/instances/i-1/apt-keys/F430BBA5.gpg";
    let files = [
        DEBIAN,
        GPG,
        (kept, "key"),
        ("/etc/apt/trusted.gpg.d/b.gpg", "key"),
    ];
    let again = super::plan(
        &files,
        "apt: {preserve_sources_list: true, sources: {b: {keyid: F430BBA5}}}",
    );
    assert_eq!(again.lines().len(), 2, "{again:?}");
    let Some(Effect::Tool(tool)) = again.effects().next() else {
        panic!("{again:?}");
    };
    assert_eq!(tool.creates.as_deref(), Some(Path::new(kept)));
    assert_eq!(
        &tool.argv[3..],
        ["sh", "F430BBA5", "keyserver.ubuntu.com", kept]
    );
}

#[test]
fn a_repository_is_added_by_the_tool_that_knows_it_and_once() {
    let first = plan(&[UBUNTU, ADD], PPA);
    let noted = "/var/lib/firstlight/instances/i-1/apt-repositories/ppa-ada-tools";
    assert_eq!(
        first.lines(),
        [
            "repository ppa:ada/tools".to_owned(),
            format!("file {noted} (0644)"),
            "fresh lists of packages (apt)".to_owned(),
        ]
    );
    let Some(Effect::Tool(tool)) = first.effects().next() else {
        panic!("{first:?}");
    };
    assert_eq!(
        tool.argv,
        ["add-apt-repository", "--no-update", "ppa:ada/tools"]
    );
    assert_eq!(tool.creates.as_deref(), Some(Path::new(noted)));
    let again = after(&[UBUNTU, ADD], &first).plan::<AptConfigure>(PPA);
    assert_eq!(again.lines().len(), 2, "no lists are fetched: {again:?}");
    let missing = plan(&[UBUNTU], PPA);
    assert_eq!(
        missing.lines()[0],
        "package software-properties-common (apt)"
    );
}

#[test]
fn what_counts_as_a_repository_is_what_the_expression_finds() {
    let config = |pattern: &str| {
        format!(
            "apt: {{preserve_sources_list: true, add_apt_repo_match: {pattern}, sources: {{a: {{source: 'cloud-archive:x'}}}}}}"
        )
    };
    let own = plan(&[UBUNTU, ADD], &config("'^(ppa|cloud-archive):'"));
    assert_eq!(own.lines()[0], "repository cloud-archive:x");
    let other = plan(&[UBUNTU, ADD], &config("'^ppa:'"));
    assert_eq!(
        other.lines()[0],
        "file /etc/apt/sources.list.d/a.list (0644)"
    );
    let wrong = plan(&[UBUNTU, ADD], &config("'^(ppa:'"));
    assert_eq!(
        said(&wrong),
        [
            "test:1:56: apt.add_apt_repo_match: not a regular expression: a `(` without `)` (sources are taken for what they are by default)"
        ]
    );
    assert_eq!(wrong.lines()[0], "repository cloud-archive:x");
}
