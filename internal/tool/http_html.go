package tool

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// htmlText is the text of a page as a person reads it: without markup, scripts, styles and comments.
func htmlText(page string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(page))
	z.SetMaxBuf(1 << 20)
	skipped := atom.Atom(0) // inside of an element that is not read
	for {
		kind := z.Next()
		switch kind {
		case html.ErrorToken: // the end, or markup beyond reading
			return strings.TrimSpace(b.String())
		case html.TextToken:
			if skipped == 0 {
				write(&b, string(z.Text()))
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			tag := atom.Lookup(name)
			switch {
			case skipped != 0:
				if kind == html.EndTagToken && tag == skipped {
					skipped = 0
				}
			case kind == html.StartTagToken && hiddenElement(tag):
				skipped = tag
			case breaks(tag):
				newline(&b)
			}
		}
	}
}

func hiddenElement(tag atom.Atom) bool {
	switch tag {
	case atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Svg, atom.Iframe, atom.Object:
		return true
	}
	return false
}

func breaks(tag atom.Atom) bool {
	switch tag {
	case atom.P, atom.Br, atom.Div, atom.Li, atom.Ul, atom.Ol, atom.Tr, atom.Table, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Section,
		atom.Article, atom.Header, atom.Footer, atom.Nav, atom.Main, atom.Pre, atom.Blockquote, atom.Title, atom.Dt, atom.Dd, atom.Form, atom.Option:
		return true
	}
	return false
}

// write adds text with its spaces joined, as a browser shows it.
func write(b *strings.Builder, text string) {
	for i, word := range strings.Fields(text) {
		if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") && (i > 0 || strings.ContainsAny(text[:1], " \t\r\n") || strings.HasSuffix(b.String(), " ")) {
			if !strings.HasSuffix(b.String(), " ") {
				b.WriteByte(' ')
			}
		}
		b.WriteString(word)
	}
	if strings.TrimRight(text, " \t\r\n") != text && b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") && !strings.HasSuffix(b.String(), " ") {
		b.WriteByte(' ')
	}
}

func newline(b *strings.Builder) {
	if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
		b.WriteByte('\n')
	}
}
