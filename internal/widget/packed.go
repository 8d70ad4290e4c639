package widget

import (
	"bytes"
	"compress/gzip"
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
