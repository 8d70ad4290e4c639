//go:build !linux

package main

import (
	"errors"
	"os/exec"
	"time"
)

var errLinux = errors.New("voice needs Linux: it pins processes and reads /proc")

type poller struct{}

func newPoller() (*poller, error)                           { return nil, errLinux }
func (*poller) add(int) error                               { return errLinux }
func (*poller) wait(time.Duration, func(int)) error         { return errLinux }
func (*poller) close() error                                { return nil }
func readSocket(int, []byte) (n int, again bool, err error) { return 0, false, errLinux }
func writeSocket(int, []byte) (n int, err error)            { return 0, errLinux }
func startOn(int, *exec.Cmd) error                          { return errLinux }
func pinSelf(int) error                                     { return errLinux }
