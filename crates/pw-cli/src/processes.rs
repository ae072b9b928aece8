//! Processes of any program that run in a folder.

use std::path::Path;

use crate::command::program;

/// Returns the processes whose working directory is in `folder`; `None` when the system does not
/// tell.
pub(crate) fn inside(folder: &Path) -> Option<Vec<u32>> {
    let folder = folder.canonicalize().ok()?;
    match std::fs::read_dir("/proc/self/task") {
        Ok(_) => Some(of_proc(&folder)),
        Err(_) => of_lsof(&folder),
    }
}

fn of_proc(folder: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // Other users' processes do not tell, and cannot write here either.
    let is_inside = |id: &u32| {
        std::fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|place| place.starts_with(folder))
    };
    ids.filter(is_inside).collect()
}

fn of_lsof(folder: &Path) -> Option<Vec<u32>> {
    let output = program("lsof").args(["-n", "-P", "-w", "-d", "cwd", "-F", "pn"]).output().ok()?;
    Some(parse_lsof(&String::from_utf8_lossy(&output.stdout), folder))
}

/// Reads `p` and `n` lines: a process, then where it is.
fn parse_lsof(text: &str, folder: &Path) -> Vec<u32> {
    let (mut found, mut current) = (Vec::new(), None);
    for line in text.lines() {
        if let Some(id) = line.strip_prefix('p') {
            current = id.parse().ok();
        } else if let (Some(place), Some(id)) = (line.strip_prefix('n'), current)
            && Path::new(place).starts_with(folder)
        {
            found.push(id);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lsof_is_read_process_by_process() {
        let text = "p12\nfcwd\nn/r/worktrees/a/src\np13\nfcwd\nn/r/worktrees/ab\np14\nfcwd\nn/r\n";
        assert_eq!(parse_lsof(text, Path::new("/r/worktrees/a")), [12]);
    }
}
