package ws

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"time"
)

// Client returns a client for Dial: t with connections whose writes do not wait, which lie under its TLS.
func Client(t *http.Transport) *http.Client {
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newPipe(conn), nil
	}
	return &http.Client{Transport: t}
}

// Dial opens a WebSocket with the headers given, through proxies and TLS as client does. client must be one of
// Client; ctx bounds the dialing only. On error the answer, if there was one, is returned too; its body is at most
// 1 KiB and need not be closed.
func Dial(ctx context.Context, client *http.Client, url string, header http.Header) (Socket, *http.Response, error) {
	if rest, ok := strings.CutPrefix(url, "ws"); ok {
		url = "http" + rest
	}
	// The connection as the transport sees it: with its TLS, and behind the proxy.
	var conn net.Conn
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { conn = i.Conn }})
	req, err := http.NewRequestWithContext(traced, http.MethodGet, url, nil)
	if err != nil {
		return Socket{}, nil, fmt.Errorf("websocket: %w", err)
	}
	key := newKey()
	if header != nil {
		req.Header = header.Clone()
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Sec-Websocket-Version", "13")
	req.Header.Set("Sec-Websocket-Key", key)
	res, err := client.Do(req)
	if err != nil {
		return Socket{}, nil, fmt.Errorf("websocket: %w", err)
	}
	body := res.Body
	res.Body = http.NoBody
	s, err := dialed(res, body, conn, key)
	if err != nil {
		if res.StatusCode != http.StatusSwitchingProtocols {
			words, _ := io.ReadAll(io.LimitReader(body, 1<<10))
			res.Body = io.NopCloser(bytes.NewReader(words))
		}
		_ = body.Close()
	}
	return s, res, err
}

// dialed checks the answer to a handshake (RFC 6455 section 4.1) and takes the connection over.
func dialed(res *http.Response, body io.Reader, conn net.Conn, key string) (Socket, error) {
	h := res.Header
	switch {
	case res.StatusCode != http.StatusSwitchingProtocols:
		return Socket{}, fmt.Errorf("websocket: the handshake was answered with status %d instead of 101", res.StatusCode)
	case !hasToken(h, "Connection", "Upgrade") || !hasToken(h, "Upgrade", "websocket"):
		return Socket{}, errors.New("websocket: the handshake's answer lacks Connection: Upgrade or Upgrade: websocket")
	case h.Get("Sec-Websocket-Accept") != acceptKey(key):
		return Socket{}, errors.New("websocket: the handshake's answer has a wrong Sec-WebSocket-Accept")
	case h.Get("Sec-Websocket-Extensions") != "" || h.Get("Sec-Websocket-Protocol") != "":
		return Socket{}, errors.New("websocket: the handshake's answer agrees to what was not asked for")
	}
	p, err := pipeOf(conn)
	if err != nil {
		return Socket{}, err
	}
	early, err := buffered(conn, body)
	return Socket{conn: conn, pipe: p, early: early, client: true}, err
}

// pipeOf finds the pipe under a connection's TLS, of which there are two layers to a host behind an HTTPS proxy.
func pipeOf(conn net.Conn) (*pipe, error) {
	for {
		switch c := conn.(type) {
		case *pipe:
			return c, nil
		case *tls.Conn:
			conn = c.NetConn()
		default:
			return nil, errors.New("websocket: dialed with a client that is not of ws.Client")
		}
	}
}

// buffered takes what the transport has read behind the answer. A deadline in the past keeps it from reading more.
func buffered(conn net.Conn, body io.Reader) ([]byte, error) {
	if err := conn.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	early, err := io.ReadAll(body)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	return early, conn.SetReadDeadline(time.Time{})
}

func newKey() string {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return base64.StdEncoding.EncodeToString(nonce[:])
}
