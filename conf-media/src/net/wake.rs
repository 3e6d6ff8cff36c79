//! How a media thread sleeps, and how it is woken.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use socket2::Socket;

#[cfg(all(target_os = "linux", not(conf_plain)))]
use event::Bell;
#[cfg(any(conf_plain, not(target_os = "linux")))]
use pair::Bell;

/// Wakes a thread that waits in [`Waker::wait`].
#[derive(Debug)]
pub(super) struct Waker(Bell);

impl Waker {
    pub(super) fn new() -> io::Result<Self> {
        Bell::new().map(Self)
    }

    /// From any thread; once is enough.
    pub(super) fn wake(&self) {
        self.0.ring();
    }

    /// What woke the thread was seen.
    pub(super) fn seen(&self) {
        self.0.silence();
    }

    /// Until one of the sockets (one or two) can be read, somebody wakes this thread, or the time is
    /// over.
    pub(super) fn wait(&self, sockets: &[Socket], timeout: Duration) -> io::Result<()> {
        let bell = || PollFd::new(self.0.fd(), PollFlags::POLLIN);
        let mut ready = [bell(), bell(), bell()];
        for (place, socket) in ready.iter_mut().skip(1).zip(sockets) {
            *place = PollFd::new(socket.as_fd(), PollFlags::POLLIN);
        }
        let (ready, _) = ready.split_at_mut(1 + sockets.len().min(2));
        match poll(ready, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(all(target_os = "linux", not(conf_plain)))]
fn poll(ready: &mut [PollFd<'_>], timeout: Duration) -> Result<i32, Errno> {
    nix::poll::ppoll(ready, Some(nix::sys::time::TimeSpec::from(timeout)), None)
}

/// In whole milliseconds, the next one: a thread that wakes too early would wake again and again.
#[cfg(any(test, conf_plain, not(target_os = "linux")))]
fn poll_in_milliseconds(ready: &mut [PollFd<'_>], timeout: Duration) -> Result<i32, Errno> {
    let millis = timeout.as_nanos().div_ceil(1_000_000);
    let millis = u16::try_from(millis).unwrap_or(u16::MAX);
    nix::poll::poll(ready, nix::poll::PollTimeout::from(millis))
}

#[cfg(any(conf_plain, not(target_os = "linux")))]
use poll_in_milliseconds as poll;

/// An event descriptor.
#[cfg(all(target_os = "linux", not(conf_plain)))]
mod event {
    use super::{AsFd, BorrowedFd, io};
    use nix::sys::eventfd::{EfdFlags, EventFd};

    #[derive(Debug)]
    pub(super) struct Bell(EventFd);

    impl Bell {
        pub(super) fn new() -> io::Result<Self> {
            let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
            Ok(Self(EventFd::from_flags(flags)?))
        }

        pub(super) fn ring(&self) {
            let _ = self.0.write(1); // fails only when it is set already
        }

        pub(super) fn silence(&self) {
            let _ = self.0.read();
        }

        pub(super) fn fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

/// Two ends of a stream, where there are no event descriptors.
#[cfg(any(test, conf_plain, not(target_os = "linux")))]
mod pair {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use super::{AsFd, BorrowedFd, io};

    #[derive(Debug)]
    pub(super) struct Bell {
        ours: UnixStream,
        theirs: UnixStream,
    }

    impl Bell {
        pub(super) fn new() -> io::Result<Self> {
            let (ours, theirs) = UnixStream::pair()?;
            ours.set_nonblocking(true)?;
            theirs.set_nonblocking(true)?;
            Ok(Self { ours, theirs })
        }

        pub(super) fn ring(&self) {
            let _ = (&self.theirs).write(&[1]); // fails only when many are unread already
        }

        pub(super) fn silence(&self) {
            let mut unread = [0; 64];
            while (&self.ours).read(&mut unread).is_ok_and(|count| count == unread.len()) {}
        }

        pub(super) fn fd(&self) -> BorrowedFd<'_> {
            self.ours.as_fd()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::batch::now;

    fn is_readable(fd: BorrowedFd<'_>) -> bool {
        let mut ready = [PollFd::new(fd, PollFlags::POLLIN)];
        poll_in_milliseconds(&mut ready, Duration::ZERO).unwrap() > 0
    }

    #[test]
    fn a_bell_of_two_streams_rings_until_it_is_silenced_however_often_it_was_rung() {
        let bell = pair::Bell::new().unwrap();
        assert!(!is_readable(bell.fd()));
        (0..100_000).for_each(|_| bell.ring());
        assert!(is_readable(bell.fd()));
        bell.silence();
        assert!(!is_readable(bell.fd()));
    }

    #[test]
    fn a_wait_in_milliseconds_is_not_shorter_than_asked() {
        let bell = pair::Bell::new().unwrap();
        let mut ready = [PollFd::new(bell.fd(), PollFlags::POLLIN)];
        let before = now().mono;
        let asked = Duration::from_micros(1_100);
        assert_eq!(poll_in_milliseconds(&mut ready, asked), Ok(0));
        assert!(now().mono - before >= asked);
    }
}
