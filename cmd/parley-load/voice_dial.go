package main

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"parley/internal/sim/phone"
)

const handshakeTime = 10 * time.Second

// streamOf places a call like Twilio: it asks the webhook and returns the address of the stream.
func (s *server) streamOf(ctx context.Context, to, callSID string) (string, error) {
	form := url.Values{
		"CallSid": {callSID}, "AccountSid": {s.accountSID}, "From": {"+15005550006"}, "To": {to}, "Called": {to}, "Caller": {"+15005550006"},
		"CallStatus": {"ringing"}, "Direction": {"inbound"}, "ApiVersion": {"2010-04-01"}, "ParleyTest": {"true"},
	}
	address := s.url + "/twilio/voice"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Twilio-Signature", phone.Signature(s.authToken, address, form))
	res, err := oneShot.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	twiml, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return "", err
	}
	found := streamURL.FindSubmatch(twiml)
	if found == nil {
		return "", fmt.Errorf("the webhook answered %s without a stream: %.300s", res.Status, twiml)
	}
	return html.UnescapeString(string(found[1])), nil
}

var streamURL = regexp.MustCompile(`<Stream[^>]* url="([^"]+)"`)

// dialStream upgrades a connection to a Media Stream.
func dialStream(ctx context.Context, address, authToken string) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Twilio.TmeWs/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Twilio-Signature: %s\r\n\r\n",
		u.RequestURI(), u.Host, phone.Signature(authToken, address, nil))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		return nil, errors.Join(fmt.Errorf("the stream was answered %s", res.Status), conn.Close())
	}
	early, _ := in.Peek(in.Buffered())
	return newSocket(conn, true, early)
}

// modelServer is where the subject dials the model. It hands every session to the line of its model's name.
type modelServer struct {
	url, key string
	http     *http.Server
	lines    func(name string) *rigCall
	rig      *rig
}

func startModelServer(ctx context.Context, r *rig, lines func(string) *rigCall) (*modelServer, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &modelServer{url: "http://" + l.Addr().String() + "/v1", key: secret("sk-"), lines: lines, rig: r}
	m.http = &http.Server{Handler: m, ReadHeaderTimeout: handshakeTime}
	go func() { _ = m.http.Serve(l) }()
	return m, nil
}

// ServeHTTP upgrades a Realtime session and gives its socket to the rig.
func (m *modelServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	line := m.lines(r.URL.Query().Get("model"))
	if line == nil || r.Header.Get("Authorization") != "Bearer "+m.key || r.URL.Path != "/v1/realtime" {
		http.Error(w, `{"error":{"type":"invalid_request_error","code":"invalid_api_key","message":"no such session"}}`, http.StatusUnauthorized)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455
	if _, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:])); err != nil {
		_ = conn.Close()
		return
	}
	early, _ := rw.Peek(rw.Reader.Buffered())
	s, err := newSocket(conn, false, early)
	if err != nil {
		return
	}
	_ = m.rig.do(func() {
		if line.model != nil {
			line.fault("a second model session was opened")
		}
		line.model, s.message = s, line.take
		if err := m.rig.add(s); err != nil {
			line.fault(err.Error())
			return
		}
		line.session.open(line)
	})
}

func (m *modelServer) close() error { return m.http.Close() }
