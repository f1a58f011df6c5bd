package ssh

import "golang.org/x/sys/unix"

// limitSilence bounds how long data may stay unacknowledged: tcp(7).
func limitSilence(fd int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds()))
}

// acknowledgeNow acknowledges what was read at once. Up to OpenSSH 9.x sshd leaves
// Nagle's algorithm on, and each of its small writes in a handshake waits for the
// acknowledgement that Linux delays by 40 ms: tcp(7).
func acknowledgeNow(fd int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
}
