package ws

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// Socket is an established WebSocket whose writes do not wait. Accept and Dial make it, New takes it over.
type Socket struct {
	*websocket.Conn
	pipe   *pipe
	client bool
}

// Accept upgrades a request; on error it has answered.
func Accept(w http.ResponseWriter, r *http.Request, opt *websocket.AcceptOptions) (Socket, error) {
	h := &hijacker{ResponseWriter: w}
	c, err := websocket.Accept(h, r, opt)
	return Socket{c, h.pipe, false}, err
}

// hijacker puts a pipe between the library and the connection.
type hijacker struct {
	http.ResponseWriter
	pipe *pipe
}

// controlBytes holds the largest frame that the library writes: 125 bytes and a header.
const controlBytes = 256

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.pipe = newPipe(conn)
	// The library writes only its own small frames; New's messages go to the pipe.
	return h.pipe, bufio.NewReadWriter(rw.Reader, bufio.NewWriterSize(h.pipe, controlBytes)), nil
}

// Dial opens a WebSocket with the headers given. client must be one of Client; ctx bounds the dialing only. On
// error the answer, if there was one, is returned too; its body is at most 1 KiB and need not be closed.
func Dial(ctx context.Context, client *http.Client, url string, header http.Header) (Socket, *http.Response, error) {
	var p *pipe
	c, res, err := websocket.Dial(context.WithValue(ctx, pipeKey{}, &p), url, &websocket.DialOptions{HTTPClient: client, HTTPHeader: header})
	if err == nil && p == nil {
		_ = c.CloseNow()
		err = errors.New("websocket: dialed with a client that is not of ws.Client")
	}
	return Socket{c, p, true}, res, err
}

// pipeKey is where Dial's context says to whom the pipe is told.
type pipeKey struct{}

// Client returns a client for Dial: t with connections whose writes do not wait. TLS is on top of them, so that
// encrypted writes do not wait either.
func Client(t *http.Transport) *http.Client {
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		p := newPipe(conn)
		if told, ok := ctx.Value(pipeKey{}).(**pipe); ok {
			*told = p
		}
		return p, nil
	}
	return &http.Client{Transport: t}
}
