package sock

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gohubkit/hubkit/internal/engine/fastpath"
)

const acceptFlags = syscall.SOCK_NONBLOCK | syscall.SOCK_CLOEXEC

// Accept accepts a connection from a TCP listener, which must be one that does not block, and tells where it comes from. If none
// waits the error is EAGAIN. The new socket does not block either.
func Accept(listener int) (fd int, from netip.AddrPort, err error) {
	if !fastpath.RawSyscalls.Enabled() {
		return accept(listener)
	}
	var sa unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	for {
		r, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener),
			uintptr(unsafe.Pointer(&sa)),   //nolint:gosec // kept alive by the call
			uintptr(unsafe.Pointer(&size)), //nolint:gosec // likewise
			acceptFlags, 0, 0)
		switch errno {
		case 0:
			return int(r), rawAddr(&sa), nil
		case syscall.EINTR:
		default:
			return -1, netip.AddrPort{}, errno
		}
	}
}

// accept is Accept in the way that the scheduler is told of.
func accept(listener int) (fd int, from netip.AddrPort, err error) {
	for {
		fd, sa, err := syscall.Accept4(listener, acceptFlags)
		switch err {
		case nil:
			return fd, Addr(sa), nil
		case syscall.EINTR:
		default:
			return -1, netip.AddrPort{}, err
		}
	}
}

func rawAddr(sa *unix.RawSockaddrAny) netip.AddrPort {
	// A port is in the order of the network, whatever that of the machine.
	port := func(p *uint16) uint16 {
		return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:]) //nolint:gosec // two bytes either way
	}
	switch sa.Addr.Family {
	case syscall.AF_INET:
		in := (*syscall.RawSockaddrInet4)(unsafe.Pointer(sa)) //nolint:gosec // the family says so
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), port(&in.Port))
	case syscall.AF_INET6:
		in := (*syscall.RawSockaddrInet6)(unsafe.Pointer(sa)) //nolint:gosec // likewise
		return netip.AddrPortFrom(zoned(in.Addr, in.Scope_id), port(&in.Port))
	}
	return netip.AddrPort{}
}

// Addr is the address of a TCP socket; invalid for any other.
func Addr(sa syscall.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(zoned(sa.Addr, sa.ZoneId), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// zoned is an address as package net writes it: one of IPv4 as such, whichever kind of socket it came by.
func zoned(ip [16]byte, zone uint32) netip.Addr {
	a := netip.AddrFrom16(ip).Unmap()
	if zone != 0 && a.Is6() {
		a = a.WithZone(zoneName(zone))
	}
	return a
}

func zoneName(index uint32) string {
	if ifi, err := net.InterfaceByIndex(int(index)); err == nil {
		return ifi.Name
	}
	return strconv.FormatUint(uint64(index), 10)
}
