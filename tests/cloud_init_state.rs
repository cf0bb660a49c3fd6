//! What tools that know cloud-init find on disk, and what they change there.

mod support;

use serde_json::Value;
use support::Case;

const META_DATA: &str = "instance-id: i-1\nlocal-hostname: one\n";
const COMPAT: &str = "firstlight: {cloud_init_compat: true}\n";

/// A seed whose image asks for it.
fn compatible(user_data: &str) -> Case {
    let case = Case::made(user_data, META_DATA);
    case.write_seed("root/etc/firstlight/config.yaml", COMPAT);
    case
}

#[allow(clippy::unwrap_used, reason = "for tests only")]
fn json(case: &Case, path: &str) -> Value {
    serde_json::from_str(&case.text(path)).unwrap()
}

#[test]
fn status_and_result_are_where_cloud_init_has_them() {
    let case = compatible("#cloud-config\nnosuch_key: 1\n");
    let said = case.run(&["apply"]);
    assert_eq!(said.code, 0, "{said:?}");

    for name in ["status.json", "result.json"] {
        let link = std::fs::read_link(case.path("run/cloud-init").join(name)).unwrap();
        let to = format!("../../var/lib/cloud/data/{name}");
        assert_eq!(link.to_str(), Some(to.as_str()));
        assert_eq!(
            case.mode(&format!("var/lib/cloud/data/{name}")) & 0o777,
            0o644
        );
    }
    let status = json(&case, "run/cloud-init/status.json");
    assert_eq!(status["v1"]["datasource"], "DataSourceNoCloud");
    assert_eq!(status["v1"]["stage"], Value::Null);
    for stage in ["init-local", "init", "modules-config", "modules-final"] {
        let stage = &status["v1"][stage];
        assert!(
            stage["start"].as_f64() <= stage["finished"].as_f64(),
            "{status}"
        );
        assert!(stage["start"].is_f64(), "{status}");
    }
    let warned = status["v1"]["init"]["recoverable_errors"]["WARNING"].to_string();
    assert!(warned.contains("nosuch_key"), "{status}");
    let result = json(&case, "run/cloud-init/result.json");
    assert_eq!(result["v1"]["errors"], serde_json::json!([]));
    assert!(case.path("run/cloud-init/enabled").exists());
}

#[test]
fn an_instance_is_described_for_everybody_and_for_root() {
    let user_data =
        "#cloud-config\nwrite_files: [{path: /srv/a, content: hunter2, permissions: '0600'}]\n";
    let case = compatible(user_data);
    let meta_data = format!("{META_DATA}region: us-gov-west-1\napi-key: hunter2\n");
    case.write_seed("meta-data", &meta_data);
    let said = case.run(&["apply"]);
    assert_eq!(said.code, 0, "{said:?}");

    let link = std::fs::read_link(case.path("var/lib/cloud/instance"));
    assert_eq!(link.ok(), Some("/var/lib/cloud/instances/i-1".into()));
    let dir = "var/lib/cloud/instances/i-1";
    assert_eq!(case.text(&format!("{dir}/user-data.txt")), user_data);
    assert_eq!(case.text("run/cloud-init/cloud-id-nocloud"), "nocloud\n");
    let data = json(&case, "run/cloud-init/instance-data.json");
    assert_eq!(data["v1"]["instance-id"], "i-1");
    assert_eq!(
        data["ds"]["meta_data"]["api-key"],
        "redacted for non-root user"
    );
    let data = json(&case, "run/cloud-init/instance-data-sensitive.json");
    assert_eq!(data["ds"]["meta_data"]["api-key"], "hunter2");
    assert_eq!(
        case.text("var/lib/cloud/data/set-hostname"),
        "{\n \"fqdn\": \"one\",\n \"hostname\": \"one\"\n}\n"
    );
    let finished = case.text(&format!("{dir}/boot-finished"));
    assert!(finished.contains(" - v. "), "{finished}");

    for (path, mode) in case.files_holding("hunter2") {
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn only_the_image_can_ask_for_it() {
    let case = Case::made(&format!("#cloud-config\n{COMPAT}"), META_DATA);
    let said = case.run(&["apply"]);
    assert_eq!(said.code, 0, "{said:?}");
    for path in ["run/cloud-init", "var/lib/cloud", "var/log/cloud-init.log"] {
        assert!(!case.path(path).exists(), "{path}");
    }
}

#[test]
fn a_machine_where_it_is_switched_off_says_so() {
    let case = compatible("");
    case.write_seed("root/etc/firstlight/disabled", "");
    let said = case.run(&["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(case.path("run/cloud-init/disabled").exists());
    assert!(!case.path("run/cloud-init/enabled").exists());
    assert!(!case.path("run/cloud-init/status.json").exists());
}
