//! How fast an import is: `import_speed PATH [STORE]` prints wall and CPU
//! seconds, the peak of memory, and the store's size.

use std::{path::PathBuf, time::Instant};

use peerage::{
    import::{ImportOptions, import},
    store::Store,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let path = arguments.next().ok_or("which file or folder? import_speed PATH [STORE]")?;
    let folder = tempfile::tempdir()?;
    let home = arguments.next().unwrap_or_else(|| folder.path().to_path_buf());
    let store = Store::open(&home)?;

    let start = Instant::now();
    let imported = import(&store, &[path], &ImportOptions::default(), &())?;
    let wall = start.elapsed();
    let written = store_size(&home)?;
    let start = Instant::now();
    store.compact()?;
    println!(
        "{} files, {} bytes: {:.3} s, {:.3} CPU s, peak {:.1} MB; store {written} bytes, {} after {:.3} s of compacting",
        imported.files,
        imported.total_bytes,
        wall.as_secs_f64(),
        cpu_seconds()?,
        peak_megabytes()?,
        store_size(&home)?,
        start.elapsed().as_secs_f64(),
    );
    Ok(())
}

fn store_size(home: &std::path::Path) -> std::io::Result<u64> {
    Ok(std::fs::metadata(home.join("blocks.redb"))?.len())
}

/// User and system time so far, from the process's own account of itself.
fn cpu_seconds() -> Result<f64, Box<dyn std::error::Error>> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks: f64 = fields.get(11).ok_or("short")?.parse::<f64>()?
        + fields.get(12).ok_or("short")?.parse::<f64>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

fn peak_megabytes() -> Result<f64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no VmHWM")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("short")?.parse()?;
    Ok(kilobytes / 1024.0)
}
