use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

use contract::effect::{Effect, MirrorSpec, Mode, Origin, Owner, Switch};
use contract::error::{EffectError, chain};
use contract::machine::{Change, FileKind, Machine, Probe};

use crate::{DryRun, Host};

/// A root of its own, removed at the end.
struct Scene {
    root: PathBuf,
    host: Host,
    spec: MirrorSpec,
}

impl Scene {
    fn new(name: &str) -> Self {
        let name = format!("firstlight-mirror-{}-{name}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        let host = Host::new(&root).unwrap();
        let spec = MirrorSpec {
            origin: Origin::Directory("/origin".into()),
            dest: "/srv/www".into(),
            owner: Owner::Root,
            file_mode: Mode::PUBLIC,
            dir_mode: Mode::PUBLIC_DIR,
            delete: false,
            switch: Switch::InPlace,
            adopt: false,
            verify_sha256: false,
            manifest: "/var/lib/firstlight/www.json".into(),
        };
        let scene = Self { root, host, spec };
        scene.write("origin/index.html", "one");
        scene.write("origin/a/b/c.css", "two");
        scene
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    fn effect(&self) -> Effect {
        Effect::Mirror(Box::new(self.spec.clone()))
    }

    fn apply(&self) -> Result<Change, EffectError> {
        self.host.apply(&self.effect())
    }

    fn note(&self) -> String {
        match self.apply() {
            Ok(Change::Made { note: Some(note) }) => note,
            other => panic!("{other:?}"),
        }
    }

    fn preview(&self) -> Change {
        DryRun::new(&self.host).apply(&self.effect()).unwrap()
    }

    fn fault(&self) -> String {
        chain(&self.apply().unwrap_err())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn the_second_run_changes_nothing_and_the_third_only_what_is_new() {
    let scene = Scene::new("again");
    let would = vec![
        "+ /srv/www/a/b/c.css".to_owned(),
        "+ /srv/www/index.html".to_owned(),
    ];
    assert_eq!(scene.preview(), Change::WouldMake { diff: would });
    assert!(!scene.root.join("srv").exists() && !scene.root.join("var").exists());

    assert_eq!(scene.note(), "2 objects, 2 fetched, 0 deleted, 1 kB");
    assert_eq!(scene.text("srv/www/a/b/c.css").as_deref(), Some("two"));
    assert_eq!(scene.apply().unwrap(), Change::AlreadySo);
    assert_eq!(scene.preview(), Change::AlreadySo);

    scene.write("origin/index.html", "three");
    assert_eq!(
        scene.preview(),
        Change::WouldMake {
            diff: vec!["~ /srv/www/index.html".to_owned()]
        }
    );
    assert_eq!(scene.note(), "2 objects, 1 fetched, 0 deleted, 1 kB");
    assert_eq!(scene.text("srv/www/index.html").as_deref(), Some("three"));
}

#[test]
fn a_dry_run_knows_what_it_would_have_fetched() {
    let scene = Scene::new("dry");
    let Effect::Mirror(spec) = scene.effect() else {
        panic!("no mirror");
    };
    let dry = DryRun::new(&scene.host);
    assert_eq!(dry.kind(&spec.manifest).unwrap(), None);
    dry.apply(&Effect::Mirror(spec.clone())).unwrap();
    assert_eq!(dry.kind(&spec.manifest).unwrap(), Some(FileKind::File));
    assert_eq!(scene.host.kind(&spec.manifest).unwrap(), None);
}

#[test]
fn a_file_that_somebody_changed_or_removed_is_put_right() {
    let scene = Scene::new("drift");
    scene.apply().unwrap();
    scene.write("srv/www/index.html", "bad");
    fs::remove_file(scene.root.join("srv/www/a/b/c.css")).unwrap();
    assert_eq!(scene.note(), "2 objects, 2 fetched, 0 deleted, 1 kB");
    assert_eq!(scene.text("srv/www/index.html").as_deref(), Some("one"));
    assert_eq!(scene.apply().unwrap(), Change::AlreadySo);
}

#[test]
fn delete_removes_what_the_mirror_brought_and_nothing_else() {
    let mut scene = Scene::new("delete");
    scene.apply().unwrap();
    scene.write("srv/www/mine.txt", "mine");
    fs::remove_file(scene.root.join("origin/index.html")).unwrap();
    assert_eq!(scene.apply().unwrap(), Change::AlreadySo, "delete is off");

    scene.spec.delete = true;
    assert_eq!(
        scene.preview(),
        Change::WouldMake {
            diff: vec!["- /srv/www/index.html".to_owned()]
        }
    );
    assert_eq!(scene.note(), "1 objects, 0 fetched, 1 deleted, 0 kB");
    assert_eq!(scene.text("srv/www/index.html"), None);
    assert_eq!(scene.text("srv/www/mine.txt").as_deref(), Some("mine"));
    assert_eq!(scene.apply().unwrap(), Change::AlreadySo);

    scene.spec.adopt = true;
    assert_eq!(scene.note(), "1 objects, 0 fetched, 1 deleted, 0 kB");
    assert_eq!(scene.text("srv/www/mine.txt"), None);
}

#[test]
fn files_of_others_are_taken_over_only_when_told() {
    let mut scene = Scene::new("adopt");
    scene.write("srv/www/index.html", "of a package");
    assert!(scene.fault().contains("adopt: true"), "{}", scene.fault());
    assert_eq!(
        scene.text("srv/www/index.html").as_deref(),
        Some("of a package")
    );
    scene.spec.adopt = true;
    scene.apply().unwrap();
    assert_eq!(scene.text("srv/www/index.html").as_deref(), Some("one"));
}

#[test]
fn a_new_file_does_not_replace_a_file_of_somebody_else() {
    let scene = Scene::new("collide");
    scene.apply().unwrap();
    scene.write("srv/www/new.txt", "mine");
    scene.write("origin/new.txt", "theirs");
    assert!(
        scene.fault().contains("/srv/www/new.txt"),
        "{}",
        scene.fault()
    );
    assert_eq!(scene.text("srv/www/new.txt").as_deref(), Some("mine"));
}

#[test]
fn an_interrupted_first_run_is_taken_up() {
    let scene = Scene::new("torn");
    fs::create_dir_all(scene.root.join("srv/www/a")).unwrap();
    scene.write(
        "var/lib/firstlight/www.json",
        "{\"files\":{\"index.html\":{\"tag\":\"\",\"sha256\":\"\"}}}",
    );
    scene.write("srv/www/index.html", "on");
    assert_eq!(scene.note(), "2 objects, 2 fetched, 0 deleted, 1 kB");
    assert_eq!(scene.text("srv/www/index.html").as_deref(), Some("one"));
}

#[test]
fn a_link_in_the_destination_leads_nowhere_else() {
    let mut scene = Scene::new("link");
    scene.spec.adopt = true;
    fs::create_dir_all(scene.root.join("srv/www")).unwrap();
    fs::create_dir_all(scene.root.join("etc")).unwrap();
    symlink("/etc", scene.root.join("srv/www/a")).unwrap();
    assert!(scene.fault().contains("/srv/www/a"), "{}", scene.fault());
    assert!(!scene.root.join("etc/b").exists());
}

#[test]
fn a_file_that_does_not_match_its_checksum_stays_out() {
    let mut scene = Scene::new("sums");
    scene.spec.verify_sha256 = true;
    assert!(scene.fault().contains("SHA256SUMS"), "{}", scene.fault());
    let one = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
    let two = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3";
    scene.write(
        "origin/SHA256SUMS",
        &format!("{one}  index.html\n{one} *a/b/c.css\n"),
    );
    assert!(
        scene.fault().contains("/srv/www/a/b/c.css"),
        "{}",
        scene.fault()
    );
    assert_eq!(scene.text("srv/www/a/b/c.css"), None);
    scene.write(
        "origin/SHA256SUMS",
        &format!("{one}  ./index.html\n{two} *a/b/c.css\n"),
    );
    scene.apply().unwrap();
    assert_eq!(scene.text("srv/www/a/b/c.css").as_deref(), Some("two"));
}

#[test]
fn a_link_in_the_origin_is_refused_by_name() {
    let scene = Scene::new("origin-link");
    symlink("/etc/shadow", scene.root.join("origin/link")).unwrap();
    let fault = scene.fault();
    assert!(
        fault.contains("/origin/link: it is neither a file nor a directory"),
        "{fault}"
    );
    assert!(!scene.root.join("srv/www/index.html").exists());
}

#[test]
fn an_origin_that_is_not_there_removes_nothing() {
    let mut scene = Scene::new("gone");
    scene.apply().unwrap();
    scene.spec.delete = true;
    fs::rename(scene.root.join("origin"), scene.root.join("elsewhere")).unwrap();
    assert!(
        scene.fault().contains("cannot read /origin"),
        "{}",
        scene.fault()
    );
    assert_eq!(scene.text("srv/www/index.html").as_deref(), Some("one"));
}

#[test]
fn an_atomic_switch_shows_the_old_content_or_the_new_one_and_keeps_earlier_ones() {
    let mut scene = Scene::new("atomic");
    scene.spec.switch = Switch::Atomic { keep: 2 };
    scene.spec.delete = true;
    assert_eq!(scene.note(), "2 objects, 2 fetched, 0 deleted, 1 kB");
    let link = || fs::read_link(scene.root.join("srv/www")).unwrap();
    assert_eq!(link(), PathBuf::from(".www.releases/000001"));
    assert_eq!(scene.text("srv/www/a/b/c.css").as_deref(), Some("two"));
    assert_eq!(scene.apply().unwrap(), Change::AlreadySo);
    assert_eq!(scene.preview(), Change::AlreadySo);
    assert_eq!(link(), PathBuf::from(".www.releases/000001"));

    let inode = || {
        fs::metadata(scene.root.join("srv/www/a/b/c.css"))
            .unwrap()
            .ino()
    };
    let before = inode();
    for number in 2..=5 {
        scene.write("origin/index.html", &format!("state {number}"));
        assert_eq!(scene.note(), "2 objects, 1 fetched, 0 deleted, 1 kB");
        assert_eq!(
            link(),
            PathBuf::from(format!(".www.releases/00000{number}"))
        );
    }
    assert_eq!(inode(), before, "what is the same is not copied");
    let mut kept: Vec<_> = fs::read_dir(scene.root.join("srv/.www.releases"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, ["000003", "000004", "000005"]);
    let earlier = scene.text("srv/.www.releases/000004/index.html");
    assert_eq!(earlier.as_deref(), Some("state 4"));

    fs::remove_file(scene.root.join("origin/a/b/c.css")).unwrap();
    assert_eq!(scene.note(), "1 objects, 0 fetched, 1 deleted, 0 kB");
    assert!(!scene.root.join("srv/www/a").exists());
    assert!(
        scene
            .root
            .join("srv/.www.releases/000005/a/b/c.css")
            .exists()
    );
}

#[test]
fn a_release_that_cannot_be_filled_is_never_switched_to_and_leaves_nothing() {
    let mut scene = Scene::new("atomic-broken");
    scene.spec.switch = Switch::Atomic { keep: 3 };
    scene.apply().unwrap();
    scene.write("origin/index.html", "new");
    scene.write("origin/SHA256SUMS", "nonsense\n");
    scene.spec.verify_sha256 = true;
    assert!(
        scene.fault().contains("nothing to verify it by"),
        "{}",
        scene.fault()
    );
    assert_eq!(scene.text("srv/www/index.html").as_deref(), Some("one"));
    assert!(!scene.root.join("srv/.www.releases/000002").exists());
    // What a power cut leaves behind is not mistaken for a release.
    scene.write("srv/.www.releases/000002/half", "half");
    scene.spec.verify_sha256 = false;
    scene.apply().unwrap();
    assert_eq!(scene.text("srv/www/index.html").as_deref(), Some("new"));
    assert_eq!(scene.text("srv/www/half"), None);
}

#[test]
fn a_directory_that_a_package_filled_is_taken_over_and_kept_as_release_0() {
    let mut scene = Scene::new("atomic-adopt");
    scene.write("srv/www/index.html", "of a package");
    scene.write("srv/www/other.html", "of a package");
    scene.spec.switch = Switch::Atomic { keep: 3 };
    assert!(scene.fault().contains("adopt: true"), "{}", scene.fault());
    scene.spec.adopt = true;
    scene.apply().unwrap();
    assert_eq!(scene.text("srv/www/index.html").as_deref(), Some("one"));
    let stays = scene.text("srv/www/other.html");
    assert_eq!(
        stays.as_deref(),
        Some("of a package"),
        "without `delete` it stays"
    );
    let before = scene.text("srv/.www.releases/000000/index.html");
    assert_eq!(before.as_deref(), Some("of a package"));
    assert_eq!(scene.apply().unwrap(), Change::AlreadySo);
}
