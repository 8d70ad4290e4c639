package egresstest

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS is a name server on loopback whose answers change from look-up to look-up.
type DNS struct {
	t       testing.TB
	conn    net.PacketConn
	mu      sync.Mutex
	names   map[string][][]string // by name, the addresses of each look-up; the last stay
	lookups map[dnsmessage.Question]int
}

// NewDNS starts a name server that ends with the test.
func NewDNS(t testing.TB) *DNS {
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &DNS{t: t, conn: conn, names: map[string][][]string{}, lookups: map[dnsmessage.Question]int{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.serve()
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return d
}

// Answer sets what a name resolves to: at the first look-up, the second and so on. Addresses are of both families.
func (d *DNS) Answer(name string, rounds ...[]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[strings.ToLower(name)+"."] = rounds
}

// Lookups counts how often the name's addresses of one family were asked for.
func (d *DNS) Lookups(name string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lookups[dnsmessage.Question{Name: dnsmessage.MustNewName(strings.ToLower(name) + "."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}]
}

// Resolver asks this name server.
func (d *DNS) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", d.conn.LocalAddr().String())
	}}
}

func (d *DNS) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := d.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		answer, err := d.answer(m)
		if err != nil {
			d.t.Errorf("name server: %v", err)
			return
		}
		_, _ = d.conn.WriteTo(answer, from)
	}
}

func (d *DNS) answer(m dnsmessage.Message) ([]byte, error) {
	q := m.Questions[0]
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true, RecursionDesired: true, RecursionAvailable: true},
		Questions: m.Questions,
	}
	d.mu.Lock()
	key := dnsmessage.Question{Name: dnsmessage.MustNewName(strings.ToLower(q.Name.String())), Type: q.Type, Class: q.Class}
	rounds, known := d.names[key.Name.String()]
	round := min(d.lookups[key], len(rounds)-1)
	d.lookups[key]++
	d.mu.Unlock()
	if !known {
		reply.RCode = dnsmessage.RCodeNameError
		return reply.Pack()
	}
	for _, text := range rounds[round] {
		ip := netip.MustParseAddr(text)
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type} // TTL 0: nothing keeps it
		switch {
		case ip.Is4() && q.Type == dnsmessage.TypeA:
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}})
		case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	return reply.Pack()
}
