//! What the machine has.

/// The machine's memory in bytes, as Linux tells it; zero where it cannot be known.
pub(crate) fn memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

/// The bytes that this process may use: those of the machine, or of the control group that it is in; zero where it cannot be known.
pub(crate) fn memory_limit_bytes() -> u64 {
    let machine = memory_bytes();
    match group_limit_bytes() {
        Some(group) if machine == 0 || group < machine => group,
        _ => machine,
    }
}

/// The lowest limit of the control groups around this process (version 2, then version 1).
fn group_limit_bytes() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").to_owned();
    let mut limits = Vec::new();
    let mut group = std::path::PathBuf::from(format!("/sys/fs/cgroup{own}"));
    while group.starts_with("/sys/fs/cgroup") {
        let limit = std::fs::read_to_string(group.join("memory.max")).ok();
        limits.extend(limit.and_then(|text| text.trim().parse::<u64>().ok()));
        if !group.pop() {
            break;
        }
    }
    let version_1 = read("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    limits.extend(version_1.and_then(|text| text.trim().parse::<u64>().ok()));
    limits.into_iter().min()
}

/// Processors that this process may use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// Files that one open index may have: its own, its log and their shared memory, for one writer and four readers.
const FILES_OF_INDEX: u64 = 16;
/// Files that are left for connections and all else.
const OTHER_FILES: u64 = 256;
/// More open indices help nobody: each has a thread.
const OPEN_INDICES_MAX: u64 = 256;

/// Raises the limit of open files as far as the system allows, and says how many indices may be open at a time.
pub(crate) fn open_indices() -> usize {
    // A system that does not say how many files there may be has no such limit.
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
    let most = (files.saturating_sub(OTHER_FILES) / FILES_OF_INDEX).clamp(8, OPEN_INDICES_MAX);
    usize::try_from(most).unwrap_or(usize::MAX)
}
