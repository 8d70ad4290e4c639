// Package widget holds the chat widget of websites: the launcher, the panel that it loads on first use, and the page
// that carries the same chat in an iframe. It serves nothing and knows no agent: internal/widget does. Its sources are
// in src, what browsers get is in dist; see README.md for building and changing it.
package widget

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"path"
	"strings"
)

//go:embed dist
var dist embed.FS

// Appearance is what the launcher draws before anything else is loaded.
type Appearance struct {
	Agent    string `json:"agent"`    // the agent's id
	Position string `json:"position"` // bottom-right, bottom-left, top-right or top-left
	Color    string `json:"color"`    // #RGB or #RRGGBB
	Theme    string `json:"theme"`    // light, dark or auto
	Title    string `json:"title"`    // empty: "Chat"
	Online   bool   `json:"online"`   // whether the agent answers chats
}

// EmbedPageData is what differs from page to page.
type EmbedPageData struct {
	AgentID string
	Ticket  string // proves to POST /widget/v1/sessions that the page is Parley's own
	Title   string // empty: "Chat"
	Lang    string // BCP 47; empty: the browser decides
}

// placeholder stands in the built launcher where an agent's appearance goes.
var placeholder = []byte("__APPEARANCE__")

var plain, launcherHead, launcherTail = func() ([]byte, []byte, []byte) {
	built, err := dist.ReadFile("dist/launcher.js")
	if err != nil {
		panic(err) // embedded: a broken build
	}
	head, tail, _ := bytes.Cut(built, placeholder)
	return bytes.Join([][]byte{head, tail}, []byte("null")), head, tail
}()

// Launcher is the script that pages load. With nil it draws what its data- attributes say. The result is shared: do
// not change it.
func Launcher(a *Appearance) []byte {
	if a == nil {
		return plain
	}
	inlined, err := json.Marshal(a) // escapes <, > and the line separators that older scripts refuse
	if err != nil {
		return plain
	}
	return bytes.Join([][]byte{launcherHead, launcherTail}, inlined)
}

// Asset is a file that the launcher or the panel loads. Names carry a hash of the content: it may be cached for ever.
func Asset(name string) (body []byte, contentType string, ok bool) {
	return asset(name, "")
}

// AssetEncoded is Asset compressed as encoding "br" or "gzip", with the content type of the file itself.
func AssetEncoded(name, encoding string) (body []byte, contentType string, ok bool) {
	suffix, known := map[string]string{"br": ".br", "gzip": ".gz"}[encoding]
	if !known {
		return nil, "", false
	}
	return asset(name, suffix)
}

func asset(name, suffix string) ([]byte, string, bool) {
	if name == "launcher.js" || path.Ext(name) != ".js" || strings.Contains(name, "/") {
		return nil, "", false
	}
	body, err := dist.ReadFile("dist/" + name + suffix)
	return body, "text/javascript; charset=utf-8", err == nil
}

// The page has no style and no script of its own, so that it lives under default-src 'none' with a script-src and a
// connect-src of 'self'.
var embedPage = template.Must(template.New("embed").Parse(`<!doctype html>
<html{{with .Lang}} lang="{{.}}"{{end}}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content">
<meta name="referrer" content="no-referrer">
<title>{{or .Title "Chat"}}</title>
</head>
<body>
<noscript>This chat needs JavaScript.</noscript>
<script src="/widget.js?agent={{.AgentID}}" data-agent="{{.AgentID}}" data-container="page"{{with .Ticket}} data-ticket="{{.}}"{{end}}{{with .Lang}} data-lang="{{.}}"{{end}}></script>
</body>
</html>
`))

// EmbedPage is the page of GET /embed/{agentId}: the chat alone, filling its frame.
func EmbedPage(d EmbedPageData) []byte {
	var page bytes.Buffer
	if err := embedPage.Execute(&page, d); err != nil {
		panic(err) // the template is constant and the data are strings
	}
	return page.Bytes()
}
