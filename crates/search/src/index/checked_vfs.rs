//! The file system as SQLite sees it when it opens an index: the usual one, with the checksums of pages written and looked at.
//!
//! SQLite reaches files through tables of C functions. The functions here pass every call on to those of the usual file system,
//! and look at the bytes of two: what is written to the file itself gets its checksum, and what is read from the file or its log
//! must have it. A page that has not ends the statement with an error, and the file counts as damaged from then on.
//!
//! This is the only module with unsafe code, since functions are called from C. Its rules: a file that SQLite hands over is one
//! that [`open`] has set up, in memory of the size that [`register`] has told; SQLite uses a file from one thread at a time; the
//! buffers that it gives have the lengths that it says.

#![allow(unsafe_code, reason = "SQLite calls the file system through tables of C functions")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::Connection;
use rusqlite::ffi;

use super::checksum::{
    FRAME_HEADER_BYTES, PAGE_BYTES, RESERVED_BYTES, WAL_HEADER_BYTES, frame_at, is_sound, is_sound_frame,
    seal,
};

/// The name under which SQLite knows it.
pub(super) const NAME: &CStr = c"auspex-checked";

/// Reads of fewer bytes are parts of headers, which are read again as part of their page.
const PART_BYTES: usize = 512;

/// Files with a page that has not its checksum, and what was seen.
static DAMAGED: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

fn damaged() -> MutexGuard<'static, BTreeMap<PathBuf, String>> {
    DAMAGED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is wrong with a file, if a page without its checksum was read from it or its log.
pub(crate) fn damage_of(path: &Path) -> Option<String> {
    let damaged = damaged();
    if damaged.is_empty() { None } else { damaged.get(path).cloned() }
}

/// Keeps in mind that a file is damaged.
pub(crate) fn note_damage(path: &Path, what: &str) {
    let mut damaged = damaged();
    if !damaged.contains_key(path) {
        tracing::error!(file = %path.display(), what, "the file of an index is damaged");
        damaged.insert(path.to_owned(), what.to_owned());
    }
}

/// Forgets what was wrong with a file that is no more.
pub(crate) fn forget_damage(path: &Path) {
    damaged().remove(path);
}

/// Makes SQLite know this file system; again and again if one likes.
///
/// # Errors
/// SQLite's code, when it has no file system or does not take another one.
pub(super) fn register() -> rusqlite::Result<()> {
    static REGISTERED: OnceLock<c_int> = OnceLock::new();
    let code = *REGISTERED.get_or_init(|| {
        // SAFETY: SQLite's own table lives for ever, and is copied before it is changed. The copy lives for ever too.
        unsafe {
            let usual = ffi::sqlite3_vfs_find(ptr::null());
            if usual.is_null() {
                return ffi::SQLITE_ERROR;
            }
            let mut own = *usual;
            own.zName = NAME.as_ptr();
            own.pAppData = usual.cast();
            own.szOsFile =
                (*usual).szOsFile + c_int::try_from(size_of::<CheckedFile>()).unwrap_or(c_int::MAX);
            own.pNext = ptr::null_mut();
            own.xOpen = Some(open);
            own.xDelete = Some(delete);
            own.xAccess = Some(access);
            own.xFullPathname = Some(full_pathname);
            // The functions that are left, about time and libraries, do not look at the table that they are given.
            ffi::sqlite3_vfs_register(Box::into_raw(Box::new(own)), 0)
        }
    });
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
    }
}

/// Leaves room for checksums in the pages of a file to which nothing was written yet.
///
/// # Errors
/// When SQLite does not leave it.
pub(super) fn reserve(connection: &Connection) -> rusqlite::Result<()> {
    let mut bytes = RESERVED_BYTES as c_int;
    // SAFETY: the handle is that of an open connection, and the pointer is to an integer, as this control wants it.
    let code = unsafe {
        let pointer: *mut c_int = &raw mut bytes;
        ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_RESERVE_BYTES,
            pointer.cast(),
        )
    };
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
    }
}

/// What SQLite takes for the file: its functions, what is known of it, and behind them the usual file system's own file.
#[repr(C)]
struct CheckedFile {
    base: ffi::sqlite3_file,
    state: *mut FileState,
}

struct FileState {
    /// The file of the index, also when this is its log.
    path: PathBuf,
    is_log: bool,
    /// The first number of the log, once it was read.
    magic: Option<u32>,
    /// The last header of a frame that was written to the log begins here.
    last_header: Option<u64>,
    /// Frames from this number on have been written over within their transaction: their checksums are put right at its end.
    unsettled_from: Option<u64>,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Version 2: with the shared memory of a log, without mapped files, whose bytes nobody would look at.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe fn usual(vfs: *mut ffi::sqlite3_vfs) -> *mut ffi::sqlite3_vfs {
    // SAFETY: `register` has put the usual table there.
    unsafe { (*vfs).pAppData.cast() }
}

unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: SQLite gives as much memory as `register` has asked for: this file, and the usual one behind it.
    unsafe { file.cast::<CheckedFile>().add(1).cast() }
}

