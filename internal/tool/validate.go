package tool

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"parley"
)

const (
	maxSchemas  = 2_048 // compiled ones that are kept
	maxProblems = 5     // that the model is told of one call
)

// schemaCache keeps compiled schemas by their text. The zero value is ready.
type schemaCache struct {
	mu     sync.RWMutex
	byText map[[sha256.Size]byte]*jsonschema.Schema
}

func (c *schemaCache) get(text json.RawMessage) (*jsonschema.Schema, error) {
	key := sha256.Sum256(text)
	c.mu.RLock()
	s, ok := c.byText[key]
	c.mu.RUnlock()
	if ok {
		return s, nil
	}
	s, problem := compileSchema(text)
	if problem != "" {
		return nil, errors.New("its parameters are no schema: " + problem)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byText == nil {
		c.byText = map[[sha256.Size]byte]*jsonschema.Schema{}
	}
	for old := range c.byText { // any of them: a miss costs a fraction of a millisecond
		if len(c.byText) < maxSchemas {
			break
		}
		delete(c.byText, old)
	}
	c.byText[key] = s
	return s, nil
}

// arguments checks what a model sent against the parameters of a tool. The error helps the model to correct it. Some
// models send null for what they leave out; where that is the whole problem, it is left out.
func (r *Runner) arguments(t parley.Tool, raw json.RawMessage) (json.RawMessage, error) {
	raw, err := checkArguments(raw)
	if err != nil {
		return nil, err
	}
	schema, err := r.schemas.get(t.Parameters)
	if err != nil {
		return nil, err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, errors.New("send one JSON object")
	}
	err = schema.Validate(v)
	if err == nil {
		return raw, nil
	}
	if args, ok := v.(map[string]any); ok && dropNulls(args) && schema.Validate(v) == nil {
		return marshal(args), nil
	}
	return nil, errors.New(problems(err))
}

// dropNulls removes members that are null, and reports whether there were any.
func dropNulls(args map[string]any) bool {
	before := len(args)
	for name, v := range args {
		if v == nil {
			delete(args, name)
		}
	}
	return len(args) < before
}

// problems words what a validator found, for a model.
func problems(err error) string {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return "they do not fit the parameters"
	}
	var found []string
	english := message.NewPrinter(language.English)
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			walk(cause)
		}
		if len(e.Causes) > 0 || len(found) == maxProblems {
			return
		}
		p := e.ErrorKind.LocalizedString(english)
		if len(e.InstanceLocation) > 0 {
			p = fmt.Sprintf("at %s: %s", strings.Join(e.InstanceLocation, "."), p)
		}
		if p = clean(p, 200); !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	walk(invalid)
	return strings.Join(found, "; ") + ". Correct them and call the tool again."
}
