package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/org/deploy-action/internal/bench/sshd"
)

// floor runs true on each server, so many times over one connection, and all
// servers at once: the least that a program with x/crypto/ssh can take.
func floor(args []string) int {
	if err := logInToAll(args[0], args[1], args[2], args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		return 1
	}
	return 0
}

func logInToAll(keyFile, knownFile, hostsFile, timesText string) error {
	times, err := strconv.Atoi(timesText)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return err
	}
	check, err := knownhosts.New(knownFile)
	if err != nil {
		return err
	}
	hosts, err := os.ReadFile(hostsFile)
	if err != nil {
		return err
	}
	config := &ssh.ClientConfig{User: sshd.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: check, HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}}
	failed := make(chan error, 1)
	var all sync.WaitGroup
	for _, host := range strings.Fields(string(hosts)) {
		all.Go(func() {
			if err := runTrue(host, config, times); err != nil {
				select {
				case failed <- fmt.Errorf("%s: %w", host, err):
				default:
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func runTrue(host string, config *ssh.ClientConfig, times int) error {
	client, err := ssh.Dial("tcp", net.JoinHostPort(host, port), config)
	if err != nil {
		return err
	}
	defer client.Close()
	for range times {
		session, err := client.NewSession()
		if err != nil {
			return err
		}
		if err := session.Run("true"); err != nil {
			return err
		}
	}
	return nil
}
