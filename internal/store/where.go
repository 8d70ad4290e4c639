package store

import (
	"strconv"
	"strings"
)

// where collects conditions. In a condition "$?" stands for the next placeholder.
type where struct {
	text strings.Builder
	args []any
}

func (w *where) add(condition string, args ...any) {
	if w.text.Len() == 0 {
		w.text.WriteString(" WHERE ")
	} else {
		w.text.WriteString(" AND ")
	}
	w.text.WriteString(w.tail(condition, args...))
}

// tail numbers the placeholders of a text that follows the conditions.
func (w *where) tail(text string, args ...any) string {
	for _, a := range args {
		w.args = append(w.args, a)
		text = strings.Replace(text, "$?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	return text
}

func (w *where) String() string { return w.text.String() }
