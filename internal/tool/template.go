package tool

import (
	"context"
	"errors"
	"fmt"

	"parley"
)

// values are what the templates of one call are filled with. They hold secrets and must not leave the call.
type values struct {
	args    map[string]any // numbers as json.Number; null counts as absent
	secrets map[string]string
	context map[string]string
	used    map[string]bool // arguments that a template asked for
	masker
}

// unfilledError is a placeholder without a value in this call: an argument that the model left out, or something
// that the server does not know in this conversation.
type unfilledError struct{ source, name string }

func (e *unfilledError) Error() string {
	if e.source == "context" {
		return fmt.Sprintf("The tool needs {{context.%s}}, which is not known in this conversation.", e.name)
	}
	return fmt.Sprintf("the argument %q is missing", e.name)
}

// isUnfilled reports whether an argument was left out, which templates of optional arguments take as "leave it out".
func isUnfilled(err error) bool {
	unfilled, ok := errors.AsType[*unfilledError](err)
	return ok && unfilled.source == "args"
}

// values reads what the templates of a job's tool refer to. The error is a *missingSecretError, or of the store.
func (r *Runner) values(ctx context.Context, j job) (*values, error) {
	v := &values{used: map[string]bool{}, context: map[string]string{
		"callerNumber": j.CallerNumber, "contactId": j.ContactID, "conversationId": j.ConversationID, "agentId": j.AgentID,
		"organizationId": j.OrgID, "visitor.sub": j.VisitorSub,
	}}
	if unmarshal(j.arguments, &v.args) != nil {
		return nil, &argumentError{"send one JSON object"}
	}
	var err error
	if v.secrets, err = r.secrets(ctx, j.OrgID, j.tool.SecretNames()); err != nil {
		return nil, err
	}
	for _, value := range v.secrets {
		v.hide(value)
	}
	return v, nil
}

// value is what stands for one placeholder: any JSON for an argument, else a string. The error is an *unfilledError.
func (v *values) value(source, name string) (any, error) {
	var value any
	switch source {
	case "args":
		v.used[name] = true
		value = v.args[name]
	case "secret":
		if s, ok := v.secrets[name]; ok {
			return s, nil
		}
	case "context":
		if s := v.context[name]; s != "" {
			return s, nil
		}
	}
	if value == nil {
		return nil, &unfilledError{source, name}
	}
	return value, nil
}

// text fills a template. What is no string is written as JSON. The error is an *unfilledError.
func (v *values) text(template string) (string, error) {
	return v.fill(template, func(s string) (string, error) { return s, nil })
}

// fill is text, with each value in the form that escape gives it.
func (v *values) fill(template string, escape func(string) (string, error)) (string, error) {
	return parley.FillTemplate(template, func(source, name string) (string, error) {
		value, err := v.value(source, name)
		if err != nil {
			return "", err
		}
		return escape(plainText(value))
	})
}

// plainText is a string as it is and everything else as JSON.
func plainText(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	return string(marshal(value))
}