unsafe fn state<'a>(file: *mut ffi::sqlite3_file) -> &'a mut FileState {
    // SAFETY: `open` has put it there, and `close` takes it away last.
    unsafe { &mut *(*file.cast::<CheckedFile>()).state }
}

/// Calls a function of the usual file.
macro_rules! pass_on {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        // SAFETY: the usual file system has set up its file, whose functions are called as SQLite would call them.
        unsafe {
            let inner = inner($file);
            match (*(*inner).pMethods).$method {
                Some(method) => method(inner $(, $argument)*),
                None => ffi::SQLITE_IOERR,
            }
        }
    }};
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: as the module says. The usual table has a function for opening, or SQLite could not open anything.
    unsafe {
        let usual = usual(vfs);
        let Some(open) = (*usual).xOpen else { return ffi::SQLITE_CANTOPEN };
        if flags & (ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL) == 0 {
            // Temporary files and journals are nobody's but SQLite's.
            return open(usual, name, file, flags, out_flags);
        }
        (*file).pMethods = ptr::null();
        let inner = inner(file);
        (*inner).pMethods = ptr::null();
        let code = open(usual, name, inner, flags, out_flags);
        if code != ffi::SQLITE_OK {
            if !(*inner).pMethods.is_null()
                && let Some(close) = (*(*inner).pMethods).xClose
            {
                close(inner);
            }
            return code;
        }
        let text =
            if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() };
        let is_log = flags & ffi::SQLITE_OPEN_WAL != 0;
        let path = if is_log { text.strip_suffix("-wal").unwrap_or(&text) } else { &text };
        let state = FileState {
            path: PathBuf::from(path),
            is_log,
            magic: None,
            last_header: None,
            unsettled_from: None,
        };
        let own = file.cast::<CheckedFile>();
        (*own).state = Box::into_raw(Box::new(state));
        (*own).base.pMethods = &raw const METHODS;
        code
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let code = pass_on!(file, xClose);
    // SAFETY: `open` has made it, and SQLite does not use the file again.
    unsafe {
        let own = file.cast::<CheckedFile>();
        drop(Box::from_raw((*own).state));
        (*own).state = ptr::null_mut();
    }
    code
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, into: *mut c_void, bytes: c_int, at: i64) -> c_int {
    let code = pass_on!(file, xRead, into, bytes, at);
    let (Ok(length), Ok(offset)) = (usize::try_from(bytes), u64::try_from(at)) else { return code };
    if code != ffi::SQLITE_OK || length < PART_BYTES {
        return code;
    }
    // SAFETY: SQLite's buffer has this length, and the usual file system has filled it.
    let (page, state) = unsafe { (std::slice::from_raw_parts(into.cast::<u8>(), length), state(file)) };
    let what = if state.is_log {
        // After a crash SQLite reads whole frames and looks at them itself.
        match frame_at(offset) {
            Some(frame) if length == PAGE_BYTES => match settled(file, state, frame, page) {
                Ok(true) => return code,
                Ok(false) => {
                    format!("the log has a page that is not what was written to it, in frame [{frame}]")
                }
                Err(code) => return code,
            },
            _ => return code,
        }
    } else if length == PAGE_BYTES && offset.is_multiple_of(PAGE_BYTES as u64) {
        let number = offset / PAGE_BYTES as u64;
        if is_sound(page, number) {
            return code;
        }
        format!("page [{}] is not what was written to it", number + 1)
    } else {
        format!("[{length}] bytes at [{offset}] are no page: the head of the file is damaged")
    };
    note_damage(&state.path, &what);
    ffi::SQLITE_IOERR_DATA
}

