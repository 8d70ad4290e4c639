package widget

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"parley"
	"parley/internal/store"
)

const (
	maxIdentityLife = 24 * time.Hour
	clockSkew       = time.Minute // between the site's clock and ours
)

// identity is what a site signs.
type identity struct {
	jwt.RegisteredClaims
	Name       string         `json:"name"`
	Email      string         `json:"email"`
	Attributes map[string]any `json:"attributes"`
}

// verify reads a JWT of the agent's site: HS256 with the agent's key and nothing else, with a subject and with an end
// at most 24 hours ahead.
func (h *Handler) verify(a store.WidgetAgent, text string) (parley.Visitor, error) {
	if len(a.Identity) == 0 {
		return parley.Visitor{}, errIdentity("cannot be checked: this agent has no identity secret. Make one first.")
	}
	key, err := h.opt.Ring.Open(store.IdentityAAD(a.OrgID, a.ID), a.Identity)
	if err != nil {
		return parley.Visitor{}, fmt.Errorf("opening an identity secret: %w", err)
	}
	var claims identity
	_, err = jwt.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) { return key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(), jwt.WithLeeway(clockSkew),
		jwt.WithTimeFunc(h.now), jwt.WithStrictDecoding())
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return parley.Visitor{}, errIdentity("has expired. Sign another one for each page.")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return parley.Visitor{}, errIdentity("has no exp. Give it an end at most 24 hours ahead.")
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return parley.Visitor{}, errIdentity("is not valid yet. Check the clock of the server that signed it.")
	case err != nil:
		return parley.Visitor{}, errIdentity("is not valid. Sign it with HS256 and this agent's identity secret.")
	case claims.ExpiresAt.Sub(h.now()) > maxIdentityLife+clockSkew:
		return parley.Visitor{}, errIdentity("has an exp more than 24 hours ahead. Sign it for less.")
	}
	v := parley.Visitor{AgentID: a.ID, Subject: claims.Subject, Name: claims.Name, Email: claims.Email, Attributes: claims.Attributes}
	return v, checkIdentity(v)
}

// checkIdentity bounds what a site says of a visitor.
func checkIdentity(v parley.Visitor) error {
	var wrong []parley.FieldError
	fail := func(claim, message string) {
		wrong = append(wrong, parley.FieldError{Field: "visitor.jwt." + claim, Message: message})
	}
	text := func(claim, s string, most int) {
		if utf8.RuneCountInString(s) > most || strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
			fail(claim, fmt.Sprintf("must be text of at most %d characters.", most))
		}
	}
	if parley.IsBlank(v.Subject) {
		fail("sub", "is required: the site's own id of the person.")
	}
	text("sub", v.Subject, parley.MaxVisitorSubject)
	text("name", v.Name, parley.MaxVisitorName)
	text("email", v.Email, parley.MaxVisitorEmail)
	if len(v.Attributes) > parley.MaxVisitorAttributes {
		fail("attributes", fmt.Sprintf("must have at most %d members.", parley.MaxVisitorAttributes))
	}
	for name, value := range v.Attributes {
		text("attributes", name, parley.MaxAttributeName)
		switch value := value.(type) {
		case string:
			text("attributes", value, parley.MaxAttributeText)
		case float64, bool, json.Number:
		default:
			fail("attributes", "must have strings, numbers and booleans only.")
		}
	}
	return parley.Invalid(wrong)
}

func errIdentity(what string) error {
	return because("identity", parley.Invalid([]parley.FieldError{{Field: "visitor.jwt", Message: what}}))
}
