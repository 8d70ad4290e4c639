package tool

import (
	"context"
	"errors"
	"math/big"
	"strings"
	"unicode/utf8"
)

// maxExpression bounds what the calculator reads, in characters.
const maxExpression = 500

// calculator answers with the value of an expression as decimal text: exact when it is finite, else rounded to
// 20 significant digits and marked with ≈. That something has no value (a division by zero) is an answer, not
// an error.
func (r *Runner) calculator(_ context.Context, j job) (string, error) {
	var in struct {
		Expression *string `json:"expression"`
	}
	if decodeArguments(j.arguments, &in) != nil || in.Expression == nil {
		return "", &argumentError{`the only argument is "expression", a string such as "(12.5 + 7) * 3"`}
	}
	return calculate(*in.Expression)
}

// calculate evaluates an expression. The error is an argumentError.
func calculate(expression string) (string, error) {
	if utf8.RuneCountInString(expression) > maxExpression {
		return "", &argumentError{"the expression is longer than 500 characters; calculate it in parts"}
	}
	p := &parser{text: unicodeOperators.Replace(expression)}
	v, err := p.parse()
	if none, ok := errors.AsType[*noValue](err); ok {
		return none.why, nil
	}
	if err != nil {
		return "", err
	}
	return v.String(), nil
}

// unicodeOperators are the signs that people and models write for the ASCII ones.
var unicodeOperators = strings.NewReplacer("×", "*", "·", "*", "÷", "/", "−", "-", "–", "-", "**", "^", "\u00a0", " ", "\u202f", " ")

// value is a rational number; rounded says that something on the way to it was not exact.
type value struct {
	n       *big.Rat
	rounded bool
}

// noValue is the outcome of an expression that has no value; why is told to the person.
type noValue struct{ why string }

func (e *noValue) Error() string { return e.why }

const (
	shownDigits = 20   // of a rounded result, significant
	rootDigits  = 40   // of a square root, so that what is shown is right
	maxBits     = 2048 // of numerator and denominator each: 616 digits, calculated with in microseconds
)

// bounded refuses numbers whose size would make calculating slow.
func bounded(n *big.Rat, rounded bool) (value, error) {
	if n.Num().BitLen() > maxBits || n.Denom().BitLen() > maxBits {
		return value{}, &argumentError{"a number in the calculation has more than 616 digits"}
	}
	return value{n, rounded}, nil
}

func (v value) String() string {
	if places, finite := v.n.FloatPrec(); finite && !v.rounded {
		return v.n.FloatString(places)
	}
	return "≈ " + significant(v.n, shownDigits)
}

// significant rounds to a number of significant digits and writes them without trailing zeros.
func significant(n *big.Rat, digits int) string {
	if n.Sign() == 0 {
		return "0"
	}
	f := new(big.Float).SetPrec(maxBits + 64).SetRat(n)
	// Far from 1, an exponent is shorter than the zeros; 'g' chooses at 21 digits as JSON does.
	return f.Text('g', digits)
}

// power raises to a whole exponent. The size of the outcome is estimated before it is calculated.
func power(base, exponent value) (value, error) {
	if !exponent.n.IsInt() || exponent.rounded {
		return value{}, &argumentError{"an exponent must be a whole number; use sqrt(x) for square roots"}
	}
	size := max(base.n.Num().BitLen(), base.n.Denom().BitLen())
	if base.n.Sign() == 0 && exponent.n.Sign() < 0 {
		return value{}, &noValue{"The expression has no value: it divides by zero."}
	}
	one := base.n.IsInt() && base.n.Num().BitLen() <= 1 // 0, 1 or -1
	e := exponent.n.Num()
	switch {
	case one && e.Bit(0) == 0 && (e.Sign() != 0 && base.n.Sign() != 0 || e.Sign() == 0):
		return value{big.NewRat(1, 1), base.rounded}, nil
	case one:
		return base, nil
	case e.BitLen() > 16 || (size-1)*int(new(big.Int).Abs(e).Int64()) > maxBits:
		return value{}, &argumentError{"a power in the calculation has more than 616 digits"}
	}
	abs := new(big.Int).Abs(e)
	num, den := new(big.Int).Exp(base.n.Num(), abs, nil), new(big.Int).Exp(base.n.Denom(), abs, nil)
	if e.Sign() < 0 {
		num, den = den, num
	}
	return bounded(new(big.Rat).SetFrac(num, den), base.rounded)
}

// divide divides; by zero there is no value.
func divide(a, b value) (value, error) {
	if b.n.Sign() == 0 {
		return value{}, &noValue{"The expression has no value: it divides by zero."}
	}
	return bounded(new(big.Rat).Quo(a.n, b.n), a.rounded || b.rounded)
}

// remainder is what is left of a after taking away b as often as a whole number of times goes; it has the sign
// of b, as in mathematics.
func remainder(a, b value) (value, error) {
	q, err := divide(a, b)
	if err != nil {
		return value{}, err
	}
	whole := new(big.Int).Div(q.n.Num(), q.n.Denom()) // rounds down, because the denominator is positive
	n := new(big.Rat).Mul(b.n, new(big.Rat).SetInt(whole))
	return bounded(n.Sub(a.n, n), a.rounded || b.rounded)
}

// roundTo rounds half away from zero to a number of decimal places, which may be negative. What comes out is
// the rounded number itself, so it counts as exact.
func roundTo(v, places value) (value, error) {
	n := places.n.Num()
	if !places.n.IsInt() || !n.IsInt64() || n.Int64() < -100 || n.Int64() > 100 {
		return value{}, &argumentError{"the digits of round(x, digits) must be a whole number from -100 to 100"}
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), new(big.Int).Abs(n), nil))
	if n.Sign() < 0 {
		scale.Inv(scale)
	}
	scaled := new(big.Rat).Mul(v.n, scale)
	whole, _ := new(big.Int).SetString(scaled.FloatString(0), 10) // FloatString rounds half away from zero
	return bounded(new(big.Rat).Quo(new(big.Rat).SetInt(whole), scale), false)
}

// squareRoot is exact for squares of fractions, else rounded.
func squareRoot(v value) (value, error) {
	if v.n.Sign() < 0 {
		return value{}, &noValue{"The expression has no value: it takes the square root of a negative number."}
	}
	num, den := new(big.Int).Sqrt(v.n.Num()), new(big.Int).Sqrt(v.n.Denom())
	if exact := new(big.Rat).SetFrac(num, den); new(big.Rat).Mul(exact, exact).Cmp(v.n) == 0 {
		return value{exact, v.rounded}, nil
	}
	f := new(big.Float).SetPrec(maxBits + 64).SetRat(v.n)
	root := new(big.Float).SetPrec(256).Sqrt(f)
	n, _ := new(big.Rat).SetString(root.Text('e', rootDigits))
	return bounded(n, true)
}
