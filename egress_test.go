package parley_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// waysOut are the names by which code opens connections of its own. What users give goes through internal/egress.
var waysOut = map[string][]string{
	"net": {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer"},
	"net/http": {
		"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport", "Client", "Transport", "NewFileTransport",
	},
	"net/http/httputil":          {"ReverseProxy", "NewSingleHostReverseProxy"},
	"net/smtp":                   {"Dial", "SendMail"},
	"net/rpc":                    {"Dial", "DialHTTP", "DialHTTPPath"},
	"net/textproto":              {"Dial"},
	"crypto/tls":                 {"Dial", "DialWithDialer", "Dialer"},
	"syscall":                    {"Connect"},
	"golang.org/x/sys/unix":      {"Connect"},
	"golang.org/x/net/http2":     {"Transport"},
	"golang.org/x/net/websocket": {"Dial", "DialConfig"},
	"github.com/coder/websocket": {"Dial"},
	"parley/internal/ws":         {"Dial", "Client"},
	"github.com/modelcontextprotocol/go-sdk/mcp": {"StreamableClientTransport", "SSEClientTransport", "CommandTransport"},
	"golang.org/x/oauth2":                        {"NewClient"},
	"golang.org/x/oauth2/clientcredentials":      {"Config"},
}

// doors are the files that may use them, each with the reason why no user decides where they lead.
var doors = map[string]string{
	"internal/egress/":            "the gate itself",
	"internal/openai/chat.go":     "the model's endpoint, which the operator configures",
	"internal/openai/realtime.go": "the model's endpoint, which the operator configures",
	"internal/mcp/mcp.go":         "hands every request to the gate's client, which internal/tool gives it",
	"internal/twilio/rest.go":     "the carrier's REST origin, which the operator configures",
	"internal/trace/exporter.go":  "the collector, which the operator configures",
	"internal/ws/dial.go":         "a library; who dials is listed here",
	"internal/sim/phone/":         "the simulated carrier, which calls the server it was started for",
	"internal/rehearsal/":         "measures a server on loopback",
	"cmd/parley/call_api.go":      "the command line speaks to the server that its user names",
	"cmd/parley-load/":            "measures a server that its user names",
	"examples/":                   "a program that speaks to the server its user names",
}

// given are types and calls of libraries that open connections, with what must be set beside them so that they
// use the gate's client.
var given = map[string]string{
	"net/http.Client": "Transport", // which is made elsewhere, or is one of waysOut itself
	"github.com/modelcontextprotocol/go-sdk/mcp.StreamableClientTransport": "HTTPClient",
	"github.com/modelcontextprotocol/go-sdk/mcp.SSEClientTransport":        "HTTPClient",
	"golang.org/x/oauth2/clientcredentials.Config":                         "oauth2.HTTPClient",
}

// Every connection to an address that users give is made by internal/egress: nothing else can open one.
func TestOnlyTheGateLeadsOut(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || len(d.Name()) > 1 && d.Name()[0] == '.') {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		for use, at := range usesOf(t, path) {
			door := doorOf(path)
			used[door] = used[door] || door != ""
			if door == "" {
				t.Errorf("%s uses %s: addresses that users give are reached through internal/egress; if no user decides where this leads, list the file with the reason", at, use)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, door := range slices.Sorted(maps.Keys(doors)) {
		if !used[door] {
			t.Errorf("%s opens no connection any more: remove it from the list", door)
		}
	}
}

func doorOf(path string) string {
	for door := range doors {
		if path == door || strings.HasSuffix(door, "/") && strings.HasPrefix(path, door) {
			return door
		}
	}
	return ""
}

// usesOf returns what a file uses of waysOut, with the position. What was given the gate's client does not count.
func usesOf(t *testing.T, path string) map[string]string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{} // the package of each name in the file
	uses := map[string]string{}
	for _, spec := range file.Imports {
		pkg := strings.Trim(spec.Path.Value, `"`)
		name := pkg[strings.LastIndexByte(pkg, '/')+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == "." && waysOut[pkg] != nil {
			uses[pkg+" with a dot"] = set.Position(spec.Pos()).String()
		}
		names[name] = pkg
	}
	of := func(n ast.Node) string {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(waysOut[names[x.Name]], s.Sel.Name) {
				return names[x.Name] + "." + s.Sel.Name
			}
		}
		return ""
	}
	spared := map[ast.Node]bool{} // named as a type, or set up with a client
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StarExpr: // *http.Client is one that was made elsewhere
			spared[n.X] = true
		case *ast.CompositeLit:
			if field := given[of(n.Type)]; field != "" && (hasField(n, field) || mentions(file, field)) {
				spared[n.Type] = true
			}
		case *ast.SelectorExpr:
			if use := of(n); use != "" && !spared[n] {
				uses[use] = set.Position(n.Pos()).String()
			}
		}
		return true
	})
	return uses
}

func hasField(lit *ast.CompositeLit, name string) bool {
	return slices.ContainsFunc(lit.Elts, func(e ast.Expr) bool {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return false
		}
		key, ok := kv.Key.(*ast.Ident)
		value, _ := kv.Value.(*ast.Ident)
		return ok && key.Name == name && (value == nil || value.Name != "nil")
	})
}

// mentions reports whether a file uses a package's name such as oauth2.HTTPClient.
func mentions(file *ast.File, qualified string) (found bool) {
	pkg, name, ok := strings.Cut(qualified, ".")
	ast.Inspect(file, func(n ast.Node) bool {
		if s, isSel := n.(*ast.SelectorExpr); ok && isSel && s.Sel.Name == name {
			x, isIdent := s.X.(*ast.Ident)
			found = found || isIdent && x.Name == pkg
		}
		return !found
	})
	return found
}
