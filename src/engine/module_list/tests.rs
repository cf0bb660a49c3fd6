use contract::module::{Context, Facts, Module, NoKeys, Wake};
use contract::plan::Plan;
use contract::testing::config;

use super::*;

macro_rules! modules {
    ($($ty:ident $name:literal $stage:ident $frequency:ident,)*) => {
        $(
            struct $ty;
            impl Module for $ty {
                const FACTS: Facts = Facts {
                    name: $name,
                    summary: "for tests",
                    stage: Stage::$stage,
                    frequency: Frequency::$frequency,
                    wake: Wake::Always,
                    keys: &[],
                };
                type Section = NoKeys;
                fn plan(_: NoKeys, _: &Context<'_>) -> Plan {
                    Plan::nothing()
                }
            }
        )*
        const TABLE: &[Entry] = &[$(Entry::of::<$ty>()),*];
    };
}

modules! {
    Hooks "hooks" Identity Always,
    Bootcmd "bootcmd" Identity Always,
    Ssh "ssh" Identity Instance,
    Election "election" Identity Instance,
    SetPasswords "set_passwords" Identity Instance,
    Runcmd "runcmd" Config Instance,
    Content "content" Config Always,
    ScriptsVendor "scripts_vendor" Final Instance,
    ScriptsUser "scripts_user" Final Instance,
    ElectionRun "election_run" Final Instance,
}

const CLOUD_INIT: CloudInit<'_> = CloudInit {
    modules: &[
        "bootcmd",
        "ssh",
        "set_passwords",
        "runcmd",
        "ntp",
        "fan",
        "scripts_vendor",
        "scripts_user",
    ],
    renamed: &[("run_commands", "runcmd")],
};

/// The names of each stage, `=A`, `=I`, `=O` behind one that runs otherwise than usual.
fn stages(text: &str) -> ([String; 3], Vec<String>) {
    let (wanted, problems) = wanted(TABLE, CLOUD_INIT, &config(text));
    let stages = [Stage::Identity, Stage::Config, Stage::Final].map(|stage| {
        let own = wanted.iter().filter(|entry| entry.stage == stage);
        let names = own.map(|entry| {
            let often = match entry.frequency {
                _ if entry.frequency == entry.facts.frequency => "",
                Frequency::Always => "=A",
                Frequency::Instance => "=I",
                Frequency::Once => "=O",
            };
            format!("{}{often}", entry.facts.name)
        });
        names.collect::<Vec<_>>().join(" ")
    });
    (stages, problems.iter().map(ToString::to_string).collect())
}

const IDENTITY: &str = "hooks bootcmd ssh election set_passwords";
const CONFIG: &str = "runcmd content";
const FINAL: &str = "scripts_vendor scripts_user election_run";

