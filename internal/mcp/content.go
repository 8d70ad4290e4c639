package mcp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// text writes a result as text: structured content as JSON, and what cannot be read aloud in words. Servers send
// structured content as text once more; it is said once.
func text(res *sdk.CallToolResult) string {
	var parts []string
	if res.StructuredContent != nil {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if enc.Encode(res.StructuredContent) == nil {
			parts = append(parts, strings.TrimSuffix(b.String(), "\n"))
		}
	}
	for _, c := range res.Content {
		if t, ok := c.(*sdk.TextContent); ok && res.StructuredContent != nil && sameJSON(t.Text, res.StructuredContent) {
			continue
		}
		parts = append(parts, describe(c))
	}
	return strings.Join(parts, "\n")
}

func sameJSON(text string, v any) bool {
	var other any
	return json.Unmarshal([]byte(text), &other) == nil && reflect.DeepEqual(other, v)
}

func describe(c sdk.Content) string {
	switch c := c.(type) {
	case *sdk.TextContent:
		return c.Text
	case *sdk.ImageContent:
		return fmt.Sprintf("[an image of %d bytes, %s; it is not shown]", len(c.Data), cmp.Or(c.MIMEType, "type unknown"))
	case *sdk.AudioContent:
		return fmt.Sprintf("[a sound of %d bytes, %s; it is not played]", len(c.Data), cmp.Or(c.MIMEType, "type unknown"))
	case *sdk.ResourceLink:
		return fmt.Sprintf("[a link to %s: %s]", cmp.Or(c.Title, c.Name, "a resource"), c.URI)
	case *sdk.EmbeddedResource:
		r := c.Resource
		switch {
		case r == nil:
			return "[an empty resource]"
		case r.Text != "":
			return fmt.Sprintf("[the resource %s:]\n%s", r.URI, r.Text)
		}
		return fmt.Sprintf("[the resource %s of %d bytes, %s; it is not shown]", r.URI, len(r.Blob), cmp.Or(r.MIMEType, "type unknown"))
	}
	return "[content of an unknown kind]"
}
