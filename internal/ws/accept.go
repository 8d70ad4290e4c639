package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// Socket is an established WebSocket. Accept and Dial make it, New takes it over.
type Socket struct {
	conn   net.Conn // frames are written to it and read from it
	pipe   *pipe    // conn, or what lies under its TLS
	early  []byte   // was received with the handshake
	client bool     // this side dialed
}

// Accept upgrades a request; on error it has answered. It takes the first of the subprotocols that the client asks
// for, agrees to no extension, and lets pages of every Origin in: whoever calls it has made sure who asks.
func Accept(w http.ResponseWriter, r *http.Request, subprotocols ...string) (Socket, error) {
	key := strings.TrimSpace(r.Header.Get("Sec-Websocket-Key"))
	if status, problem := refuse(r, key); problem != "" {
		h := w.Header()
		if status == http.StatusUpgradeRequired {
			h.Set("Connection", "Upgrade")
			h.Set("Upgrade", "websocket")
		}
		h.Set("Sec-Websocket-Version", "13")
		http.Error(w, problem, status)
		return Socket{}, errors.New("websocket: " + problem)
	}
	h := w.Header()
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", "websocket")
	h.Set("Sec-Websocket-Accept", acceptKey(key))
	for _, name := range subprotocols {
		if hasToken(r.Header, "Sec-Websocket-Protocol", name) {
			h.Set("Sec-Websocket-Protocol", name)
			break
		}
	}
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return Socket{}, fmt.Errorf("websocket: take over the connection: %w", err)
	}
	peeked, _ := rw.Peek(rw.Reader.Buffered())
	p := newPipe(conn)
	return Socket{conn: p, pipe: p, early: append([]byte(nil), peeked...)}, nil
}

// refuse says what keeps a request from being a handshake (RFC 6455 section 4.2.1).
func refuse(r *http.Request, key string) (status int, problem string) {
	switch raw, err := base64.StdEncoding.DecodeString(key); {
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed, "A WebSocket is opened with GET"
	case !r.ProtoAtLeast(1, 1) || r.ProtoMajor > 1:
		return http.StatusUpgradeRequired, "A WebSocket is opened with HTTP/1.1"
	case !hasToken(r.Header, "Connection", "Upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		return http.StatusUpgradeRequired, "This is a WebSocket: send Connection: Upgrade and Upgrade: websocket"
	case r.Header.Get("Sec-Websocket-Version") != "13":
		return http.StatusBadRequest, "Sec-WebSocket-Version must be 13"
	case len(r.Header.Values("Sec-Websocket-Key")) != 1 || err != nil || len(raw) != 16:
		return http.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64, once"
	}
	return 0, ""
}

// acceptKey is the answer to a Sec-WebSocket-Key.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455 asks for it
	return base64.StdEncoding.EncodeToString(sum[:])
}

// hasToken reports whether a header that lists tokens has this one, whatever its case.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h[name] {
		for item := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
	}
	return false
}
