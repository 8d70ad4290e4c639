package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond of /proc/<pid>/stat: Linux shows user space 100 on every architecture that Go runs on.
const ticksPerSecond = 100

// process reads what the kernel says about one process.
type process struct{ pid int }

func (p process) file(name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.pid), name)
}

// cpu is the processor time used so far, of all threads, in user and system mode.
func (p process) cpu() (time.Duration, error) {
	raw, err := os.ReadFile(p.file("stat"))
	if err != nil {
		return 0, fmt.Errorf("reading CPU time: %w", err)
	}
	return parseStat(raw)
}

// parseStat adds utime and stime, fields 14 and 15 of proc(5). The second field, the name in parentheses, may
// hold anything, so the count begins after its end.
func parseStat(raw []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(raw, ')')
	if end < 0 {
		return 0, errors.New("stat has no process name")
	}
	fields := strings.Fields(string(raw[end+1:])) // from field 3 on
	if len(fields) < 13 {
		return 0, errors.New("stat is too short")
	}
	var ticks uint64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseUint(f, 10, 63)
		if err != nil {
			return 0, fmt.Errorf("stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// machine is what all processors did so far.
type machine struct {
	busy   time.Duration // for any process
	stolen time.Duration // by other virtual machines on the same host
}

func machineCPU() (machine, error) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return machine{}, fmt.Errorf("reading the machine's CPU time: %w", err)
	}
	return parseMachine(raw)
}

// parseMachine reads the first line of /proc/stat (proc(5)): user, nice, system, idle, iowait, irq, softirq, steal.
func parseMachine(raw []byte) (machine, error) {
	line, _, _ := strings.Cut(string(raw), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return machine{}, errors.New("/proc/stat does not begin with the sum of all processors")
	}
	var m machine
	for i, f := range fields[1:9] {
		n, err := strconv.ParseUint(f, 10, 53)
		if err != nil {
			return machine{}, fmt.Errorf("/proc/stat: %w", err)
		}
		switch d := time.Duration(n) * time.Second / ticksPerSecond; i {
		case 3, 4: // idle
		case 7:
			m.stolen += d
		default:
			m.busy += d
		}
	}
	return m, nil
}

// rss is the resident memory in bytes.
func (p process) rss() (int64, error) {
	raw, err := os.ReadFile(p.file("status"))
	if err != nil {
		return 0, fmt.Errorf("reading memory: %w", err)
	}
	return parseRSS(raw)
}

func parseRSS(raw []byte) (int64, error) {
	for line := range strings.Lines(string(raw)) {
		value, ok := strings.CutPrefix(line, "VmRSS:")
		if !ok {
			continue
		}
		kB, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 53)
		if err != nil {
			return 0, fmt.Errorf("VmRSS: %w", err)
		}
		return kB << 10, nil
	}
	return 0, errors.New("status has no VmRSS")
}

// files counts open file descriptors and how many of them are sockets.
func (p process) files() (open, sockets int, err error) {
	entries, err := os.ReadDir(p.file("fd"))
	if err != nil {
		return 0, 0, fmt.Errorf("reading file descriptors: %w", err)
	}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(p.file("fd"), e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		open++
		if strings.HasPrefix(target, "socket:") {
			sockets++
		}
	}
	return open, sockets, nil
}

// rssEvery is how often the memory of the server is looked at while calls run.
const rssEvery = 200 * time.Millisecond

// peakRSS watches the memory until ctx ends and then returns the most that was seen.
func (p process) peakRSS(ctx context.Context) <-chan int64 {
	result := make(chan int64, 1)
	go func() {
		ticker := time.NewTicker(rssEvery)
		defer ticker.Stop()
		var peak int64
		for {
			if n, err := p.rss(); err == nil {
				peak = max(peak, n)
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				result <- peak
				return
			}
		}
	}()
	return result
}

// gauge finds a metric without labels on a Prometheus page.
func gauge(page []byte, name string) (float64, error) {
	for line := range strings.Lines(string(page)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("/metrics has no %s", name)
}
