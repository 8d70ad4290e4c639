package parley_test

import "testing"

func TestClientTool(t *testing.T) {
	t.Parallel()
	const start = `{"name":"Show product","description":"D","kind":"client"`
	tool, warnings, err := createTool(start + `}`)
	if err != nil || len(warnings) != 0 || tool.HTTP != nil || tool.Client == nil || tool.Client.TimeoutSeconds != 15 || tool.Access != "write" || tool.FunctionName != "show_product" {
		t.Fatalf("%+v %+v %q %v", tool, tool.Client, warnings, err)
	}
	tool, _, err = createTool(start + `,"access":"read","client":{"timeoutSeconds":60}}`)
	if err != nil || tool.Client.TimeoutSeconds != 60 || tool.Access != "read" {
		t.Fatalf("%+v %+v %v", tool, tool.Client, err)
	}
	changed, _, err := patchTool(t, tool, `{"name":"B","client":{}}`)
	if err != nil || changed.Client.TimeoutSeconds != 60 || changed.Access != "read" {
		t.Errorf("an empty member: %+v %v", changed.Client, err)
	}
	for _, body := range []string{`{"client":null}`, `{"client":{"timeoutSeconds":null}}`} {
		if changed, _, err = patchTool(t, tool, body); err != nil || changed.Client.TimeoutSeconds != 15 || tool.Client.TimeoutSeconds != 60 {
			t.Errorf("%s: %+v %v", body, changed.Client, err)
		}
	}
	for body, field := range map[string]string{
		`"http":{"method":"GET","url":"https://a.example.com/"}`: "http",
		`"mcp":{}`:                        "mcp",
		`"client":{"timeoutSeconds":0}`:   "client.timeoutSeconds",
		`"client":{"timeoutSeconds":1.5}`: "client.timeoutSeconds",
		`"client":{"url":"x"}`:            "client.url",
		`"client":[]`:                     "client",
	} {
		_, _, err := createTool(start + "," + body + "}")
		if got := problems(t, err); len(got) != 1 || got[field] == "" {
			t.Errorf("%s: %v", body, got)
		}
	}
}
