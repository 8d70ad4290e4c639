package phone

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// verb is one TwiML element.
type verb struct {
	name     string
	attrs    map[string]string
	text     string
	children []verb
}

// element is how encoding/xml hands over any element.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []element  `xml:",any"`
}

// grammar names the verbs and nouns that the phone executes, the attributes each may have and what may be
// inside. TwiML is case-sensitive.
var grammar = map[string]struct{ attrs, children []string }{
	"Response": {nil, []string{"Say", "Play", "Pause", "Gather", "Connect", "Redirect", "Dial", "Hangup", "Reject"}},
	"Say":      {[]string{"voice", "language", "loop"}, nil},
	"Play":     {[]string{"loop", "digits"}, nil},
	"Pause":    {[]string{"length"}, nil},
	"Gather": {
		[]string{"input", "action", "method", "timeout", "speechTimeout", "numDigits", "finishOnKey", "actionOnEmptyResult", "language", "hints"},
		[]string{"Say", "Play", "Pause"},
	},
	"Connect": {[]string{"action", "method"}, []string{"Stream"}},
	"Stream":  {[]string{"url", "name", "track", "statusCallback", "statusCallbackMethod"}, []string{"Parameter"}},
	"Parameter": {
		[]string{"name", "value"}, nil,
	},
	"Redirect": {[]string{"method"}, nil},
	"Dial": {
		[]string{"action", "method", "timeout", "hangupOnStar", "timeLimit", "callerId", "record", "trim", "answerOnBridge", "ringTone"},
		[]string{"Number"},
	},
	"Number": {[]string{"sendDigits", "url", "method", "statusCallback", "statusCallbackEvent", "statusCallbackMethod", "byoc"}, nil},
	"Hangup": {nil, nil},
	"Reject": {[]string{"reason"}, nil},
}

// parseTwiML reads a document. An error is one that Twilio answers with "application error" (12100). What
// Twilio's schema does not know is left out and named in unknown (12200).
func parseTwiML(body []byte) (verbs []verb, unknown []string, err error) {
	d := xml.NewDecoder(strings.NewReader(string(body)))
	var root element
	if err := d.Decode(&root); err != nil {
		return nil, nil, fmt.Errorf("document parse failure: %w", err)
	}
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("document parse failure: %w", err)
		}
		if text, ok := t.(xml.CharData); ok && strings.TrimSpace(string(text)) == "" {
			continue
		}
		if _, ok := t.(xml.Comment); !ok {
			return nil, nil, errors.New("document parse failure: content after the root element")
		}
	}
	if root.XMLName.Local != "Response" {
		return nil, nil, fmt.Errorf("document parse failure: the root element is %s, not Response", root.XMLName.Local)
	}
	v := convert(root, &unknown)
	return v.children, unknown, nil
}

func convert(e element, unknown *[]string) verb {
	rule := grammar[e.XMLName.Local]
	v := verb{name: e.XMLName.Local, attrs: make(map[string]string, len(e.Attrs)), text: strings.TrimSpace(e.Text)}
	for _, a := range e.Attrs {
		if !slices.Contains(rule.attrs, a.Name.Local) {
			*unknown = append(*unknown, fmt.Sprintf("attribute %s of %s", a.Name.Local, v.name))
			continue
		}
		v.attrs[a.Name.Local] = a.Value
	}
	if v.text != "" && (len(rule.children) > 0 && v.name != "Dial") {
		*unknown = append(*unknown, "text inside "+v.name)
	}
	for _, child := range e.Children {
		if !slices.Contains(rule.children, child.XMLName.Local) {
			*unknown = append(*unknown, fmt.Sprintf("element %s inside %s", child.XMLName.Local, v.name))
			continue
		}
		v.children = append(v.children, convert(child, unknown))
	}
	return v
}
