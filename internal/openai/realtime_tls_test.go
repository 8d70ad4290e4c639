package openai

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/leg"
	"parley/internal/sim/model"
	"parley/internal/ws"
)

// TestRealtimeOverTLS holds a whole session with the model behind TLS, as OpenAI's is, directly and through a proxy.
func TestRealtimeOverTLS(t *testing.T) {
	sim, err := model.Start(model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	plain, _ := url.Parse(strings.TrimSuffix(sim.BaseURL(), "/v1"))
	secure := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(plain))
	defer secure.Close()
	var tunnels atomic.Int32
	proxy := httptest.NewServer(connectProxy(&tunnels))
	defer proxy.Close()

	transport := dialClient.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	defer func(was *http.Client) { dialClient = was }(dialClient)
	for _, way := range []func(*http.Request) (*url.URL, error){nil, http.ProxyURL(must(url.Parse(proxy.URL)))} {
		transport.Proxy = way
		dialClient = ws.Client(transport)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		r, err := DialRealtime(ctx, RealtimeOptions{BaseURL: secure.URL + "/v1", Key: sim.Key(), Model: "gpt-realtime"})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Configure(leg.SessionConfig{Instructions: strings.Repeat("Be brief. ", 3000), Voice: "sage", Speed: 1}); err != nil {
			t.Fatal(err)
		}
		until(t, r, leg.ModelSessionUpdated)
		for range 50 {
			if err := r.AppendAudio(make([]byte, 160)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.CreateResponse(leg.Ask{Instructions: `Say exactly "Good morning."`, NoTools: true, Purpose: "greeting"}); err != nil {
			t.Fatal(err)
		}
		if audio := until(t, r, leg.ModelAudio); len(audio.Audio) == 0 {
			t.Error("no audio")
		}
		until(t, r, leg.ModelResponseDone)
		r.Close()
		for range r.Events() { // until it is closed
		}
		r.Wait()
		if err := r.Err(); err != nil {
			t.Errorf("after our own Close: %v", err)
		}
	}
	if tunnels.Load() != 1 {
		t.Errorf("%d tunnels through the proxy", tunnels.Load())
	}
	_, err = DialRealtime(t.Context(), RealtimeOptions{BaseURL: secure.URL + "/v1", Key: "sk-wrong", Model: "gpt-realtime"})
	var fail *leg.ModelFailure
	if !errors.As(err, &fail) || fail.Code != "invalid_api_key" {
		t.Errorf("a wrong key: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// connectProxy is what HTTPS_PROXY names.
func connectProxy(tunnels *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := net.Dial("tcp", r.Host)
		if err != nil || r.Method != http.MethodConnect {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		in, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		tunnels.Add(1)
		_, _ = io.WriteString(in, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			_, _ = io.Copy(out, in)
			out.Close()
		}()
		_, _ = io.Copy(in, out)
		in.Close()
	}
}
