use contract::testing::{FakeMachine, instance};

use super::*;

fn rendered(template: &str) -> Result<Rendered, Fault> {
    let mut metadata = instance();
    metadata.region = Some("us-gov-west-1".to_owned());
    metadata.platform = "ec2".to_owned();
    metadata.local_hostname = Some("web-1.example.com".parse().unwrap());
    metadata.launch_index = Some("0".parse().unwrap());
    metadata.rest = json!({
        "meta-data": {"ami-id": "ami-1", "tags": ["web", "blue"], "public.key": "k"},
        "dynamic": {"instance-identity": {"document": {"accountId": "123"}}},
    });
    let mut params = Params::default();
    params.insert("bucket", "acme");
    let machine = FakeMachine::with(&[(
        "/etc/os-release",
        "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n",
    )]);
    render(template, &variables(&metadata, &params, Some(&machine)))
}

#[test]
fn a_template_has_what_cloud_init_gives_it_and_the_parameters() {
    #[rustfmt::skip]
    let table = [
        ("{{ v1.region }}",                                             "us-gov-west-1"),
        ("{{ region }} {{ v1['instance_id'] }}",                        "us-gov-west-1 i-1"),
        ("{{ v1.cloud_name }} {{ v1.cloud_id }} {{ cloud_id }}",        "aws aws-gov aws-gov"),
        ("{{ v1.local_hostname }} {{ v1['local-hostname'] }}",          "web-1 web-1"),
        ("{{ ds.meta_data.ami_id }}{{ ds['meta-data']['ami-id'] }}",    "ami-1ami-1"),
        ("{{ ds.meta_data.public_key }}",                               "k"),
        ("{{ ds.dynamic.instance_identity.document.accountId }}",       "123"),
        ("{% for tag in ds.meta_data.tags %}{{ tag }};{% endfor %}",    "web;blue;"),
        ("{{ params.bucket }} {{ role }}",                              "acme leader"),
        ("{{ distro }} {{ distro_version }} {{ v1.distro_release }}",   "debian 12 bookworm"),
        ("{% if distro in ['debian', 'ubuntu'] %}apt{% endif %}",       "apt"),
        ("{{ region.split('-')[0] | upper }}",                          "US"),
        ("{{ 'x'.startswith('x') }}",                                   "True"),
        ("{% if true %}\nline\n{% endif %}\nend\n",                     "line\nend\n"),
        ("a\n",                                                         "a\n"),
        ("{{ '<a> & b' }}",                                             "<a> & b"),
    ];
    for (template, text) in table {
        match rendered(template) {
            Ok(rendered) => {
                assert_eq!(rendered.text, text, "{template}");
                assert!(rendered.missing.is_empty(), "{template}: {rendered:?}");
            }
            Err(fault) => panic!("{template}: {fault:?}"),
        }
    }
}

#[test]
fn what_is_missing_is_written_by_its_name_and_is_undefined_otherwise() {
    #[rustfmt::skip]
    let table = [
        // template                                             text                                missing
        ("{{ nope }}-{{ nope }}",                               "CI_MISSING_JINJA_VAR/nope-CI_MISSING_JINJA_VAR/nope", &["nope"][..]),
        ("{{ ds.meta_data.nope }}",                             "CI_MISSING_JINJA_VAR/nope",        &["nope"]),
        ("{{ nope | default('x') }}{{ nope | d('y') }}",        "xy",                               &[]),
        ("{% if nope %}a{% else %}b{% endif %}",                "b",                                &[]),
        ("{% if nope is defined %}a{% else %}b{% endif %}",     "b",                                &[]),
        ("{% if region is defined %}a{% endif %}",              "a",                                &[]),
        ("{% for x in nope %}x{% endfor %}",                    "",                                 &[]),
        ("{{ 'region' in v1 }} {{ 'nope' in v1 }}",             "True False",                       &[]),
    ];
    for (template, text, missing) in table {
        let rendered = rendered(template).unwrap_or_else(|fault| panic!("{template}: {fault:?}"));
        assert_eq!(rendered.text, text, "{template}");
        assert_eq!(rendered.missing, missing, "{template}");
    }
}

#[test]
fn what_cannot_be_rendered_says_where_and_quotes_nothing() {
    #[rustfmt::skip]
    let table = [
        ("a\n{{ nope.below }}",             2, "undefined value"),
        ("{{ ds.meta-data }}",              1, "invalid operation"),
        ("a\nb\n{% if %}",                  3, "syntax error"),
        ("{% include '/etc/shadow' %}",     1, "syntax error"),
        ("{{ 'hunter2' | nofilter }}",      1, "unknown filter"),
        ("{% for x in range(900) %}{% for y in range(900) %}{% for z in range(900) %}{% endfor %}{% endfor %}{% endfor %}", 1, "steps"),
    ];
    for (template, line, says) in table {
        let fault = rendered(template).unwrap_err();
        assert!(fault.message.contains(says), "{template}: {fault:?}");
        assert_eq!(fault.line, line, "{template}: {fault:?}");
        assert!(!fault.message.contains("hunter2"), "{fault:?}");
    }
    let long = format!(
        "{{% for x in range(9000) %}}{}{{% endfor %}}",
        "y".repeat(1000)
    );
    assert!(
        rendered(&long)
            .unwrap_err()
            .message
            .contains("MAX_RENDERED (4 MiB)")
    );
}

#[test]
fn a_header_is_the_first_line_and_names_jinja() {
    #[rustfmt::skip]
    let table = [
        ("## template: jinja\n#!/bin/sh\n",  Some("#!/bin/sh\n")),
        ("## Template: JINJA\nx",            Some("x")),
        ("##template:jinja\nx",              Some("x")),
        ("## template: basic\nx",            None),
        ("#cloud-config\n",                  None),
        ("",                                 None),
    ];
    for (text, rest) in table {
        assert_eq!(body(text), rest, "{text}");
    }
}
