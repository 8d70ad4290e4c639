package egress

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
)

// ErrTooLarge is read from the body of an answer that has more than the bound.
var ErrTooLarge = errors.New("the answer is too large")

var errNotGzip = errors.New("the answer is not the gzip that it claims to be")

// unpack bounds a body and decompresses it as it is read. Both sides of the decompression are bounded: a small
// answer cannot become a large one, nor a large one cost much and become nothing.
func unpack(res *http.Response, limit int64) {
	body := &bounded{Reader: explained{res.Body}, closer: res.Body, left: limit}
	res.Body = body
	switch encoding := strings.ToLower(strings.TrimSpace(res.Header.Get("Content-Encoding"))); {
	case encoding != "gzip" && encoding != "x-gzip", len(res.Header.Values("Content-Encoding")) > 1, res.Request.Method == http.MethodHead:
		return
	}
	res.Body = &bounded{Reader: &unzip{packed: body}, closer: body, left: limit}
	res.Header.Del("Content-Encoding")
	res.Header.Del("Content-Length")
	res.ContentLength, res.Uncompressed = -1, true
}

// bounded reads at most left bytes and then fails with ErrTooLarge, unless the end comes first.
type bounded struct {
	io.Reader
	closer io.Closer
	left   int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		for range 8 { // readers may return nothing without an error
			if n, err := b.Reader.Read(one[:]); n > 0 {
				return 0, ErrTooLarge
			} else if err != nil {
				return 0, err
			}
		}
		return 0, io.ErrNoProgress
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.Reader.Read(p)
	b.left -= int64(n)
	return n, err
}

func (b *bounded) Close() error { return b.closer.Close() }

// explained reads a body whose errors tell no addresses.
type explained struct{ io.Reader }

func (e explained) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = Explain(err)
	}
	return n, err
}

// unzip opens the stream at the first read, so that an answer without a body is no error before it is read.
type unzip struct {
	packed io.Reader
	plain  *gzip.Reader
	err    error
}

func (z *unzip) Read(p []byte) (int, error) {
	if z.plain == nil && z.err == nil {
		if z.plain, z.err = gzip.NewReader(z.packed); z.err != nil && !errors.Is(z.err, io.EOF) && !errors.Is(z.err, ErrTooLarge) {
			z.err = errNotGzip
		}
	}
	if z.err != nil {
		return 0, z.err
	}
	n, err := z.plain.Read(p)
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errNotGzip
	}
	return n, err
}