#[test]
fn lists_order_omit_move_and_say_how_often() {
    #[rustfmt::skip]
    let table = [
        ("", [IDENTITY, CONFIG, FINAL]),
        // Ours stay behind what they follow in the table, whatever the list says of the others.
        ("cloud_init_modules: [set-passwords, ssh, bootcmd]",     ["hooks set_passwords ssh election bootcmd", CONFIG, FINAL]),
        ("cloud_init_modules: [ssh]",                             ["hooks ssh election", CONFIG, FINAL]),
        ("cloud_init_modules: [bootcmd]",                         ["hooks bootcmd election", CONFIG, FINAL]),
        ("cloud_init_modules: []",                                ["hooks election", CONFIG, FINAL]),
        ("cloud_init_modules:",                                   ["hooks election", CONFIG, FINAL]),
        // Unless a list names them.
        ("cloud_init_modules: [election, ssh]",                   ["hooks election ssh", CONFIG, FINAL]),
        ("cloud_final_modules: [content, scripts-user]",          [IDENTITY, "runcmd", "content scripts_user election_run"]),
        // A list moves what it names to its own stage, if no earlier stage runs it.
        ("cloud_init_modules: [ssh]\ncloud_config_modules: [set-passwords, runcmd]", ["hooks ssh election", "set_passwords runcmd content", FINAL]),
        ("cloud_final_modules: [runcmd]",                         [IDENTITY, CONFIG, "election_run"]),
        ("cloud_init_modules: [runcmd]",                          ["hooks election runcmd", "content", FINAL]),
        ("cloud_config_modules: [runcmd, runcmd]",                [IDENTITY, CONFIG, FINAL]),
        // How often.
        ("cloud_final_modules: [[scripts-user, always], [scripts_vendor, once]]", [IDENTITY, CONFIG, "scripts_user=A election_run scripts_vendor=O"]),
        ("cloud_init_modules: [[bootcmd, once-per-instance], [ssh], [content, instance]]", ["hooks bootcmd=I ssh election content=I", "runcmd", FINAL]),
        ("cloud_init_modules: [{name: bootcmd, frequency: once, args: []}, {name: ssh, frequency:}]", ["hooks bootcmd=O ssh election", CONFIG, FINAL]),
        // The recipes of AWS for a script at every boot, and for users on an instance that was booted before.
        ("cloud_final_modules:\n- [scripts-user, always]",         [IDENTITY, CONFIG, "scripts_user=A election_run"]),
        ("cloud_final_modules:\n- [ssh, once]",                    [IDENTITY, CONFIG, "election_run ssh=O"]),
        // Spellings.
        ("cloud_config_modules: [run-commands]",                   [IDENTITY, CONFIG, FINAL]),
        ("cloud_final_modules: [cc_scripts_vendor, ' scripts-user.py ', '', null, [], {}]", [IDENTITY, CONFIG, FINAL]),
    ];
    for (text, want) in table {
        let (found, problems) = stages(text);
        assert_eq!(found, want.map(str::to_owned), "{text}");
        assert_eq!(problems, Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_is_wrong_with_an_item_costs_that_item() {
    #[rustfmt::skip]
    let table = [
        ("[ssh, fan, ntp]",       "hooks ssh election", "test:1:21: `cloud_init_modules`: firstlight does not do `fan`, `ntp`"),
        ("[ssh, boot-cmd]",       "hooks ssh election", "test:1:27: `cloud_init_modules[1]`: there is no module `boot_cmd` (did you mean `bootcmd`?)"),
        ("[ssh, frobnicate]",     "hooks ssh election", "test:1:27: `cloud_init_modules[1]`: there is no module `frobnicate` (`firstlight modules` lists them)"),
        ("[ssh, 'rm -rf /']",     "hooks ssh election", "test:1:27: `cloud_init_modules[1]`: that is no module's name"),
        ("[ssh, 3]",              "hooks ssh election", "test:1:27: `cloud_init_modules[1]`: expected a module's name"),
        ("[ssh, [[a]]]",          "hooks ssh election", "test:1:27: `cloud_init_modules[1]`: expected a module's name"),
        ("[ssh, {frequency: once}]", "hooks ssh election", "test:1:27: `cloud_init_modules[1]`: expected a module's name"),
        ("[[ssh, sometimes]]",    "hooks ssh election", "test:1:28: `cloud_init_modules[0]`: unknown frequency; `ssh` runs as often as usual"),
        ("[[ssh, always, x]]",    "hooks ssh=A election", "test:1:36: `cloud_init_modules[0]`: arguments of `ssh` are not used"),
        ("ssh",                   IDENTITY,             "test:1:21: `cloud_init_modules`: expected a list, found a string (the modules run as without it)"),
    ];
    for (list, want, problem) in table {
        let ([identity, ..], problems) = stages(&format!("cloud_init_modules: {list}"));
        assert_eq!(identity, want, "{list}");
        assert_eq!(problems.len(), 1, "{list}: {problems:?}");
        assert!(problems[0].starts_with(problem), "{list}: {problems:?}");
    }
}
