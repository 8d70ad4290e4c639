package store_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// withoutOrganization is the complete list of methods that do not take an organization, with the reason.
var withoutOrganization = map[string]string{
	"FindOrganization":      "finds the organization",
	"ListOrganizations":     "server-wide: the shell",
	"CreateOrganization":    "makes the organization",
	"FindAPIKeyByHash":      "finds the organization",
	"FindKeyHolder":         "finds the organization",
	"FindLoginHolder":       "finds the organization",
	"SweepIdempotency":      "server-wide: expired keys",
	"CountAPIKeys":          "server-wide: first start",
	"HasSealed":             "server-wide: start without a key ring",
	"FindAgentOrganization": "finds the organization",
	"FindWidgetAgent":       "finds the organization",
	"FindVisitorSession":    "finds the organization",
	"FindReplacedSession":   "finds the organization",
	"ListDeferredFeedback":  "server-wide: the chat's keeper",
	"SweepVisitors":         "server-wide: what is old",
	"FindPhoneNumber":       "finds the organization",
	"FindCallBySID":         "finds the organization",
	"FindStreamToken":       "finds the organization",
	"AttachStream":          "finds the organization",
	"ListStaleCalls":        "server-wide: the reconciler",
	"ListLiveCalls":         "server-wide: the reconciler",
	"ListOverCalls":         "server-wide: the reconciler",
	"ListExpiredRuns":       "server-wide: the chat's keeper",
	"ListStoppedRuns":       "server-wide: the chat's keeper",
	"ExpireRuns":            "server-wide: the chat's keeper",
	"SweepChunks":           "server-wide: the chat's keeper",
	"ListProcesses":         "server-wide: the server's own",
	"BeatProcess":           "server-wide: the server's own",
	"DeleteProcess":         "server-wide: the server's own",
	"Shared":                "no data",
	"Notify":                "server-wide: ids only",
	"Listen":                "server-wide: ids only",
	"FindSetting":           "server-wide: the server's own",
	"SetSetting":            "server-wide: the server's own",
	"Savepoint":             "no data",
	"Close":                 "no data",
	"Ping":                  "no data",
	"Stats":                 "no data",
	"Write":                 "no data",
	"RefillRate":            "server-wide: the limiter's keys",
	"SharesRates":           "no data",
	"SweepRates":            "server-wide: the limiter's keys",
}

// Tenant safety by signature: (ctx, orgID, …) or a line in the list above; and each method that takes an
// organization is tried by an intruder in the conformance suite.
func TestOrganizationComesFirst(t *testing.T) {
	t.Parallel()
	tried := storetest.Tenancy(parley.Agent{}, parley.Agent{}, parley.Call{}, parley.APIKey{}, store.Run{})
	found := 0
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || !fn.Name.IsExported() {
				continue
			}
			star, ok := fn.Recv.List[0].Type.(*ast.StarExpr)
			if !ok {
				continue
			}
			if recv := star.X.(*ast.Ident).Name; recv != "Reader" && recv != "Tx" && recv != "Store" {
				continue
			}
			found++
			name := fn.Name.Name
			var params []string
			for _, p := range fn.Type.Params.List {
				for _, n := range p.Names {
					params = append(params, n.Name)
				}
			}
			_, listed := withoutOrganization[name]
			first := len(params) >= 2 && params[0] == "ctx" && params[1] == "orgID"
			switch {
			case listed && first:
				t.Errorf("%s takes an organization: it does not belong in the list", name)
			case !listed && !first:
				t.Errorf("%s(%s) must take (ctx, orgID, …), or be in the list with a reason", name, strings.Join(params, ", "))
			case first && tried[name] == nil:
				t.Errorf("%s is not tried by storetest.Tenancy", name)
			}
		}
	}
	if found != len(withoutOrganization)+len(tried) {
		t.Errorf("%d methods, %d in the list and %d tried: one of them is out of date", found, len(withoutOrganization), len(tried))
	}
}
