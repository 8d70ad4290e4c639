package api_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/audio"
	"parley/internal/record"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestRecording(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	folder := record.NewFolder(t.TempDir())
	h := newHouseWith(t, st, houseOptions{recordings: folder})
	conv := storetest.Conversation(t, st, storetest.Agent(t, st, h.org.ID, parley.AgentVoice))
	path := "/api/v1/conversations/" + conv.ID + "/recording"
	get := func(r request) answer { r.method, r.path = "GET", path; return h.do(t, r) }

	if a := get(request{}); a.status != 404 || !strings.Contains(string(a.body), "no recording") {
		t.Errorf("without a recording: %d %s", a.status, a.body)
	}
	w, err := folder.Create(h.org.ID, conv.ID, 1, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	w.Caller(bytes.Repeat([]byte{7}, 8000))
	w.Close()

	whole := get(request{})
	if whole.status != 200 || whole.header.Get("Content-Type") != "audio/wav" || whole.header.Get("Cache-Control") != "no-store" || len(whole.body) != audio.ULawHeaderBytes+16_000 {
		t.Errorf("%d %v, %d bytes", whole.status, whole.header, len(whole.body))
	}
	part := get(request{headers: map[string]string{"Range": "bytes=100-299"}})
	if part.status != 206 || !bytes.Equal(part.body, whole.body[100:300]) || part.header.Get("Content-Range") != "bytes 100-299/16058" {
		t.Errorf("a range: %d %v, %d bytes", part.status, part.header, len(part.body))
	}
	beyond := get(request{headers: map[string]string{"Range": "bytes=20000-"}})
	if beyond.status != 416 || beyond.text("error.type") != "invalid_request" {
		t.Errorf("beyond the end: %d %s", beyond.status, beyond.body)
	}
	stranger := newHouseWith(t, st, houseOptions{recordings: folder})
	if a := get(request{key: stranger.key}); a.status != 404 || strings.Contains(string(a.body), "no recording") {
		t.Errorf("a stranger: %d %s", a.status, a.body)
	}
	if a := get(request{key: h.newKey(h.org.ID, parley.ScopeChat)}); a.status != 403 {
		t.Errorf("a key without the scope: %d", a.status)
	}

	remove := request{method: "DELETE", path: path}
	if a := h.do(t, remove); a.status != 409 {
		t.Errorf("deleting during the call: %d %s", a.status, a.body)
	}
	storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		now := time.Now()
		conv.Status, conv.EndedAt = parley.ConversationCompleted, &now
		return tx.UpdateConversation(ctx, h.org.ID, conv)
	})
	if a := h.do(t, request{method: "DELETE", path: path, key: h.newKey(h.org.ID, parley.ScopeConversationsRead)}); a.status != 403 {
		t.Errorf("deleting with a key that may only read: %d", a.status)
	}
	if a := h.do(t, remove); a.status != 200 || a.text("data.id") != conv.ID {
		t.Errorf("deleting: %d %s", a.status, a.body)
	}
	if a := h.do(t, remove); a.status != 404 {
		t.Errorf("deleting twice: %d", a.status)
	}
	if a := h.do(t, request{path: "/api/v1/audit-log?resourceId=" + conv.ID}); !strings.Contains(string(a.body), "conversation.delete_recording") {
		t.Errorf("audit log: %s", a.body)
	}
}
