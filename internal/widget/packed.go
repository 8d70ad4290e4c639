package widget

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"sync"

	"github.com/andybalholm/brotli"
)

// packedMost bounds how many compressed launchers are kept: each is 2 KB.
const packedMost = 1_000

// packed keeps launchers compressed: they differ by agent and hardly ever change. When it is full it begins anew. Safe
// for concurrent use.
type packed struct {
	mu    sync.Mutex
	files map[string][]byte // by encoding and content
}

// send writes a small file compressed as the client likes it.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, body []byte, contentType string) {
	w.Header().Add("Vary", "Accept-Encoding")
	for _, encoding := range []string{"br", "gzip"} {
		if accepts(r, encoding) {
			w.Header().Set("Content-Encoding", encoding)
			body = h.packed.pack(encoding, body)
			break
		}
	}
	h.write(w, body, contentType)
}

func (p *packed) pack(encoding string, body []byte) []byte {
	key := encoding + string(body)
	p.mu.Lock()
	out, ok := p.files[key]
	p.mu.Unlock()
	if ok {
		return out
	}
	var b bytes.Buffer
	if encoding == "br" {
		w := brotli.NewWriterLevel(&b, brotli.BestCompression)
		_, _ = w.Write(body) // into memory
		_ = w.Close()
	} else {
		w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		_, _ = w.Write(body)
		_ = w.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.files == nil || len(p.files) >= packedMost {
		p.files = map[string][]byte{}
	}
	p.files[key] = b.Bytes()
	return b.Bytes()
}
