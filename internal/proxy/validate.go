package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/org/deploy-action/internal/value"
)

// validate tells whether every value of s that reaches a configuration, a path
// or a socket command is on the allow-list of its type. The types alone do not
// say so: a Site may have come over a wire.
func (s Site) validate() error {
	if s.Balancer != nil || s.Kind == AWSELB {
		return errors.Join(check("env", s.Env, value.ParseName), s.validatePools(), s.validateBalanced())
	}
	checks := []error{
		check("env", s.Env, value.ParseName),
		s.validateListen(),
		s.validateTLS(),
		optional("hostname", s.Hostname, value.ParseHostname),
		check("config", s.Config, value.ParsePath),
		check("main", s.Main, value.ParsePath),
		check("state_dir", s.StateDir, value.ParsePath),
		optional("error_log", s.ErrorLog, value.ParsePath),
		optional("socket", s.Socket, value.ParseSocket),
		optional("container", s.Container, value.ParseContainer),
		optional("access_log", s.AccessLog, value.ParsePath),
		s.validatePools(),
		s.validateRoutes(),
		s.Canary.validate(),
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	if s.Kind != NGINX && s.Kind != HAProxy {
		return fmt.Errorf("kind: %q is neither nginx nor haproxy", s.Kind)
	}
	return nil
}

// check parses what came as a T once more and refuses it unless it comes out
// the same.
func check[T ~string](field string, v T, parse func(string) (T, error)) error {
	parsed, err := parse(string(v))
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	if parsed != v {
		return fmt.Errorf("%s: %q is not in its plain form %q", field, v, parsed)
	}
	return nil
}

func optional[T ~string](field string, v T, parse func(string) (T, error)) error {
	if v == "" {
		return nil
	}
	return check(field, v, parse)
}

func (s Site) validateListen() error {
	if _, err := value.ParsePort(int(s.Listen.Port)); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if s.Listen.Host == "" {
		return nil
	}
	ip, err := netip.ParseAddr(s.Listen.Host)
	if err != nil || ip.Zone() != "" || ip.String() != s.Listen.Host {
		return fmt.Errorf("listen: %q is not an IP address", s.Listen.Host)
	}
	return nil
}

func (s Site) validateTLS() error {
	t := s.TLS
	switch {
	case t == nil:
		return nil
	case t.Certificate == "" && s.Template == "":
		return errors.New("tls: no certificate")
	case t.Key != "" && s.Kind == HAProxy:
		return errors.New("tls: HAProxy finds the key in the certificate's file, or beside it")
	case t.Redirect < 0 || t.Redirect > 65535 || t.Redirect == s.Listen.Port:
		return fmt.Errorf("tls: %d is no port to redirect from", t.Redirect)
	}
	return errors.Join(optional("certificate", t.Certificate, value.ParsePath), optional("key", t.Key, value.ParsePath))
}

func (c *Canary) validate() error {
	if c == nil || slices.Contains([]Sticky{StickyNone, StickyCookie, StickyClientIP}, c.Sticky) {
		return nil
	}
	return fmt.Errorf("sticky: %q is none of %s, %s and %s", c.Sticky, StickyNone, StickyCookie, StickyClientIP)
}

func (s Site) validatePools() error {
	if len(s.Pools) != 2 || s.Pools[0].Slot >= s.Pools[1].Slot {
		return fmt.Errorf("pools: a site has two, sorted by slot name")
	}
	for _, pool := range s.Pools {
		if err := check("slot", pool.Slot, value.ParseName); err != nil {
			return err
		}
		if len(pool.Addresses) == 0 {
			return fmt.Errorf("slot %s: no address: a pool without servers would answer every request with an error", pool.Slot)
		}
		for _, address := range pool.Addresses {
			if err := check("slot "+string(pool.Slot), address, parseAddress); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s Site) validateRoutes() error {
	if len(s.Routes) > 0 && s.Kind != HAProxy {
		return errors.New("routes: only HAProxy has them in one file")
	}
	taken := make(map[value.Hostname]value.Name)
	for _, r := range s.Routes {
		err := errors.Join(check("backend", r.Backend, value.ParseName), check("hostname", r.Hostname, value.ParseHostname), check("address", r.Address, parseAddress))
		if err != nil {
			return fmt.Errorf("route %s: %w", r.Backend, err)
		}
		if other, ok := taken[r.Hostname]; ok {
			return fmt.Errorf("route %s: %s leads to %s already", r.Backend, r.Hostname, other)
		}
		taken[r.Hostname] = r.Backend
	}
	return nil
}

func parseAddress(s string) (value.Address, error) {
	if socket, ok := strings.CutPrefix(s, "unix:"); ok {
		path, err := value.ParseSocket(socket)
		return value.Unix(path), err
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 || ap.Addr().Zone() != "" {
		return "", fmt.Errorf("%q is not an address: an IP address with a port, or unix: and the path of a socket", s)
	}
	return value.Address(ap.String()), nil
}

// pool is the pool of a slot; false when the site has no such slot.
func (s Site) pool(slot value.Name) (Pool, bool) {
	for _, pool := range s.Pools {
		if pool.Slot == slot {
			return pool, true
		}
	}
	return Pool{}, false
}
