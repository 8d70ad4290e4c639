package api_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

const secrets = "/api/v1/secrets"

func TestSecretLife(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		id := h.createTool(t, "", toolBody) // refers to SHOP
		for i, want := range []string{"Secret stored", "Secret replaced"} {
			a := h.do(t, request{method: "PUT", path: secrets + "/SHOP", body: fmt.Sprintf(`{"value":"%s-%d"}`, canary, i)})
			if a.status != 200 || a.text("message") != want || a.text("data.name") != "SHOP" || len(a.at("data").(map[string]any)) != 3 {
				t.Errorf("put: %d %s", a.status, a.body)
			}
			lookForCanary(t, "the answer", string(a.body))
		}
		h.do(t, request{method: "PUT", path: secrets + "/Shop", body: `{"value":"-----BEGIN-----\nx\n-----END-----"}`}) // case matters
		list := h.do(t, request{method: "GET", path: secrets})
		if list.status != 200 || list.text("data.secrets.0.name") != "SHOP" || list.text("data.secrets.0.tools.0.id") != id || list.text("data.secrets.1.name") != "Shop" || list.at("data.secrets.1.tools.0") != nil {
			t.Errorf("list: %d %s", list.status, list.body)
		}
		lookForCanary(t, "the list", string(list.body))

		stranger := h.newKey(storetest.Organization(t, st).ID, parley.ScopeAll)
		if a := h.do(t, request{method: "DELETE", path: secrets + "/SHOP", key: stranger}); a.status != 404 {
			t.Errorf("a stranger's delete: %d %s", a.status, a.body)
		}
		if a := h.do(t, request{method: "GET", path: secrets, key: stranger}); a.at("data.secrets.0") != nil {
			t.Errorf("a stranger sees %s", a.body)
		}
		gone := h.do(t, request{method: "DELETE", path: secrets + "/SHOP"})
		if gone.status != 200 || !strings.Contains(gone.text("warnings.0"), "Look up order") || gone.at("data.deleted") != true {
			t.Errorf("delete: %d %s", gone.status, gone.body)
		}
		if a := h.do(t, request{method: "DELETE", path: secrets + "/SHOP"}); a.status != 404 || a.text("error.message") != "Secret not found" {
			t.Errorf("second delete: %d %s", a.status, a.body)
		}
		log := h.do(t, request{method: "GET", path: "/api/v1/audit-log?resourceType=secret&resourceId=SHOP"})
		for i, action := range []string{"secret.delete", "secret.update", "secret.create"} {
			if log.text(fmt.Sprintf("data.entries.%d.action", i)) != action {
				t.Errorf("the audit log: %s", log.body)
			}
		}
		lookForCanary(t, "the audit log", string(log.body))
	})
}

func TestSecretsAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	for name, c := range map[string]struct {
		r     request
		want  int
		field string
	}{
		"no value":      {request{method: "PUT", path: secrets + "/A", body: `{}`}, 400, "value"},
		"empty":         {request{method: "PUT", path: secrets + "/A", body: `{"value":""}`}, 400, "value"},
		"number":        {request{method: "PUT", path: secrets + "/A", body: `{"value":5}`}, 400, "value"},
		"too long":      {request{method: "PUT", path: secrets + "/A", body: `{"value":"` + strings.Repeat("é", parley.MaxSecret+1) + `"}`}, 400, "value"},
		"control":       {request{method: "PUT", path: secrets + "/A", body: `{"value":"` + canary + `\u0001"}`}, 400, "value"},
		"unknown field": {request{method: "PUT", path: secrets + "/A", body: `{"value":"a","name":"B"}`}, 400, "name"},
		"name":          {request{method: "PUT", path: secrets + "/1A", body: `{"value":"a"}`}, 400, "secretName"},
		"long name":     {request{method: "PUT", path: secrets + "/" + strings.Repeat("a", 65), body: `{"value":"a"}`}, 400, "secretName"},
		"hyphen":        {request{method: "DELETE", path: secrets + "/a-b"}, 400, "secretName"},
		"read only":     {request{method: "PUT", path: secrets + "/A", body: `{"value":"a"}`, key: h.newKey(h.org.ID, parley.ScopeToolsRead)}, 403, ""},
		"no scope":      {request{method: "GET", path: secrets, key: h.newKey(h.org.ID, parley.ScopeAgentsRead)}, 403, ""},
		"no GET of one": {request{method: "GET", path: secrets + "/A"}, 405, ""},
	} {
		a := h.do(t, c.r)
		if a.status != c.want || c.field != "" && a.text("error.details.0.field") != c.field {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		lookForCanary(t, name, string(a.body))
	}
}

func TestSecretsAreBounded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	storetest.Write(t, h.st, func(ctx context.Context, tx *store.Tx) error {
		for i := range parley.MaxSecrets {
			if _, _, err := tx.PutSecret(ctx, h.org.ID, fmt.Sprintf("S%d", i), []byte{1}, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if a := h.do(t, request{method: "PUT", path: secrets + "/MORE", body: `{"value":"x"}`}); a.status != 409 {
		t.Errorf("one more: %d %s", a.status, a.body)
	}
	if a := h.do(t, request{method: "PUT", path: secrets + "/S7", body: `{"value":"x"}`}); a.status != 200 {
		t.Errorf("one of them: %d %s", a.status, a.body)
	}
}
