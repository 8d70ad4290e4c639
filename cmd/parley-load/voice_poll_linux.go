package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// poller waits for sockets without a goroutine for each: one read for every message, where Go's own network
// poller needs two reads and a change of goroutine. The load generator has one processor for both ends of
// every call and must cost less than what it measures.
type poller struct {
	fd     int
	events []unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &poller{fd: fd, events: make([]unix.EpollEvent, 256)}, nil
}

// add watches fd for input, level-triggered, and makes it non-blocking.
func (p *poller) add(fd int) error {
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// wait calls ready for every descriptor with input. It returns after timeout at the latest, exact to
// microseconds: epoll_wait alone rounds to milliseconds.
func (p *poller) wait(timeout time.Duration, ready func(fd int)) error {
	n, err := unix.EpollWait(p.fd, p.events, 0)
	if err == nil && n == 0 && timeout > 0 {
		at := unix.NsecToTimespec(timeout.Nanoseconds())
		if _, err = unix.Ppoll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, &at, nil); err == nil {
			n, err = unix.EpollWait(p.fd, p.events, 0)
		}
	}
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("epoll: %w", err)
	}
	for i := range max(0, n) {
		ready(int(p.events[i].Fd))
	}
	return nil
}

func (p *poller) close() error { return unix.Close(p.fd) }

// readSocket reads what is there; again means nothing now.
func readSocket(fd int, b []byte) (n int, again bool, err error) {
	n, err = unix.Read(fd, b)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return 0, true, nil
	}
	return n, false, err
}

// writeSocket writes what fits; the rest is for later.
func writeSocket(fd int, b []byte) (n int, err error) {
	n, err = unix.Write(fd, b)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return max(0, n), err
}

// startOn starts a program that may only use one processor: its threads inherit that from the one that
// starts them.
func startOn(core int, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("pinning to processor %d: %w", core, err)
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("pinning to processor %d: %w", core, err)
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &before))
}

// pinSelf keeps all threads of this process off the other processors.
func pinSelf(core int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	var one unix.CPUSet
	one.Set(core)
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &one); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("pinning to processor %d: %w", core, err)
		}
	}
	return nil
}