/// Is the page of a frame of the log what was written?
fn settled(
    file: *mut ffi::sqlite3_file,
    state: &mut FileState,
    frame: u64,
    page: &[u8],
) -> Result<bool, c_int> {
    if state.unsettled_from.is_some_and(|from| frame >= from) {
        return Ok(true);
    }
    let part = |into: &mut [u8], offset: u64| {
        let length = c_int::try_from(into.len()).unwrap_or(0);
        let code = pass_on!(
            file,
            xRead,
            into.as_mut_ptr().cast(),
            length,
            i64::try_from(offset).unwrap_or(i64::MAX)
        );
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
    };
    let frame_bytes = (FRAME_HEADER_BYTES + PAGE_BYTES) as u64;
    let start = WAL_HEADER_BYTES as u64 + frame * frame_bytes;
    let mut header = [0; FRAME_HEADER_BYTES];
    part(&mut header, start)?;
    // The checksum before stands at the end of the header before: of another frame, or of the log.
    let mut before = [0; 8];
    let end_of_before = if frame == 0 { start } else { start - PAGE_BYTES as u64 };
    part(&mut before, end_of_before - 8)?;
    let magic = match state.magic {
        Some(magic) => magic,
        None => {
            let mut first = [0; 4];
            part(&mut first, 0)?;
            *state.magic.insert(u32::from_be_bytes(first))
        }
    };
    Ok(is_sound_frame(before, magic, &header, page))
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    bytes: c_int,
    at: i64,
) -> c_int {
    let (Ok(length), Ok(offset)) = (usize::try_from(bytes), u64::try_from(at)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: as the module says.
    let state = unsafe { state(file) };
    if state.is_log {
        state.note_write(length, offset);
        return pass_on!(file, xWrite, from, bytes, at);
    }
    if length < PART_BYTES {
        return pass_on!(file, xWrite, from, bytes, at);
    }
    if length != PAGE_BYTES || !offset.is_multiple_of(PAGE_BYTES as u64) {
        return ffi::SQLITE_IOERR_WRITE;
    }
    let mut page = [0_u8; PAGE_BYTES];
    let (content, end) = page.split_at_mut(PAGE_BYTES - RESERVED_BYTES);
    // SAFETY: SQLite's buffer has this length.
    content.copy_from_slice(unsafe { std::slice::from_raw_parts(from.cast::<u8>(), content.len()) });
    end.copy_from_slice(&seal(content, offset / PAGE_BYTES as u64));
    pass_on!(file, xWrite, page.as_ptr().cast(), bytes, at)
}

impl FileState {
    /// A page of the log that is written without its header replaces one of the same transaction. Its checksum, and those of
    /// all frames behind it, are wrong until SQLite writes the headers anew, from that frame on.
    fn note_write(&mut self, length: usize, offset: u64) {
        let header = FRAME_HEADER_BYTES as u64;
        if offset == 0 {
            self.magic = None;
        }
        if length == FRAME_HEADER_BYTES {
            let rewritten = frame_at(offset + header);
            if rewritten.is_some() && rewritten == self.unsettled_from {
                self.unsettled_from = None;
            }
            self.last_header = Some(offset);
            return;
        }
        let Some(frame) = frame_at(offset).filter(|_| length == PAGE_BYTES) else { return };
        if self.last_header != offset.checked_sub(header) {
            self.unsettled_from = Some(self.unsettled_from.map_or(frame, |from| from.min(frame)));
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, bytes: i64) -> c_int {
    pass_on!(file, xTruncate, bytes)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    pass_on!(file, xSync, flags)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, bytes: *mut i64) -> c_int {
    pass_on!(file, xFileSize, bytes)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    pass_on!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    pass_on!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, is_held: *mut c_int) -> c_int {
    pass_on!(file, xCheckReservedLock, is_held)
}

unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, what: c_int, with: *mut c_void) -> c_int {
    pass_on!(file, xFileControl, what, with)
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    pass_on!(file, xSectorSize)
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // Parts of pages could not be looked at: they are not to be read.
    pass_on!(file, xDeviceCharacteristics) & !ffi::SQLITE_IOCAP_SUBPAGE_READ
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    memory: *mut *mut c_void,
) -> c_int {
    pass_on!(file, xShmMap, region, bytes, extend, memory)
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    pass_on!(file, xShmLock, first, count, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: as in `pass_on`.
    unsafe {
        let inner = inner(file);
        if let Some(barrier) = (*(*inner).pMethods).xShmBarrier {
            barrier(inner);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, remove: c_int) -> c_int {
    pass_on!(file, xShmUnmap, remove)
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: the usual function gets its own table.
    unsafe {
        let usual = usual(vfs);
        (*usual).xDelete.map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(usual, name, sync))
    }
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    result: *mut c_int,
) -> c_int {
    // SAFETY: the usual function gets its own table.
    unsafe {
        let usual = usual(vfs);
        (*usual).xAccess.map_or(ffi::SQLITE_IOERR_ACCESS, |access| access(usual, name, flags, result))
    }
}

unsafe extern "C" fn full_pathname(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: the usual function gets its own table.
    unsafe {
        let usual = usual(vfs);
        (*usual).xFullPathname.map_or(ffi::SQLITE_CANTOPEN, |full| full(usual, name, length, out))
    }
}
