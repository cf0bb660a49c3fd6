//! What a dry run finds is what happens in earnest.

use contract::effect::{Effect, Mode, Owner};
use contract::machine::{Change, Machine};

use super::DryRun;
use crate::tests::Tree;

#[test]
fn a_directory_may_be_one_that_a_link_leads_to_and_is_never_taken_away() {
    let tree = Tree::new();
    let host = tree.host();
    let directory = |at: &str| Effect::Directory {
        at: at.into(),
        mode: Mode::new(0o700),
        owner: Owner::Root,
    };
    let link = |at: &str| Effect::Link {
        at: at.into(),
        to: "/d".into(),
    };
    host.apply(&directory("/d")).unwrap();
    host.apply(&link("/l")).unwrap();
    let so = Change::AlreadySo;
    assert_eq!(host.apply(&directory("/l")).unwrap(), so);
    assert_eq!(DryRun::new(&host).apply(&directory("/l")).unwrap(), so);
    for effect in [link("/d"), Effect::Absent { at: "/d".into() }] {
        host.apply(&effect).unwrap_err();
        DryRun::new(&host).apply(&effect).unwrap_err();
    }
}
