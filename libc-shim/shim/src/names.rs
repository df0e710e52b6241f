//! Names in directories: make, remove, rename, link; and the current directory.

use crate::block::low;
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::open;
use crate::path::{self, Base, Found, Request, descriptor, request};
use crate::sys::{self, Errno, Outcome, part, room};
use core::sync::atomic::Ordering::Relaxed;
use io_msg::connect::{Connect, FLAG_NOFOLLOW, REMOVE_DIRECTORY, subtype};
use io_msg::kind;
use io_msg::stat::{Stat, mode, open as flag};
use linux_raw_sys::general as linux;

/// `AT_FDCWD` as a register holds it.
pub(crate) const CWD: u64 = (linux::AT_FDCWD as i64).cast_unsigned();

/// Walks to the path at `name` and does something with what is there.
fn at(caller: &mut Caller<'_>, from: u64, name: u64, request: &Request) -> Outcome {
    let from = path::base(from);
    path::load(caller.scratch, 0, name)?;
    match path::walk(caller, from, request)? {
        Found::Reply(_) => Ok(0),
        Found::Descriptor(_) => Err(Errno::EPERM),
    }
}

/// `unlink(path)`.
pub(crate) fn unlink(caller: &mut Caller<'_>, [name, ..]: Args) -> Outcome {
    at(caller, CWD, name, &request(subtype::UNLINK, 0, FLAG_NOFOLLOW))
}

/// `rmdir(path)`.
pub(crate) fn rmdir(caller: &mut Caller<'_>, [name, ..]: Args) -> Outcome {
    at(caller, CWD, name, &request(subtype::UNLINK, REMOVE_DIRECTORY, FLAG_NOFOLLOW))
}

/// `unlinkat(directory, path, flags)`.
pub(crate) fn unlinkat(caller: &mut Caller<'_>, [from, name, flags, ..]: Args) -> Outcome {
    let what = match low(flags) {
        0 => 0,
        linux::AT_REMOVEDIR => REMOVE_DIRECTORY,
        _ => return Err(Errno::EINVAL),
    };
    at(caller, from, name, &request(subtype::UNLINK, what, FLAG_NOFOLLOW))
}

/// `mkdir(path, mode)`.
pub(crate) fn mkdir(caller: &mut Caller<'_>, [name, mode, ..]: Args) -> Outcome {
    mkdirat(caller, [CWD, name, mode, 0, 0, 0])
}

/// `mkdirat(directory, path, mode)`.
pub(crate) fn mkdirat(caller: &mut Caller<'_>, [from, name, mode, ..]: Args) -> Outcome {
    make_node(caller, [from, name], mode::IFDIR | low(mode) & 0o1777, 0)
}

/// `mknod(path, mode, device)`.
pub(crate) fn mknod(caller: &mut Caller<'_>, [name, mode, device, ..]: Args) -> Outcome {
    mknodat(caller, [CWD, name, mode, device, 0, 0])
}

/// `mknodat(directory, path, mode, device)`.
pub(crate) fn mknodat(caller: &mut Caller<'_>, [from, name, mode, device, ..]: Args) -> Outcome {
    let mode = match low(mode) & mode::IFMT {
        0 => mode::IFREG | low(mode),
        mode::IFDIR => return Err(Errno::EPERM),
        _ => low(mode),
    };
    make_node(caller, [from, name], mode, device)
}

fn make_node(caller: &mut Caller<'_>, [from, name]: [u64; 2], mode: u32, rdev: u64) -> Outcome {
    let mode = mode & !caller.process.umask.load(Relaxed);
    let connect = Connect { rdev, ..request(subtype::MKNOD, mode, FLAG_NOFOLLOW).connect };
    at(caller, from, name, &Request { connect, ..Request::default() })
}

/// `symlink(target, path)`.
pub(crate) fn symlink(caller: &mut Caller<'_>, [target, name, ..]: Args) -> Outcome {
    symlinkat(caller, [target, CWD, name, 0, 0, 0])
}

/// `symlinkat(target, directory, path)`.
pub(crate) fn symlinkat(caller: &mut Caller<'_>, [target, from, name, ..]: Args) -> Outcome {
    let length = copy::read_string(target, &mut caller.scratch.paths[1].bytes)?;
    if length == 0 {
        return Err(Errno::ENOENT);
    }
    let extra = Some(part(&caller.scratch.paths[1].bytes[..length]));
    at(caller, from, name, &Request { extra, ..request(subtype::SYMLINK, 0, FLAG_NOFOLLOW) })
}

/// `readlink(path, buffer, size)`.
pub(crate) fn readlink(caller: &mut Caller<'_>, [name, buffer, size, ..]: Args) -> Outcome {
    readlinkat(caller, [CWD, name, buffer, size, 0, 0])
}

