use contract::testing::{Files, Setting};

use super::*;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const CONFIG: &str = "
ca_certs:
  remove_defaults: true
  trusted:
    - |
      -----BEGIN CERTIFICATE-----
      MIIB
      -----END CERTIFICATE-----
    - |
      -----BEGIN CERTIFICATE-----
      MIIC
      -----END CERTIFICATE-----
";

fn update(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().flat_map(|step| &step.on_change);
    let argv = |effect: &Effect| match effect {
        Effect::Tool(tool) => tool.argv.join(" "),
        other => other.to_string(),
    };
    steps.map(argv).collect()
}

fn effects(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().flat_map(|step| &step.effects);
    steps.map(ToString::to_string).collect()
}

#[test]
fn each_distribution_has_its_own_places() {
    let debian: Files<'_> = &[("/etc/ca-certificates.conf", "mozilla/A.crt\n")];
    let red_hat: Files<'_> = &[
        ("/etc/pki/ca-trust/source/anchors/old.pem", ""),
        ("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", ""),
        ("/usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit", ""),
        (
            "/usr/share/pki/ca-trust-source/anchors/cloud-init-ca-cert-2.crt",
            "",
        ),
    ];
    let red_hat_lines: &[&str] = &[
        "no file /etc/pki/ca-trust/source/anchors/old.pem",
        "no file /usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit",
        "file /usr/share/pki/ca-trust-source/anchors/cloud-init-ca-cert-1.crt (0644)",
        "file /usr/share/pki/ca-trust-source/anchors/cloud-init-ca-cert-2.crt (0644)",
    ];
    #[rustfmt::skip]
    let table: [(&str, Files<'_>, &str, &[&str]); 7] = [
        ("debian", debian, "update-ca-certificates", &[
            "file /etc/ca-certificates.conf (0644)",
            "ca-certificates/trust_new_crts answered with no",
            "file /usr/local/share/ca-certificates/cloud-init-ca-cert-1.crt (0644)",
            "file /usr/local/share/ca-certificates/cloud-init-ca-cert-2.crt (0644)",
        ]),
        ("alpine", debian, "update-ca-certificates", &[
            "file /etc/ca-certificates.conf (0644)",
            "file /usr/local/share/ca-certificates/cloud-init-ca-cert-1.crt (0644)",
            "file /usr/local/share/ca-certificates/cloud-init-ca-cert-2.crt (0644)",
        ]),
        ("rhel",   red_hat, "update-ca-trust", red_hat_lines),
        ("fedora", red_hat, "update-ca-trust", red_hat_lines),
        ("amzn",   red_hat, "update-ca-trust", red_hat_lines),
        ("sles",   &[],     "update-ca-certificates", &[
            "file /usr/share/pki/trust/anchors/cloud-init-ca-cert-1.crt (0644)",
            "file /usr/share/pki/trust/anchors/cloud-init-ca-cert-2.crt (0644)",
        ]),
        ("photon", &[("/etc/pki/tls/certs/a.pem", "")], "rehash_ca_certificates.sh", &[
            "no file /etc/pki/tls/certs/a.pem",
            "file /etc/ssl/certs/cloud-init-ca-cert-1.pem (0644)",
            "file /etc/ssl/certs/cloud-init-ca-cert-2.pem (0644)",
        ]),
    ];
    for (id, files, program, lines) in table {
        let plan = Setting::on(id, files).plan::<CaCerts>(CONFIG);
        assert_eq!(effects(&plan), lines, "{id}");
        assert_eq!(update(&plan), [program], "{id}");
        assert_eq!(plan.problems.is_empty(), id != "sles", "{id}: {plan:?}");
    }
}

#[test]
fn a_certificate_is_written_as_it_stands() {
    let plan = Setting::on("debian", &[]).plan::<CaCerts>(CONFIG);
    let path = "/usr/local/share/ca-certificates/cloud-init-ca-cert-1.crt";
    assert_eq!(plan.text_of(path).as_deref(), Some(PEM));
}

#[test]
fn the_distributions_own_are_deselected_once() {
    let list = "/etc/ca-certificates.conf";
    let text = "# packaged\n\nmozilla/A.crt\n!mozilla/B.crt\nmozilla/C.crt\n";
    let config = "ca-certs: {remove-defaults: true}";
    let plan = Setting::on("ubuntu", &[(list, text)]).plan::<CaCerts>(config);
    let wanted = format!("# packaged\n\n{NOTE}\n!mozilla/A.crt\n!mozilla/B.crt\n!mozilla/C.crt\n");
    assert_eq!(plan.text_of(list), Some(wanted.clone()));

    let answered = "Name: other\nValue: no\n\nName: ca-certificates/trust_new_crts\nValue: no\n\n";
    let files = [(list, wanted.as_str()), (ANSWERS, answered)];
    let plan = Setting::on("ubuntu", &files).plan::<CaCerts>(config);
    assert_eq!(plan, Plan::nothing());
}

#[test]
fn what_is_wrong_costs_itself_alone() {
    let good = "'-----BEGIN CERTIFICATE-----'";
    #[rustfmt::skip]
    let table = [
        // of ca_certs                                       files  says
        (format!("ca_certs: {{trusted: [{good}, [1]]}}"),    1,     "test:1:53: ca_certs.trusted[1]: expected a string, found a list"),
        (format!("ca_certs: {{trusted: [{good}, MIIB]}}"),   2,     "test:1:53: ca_certs.trusted: certificate 2 is not in PEM form, so nobody will take it (begin it with"),
        (format!("ca_certs: {{trusted: {good}, remove_defaults: perhaps}}"), 1,
         "test:1:69: ca_certs.remove_defaults: expected true or false; it is taken as false"),
        (format!("ca_certs: [{good}]"),                      0,     "test:1:11: ca_certs: expected a mapping, found a list"),
        (format!("{{ca-certs: {{}}, ca_certs: {{trusted: {good}}}}}"), 1,
         "test:1:12: ca-certs: the old spelling is ignored beside `ca_certs`"),
    ];
    for (config, count, says) in table {
        let plan = Setting::on("debian", &[]).plan::<CaCerts>(&config);
        assert_eq!(effects(&plan).len(), count, "{config}");
        let said = plan.problems[0].to_string();
        assert!(said.starts_with(says), "{config}: {said}");
        assert_eq!(plan.problems.len(), 1, "{config}: {plan:?}");
    }
    let plan = Setting::on("gentoo", &[]).plan::<CaCerts>(CONFIG);
    let said = plan.problems[0].to_string();
    assert!(said.contains("nothing is known of certificates"), "{said}");
}
