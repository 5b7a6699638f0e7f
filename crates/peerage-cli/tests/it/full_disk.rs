//! A disk that fills while a get writes to it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    peers::skip,
    support::{Home, bytes},
};

/// A small disk in memory, gone when dropped.
struct Disk(PathBuf);

impl Disk {
    /// Mounts it, or `None`, said aloud, where the system does not permit it.
    fn mount(at: &Path, megabytes: u32) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(at));
        mounted.inspect_err(|why| skip("a disk that fills", why)).ok()?;
        Some(Self(at.to_path_buf()))
    }

    fn grow(&self, megabytes: u32) {
        let size = format!("remount,size={megabytes}m");
        run(Command::new("mount").args(["-o", &size]).arg(&self.0)).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _unmounted = run(Command::new("umount").arg("--lazy").arg(&self.0));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

#[test]
fn a_get_that_filled_the_disk_continues_once_there_is_room() {
    let (ann, bob) = (Home::new(), Home::new());
    let Some(disk) = Disk::mount(&bob.work().join("disk"), 12) else { return };
    let album = ann.work().join("album");
    fs::create_dir(&album).unwrap();
    for number in 0..40 {
        fs::write(album.join(format!("{number}.jpg")), &bytes(1_000_000)[number..]).unwrap();
    }
    let (_up, address) = ann.up();
    let mut share = ann.start(&["share", "album"]);
    let shared = share.wait_for("shared");
    let (link, cid) = (shared["link"].as_str().unwrap(), shared["cid"].as_str().unwrap());
    // A link tells the size: nothing is begun that cannot end.
    let refused = bob.run(&["get", link, "-o", "disk"]);
    assert_eq!(refused.code, Some(8), "{}", refused.errors);
    assert!(refused.errors.contains("bytes are needed"), "{}", refused.errors);
    assert_eq!(fs::read_dir(&disk.0).unwrap().count(), 0, "nothing begun");
    // A CID does not.
    let get = ["get", cid, "--peer", &address, "-o", "disk"];
    let refused = bob.run(&get);
    assert_eq!(refused.code, Some(8), "{}", refused.errors);
    assert!(refused.errors.contains("the disk is full"), "{}", refused.errors);
    assert!(!disk.0.join(cid).exists());
    disk.grow(64);
    let got = bob.start(&get).wait_for("got");
    assert!(got["resumed"].as_u64().unwrap() > 0, "{got}");
    for number in 0..40 {
        let got = fs::read(disk.0.join(cid).join(format!("{number}.jpg"))).unwrap();
        assert!(got == bytes(1_000_000)[number..], "{number}.jpg");
    }
    assert_eq!(fs::read_dir(&disk.0).unwrap().count(), 1, "no litter");
}
