//! Tells when the routes or addresses of this machine change, so that nobody has to look again and
//! again whether there is a network yet.
//!
//! Source: rtnetlink(7), netlink(7).

use std::io;
use std::os::fd::AsRawFd;

use nix::libc;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};
use tokio::net::UdpSocket;

/// What the kernel is asked to tell of: addresses that come or become usable, and routes.
const GROUPS: libc::c_int = libc::RTMGRP_IPV4_IFADDR
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_IFADDR
    | libc::RTMGRP_IPV6_ROUTE;

/// A subscription to changes of routes and addresses. Netlink is another kind of datagrams, and
/// tokio has no safe socket for any kind but its own; receiving is the same call for all.
#[derive(Debug)]
pub(crate) struct Routes(UdpSocket);

impl Routes {
    /// Subscribes: whatever changes from now on is told by [`Self::changed`].
    ///
    /// # Errors
    /// A sandbox that has no netlink sockets.
    pub(crate) fn watch() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        // The kernel chooses the address of this end.
        let groups = u32::try_from(GROUPS).map_err(io::Error::other)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self(UdpSocket::from_std(socket.into())?))
    }

    /// Waits until something has changed since this was called last.
    ///
    /// # Errors
    /// The subscription is of no use any more.
    pub(crate) async fn changed(&self) -> io::Result<()> {
        loop {
            self.0.readable().await?;
            if self.drain()? {
                return Ok(());
            }
        }
    }

    /// Takes everything that is there. What it says does not matter: whoever waits tries again
    /// anyway.
    fn drain(&self) -> io::Result<bool> {
        let mut message = [0; 4096];
        let mut any = false;
        loop {
            match self.0.try_recv(&mut message) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => any = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(any),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // More came than the kernel could keep, so something has changed.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => any = true,
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;
    use std::time::Duration;

    use nix::sched::{CloneFlags, unshare};
    use tokio::time::timeout;

    use super::*;

    fn ip(arguments: &str) {
        let mut ip = Command::new("ip");
        let status = ip.args(arguments.split(' ')).status().unwrap();
        assert!(status.success(), "ip {arguments}");
    }

    /// In a network of its own, which only root may make.
    #[test]
    fn an_address_that_comes_is_told() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("not run: needs root");
            return;
        }
        let told = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            runtime.block_on(async {
                let routes = Routes::watch().unwrap();
                let long = Duration::from_millis(50);
                assert!(timeout(long, routes.changed()).await.is_err(), "too early");
                ip("link set lo up");
                ip("address add 127.0.0.9/8 dev lo");
                timeout(Duration::from_secs(60), routes.changed())
                    .await
                    .is_ok()
            })
        });
        assert!(told.join().unwrap());
    }
}
