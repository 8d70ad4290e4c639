package tool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

const (
	schemaName  = "https://parley.invalid/parameters.json" // absolute: the place of a relative one is the working directory, which may be gone
	schemaDraft = "https://json-schema.org/draft/2020-12/schema"
)

// nowhere loads no schema: a reference must stay within the parameters, or a definition could make the server
// read files and addresses.
type nowhere struct{}

var errElsewhere = errors.New("refers to another document")

func (nowhere) Load(string) (any, error) { return nil, errElsewhere }

// CheckSchema says what is wrong with the JSON Schema of a tool's parameters, or "". It is a parley.SchemaCheck.
func CheckSchema(schema json.RawMessage) string {
	_, problem := compileSchema(schema)
	return problem
}

// compileSchema compiles a schema of draft 2020-12 without looking anywhere else.
func compileSchema(schema json.RawMessage) (compiled *jsonschema.Schema, problem string) {
	defer func() {
		if recover() != nil { // a definition must not be able to stop a request by a mistake of the library
			compiled, problem = nil, "must be a valid JSON Schema."
		}
	}()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, "must be a valid JSON Schema."
	}
	if m, ok := doc.(map[string]any); ok {
		if draft, ok := m["$schema"]; ok && draft != schemaDraft {
			return nil, "must be of draft 2020-12: leave $schema out, or send " + schemaDraft + "."
		}
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(nowhere{})
	if err := c.AddResource(schemaName, doc); err != nil {
		return nil, "must be a valid JSON Schema."
	}
	compiled, err = c.Compile(schemaName)
	if err != nil {
		return nil, schemaProblem(err)
	}
	return compiled, ""
}

// schemaProblem words the library's error for people.
func schemaProblem(err error) string {
	if _, ok := errors.AsType[*jsonschema.LoadURLError](err); ok {
		return "must not refer to another document. Put the definition into $defs and refer to it by #/$defs/name."
	}
	outer, ok := errors.AsType[*jsonschema.SchemaValidationError](err)
	if !ok {
		return "must be a valid JSON Schema: a reference in it leads nowhere, or two names in it are the same."
	}
	invalid, ok := errors.AsType[*jsonschema.ValidationError](outer.Err)
	if !ok {
		return "must be a valid JSON Schema."
	}
	for len(invalid.Causes) > 0 {
		invalid = invalid.Causes[0]
	}
	at := "/" + strings.Join(invalid.InstanceLocation, "/")
	what := invalid.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	return clean(fmt.Sprintf("must be a valid JSON Schema: at %s, %s.", at, what), 300)
}
