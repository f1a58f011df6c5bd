package proxy

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/org/deploy-action/internal/value"
)

// socket is a row of /proc/net/tcp or tcp6 (proc(5)).
type socket struct {
	local, remote netip.AddrPort
	state         string
	inode         string
}

// States of a TCP socket in /proc/net/tcp (include/net/tcp_states.h).
const (
	tcpEstablished = "01"
	tcpListen      = "0A"
)

// tcpSockets are this machine's TCP sockets.
func tcpSockets() ([]socket, error) {
	var all []socket
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(table)
		if errors.Is(err, fs.ErrNotExist) {
			continue // without IPv6
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[0] == "sl" {
				continue
			}
			all = append(all, socket{local: kernelAddress(fields[1]), remote: kernelAddress(fields[2]), state: fields[3], inode: fields[9]})
		}
	}
	return all, nil
}

// kernelAddress reads "0100007F:1F90": the address in words of four bytes, the
// lowest first, as a little-endian kernel prints them.
func kernelAddress(s string) netip.AddrPort {
	address, port, _ := strings.Cut(s, ":")
	bytes, err := hex.DecodeString(address)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil {
		return netip.AddrPort{}
	}
	for word := range slices.Chunk(bytes, 4) {
		slices.Reverse(word)
	}
	ip, _ := netip.AddrFromSlice(bytes)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number))
}

// connectionsTo are the established connections of this machine to an address.
// For a unix socket they are seen, and counted, from its server's side.
func connectionsTo(address value.Address) ([]socket, error) {
	network, text := address.Network()
	if network == "unix" {
		return unixConnections(text)
	}
	target, err := netip.ParseAddrPort(text)
	if err != nil {
		return nil, err
	}
	target = netip.AddrPortFrom(target.Addr().Unmap(), target.Port())
	all, err := tcpSockets()
	return slices.DeleteFunc(all, func(s socket) bool {
		return s.state != tcpEstablished || s.remote != target
	}), err
}

// unixConnections reads /proc/net/unix: "Num RefCount Protocol Flags Type St
// Inode Path", state 03 for connected (include/uapi/linux/net.h).
func unixConnections(path string) ([]socket, error) {
	data, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil, err
	}
	var found []socket
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) == 8 && fields[5] == "03" && fields[7] == path {
			found = append(found, socket{state: tcpEstablished, inode: fields[6]})
		}
	}
	return found, nil
}

// listeners are the sockets that may keep others from listening on an address.
func listeners(bind value.Address) ([]socket, error) {
	target, err := netip.ParseAddrPort(string(bind))
	if err != nil {
		return nil, err
	}
	want := target.Addr().Unmap()
	all, err := tcpSockets()
	return slices.DeleteFunc(all, func(s socket) bool {
		ip := s.local.Addr()
		clash := ip == want || ip.IsUnspecified() || want.IsUnspecified()
		return s.state != tcpListen || s.local.Port() != target.Port() || !clash
	}), err
}

// held are the inodes of the sockets a process holds; none where we may not look.
func held(pid int) map[string]bool {
	inodes := make(map[string]bool)
	fds, _ := filepath.Glob(filepath.Join(procDir(pid), "fd", "*"))
	for _, fd := range fds {
		link, _ := os.Readlink(fd)
		if inode, ok := strings.CutPrefix(link, "socket:["); ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes
}

// holders are the processes that hold one of the sockets, as far as we may look.
func holders(sockets []socket) []int {
	var found []int
	for _, pid := range processes() {
		inodes := held(pid)
		if slices.ContainsFunc(sockets, func(s socket) bool { return inodes[s.inode] }) {
			found = append(found, pid)
		}
	}
	return found
}
