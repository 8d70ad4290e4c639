package parley

// DefaultClientTimeout is how long a handler of a page may take, in seconds.
const DefaultClientTimeout = 15

// ClientTool is how a tool of kind client is run: by a handler that the page with the chat registered under the
// tool's function name. Only such pages offer it to the model; calls, and chats of the API, have no page.
type ClientTool struct {
	TimeoutSeconds int // from the request to the page until its result, 1–MaxToolTimeout
}

// takeClient merges the member client.
func (t *Tool) takeClient(in *Input) {
	if t.Kind != ToolClient {
		if in.Has("client") && t.Kind != "" {
			in.Fail("client", "belongs to tools of kind client. Leave it out.")
		}
		in.Skip("client")
		return
	}
	for _, other := range []string{"http", "mcp"} {
		if in.Has(other) {
			in.Fail(other, "does not belong to a tool of kind client, which a handler of the web page runs. Leave it out.")
			in.Skip(other)
		}
	}
	c := ClientTool{TimeoutSeconds: DefaultClientTimeout}
	if t.Client != nil {
		c = *t.Client
	}
	t.Client = &c
	if in.Null("client") {
		in.Skip("client")
		c.TimeoutSeconds = DefaultClientTimeout
		return
	}
	if m := in.Object("client"); m != nil {
		set(m, "timeoutSeconds", &t.Client.TimeoutSeconds, DefaultClientTimeout, func(dst *int) { m.Int("timeoutSeconds", dst, 1, MaxToolTimeout) })
		m.Unknown()
	}
}