/// `readlinkat(directory, path, buffer, size)`.
pub(crate) fn readlinkat(caller: &mut Caller<'_>, [from, name, buffer, size, ..]: Args) -> Outcome {
    let size = u32::try_from(crate::block::int(size)).map_err(|_| Errno::EINVAL)? as usize;
    if size == 0 {
        return Err(Errno::EINVAL);
    }
    let from = path::base(from);
    path::load(caller.scratch, 0, name)?;
    let pid = caller.process.pid.load(Relaxed);
    let own = path::parse_own(caller.scratch.paths[0].get(), pid);
    let length = match own {
        Some((own, [])) if caller.scratch.paths[0].get().starts_with(b"/proc") => {
            let coid = own.coid(caller)?;
            path::path_of(caller, coid).map_err(|_| Errno::ENOENT)?
        }
        _ => match path::walk(caller, from, &request(subtype::READLINK, 0, FLAG_NOFOLLOW))? {
            Found::Reply(reply) => reply.data_length as usize,
            Found::Descriptor(coid) => path::path_of(caller, coid)?,
        },
    };
    let link = caller.scratch.reply.get(..length.min(size)).ok_or(Errno::EIO)?;
    copy::write_slice(buffer, link)?;
    Ok(link.len() as u64)
}

/// `rename(old, new)`.
pub(crate) fn rename(caller: &mut Caller<'_>, [old, new, ..]: Args) -> Outcome {
    renameat2(caller, [CWD, old, CWD, new, 0, 0])
}

/// `renameat(old directory, old, new directory, new)`.
pub(crate) fn renameat(caller: &mut Caller<'_>, [from, old, to, new, ..]: Args) -> Outcome {
    renameat2(caller, [from, old, to, new, 0, 0])
}

/// `renameat2(old directory, old, new directory, new, flags)`.
pub(crate) fn renameat2(caller: &mut Caller<'_>, [from, old, to, new, flags, _]: Args) -> Outcome {
    let request = request(subtype::RENAME, low(flags), FLAG_NOFOLLOW);
    two(caller, [from, old], [to, new], &request)
}

/// `link(old, new)`.
pub(crate) fn link(caller: &mut Caller<'_>, [old, new, ..]: Args) -> Outcome {
    linkat(caller, [CWD, old, CWD, new, 0, 0])
}

/// `linkat(old directory, old, new directory, new, flags)`.
pub(crate) fn linkat(caller: &mut Caller<'_>, [from, old, to, new, flags, _]: Args) -> Outcome {
    let follow = match low(flags) {
        0 => FLAG_NOFOLLOW,
        linux::AT_SYMLINK_FOLLOW => 0,
        linux::AT_EMPTY_PATH => return Err(Errno::ENOENT),
        _ => return Err(Errno::EINVAL),
    };
    two(caller, [from, old], [to, new], &request(subtype::LINK, 0, follow))
}

fn two(caller: &mut Caller<'_>, old: [u64; 2], new: [u64; 2], request: &Request) -> Outcome {
    let bases = [path::base(old[0]), path::base(new[0])];
    path::load(caller.scratch, 0, old[1])?;
    path::load(caller.scratch, 1, new[1])?;
    path::walk_two(caller, bases, request).map(|_| 0)
}

/// `chdir(path)`.
pub(crate) fn chdir(caller: &mut Caller<'_>, [name, ..]: Args) -> Outcome {
    path::load(caller.scratch, 0, name)?;
    let flags = flag::DIRECTORY | flag::PATH;
    let coid = open::open_side(caller, Base::Cwd, flags, 0)?;
    let outcome = move_to(caller, coid);
    let _closed = sys::detach(coid);
    outcome
}

/// `fchdir(fd)`.
pub(crate) fn fchdir(caller: &mut Caller<'_>, [fd, ..]: Args) -> Outcome {
    let coid = descriptor(fd)?;
    let mut status = Stat::default();
    path::simple(caller, coid, kind::IO_STAT, room(&mut status))?;
    if status.mode & mode::IFMT != mode::IFDIR {
        return Err(Errno::ENOTDIR);
    }
    move_to(caller, coid)
}

/// Makes the current directory's connection name what `coid` names, if it may be searched.
fn move_to(caller: &mut Caller<'_>, coid: u32) -> Outcome {
    const SEARCH: u32 = linux::X_OK;
    caller.scratch.paths[0].length = 0;
    path::walk(caller, Base::Own(coid), &request(subtype::ACCESS, SEARCH, 0))?;
    sys::duplicate_to(coid, caller.process.cwd.load(Relaxed), 0).map(|_| 0)
}

/// `getcwd(buffer, size)`: the length with the NUL.
pub(crate) fn getcwd(caller: &mut Caller<'_>, [buffer, size, ..]: Args) -> Outcome {
    let length = path::path_of(caller, caller.process.cwd.load(Relaxed))?;
    if length as u64 >= size {
        return Err(Errno::ERANGE);
    }
    caller.scratch.reply[length] = 0;
    let path = &caller.scratch.reply[..=length];
    copy::write_slice(buffer, path)?;
    Ok(path.len() as u64)
}

/// `umask(mask)`.
pub(crate) fn umask(caller: &mut Caller<'_>, [mask, ..]: Args) -> Outcome {
    Ok(u64::from(caller.process.umask.swap(low(mask) & 0o777, Relaxed)))
}

/// `chroot(path)`: to `/` only.
pub(crate) fn chroot(caller: &mut Caller<'_>, [name, ..]: Args) -> Outcome {
    path::load(caller.scratch, 0, name)?;
    if caller.scratch.paths[0].get() == b"/" { Ok(0) } else { Err(Errno::EPERM) }
}

/// `getxattr` and its kind: there are no extended attributes.
pub(crate) fn no_attributes(_: &mut Caller<'_>, _: Args) -> Outcome {
    Err(Errno::EOPNOTSUPP)
}
