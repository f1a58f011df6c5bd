package ssh

import "golang.org/x/sys/unix"

// limitSilence bounds how long data is sent again without being acknowledged:
// TCP_RXT_CONNDROPTIME of netinet/tcp.h, in seconds.
func limitSilence(fd int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_RXT_CONNDROPTIME, int(silence.Seconds()))
}

// acknowledgeNow does nothing: macOS has no such option.
func acknowledgeNow(int) error { return nil }
