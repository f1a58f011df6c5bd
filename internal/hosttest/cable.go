package hosttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Cable gives the host a long or a bad cable until the test ends: each packet
// takes the delay in each direction, and that share of them (0 to 1) is lost. A
// second call changes the cable.
//
// It is not netem, tc(8)'s way to do this: few kernels of small virtual machines
// have that. Frames go by way of this process instead.
func (h *Host) Cable(t testing.TB, delay time.Duration, loss float64) {
	t.Helper()
	if h.cable == nil {
		h.replug(t)
	}
	h.cable.quality.Store(&quality{delay, loss})
}

// replug connects the host's port with the bridge through a cable.
func (h *Host) replug(t testing.TB) {
	t.Helper()
	h.fleet.outside(t, "link", "set", h.Name, "nomaster")
	c := &cable{}
	tap := "t-" + h.Name
	must(t, inNetwork(h.fleet.lan, func() (err error) {
		if c.host, err = openPort(h.Name); err != nil {
			return err
		}
		c.bridge, err = openTap(tap)
		return err
	}))
	h.fleet.outside(t, "link", "set", tap, "master", "lan", "up")
	c.quality.Store(&quality{})
	c.run.Go(func() { c.carry(c.host, c.bridge) })
	c.run.Go(func() { c.carry(c.bridge, c.host) })
	h.cable = c
	t.Cleanup(func() {
		_, _ = c.host.Close(), c.bridge.Close()
		c.run.Wait()
		h.fleet.outside(t, "link", "set", h.Name, "master", "lan")
		h.cable = nil
	})
}

// cable carries Ethernet frames between a host's port and a port of the bridge.
type cable struct {
	host, bridge *os.File
	quality      atomic.Pointer[quality]
	run          sync.WaitGroup
}

type quality struct {
	delay time.Duration
	loss  float64
}

type frame struct {
	data []byte
	due  time.Time
}

// Both ends have the kernel put a virtio_net_hdr before each frame, of 10 bytes: it
// tells what the kernel hasn't done yet, checksums and cutting into packets.
const largestFrame = 10 + 18 + 65536

func (c *cable) carry(from, to *os.File) {
	way := make(chan frame, 10_000)
	var arrive sync.WaitGroup
	defer arrive.Wait()
	defer close(way)
	arrive.Go(func() {
		for f := range way {
			time.Sleep(time.Until(f.due))
			_, _ = to.Write(f.data) // a frame that finds no room is lost
		}
	})
	buffer := make([]byte, largestFrame)
	for {
		n, err := from.Read(buffer)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil { // such as ENETDOWN, told once when the port goes down
			continue
		}
		now := c.quality.Load()
		if rand.Float64() < now.loss {
			continue
		}
		select {
		case way <- frame{append([]byte(nil), buffer[:n]...), time.Now().Add(now.delay)}:
		default:
		}
	}
}

// inNetwork does something in a process's network namespace, on a thread that ends
// with it.
func inNetwork(pid int, do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			space, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
			if err != nil {
				return err
			}
			defer space.Close()
			if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("setns: %w", err)
			}
			return do()
		}()
	}()
	return <-done
}

// openPort opens a network device for every frame that comes in there, and to send
// some (packet(7)).
func openPort(name string) (*os.File, error) {
	device, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	all := uint16(unix.ETH_P_ALL>>8 | unix.ETH_P_ALL<<8&0xff00) // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: device.Index}),
	)
	return os.NewFile(uintptr(fd), name), err
}

// openTap makes a network device whose cable end is the file (tuntap.rst of the
// kernel's documentation). It goes when the file is closed.
func openTap(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return nil, fmt.Errorf("tap %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
