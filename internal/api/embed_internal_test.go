package api

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"parley"
	"parley/internal/web/browsertest"
)

// readCode lets the browser read each code as HTML: the tags, and their attributes with values.
const readCode = `(codes) => codes.map((code) => {
  const t = document.createElement("template");
  t.innerHTML = code;
  return [...t.content.childNodes].map((n) => [n.nodeName.toLowerCase(), ...[...(n.attributes ?? [])].map((a) => a.name + "=" + a.value), ...(n.firstChild ? ["content"] : [])]);
})`

// hostile are addresses, ids and titles that want to be more than they are.
var hostile = []string{
	`plain`, `"><script>alert(1)</script>`, `' onload='alert(1)`, `" onerror="alert(1)`, `</script><img src=x onerror=alert(1)>`,
	`<?php system("id"); ?>`, `&quot;><b>`, `&`, "a\nb", `\u003c`, `\`, "`${alert(1)}`", `*/alert(1)/*`, "\u2028alert(1)", `{{agent}}{{src}}`, `<!--`, `]]>`,
}

// TestEmbedCodeIsEscaped: whatever the code is made of, a browser reads one element with these attributes and values,
// and programs read these strings.
func TestEmbedCodeIsEscaped(t *testing.T) {
	t.Parallel()
	var codes []string
	var want [][][]string
	for _, bad := range hostile {
		config := parley.DefaultChatConfig()
		config.Title = bad
		publicURL := "https://parley.example/" + bad
		e := embedOf(publicURL, parley.Agent{ID: bad, Chat: &config})
		codes = append(codes, e.Script, e.Iframe)
		want = append(want,
			[][]string{{"script", "async=", "src=" + scriptURL(publicURL, bad), "data-agent=" + bad}},
			[][]string{{"iframe", "src=" + publicURL + "/embed/" + strings.TrimPrefix(e.TryURL, publicURL+"/try/"), "title=" + bad, "width=400", "height=640", "loading=lazy", "allow=clipboard-write"}})
		checkPrograms(t, e, publicURL, bad)
	}
	ctx := browsertest.Start(t)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(codes)
	if err != nil {
		t.Fatal(err)
	}
	got, err := chromedp.Run(ctx, chromedp.Evaluate[[][][]string]("("+readCode+")("+string(raw)+")"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range codes {
		if !slices.EqualFunc(got[i], want[i], slices.Equal) {
			t.Errorf("%s\nis read as %q\nwant %q", codes[i], got[i], want[i])
		}
	}
}

// checkPrograms reads the strings of the code for frameworks.
func checkPrograms(t *testing.T, e Embed, publicURL, agentID string) {
	t.Helper()
	for _, p := range e.Platforms {
		switch p.ID {
		case "wordpress":
			if strings.Count(p.Code, "<?php") != 1 || strings.Count(p.Code, "?>") != 1 {
				t.Errorf("more PHP than ours: %s", p.Code)
			}
		case "react", "vue":
			if n := strings.Count(p.Code, "<"); n != map[string]int{"react": 0, "vue": strings.Count(vueCode, "<")}[p.ID] {
				t.Errorf("%s has %d tags: %s", p.ID, n, p.Code)
			}
			for name, want := range map[string]string{"src": scriptURL(publicURL, agentID), `dataset\.agent`: agentID} {
				var got string
				m := regexp.MustCompile(`script\.` + name + ` = (".*");\n`).FindStringSubmatch(p.Code)
				if m == nil || json.Unmarshal([]byte(m[1]), &got) != nil || got != want {
					t.Errorf("%s: %s is %q, want %q", p.ID, name, got, want)
				}
			}
		}
	}
}
