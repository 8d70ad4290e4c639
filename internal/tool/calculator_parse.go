package tool

import (
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"
)

// maxNesting bounds parentheses, signs and powers inside each other.
const maxNesting = 64

// parser evaluates while it reads, by recursive descent:
//
//	sum     = product { ("+" | "-") product }
//	product = signed { ("*" | "/" | "%") signed }
//	signed  = ("-" | "+") signed | power
//	power   = percent [ "^" signed ]
//	percent = primary { "%" }            when no operand follows
//	primary = number | "(" sum ")" | name "(" sum { "," sum } ")"
type parser struct {
	text  string
	at    int // bytes
	depth int
}

func (p *parser) parse() (value, error) {
	v, err := p.sum()
	if err != nil {
		return value{}, err
	}
	if p.peek() != 0 {
		return value{}, p.unexpected()
	}
	return v, nil
}

// peek returns the next character that is no space, 0 at the end.
func (p *parser) peek() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\n\r", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *parser) unexpected() error {
	c := p.peek()
	before := strings.TrimRight(p.text[:p.at], " \t\n\r")
	afterDigit := before != "" && isDigit(before[len(before)-1])
	switch {
	case c == 0:
		return &argumentError{"the expression is not complete"}
	case afterDigit && (c == ',' || c == '\'' || c == '_' || isDigit(c)):
		return &argumentError{"write numbers without thousands separators and with a point before decimals: 1234.5, not 1,234.5 or 1 234,5; put a space after a comma between arguments"}
	case c == '=':
		return &argumentError{"an expression has no =; give only what is to be calculated"}
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return &argumentError{fmt.Sprintf("%q at character %d is not understood; known are numbers, + - * / %% ^, parentheses, round, abs, min, max and sqrt",
		r, utf8.RuneCountInString(p.text[:p.at])+1)}
}

// deeper runs f one level deeper.
func (p *parser) deeper(f func() (value, error)) (value, error) {
	if p.depth == maxNesting {
		return value{}, &argumentError{"the expression is nested more than 64 levels deep"}
	}
	p.depth++
	defer func() { p.depth-- }()
	return f()
}

func (p *parser) sum() (value, error) {
	v, err := p.product()
	for err == nil {
		op := p.peek()
		if op != '+' && op != '-' {
			break
		}
		p.at++
		var w value
		if w, err = p.product(); err != nil {
			break
		}
		n := new(big.Rat)
		if op == '+' {
			n.Add(v.n, w.n)
		} else {
			n.Sub(v.n, w.n)
		}
		v, err = bounded(n, v.rounded || w.rounded)
	}
	return v, err
}

func (p *parser) product() (value, error) {
	v, err := p.signed()
	for err == nil {
		op := p.peek()
		if op != '*' && op != '/' && op != '%' {
			break
		}
		p.at++
		var w value
		if w, err = p.signed(); err != nil {
			break
		}
		switch op {
		case '*':
			v, err = bounded(new(big.Rat).Mul(v.n, w.n), v.rounded || w.rounded)
		case '/':
			v, err = divide(v, w)
		default:
			v, err = remainder(v, w)
		}
	}
	return v, err
}

func (p *parser) signed() (value, error) {
	c := p.peek()
	if c != '-' && c != '+' {
		return p.power()
	}
	p.at++
	v, err := p.deeper(p.signed)
	if err == nil && c == '-' {
		v.n = new(big.Rat).Neg(v.n)
	}
	return v, err
}

func (p *parser) power() (value, error) {
	v, err := p.percent()
	if err != nil || p.peek() != '^' {
		return v, err
	}
	p.at++
	e, err := p.deeper(p.signed) // from the right: 2^3^2 is 2^9
	if err != nil {
		return value{}, err
	}
	return power(v, e)
}

func (p *parser) percent() (value, error) {
	v, err := p.primary()
	for err == nil && p.peek() == '%' && !p.operandAfter() {
		p.at++
		v, err = bounded(new(big.Rat).Mul(v.n, big.NewRat(1, 100)), v.rounded)
	}
	return v, err
}

// operandAfter reports whether the % here is followed by an operand, and so asks for a remainder. A sign is no
// beginning of one: 10% - 3 is a percentage.
func (p *parser) operandAfter() bool {
	next := parser{text: p.text, at: p.at + 1}
	c := next.peek()
	return isDigit(c) || c == '.' || c == '(' || isLetter(c)
}

func (p *parser) primary() (value, error) {
	switch c := p.peek(); {
	case isDigit(c) || c == '.':
		return p.number()
	case isLetter(c):
		return p.function()
	case c == '(':
		p.at++
		v, err := p.deeper(p.sum)
		if err != nil {
			return value{}, err
		}
		if p.peek() != ')' {
			return value{}, p.unexpected()
		}
		p.at++
		return v, nil
	}
	return value{}, p.unexpected()
}
