package tool

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// number reads digits, a point, and an exponent such as in 1.5e-3.
func (p *parser) number() (value, error) {
	start := p.at
	p.digits()
	if p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		p.digits()
	}
	mantissa := p.text[start:p.at]
	if mantissa == "." {
		p.at = start
		return value{}, p.unexpected()
	}
	if p.groups() {
		return value{}, p.unexpected()
	}
	if p.at < len(p.text) && (p.text[p.at] == 'e' || p.text[p.at] == 'E') {
		p.at++
		if p.at < len(p.text) && (p.text[p.at] == '-' || p.text[p.at] == '+') {
			p.at++
		}
		digits := p.at
		p.digits()
		if n, err := strconv.Atoi(p.text[digits:p.at]); err != nil || n > 1000 {
			return value{}, &argumentError{"a number's exponent must be a whole number from -1000 to 1000"}
		}
	}
	n, ok := new(big.Rat).SetString(p.text[start:p.at])
	if !ok {
		return value{}, &argumentError{"a number in the expression is not readable"}
	}
	return bounded(n, false)
}

// groups reports whether a comma and exactly three digits follow a number: a thousands separator, or the
// arguments of a function written so that nobody can tell.
func (p *parser) groups() bool {
	rest := p.text[p.at:]
	return len(rest) >= 4 && rest[0] == ',' && isDigit(rest[1]) && isDigit(rest[2]) && isDigit(rest[3]) && (len(rest) == 4 || !isDigit(rest[4]))
}

func (p *parser) digits() {
	for p.at < len(p.text) && isDigit(p.text[p.at]) {
		p.at++
	}
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func (p *parser) function() (value, error) {
	start := p.at
	for p.at < len(p.text) && isLetter(p.text[p.at]) {
		p.at++
	}
	name := strings.ToLower(p.text[start:p.at])
	if p.peek() != '(' {
		return value{}, &argumentError{fmt.Sprintf("%q is not a number; functions are round, abs, min, max and sqrt, each with parentheses", name)}
	}
	p.at++
	var args []value
	for {
		v, err := p.deeper(p.sum)
		if err != nil {
			return value{}, err
		}
		args = append(args, v)
		if p.peek() != ',' {
			break
		}
		p.at++
	}
	if p.peek() != ')' {
		return value{}, p.unexpected()
	}
	p.at++
	return apply(name, args)
}

func apply(name string, args []value) (value, error) {
	switch {
	case name == "round" && len(args) == 1:
		return roundTo(args[0], value{n: new(big.Rat)})
	case name == "round" && len(args) == 2:
		return roundTo(args[0], args[1])
	case name == "abs" && len(args) == 1:
		return value{new(big.Rat).Abs(args[0].n), args[0].rounded}, nil
	case name == "sqrt" && len(args) == 1:
		return squareRoot(args[0])
	case name == "min" || name == "max":
		best := args[0]
		for _, v := range args[1:] {
			if c := v.n.Cmp(best.n); name == "min" && c < 0 || name == "max" && c > 0 {
				best = v
			}
		}
		return best, nil
	case name == "round" || name == "abs" || name == "sqrt":
		return value{}, &argumentError{"use round(x, digits), abs(x) and sqrt(x) with so many arguments"}
	}
	return value{}, &argumentError{fmt.Sprintf("there is no function %q; there are round, abs, min, max and sqrt", name)}
}
