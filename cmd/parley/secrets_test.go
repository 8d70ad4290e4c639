package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestRotationBesideAServer: the server goes on reading and writing secrets while the key is rotated under it.
func TestRotationBesideAServer(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--bootstrap-key", "rotation-rotation-rotation")
	defer s.end(t)
	const key = "rotation-rotation-rotation"
	put := func(path, body string) {
		t.Helper()
		method := http.MethodPut
		if strings.HasSuffix(path, "organization") {
			method = http.MethodPatch
		}
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", key)
		req.Header.Set("Content-Type", "application/json")
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	rotate := func(code int, want string, more ...string) {
		t.Helper()
		got, out, stderr := command(t, append([]string{"secrets", "rotate", "--data", s.data}, more...)...)
		if got != code || !strings.Contains(out+stderr, want) {
			t.Errorf("rotate %q: %d %s%s, want %d %q", more, got, out, stderr, code, want)
		}
	}
	put("/api/v1/secrets/SHOP", `{"value":"one"}`)
	put("/api/v1/organization", `{"openai":{"apiKey":"sk-proj-0123456789abcdefghijklmn5678"}}`)
	rotate(0, "no old keys", "--drop-old")
	rotate(0, "prepared", "--prepare")
	rotate(0, "2 values")
	if code, body := s.get(t, "/api/v1/organization", key); code != 200 || !strings.Contains(body, "5678") {
		t.Errorf("the server does not open what was sealed beside it: %d %s", code, body)
	}
	put("/api/v1/secrets/MORE", `{"value":"two"}`) // with the new key
	rotate(1, "two minutes", "--drop-old")
	rotate(0, "3 values")
	other := start(t, t.TempDir())
	defer other.end(t)
	rotate(1, "does not belong", "--secret-key-file", other.data+"/secret.keys")
}
